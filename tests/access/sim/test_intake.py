"""How a request becomes an order: ids, and what a replacement amounts to or why it is refused."""

from decimal import Decimal

import msgspec
import pytest

from tests.access.sim.floor import DOLLARS, Floor, quoted
from trader.access.sim.venue_orders import OrderRequest, Refusal, Replacement, VenueOrder
from trader.model.money import ZERO
from trader.model.orders import Side
from trader.model.time import SECOND

LIMIT = {"type": "limit", "limit_price": "95"}


def test_ids_look_random_and_follow_from_account_and_client_order_id_alone() -> None:
    first, second = quoted(), quoted()
    second.order("ODD")
    assert first.order(client_order_id="mine") == second.order(client_order_id="mine")
    assert first.order(client_order_id="yours") != first.order(client_order_id="his")
    assert first.order() != first.order()


def test_a_client_order_id_is_used_once_for_ever() -> None:
    floor = quoted()
    floor.cancel(floor.order(client_order_id="mine", **LIMIT))
    refusal = floor.refused(client_order_id="mine")
    assert (refusal.status, refusal.code, refusal.message) == (422, 40010001, "client_order_id must be unique")
    floor.venue.open_account("b", DOLLARS)
    request = OrderRequest("SPY", Side.BUY, qty=Decimal(1), client_order_id="mine")
    assert isinstance(floor.venue.submit("b", request, now=floor.now), VenueOrder)


def replaced(floor: Floor, order_id: str, **change: object) -> VenueOrder | Refusal:
    answer = floor.venue.replace("a", order_id, msgspec.convert(change, Replacement), now=floor.now)
    floor.look()
    return answer


def test_a_replacement_is_a_new_order_in_the_place_of_the_old() -> None:
    floor = quoted()
    old = floor.order(**LIMIT)
    new = replaced(floor, old, limit_price="96", qty="12", time_in_force="gtc", client_order_id="mine")
    assert isinstance(new, VenueOrder)
    assert (new.replaces, new.qty, new.limit_price) == (old, Decimal(12), Decimal(96))
    assert new.time_in_force == "gtc"
    assert (floor[old].status, floor[old].replaced_by, floor[old].replaced_at) == ("replaced", new.id, floor.now)
    assert [(update.event, update.order.id) for update in floor.told[-3:]] == [
        ("replaced", old), ("pending_new", new.id), ("new", new.id),
    ]  # fmt: skip
    assert floor.account.reserved() == 12 * 96
    assert new.client_order_id == "mine"


def test_a_replacement_of_a_partly_filled_order_is_for_the_rest() -> None:
    floor = quoted(has_sizes=True)
    old = floor.order(qty="150")
    new = replaced(floor, old, time_in_force="gtc")
    assert isinstance(new, VenueOrder)
    assert (floor[old].filled_qty, new.qty, new.filled_qty) == (Decimal(100), Decimal(50), ZERO)


def test_a_replacement_may_use_the_shares_and_the_money_of_the_old_order() -> None:
    floor = quoted(cash=Decimal(1100))
    old = floor.order(qty="10", type="limit", limit_price="99")
    assert isinstance(replaced(floor, old, qty="11"), VenueOrder)
    assert isinstance(replaced(floor, next(iter(floor.account.working)), qty="12"), Refusal)
    floor.venue.cancel_all("a", now=floor.now)
    floor.order(qty="10")
    stop = floor.order(side="sell", type="stop", stop_price="90", qty="10")
    assert isinstance(replaced(floor, stop, stop_price="95"), VenueOrder)


def test_a_trailing_stop_is_replaced_by_its_trail() -> None:
    floor = quoted()
    price = floor.order(type="trailing_stop", trail_price="5")
    percent = floor.order(type="trailing_stop", trail_percent="5")
    first, second = replaced(floor, price, trail="6"), replaced(floor, percent, trail="4")
    assert isinstance(first, VenueOrder)
    assert isinstance(second, VenueOrder)
    assert (first.trail_price, first.trail_percent) == (Decimal(6), None)
    assert (second.trail_price, second.trail_percent) == (None, Decimal(4))


NOT_REPLACED = {
    "nothing changed": (LIMIT, {}, "order parameters are not changed", 42210000),
    "only its client order id": (LIMIT, {"client_order_id": "x"}, "order parameters are not changed", 42210000),
    "filled": ({}, {"qty": "11"}, "only open orders can be replaced", 40010001),
    "fractional": ({**LIMIT, "qty": "1.5"}, {"qty": "2"}, "fractional", 42210000),
    "to a fraction": (LIMIT, {"qty": "2.5"}, "fractional", 42210000),
    "sub-penny": (LIMIT, {"limit_price": "95.001"}, "sub-penny", 42210000),
    "a client order id used before": (
        {**LIMIT, "client_order_id": "mine"}, {"qty": "9", "client_order_id": "mine"}, "must be unique", 40010001,
    ),
    "too much for the money": (LIMIT, {"qty": "99999"}, "insufficient buying power", 40310000),
}  # fmt: skip


@pytest.mark.parametrize("case", NOT_REPLACED)
def test_the_venue_does_not_replace(case: str) -> None:
    fields, change, words, code = NOT_REPLACED[case]
    floor = quoted()
    order = floor.order(**fields)
    before = floor[order]
    answer = replaced(floor, order, **change)
    assert isinstance(answer, Refusal)
    assert words in answer.message
    assert answer.code == code
    assert floor[order] == before


def test_an_order_that_has_not_reached_the_market_or_is_in_dollars_is_not_replaced() -> None:
    floor = quoted(latency_ns=SECOND)
    answer = replaced(floor, floor.order(**LIMIT), qty="5")
    assert isinstance(answer, Refusal)
    assert answer.message == "unable to replace order, order isn't sent to exchange yet"
    floor = quoted()
    floor.venue.set_halted("SPY", is_halted=True)
    answer = replaced(floor, floor.order(notional="50"), qty="5")
    assert isinstance(answer, Refusal)
    assert "notional orders cannot be replaced" in answer.message
