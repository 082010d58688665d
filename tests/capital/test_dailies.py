"""Daily bars: given, or made of minutes as days end; what they say is only ever of days that are over."""

from collections.abc import Sequence
from math import isnan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build import T0, Rehearsal, always, bar, spec
from trader.capital.dailies import LONGEST_REST, MOST_DAYS, VOLUME_DAYS, Dailies
from trader.capital.volatility import PRIOR
from trader.model.inputs import Backfilled, DailyBars, Revised, Split, Ticks
from trader.model.money import decimal_of
from trader.model.ticks import Bar, Quote, Trade
from trader.model.time import DAY, HOUR, MINUTE, SECOND, parse_time

END = parse_time("2026-01-06T05:00")  # New York's midnight after T0
NOTHING = np.empty((0, 6))
NEXT = 24 * 60  # minutes from one opening to the next


def day(number: int, close: float = 100.0, *, symbol: str = "SPY", end: int = END, **parts: float) -> Bar:
    """Return the bar of the day that ends ``number`` days after T0's."""
    high, low = parts.get("high", close), parts.get("low", close)
    return Bar(symbol, end + number * DAY, parts.get("open", close), high, low, close, parts.get("volume", 1e6))


def past(*closes: float) -> list[Bar]:
    """Return bars of the days before T0's, the last one of the day before."""
    return [day(number - len(closes), close) for number, close in enumerate(closes)]


def known(*closes: float) -> Dailies:
    dailies = Dailies("stock")
    dailies.give(past(*closes), T0)
    return dailies


def of(desk: Rehearsal, symbol: str = "SPY") -> Dailies:
    return desk.engine.listings[symbol].dailies


def known_before(desk: Rehearsal, symbol: str = "BTC/USD") -> None:
    """Let the day before T0's be known, so that T0's is one though it is seen from its middle on."""
    desk.take(DailyBars(T0, [day(-1, 1, symbol=symbol, volume=0, end=END - 5 * HOUR)]))


def rows(dailies: Dailies, n: int = 9) -> list[tuple[float, float, float, float]]:
    columns = (dailies.highs(n), dailies.lows(n), dailies.closes(n), dailies.volumes(n))
    return list(zip(*(column.tolist() for column in columns), strict=True))


# --- reading -------------------------------------------------------------------------------------------------------


def test_without_days_arrays_are_empty_and_figures_unknown() -> None:
    dailies = Dailies("stock")
    assert [len(dailies.closes(5)), len(dailies.highs(5)), len(dailies.ends)] == [0, 0, 0]
    assert isnan(dailies.sigma_day)
    assert isnan(dailies.vol_ratio)
    assert isnan(dailies.volume_day)
    assert dailies.broadcast() is None


def test_the_newest_days_are_shown_newest_last_and_cannot_be_written() -> None:
    dailies = known(1, 2, 3)
    assert dailies.closes(2).tolist() == [2, 3]
    assert dailies.closes(9).tolist() == [1, 2, 3]
    assert dailies.closes(0).tolist() == []
    with pytest.raises(ValueError, match="read-only"):
        dailies.closes(2)[0] = 7


def test_what_was_handed_out_does_not_change_with_later_days() -> None:
    dailies = known(1, 2, 3)
    closes = dailies.closes(3)
    dailies.give([day(-1, 9)], T0)
    assert closes.tolist() == [1, 2, 3]
    assert dailies.closes(3).tolist() == [1, 2, 9]


def test_no_more_than_ten_years_are_kept() -> None:
    dailies = known(*range(1, MOST_DAYS + 11))
    assert len(dailies.closes(10**6)) == len(dailies.ends) == MOST_DAYS
    assert dailies.closes(1) == [MOST_DAYS + 10]


# --- given ---------------------------------------------------------------------------------------------------------


def test_a_day_that_has_not_ended_is_not_seen_until_it_has() -> None:
    desk = Rehearsal(spec(always(0.0)))
    desk.take(DailyBars(T0 + 1, [*past(98, 99), day(0, 100, open=97, low=95, high=103, volume=500)]))
    assert of(desk).closes(9).tolist() == [98, 99]
    desk.closes(101, 102)
    desk.closes(103, start=NEXT)
    assert rows(of(desk), 1) == [(103, 95, 102, 500 + 2000)]


