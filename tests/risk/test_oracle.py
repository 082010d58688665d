"""The gate and an independent slow program say the same of every order."""

import itertools
from fractions import Fraction

import pytest

from tests.risk.desks import ZERO, Bound, Desk, Order, Sandbox, Symbol
from tests.risk.oracle import judge
from tests.risk.real_gate import RealGate, question_of
from tests.risk.trial import ORDERS_A_DESK, Tally, try_desks
from trader.model.orders import Denied
from trader.risk.conduct import ConductOfAccount, ConductOfOne
from trader.risk.orders import CODES, MEASURES
from trader.risk.rings import MEASURED

ORDERS = 20_000


@pytest.fixture(scope="module")
def total() -> Tally:
    total = Tally()
    for tally in try_desks(0, -(-ORDERS // ORDERS_A_DESK)):
        total.add(tally)
    return total


def test_gate_and_oracle_agree_on_every_order(total: Tally) -> None:
    assert total.orders >= ORDERS


def test_every_rule_was_broken(total: Tally) -> None:
    rules = {CODES.get(name, name) for name in MEASURES} | set(MEASURED) | {"min_equity", "min_cash_buffer", "nav"}
    rules |= {*ConductOfAccount.__struct_fields__, *ConductOfOne.__struct_fields__, "max_var", "max_es", "max_stress"}
    rules |= {"max_sector", "max_category", "max_class", "restricted", "not_allowed", "unauthorized", "reduce_only"}
    rules -= {"loss_streak_pause_s", "intraday_margin"}  # no rule, and one with a test of its own
    assert not rules - set(total.broken)


def test_some_orders_are_approved_some_with_a_warning_and_all_reductions(total: Tally) -> None:
    assert total.said["approved"] > ORDERS // 10
    assert total.said["reduction"] > ORDERS // 10
    assert sum(count for word, count in total.said.items() if word.startswith("soft ")) > ORDERS // 100


def test_the_strategies_of_a_group_may_stand_in_any_order() -> None:
    names = ("one", "two", "three", "four")
    for order in itertools.permutations(names):  # where first and last were the desk's, those between changed places
        held = {name: {"AAA": Fraction(5 * place)} for place, name in enumerate(names)}
        none = {"AAA": ZERO}
        boxes = {name: Sandbox(name, Fraction(10_000), held[name], none, none) for name in names}
        for box in boxes.values():
            box.limits["max_position_size"] = Fraction(1)
        group = {"strategies": order, "max_position": Bound(Fraction(3, 100))}
        desk = Desk({"AAA": Symbol("AAA", Fraction(100))}, boxes, risk={"groups": {"all": group}})
        gate = RealGate(desk).gate
        for name in names:
            asked = Order(name, "AAA", is_buy=True, qty=Fraction(1), price=Fraction(100))
            is_denied = isinstance(gate.check(question_of(desk, asked)), Denied)
            assert is_denied is bool(judge(desk, asked).hard) is (name == "four")
