"""From the readers' messages to the desk's inputs: order, conflation, halts, corrections."""

from typing import Any

from tests.access.alpaca.messages import trade
from tests.build import T0, bar
from trader.access.alpaca.inlet import AT_ONCE, COMPACTED_AT, Inlet
from trader.access.alpaca.joint import Joint
from trader.access.alpaca.wire import MSGPACK, Unknown
from trader.access.alpaca.wire_data import (
    BarMessage,
    CancelErrorMessage,
    CorrectionMessage,
    DailyBarMessage,
    QuoteMessage,
    StatusMessage,
    TradeMessage,
    UpdatedBarMessage,
)
from trader.model.calendar import StockCalendar
from trader.model.inputs import Held, Input, Released, Revised, Ticks
from trader.model.ticks import Bar, Quote, Trade
from trader.model.time import HOUR, MINUTE, SECOND

NOW = T0 + HOUR


def inlet(*symbols: str, extended_hours: bool = False) -> Inlet:
    one = Inlet(Joint(), StockCalendar(), extended_hours=extended_hours)
    one.want(symbols or ("SPY", "AAPL", "BTC/USD"))
    one.is_live = True
    return one


def quote(symbol: str = "SPY", *, bid: float = 10.0, ns: int = NOW) -> QuoteMessage:
    return QuoteMessage(symbol, bid, 1, bid + 1, 1, MSGPACK.stamp(ns))


def printed(symbol: str = "SPY", *, price: float = 10.0, number: int = 1) -> TradeMessage:
    return TradeMessage(symbol, price, 5, MSGPACK.stamp(NOW), number, "V")


def wired(one: Bar, kind: Any = BarMessage) -> Any:
    stamp = MSGPACK.stamp(one.ts - MINUTE)
    return kind(one.symbol, one.open, one.high, one.low, one.close, one.volume, stamp, 3, one.close)


def status(code: str, *, ns: int = NOW, symbol: str = "SPY") -> StatusMessage:
    return StatusMessage(symbol, code, "said", "M", "why", MSGPACK.stamp(ns), "A")


def put(one: Inlet, *messages: Any) -> list[Input]:
    one.put([*messages])
    return one.take(NOW)


def ticks(inputs: list[Input]) -> list[Any]:
    return [tick for one in inputs if isinstance(one, Ticks) for tick in one.ticks]


def test_frames_become_one_batch_in_order() -> None:
    one = inlet()
    one.put([trade(ns=NOW - SECOND), quote()])
    one.put([wired(bar(minute=3))])
    (batch,) = one.take(NOW)
    assert isinstance(batch, Ticks)
    assert [type(tick) for tick in batch.ticks] == [Trade, Quote, Bar]
    assert (batch.ts, one.waiting, one.take(NOW)) == (NOW, 0, [])


def test_the_age_of_the_newest_tick_is_measured() -> None:
    one = inlet()
    put(one, quote(ns=NOW - 3 * SECOND))
    put(one, quote(ns=NOW - SECOND))
    assert (one.lag, one.worst_lag) == (SECOND, 3 * SECOND)


def test_when_much_waits_only_the_newest_quote_of_a_symbol_is_kept_and_no_trade_is_lost() -> None:
    one = inlet()
    for number in range(AT_ONCE):
        one.put([quote(bid=number + 1.0), quote("AAPL", bid=number + 1.0), printed(price=number + 1.0)])
    one.put([wired(bar(minute=3))])
    taken = ticks(one.take(NOW))
    quotes = [tick for tick in taken if isinstance(tick, Quote)]
    assert [(tick.symbol, tick.bid) for tick in quotes] == [("SPY", AT_ONCE), ("AAPL", AT_ONCE)]
    assert sum(isinstance(tick, Trade) for tick in taken) == AT_ONCE
    assert sum(isinstance(tick, Bar) for tick in taken) == 1
    assert one.counts == {"conflated_quotes": 2 * AT_ONCE - 2}


