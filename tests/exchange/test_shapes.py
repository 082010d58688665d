"""Orders, updates, positions, rows of the ledger and accounts are written as Alpaca writes them."""

from decimal import Decimal

from msgspec import structs

from trader.access.alpaca.wire_trading import TradeUpdateMessage, decode_trading, encode_trading, jsonable
from trader.access.sim.accounts import Account, AccountRules, Position
from trader.access.sim.venue_orders import Activity, TradeUpdate, VenueOrder
from trader.exchange.shapes import account_json, activity_json, asset_id, order_json, position_json, update_message
from trader.model.orders import Side
from trader.model.time import parse_time

T0 = parse_time("2026-01-05T14:30:00")
ORDER = VenueOrder(
    id="61e69015-8549-4bfd-b9c3-01e75843f47d",
    client_order_id="mine",
    symbol="BTC/USD",
    asset_class="crypto",
    side=Side.BUY,
    type="limit",
    time_in_force="gtc",
    position_intent="buy_to_open",
    status="partially_filled",
    created_at=T0,
    updated_at=T0 + 1,
    submitted_at=T0,
    qty=Decimal("0.000000100"),
    limit_price=Decimal("91000.50"),
    filled_qty=Decimal("1E-9"),
)


def test_an_order_has_every_key_and_its_amounts_as_strings() -> None:
    written = jsonable(order_json(ORDER))
    assert written["qty"] == "0.0000001"
    assert written["filled_qty"] == "0.000000001"
    assert written["limit_price"] == "91000.5"
    assert written["updated_at"] == "2026-01-05T14:30:00.000000001Z"
    assert (written["symbol"], written["asset_class"], written["side"]) == ("BTC/USD", "crypto", "buy")
    assert (written["order_class"], written["type"], written["order_type"]) == ("", "limit", "limit")
    assert written["filled_at"] is written["legs"] is written["notional"] is None
    assert written["asset_id"] == asset_id("BTC/USD") != asset_id("ETH/USD")


def test_a_fill_carries_its_own_price_and_quantity_and_the_account_s_position() -> None:
    fill = TradeUpdate("a", "fill", ORDER, T0, "x", Decimal(91000), Decimal("1e-9"), Decimal(-3))
    read = decode_trading(encode_trading(TradeUpdateMessage(update_message(fill))))
    assert isinstance(read, TradeUpdateMessage)
    update = read.data
    assert (update.event, update.execution_id, update.timestamp) == ("fill", "x", "2026-01-05T14:30:00Z")
    assert (update.price, update.qty, update.position_qty) == (Decimal(91000), Decimal("1e-9"), Decimal(-3))
    assert update.order == order_json(ORDER)


def test_an_update_has_an_execution_id_from_the_moment_the_market_has_seen_the_order() -> None:
    told = {event: update_message(TradeUpdate("a", event, ORDER, T0)) for event in ("pending_new", "accepted", "new")}
    assert told["pending_new"].execution_id is told["accepted"].execution_id is None
    assert told["new"].execution_id


def test_event_ids_sort_by_time_and_differ() -> None:
    made = [
        update_message(TradeUpdate("a", event, ORDER, T0 + late)).event_id or ""
        for late in (0, 10**9)
        for event in ("new", "canceled")
    ]
    assert len(set(made)) == 4
    assert max(made[:2]) < min(made[2:])
    assert {len(one) for one in made} == {26}


def test_a_bust_names_the_execution_it_takes_back() -> None:
    bust = TradeUpdate("a", "trade_bust", ORDER, T0, "y", Decimal(1), Decimal(1), Decimal(0), previous_execution_id="x")
    written = jsonable(update_message(bust))
    assert (written["event"], written["execution_id"], written["previous_execution_id"]) == ("trade_bust", "y", "x")


def test_an_order_of_a_class_shows_its_legs() -> None:
    legs = (structs.replace(ORDER, id="a", parent=ORDER.id), structs.replace(ORDER, id="b", parent=ORDER.id))
    parent = structs.replace(ORDER, order_class="bracket", legs=("a", "b"))
    written = jsonable(order_json(parent, legs=legs))
    assert written["order_class"] == "bracket"
    assert isinstance(written["legs"], list)
    assert [leg["id"] for leg in written["legs"]] == ["a", "b"]
    assert jsonable(order_json(parent))["legs"] is None


EVENING = parse_time("2026-01-06T02:30:00")  # the evening of the fifth in New York
FILL = Activity(
    id="20260106023000000::x",
    activity_type="FILL",
    ts=EVENING,
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
    written = position_json(books, "FB", price=price, last_day=Decimal("195.76"), closed_at=EVENING)
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
    written = position_json(account("3", "10"), "FB", price=None, last_day=None, closed_at=EVENING)
    assert (written["market_value"], written["unrealized_pl"], written["change_today"]) == ("10", "0", "0")
    assert written["avg_entry_price"] == written["current_price"] == "3.333333333"


def test_an_account_of_a_short_position_has_a_negative_value_of_it() -> None:
    written = account_json(account("-2", "100", Decimal(60)), last_equity=Decimal(1000), since=EVENING)
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
