"""The gate and an independent slow program say the same of every order."""

from collections import Counter

import pytest

from tests.risk.trial import ORDERS_A_DESK, try_desks
from trader.risk.orders import CODES, MEASURES
from trader.risk.rings import MEASURED

ORDERS = 20_000


@pytest.fixture(scope="module")
def said() -> Counter[str]:
    words: Counter[str] = Counter()
    for tally in try_desks(0, -(-ORDERS // ORDERS_A_DESK)):
        words += tally.said
    return words


def test_gate_and_oracle_agree_on_every_order(said: Counter[str]) -> None:
    assert said.total() >= ORDERS


def test_every_rule_on_orders_and_exposure_was_met(said: Counter[str]) -> None:
    rules = {CODES.get(name, name) for name in MEASURES} | set(MEASURED) | {"min_equity", "min_cash_buffer", "nav"}
    rules |= {"max_sector", "max_category", "max_class", "restricted", "not_allowed", "unauthorized", "reduce_only"}
    assert rules - set(said) <= {"max_equity_multiple"}  # looser than any other limit on the same