def test_the_buffer_of_a_desk_that_sleeps_is_bounded_for_quotes() -> None:
    one = inlet()
    for _ in range(COMPACTED_AT // 100 + 1):
        one.put([quote() for _ in range(100)])
    assert one.waiting == 1
    assert len(ticks(one.take(NOW))) == 1


def test_before_it_is_live_only_what_makes_bars_is_kept() -> None:
    one = inlet()
    one.is_live = False
    one.put([quote(), printed(), wired(bar(minute=3))])
    assert [type(tick) for tick in ticks(one.take(NOW))] == [Bar]


def test_what_is_not_wanted_any_more_is_passed_over() -> None:
    one = inlet("SPY")
    assert put(one, quote("AAPL"), printed("AAPL"), wired(bar("AAPL", 3)), status("H", symbol="AAPL")) == []
    put(one, quote())
    one.want(["AAPL"])
    assert put(one, quote()) == []


def test_inputs_and_steps_keep_their_place_among_the_frames() -> None:
    one = inlet()
    held = Held(1, "stock stream", (), "why")
    one.put([quote()])
    one.push([held])
    one.call(lambda now: [Released(now, "stock stream")])
    one.put([printed()])
    first, second, third, fourth = one.take(NOW)
    assert (second, third) == (held, Released(NOW, "stock stream"))
    assert isinstance(first, Ticks)
    assert isinstance(fourth, Ticks)


def test_an_updated_bar_revises() -> None:
    one = inlet()
    better = bar(minute=3, close=101.0)
    first, second = put(one, wired(bar(minute=3)), wired(better, UpdatedBarMessage))
    assert ticks([first]) == [bar(minute=3)]
    assert second == Revised(NOW, [better])


def test_bars_before_and_after_the_session_are_left_out_unless_they_are_wanted() -> None:
    early = wired(bar(minute=-5))
    assert put(inlet(), early) == []
    assert len(ticks(put(inlet(extended_hours=True), early))) == 1
    assert len(ticks(put(inlet(), wired(bar("BTC/USD", -5))))) == 1


def test_prices_of_the_night_are_left_out_too() -> None:
    night = T0 - HOUR
    for extended_hours, symbols in ((False, ["BTC/USD"]), (True, ["SPY", "BTC/USD"])):
        one = inlet(extended_hours=extended_hours)
        one.put([quote(), quote("BTC/USD")])
        assert [tick.symbol for tick in ticks(one.take(night))] == symbols


def test_a_bar_that_makes_no_sense_is_told_with_its_minute() -> None:
    one, bad = inlet(), list[tuple[str, int]]()
    one.on_bad_bar = lambda symbol, end: bad.append((symbol, end))
    without_time = BarMessage("SPY", 1.0, 1.0, 1.0, 1.0, 1.0, "soon")
    assert put(one, wired(bar(minute=3, high=1.0)), without_time) == []
    assert bad == [("SPY", bar(minute=3).ts), ("SPY", NOW)]


def test_a_minute_left_out_is_told_for_symbols_that_trade_every_minute_within_a_session() -> None:
    one, told = inlet(), list[tuple[str, int, int]]()
    one.on_skipped = lambda *gap: told.append(gap)
    one.joint.seed([bar("SPY", 1), bar("AAPL", 1)])
    one.steady.add("SPY")
    put(one, wired(bar("SPY", 4)), wired(bar("AAPL", 4)))
    assert told == [("SPY", bar(minute=2).ts, bar(minute=3).ts)]
    told.clear()
    put(one, wired(bar("SPY", 390)), wired(bar("SPY", 24 * 60 + 1)))
    assert told == [("SPY", bar(minute=5).ts, bar(minute=389).ts)]
    told.clear()
    put(one, wired(bar("SPY", 48 * 60 + 3)))
    assert told == [("SPY", bar(minute=48 * 60 + 1).ts, bar(minute=48 * 60 + 2).ts)]


def test_no_minute_is_owed_for_the_time_before_the_opening_however_far_one_has_looked() -> None:
    one, told = inlet(), list[tuple[str, int, int]]()
    one.on_skipped = lambda *gap: told.append(gap)
    one.joint.seed([bar("SPY", -3 * 24 * 60 + 390)])
    one.joint.confirm(["SPY"], T0 - MINUTE)
    one.steady.add("SPY")
    put(one, wired(bar("SPY", 1)))
    assert told == []


def test_a_bar_that_has_to_wait_is_told() -> None:
    one, told = inlet(), list[Bar]()
    one.on_waiting_bar = told.append
    one.joint.hold(["SPY"])
    assert put(one, wired(bar(minute=3))) == []
    assert told == [bar(minute=3)]


def test_a_halt_holds_and_the_word_of_resuming_releases() -> None:
    one = inlet()
    (held,) = put(one, status("2"), status("E"), status("Q"))
    assert held == Held(NOW, "halt SPY", ("SPY",), "trading is halted: said (why)")
    assert put(one, status("3"), status("T")) == [Released(NOW, "halt SPY")]


def test_a_traded_minute_after_a_halt_proves_that_it_is_over() -> None:
    one = inlet()
    put(one, status("H", ns=bar(minute=5).ts - 1), StatusMessage("AAPL", "H"))
    (batch,) = put(one, wired(bar(minute=5)), wired(bar(minute=6, volume=0.0)))
    assert ticks([batch])
    released, batch = put(one, wired(bar(minute=7)))
    assert released == Released(NOW, "halt SPY")
    assert ticks([batch]) == [bar(minute=7)]


def test_a_correction_of_the_newest_price_is_told_as_a_trade() -> None:
    one = inlet()
    put(one, printed(price=10.0, number=7))
    wrong, right = {"old_id": 7, "old_price": 10.0, "old_size": 5}, {"new_id": 8, "new_price": 9.0, "new_size": 5}
    correction = CorrectionMessage("SPY", **wrong, **right, stamp=MSGPACK.stamp(NOW))  # type: ignore[arg-type]
    assert [tick.price for tick in ticks(put(one, correction))] == [9.0]
    assert put(one, correction) == []  # it is not the newest any more
    assert one.counts["corrected_trades"] == 2


def test_a_canceled_newest_price_brings_the_one_before_back() -> None:
    one = inlet()
    canceled = CancelErrorMessage("SPY", 7, 10.0, 5, MSGPACK.stamp(NOW))
    put(one, printed(price=10.0, number=7))
    assert put(one, canceled) == []  # nothing is known before it
    put(one, quote(bid=3.0), printed(price=10.0, number=7))
    (tick,) = ticks(put(one, canceled))
    assert tick.bid == 3.0
    assert put(one, canceled) == []
    assert one.counts["canceled_trades"] == 3


def test_what_is_unknown_is_counted_and_what_is_no_concern_is_passed_over() -> None:
    one = inlet()
    assert put(one, Unknown("z", "new", b""), wired(bar(minute=3), DailyBarMessage)) == []
    assert one.counts == {"unknown_message": 1}
