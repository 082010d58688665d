"""Limits on the account's tail: what is measured, what is refused, and what passes all the same."""

from collections.abc import Mapping
from decimal import Decimal
from math import nan, sqrt
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.risk.past_days import Days, history, walk
from trader.model.instruments import instrument_of
from trader.model.orders import OrderIntent, Reason, Side, TradingState
from trader.model.tail import historical, sigma_of, var_parametric
from trader.model.time import DAY, MINUTE
from trader.model.views import Market, Question, Standing
from trader.risk.bounds import Bound, Breach
from trader.risk.limits import reservation_of
from trader.risk.opening import opening_of
from trader.risk.past import past_of
from trader.risk.stress import Scenario
from trader.risk.value_at_risk import TailControl, TailModel, VarLimits, tail_of, worst_corner

NOW = 20_500 * DAY
NAV = 100_000.0
STANDING = Standing(
    Decimal(10_000), Decimal(10_000), Decimal(10_000), Decimal(0), 0, loss_reached=False, state=TradingState.ACTIVE
)


class Book:
    """Exposures of three symbols."""

    version = booked = 0
    symbols: tuple[str, ...] = ("A", "B", "C/USD")
    strategies: tuple[str, ...] = ()
    unallocated = 0.0

    def __init__(self, net: list[float], buys: list[float] | None = None, sells: list[float] | None = None) -> None:
        self.index: Mapping[str, int] = {symbol: number for number, symbol in enumerate(self.symbols)}
        self.rank: Mapping[str, int] = {}
        self.slots_of: Mapping[str, slice] = {}
        self.marks = np.array([10.0, 10.0, 10.0])
        self.net, self.buys, self.sells = (np.array(qty or [0.0, 0.0, 0.0]) for qty in (net, buys, sells))
        self.held = self.held_buys = self.held_sells = self.cash = self.reserved = np.empty(0)
        self.symbol_of = np.empty(0, dtype=np.intp)

    def sync(self) -> None: ...


def model(limits: VarLimits, *histories: Days) -> TailModel:
    days = histories or (history(seed=1), history(seed=2), history(seed=3, sigma=0.03))
    classes: dict[str, Any] = {"A": "stock", "B": "stock", "C/USD": "crypto"}
    return TailModel(dict(zip(Book.symbols, days, strict=True)), classes, limits)


def question(symbol: str, side: Side, qty: int, now: int = NOW) -> Question:
    intent = OrderIntent(
        "one", symbol, side, Decimal(qty), Decimal(10), reduces=False, reason=Reason.SIGNAL, ts=now
    )  # fmt: skip
    return Question(intent, "o1", instrument_of("SPY"), STANDING, Market(), now)


def breaches(control: TailControl, asked: Question, book: Book, *, nav: float, tightness: float = 1.0) -> list[Breach]:
    opening = opening_of(asked, book.index[asked.intent.symbol], reservation_of(asked.intent))
    return control.breaches(opening, book, nav=nav, tightness=tightness)


def judge(limits: VarLimits, book: Book, asked: Question, *histories: Days, nav: float = NAV) -> list[Breach]:
    return breaches(TailControl(model(limits, *histories)), asked, book, nav=nav)


# --- the tail ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["parametric", "historical", "cornish-fisher"])
def test_the_tail_is_that_of_todays_positions_on_past_days(method: str) -> None:
    limits = VarLimits(method=method, confidence=0.99)  # type: ignore[arg-type]
    past = past_of([history(seed=1), history(seed=2)], 500)
    weights = np.array([1000.0, -500.0])
    found = tail_of(weights, past, limits)
    assert found.method == method
    if method == "parametric":
        assert found.var == pytest.approx(var_parametric(sigma_of(weights, past.covariance), confidence=0.99))
    if method == "historical":
        assert found == historical(past.returns @ weights, confidence=0.99)
    assert found.var == pytest.approx(2.33 * 1000.0 * 0.01 * sqrt(1.25), rel=0.25)
    assert found.es > found.var


@pytest.mark.parametrize("method", ["parametric", "historical", "cornish-fisher"])
def test_who_stands_alone_falls_with_the_others(method: str) -> None:
    limits = VarLimits(method=method)  # type: ignore[arg-type]
    new = history(10, seed=2)
    new.sigma_day = 0.05
    past = past_of([history(seed=1), new], 500)
    known = tail_of(np.array([1000.0, 0.0]), past, limits)
    for side in (1.0, -1.0):
        both = tail_of(np.array([1000.0, side * 100.0]), past, limits)
        assert both.var - known.var == pytest.approx(1.644854 * 5.0, rel=1e-6)


