"""Ticks as messages: read back they are the same ticks, and a day's totals are the sum of its minutes."""

from collections import Counter
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.access.alpaca.ticks import ticks_of
from trader.access.alpaca.wire import JSON, MSGPACK
from trader.access.alpaca.wire_data import Channel, LuldMessage, OrderbookMessage
from trader.access.alpaca.wire_time import ns_of
from trader.exchange.data_messages import DailyTotals, day_of, messages_of, taker_side, trade_count, trade_id, vwap
from trader.exchange.data_session import frames_of
from trader.model.ticks import Bar, Quote, Tick, Trade
from trader.model.time import DAY, HOUR, MINUTE, SECOND, iso, parse_time

NOON = parse_time("2026-01-05T17:00")
SYMBOLS = st.sampled_from(["SPY", "BTC/USD"])
PRICES = st.integers(1, 10**9).map(lambda cents: cents / 100)
SIZES = st.integers(1, 10**6).map(float)


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    low, first, last, high = sorted(draw(st.lists(PRICES, min_size=4, max_size=4)))
    return Bar(draw(SYMBOLS), NOON + MINUTE * draw(st.integers(0, 100)), first, high, low, last, draw(SIZES))


TICKS: st.SearchStrategy[Tick] = st.one_of(
    bars(),
    st.builds(Trade, SYMBOLS, st.integers(NOON, NOON + HOUR), PRICES, SIZES),
    st.builds(Quote, SYMBOLS, st.integers(NOON, NOON + HOUR), PRICES, SIZES, PRICES, SIZES),
)


@given(st.lists(TICKS, max_size=20))
def test_the_desk_reads_back_the_ticks_in_either_encoding(ticks: list[Tick]) -> None:
    messages = messages_of(ticks, {Channel.TRADES, Channel.QUOTES, Channel.BARS})
    refused: Counter[str] = Counter()
    assert ticks_of(MSGPACK.decode(MSGPACK.encode(messages)), refused) == ticks
    texts = [frame[frame.index(b"[{") :] for frame in frames_of(messages, JSON)]
    assert [tick for text in texts for tick in ticks_of(JSON.decode(text), refused)] == ticks
    assert not refused


def test_only_wanted_channels_are_written() -> None:
    ticks: list[Tick] = [Quote("BTC/USD", NOON, 1.0, 2.0, 3.0, 4.0), Trade("BTC/USD", NOON, 2.0, 1.0)]
    assert messages_of(ticks, {Channel.BARS}) == []
    (book,) = messages_of(ticks, {Channel.ORDERBOOKS})
    assert isinstance(book, OrderbookMessage)
    assert (book.is_full, book.bids[0].price, book.asks[0].size) == (True, 1.0, 4.0)


def test_a_band_is_a_twentieth_around_the_minutes_mean() -> None:
    (band,) = messages_of([Bar("SPY", NOON, 99.0, 102.0, 98.0, 101.0, 5.0)], {Channel.LULDS})
    assert isinstance(band, LuldMessage)
    assert (band.up, band.down, ns_of(band.stamp)) == (105.0, 95.0, NOON)


def test_a_days_totals_grow_with_each_bar_and_begin_anew_the_next_day() -> None:
    day = [Bar("SPY", NOON + MINUTE * i, 10.0 + i, 12.0 + i, 9.0 - i, 11.0 + i, 100.0) for i in range(3)]
    tomorrow = Bar("SPY", NOON + DAY, 1.0, 1.0, 1.0, 1.0, 7.0)
    known = [*day, tomorrow]
    totals = DailyTotals(lambda _, start, end: [bar for bar in known if start <= bar.ts - MINUTE <= end])
    seen = [totals.message(bar) for bar in day]
    assert [(one.open, one.high, one.low, one.close) for one in seen] == [
        (10.0, 12.0, 9.0, 11.0),
        (10.0, 13.0, 8.0, 12.0),
        (10.0, 14.0, 7.0, 13.0),
    ]
    assert [one.volume for one in seen] == list(accumulate([100, 100, 100]))
    assert [one.trades for one in seen] == [4, 8, 12]
    assert seen[-1].vwap == pytest.approx(sum(o.open + o.high + o.low + o.close for o in day) / 12)
    assert iso(ns_of(seen[-1].stamp)) == "2026-01-05T05:00:00Z"
    assert totals.message(tomorrow).volume == 7
    assert DailyTotals(lambda *_: day).message(day[2]) == seen[2]  # whoever asks late gets all of it


@pytest.mark.parametrize(
    ("symbol", "ts", "begin", "end"),
    [
        ("BTC/USD", "2026-01-05T00:00", "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z"),
        ("SPY", "2026-01-05T04:59", "2026-01-04T05:00:00Z", "2026-01-05T05:00:00Z"),
        ("SPY", "2026-03-08T12:00", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"),  # 23 hours
        ("SPY", "2026-11-01T12:00", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"),  # 25 hours
    ],
)
def test_a_day_is_new_yorks_for_stocks_and_utcs_for_coins(symbol: str, ts: str, begin: str, end: str) -> None:
    assert tuple(map(iso, day_of(symbol, parse_time(ts)))) == (begin, end)


ANY_PRICES = st.floats(1e-9, 1e9)


@given(st.lists(ANY_PRICES, min_size=4, max_size=4))
def test_the_average_is_within_the_bar(prices: list[float]) -> None:
    low, first, last, high = sorted(prices)
    assert low <= vwap(Bar("X", MINUTE, first, high, low, last, 1.0)) <= high


def test_a_bar_without_volume_has_no_prints() -> None:
    assert trade_count(Bar("X", MINUTE, 1, 1, 1, 1, 0.0)) == 0
    assert trade_count(Bar("X", MINUTE, 1, 1, 1, 1, 0.5)) == 4


def test_prints_of_different_quarters_have_different_numbers_in_order() -> None:
    numbers = [trade_id(Trade("X", quarter * 15 * SECOND + 7, 1.0, 1.0)) for quarter in range(8)]
    assert numbers == sorted(set(numbers))


def test_a_taker_buys_or_sells() -> None:
    assert {taker_side(Trade("X", ts, 1.0, 1.0)) for ts in range(0, 10_000, 999)} == {"B", "S"}
