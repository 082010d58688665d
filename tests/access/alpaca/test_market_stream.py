"""One market's stream: what the server refuses, what falls silent, what a start says when it fails."""

import asyncio
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from tests.access.alpaca.rigs import rigged, wired
from tests.access.alpaca.streams import StreamServer
from tests.build import T0, bar
from tests.waiting import until
from trader.access.alpaca import market_stream as module
from trader.access.alpaca.market_stream import Occupied
from trader.access.alpaca.wire_data import Channel, ErrorMessage, ServerMessage, Subscribe, SubscriptionMessage
from trader.model.inputs import Held, Released
from trader.model.time import DAY, HOUR, MINUTE, SECOND


@pytest.fixture(autouse=True)
def _fresh_logs() -> None:
    structlog.reset_defaults()


def answering(monkeypatch: pytest.MonkeyPatch, answer: ServerMessage, *, when: Channel) -> None:
    """Let the server answer a request that names a channel in another way."""
    usual = StreamServer._answer  # noqa: SLF001 - a server that misbehaves is made from one that does not

    def misbehave(server: StreamServer, session: Any, request: Any) -> ServerMessage:
        is_meant = isinstance(request, Subscribe) and when in request.channels()
        return answer if is_meant else usual(server, session, request)

    monkeypatch.setattr(StreamServer, "_answer", misbehave)


async def test_a_channel_that_the_feed_lacks_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, ErrorMessage(410, "invalid subscribe action for this feed"), when=Channel.LULDS)
    async with rigged() as rig:
        await rig.feed.start()
        await until(lambda: rig.stream.last.subscribed)
        assert rig.stream.last.subscribed == {(Channel.BARS, "SPY")}
        assert rig.feed.status().streams[0].channels == ("bars",)


async def test_symbols_that_the_server_takes_for_malformed_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, ErrorMessage(400, "invalid syntax"), when=Channel.BARS)
    async with rigged() as rig:
        await rig.feed.start()
        rig.go_live()
        await until(lambda: rig.of(Held))
    assert rig.of(Held) == [Held(rig.ts, "stock stream subscription", ("SPY",), "invalid syntax")]


async def test_an_acknowledgement_of_something_else_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, SubscriptionMessage(bars=("SPY",)), when=Channel.BARS)
    with capture_logs() as logs:
        async with rigged() as rig:
            await rig.feed.start()
    (differed,) = [line for line in logs if line["event"] == "subscription.differed"]
    assert "trades SPY" in differed["missing"]


async def test_one_symbol_that_is_silent_while_another_talks_is_told_once() -> None:
    with capture_logs() as logs:
        async with rigged("SPY", "QQQ", pace=1e6) as rig:
            await rig.go()
            await rig.second_look()
            for minute in range(11, 26):
                rig.ts = T0 + minute * MINUTE + MINUTE // 2
                await rig.stream.last.send(wired(bar("QQQ", minute)))
                await until(lambda: len(rig.bars("QQQ")) == len(range(6, rig.minute + 1)))
            await until(lambda: any(line["event"] == "symbol.muted" for line in logs))
    muted = [line for line in logs if line["event"] == "symbol.muted"]
    assert [line["symbol"] for line in muted] == ["SPY"]


async def test_a_night_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Monday's first minute: one symbol has its bar, the other's newest is Friday's."""
    monkeypatch.setattr(module, "SHORTEST_LOOK_S", 0.001)
    with capture_logs() as logs:
        async with rigged("SPY", "QQQ", pace=1e6) as rig:
            friday = (T0 - 3 * DAY + 390 * MINUTE - T0) // MINUTE  # the last bar of that session, in minutes after T0
            rig.rest.rows.clear()
            rig.rest.put(*(bar(symbol, friday - back) for symbol in ("SPY", "QQQ") for back in range(9, -1, -1)))
            rig.ts = T0 - MINUTE // 2
            await rig.go()
            await rig.second_look()
            rig.ts = T0 + SECOND
            (stream,) = rig.feed._streams.values()  # noqa: SLF001 - nobody else says when the opening was noticed
            await until(lambda: stream._open_since)  # noqa: SLF001
            for minute in range(1, 26):
                rig.ts = T0 + minute * MINUTE + MINUTE // 2
                await rig.stream.last.send(wired(bar("QQQ", minute)))
                await until(lambda: rig.bars("QQQ")[-1] == rig.minute)
            await until(lambda: any(line["event"] == "symbol.muted" for line in logs))
    (muted,) = [line for line in logs if line["event"] == "symbol.muted"]
    assert muted["symbol"] == "SPY"
    assert muted["silent_s"] < HOUR // SECOND


async def test_a_plan_that_has_room_again_releases_what_was_left_out() -> None:
    async with rigged("SPY", "QQQ", symbol_limit=1) as rig:
        await rig.feed.start()
        rig.go_live()
        await until(lambda: rig.of(Held))
        await rig.feed.release("one", ["QQQ"])
        await until(lambda: rig.of(Released))
    assert rig.causes() == ["+stock stream limit", "-stock stream limit"]
    assert rig.stream.last.subscribed >= {(Channel.BARS, "SPY")}


async def test_a_place_that_is_occupied_for_long_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rigged() as rig:
        await rig.stream.close()
        start = asyncio.create_task(rig.feed.start())
        await until(lambda: rig.feed.status().streams)
        assert not rig.feed.status().streams[0].is_subscribed
        await rig.stream.open()
        await start
        assert rig.feed.status().streams[0].is_subscribed


async def test_a_place_that_another_program_keeps_is_told_at_once_and_ends_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SHORTEST_OCCUPIED_S", 0.7)
    with capture_logs() as logs:
        async with rigged() as rig:
            rig.stream.refused_keys = [406] * 50
            with pytest.raises(
                Occupied, match=r"holds the account's place on it after 0\.7 s.* Stop that program"
            ) as error:
                await rig.feed.start()
    assert error.value.exit_code == 5
    (told,) = [line for line in logs if line["event"] == "stream.occupied"]
    assert "stop it, or wait" in told["why"]
    assert rig.stream.handshakes == 1


async def test_a_place_that_becomes_free_in_time_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHORTEST_OCCUPIED_S", 9.0)
    async with rigged() as rig:
        rig.stream.refused_keys = [406]
        await rig.feed.start()
        assert rig.feed.status().streams[0].is_subscribed
