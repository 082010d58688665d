"""Orders and updates are written as Alpaca writes them."""

from decimal import Decimal

from msgspec import structs

from trader.access.alpaca.wire_trading import TradeUpdateMessage, decode_trading, encode_trading, jsonable
from trader.access.sim.venue_orders import TradeUpdate, VenueOrder
from trader.exchange.shapes import asset_id, order_json, update_message
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
