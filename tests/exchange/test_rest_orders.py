"""Orders over REST: read as Alpaca reads them, found, listed, replaced and canceled."""

from decimal import Decimal
from typing import Any

import pytest

from tests.exchange.desks import Floor
from trader.exchange.rest_orders import MOST_ORDERS
from trader.model.time import MINUTE, iso

LIMIT: dict[str, Any] = {"type": "limit", "limit_price": 400}


async def resting(floor: Floor, count: int = 3, **parts: Any) -> list[str]:
    """Send limit orders a minute apart; return their ids."""
    ids = []
    for _ in range(count):
        ids.append((await floor.order(**(LIMIT | parts))).body["id"])
        floor.now += MINUTE
    return ids


async def listed(floor: Floor, **query: Any) -> list[str]:
    return [order["id"] for order in await floor.get("/v2/orders", **query)]


async def test_numbers_strings_and_unknown_fields_are_taken() -> None:
    floor = Floor()
    for qty, price in ((1, 400), ("1", "400.00"), (1.0, 4e2)):
        answer = await floor.order(qty=qty, type="limit", limit_price=price, extended_hours="True", novelty={"a": 1})
        order = answer.body
        assert (order["qty"], order["limit_price"], order["extended_hours"]) == ("1", "400", True)


async def test_digits_beyond_the_ninth_are_cut_without_a_word() -> None:
    answer = await Floor().order("BTC/USD", qty=b"0.30000000000000004".decode())
    assert answer.body["qty"] == "0.3"


async def test_a_coin_may_be_spelled_without_its_slash() -> None:
    floor = Floor()
    assert (await floor.order("BTCUSD", "0.01", time_in_force="gtc")).body["symbol"] == "BTC/USD"
    assert len(await listed(floor, status="all", symbols="BTCUSD")) == 1


async def test_the_side_may_follow_from_the_intent() -> None:
    floor = Floor()
    assert (await floor.order(side="", position_intent="buy_to_open")).body["side"] == "buy"
    wrong = await floor.order(side="sell", position_intent="sell_to_open")
    assert (wrong.status, wrong.body["code"]) == (422, 42210000)
    assert wrong.body["message"] == "position intent mismatch, inferred: sell_to_close, specified: sell_to_open"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"symbol": None}, "symbol is required"),
        ({"side": None}, "side is required"),
        ({"side": "short"}, "invalid side"),
        ({"position_intent": "open"}, "invalid position_intent"),
        ({"type": None}, "invalid order type"),
        ({"qty": "many"}, "invalid qty"),
        ({"take_profit": 5}, "invalid take_profit"),
        ({"client_order_id": 7}, "invalid client_order_id"),
        ({"qty": None}, "qty or notional is required"),
        ({"notional": "5"}, "only one of qty or notional is accepted"),
    ],
)
async def test_a_field_that_is_missing_or_wrong_is_named(parts: dict[str, Any], words: str) -> None:
    body = {"symbol": "SPY", "qty": 1, "side": "buy", "type": "market", "time_in_force": "day"} | parts
    answer = await Floor().call("POST", "/v2/orders", json=body)
    assert (answer.status, answer.body["code"], answer.body["message"]) == (422, 40010001, words)


async def test_refusals_carry_their_further_fields() -> None:
    answer = await Floor().order(qty=1000)
    assert answer.status == 403
    assert answer.body.keys() == {"code", "message", "buying_power", "cost_basis"}


async def test_orders_are_refused_while_their_owner_suspends_trade() -> None:
    floor = Floor()
    await floor.call("PATCH", "/v2/account/configurations", json={"suspend_trade": True})
    assert (await floor.order()).body["code"] == 40310000
    await floor.call("PATCH", "/v2/account/configurations", json={"suspend_trade": False, "fractional_trading": False})
    assert (await floor.order()).status == 200
    assert (await floor.order(qty=0.5)).status == 403
    assert (await floor.order("BTC/USD", 0.01)).status == 200


async def test_the_newest_open_orders_come_first_and_no_more_than_asked_for() -> None:
    floor = Floor()
    first, second, third = await resting(floor)
    await floor.call("DELETE", f"/v2/orders/{second}")
    assert await listed(floor) == [third, first]
    assert await listed(floor, status="closed") == [second]
    assert await listed(floor, status="all", direction="asc", limit=2) == [first, second]


async def test_lists_are_cut_at_times_exclusively() -> None:
    floor = Floor()
    begin = floor.now
    first, second, third = await resting(floor)
    assert await listed(floor, after=iso(begin)) == [third, second]
    assert await listed(floor, until=iso(begin + 2 * MINUTE)) == [second, first]
    assert await listed(floor, after=iso(begin), until=iso(begin + 2 * MINUTE)) == [second]


@pytest.mark.parametrize("direction", ["asc", "desc"])
async def test_lists_are_cut_at_orders_exclusively(direction: str) -> None:
    floor = Floor()
    first, second, third = await resting(floor)
    assert await listed(floor, before_order_id=second, direction=direction) == [first]
    assert await listed(floor, after_order_id=second, direction=direction) == [third]


async def test_an_order_to_cut_at_must_exist_and_stand_alone() -> None:
    floor = Floor()
    first, *_ = await resting(floor, 1)
    assert (await floor.call("GET", "/v2/orders", before_order_id="none")).status == 404
    for query in ({"after_order_id": first}, {"after": iso(floor.now)}):
        assert (await floor.call("GET", "/v2/orders", before_order_id=first, **query)).status == 422


