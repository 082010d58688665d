"""The bounds of the RSI."""

import pytest
from pydantic import ValidationError

from tests.strategies.exact import wishes
from trader.strategies import RsiStrategy
from trader.testing import bars


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ("-------+++", "long"),  # 3 of 10 equal changes up: 30 exactly
        ("------++++", None),
        ("+++++++---", "short"),  # 70 exactly
        ("++++++----", None),
        ("----------", "long"),
        ("++++++++++", "short"),
    ],
)
@pytest.mark.parametrize(("start", "step"), [(100.0, 1.0), (20.3, 0.01)])  # the latter a hair off in binary
def test_the_bounds_count_as_reached(changes: str, expected: str | None, start: float, step: float) -> None:
    closes = [start]
    for change in changes:
        closes.append(round(closes[-1] + (step if change == "+" else -step), 2))
    assert wishes(RsiStrategy(rsi_period=10), bars(closes))[-1] == expected


def test_a_price_that_never_moved_is_neither_oversold_nor_overbought() -> None:
    assert wishes(RsiStrategy(rsi_period=2), bars([10.0] * 30)) == [None] * 30


def test_it_speaks_first_at_period_plus_one() -> None:
    answers = wishes(RsiStrategy(), bars(list(range(100, 60, -1))))
    assert RsiStrategy().warmup == 15
    assert answers == [None] * 14 + ["long"] * 26


def test_overbought_must_be_above_oversold() -> None:
    with pytest.raises(ValidationError, match="must be above rsi_oversold, which is 75; got 70") as error:
        RsiStrategy(rsi_oversold=75)
    assert error.value.errors()[0]["loc"] == ("rsi_overbought",)


def test_a_bound_that_was_itself_refused_is_not_compared_with() -> None:
    with pytest.raises(ValidationError) as error:
        RsiStrategy(rsi_oversold=175)
    assert [problem["loc"] for problem in error.value.errors()] == [("rsi_oversold",)]


def test_the_defaults_are_those_of_the_guide() -> None:
    assert repr(RsiStrategy()) == "RsiStrategy(rsi_period=14, rsi_oversold=30.0, rsi_overbought=70.0)"