def test_with_too_few_days_every_method_is_the_parametric_one() -> None:
    new = Days({}, sigma_day=0.02)
    found = tail_of(np.array([1000.0]), past_of([new], 500), VarLimits(method="historical"))
    assert found.method == "parametric"
    assert found.var == pytest.approx(1.644854 * 20.0, rel=1e-6)


def test_what_is_unknown_counts_only_where_something_is_held() -> None:
    past = past_of([history(seed=1), Days({})], 500)
    assert tail_of(np.array([1000.0, 0.0]), past, VarLimits()).var > 0.0
    assert np.isnan(tail_of(np.array([1000.0, 1.0]), past, VarLimits()).var)


def test_a_corner_is_about_as_wide_as_any() -> None:
    rng = np.random.default_rng(3)
    narrower = 0
    for _ in range(400):
        covariance = np.cov(rng.normal(size=(8, 4)), rowvar=False)
        low = rng.normal(size=4)
        high = low + np.abs(rng.normal(size=4)) * (rng.random(4) < 0.7)
        widest = max(
            sigma_of(np.where([code >> bit & 1 for bit in range(4)], high, low), covariance) for code in range(16)
        )
        found = worst_corner(high, low, covariance)
        assert ((found == high) | (found == low)).all()
        assert sigma_of(found, covariance) >= widest * 0.75
        narrower += sigma_of(found, covariance) < widest * 0.95
    assert narrower <= 8


def test_who_stands_alone_is_on_its_larger_side_in_a_corner() -> None:
    covariance = np.diag([1e-4, 0.0, 0.0])
    found = worst_corner(np.array([2.0, 1.0, 3.0]), np.array([1.0, -2.0, -1.0]), covariance)
    assert found.tolist() == [2.0, -2.0, 3.0]


# --- the limits -------------------------------------------------------------------------------------------------------

TIGHT = VarLimits(max_var=Bound(hard=0.001))
CRASH = Scenario("crash", {"stocks": -0.2, "crypto": -0.5}, is_completed=False)


def test_an_order_within_the_limit_passes_and_one_beyond_it_is_told_with_its_figures() -> None:
    (breach,) = judge(TIGHT, Book([0.0, 0.0, 0.0]), question("A", Side.BUY, 1000))
    covariance = past_of([history(seed=1)], 500).covariance
    var = var_parametric(10_000 * sqrt(float(covariance[0, 0])), confidence=0.95)
    assert (breach.rule, breach.level, breach.scope, breach.limit) == ("max_var", "hard", "account", "0.001 of equity")
    assert breach.value == f"{var / NAV:.6g} of equity (${var:.0f}; 0.95, 1 d, parametric)"
    assert breach.hint == "raise risk.var.max_var in the settings and start again"
    allowed = VarLimits(max_var=Bound(hard=var / NAV))  # met, not broken
    assert judge(allowed, Book([0.0, 0.0, 0.0]), question("A", Side.BUY, 1000)) == []


def test_without_limits_nothing_is_measured() -> None:
    control = TailControl(model(VarLimits()))
    assert not control.is_on
    assert breaches(control, question("A", Side.BUY, 10**6), Book([0.0, 0.0, 0.0]), nav=NAV) == []


def test_a_soft_level_is_told_of_and_a_hard_one_beside_it_is_another_rule() -> None:
    limits = VarLimits(max_var=Bound(hard=0.5, soft=0.001), max_es=Bound(hard=0.001))
    found = judge(limits, Book([0.0, 0.0, 0.0]), question("A", Side.BUY, 1000))
    assert [(breach.rule, breach.level) for breach in found] == [("max_var", "soft"), ("max_es", "hard")]


def test_an_order_that_leaves_less_at_risk_passes_a_broken_limit() -> None:
    held = Book([3000.0, 0.0, 0.0])
    assert judge(TIGHT, held, question("A", Side.SELL, 1000)) == []
    assert judge(TIGHT, held, question("A", Side.BUY, 1)) != []
    assert judge(TIGHT, held, question("A", Side.SELL, 6001)) != []  # more at risk on the other side


