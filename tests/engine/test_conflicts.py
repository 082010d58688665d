"""What the venue would refuse: opposite orders by its table, positions that would go through zero, locked symbols."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.engine.conflicts import OrderType, is_refused, passing, surely_held
from trader.model.events import SymbolLocked
from trader.model.orders import Side

TABLE: list[tuple[OrderType, OrderType, bool]] = [
    ("market", "market", True), ("market", "limit", True), ("stop", "stop_limit", True), ("stop", "market", True),
    ("limit", "market", True), ("stop_limit", "stop", True), ("trailing_stop", "market", False),
    ("market", "trailing_stop", False), ("trailing_stop", "limit", False),
]  # fmt: skip


@pytest.mark.parametrize(("standing", "new", "refused"), TABLE)
@pytest.mark.parametrize("limits_meet", [True, False])
def test_who_trades_at_any_price_is_refused_and_refuses_but_never_a_trailing_stop(
    standing: OrderType, new: OrderType, *, refused: bool, limits_meet: bool
) -> None:
    assert is_refused(standing, new, limits_meet=limits_meet) is refused


@pytest.mark.parametrize("limits_meet", [True, False])
def test_two_limits_are_refused_where_they_meet(*, limits_meet: bool) -> None:
    assert is_refused("limit", "stop_limit", limits_meet=limits_meet) is limits_meet


def going(qty: str, side: Side, *, account: str, taken: str = "0", is_stock: bool = True) -> Decimal:
    return passing(Decimal(qty), side, account=Decimal(account), taken=Decimal(taken), is_stock=is_stock)


def test_what_closes_the_accounts_position_stops_at_zero() -> None:
    assert going("10", Side.SELL, account="6") == 6
    assert going("10", Side.BUY, account="-4") == 4
    assert going("5", Side.SELL, account="6") == 5


def test_what_others_are_to_close_is_not_free() -> None:
    assert going("10", Side.SELL, account="6", taken="4") == 2
    assert going("10", Side.SELL, account="6", taken="6") == 0


def test_what_opens_goes_as_a_whole_and_shorts_in_whole_shares() -> None:
    assert going("10.5", Side.BUY, account="3", taken="1") == Decimal("10.5")
    assert going("10.5", Side.SELL, account="0") == 10
    assert going("0.5", Side.SELL, account="-3") == 0
    assert going("0.5", Side.SELL, account="0", is_stock=False) == Decimal("0.5")


signed = st.decimals("-500", "500", places=2)
positive = st.decimals("0.01", "500", places=2)


@given(qty=positive, side=st.sampled_from(Side), account=signed, taken=st.decimals("0", "500", places=2))
def test_no_order_is_made_larger_and_none_goes_through_zero(
    qty: Decimal, side: Side, account: Decimal, taken: Decimal
) -> None:
    passed = passing(qty, side, account=account, taken=taken, is_stock=True)
    assert 0 <= passed <= qty
    if account * side.sign < 0:
        assert (account + side.sign * (passed + min(taken, abs(account)))) * account >= 0


def surely(held: str, expected: str, booked: str) -> Decimal:
    lock = SymbolLocked(0, "SPY", Decimal(held), Decimal(expected), "three readings agree")
    return surely_held(lock, Decimal(booked))


def test_a_locked_symbol_has_what_the_account_showed_less_what_was_sold_since() -> None:
    assert surely("6", "10", "10") == 6
    assert surely("6", "10", "7") == 3
    assert surely("6", "10", "2") == 0
    assert surely("-6", "-10", "-9") == -5


def test_a_reading_that_shows_more_than_the_books_may_be_the_wrong_one() -> None:
    assert surely("90", "87", "87") == 87
    assert surely("-90", "-87", "-80") == -80
    assert surely("90", "-10", "-10") == 0
    assert surely("90", "0", "0") == 0


def test_what_was_booked_onto_a_locked_symbol_is_not_counted_on() -> None:
    assert surely("6", "10", "15") == 6
    assert surely("0", "10", "10") == 0
