"""A desk's market data, over real sockets: whatever happens to the line, every bar comes once and in order."""

import asyncio

import pytest
import structlog
from structlog.testing import capture_logs

from tests.access.alpaca.bars_server import BarsServer
from tests.access.alpaca.rigs import Rig, rigged, wired
from tests.access.alpaca.streams import GUARD_S, StreamServer
from tests.build import T0, bar
from tests.waiting import until
from trader.access.alpaca.connection import StreamRefused
from trader.access.alpaca.wire import MSGPACK
from trader.access.alpaca.wire_data import Channel, StatusMessage, TradeMessage, UpdatedBarMessage
from trader.errors import EdgeError, Unavailable
from trader.model.inputs import Backfilled, Held, Released, Revised
from trader.model.time import MINUTE, SECOND


@pytest.fixture(autouse=True)
def _fresh_logs() -> None:
    structlog.reset_defaults()


async def test_warm_up_joins_live_bars_without_gap_or_double() -> None:
    async with rigged("SPY", "QQQ") as rig:
        await rig.feed.start()
        assert rig.stream.last.subscribed >= {(Channel.BARS, "SPY"), (Channel.UPDATED_BARS, "QQQ")}
        await rig.stream.last.send(wired(bar("SPY", 10)))  # while history is fetched: both have it
        async for bars in rig.feed.history({"SPY": 4, "QQQ": 2}):
            rig.batches.append(bars)
        await rig.stream.last.send(wired(bar("SPY", 11)), wired(bar("QQQ", 11)))
        rig.rest.put(bar("SPY", 11), bar("QQQ", 11))
        rig.ts += MINUTE
        rig.go_live()
        await until(lambda: len(rig.bars()) > 4)
        await rig.stream.last.send(wired(bar("SPY", 12)))
        await until(lambda: len(rig.bars()) > 5)
    assert [[one.symbol for one in batch] for batch in rig.batches] == [
        ["SPY"],
        ["SPY"],
        ["SPY", "QQQ"],
        ["SPY", "QQQ"],
    ]
    assert rig.bars("SPY") == [7, 8, 9, 10, 11, 12]
    assert rig.bars("QQQ") == [9, 10, 11]
    assert rig.of(Backfilled) == rig.causes() == []


async def test_a_lost_connection_holds_entries_until_the_missing_bars_are_there() -> None:
    async with rigged() as rig:
        await rig.go()
        await rig.second_look()
        rig.stream.last.drop()
        await until(lambda: rig.of(Held))
        rig.ts += 3 * MINUTE
        rig.rest.put(*(bar(minute=minute) for minute in range(11, 15)))
        await rig.stream.subscribed(2)
        await until(lambda: rig.of(Released))
        await rig.stream.last.send(wired(bar(minute=15)))
        rig.ts += MINUTE
        await until(lambda: 15 in rig.bars())
    assert rig.causes() == ["+stock stream", "-stock stream"]
    assert rig.of(Held)[0].symbols == ("SPY",)
    assert [one.ts for one in rig.of(Backfilled)[0].bars] == [T0 + minute * MINUTE for minute in range(11, 15)]
    assert rig.bars() == [*range(6, 16)]
    assert rig.feed.status().bars_backfilled == 4


async def test_what_a_slow_line_still_owed_when_it_broke_is_fetched_however_old_it_is() -> None:
    async with rigged() as rig:
        await rig.go()
        await rig.second_look()
        rig.ts += 9 * MINUTE
        await rig.stream.last.send(StatusMessage("SPY", "E", "", "", "", MSGPACK.stamp(rig.ts), "C"))
        await until(lambda: rig.feed.status().streams[0].last_data == rig.ts)
        rig.stream.last.drop()
        rig.rest.put(*(bar(minute=minute) for minute in range(11, 20)))
        await until(lambda: 19 in rig.bars())
    assert rig.bars() == [*range(6, 20)]


async def test_live_bars_wait_while_rest_is_down_and_come_after_the_missing_ones() -> None:
    async with rigged() as rig:
        await rig.go()
        await rig.second_look()
        rig.rest.is_down = True
        rig.stream.last.drop()
        rig.ts += MINUTE
        rig.rest.put(bar(minute=11))
        await rig.stream.subscribed(2)
        for minute in (12, 13):
            await rig.stream.last.send(wired(bar(minute=minute)))
            rig.ts += MINUTE
        await until(lambda: len(rig.rest.asked) > 12)
        assert rig.bars() == [*range(6, 11)]
        assert rig.causes() == ["+stock stream"]
        rig.rest.is_down = False
        await until(lambda: 13 in rig.bars())
        await until(lambda: rig.of(Released))
    assert rig.bars() == [*range(6, 14)]