def test_a_hedge_passes_where_the_same_position_alone_would_not() -> None:
    closes = walk(1, 300)
    twin = Days(dict(zip(range(20_201, 20_501), (close * 2 for close in closes), strict=True)))
    histories = history(seed=1), twin, history(seed=3)
    short = question("B", Side.SELL, 1000)
    assert judge(TIGHT, Book([1000.0, 0.0, 0.0]), short, *histories) == []
    assert judge(TIGHT, Book([0.0, 0.0, 0.0]), short, *histories) != []


def test_what_is_on_its_way_counts_as_it_hurts() -> None:
    limits = VarLimits(max_var=Bound(hard=0.0025))
    asked = question("A", Side.BUY, 1000)
    assert judge(limits, Book([0.0, 0.0, 0.0]), asked) == []
    assert judge(limits, Book([0.0, 0.0, 0.0], buys=[1000.0, 0.0, 0.0]), asked) != []
    assert judge(limits, Book([1000.0, 0.0, 0.0], sells=[1000.0, 0.0, 0.0]), asked) != []  # it may not be sold
    assert judge(limits, Book([0.0, 0.0, 0.0], sells=[1000.0, 0.0, 0.0]), asked) == []  # at worst it is bought


def test_what_stands_is_measured_as_it_is() -> None:
    limits = VarLimits(max_var=Bound(hard=0.0015), max_es=Bound(hard=0.5))
    control, nothing = TailControl(model(limits)), np.zeros(3)
    held = np.array([10_000.0, 0.0, 0.0])
    assert control.standing(nothing, nothing, NOW, nav=NAV) == []
    (breach,) = control.standing(held, held, NOW, nav=NAV)
    assert (breach.rule, breach.level) == ("max_var", "hard")
    assert control.standing(held, nothing, NOW, nav=NAV) == [breach]  # what is sold may not be sold
    assert control.standing(held, held, NOW, nav=2 * NAV) == []


def test_a_tightened_limit_is_a_lower_one() -> None:
    limits = VarLimits(max_var=Bound(hard=0.0025))
    control = TailControl(model(limits))
    asked, book = question("A", Side.BUY, 1000), Book([0.0, 0.0, 0.0])
    assert breaches(control, asked, book, nav=NAV) == []
    (breach,) = breaches(control, asked, book, nav=NAV, tightness=2.0)
    assert breach.limit == "0.00125 of equity (0.0025 of equity tightened by 2)"


def test_the_worst_of_the_stresses_is_held_to_its_limit() -> None:
    limits = VarLimits(max_stress=Bound(hard=0.02), scenarios=(Scenario("jump", {"all": 0.1}), CRASH))
    (breach,) = judge(limits, Book([0.0, 0.0, 0.0]), question("A", Side.BUY, 1001))
    assert (breach.rule, breach.value) == ("max_stress", "0.02002 of equity ($2002; crash)")
    assert judge(limits, Book([0.0, 0.0, 0.0]), question("A", Side.BUY, 1000)) == []
    (short,) = judge(limits, Book([-2000.0, 0.0, 0.0]), question("B", Side.SELL, 1))
    assert short.value == "0.02001 of equity ($2001; jump)"
    assert judge(limits, Book([-3000.0, 0.0, 0.0]), question("B", Side.BUY, 500)) == []


def test_a_stress_counts_what_is_on_its_way_on_its_bad_side() -> None:
    limits = VarLimits(max_stress=Bound(hard=0.02), scenarios=(CRASH,))
    asked = question("A", Side.BUY, 500)
    assert judge(limits, Book([500.0, 0.0, 0.0], sells=[500.0, 0.0, 0.0], buys=[0.0, 1.0, 0.0]), asked) != []
    assert judge(limits, Book([500.0, 0.0, 0.0], sells=[0.0, 500.0, 0.0]), asked) == []


def test_what_is_missing_refuses_an_opening_and_is_named() -> None:
    histories = history(seed=1), Days({}), history(seed=3)
    (breach,) = judge(TIGHT, Book([0.0, 0.0, 0.0]), question("B", Side.BUY, 1), *histories)
    assert (breach.level, breach.value) == ("hard", "unknown: too few days of B are known")
    unmarked = Book([0.0, 5.0, 0.0])
    unmarked.marks[1] = nan
    (breach,) = judge(TIGHT, unmarked, question("A", Side.BUY, 1))
    assert breach.value == "unknown: no mark of B yet"
    assert judge(TIGHT, Book([0.0, 0.0, 0.0]), question("A", Side.BUY, 1), *histories) == []


