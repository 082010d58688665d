"""Crossing: opposite orders of one step meet inside the desk; quantity and money are neither made nor lost."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.engine.crossing import Offer, net
from trader.model.instruments import Instrument, instrument_of
from trader.model.orders import Side

SPY = instrument_of("SPY")
WHOLE = instrument_of("SPY", fractionable=False)
PRICE = Decimal(100)


def offer(order_id: str, qty: str, *, exits: bool = False, instrument: Instrument = SPY) -> Offer:
    """Return a buy for a positive quantity, a sell for a negative one."""
    signed = Decimal(qty)
    side = Side.BUY if signed > 0 else Side.SELL
    return Offer(order_id, side, abs(signed), exits, instrument.qty_increment, instrument.min_notional)


def test_what_both_have_crosses_and_the_rest_of_the_larger_goes_on() -> None:
    netted = net([offer("a", "10"), offer("b", "-4")], PRICE)
    assert [(cross.execution_id, cross.qty) for cross in netted.crosses] == [("x:a:b", Decimal(4))]
    assert netted.left == {"a": Decimal(6), "b": Decimal(0)}
    assert not netted.withdrawn


def test_orders_on_one_side_only_go_as_they_are() -> None:
    netted = net([offer("a", "10"), offer("b", "4")], PRICE)
    assert netted.crosses == ()
    assert netted.left == {"a": Decimal(10), "b": Decimal(4)}
    assert not netted.withdrawn


def test_exits_are_served_before_entries_that_were_made_earlier() -> None:
    netted = net([offer("entry", "-5"), offer("exit", "-5", exits=True), offer("buyer", "5")], PRICE)
    assert [cross.execution_id for cross in netted.crosses] == ["x:buyer:exit"]


def test_one_large_order_meets_several_small_ones_in_the_order_they_were_made() -> None:
    netted = net([offer("a", "-2"), offer("big", "9"), offer("b", "-3"), offer("c", "-9")], PRICE)
    assert {cross.sell_id: int(cross.qty) for cross in netted.crosses} == {"a": 2, "b": 3, "c": 4}
    assert netted.left["c"] == 5


def test_an_exit_keeps_a_rest_that_the_venue_takes_and_the_other_side_waits_with_as_much() -> None:
    netted = net([offer("exit", "-5.005", exits=True), offer("entry", "5")], PRICE)  # half a dollar would be left
    assert netted.left == {"exit": Decimal("0.025"), "entry": Decimal("0.02")}
    assert netted.withdrawn == {"entry"}


def test_the_rest_of_an_entry_that_is_too_small_for_the_venue_is_withdrawn() -> None:
    netted = net([offer("entry", "5.005"), offer("exit", "-5", exits=True)], PRICE)
    assert netted.left["entry"] == Decimal("0.005")
    assert netted.withdrawn == {"entry"}


def test_a_position_that_is_too_small_for_the_venue_as_it_is_crosses_as_a_whole_or_goes_as_a_whole() -> None:
    dust = offer("exit", "-0.005", exits=True)
    assert net([dust, offer("entry", "5")], PRICE).left["exit"] == 0
    assert net([dust], PRICE).withdrawn == frozenset()


def test_the_rest_of_a_whole_share_order_is_whole_and_waits_for_the_exit_beside_it() -> None:
    netted = net([offer("whole", "10", instrument=WHOLE), offer("exit", "-3.5", exits=True)], PRICE)
    assert [cross.qty for cross in netted.crosses] == [3]
    assert netted.left == {"exit": Decimal("0.5"), "whole": Decimal(7)}
    assert netted.withdrawn == {"whole"}


def test_at_a_price_that_nobody_trusts_nothing_crosses_and_one_side_waits() -> None:
    netted = net([offer("entry", "5"), offer("exit", "-5", exits=True)], PRICE, may_cross=False)
    assert not netted.crosses
    assert netted.withdrawn == {"entry"}


def test_what_an_exit_gives_back_is_in_steps_that_the_other_side_can_send() -> None:
    netted = net([offer("short", "-113", exits=True, instrument=WHOLE), offer("exit", "29.001", exits=True)], PRICE)
    assert netted.left == {"short": Decimal(85), "exit": Decimal("1.001")}
    assert netted.withdrawn == {"exit"}


@pytest.mark.parametrize("first", ["one", "other"])
def test_of_two_exits_that_cannot_meet_the_first_one_made_goes(first: str) -> None:
    whole, part = offer("one", "10", exits=True, instrument=WHOLE), offer("other", "-0.5", exits=True)
    offers = [whole, part] if first == "one" else [part, whole]
    assert net(offers, PRICE).withdrawn == {"one", "other"} - {first}


quantities = st.decimals("0.0001", "500", places=4)
offers_of = st.lists(st.tuples(quantities, st.booleans(), st.booleans(), st.booleans()), max_size=12)


def built(parts: list[tuple[Decimal, bool, bool, bool]]) -> list[Offer]:
    offers = []
    for number, (qty, buys, exits, whole) in enumerate(parts):
        instrument = WHOLE if whole else SPY
        size = max(Decimal(1), qty // 1) if whole else qty
        if not exits and size * PRICE < 1:
            size = Decimal("0.01")  # the gate lets no smaller entry pass
        offers.append(offer(f"o{number}", str(size if buys else -size), exits=exits, instrument=instrument))
    return offers


@given(offers_of)
def test_quantity_is_conserved_and_nobody_crosses_more_than_was_wanted(
    parts: list[tuple[Decimal, bool, bool, bool]],
) -> None:
    offers = built(parts)
    netted = net(offers, PRICE)
    by_id = {offer.order_id: offer for offer in offers}
    crossed = dict.fromkeys(by_id, Decimal(0))
    for cross in netted.crosses:
        assert cross.qty > 0
        assert (by_id[cross.buy_id].side, by_id[cross.sell_id].side) == (Side.BUY, Side.SELL)
        crossed[cross.buy_id] += cross.qty
        crossed[cross.sell_id] += cross.qty
    assert all(crossed[one.order_id] + netted.left[one.order_id] == one.qty for one in offers)
    assert all(rest >= 0 for rest in netted.left.values())
    assert len({cross.execution_id for cross in netted.crosses}) == len(netted.crosses)


@given(offers_of)
def test_what_goes_to_the_venue_is_on_one_side_and_large_enough_and_exits_go_before_entries(
    parts: list[tuple[Decimal, bool, bool, bool]],
) -> None:
    offers = built(parts)
    netted = net(offers, PRICE)
    going = [one for one in offers if netted.left[one.order_id] and one.order_id not in netted.withdrawn]
    assert len({one.side for one in going}) <= 1
    for one in going:
        rest = netted.left[one.order_id]
        assert not rest % one.step or one.qty % one.step  # an exit sells what it has, odd as that may be
        assert rest == one.qty or rest * PRICE >= one.minimum
    if any(one.reduces and one.order_id in netted.withdrawn for one in offers):
        assert any(one.reduces for one in going)


@given(st.lists(st.tuples(st.integers(1, 500), st.booleans(), st.booleans()), max_size=12))
def test_where_nothing_stands_in_the_way_all_that_can_cross_does(parts: list[tuple[int, bool, bool]]) -> None:
    offers = built([(Decimal(qty), buys, exits, True) for qty, buys, exits in parts])
    bought = sum((one.qty for one in offers if one.side is Side.BUY), Decimal(0))
    sold = sum((one.qty for one in offers if one.side is Side.SELL), Decimal(0))
    netted = net(offers, PRICE)
    assert sum((cross.qty for cross in netted.crosses), Decimal(0)) == min(bought, sold)
    assert not netted.withdrawn
    assert netted == net(offers, PRICE)
