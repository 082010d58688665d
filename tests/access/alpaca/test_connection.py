"""The owner of one socket, against real ones on loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.access.alpaca.messages import trade
from tests.access.alpaca.streams import GUARD_S, StreamServer
from tests.waiting import until
from trader.access.alpaca import connection as module
from trader.access.alpaca.backoff import Backoff
from trader.access.alpaca.connection import Connection, Endpoint, StreamRefused
from trader.access.alpaca.protocol import DataProtocol
from trader.access.alpaca.stream_events import (
    Authenticated,
    Data,
    Event,
    Malformed,
    Muted,
    Postponed,
    ReconnectWanted,
    Stopped,
    Subscribed,
    Unexpected,
)
from trader.access.alpaca.wire import MSGPACK
from trader.access.alpaca.wire_data import Auth, Channel, SuccessMessage
from trader.model.time import SECOND

FAST = 1000.0  # the back-off's first second takes a millisecond


class Rig:
    """A connection that wants trades of AAPL, and what it told."""

    def __init__(self, url: str, *, pace: float = FAST, mute_after: int = 60 * SECOND) -> None:
        self.events: list[Event] = []
        self.mute_after = mute_after
        endpoint = Endpoint("stock stream", url, {"Content-Type": "application/msgpack"})
        self.connection = Connection(endpoint, self.make, self.events.append, backoff=Backoff(lambda: 0.5), pace=pace)

    def make(self) -> DataProtocol:
        protocol = DataProtocol(MSGPACK, Auth("key", "hush"), mute_after=self.mute_after)
        protocol.want({Channel.TRADES: ["AAPL"]}, 0)
        return protocol

    def kinds(self) -> list[type]:
        return [type(event) for event in self.events]

    async def heard(self, kind: type, count: int = 1) -> Any:
        await until(lambda: self.kinds().count(kind) >= count)
        return [event for event in self.events if isinstance(event, kind)][-1]


@asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[Rig]:
    async with asyncio.timeout(GUARD_S):
        task = asyncio.create_task(rig.connection.run())
        try:
            yield rig
        finally:
            rig.connection.stop()
            await task


async def test_connects_shows_keys_subscribes_and_hands_data_over() -> None:
    async with StreamServer() as server, running(Rig(server.url)) as rig:
        session = await server.subscribed()
        await session.send(trade(), trade())
        data = await rig.heard(Data)
    assert [message.symbol for message in data.messages] == ["AAPL", "AAPL"]
    assert rig.kinds() == [Authenticated, Subscribed, Data]
    assert server.headers["Content-Type"] == "application/msgpack"


async def test_says_goodbye_when_it_is_stopped() -> None:
    async with StreamServer() as server:
        async with running(Rig(server.url)):
            session = await server.subscribed()
        await session.socket.wait_closed()
        assert session.socket.close_code == 1000


async def test_comes_again_after_the_line_broke_and_subscribes_to_the_same() -> None:
    async with StreamServer() as server, running(Rig(server.url)) as rig:
        (await server.subscribed()).drop()
        second = await server.subscribed(2)
        await rig.heard(Subscribed, 2)
        assert second.subscribed == {(Channel.TRADES, "AAPL")}
    assert rig.kinds() == [Authenticated, Subscribed, ReconnectWanted, Authenticated, Subscribed]


async def test_never_has_two_connections_at_once() -> None:
    most = 0
    async with StreamServer() as server, running(Rig(server.url)):
        for count in range(1, 6):
            session = await server.subscribed(count)
            most = max(most, sum(one.socket.state == 1 for one in server.sessions))
            session.drop()
    assert most == 1


async def test_respects_a_refused_handshake_and_the_wait_it_asks_for() -> None:
    async with StreamServer() as server:
        server.refused_handshakes = [(429, {"Retry-After": "30"}), (503, {}), (429, {"Retry-After": "soon"})]
        async with running(Rig(server.url)) as rig:
            loop = asyncio.get_running_loop()
            began = loop.time()
            await rig.heard(Subscribed)
            assert loop.time() - began >= 30 / FAST
    refusals = [event.code for event in rig.events if isinstance(event, ReconnectWanted)]
    assert refusals == [429, 503, 429]


@pytest.mark.parametrize("status", [401, 402, 403, 404])
async def test_a_handshake_refused_for_good_ends_it_with_advice(status: int) -> None:
    async with StreamServer() as server:
        server.refused_handshakes = [(status, {})]
        with pytest.raises(StreamRefused, match=rf"stock stream: refused by the server \({status} handshake") as error:
            await Rig(server.url).connection.run()
    assert error.value.code == status
    assert server.handshakes == 1


async def test_a_handshake_refused_after_it_worked_once_is_tried_again() -> None:
    async with StreamServer() as server, running(Rig(server.url)) as rig:
        session = await server.subscribed()
        await rig.heard(Subscribed)
        server.refused_handshakes = [(403, {})]
        session.drop()
        await server.subscribed(2)


@pytest.mark.parametrize(("code", "advice"), [(402, "APCA_API_KEY_ID"), (409, "choose iex")])
async def test_keys_or_plan_refused_end_it_with_advice(code: int, advice: str) -> None:
    async with StreamServer() as server:
        server.refused_keys = [code]
        rig = Rig(server.url)
        with pytest.raises(StreamRefused, match=advice) as error:
            await rig.connection.run()
        await server.last.socket.wait_closed()
    assert (error.value.stream, error.value.code) == ("stock stream", code)
    assert rig.kinds() == [Stopped]
    assert "hush" not in str(error.value)


async def test_an_occupied_place_is_asked_for_again_on_the_same_socket() -> None:
    async with StreamServer() as server:
        server.refused_keys = [406]
        async with running(Rig(server.url)) as rig:
            await rig.heard(Subscribed)
    assert rig.kinds() == [Postponed, Authenticated, Subscribed]
    assert server.handshakes == 1


async def test_a_place_that_stays_occupied_is_waited_for_as_long_as_a_dead_session_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trader.access.alpaca.protocol.REPEAT_AFTER", (SECOND // 1000,) * 2)
    async with StreamServer() as server:
        server.refused_keys = [406] * 3
        async with running(Rig(server.url)) as rig:
            loop = asyncio.get_running_loop()
            refused = await rig.heard(ReconnectWanted)
            began = loop.time()
            await rig.heard(Subscribed)
            assert loop.time() - began >= 90 / FAST
    assert refused.code == 406
    assert server.handshakes == 2


async def test_a_server_that_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trader.access.alpaca.protocol.ANSWER_WITHIN", SECOND // 20)
    async with StreamServer() as server:
        server.is_deaf = True
        async with running(Rig(server.url)) as rig:
            left = await rig.heard(ReconnectWanted)
            server.is_deaf = False
            await rig.heard(Subscribed)
    assert left.text.startswith("no welcome")


async def test_a_half_open_line_is_found_out_by_its_missing_pongs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PING_EVERY_S", 0.02)
    monkeypatch.setattr(module, "PONG_WITHIN_S", 0.05)
    monkeypatch.setattr(module, "CLOSE_WITHIN_S", 0.05)
    async with StreamServer() as server, running(Rig(server.url)) as rig:
        session = await server.subscribed()
        await rig.heard(Subscribed)
        session.socket.transport.pause_reading()
        await rig.heard(ReconnectWanted)
        await server.subscribed(2)
        session.drop()


async def test_nobody_at_the_address_is_waited_for() -> None:
    async with StreamServer() as server:
        pass
    async with running(Rig(server.url)) as rig:
        await rig.heard(ReconnectWanted, 3)
        await server.open()
        await rig.heard(Subscribed)
    await server.close()


async def test_silence_while_traffic_is_expected_is_told() -> None:
    async with StreamServer() as server, running(Rig(server.url, mute_after=SECOND // 50)) as rig:
        await rig.heard(Subscribed)
        assert rig.connection.ask(lambda protocol, now: protocol.expect_traffic(now, is_expected=True))
        await rig.heard(Muted, 2)
        assert rig.connection.ask(lambda protocol, now: protocol.resubscribe(now))
        await until(lambda: len(server.last.requests) == 3)
        rig.connection.reconnect("still mute")
        await server.subscribed(2)
    assert server.last is not server.sessions[0]


async def test_what_is_wanted_can_change_while_it_runs() -> None:
    async with StreamServer() as server, running(Rig(server.url)) as rig:
        await rig.heard(Subscribed)
        rig.connection.ask(lambda protocol, now: protocol.want({Channel.BARS: ["SPY"]}, now))
        await rig.heard(Subscribed, 2)
        assert server.last.subscribed == {(Channel.BARS, "SPY")}


async def test_without_a_connection_there_is_nobody_to_ask() -> None:
    rig = Rig("ws://127.0.0.1:1")
    assert not rig.connection.ask(lambda protocol, now: protocol.resubscribe(now))
    rig.connection.reconnect("nothing to give up")
    assert rig.events == []


async def test_odd_frames_and_messages_are_told_and_cost_nothing_else() -> None:
    async with StreamServer() as server, running(Rig(server.url)) as rig:
        session = await server.subscribed()
        await rig.heard(Subscribed)
        await session.socket.send(b"\xc1")
        await session.send(SuccessMessage("hello"))
        await session.send(trade())
        await rig.heard(Data)
    assert rig.kinds()[2:] == [Malformed, Unexpected, Data]


async def test_a_bug_in_the_listener_ends_it_and_closes_the_socket() -> None:
    def stumble(event: Event) -> None:
        assert not isinstance(event, Data), "a bug"

    rig = Rig("")
    async with StreamServer() as server:
        endpoint = Endpoint("stock stream", server.url)
        connection = Connection(endpoint, rig.make, stumble, backoff=Backoff(lambda: 0.0))
        task = asyncio.create_task(connection.run())
        session = await server.subscribed()
        await session.send(trade())
        with pytest.raises(AssertionError, match="a bug"):
            await task
        await session.socket.wait_closed()


async def test_a_bug_in_the_listener_of_a_timer_ends_it_too() -> None:
    def stumble(event: Event) -> None:
        assert not isinstance(event, Muted), "a bug"
        if isinstance(event, Subscribed):
            connection.ask(lambda protocol, now: protocol.expect_traffic(now, is_expected=True))

    rig = Rig("", mute_after=SECOND // 100)
    async with StreamServer() as server:
        endpoint = Endpoint("stock stream", server.url)
        connection = Connection(endpoint, rig.make, stumble, backoff=Backoff(lambda: 0.0))
        with pytest.raises(AssertionError, match="a bug"):
            await connection.run()


async def test_stops_at_once_while_it_waits_and_before_it_begins() -> None:
    async with StreamServer() as server:
        pass
    async with running(Rig(server.url, pace=0.001)) as rig:
        await rig.heard(ReconnectWanted)
    rig = Rig(server.url)
    rig.connection.stop()
    await rig.connection.run()
    assert rig.events == []


async def test_somebody_elses_cancel_passes_through() -> None:
    async with StreamServer() as server:
        rig = Rig(server.url)
        task = asyncio.create_task(rig.connection.run())
        session = await server.subscribed()
        with pytest.raises(RuntimeError, match="one connection at a time"):
            await rig.connection.run()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await session.socket.wait_closed()


async def test_an_address_that_is_none_is_told_at_once() -> None:
    with pytest.raises(StreamRefused, match="no address of a WebSocket"):
        await Rig("http://127.0.0.1:1").connection.run()


async def test_a_redirect_is_not_followed() -> None:
    async with StreamServer() as server, StreamServer() as thief:
        server.refused_handshakes = [(302, {"Location": thief.url})]
        async with running(Rig(server.url)) as rig:
            await rig.heard(Subscribed)
        assert thief.handshakes == 0
