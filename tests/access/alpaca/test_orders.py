"""Which orders are open, which somebody has to ask about, and which are forgotten."""

import pytest

from tests.access.alpaca.test_tracker import approved, message
from trader.access.alpaca.orders import OVERDUE, Orders
from trader.model.orders import OrderStatus


def test_an_order_is_open_from_before_it_is_sent_and_is_sent_once() -> None:
    orders = Orders()
    first, second = orders.watch(approved("t-1"), 1), orders.watch(approved("t-2"), 2)
    assert orders.open() == [first, second]
    with pytest.raises(AssertionError, match="sent before"):
        orders.watch(approved("t-1"), 3)


def test_what_is_missing_is_asked_for_at_longer_and_longer_intervals() -> None:
    orders = Orders()
    one = orders.watch(approved(), 0)
    one.doubted_since = 5
    assert orders.wants_recovery(4 + OVERDUE) == []
    for tries, factor in ((0, 1), (1, 3), (2, 7), (5, 63), (9, 63)):
        one.tries = tries
        assert orders.wants_recovery(4 + factor * OVERDUE) == []
        assert orders.wants_recovery(5 + factor * OVERDUE) == [one]


def test_a_rejected_order_that_lives_at_the_venue_is_resurrected_until_it_is_called_off() -> None:
    orders = Orders()
    one = orders.watch(approved(), 0)
    one.status = OrderStatus.REJECTED
    assert orders.resurrected() == []
    one.see(message())
    assert orders.resurrected() == [one]
    one.is_called_off = True
    assert orders.resurrected() == []


def test_an_order_that_was_not_understood_is_to_be_read() -> None:
    orders = Orders()
    one = orders.watch(approved(), 0)
    assert orders.wants_lookup() == []
    one.needs_lookup = True
    assert orders.wants_lookup() == [one]
