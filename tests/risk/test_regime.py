"""Limits tighten with volatility at once, relax after days, and are never looser than they were written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.model.events import FlagRaised
from trader.model.time import DAY, HOUR
from trader.risk.regime import Regime, Tightness, divisor_of, next_tightness, tightness_of

ON = Regime(is_on=True)


@pytest.mark.parametrize(("ratio", "limit"), [(2.0, 0.05), (0.5, 0.10), (9.0, 0.025)])
def test_a_limit_of_a_tenth_is_halved_by_twice_the_volatility_and_not_doubled_by_half_of_it(
    ratio: float, limit: float
) -> None:
    assert 0.10 / divisor_of(ratio) == pytest.approx(limit, abs=1e-12)


def test_a_wilder_market_counts_at_once_and_a_calmer_one_after_five_days() -> None:
    first = next_tightness(None, 1.5, 0, regime=ON)
    assert first == Tightness(1.5, 5 * DAY)
    wilder = next_tightness(first, 2.0, HOUR, regime=ON)
    assert wilder == Tightness(2.0, HOUR + 5 * DAY)
    assert next_tightness(wilder, 1.2, 4 * DAY, regime=ON) == wilder
    assert next_tightness(wilder, 1.2, 5 * DAY + HOUR, regime=ON) == Tightness(1.2, 10 * DAY + HOUR)


def test_as_long_as_the_market_is_as_wild_the_days_begin_anew_once_a_day() -> None:
    first = Tightness(2.0, 5 * DAY)
    assert next_tightness(first, 2.0, HOUR, regime=ON) == first
    assert next_tightness(first, 2.0, DAY, regime=ON) == Tightness(2.0, 6 * DAY)


def test_a_market_that_has_been_calm_for_long_tightens_nothing() -> None:
    assert next_tightness(None, 0.3, 0, regime=ON) is None
    assert next_tightness(Tightness(2.0, 5 * DAY), 0.9, 5 * DAY, regime=ON) is None


@given(st.lists(st.floats(0, 20), min_size=1, max_size=60))
def test_limits_are_always_as_tight_as_the_market_asks_and_at_most_four_times(ratios: list[float]) -> None:
    standing = None
    for day, ratio in enumerate(ratios):
        standing = next_tightness(standing, ratio, day * DAY, regime=ON)
        tightness = 1.0 if standing is None else standing.divisor
        assert divisor_of(ratio) <= tightness + 1e-9
        assert tightness <= max(map(divisor_of, ratios[max(0, day - 60) : day + 1])) + 1e-4
        assert 1.0 <= tightness <= 4.0


def flag(kind: str, value: str, *, scope: str = "account", action: str = "tighten") -> FlagRaised:
    return FlagRaised(0, scope, kind, "hard", action, "", value)


def test_the_market_and_a_bad_week_tighten_together_each_on_its_own_scope() -> None:
    flags = {"a": flag("regime", "1.5"), "b": flag("weekly_loss", "6%", scope="group two")}
    assert tightness_of(flags, {"account", "group one"}, factor=0.5) == 1.5
    assert tightness_of(flags, {"account", "group two"}, factor=0.5) == 3.0


def test_an_unknown_market_and_an_alert_tighten_nothing() -> None:
    flags = {"a": flag("regime", "unknown", action="reduce_only"), "b": flag("weekly_loss", "6%", action="alert")}
    assert tightness_of(flags, {"account"}, factor=0.5) == 1.0