def test_minutes_from_before_the_days_were_given_are_in_them_already() -> None:
    desk = Rehearsal(spec(always(0.0)))
    desk.closes(90, 110)
    desk.take(DailyBars(T0 + 2 * MINUTE, [*past(98), day(0, 100, volume=500)]))
    desk.closes(105, start=3)
    desk.closes(100, start=NEXT)
    assert rows(of(desk), 1) == [(105, 100, 105, 1500)]


def test_a_given_day_takes_the_place_of_one_made_of_minutes() -> None:
    desk = Rehearsal(spec(always(0.0)))
    desk.closes(100, 101)
    desk.closes(102, start=NEXT)
    desk.take(DailyBars(T0 + NEXT * MINUTE + 1, [day(0, 77, volume=5)]))
    assert rows(of(desk)) == [(77, 77, 77, 5)]


def test_what_is_known_from_before_a_long_rest_is_of_another_time() -> None:
    dailies = Dailies("stock")
    dailies.give([day(-40, 1), day(-39, 2)], T0)
    assert dailies.closes(9).tolist() == []
    dailies = known(98, 99)
    dailies.learn(NOTHING, END + LONGEST_REST)
    assert dailies.closes(9).tolist() == []


# --- made of minutes -----------------------------------------------------------------------------------------------


def test_minutes_become_a_day_when_the_next_one_begins() -> None:
    desk = Rehearsal(spec(always(0.0)))
    for minute in (1, 2, 3):
        desk.minute(bar(minute=minute, close=100 + minute, low=90 + minute, high=110 + minute))
    assert not len(of(desk).ends)
    desk.closes(200, start=NEXT)
    assert rows(of(desk)) == [(113, 91, 103, 3000)]
    assert of(desk).ends.tolist() == [END]


def test_every_symbol_has_its_day_at_the_same_moment_whoever_trades_first() -> None:
    desk = Rehearsal(spec(always(0.0), "SPY", "QQQ"))
    desk.minute(bar(minute=1), bar("QQQ", minute=1, close=50))
    desk.minute(bar(minute=NEXT))
    assert of(desk, "QQQ").closes(1).tolist() == [50]


def test_a_coins_day_ends_at_midnight_utc_and_the_bar_that_ends_there_is_of_it() -> None:
    desk = Rehearsal(spec(always(0.0), "BTC/USD"))
    known_before(desk)
    midnight = (parse_time("2026-01-06") - T0) // MINUTE
    for minute, close in ((1, 100), (midnight, 105), (midnight + 1, 110)):
        desk.minute(bar("BTC/USD", minute, close=close))
    assert of(desk, "BTC/USD").closes(9).tolist() == [1, 105]


def test_a_stocks_prices_are_of_the_core_session_and_its_volume_is_of_the_whole_day() -> None:
    desk = Rehearsal(spec(always(0.0)))
    for minute, close in ((-60, 50), (0, 60), (1, 100), (390, 102), (391, 200), (NEXT - 60, 1)):
        desk.minute(bar(minute=minute, close=close))
    assert rows(of(desk)) == [(102, 100, 102, 5000)]


def test_parts_of_a_day_make_the_whole_whenever_they_were_looked_at() -> None:
    minutes = [(-60, 50), (-30, 60), (1, 100), (200, 102), (391, 200), (600, 300)]
    table = np.array([(c, c, c, c, 10, T0 + m * MINUTE) for m, c in minutes], dtype=float)
    for cut in range(1, len(table)):
        dailies = known(98, 99)
        dailies.learn(table[:cut], T0)
        dailies.learn(table, END)
        assert rows(dailies, 1) == [(102, 100, 102, 60)]


def test_who_trades_again_after_weeks_begins_anew() -> None:
    dailies = known(98, 99)
    minute = np.array([(50.0, 50, 50, 50, 10, T0 + 20 * DAY + MINUTE)])
    dailies.learn(minute, END + 20 * DAY)
    assert dailies.closes(9).tolist() == [50]


