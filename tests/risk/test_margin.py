"""The intraday-margin rule: what the broker may demand in the worst case, over the equity."""

import math
from collections.abc import Sequence
from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.risk.test_conduct import ENTRY, NOW, STANDING, Held
from trader.model.instruments import instrument_of
from trader.model.orders import OrderIntent, Side
from trader.model.views import Market, Question
from trader.risk.limits import reservation_of
from trader.risk.margin import IntradayMargin
from trader.risk.opening import opening_of

SHORT = msgspec.structs.replace(ENTRY, side=Side.SELL)
COIN = msgspec.structs.replace(ENTRY, symbol="BTC/USD", qty=Decimal(1), decision_price=Decimal(1000))

CASES: dict[str, tuple[Held, OrderIntent, float]] = {
    "a long stock needs 30 %": (Held(), ENTRY, 0.03),
    "a short one of $100 too": (Held(-20, cash=12_000), SHORT, 0.09),
    "a short one of $10 needs $5 a share": (Held(-90, mark=10, cash=10_900), SHORT, 0.05),
    "a penny stock needs all of it": (Held(mark=2), ENTRY, 0.002),
    "what is held as coins is no collateral": (Held(0, 5.0, cash=5_000), ENTRY, 0.06),
    "nor is what a coin will cost": (Held(30, cash=7_000), COIN, 0.1),
    "without equity there is no part of it": (Held(cash=0), ENTRY, math.inf),
}


def after(margin: IntradayMargin, intent: OrderIntent) -> float:
    question = Question(intent, "o1", instrument_of(intent.symbol), STANDING, Market(), NOW)
    return margin.after(opening_of(question, Held().index[intent.symbol], reservation_of(intent)))


@pytest.mark.parametrize("case", CASES)
def test_the_demand_is_a_part_of_the_equity(case: str) -> None:
    held, intent, expected = CASES[case]
    assert after(IntradayMargin(held), intent) == pytest.approx(expected, rel=1e-12)


def test_only_what_is_held_or_on_its_way_needs_a_mark() -> None:
    held = Held()
    held.marks[1] = math.nan
    assert after(IntradayMargin(held), ENTRY) == pytest.approx(0.03)
    assert math.isnan(after(IntradayMargin(held), COIN))
    assert math.isnan(after(IntradayMargin(Held(10, mark=math.nan)), COIN))


def test_new_marks_are_seen() -> None:
    held = Held()
    margin = IntradayMargin(held)
    assert after(margin, ENTRY) == after(margin, ENTRY) == pytest.approx(0.03)
    held.marks, held.version = np.array([200.0, 1000.0]), 1
    assert after(margin, ENTRY) == pytest.approx(0.06)


_AMOUNTS = st.lists(st.integers(-50, 50), min_size=6, max_size=6)


@given(_AMOUNTS, st.sampled_from([1.0, 3.0, 12.0, 100.0]), st.sampled_from([ENTRY, SHORT, COIN]))
def test_the_demand_is_that_of_the_worst_of_all_ways_orders_can_fill(
    amounts: Sequence[int], mark: float, intent: OrderIntent
) -> None:
    held = Held(amounts[0], abs(amounts[1]), mark=mark, cash=1e6)
    held.buys, held.sells = np.abs(amounts[2:4]).astype(float), np.array([abs(amounts[4]), 0.0])
    place, qty = held.index[intent.symbol], float(intent.qty)
    buys, sells = held.buys.copy(), held.sells.copy()
    (buys if intent.side is Side.BUY else sells)[place] += qty
    ways = [amounts[0] + buys[0], amounts[0] - sells[0]]
    demand = max(_demand(shares, mark) for shares in ways)
    equity = 1e6 + amounts[0] * mark - buys[1] * 1000.0
    assert after(IntradayMargin(held), intent) == pytest.approx(demand / equity, rel=1e-9, abs=1e-12)


@given(st.lists(st.tuples(st.sampled_from([ENTRY, SHORT, COIN]), st.booleans()), max_size=6), st.booleans())
def test_after_some_orders_it_is_what_a_new_look_finds(
    orders: Sequence[tuple[OrderIntent, bool]], is_short: bool
) -> None:
    held = Held(-30 if is_short else 30, 2, cash=20_000)
    margin = IntradayMargin(held)
    for intent, is_let_pass in orders:
        assert after(margin, intent) == pytest.approx(after(IntradayMargin(held), intent))
        if is_let_pass:
            side = held.buys if intent.side is Side.BUY else held.sells
            side[held.index[intent.symbol]] += float(intent.qty)
            margin.count()


def _demand(shares: float, mark: float) -> float:
    if shares >= 0:
        return shares * mark * (1.0 if mark < 2.5 else 0.3)
    return -shares * max(0.3 * mark, 5.0)
