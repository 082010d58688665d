"""Test bars of any length: where each begins, and that it is what its minutes make it."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.access.sim.synthetic_bars import DayBars
from trader.exchange.archive import NO_BARS, bars_of
from trader.exchange.data_messages import trade_count, vwap
from trader.exchange.data_periods import (
    DAILY,
    Timeframe,
    merged_rows,
    midnight,
    minute_rows,
    spans,
    timeframe_of,
    zone_of,
)
from trader.model.time import DAY, MINUTE, NEW_YORK, ts_of, utc

DAYS = st.dates(date(2016, 1, 1), date(2030, 12, 31))
FRAMES = st.sampled_from(["1Min", "59T", "1Hour", "23H", "1Day", "1W", "1Month", "2M", "3Month", "4M", "6M", "12Month"])
PRICES = st.floats(1, 1000)


def frame(text: str) -> Timeframe:
    found = timeframe_of(text)
    assert found is not None
    return found


@st.composite
def minute_bars(draw: st.DrawFn) -> DayBars:
    """Draw a few minutes of a day in order, some of them without volume."""
    minutes = sorted(draw(st.sets(st.integers(0, 1439), min_size=1, max_size=20)))
    rows = []
    for minute in minutes:
        low, *inside, high = sorted(draw(st.lists(PRICES, min_size=4, max_size=4)))
        volume = draw(st.sampled_from([0.0, 1.0, 250.0]))
        rows.append((20_000 * DAY + (minute + 1) * MINUTE, inside[0], high, low, inside[1], volume))
    columns = list(zip(*rows, strict=True))
    return DayBars(np.array(columns[0], np.int64), *(np.array(column) for column in columns[1:]))


class TestTimeframes:
    @pytest.mark.parametrize(
        ("text", "length", "unit"),
        [("1Min", 1, "Min"), ("59T", 59, "Min"), ("1min", 1, "Min"), ("23H", 23, "Hour"), ("12M", 12, "Month")],
    )
    def test_lengths_are_read(self, text: str, length: int, unit: str) -> None:
        assert timeframe_of(text) == Timeframe(length, unit)

    @pytest.mark.parametrize(
        "text", ["", "Min", "1", "0Min", "60Min", "24Hour", "2Day", "2Week", "5Month", "1m", "1.5H", "1Min ", "١Min"]
    )
    def test_anything_else_is_none(self, text: str) -> None:
        assert timeframe_of(text) is None


class TestSpans:
    @given(FRAMES, st.sampled_from(["stock", "crypto"]), DAYS, st.integers(0, 400))
    def test_they_touch_without_gap_and_cover_what_is_asked(self, text: str, kind: str, day: date, length: int) -> None:
        start = midnight(day, UTC) + 5 * MINUTE
        end = start + length * DAY
        found = list(spans(frame(text), zone_of("stock" if kind == "stock" else "crypto"), start, end))
        assert found[0][0] <= start < found[0][1]
        assert found[-1][0] <= end < found[-1][1]
        assert all(one[1] == following[0] for one, following in pairwise(found))

    @given(FRAMES, DAYS, st.integers(0, 400))
    def test_backwards_they_are_the_same(self, text: str, day: date, length: int) -> None:
        start = midnight(day, NEW_YORK)
        wanted = frame(text), NEW_YORK, start, start + length * DAY
        assert list(spans(*wanted, is_descending=True)) == list(spans(*wanted))[::-1]

    def test_a_day_may_have_25_hours(self) -> None:
        [(begin, end)] = spans(DAILY, NEW_YORK, *(ts_of(datetime(2025, 11, 2, hour, tzinfo=UTC)) for hour in (12, 20)))
        assert utc(end) - utc(begin) == timedelta(hours=25)


class TestRows:
    @given(minute_bars(), st.integers(1, 1440))
    def test_a_longer_bar_is_what_its_minutes_make_it(self, bars: DayBars, length: int) -> None:
        starts = bars.end - MINUTE
        groups = starts - starts % (length * MINUTE)
        for row in merged_rows(bars, groups):
            inside = [bar for bar in bars_of("X", bars) if 0 <= bar.ts - MINUTE - row.start < length * MINUTE]
            assert (row.open, row.close) == (inside[0].open, inside[-1].close)
            assert (row.high, row.low) == (max(bar.high for bar in inside), min(bar.low for bar in inside))
            assert row.volume == sum(bar.volume for bar in inside)
            assert row.trades == sum(map(trade_count, inside))
            traded = sum(vwap(bar) * bar.volume for bar in inside)
            assert row.vwap == pytest.approx(traded / row.volume if row.volume else 0.0)
        assert [row.start for row in merged_rows(bars, groups)] == sorted(set(groups.tolist()))

    @given(minute_bars())
    def test_a_minutes_row_says_what_the_sockets_say(self, bars: DayBars) -> None:
        for bar, row in zip(bars_of("X", bars), minute_rows(bars), strict=True):
            assert (row.start + MINUTE, row.open, row.high, row.low, row.close, row.volume) == (
                (bar.ts, bar.open, bar.high, bar.low, bar.close, bar.volume)
            )
            assert (row.trades, row.vwap) == (trade_count(bar), vwap(bar))

    def test_of_nothing_comes_nothing(self) -> None:
        assert minute_rows(NO_BARS) == []
        assert merged_rows(NO_BARS, NO_BARS.end) == []
