"""nil, weekday and volatility: one intent, yes or no, without a portfolio."""

import csv
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from trader.director.filters_simple import NilFilter, VolatilityFilter, WeekdayFilter, fill_day, parkinson
from trader.model.time import parse_time
from trader.testing import GivenView, opening

SPY, BTC = opening("SPY", 10), opening("BTC/USD", 10)


def swings(annual: float, *, days: int = 21, factor: float = 16.0) -> list[float]:
    """Return closes whose daily returns have this annual standard deviation."""
    step = annual / factor / sqrt((days - 1) / (days - 2))  # up and down by turns, their mean 0
    closes = [100.0]
    for day in range(days - 1):
        closes.append(closes[-1] * (1 + (step if day % 2 else -step)))
    return closes


def at(time: str, **parts: object) -> GivenView:
    return GivenView(ts=parse_time(time), **parts)  # type: ignore[arg-type]


def test_nil_lets_everything_pass() -> None:
    assert NilFilter().apply(SPY, GivenView()) is None


@pytest.mark.parametrize(
    ("asset_class", "time", "day"),
    [
        ("stock", "2026-01-08T15:00-05:00", "Thursday"),
        ("stock", "2026-01-08T16:00-05:00", "Friday"),  # decided on the last bar of Thursday: filled at Friday's open
        ("stock", "2026-01-08T15:59-05:00", "Thursday"),
        ("stock", "2026-01-09T16:00-05:00", "Monday"),
        ("stock", "2026-01-09T00:00Z", "Friday"),  # the daily bar of Thursday
        ("stock", "2026-01-16T20:00-05:00", "Tuesday"),  # over a long weekend: Monday is Martin Luther King's
        ("stock", "2026-03-06T21:30Z", "Monday"),  # the clock is changed between
        ("stock", "2026-03-13T13:29Z", "Friday"),
        ("stock", "2025-11-28T13:00-05:00", "Monday"),  # an early close
        ("crypto", "2026-01-09T23:59Z", "Friday"),
        ("crypto", "2026-01-10T00:00Z", "Saturday"),  # the daily bar of Friday
    ],
)
def test_an_order_is_filled_on_the_day_its_exchange_opens_next(asset_class: str, time: str, day: str) -> None:
    assert fill_day(asset_class, parse_time(time)) == day  # type: ignore[arg-type]


def test_fridays_are_blocked_unless_other_days_are_named() -> None:
    friday, monday = at("2026-01-09T10:00-05:00"), at("2026-01-12T10:00-05:00")
    cut = WeekdayFilter().apply(SPY, friday)
    assert cut is not None
    assert (cut.qty, cut.limit, cut.value) == (0.0, "nothing opened on Fridays", "would fill on Friday")
    assert WeekdayFilter().apply(SPY, monday) is None
    only_monday = WeekdayFilter(blocked_days=("mon",))
    assert only_monday.apply(SPY, monday) is not None
    assert only_monday.apply(SPY, friday) is None


@pytest.mark.parametrize(("block", "blocked"), [(True, True), (False, False), (None, True)])
def test_friday_can_be_blocked_or_freed_by_a_word_of_its_own(block: bool | None, blocked: bool) -> None:
    friday = at("2026-01-09T10:00-05:00")
    assert (WeekdayFilter(block_friday=block).apply(SPY, friday) is not None) is blocked


def test_each_exchange_has_its_own_time_zone() -> None:
    night = at("2026-01-09T22:00-05:00")  # in New York Friday night, by UTC Saturday
    blocks_saturday = WeekdayFilter(blocked_days=("Saturday",))
    assert blocks_saturday.apply(BTC, night) is not None
    assert blocks_saturday.apply(SPY, night) is None


def test_days_are_full_or_short_names() -> None:
    assert WeekdayFilter(blocked_days=("FRI", "thursday")).blocked_days == ("Friday", "Thursday")
    with pytest.raises(ValidationError, match="must be a weekday like Friday or Fri, got 'Freitag'; allowed: Monday"):
        WeekdayFilter(blocked_days=("Freitag",))


@pytest.mark.parametrize(("annual", "passes"), [(0.39, True), (0.41, False), (0.0, True)])
def test_a_stock_may_move_by_forty_percent_a_year(annual: float, passes: bool) -> None:
    view = GivenView(days={"SPY": swings(annual)})
    assert (VolatilityFilter().apply(SPY, view) is None) is passes


@pytest.mark.parametrize(("annual", "passes"), [(1.19, True), (1.21, False)])
def test_a_coin_may_move_by_more_and_every_day_of_the_year(annual: float, passes: bool) -> None:
    view = GivenView(days={"BTC/USD": swings(annual, factor=sqrt(365))})
    assert (VolatilityFilter().apply(BTC, view) is None) is passes


def test_what_hardly_moves_can_be_refused_too_and_the_figures_are_told() -> None:
    cut = VolatilityFilter(min_ann=0.10, max_ann=0.30).apply(SPY, GivenView(days={"SPY": swings(0.05)}))
    assert cut is not None
    assert (cut.limit, cut.value) == ("annual volatility of 0.1 to 0.3", "0.05")


@pytest.mark.parametrize("estimator", ["close-to-close", "parkinson"])
def test_too_few_days_are_no_volatility(estimator: str) -> None:
    view = GivenView(days={"SPY": [100.0] * (20 if estimator == "close-to-close" else 19)})
    cut = VolatilityFilter(estimator=estimator).apply(SPY, view)  # type: ignore[arg-type]
    assert cut is not None
    assert cut.value == "unknown: fewer than 20 daily returns"


def test_volatility_of_ranges() -> None:
    assert parkinson(np.array([np.e, np.e]), np.array([1.0, 1.0])) == pytest.approx(sqrt(1 / (4 * np.log(2))))
    view = GivenView(days={"SPY": [(101.0, 99.0, 100.0)] * 21})
    assert VolatilityFilter(estimator="parkinson", max_ann=0.2).apply(SPY, view) is None
    assert VolatilityFilter(estimator="parkinson", max_ann=0.19).apply(SPY, view) is not None


def test_the_bounds_are_in_order() -> None:
    with pytest.raises(ValidationError, match=r"must be at least min_ann, which is 0\.5; got 0\.1"):
        VolatilityFilter(min_ann=0.5, max_ann=0.1)


@pytest.mark.recorded
def test_parkinson_is_that_of_another_program(shared: Path) -> None:
    def column(file: str, name: str) -> list[float]:
        with (shared / "data" / "quant-reference" / file).open(encoding="utf-8", newline="") as lines:
            return [float(row[name] or "nan") for row in csv.DictReader(lines)]

    highs, lows = (np.array(column("ttrc_250.csv", name)) for name in ("High", "Low"))
    expected = np.array(column("ttr_expected_250.csv", "vol_parkinson_n10_N260"))
    for end in np.flatnonzero(~np.isnan(expected)).tolist():
        days = slice(end - 9, end + 1)
        assert parkinson(highs[days], lows[days]) * sqrt(260) == pytest.approx(expected[end], abs=1e-8)
