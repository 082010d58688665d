"""What an open order keeps of a position, in its group and outside, and what it may pay once its stop is reached."""

from decimal import Decimal

import msgspec

from tests.access.sim.floor import ASSETS
from trader.access.sim.venue_orders import PositionIntent, VenueOrder
from trader.access.sim.working import Group, Working, collared
from trader.model.money import ZERO
from trader.model.orders import Side

SIZE = Decimal(25)


def working(side: str, intent: PositionIntent, **fields: object) -> Working:
    order = VenueOrder("o", "c", "SPY", "stock", Side(side), "market", "day", intent, "new", 0, 0, 0, qty=Decimal(10))
    return Working("a", msgspec.structs.replace(order, **fields), ASSETS["SPY"], sequence=1, arrival=0)


def test_an_order_that_closes_keeps_what_it_has_left_and_one_in_dollars_everything() -> None:
    assert working("buy", "buy_to_open").keeps(SIZE) == ZERO
    assert working("sell", "sell_to_close", filled_qty=Decimal(4)).keeps(SIZE) == 6
    assert working("sell", "sell_to_close", qty=None, notional=Decimal(5)).keeps(SIZE) == SIZE


def test_an_entry_keeps_what_it_has_filled_until_its_exits_are_let_go_and_then_they_keep_it_once() -> None:
    entry = working("buy", "buy_to_open", filled_qty=Decimal(4))
    profit, loss = working("sell", "sell_to_close"), working("sell", "sell_to_close")
    group = Group(entry, [profit, loss])
    assert [one.keeps(SIZE) for one in (entry, profit, loss)] == [4, 0, 0]
    group.is_released = True
    assert [one.keeps(SIZE) for one in (entry, profit, loss)] == [0, 10, 0]
    assert profit.is_with(loss)
    assert not profit.is_with(working("sell", "sell_to_close"))
    assert [entry.is_leg, loss.is_leg] == [False, True]


def test_a_replacement_takes_the_place_of_the_old_order_in_its_group() -> None:
    entry, profit, loss, new = (working("sell", "sell_to_close") for _ in range(4))
    group = Group(entry, [profit, loss])
    group.swap(loss, new)
    assert (group.legs, new.group) == ([profit, new], group)
    group.swap(entry, new)
    assert group.entry is new


def test_a_triggered_buy_stop_pays_no_more_than_its_collar_in_whole_cents() -> None:
    stop = working("buy", "buy_to_open", type="stop", stop_price=Decimal("33.33"))
    stop.elect()
    assert (collared(Decimal("33.33")), stop.limit) == (Decimal("34.6632"), Decimal("34.66"))
    assert collared(Decimal(50)) == Decimal("51.25")
