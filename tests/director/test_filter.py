"""How a filter is written, and what is refused where it is written."""

import pytest
from pydantic import ValidationError

from trader.director import BatchFilter, Cut, Filter
from trader.director.filters_exposure import MaxPositionsFilter
from trader.model.orders import OrderIntent
from trader.model.views import PortfolioView
from trader.testing import GivenView, opening


class Half(Filter):
    """Lets half pass."""

    share: float = 0.5

    def apply(self, intent: OrderIntent, view: PortfolioView) -> Cut | None:
        return Cut(float(intent.qty) * self.share, "half", "whole")


def test_parameters_are_checked_when_it_is_made() -> None:
    assert Half(share=0.25).share == 0.25
    for wrong in ({"share": "0.5"}, {"share": float("nan")}, {"shares": 0.5}, {"share": True}):
        with pytest.raises(ValidationError):
            Half(**wrong)


def test_an_own_init_is_refused_where_it_is_written() -> None:
    with pytest.raises(TypeError, match="defines __init__; annotate its parameters in the class"):

        class Made(Half):
            def __init__(self) -> None:
                """Forget the parameters."""


def test_unless_it_says_otherwise_it_needs_the_portfolio_and_sees_no_exits() -> None:
    assert Half().needs_portfolio
    assert not Half.judges_exits


def test_what_cannot_judge_cannot_be_made() -> None:
    class Nothing(BatchFilter):
        """Judges nothing."""

    with pytest.raises(TypeError, match="abstract"):
        Nothing()  # type: ignore[abstract]


def test_a_filter_of_many_judges_one_alone_as_well() -> None:
    assert MaxPositionsFilter(max_long_positions=0).apply(opening("SPY", 1), GivenView()) is not None
    assert MaxPositionsFilter(max_long_positions=1).apply(opening("SPY", 1), GivenView()) is None
