"""The gate and an independent slow program say the same of every order."""

import pytest

from tests.risk.trial import ORDERS_A_DESK, Tally, try_desks
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