def test_where_there_is_nothing_else_the_early_hours_are_the_day() -> None:
    desk = Rehearsal(spec(always(0.0)))
    for minute, close in ((-60, 50), (-50, 60), (NEXT, 70)):
        desk.minute(bar(minute=minute, close=close))
    assert rows(of(desk)) == [(60, 50, 60, 2000)]


def test_a_first_day_that_was_not_seen_from_its_beginning_is_none() -> None:
    desk = Rehearsal(spec(always(0.0)))
    desk.closes(100, 101, start=31)
    desk.closes(102, start=300)
    desk.closes(103, start=NEXT + 31)  # the next one may begin when it likes
    desk.closes(104, start=2 * NEXT)
    assert of(desk).closes(9).tolist() == [103]
    desk = Rehearsal(spec(always(0.0)))
    desk.take(DailyBars(T0, past(98)))
    desk.closes(100, 101, start=31)
    desk.closes(103, start=NEXT)
    assert of(desk).closes(9).tolist() == [98, 101]


def test_a_day_that_has_not_begun_cannot_be_given() -> None:
    dailies = Dailies("stock")
    dailies.give([day(1, 5)], T0)
    assert not len(dailies.ends)
    dailies.give([day(-1, 4), day(0, 5), day(1, 6)], T0)
    dailies.learn(NOTHING, T0 + 3 * DAY)
    assert dailies.closes(9).tolist() == [4, 5]


@pytest.mark.parametrize("bar_minutes", [5, 15, 60, 1440])
def test_a_desk_of_longer_bars_makes_its_days_of_those(bar_minutes: int) -> None:
    desk = Rehearsal(spec(always(0.0), bar_minutes=bar_minutes))
    known_before(desk, "SPY")
    desk.closes(*range(100, 490))
    desk.closes(200, 201, start=NEXT)
    assert rows(of(desk), 1) == [(489, 100, 489, 390_000)]


@pytest.mark.parametrize("minutes", [600, 1_500, 4_000])
def test_no_minute_is_lost_where_a_day_is_longer_than_a_window(minutes: int) -> None:
    desk = Rehearsal(spec(always(0.0), "BTC/USD"))
    known_before(desk)
    for minute in range(1, minutes + 1):
        desk.take(Ticks(T0 + minute * MINUTE, [bar("BTC/USD", minute, volume=1.0)]))
    desk.minute(bar("BTC/USD", 9 * NEXT))
    assert of(desk, "BTC/USD").volumes(9).sum() == minutes


def test_days_that_were_missed_are_made_of_backfilled_bars() -> None:
    desk = Rehearsal(spec(always(0.0), "BTC/USD", "ETH/USD"))
    known_before(desk)
    desk.minute(bar("BTC/USD", 1), bar("ETH/USD", 1))
    now = 3 * NEXT
    desk.minute(bar("ETH/USD", now))
    missed = [bar("BTC/USD", minute, close=minute, volume=1.0) for minute in range(2, now)]
    desk.take(Backfilled(T0 + (now + 1) * MINUTE, missed))
    desk.minute(bar("ETH/USD", 4 * NEXT))
    assert of(desk, "BTC/USD").volumes(4).tolist() == [1000 + 569, 1440, 1440, now - 2 - 569 - 2 * 1440]
    assert of(desk, "BTC/USD").closes(4).tolist() == [570, 570 + 1440, 570 + 2 * 1440, now - 1]


def test_a_revised_minute_is_a_revised_day() -> None:
    desk = Rehearsal(spec(always(0.0)))
    desk.closes(100, 101)
    desk.take(Revised(T0 + 3 * MINUTE, [bar(minute=2, close=99, volume=7.0)]))
    desk.closes(102, start=NEXT)
    assert rows(of(desk)) == [(100, 99, 99, 1007)]


# --- splits --------------------------------------------------------------------------------------------------------


def split(ratio: int, effective: int, ts: int) -> Split:
    return Split(ts, "SPY", decimal_of(float(ratio)), effective)


