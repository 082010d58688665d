"""Entries and exits by the z-score."""

import pytest
from pydantic import ValidationError

from tests.contracts.strategy import Holding
from tests.strategies.exact import NAMES, wishes
from trader.model.signals import Target
from trader.strategies import MeanReversionStrategy
from trader.testing import bars

# The z-score of the last of five closes. In binary each is a hair on the wrong side of its threshold.
AT_MINUS_TWO = [20.3, 20.3, 20.3, 20.3, 20.2]
AT_MINUS_HALF = [20.3, 20.27, 20.27, 20.27, 20.27]
AT_ZERO = [20.3, 20.3, 20.3, 20.3, 20.3]
AT_HALF = [20.27, 20.3, 20.3, 20.3, 20.3]
AT_TWO = [20.2, 20.2, 20.2, 20.2, 20.3]
UNDER_MINUS_HALF = [20.3, 20.28, 20.27, 20.27, 20.27]
OVER_HALF = [20.27, 20.29, 20.3, 20.3, 20.3]


@pytest.mark.parametrize(
    ("held", "closes", "expected"),
    [
        (0, AT_MINUS_TWO, "long"),
        (0, AT_MINUS_HALF, None),
        (0, AT_ZERO, None),
        (0, AT_TWO, "short"),
        (7, AT_MINUS_TWO, "long"),
        (7, UNDER_MINUS_HALF, None),
        (7, AT_MINUS_HALF, "flat"),
        (7, AT_ZERO, "flat"),
        (7, AT_HALF, "flat"),
        (7, AT_TWO, "short"),
        (-7, AT_TWO, "short"),
        (-7, OVER_HALF, None),
        (-7, AT_HALF, "flat"),
        (-7, AT_ZERO, "flat"),
        (-7, AT_MINUS_HALF, "flat"),
        (-7, AT_MINUS_TWO, "long"),
    ],
)
def test_entry_comes_before_exit_and_both_include_their_threshold(
    held: float, closes: list[float], expected: str | None
) -> None:
    strategy, desk = MeanReversionStrategy(lookback_period=5), Holding(held)
    *_, last = [desk.feed(strategy, bar) for bar in bars(closes)]
    assert (NAMES[last.fraction] if isinstance(last, Target) else last) == expected


def test_an_unfinished_window_ends_no_position() -> None:
    strategy, desk = MeanReversionStrategy(lookback_period=5), Holding(7)
    assert [desk.feed(strategy, bar) for bar in bars(AT_ZERO)][:4] == [None] * 4


def test_a_dip_is_bought_and_sold_on_the_way_back() -> None:
    strategy = MeanReversionStrategy(lookback_period=5)
    answers = wishes(strategy, bars([10.1, 10.1, 10.1, 10.1, 10.0, 10.02, 10.08, 10.08]))
    assert answers == [None, None, None, None, "long", None, "flat", None]


def test_it_speaks_first_at_the_end_of_its_window() -> None:
    assert MeanReversionStrategy().warmup == 20
    assert wishes(MeanReversionStrategy(), bars([10.0] * 19 + [9.0]))[18:] == [None, "long"]


def test_entry_must_be_above_exit() -> None:
    with pytest.raises(ValidationError, match=r"must be above exit_threshold, which is 2.5; got 2") as error:
        MeanReversionStrategy(exit_threshold=2.5)
    assert error.value.errors()[0]["loc"] == ("entry_threshold",)


def test_the_defaults_are_those_of_the_guide() -> None:
    expected = "MeanReversionStrategy(lookback_period=20, exit_threshold=0.5, entry_threshold=2.0)"
    assert repr(MeanReversionStrategy()) == expected
