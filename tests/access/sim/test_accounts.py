"""An account's books: cash, positions, what is held and claimed, and the ledger that explains them."""

from decimal import Decimal

import pytest

from tests.access.sim.floor import Floor, quoted
from trader.access.sim.accounts import Account, AccountRules
from trader.access.sim.venue_orders import Activity, VenueOrder
from trader.model.orders import Side

LIMIT = {"type": "limit", "limit_price": "105"}


def test_a_buy_takes_the_cash_and_averages_the_entry() -> None:
    floor = quoted()
    floor.order(qty="10")
    floor.quote(109.99, 110.01)
    floor.order(qty="30")
    assert floor.account.cash == Decimal(100_000) - Decimal("1000.10") - Decimal("3300.30")
    assert floor.account.positions["SPY"].avg_entry_price == Decimal("107.51")
    floor.order(side="sell", qty="15")
    assert floor.account.positions["SPY"].avg_entry_price == Decimal("107.51")
    assert floor.account.qty("SPY") == 25


def test_a_short_brings_cash_and_is_a_negative_position() -> None:
    floor = quoted()
    floor.order(side="sell")
    assert floor.account.cash == Decimal("100999.90")
    assert floor.account.positions["SPY"].qty == -10
    assert floor.account.positions["SPY"].avg_entry_price == Decimal("99.99")
    assert floor.account.equity == Decimal("100999.90") - 1000
    floor.order(qty="10")
    assert floor.account.positions == {}
    assert floor.account.cash == Decimal("99999.80")


def test_available_is_the_position_less_what_open_orders_will_close() -> None:
    floor = quoted()
    floor.order()
    order = floor.order(side="sell", qty="4", **LIMIT)
    assert floor.account.held_for_orders("SPY") == 4
    assert floor.account.available("SPY") == 6
    assert floor.account.available("SPY", apart_from=order) == 10
    assert floor.account.available("ODD") == 0


def test_margin_doubles_the_buying_power_and_coins_are_no_collateral() -> None:
    floor = quoted()
    assert floor.account.buying_power() == 200_000
    assert floor.account.non_marginable_buying_power() == 100_000
    floor.order("BTC/USD", notional="60010", time_in_force="gtc")
    assert floor.account.buying_power() == 2 * (100_000 - 60_010)
    assert floor.account.equity == 100_000 - 60_010 + Decimal(60_005)


def test_a_cash_account_spends_its_cash_and_a_small_one_gets_no_margin() -> None:
    assert quoted(multiplier=Decimal(1)).account.buying_power() == 100_000
    assert quoted(cash=Decimal(1999)).account.buying_power() == 1999


def test_stocks_and_shorts_use_buying_power_by_their_value() -> None:
    floor = quoted()
    floor.order(qty="100")
    assert floor.account.buying_power() == 2 * Decimal(99_999) - 10_000
    floor.order("ODD", qty="10")
    floor.order(side="sell", qty="100")
    floor.order(side="sell", qty="100")
    equity = floor.account.equity
    assert floor.account.buying_power() == 2 * equity - 10_000 - 500


def test_a_position_without_a_market_price_is_worth_what_it_cost() -> None:
    for side, worth in ((Side.BUY, 100), (Side.SELL, -100)):
        account = Account("a", Decimal(1000), AccountRules(), price_of=lambda _: None)
        account.book([Activity("x", "FILL", 0, "o", "SPY", Decimal(1), Decimal(0), side, Decimal(100))])
        assert account.equity == 1000 + worth


def test_what_has_ended_never_changes() -> None:
    floor = quoted()
    order: VenueOrder = floor[floor.order()]
    with pytest.raises(AssertionError, match="has ended"):
        floor.account.keep(order)


def test_the_books_notice_cash_and_shares_that_nothing_explains() -> None:
    floor = quoted()
    floor.order()
    floor.account.cash += 1
    with pytest.raises(AssertionError):
        floor.account.check()
    floor.account.cash -= 1
    del floor.account.positions["SPY"]
    with pytest.raises(AssertionError, match="10 executed, 0 held"):
        floor.account.check()


def test_no_execution_takes_a_position_through_zero() -> None:
    floor: Floor = quoted()
    floor.order()
    row = Activity("x", "FILL", 0, "o", "SPY", Decimal(11), Decimal(0), Side.SELL, Decimal(100))
    with pytest.raises(AssertionError, match="cross through zero"):
        floor.account.book([row])
