"""The chain: who is asked when, what is left, and what becomes of a filter that fails."""

from collections.abc import Sequence
from decimal import Decimal

import pytest
from msgspec.structs import replace

from trader.director import BatchFilter, Cut, Director, Filter, Link
from trader.director.modes import ExecutionMode
from trader.errors import ModeError
from trader.model.orders import OrderIntent, Reason, Ruling, Trim, Urgency
from trader.model.views import PortfolioView
from trader.testing import GivenView, holding, opening, ruled


class AtMost(Filter):
    """Lets at most so much pass."""

    qty: float

    def apply(self, intent: OrderIntent, view: PortfolioView) -> Cut | None:
        return Cut(self.qty, f"{self.qty:g}", f"{intent.qty}")


class Places(BatchFilter):
    """Lets so many intents of a step pass."""

    count: int

    def apply_all(self, intents: Sequence[OrderIntent], view: PortfolioView) -> Sequence[Cut | None]:
        return [None if place < self.count else Cut(0.0, f"{self.count}", "full") for place in range(len(intents))]


class Sees(Filter):
    """Tells what it sees of the portfolio."""

    def apply(self, intent: OrderIntent, view: PortfolioView) -> Cut | None:
        return Cut(0.0, f"${view.equity:g}", ",".join(one.strategy for one in view.holdings))


class Guards(Filter):
    """Holds back exits too."""

    qty: float = 0.0
    judges_exits = True

    def apply(self, intent: OrderIntent, view: PortfolioView) -> Cut | None:
        return Cut(self.qty, "later", "now")


class Answers(Filter):
    """Answers whatever it is told to."""

    answer: object = None

    def apply(self, intent: OrderIntent, view: PortfolioView) -> Cut | None:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer  # type: ignore[return-value]  # that is the point


class Few(BatchFilter):
    """Answers too little."""

    def apply_all(self, intents: Sequence[OrderIntent], view: PortfolioView) -> Sequence[Cut | None]:
        return []


def chain(*filters: Filter) -> list[Link]:
    return [Link(f"{type(each).__name__}{place}", each) for place, each in enumerate(filters)]


def left(ruling: Ruling) -> Decimal:
    return Decimal(0) if ruling.dropped else ruling.intent.qty


def test_without_filters_everything_passes() -> None:
    intent = opening("SPY", 12.5)
    assert Director().judge([intent], GivenView()) == [Ruling(intent)]


def test_each_filter_that_shrinks_is_named_and_none_gives_back() -> None:
    (ruling,) = Director(chain(AtMost(qty=50.0), AtMost(qty=80.0), AtMost(qty=20.0))).judge(
        [opening("SPY", 100)], GivenView()
    )
    assert [(trim.filter, str(trim.qty)) for trim in ruling.trims] == [("AtMost0", "50.0"), ("AtMost2", "20.0000")]
    assert ruling.trims[1] == Trim("AtMost2", Decimal(20), "20", "50.0")
    assert left(ruling) == 20


def test_who_is_dropped_is_asked_no_more() -> None:
    (ruling,) = Director(chain(AtMost(qty=0.0), AtMost(qty=5.0))).judge([opening("SPY", 100)], GivenView())
    assert ruling.dropped == Trim("AtMost0", Decimal(0), "0", "100")
    assert ruling.trims == ()


def test_what_is_left_is_rounded_toward_zero_once_at_the_end() -> None:
    first, second = Director(chain(AtMost(qty=100 / 3), AtMost(qty=33.33339))).judge(
        [opening("SPY", 100), opening("SPY", -100)], GivenView()
    )
    assert left(first) == Decimal("33.3333")
    assert [trim.qty for trim in first.trims] == [Decimal("33.3333")]  # 33.33339 took nothing more
    assert left(second) == 33  # a stock is sold short in whole shares


def test_a_hair_below_a_whole_step_is_the_step() -> None:
    assert left(ruled(AtMost(qty=19.999999999999996), opening("SPY", 21))) == 20


@pytest.mark.parametrize(
    ("symbol", "qty", "floor"), [("SPY", 0.004, "$1"), ("BTC/USD", 0.05, "$10"), ("SPY", 1e-5, "0.0001")]
)
def test_what_would_be_below_the_smallest_order_is_dropped_by_the_filter_that_shrank_last(
    symbol: str, qty: float, floor: str
) -> None:
    ruling = ruled(AtMost(qty=qty), opening(symbol, 100, price=100.0))
    assert ruling.dropped is not None
    assert ruling.dropped.value.endswith(f"below the smallest order of {floor}")
    assert ruling.dropped.filter == "filter"
    assert ruling.dropped.qty == 0


def test_what_no_filter_shrank_is_left_as_it_is_for_the_gate() -> None:
    assert left(ruled(AtMost(qty=7.0), opening("SPY", 0.00001))) == Decimal("0.00001")


