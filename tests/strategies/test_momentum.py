"""Moves over the lookback against the threshold."""

import pytest
from pydantic import ValidationError

from tests.strategies.exact import wishes
from trader.strategies import MomentumStrategy
from trader.testing import bars


@pytest.mark.parametrize(
    ("closes", "threshold", "expected"),
    [
        ([100, 102], 0.02, "long"),
        ([100, 101.99], 0.02, None),
        ([100, 98], 0.02, "short"),
        ([100, 98.01], 0.02, None),
        ([33.0, 33.66], 0.02, "long"),  # in binary 1.0199999999999998
        ([50.0, 49.95], 0.001, "short"),  # in binary 0.9990000000000001
        ([1000, 1001], 0.001, "long"),  # in binary 1001/1000 − 1 is 0.0009999999999998899
        ([100, 100], 0.0, "long"),
    ],
)
def test_a_move_counts_from_the_threshold_on(closes: list[float], threshold: float, expected: str | None) -> None:
    strategy = MomentumStrategy(lookback_period=1, momentum_threshold=threshold)
    assert wishes(strategy, bars(closes)) == [None, expected]


def test_the_close_is_compared_with_the_one_lookback_bars_before() -> None:
    strategy = MomentumStrategy(lookback_period=3, momentum_threshold=0.1)
    assert wishes(strategy, bars([100, 50, 200, 110, 54.9, 180])) == [None, None, None, "long", None, "short"]


def test_it_speaks_first_at_lookback_plus_one() -> None:
    rising = bars([100 * 1.01**minute for minute in range(40)])
    answers = wishes(MomentumStrategy(), rising)
    assert MomentumStrategy().warmup == 21
    assert answers[:20] == [None] * 20
    assert answers[20:] == ["long"] * 20


def test_a_threshold_in_percent_is_refused() -> None:
    with pytest.raises(ValidationError, match="less than 1"):
        MomentumStrategy(momentum_threshold=2)


def test_the_defaults_are_those_of_the_guide() -> None:
    assert repr(MomentumStrategy()) == "MomentumStrategy(lookback_period=20, momentum_threshold=0.02)"
