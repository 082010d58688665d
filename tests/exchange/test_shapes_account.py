"""Positions, rows of the ledger and accounts are written as Alpaca writes them."""

from decimal import Decimal

from msgspec import structs

from trader.access.sim.accounts import Account, AccountRules, Position
from trader.access.sim.venue_orders import Activity
from trader.exchange.shapes_account import account_json, activity_json, position_json
from trader.model.orders import Side
from trader.model.time import parse_time

T0 = parse_time("2026-01-06T02:30:00")  # the evening of the fifth in New York
FILL = Activity(
    id="20260106023000000::x",
    activity_type="FILL",
    ts=T0,
    order_id="o",
    symbol="SPY",
    qty=Decimal(2),
    net_amount=Decimal(-900),
    side=Side.BUY,
    price=Decimal(450),
    cum_qty=Decimal(2),
    leaves_qty=Decimal(3),
    order_status="partially_filled",
)


def account(qty: str, cost: str, price: Decimal | None = None) -> Account:
    books = Account("a", Decimal(1000), AccountRules(), price_of=lambda _symbol: price)
    books.positions["FB"] = Position(Decimal(qty), Decimal(cost))
    return books


def test_a_short_position_is_written_as_one_that_was_recorded() -> None:
    price = Decimal("199.22")
    books = account("-100", "19840", price)
    written = position_json(books, "FB", price=price, last_day=Decimal("195.76"), closed_at=T0)
    recorded = {
        "qty": "-100",
        "avg_entry_price": "198.4",
        "side": "short",
        "market_value": "-19922",
        "cost_basis": "-19840",
        "unrealized_pl": "-82",
        "current_price": "199.22",
        "lastday_price": "195.76",
    }
    assert {name: written[name] for name in recorded} == recorded
    assert str(written["unrealized_plpc"]).startswith("-0.0041330645161")
    assert str(written["change_today"]).startswith("0.0176747037188")


def test_a_position_nobody_has_a_price_for_is_worth_what_it_cost() -> None:
    written = position_json(account("3", "10"), "FB", price=None, last_day=None, closed_at=T0)
    assert (written["market_value"], written["unrealized_pl"], written["change_today"]) == ("10", "0", "0")
    assert written["avg_entry_price"] == written["current_price"] == "3.333333333"


def test_an_account_of_a_short_position_has_a_negative_value_of_it() -> None:
    written = account_json(account("-2", "100", Decimal(60)), last_equity=Decimal(1000), since=T0)
    assert (written["short_market_value"], written["long_market_value"]) == ("-120", "0")
    assert (written["initial_margin"], written["maintenance_margin"]) == ("60", "36")
    assert written["balance_asof"] == "2026-01-05"
    assert written["account_number"] == "a"


def test_an_execution_tells_what_it_leaves() -> None:
    written = activity_json(FILL)
    assert (written["type"], written["leaves_qty"], written["cum_qty"]) == ("partial_fill", "3", "2")
    assert activity_json(structs.replace(FILL, order_status="filled"))["type"] == "fill"
    assert "previous_id" not in written


def test_a_row_that_takes_back_another_names_it() -> None:
    bust = structs.replace(FILL, execution_type="trade_bust", previous_id="p")
    assert activity_json(bust)["previous_id"] == "p"


def test_a_fee_has_the_day_of_new_york() -> None:
    fee = structs.replace(FILL, activity_type="FEE", net_amount=Decimal("-0.01"), qty=Decimal(0), price=None)
    written = activity_json(fee)
    assert (written["date"], written["net_amount"], written["activity_type"]) == ("2026-01-05", "-0.01", "FEE")


def test_a_split_tells_the_shares_before_and_after() -> None:
    split = structs.replace(FILL, activity_type="SPLIT", qty=Decimal(4), old_qty=Decimal(2), new_qty=Decimal(6))
    written = activity_json(split)
    assert (written["qty"], written["old_qty"], written["new_qty"]) == ("4", "2", "6")