async def test_lists_are_narrowed_by_symbol_side_and_class() -> None:
    floor = Floor()
    (spy,) = await resting(floor, 1)
    (apple,) = await resting(floor, 1, symbol="AAPL", limit_price=100)
    coin = (await floor.order("BTC/USD", 0.01, type="limit", limit_price=80_000)).body["id"]
    assert await listed(floor, symbols="SPY,AAPL") == [apple, spy]
    assert await listed(floor, asset_class="crypto") == [coin]
    assert await listed(floor, side="sell") == []


async def test_a_limit_beyond_five_hundred_is_refused() -> None:
    assert (await Floor().call("GET", "/v2/orders", limit=MOST_ORDERS + 1)).status == 422


async def test_an_order_is_found_by_the_id_its_owner_gave_it() -> None:
    floor = Floor()
    await floor.order(client_order_id="a b/c")
    found = await floor.get("/v2/orders:by_client_order_id", client_order_id="a b/c")
    assert found["client_order_id"] == "a b/c"
    assert (await floor.call("GET", "/v2/orders:by_client_order_id")).status == 422
    missing = await floor.call("GET", "/v2/orders:by_client_order_id", client_order_id="z")
    assert (missing.status, missing.body["code"]) == (404, 40410000)


async def test_a_canceled_order_answers_with_nothing_and_one_that_was_filled_with_its_state() -> None:
    floor = Floor()
    (order_id,) = await resting(floor, 1)
    gone = await floor.call("DELETE", f"/v2/orders/{order_id}")
    assert (gone.status, gone.body) == (204, b"")
    filled = (await floor.order()).body["id"]
    answer = await floor.call("DELETE", f"/v2/orders/{filled}")
    assert answer.body == {"code": 42210000, "message": 'order is already in "filled" state'}
    assert (await floor.call("DELETE", "/v2/orders/none")).status == 404


async def test_a_replacement_answers_with_the_new_order() -> None:
    floor = Floor()
    (order_id,) = await resting(floor, 1)
    answer = await floor.call(
        "PATCH", f"/v2/orders/{order_id}", json={"limit_price": "401.5", "client_order_id": "new"}
    )
    assert (answer.body["replaces"], answer.body["limit_price"]) == (order_id, "401.5")
    assert answer.body["client_order_id"] == "new"
    again = await floor.call("PATCH", f"/v2/orders/{order_id}", json={"qty": 2})
    assert (again.status, again.body["message"]) == (422, "only open orders can be replaced")


async def test_what_expired_meanwhile_is_shown_expired() -> None:
    floor = Floor()
    (order_id,) = await resting(floor, 1)
    floor.now += 24 * 60 * MINUTE
    assert (await floor.get(f"/v2/orders/{order_id}"))["status"] == "expired"
    assert await listed(floor) == []
    assert floor.venue.accounts["first"].cash == Decimal(100_000)


BRACKET: dict[str, Any] = {
    "type": "limit",
    "limit_price": 400,
    "order_class": "bracket",
    "take_profit": {"limit_price": "500"},
    "stop_loss": {"stop_price": 380.5, "limit_price": None},
}


async def test_a_bracket_shows_its_legs_and_lists_roll_them_up_where_asked() -> None:
    floor = Floor()
    parent = (await floor.order(**BRACKET)).body
    assert parent["order_class"] == "bracket"
    assert [(leg["type"], leg["side"], leg["status"]) for leg in parent["legs"]] == [
        ("limit", "sell", "held"),
        ("stop", "sell", "held"),
    ]
    legs = [leg["id"] for leg in parent["legs"]]
    assert await listed(floor, direction="asc") == [parent["id"], *legs]
    (rolled_up,) = await floor.get("/v2/orders", nested="True")
    assert [leg["id"] for leg in rolled_up["legs"]] == legs
    assert (await floor.get(f"/v2/orders/{parent['id']}"))["legs"] is None
    assert len((await floor.get(f"/v2/orders/{parent['id']}", nested="true"))["legs"]) == 2


async def test_open_legs_of_an_entry_that_has_filled_are_listed_by_themselves() -> None:
    floor = Floor()
    parent = (await floor.order(**BRACKET)).body
    floor.quote("SPY", 399)
    assert await listed(floor, nested="true", direction="asc") == [leg["id"] for leg in parent["legs"]]
    assert await listed(floor, nested="true", status="closed") == [parent["id"]]


async def test_exits_that_make_no_sense_are_refused() -> None:
    answer = await Floor().order(**(BRACKET | {"stop_loss": {"stop_price": 450}}))
    assert (answer.status, answer.body["code"]) == (422, 42210000)
    assert (await Floor().order(**(BRACKET | {"take_profit": {}}))).status == 422


async def test_a_bust_stands_in_the_ledger_with_what_it_takes_back() -> None:
    floor = Floor()
    await floor.order("SPY", 2)
    execution = floor.told[-1].execution_id
    floor.venue.bust("first", execution, now=floor.now)
    floor.desk.flush()
    (bust, fill) = await floor.get("/v2/account/activities/FILL")
    assert (bust["execution_type"], bust["previous_id"]) == ("trade_bust", execution)
    assert "execution_type" not in fill
    assert await floor.get("/v2/positions") == []