def test_an_order_that_would_close_what_is_not_known_may_stay_away_so_the_next_one_is_refused_all_the_same() -> None:
    limits = VarLimits(max_es=Bound(hard=0.5))
    control = TailControl(model(limits, Days({}), history(seed=2), history(seed=3)))
    book, closing = Book([-1.0, 1.0, 0.0]), question("A", Side.BUY, 1)
    assert breaches(control, closing, book, nav=NAV) == []
    book.buys[0] += 1.0
    (breach,) = breaches(control, question("B", Side.BUY, 1), book, nav=NAV)
    assert breach.value == "unknown: too few days of A are known"


def test_a_stress_that_says_nothing_of_a_symbol_refuses_to_open_it_unless_it_is_meant_to_stand_still() -> None:
    histories = history(seed=1), Days({}, sigma_day=0.02), history(seed=3)
    rates = Scenario("rates", {"A": -0.1})
    limits = VarLimits(max_stress=Bound(hard=0.5), scenarios=(rates,))
    (breach,) = judge(limits, Book([1.0, 0.0, 0.0]), question("B", Side.BUY, 1), *histories)
    assert breach.value == "unknown: too few days of B are known"
    assert judge(limits, Book([1.0, 0.0, 0.0]), question("C/USD", Side.BUY, 1), *histories) == []
    alone = msgspec.structs.replace(limits, scenarios=(msgspec.structs.replace(rates, is_completed=False),))
    assert judge(alone, Book([1.0, 0.0, 0.0]), question("B", Side.BUY, 1), *histories) == []


def test_without_equity_nothing_is_opened() -> None:
    (breach,) = judge(TIGHT, Book([0.0, 0.0, 0.0]), question("A", Side.BUY, 1), nav=-5.0)
    assert breach.value == "unknown: equity is $-5"


def test_a_day_that_ended_is_seen_with_the_next_minute() -> None:
    days = dict.fromkeys(range(20_200, 20_501), 100.0)
    moving = Days(days)
    seen = model(TIGHT, moving, history(seed=2), history(seed=3))
    first = seen.at(NOW)
    assert seen.at(NOW + MINUTE) is first
    moving.__init__({**days, 20_501: 50.0})  # type: ignore[misc]
    assert seen.at(NOW + MINUTE + 1) is first
    assert seen.at(NOW + 2 * MINUTE) is not first


def test_orders_before_and_after_the_end_of_a_day_are_each_judged_by_the_days_of_their_time() -> None:
    days = dict(enumerate(np.geomspace(100.0, 110.0, 301), 20_200))
    moving = Days(days)
    seen = model(TIGHT, moving, moving, moving)
    kept, book, asked = TailControl(seen), Book([0.0, 0.0, 0.0]), question("A", Side.BUY, 10)
    assert breaches(kept, asked, book, nav=NAV) == []
    moving.__init__({**days, 20_501: 50.0})  # type: ignore[misc]
    later = msgspec.structs.replace(asked, now=NOW + 2 * MINUTE)
    assert breaches(kept, later, book, nav=300.0) == breaches(TailControl(seen), later, book, nav=300.0) != []


def test_limits_are_a_value_that_can_be_written_and_read() -> None:
    limits = VarLimits(max_var=Bound(hard=0.02, soft=0.01), scenarios=(CRASH,), method="historical")
    assert msgspec.json.decode(msgspec.json.encode(limits), type=VarLimits) == limits


@pytest.mark.parametrize("method", ["parametric", "historical", "cornish-fisher"])
def test_orders_of_one_step_are_answered_as_if_everything_was_measured_for_each(method: str) -> None:
    limits = VarLimits(
        max_var=Bound(0.0003), max_es=Bound(0.0004), max_stress=Bound(0.004), scenarios=(CRASH,),
        method=method,  # type: ignore[arg-type]
    )  # fmt: skip
    dice, refused = np.random.default_rng(7), 0
    for _ in range(20):
        book = Book([float(qty) for qty in dice.integers(-50, 50, 3)])
        kept = TailControl(model(limits))
        for _ in range(12):
            side = Side.BUY if dice.random() < 0.5 else Side.SELL
            asked = question(book.symbols[int(dice.integers(3))], side, int(dice.integers(1, 60)))
            answer = breaches(kept, asked, book, nav=NAV)
            assert [one.rule for one in answer] == [one.rule for one in judge(limits, book, asked)]
            refused += bool(answer)
            if not answer:  # it is on its way from then on
                unfilled = book.buys if side is Side.BUY else book.sells
                unfilled[book.index[asked.intent.symbol]] += float(asked.intent.qty)
    assert refused > 20