async def test_bars_that_waited_for_long_are_told_like_missed_ones() -> None:
    async with rigged() as rig:
        await rig.go()
        await rig.second_look()
        rig.rest.is_down = True
        rig.stream.last.drop()
        await rig.stream.subscribed(2)
        rig.ts = T0 + 14 * MINUTE + 5 * SECOND
        for minute in range(11, 15):
            await rig.stream.last.send(wired(bar(minute=minute)))
        await until(lambda: len(rig.feed.inlet.joint.waiting("SPY")) == 4)
        rig.rest.is_down = False
        await until(lambda: 14 in rig.bars())
    assert rig.bars() == [*range(6, 15)]
    assert [[(one.ts - T0) // MINUTE for one in message.bars] for message in rig.of(Backfilled)] == [[11, 12, 13]]


async def test_a_bar_published_before_the_subscription_that_rest_shows_late_is_not_missed() -> None:
    async with rigged() as rig:
        await rig.go()
        await rig.second_look()
        rig.stream.last.drop()
        await rig.stream.subscribed(2)
        await until(lambda: rig.of(Released))  # REST did not have minute 11 yet, and the stream had said it
        rig.rest.put(bar(minute=11))
        rig.ts += MINUTE
        await rig.stream.last.send(wired(bar(minute=12)))
        await until(lambda: 12 in rig.bars())
    assert rig.bars() == [*range(6, 13)]
    assert [len(one.bars) for one in rig.of(Backfilled)] == [1]


async def test_a_connection_lost_again_while_mending_leaves_no_hole() -> None:
    async with rigged() as rig:
        await rig.go()
        for minute in range(11, 16):
            rig.stream.last.drop()
            rig.ts += MINUTE
            rig.rest.put(bar(minute=minute))
            await rig.stream.subscribed(len(rig.stream.sessions) + 1)
        await until(lambda: rig.feed.status().streams[0].are_entries_held is False)
        await rig.second_look()
        await until(lambda: 15 in rig.bars())
    assert rig.bars() == [*range(6, 16)]
    assert rig.causes()[0] == "+stock stream"
    assert rig.causes()[-1] == "-stock stream"


async def test_a_bar_that_makes_no_sense_is_fetched_and_its_symbol_waits() -> None:
    async with rigged("SPY", "QQQ") as rig:
        await rig.go()
        await rig.second_look()
        await rig.stream.last.send(wired(bar("SPY", 11, high=1.0, low=300.0)), wired(bar("QQQ", 11)))
        await until(lambda: 11 in rig.bars("QQQ"))
        await rig.stream.last.send(wired(bar("SPY", 12)))
        rig.rest.put(bar("SPY", 11))
        rig.ts += MINUTE
        await until(lambda: 12 in rig.bars())
        await until(lambda: rig.of(Released))
    assert rig.bars() == [*range(6, 13)]
    assert rig.causes() == ["+bar SPY", "-bar SPY"]
    assert rig.feed.status().counts["high_below_low"] == 1


async def test_a_bar_that_rest_cannot_better_stays_a_hole_that_is_told() -> None:
    async with rigged() as rig:
        await rig.go()
        await rig.second_look()
        await rig.stream.last.send(wired(bar(minute=11, close=float("nan"))))
        rig.ts += MINUTE
        await until(lambda: rig.of(Held))
        await rig.stream.last.send(wired(bar(minute=12)))
        await until(lambda: rig.of(Released))
        await until(lambda: 12 in rig.bars())
    assert rig.bars() == [*range(6, 11), 12]
    assert rig.feed.gaps.closed[-1].how.startswith("given up: REST has no better bar")


async def test_a_lag_is_told_once_when_it_lasts_and_one_late_message_is_none() -> None:
    with capture_logs() as logs:
        async with rigged(pace=1.0) as rig:
            await rig.feed.start()
            rig.go_live()
            await until(lambda: rig.feed.inlet.is_live)
            told = []
            for minute in (9, 10, 8, 7, 6, 5):
                price = TradeMessage("SPY", 100.0, 1.0, MSGPACK.stamp(T0 + minute * MINUTE + 29 * SECOND), 1, "V")
                rig.feed.inlet.put([price])
                rig.take()
                told.append(sum(line["event"] == "feed.lagging" for line in logs))
    assert told == [0, 0, 0, 0, 1, 1]


async def test_duplicate_late_and_revised_bars_are_told_apart() -> None:
    async with rigged() as rig:
        await rig.go()
        await rig.second_look()
        better = bar(minute=11, close=101.0)
        for message in (wired(bar(minute=11)), wired(bar(minute=11)), wired(better, UpdatedBarMessage)):
            await rig.stream.last.send(message)
        await rig.stream.last.send(wired(bar(minute=13)))
        rig.rest.put(bar(minute=12))
        rig.ts += 2 * MINUTE
        await until(lambda: 13 in rig.bars())
        await rig.stream.last.send(wired(bar(minute=12)), wired(bar(minute=14)))
        await until(lambda: 14 in rig.bars())
    assert rig.bars() == [*range(6, 15)]
    assert [one.bars for one in rig.of(Revised)] == [[better]]
    counts = rig.feed.status().counts
    assert (counts["duplicate"], counts["revised"]) == (2, 1)
    assert rig.causes() == []  # what was left out is asked for before anything else happens


async def test_minutes_that_the_whole_stream_left_out_are_asked_for_at_once_thin_symbols_too() -> None:
    async with rigged("SPY", "QQQ", "THIN") as rig:
        for minute in (2, 3, 5, 6, 8, 9):
            del rig.rest.rows["THIN"][bar(minute=minute).ts]
        await rig.go()
        await rig.second_look()
        asked = len(rig.rest.asked)
        rig.rest.put(bar("SPY", 11), bar("QQQ", 11), bar("THIN", 11), bar("SPY", 12), bar("QQQ", 12))
        rig.ts += 3 * MINUTE
        for symbol in ("THIN", "SPY", "QQQ"):
            await rig.stream.last.send(wired(bar(symbol, 13)))
        await until(lambda: 13 in rig.bars("QQQ"))
    assert [rig.bars(symbol)[-2:] for symbol in ("SPY", "QQQ", "THIN")] == [[12, 13], [12, 13], [11, 13]]
    assert [params["symbols"] for _, params in rig.rest.asked[asked:]] == ["SPY,QQQ,THIN"]
    assert rig.causes() == []


async def test_a_minute_left_out_holds_entries_of_its_symbol_only_while_rest_is_silent() -> None:
    async with rigged("SPY", "QQQ") as rig:
        await rig.go()
        await rig.second_look()
        rig.rest.is_down = True
        rig.ts += 2 * MINUTE
        await rig.stream.last.send(wired(bar("QQQ", 11)))
        await rig.stream.last.send(wired(bar("QQQ", 12)), wired(bar("SPY", 12)))
        await until(lambda: rig.of(Held))
        assert rig.of(Held)[0].symbols == ("SPY",)
        assert rig.bars("QQQ")[-1] == 12
        rig.rest.is_down = False
        await until(lambda: 12 in rig.bars("SPY"))
    assert rig.causes() == ["+bar SPY", "-bar SPY"]


async def test_a_mute_stream_is_subscribed_again_then_connected_again() -> None:
    async with rigged() as rig:
        await rig.go()
        await rig.second_look()
        first = rig.stream.last
        count = len(first.requests)
        rig.ts += 4 * MINUTE
        rig.rest.put(*(bar(minute=minute) for minute in range(11, 15)))
        await until(lambda: len(first.requests) > count)  # the first remedy
        await until(lambda: 14 in rig.bars())
        rig.ts += 4 * MINUTE
        await rig.stream.subscribed(2)  # the second
        assert rig.causes() == ["+stock stream", "+stock stream"]
        await rig.stream.last.send(wired(bar(minute=15)))
        await until(lambda: rig.of(Released))
    assert rig.bars()[:9] == [*range(6, 15)]


async def test_a_stream_that_nobody_wants_any_more_holds_nobody() -> None:
    async with rigged("SPY", "BTC/USD") as rig:
        await rig.go()
        await rig.second_look()
        await rig.feed.release("one", ["SPY"])
        await until(lambda: not rig.stream.sessions[0].subscribed)
        rig.stream.sessions[0].drop()
        await until(lambda: len(rig.stream.sessions) == 3)
    assert rig.causes() == []


async def test_silence_after_the_close_is_not_mute() -> None:
    async with rigged() as rig:
        await rig.go()
        await rig.second_look()
        rig.ts = T0 + 8 * 60 * MINUTE
        await until(lambda: rig.feed.status().waiting == 0)
        for _ in range(50):
            await asyncio.sleep(0)
    assert rig.causes() == []
    assert len(rig.stream.sessions) == 1


async def test_stock_bars_outside_the_session_are_counted_and_left_out() -> None:
    async with rigged() as rig:
        await rig.go()
        await rig.second_look()
        await rig.stream.last.send(wired(bar(minute=-5)), wired(bar(minute=11)))
        await until(lambda: 11 in rig.bars())
    assert rig.bars() == [*range(6, 12)]
    assert rig.feed.status().counts["outside_session"] == 1


async def test_stocks_and_coins_have_a_stream_each_and_only_what_is_needed_is_opened() -> None:
    async with rigged("SPY", "BTC/USD") as rig:
        await rig.go()
        await rig.second_look()
        status = rig.feed.status()
        assert [one.name for one in status.streams] == ["stock stream", "crypto stream"]
        assert {path for path, _ in rig.rest.asked} == {"/v2/stocks/bars", "/v1beta3/crypto/us/bars"}
        assert {params.get("feed") for path, params in rig.rest.asked if "stocks" in path} == {"iex"}
    assert len(rig.stream.sessions) == 2
    assert rig.feed.describe() == "Alpaca market data (iex, crypto us)"


async def test_a_refused_key_ends_the_start_with_advice() -> None:
    async with rigged() as rig:
        rig.stream.refused_keys = [402]
        with pytest.raises(StreamRefused, match="APCA_API_KEY_ID"):
            await rig.feed.start()


async def test_a_key_refused_later_is_told_through_fail() -> None:
    async with rigged() as rig:
        await rig.go()
        rig.stream.refused_keys = [402]
        rig.stream.last.drop()
        await until(lambda: rig.failures)
        assert isinstance(rig.failures.pop(), EdgeError)


async def test_a_server_that_says_nothing_is_named_when_the_start_gives_up() -> None:
    async with rigged(start_within_s=0.1) as rig:
        rig.stream.is_deaf = True
        with pytest.raises(Unavailable, match=r"stock stream: no subscription within 0\.1 s; nothing came yet"):
            await rig.feed.start()


async def test_a_limit_of_the_server_costs_quotes_then_trades_then_the_last_strategys_symbols() -> None:
    async with StreamServer() as stream, BarsServer() as rest, asyncio.timeout(GUARD_S):
        stream.limit = 2
        rig = Rig(stream, rest, {"first": ("SPY", "QQQ"), "last": ("QQQ", "IWM")})
        await rig.feed.start()
        await until(lambda: len(stream.last.subscribed) == 2)
        rig.go_live()
        await until(lambda: rig.of(Held))
        assert stream.last.subscribed == {(Channel.BARS, "SPY"), (Channel.BARS, "QQQ")}
        status = rig.feed.status().streams[0]
        assert (status.channels, status.left_out) == (("bars",), {"last": ("IWM",)})
        assert rig.of(Held)[0].symbols == ("IWM",)
        await rig.feed.stop()


async def test_symbols_come_and_go_while_it_runs() -> None:
    async with rigged() as rig:
        await rig.go()
        await rig.second_look()
        await rig.feed.want("two", ["SPY", "QQQ", "BTC/USD"])
        await until(lambda: (Channel.BARS, "QQQ") in rig.stream.sessions[0].subscribed)
        await rig.stream.sessions[0].send(wired(bar("QQQ", 11)))
        await until(lambda: 11 in rig.bars("QQQ"))
        await rig.feed.release("two", ["SPY", "QQQ"])
        await until(lambda: (Channel.BARS, "QQQ") not in rig.stream.sessions[0].subscribed)
        assert (Channel.BARS, "SPY") in rig.stream.sessions[0].subscribed
        await rig.stream.sessions[0].send(wired(bar("QQQ", 12)), wired(bar("SPY", 12)))
        await until(lambda: 12 in rig.bars("SPY"))
    assert rig.bars("QQQ") == [11]
    assert len(rig.stream.sessions) == 2


async def test_a_halt_holds_its_symbol_until_it_is_resumed() -> None:
    async with rigged() as rig:
        await rig.go()
        await rig.second_look()
        stamp = MSGPACK.stamp(rig.ts)
        for code in ("H", "Q", "T"):
            await rig.stream.last.send(StatusMessage("SPY", code, "said", "LUDP", "Volatility pause", stamp, "C"))
        await until(lambda: rig.of(Released))
    assert rig.causes() == ["+halt SPY", "-halt SPY"]
    assert "Volatility pause" in rig.of(Held)[0].why