def test_a_split_scales_the_days_before_it() -> None:
    desk = Rehearsal(spec(always(0.0)))
    desk.take(DailyBars(T0 + 1, past(96, 98)))
    desk.closes(100, 104)
    desk.take(split(2, END, END + HOUR))
    desk.closes(50, start=NEXT)
    assert rows(of(desk)) == [(48, 48, 48, 2e6), (49, 49, 49, 2e6), (52, 50, 52, 4000)]


def test_a_split_that_is_learned_late_leaves_the_newer_day_alone() -> None:
    desk = Rehearsal(spec(always(0.0)))
    desk.take(DailyBars(T0 + 1, past(96, 98)))
    desk.closes(100)
    desk.closes(50, start=NEXT)
    desk.closes(51, start=2 * NEXT)
    desk.take(split(2, END, T0 + 2 * DAY + MINUTE))
    assert of(desk).closes(9).tolist() == [48, 49, 50, 50]


def test_days_given_after_a_split_are_in_its_shares_already() -> None:
    desk = Rehearsal(spec(always(0.0)))
    desk.take(DailyBars(T0, past(48, 49)))
    desk.take(split(2, T0 - DAY, T0 + 1))
    assert of(desk).closes(9).tolist() == [48, 49]


def test_a_price_jump_is_not_seen_in_a_split() -> None:
    desk = Rehearsal(spec(always(0.0)))
    desk.closes(100, 102)
    desk.take(Ticks(T0 + 3 * MINUTE, [Quote("SPY", T0 + 2 * MINUTE + 1, 101.0, 1, 103.0, 1)]))
    desk.take(split(2, END, END + HOUR))
    market = desk.engine.listings["SPY"].market()
    assert (market.mark, market.before) == (51, 50)
    assert isnan(market.bid)


# --- figures -------------------------------------------------------------------------------------------------------


def alternating(count: int, move: float = 0.01) -> list[float]:
    return [100 * (1 + move) ** (number % 2) for number in range(count)]


def test_volatility_is_told_with_what_it_was_made_of() -> None:
    dailies = known(*alternating(60))
    told = dailies.broadcast()
    assert told is not None
    assert told.sigma_fast == pytest.approx(0.01, rel=0.02)
    assert told.sigma_slow == PRIOR["stock"]
    assert told.sigma_day == pytest.approx(0.7 * told.sigma_fast + 0.3 * told.sigma_slow)
    assert told.sigma_annual == 16 * told.sigma_day
    assert told.sigma_price == told.sigma_day * dailies.closes(1)[0]
    assert told.vol_ratio == told.sigma_day / told.sigma_slow
    assert (told.asof, told.days, told.is_stale) == (END - DAY, 60, False)
    assert (dailies.sigma_day, dailies.vol_ratio) == (told.sigma_day, told.vol_ratio)
    assert dailies.broadcast() is told


def test_a_coins_year_has_365_days() -> None:
    dailies = Dailies("crypto")
    dailies.give([day(n - 30, close, end=END - 5 * HOUR) for n, close in enumerate(alternating(30))], T0)
    told = dailies.broadcast()
    assert told is not None
    assert told.annualiser == sqrt(365)


def test_with_fewer_than_ten_returns_nothing_is_told() -> None:
    assert isnan(known(*alternating(10)).sigma_day)
    assert known(*alternating(11)).sigma_day > 0


def test_where_newer_days_are_missing_volatility_is_no_lower_than_its_average() -> None:
    dailies = known(*alternating(60, move=0.001))
    fresh = dailies.broadcast()
    dailies.learn(NOTHING, T0 + 9 * DAY)
    stale = dailies.broadcast()
    assert fresh is not None
    assert stale is not None
    assert not fresh.is_stale
    assert stale.is_stale
    assert fresh.sigma_day < stale.sigma_day == PRIOR["stock"]
    assert stale.number > fresh.number


def test_a_price_that_never_moves_has_no_ratio() -> None:
    dailies = known(*[100.0] * 300)
    assert dailies.sigma_day == 0
    assert isnan(dailies.vol_ratio)