def test_filters_of_one_intent_come_before_those_of_all_and_common_ones_before_a_strategys_own() -> None:
    common, own = chain(Places(count=1), AtMost(qty=90.0)), chain(Places(count=0), AtMost(qty=0.0))
    first, second = Director(common, {"one": own}).judge(
        [opening("SPY", 100, strategy="one"), opening("SPY", 100, strategy="two")], GivenView()
    )
    assert first.dropped is not None
    assert (first.dropped.filter, [trim.filter for trim in first.trims]) == ("AtMost1", ["AtMost1"])
    assert second.dropped is None  # the place was not taken by one that never got there


def test_a_strategys_own_filters_see_its_part_of_the_portfolio_only() -> None:
    view = GivenView(holding("SPY", 1, strategy="one"), holding("SPY", 1, strategy="two"))
    director = Director([], {"two": chain(Sees())})
    first, second = director.judge([opening("QQQ", 1, strategy="one"), opening("QQQ", 1, strategy="two")], view)
    assert first.dropped is None
    assert second.dropped is not None
    assert second.dropped.value == "two"


def test_the_more_urgent_are_asked_first_and_equal_ones_in_the_order_they_came() -> None:
    low, high, later = opening("A", 1), opening("B", 1), opening("C", 1)
    low = replace(low, urgency=Urgency.LOW)
    rulings = Director(chain(Places(count=1))).judge([low, high, later], GivenView())
    assert [ruling.dropped is None for ruling in rulings] == [False, True, False]


@pytest.mark.parametrize("reason", Reason)
def test_exits_pass_unseen(reason: Reason) -> None:
    leaving = replace(opening("SPY", -10), reduces=True, reason=reason)
    director = Director(chain(AtMost(qty=0.0)))
    assert director.judge([leaving], GivenView()) == [Ruling(leaving)]
    assert not director.judges_exits


@pytest.mark.parametrize("reason", Reason)
def test_a_filter_may_ask_to_see_exits_but_never_those_that_protect(reason: Reason) -> None:
    leaving = replace(opening("SPY", -10), reduces=True, reason=reason)
    director = Director(chain(Guards()))
    (ruling,) = director.judge([leaving], GivenView())
    assert director.judges_exits
    assert (ruling.dropped is not None) == (reason is Reason.SIGNAL)


def test_an_exit_is_held_back_or_passes_whole() -> None:
    leaving = replace(opening("SPY", -10), reduces=True)
    assert Director(chain(Guards(qty=3.0))).judge([leaving], GivenView()) == [Ruling(leaving)]


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (ValueError("no\nluck"), "unknown: ValueError: no luck"),
        (SystemExit(3), "unknown: SystemExit: 3"),
        (7, "unknown: TypeError: it answered int; allowed: Cut(qty, limit, value), or None to let pass"),
        (Cut("x", "a", "b"), "unknown: ValueError: could not convert string to float: 'x'"),  # type: ignore[arg-type]
    ],
)
def test_a_filter_that_fails_lets_nothing_pass(answer: object, value: str) -> None:
    ruling = ruled(Answers(answer=answer), opening("SPY", 10))
    assert ruling.dropped == Trim("filter", Decimal(0), "a filter that works", value)


def test_a_filter_that_answers_too_little_lets_nothing_pass() -> None:
    ruling = ruled(Few(), opening("SPY", 10))
    assert ruling.dropped is not None
    assert ruling.dropped.value == "unknown: ValueError: 0 answers to 1 intents"


def test_nan_is_told_as_unknown_and_infinity_is_all() -> None:
    ruling = ruled(Answers(answer=Cut(float("nan"), "some", "a mark")), opening("SPY", 10))
    assert ruling.dropped == Trim("filter", Decimal(0), "some", "unknown: a mark")
    assert left(ruled(Answers(answer=Cut(float("inf"), "", "")), opening("SPY", 10))) == 10


def test_what_others_filters_say_is_bounded_and_text() -> None:
    ruling = ruled(Answers(answer=Cut(Decimal(4), "x" * 5000, 7)), opening("SPY", 10))  # type: ignore[arg-type]
    assert left(ruling) == 4
    assert (len(ruling.trims[0].limit), ruling.trims[0].value) == (200, "7")


def test_strategies_that_run_apart_have_no_portfolio_to_ask() -> None:
    with pytest.raises(ModeError, match=r"cannot use parallel mode with filters: \[Sees0\]"):
        Director(chain(Sees()), mode=ExecutionMode.PARALLEL)


def test_a_filter_that_hid_that_it_asks_for_the_portfolio_is_found_out() -> None:
    class Hides(Sees):
        needs_portfolio = False

    with pytest.raises(ModeError, match="Portfolio query not available in parallel execution mode"):
        Director(chain(Hides()), mode=ExecutionMode.PARALLEL).judge([opening("SPY", 1)], GivenView())
