"""Brackets, one triggers the other, one cancels the other: what is taken, when exits live, and what ends them."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.access.sim.floor import CLOSE, NEXT_OPEN, Floor, quoted
from tests.build import T0, bar
from trader.access.sim.accounts import legs_of
from trader.access.sim.venue_orders import Refusal, Replacement, VenueOrder
from trader.model.time import MINUTE, SECOND

BRACKET = {"order_class": "bracket", "profit": "110", "loss": "90"}
OCO = {"order_class": "oco", "type": "limit", "profit": "110", "loss": "90"}


def bracket(floor: Floor, **fields: Any) -> tuple[str, str, str]:
    """Send a bracket; return the ids of entry, take-profit and stop-loss."""
    entry = floor.order(**{**BRACKET, **fields})
    profit, loss = floor[entry].legs
    return entry, profit, loss


def holding(**rules: Any) -> Floor:
    floor = quoted(**rules)
    floor.order()
    return floor


def replaced(floor: Floor, order_id: str, **change: str) -> VenueOrder | Refusal:
    answer = floor.venue.replace("a", order_id, msgspec.convert(change, Replacement), now=floor.now)
    floor.look()
    return answer


def test_the_exits_of_a_bracket_are_held_until_its_entry_has_filled_completely() -> None:
    floor = quoted(has_sizes=True)
    entry, profit, loss = bracket(floor, qty="150")
    assert [floor[order].status for order in (entry, profit, loss)] == ["partially_filled", "held", "held"]
    floor.quote(99.0, 99.5)
    assert [floor[order].status for order in (entry, profit, loss)] == ["filled", "new", "held"]
    assert floor.events(profit) == ["held", "new"]
    assert floor.events(loss) == ["held"]


def test_legs_know_their_parent_and_close_what_it_opens() -> None:
    floor = quoted()
    entry, profit, loss = bracket(floor, loss_limit="89")
    assert [order.id for order in legs_of(floor.account, floor[entry])] == [profit, loss]
    assert {floor[leg].parent for leg in (profit, loss)} == {entry}
    assert {floor[leg].order_class for leg in (entry, profit, loss)} == {"bracket"}
    assert {floor[leg].position_intent for leg in (profit, loss)} == {"sell_to_close"}
    assert (floor[profit].type, floor[profit].limit_price, floor[profit].stop_price) == ("limit", Decimal(110), None)
    assert (floor[loss].type, floor[loss].stop_price, floor[loss].limit_price) == (
        "stop_limit",
        Decimal(90),
        Decimal(89),
    )
    assert len({floor[leg].client_order_id for leg in (entry, profit, loss)}) == 3


def test_the_gain_that_is_reached_cancels_the_loss() -> None:
    floor = quoted()
    _, profit, loss = bracket(floor)
    floor.quote(110.5, 110.6)
    assert [floor[order].status for order in (profit, loss)] == ["filled", "canceled"]
    assert floor.account.positions == {}


def test_the_loss_that_is_reached_is_new_then_filled_and_cancels_the_gain() -> None:
    floor = quoted()
    _, profit, loss = bracket(floor)
    floor.quote(89.0, 89.1)
    assert floor.events(loss) == ["held", "new", "fill"]
    assert floor[profit].status == "canceled"
    assert floor.account.positions == {}


def test_a_bar_that_reaches_both_exits_takes_the_loss() -> None:
    floor = Floor()
    floor.show(bar(minute=1, close=100))
    _, profit, loss = bracket(floor)
    floor.show(bar(minute=3, open=100, close=100))
    floor.show(bar(minute=4, open=100, high=120, low=80, close=100))
    assert [floor[order].status for order in (profit, loss)] == ["canceled", "filled"]
    assert floor.fills()[-1] == (Decimal(10), Decimal(90))


def test_exits_are_not_filled_in_the_bar_that_fills_their_entry() -> None:
    floor = Floor()
    floor.show(bar(minute=1, close=100))
    _, profit, loss = bracket(floor)
    floor.show(bar(minute=3, open=100, high=120, low=80, close=100))
    assert [floor[order].status for order in (profit, loss)] == ["new", "held"]


def test_a_gain_that_the_market_has_passed_already_is_taken_at_once() -> None:
    floor = quoted()
    floor.venue.set_halted("SPY", is_halted=True)
    _, profit, loss = bracket(floor)
    floor.venue.set_halted("SPY", is_halted=False)
    floor.quote(119.9, 120.0)
    assert floor.fills() == [(Decimal(10), Decimal("120.0")), (Decimal(10), Decimal("119.9"))]
    assert [floor[order].status for order in (profit, loss)] == ["filled", "canceled"]
    assert floor.events(loss) == ["held", "canceled"]


def test_a_bracket_may_be_sent_before_there_is_a_market() -> None:
    floor = Floor()
    assert floor[bracket(floor, type="limit", limit_price="95")[0]].status == "new"


def test_a_short_bracket_buys_back() -> None:
    floor = quoted()
    _, profit, loss = bracket(floor, side="sell", profit="90", loss="110")
    floor.quote(111.0, 111.1)
    assert [floor[order].status for order in (profit, loss)] == ["canceled", "filled"]
    assert floor.account.positions == {}


def test_what_one_exit_fills_the_other_has_less_to_fill() -> None:
    floor = quoted(has_sizes=True)
    _, profit, loss = bracket(floor)
    floor.quote(110.5, 110.6, size=4)
    assert (floor[profit].filled_qty, floor[loss].qty) == (Decimal(4), Decimal(6))
    assert floor.events(loss) == ["held", "restated"]
    floor.quote(89.0, 89.1)
    assert (floor[loss].filled_qty, floor[profit].status) == (Decimal(6), "canceled")
    assert floor.account.positions == {}


@pytest.mark.parametrize("which", [0, 1, 2])
def test_canceling_one_order_of_a_bracket_cancels_all_that_are_open(which: int) -> None:
    floor = quoted(latency_ns=SECOND)
    orders = bracket(floor, type="limit", limit_price="95")
    floor.wait_until(floor.now + SECOND)
    floor.cancel(orders[which])
    floor.wait_until(floor.now + SECOND)
    assert {floor[order].status for order in orders} == {"canceled"}


def test_a_bracket_expires_as_a_whole_and_its_exits_with_the_day() -> None:
    floor = quoted()
    waiting = bracket(floor, type="limit", limit_price="95")
    _, profit, loss = bracket(floor, type="limit", limit_price="101")
    floor.wait_until(CLOSE)
    assert [floor[order].status for order in (profit, loss)] == ["expired", "expired"]
    assert {floor[order].status for order in waiting} == {"expired"}


def test_a_bracket_sent_at_night_waits_and_its_exits_live_on_if_they_may() -> None:
    floor = Floor()
    floor.show(bar(minute=390, close=100))
    floor.now = CLOSE + MINUTE
    entry, profit, _ = bracket(floor, time_in_force="gtc")
    assert [floor[order].status for order in (entry, profit)] == ["accepted", "held"]
    floor.now = NEXT_OPEN
    floor.quote(99.0, 100.0)
    floor.wait_until(NEXT_OPEN + (CLOSE - T0) + MINUTE)
    assert [floor[order].status for order in (entry, profit)] == ["filled", "new"]


def test_the_exits_reserve_their_shares_once() -> None:
    floor = quoted(has_sizes=True)
    bracket(floor, qty="150")
    assert floor.account.held_for_orders("SPY") == 100
    floor.quote(99.0, 99.5)
    assert [floor.account.held_for_orders("SPY"), floor.account.available("SPY")] == [150, 0]
    refusal = floor.refused(side="sell", type="limit", limit_price="120")
    assert "insufficient qty available" in refusal.message


def test_an_exit_of_its_own_may_be_sold_beside_a_bracket_and_held_exits_hinder_nobody() -> None:
    floor = holding()
    bracket(floor, type="limit", limit_price="95")
    floor.order(side="sell", type="limit", limit_price="96")
    assert floor.account.available("SPY") == 0


def test_one_triggers_the_other_with_one_exit_that_is_seen() -> None:
    floor = quoted()
    entry = floor.order(order_class="oto", loss="90")
    (loss,) = floor[entry].legs
    assert floor.events(loss) == ["held", "new"]
    floor.quote(89.0, 89.1)
    assert floor[loss].status == "filled"
    entry = floor.order(order_class="oto", profit="95")
    (profit,) = floor[entry].legs
    floor.quote(96.0, 96.1)
    assert floor[profit].status == "filled"


def test_one_cancels_the_other_around_a_position() -> None:
    floor = holding()
    profit = floor.order(side="sell", **OCO)
    (loss,) = floor[profit].legs
    assert [floor[order].status for order in (profit, loss)] == ["new", "held"]
    assert floor[profit].limit_price == 110
    assert floor.account.available("SPY") == 0
    floor.quote(89.0, 89.1)
    assert [floor[order].status for order in (profit, loss)] == ["canceled", "filled"]
    assert floor.account.positions == {}


def test_clients_may_send_the_gain_of_an_oco_as_its_limit() -> None:
    floor = holding()
    profit = floor.order(side="sell", order_class="oco", type="limit", limit_price="110", loss="90")
    floor.quote(110.0, 110.1)
    assert floor[profit].status == "filled"


def test_one_cancels_the_other_with_latency() -> None:
    floor = quoted(latency_ns=SECOND)
    floor.order()
    floor.wait_until(floor.now + SECOND)
    profit = floor.order(side="sell", **OCO)
    (loss,) = floor[profit].legs
    assert [floor[order].status for order in (profit, loss)] == ["pending_new", "held"]
    floor.quote(99.0, 99.1)
    floor.quote(89.0, 89.1)
    assert [floor[order].status for order in (profit, loss)] == ["canceled", "filled"]


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "a bracket that closes": ({**BRACKET, "side": "sell"}, "bracket orders must be entry orders"),
    "exits without a position": ({**OCO, "symbol": "ODD", "side": "sell"}, "oco orders must be exit orders"),
    "a loss beyond the gain": (
        {**BRACKET, "loss": "111"}, "take_profit.limit_price must be > stop_loss.stop_price",
    ),
    "a loss at the limit of the entry": (
        {**BRACKET, "type": "limit", "limit_price": "95", "loss": "95"}, "stop_loss.stop_price must be <= base_price",
    ),
    "a loss at the market": ({**BRACKET, "loss": "100"}, "stop_loss.stop_price must be <= base_price - 0.01"),
    "a loss beyond the market but not the limit": (
        {**BRACKET, "type": "limit", "limit_price": "105", "loss": "101"}, "stop_loss.stop_price must be <= base_price",
    ),
    "a gain at the market": ({**BRACKET, "profit": "100"}, "take_profit.limit_price must be >= base_price + 0.01"),
    "an OCO whose loss the market has passed": (
        {**OCO, "side": "sell", "loss": "101"}, "stop_loss.stop_price must be <= base_price - 0.01",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_the_venue_refuses(case: str) -> None:
    fields, words = REFUSALS[case]
    refusal = holding().refused(**fields)
    assert (refusal.status, refusal.code) == (422, 42210000)
    assert words in refusal.message


def test_a_short_is_held_to_the_other_side() -> None:
    floor = quoted()
    short = {"order_class": "bracket", "side": "sell"}
    assert "must be < stop_loss" in floor.refused(**short, profit="90", loss="89").message
    assert "stop_price must be >= base_price + 0.01" in floor.refused(**short, profit="90", loss="100").message
    assert "limit_price must be <= base_price - 0.01" in floor.refused(**short, profit="100", loss="110").message


def test_an_exit_is_replaced_in_its_place() -> None:
    floor = quoted()
    entry, profit, loss = bracket(floor)
    higher, lower = replaced(floor, profit, limit_price="112"), replaced(floor, loss, stop_price="85")
    assert isinstance(higher, VenueOrder)
    assert isinstance(lower, VenueOrder)
    assert [order.id for order in legs_of(floor.account, floor[entry])] == [higher.id, lower.id]
    assert (lower.status, lower.parent, lower.replaces) == ("held", entry, loss)
    assert floor.account.available("SPY") == 0
    floor.quote(89.0, 89.1)
    floor.quote(112.5, 112.6)
    assert [floor[order].status for order in (higher.id, lower.id)] == ["filled", "canceled"]


def test_an_exit_and_an_entry_are_replaced_before_the_entry_has_filled() -> None:
    floor = quoted()
    entry, _, loss = bracket(floor, type="limit", limit_price="95")
    lower = replaced(floor, loss, stop_price="85")
    assert isinstance(lower, VenueOrder)
    assert lower.status == "held"
    better = replaced(floor, entry, limit_price="96")
    assert isinstance(better, VenueOrder)
    assert better.order_class == "bracket"
    floor.quote(95.5, 95.6)
    assert [floor[order].status for order in (better.id, lower.id)] == ["filled", "held"]
    floor.quote(84.0, 84.1)
    assert floor.account.positions == {}


def test_an_exit_keeps_to_its_side_of_the_market_and_its_quantity_and_gets_an_id_of_its_own() -> None:
    floor = quoted()
    entry, profit, loss = bracket(floor, type="limit", limit_price="95")
    cases = [
        replaced(floor, loss, stop_price="95"), replaced(floor, entry, limit_price="90"),
        replaced(floor, profit, limit_price="89"), replaced(floor, profit, qty="5"),
        floor.venue.replace("a", loss, Replacement(stop_price=Decimal(80), client_order_id="mine"), now=floor.now),
        floor.venue.replace("a", profit, Replacement(limit_price=Decimal(115), client_order_id="mine"), now=floor.now),
    ]  # fmt: skip
    words = [case.message if isinstance(case, Refusal) else "" for case in cases]
    base = "stop_loss.stop_price must be <= base_price - 0.01"
    only, unique = "only prices of complex orders can be replaced", "client_order_id must be unique"
    assert words == [base, base, "take_profit.limit_price must be > stop_loss.stop_price", only, "", unique]
