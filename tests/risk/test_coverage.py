"""Tests of a value at risk by its exceptions, against Kupiec's and Basel's tables."""

import numpy as np
import pytest

from trader.risk.coverage import christoffersen, coverage_of, kupiec, p_of, rolling_exceptions


@pytest.mark.parametrize(
    ("p", "days", "least", "most"), [(0.01, 510, 2, 10), (0.01, 1000, 5, 16), (0.05, 255, 7, 20), (0.05, 1000, 38, 64)]
)
def test_the_counts_that_kupiec_does_not_reject(p: float, days: int, least: int, most: int) -> None:
    kept = [count for count in range(days + 1) if p_of(kupiec(days, count, confidence=1.0 - p)) > 0.05]
    assert (kept[0], kept[-1], len(kept)) == (least, most, most - least + 1)


def test_the_colours_of_basel() -> None:
    judged = [coverage_of(np.arange(250) < count, confidence=0.99) for count in (0, 4, 5, 9, 10, 250)]
    assert [one.light for one in judged] == ["green", "green", "yellow", "yellow", "red", "red"]


def test_no_exceptions_and_only_exceptions_have_a_likelihood() -> None:
    assert kupiec(250, 0, confidence=0.99) == pytest.approx(-2 * 250 * np.log(0.99), abs=1e-9)
    assert kupiec(3, 3, confidence=0.99) == pytest.approx(-2 * 3 * np.log(0.01), abs=1e-9)


def test_exceptions_in_a_row_depend_on_each_other_and_scattered_ones_do_not() -> None:
    scattered, clustered = (np.zeros(250, dtype=np.bool_) for _ in range(2))
    scattered[::25] = True
    clustered[100:110] = True
    assert p_of(christoffersen(scattered)) > 0.05
    assert p_of(christoffersen(clustered)) < 1e-6
    assert christoffersen(np.zeros(250, dtype=np.bool_)) == 0.0
    assert christoffersen(np.ones(1, dtype=np.bool_)) == 0.0


def test_the_independence_ratio_is_that_of_the_transition_counts() -> None:
    days = np.array([0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0], dtype=np.bool_)
    # Transitions: quiet to quiet 6, quiet to exception 2, exception to quiet 2, exception to exception 1.
    apart = 6 * np.log(6 / 8) + 2 * np.log(2 / 8) + 2 * np.log(2 / 3) + np.log(1 / 3)
    together = 8 * np.log(8 / 11) + 3 * np.log(3 / 11)
    assert christoffersen(days) == pytest.approx(2 * (apart - together), abs=1e-12)


def test_a_light_is_shown_of_250_days_at_99_per_cent_only() -> None:
    exceptions = np.zeros(250, dtype=np.bool_)
    exceptions[[3, 90, 91, 200, 240]] = True
    judged = coverage_of(exceptions, confidence=0.99)
    assert (judged.days, judged.exceptions, judged.light) == (250, 5, "yellow")
    assert judged.expected == pytest.approx(2.5)
    assert coverage_of(exceptions, confidence=0.95).light is None
    assert coverage_of(exceptions[1:], confidence=0.99).light is None


def test_a_day_is_judged_by_the_days_before_it_only() -> None:
    calm, fall = np.tile([0.01, -0.01], 10), np.array([-0.1, 0.01])
    exceptions = rolling_exceptions(np.concatenate([calm, fall]), window=20, confidence=0.99)
    assert exceptions.tolist() == [True, False]