def test_what_is_told_stays_the_same_object_until_a_day_changes() -> None:
    dailies = known(*alternating(60))
    told = dailies.broadcast()
    minute = np.array([(100.0, 100, 100, 100, 10, T0 + MINUTE)])
    dailies.learn(minute, T0 + MINUTE)
    assert dailies.broadcast() is told
    dailies.learn(NOTHING, END)
    newer = dailies.broadcast()
    assert newer is not told
    minute[0, 5] = T0 + 2 * MINUTE
    dailies.learn(minute, END)  # late
    assert dailies.broadcast() is not newer
    assert dailies.volumes(1).tolist() == [20]


def test_a_long_weekend_is_not_stale() -> None:
    dailies = known(*alternating(60))
    dailies.learn(NOTHING, END + 3 * DAY)
    told = dailies.broadcast()
    assert told is not None
    assert not told.is_stale


def test_the_days_volume_is_the_average_of_four_weeks() -> None:
    dailies = Dailies("stock")
    dailies.give([day(n - 50, volume=float(n)) for n in range(50)], T0)
    assert dailies.volume_day == sum(range(50 - VOLUME_DAYS, 50)) / VOLUME_DAYS


# --- the market ----------------------------------------------------------------------------------------------------


def test_a_market_has_quote_marks_and_days() -> None:
    desk = Rehearsal(spec(always(0.0)))
    desk.take(DailyBars(T0, past(*alternating(60))))
    desk.closes(100, 101)
    quoted = T0 + 2 * MINUTE + SECOND
    desk.take(Ticks(quoted, [Quote("SPY", quoted, 101.0, 300, 102.0, 200)]))
    market, dailies = desk.engine.listings["SPY"].market(), of(desk)
    assert (market.mark, market.marked_at, market.before) == (101.5, quoted, 100)
    assert (market.bid, market.bid_size, market.ask, market.ask_size) == (101, 300, 102, 200)
    assert market.quoted_at == quoted
    assert (market.sigma_day, market.vol_ratio) == (dailies.sigma_day, dailies.vol_ratio)
    assert market.volume_day == dailies.volume_day


def test_a_print_moves_the_mark_and_leaves_the_quote() -> None:
    desk = Rehearsal(spec(always(0.0)))
    desk.take(Ticks(T0 + 2, [Quote("SPY", T0 + 1, 99.0, 1, 101.0, 1), Trade("SPY", T0 + 2, 99.5, 1)]))
    market = desk.engine.listings["SPY"].market()
    assert (market.mark, market.marked_at, market.bid, market.quoted_at) == (99.5, T0 + 2, 99, T0 + 1)


def test_of_a_market_that_was_never_seen_nothing_is_known() -> None:
    market = Rehearsal(spec(always(0.0))).engine.listings["SPY"].market()
    figures = (market.mark, market.bid, market.ask, market.before, market.sigma_day, market.vol_ratio)
    assert np.isnan([*figures, market.volume_day, market.bid_size, market.ask_size]).all()
    assert (market.marked_at, market.quoted_at) == (0, 0)


# --- a slow recount ------------------------------------------------------------------------------------------------


@given(gaps=st.lists(st.integers(1, 700), min_size=1, max_size=60), looks=st.sets(st.integers(1, 59)))
def test_however_often_minutes_are_looked_at_days_are_the_same(gaps: Sequence[int], looks: set[int]) -> None:
    minutes = np.cumsum(gaps).tolist()
    begin = parse_time("2026-01-05") - (gaps[0] - 1) * MINUTE  # the first day is seen from its beginning
    table = np.array([(m, m + 3, m - 3, m + 1, 10, begin + m * MINUTE) for m in minutes], dtype=float)
    ends = table[:, 5].astype(int).tolist()
    often, once = Dailies("crypto"), Dailies("crypto")
    for number in sorted(looks):
        often.learn(table[:number], ends[min(number, len(ends) - 1)] - MINUTE)
    for dailies in (often, once):
        dailies.learn(table, ends[-1] + DAY)
    assert rows(often, 99) == rows(once, 99)
    assert often.ends.tolist() == sorted({-(-end // DAY) * DAY for end in ends})
    assert often.volumes(99).sum() == 10 * len(table)
