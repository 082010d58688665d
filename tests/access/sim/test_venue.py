"""The life of an order at the venue: what is told and when, sessions, cancels, replacements, repeatability."""

from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from tests.access.sim.floor import ASSETS, CLOSE, DOLLARS, NEXT_OPEN, Floor, quoted
from tests.build import T0, bar
from trader.access.sim.venue_orders import OrderRequest, Refusal, Replacement, VenueAsset, VenueOrder
from trader.model.instruments import instrument_of
from trader.model.money import ZERO
from trader.model.orders import Side
from trader.model.ticks import Quote
from trader.model.time import DAY, HOUR, MINUTE, SECOND

LIMIT = {"type": "limit", "limit_price": "95"}


def test_an_order_is_pending_new_then_new_then_filled_and_its_answer_is_the_first_of_them() -> None:
    floor = quoted()
    answer = floor.ask()
    assert isinstance(answer, VenueOrder)
    assert (answer.status, answer.filled_qty, answer.position_intent) == ("pending_new", ZERO, "buy_to_open")
    assert floor.events() == ["pending_new", "new", "fill"]
    fill = floor.told[-1]
    assert (fill.qty, fill.price, fill.position_qty) == (Decimal(10), Decimal("100.01"), Decimal(10))
    assert fill.order == floor[answer.id]
    assert (fill.order.status, fill.order.filled_at) == ("filled", floor.now)


def test_latency_passes_before_an_order_is_new_and_before_a_cancel_is_done() -> None:
    floor = quoted(latency_ns=10 * SECOND)
    order = floor.order(**LIMIT)
    floor.wait_until(floor.now + 9 * SECOND)
    assert floor[order].status == "pending_new"
    floor.wait_until(floor.now + SECOND)
    assert floor[order].status == "new"
    answer = floor.cancel(order)
    assert isinstance(answer, VenueOrder)
    assert (answer.status, answer.cancel_requested_at) == ("pending_cancel", floor.now)
    assert "order pending cancel" in floor.cancel(order).message  # type: ignore[union-attr]
    floor.wait_until(floor.now + 10 * SECOND)
    assert floor[order].canceled_at == floor.now
    assert floor.events(order) == ["pending_new", "new", "pending_cancel", "canceled"]


def test_an_order_may_fill_while_its_cancel_is_on_the_way() -> None:
    floor = quoted(latency_ns=10 * SECOND, has_sizes=True)
    order = floor.order(**LIMIT)
    floor.wait_until(floor.now + 10 * SECOND)
    floor.cancel(order)
    floor.quote(94.0, 94.5, size=4)
    assert (floor[order].status, floor[order].filled_qty) == ("pending_cancel", Decimal(4))
    floor.quote(94.0, 94.5)
    assert floor[order].status == "filled"
    floor.wait_until(floor.now + HOUR)
    assert floor.events(order) == ["pending_new", "new", "pending_cancel", "partial_fill", "fill"]


def test_an_order_whose_cancel_follows_it_closely_is_at_the_market_until_the_cancel_arrives() -> None:
    floor = quoted(latency_ns=10 * SECOND)
    canceled, filled = floor.order(**LIMIT), floor.order(type="limit", limit_price="99")
    floor.now += SECOND
    floor.cancel(canceled)
    floor.cancel(filled)
    floor.wait_until(floor.now + 9 * SECOND)
    floor.show(Quote("SPY", floor.now, 98.0, 1, 98.5, 1))
    floor.wait_until(floor.now + SECOND)
    assert floor.events(canceled) == ["pending_new", "pending_cancel", "new", "canceled"]
    assert floor.events(filled) == ["pending_new", "pending_cancel", "new", "fill"]


def test_an_order_sent_before_the_opening_is_accepted_and_waits_for_the_session_and_its_first_quote() -> None:
    floor = Floor()
    floor.now = T0 - 2 * HOUR
    floor.quote(98.0, 98.1)
    order = floor.order()
    assert floor.events() == ["accepted"]
    floor.quote(98.0, 98.2)
    floor.wait_until(T0)
    assert floor.events(order) == ["accepted", "new"]
    floor.quote(99.0, 99.1)
    assert floor.fills() == [(Decimal(10), Decimal("99.1"))]


def test_a_trade_of_the_opening_fills_nobody_at_a_quote_of_the_morning() -> None:
    floor = Floor()
    floor.now = T0 - HOUR
    floor.quote(98.0, 98.1)
    order = floor.order()
    floor.now = T0
    floor.trade(99.0)
    assert floor.events(order) == ["accepted", "new"]
    floor.quote(99.0, 99.1)
    assert floor.fills() == [(Decimal(10), Decimal("99.1"))]


def test_an_order_sent_before_the_opening_gets_the_open_of_the_first_bar() -> None:
    floor = Floor()
    floor.now = T0 - 2 * HOUR
    floor.show(bar(minute=-60, close=98))
    floor.order()
    floor.show(bar(minute=1, open=101, close=102))
    assert floor.fills() == [(Decimal(10), Decimal(101))]


def test_a_day_order_expires_at_the_close_and_one_sent_after_it_lives_until_the_next() -> None:
    floor = quoted()
    today = floor.order(**LIMIT)
    assert floor[today].expires_at == CLOSE
    floor.wait_until(CLOSE - 1)
    assert floor[today].status == "new"
    floor.wait_until(CLOSE + HOUR)
    assert (floor[today].status, floor[today].expired_at) == ("expired", CLOSE)
    tomorrow = floor.order(**LIMIT)
    assert floor[tomorrow].expires_at == CLOSE + DAY
    floor.wait_until(NEXT_OPEN)
    assert floor[tomorrow].status == "new"


def test_a_day_order_expires_at_an_early_close() -> None:
    floor = Floor(T0 - 9 * HOUR - 30 * MINUTE)
    order = floor.order(**LIMIT)
    assert floor[order].expires_at == T0 + 210 * MINUTE


def test_a_day_order_sent_on_a_friday_evening_lives_until_monday() -> None:
    floor = Floor()
    floor.now = CLOSE + 4 * DAY + HOUR
    assert floor[floor.order(**LIMIT)].expires_at == CLOSE + 7 * DAY


def test_a_gtc_order_outlives_the_day_and_ends_after_ninety() -> None:
    floor = quoted()
    order = floor.order(**LIMIT, time_in_force="gtc")
    floor.wait_until(NEXT_OPEN)
    assert floor[order].status == "new"
    floor.wait_until(floor.now + 90 * DAY)
    assert floor[order].status == "expired"


def test_only_an_extended_order_fills_before_the_opening_and_after_the_close() -> None:
    floor = Floor()
    floor.now = CLOSE + HOUR
    floor.quote(99.0, 99.1)
    extended = floor.order(type="limit", limit_price="100", extended_hours=True)
    core = floor.order(type="limit", limit_price="100")
    assert [floor[order].status for order in (extended, core)] == ["filled", "accepted"]
    floor.quote(98.0, 98.1)
    assert floor[core].status == "accepted"


def test_an_extended_day_order_lives_until_the_evening() -> None:
    floor = quoted()
    order = floor.order(**LIMIT, extended_hours=True)
    assert floor[order].expires_at == CLOSE + 4 * HOUR


def test_coins_trade_at_night() -> None:
    floor = Floor()
    floor.now = CLOSE + 10 * HOUR
    floor.quote(60000.0, 60010.0, "BTC/USD")
    order = floor.order("BTC/USD", qty="0.01", time_in_force="gtc")
    assert floor[order].status == "filled"


def test_immediate_or_cancel_takes_what_there_is_and_gives_up_the_rest() -> None:
    floor = quoted(has_sizes=True)
    order = floor.order(qty="150", time_in_force="ioc")
    assert (floor[order].status, floor[order].filled_qty) == ("canceled", Decimal(100))
    none = floor.order(time_in_force="ioc", **LIMIT)
    assert floor.events(none) == ["pending_new", "new", "canceled"]


def test_fill_or_kill_takes_all_or_nothing() -> None:
    floor = quoted(has_sizes=True)
    order = floor.order(qty="101", time_in_force="fok")
    assert (floor[order].status, floor[order].filled_qty) == ("canceled", ZERO)
    assert floor[floor.order(qty="100", time_in_force="fok")].status == "filled"


def test_an_opening_order_gets_the_opening_or_ends() -> None:
    floor = Floor()
    floor.now = T0 - HOUR
    market, low = (
        floor.order(time_in_force="opg", type="limit", limit_price="99"),
        floor.order(time_in_force="opg", **LIMIT),
    )
    floor.show(bar(minute=1, open=98, low=90, close=99))
    assert [floor[order].status for order in (market, low)] == ["filled", "canceled"]
    assert floor.fills() == [(Decimal(10), Decimal(98))]


def test_a_closing_order_gets_the_last_price_or_ends() -> None:
    floor = quoted()
    market, low = floor.order(time_in_force="cls"), floor.order(time_in_force="cls", **LIMIT)
    floor.quote(90.0, 90.1)
    floor.trade(96.0)
    assert not floor.fills()
    floor.wait_until(CLOSE)
    assert [floor[order].status for order in (market, low)] == ["filled", "canceled"]
    assert floor.fills() == [(Decimal(10), Decimal("96.0"))]


def test_the_last_bar_of_the_day_still_fills_and_gives_the_closing_price() -> None:
    floor = Floor()
    floor.show(bar(minute=1, close=100))
    limit, closing = floor.order(**LIMIT), floor.order(time_in_force="cls")
    floor.show(bar(minute=390, open=99, low=94, close=97))
    assert floor[limit].filled_avg_price == Decimal(95)
    assert floor[closing].filled_avg_price == Decimal(97)


def test_a_halted_symbol_has_no_closing_auction() -> None:
    floor = quoted()
    order = floor.order(time_in_force="cls")
    floor.venue.set_halted("SPY", is_halted=True)
    floor.wait_until(CLOSE)
    assert floor[order].status == "canceled"


def test_a_cancel_frees_what_the_order_held() -> None:
    floor = quoted()
    order = floor.order(**LIMIT)
    answer = floor.cancel(order)
    assert isinstance(answer, VenueOrder)
    assert (answer.status, answer.canceled_at) == ("canceled", floor.now)
    assert floor.account.reserved() == 0
    assert floor.cancel(order) == answer


@pytest.mark.parametrize("status", ["filled", "expired", "rejected", "replaced"])
def test_what_has_ended_otherwise_cannot_be_canceled(status: str) -> None:
    floor = quoted()
    order = floor.order(**({} if status == "filled" else LIMIT))
    if status == "expired":
        floor.wait_until(CLOSE)
    elif status == "rejected":
        floor.venue.strike("a", order, "rejected", now=floor.now)
    elif status == "replaced":
        floor.venue.replace("a", order, Replacement(limit_price=Decimal(94)), now=floor.now)
    answer = floor.cancel(order)
    assert isinstance(answer, Refusal)
    assert (answer.status, answer.code) == (422, 42210000)
    assert answer.message == f'order is already in "{status}" state'


def test_an_order_of_another_account_is_not_found() -> None:
    floor = quoted()
    order = floor.order(**LIMIT)
    floor.venue.open_account("b", DOLLARS)
    for answer in (
        floor.venue.cancel("b", order, now=floor.now),
        floor.venue.replace("b", order, Replacement(qty=Decimal(1)), now=floor.now),
        floor.venue.strike("b", order, "canceled", now=floor.now),
    ):
        assert isinstance(answer, Refusal)
        assert (answer.status, answer.code) == (404, 40410000)
        assert answer.message == f"order not found for {order}"


def test_cancel_all_ends_every_open_order_of_the_account_alone() -> None:
    floor = quoted()
    mine = [floor.order(**LIMIT), floor.order("ODD", type="limit", limit_price="40")]
    floor.venue.open_account("b", DOLLARS)
    other = floor.venue.submit(
        "b", OrderRequest("SPY", Side.BUY, "limit", qty=Decimal(1), limit_price=Decimal(9)), now=0
    )
    assert isinstance(other, VenueOrder)
    assert [order.id for order in floor.venue.cancel_all("a", now=floor.now)] == mine
    assert floor.venue.cancel_all("a", now=floor.now) == []
    assert list(floor.venue.accounts["b"].working) == [other.id]


def test_cancel_all_leaves_out_what_is_being_canceled() -> None:
    floor = quoted(latency_ns=SECOND)
    floor.cancel(floor.order(**LIMIT))
    assert floor.venue.cancel_all("a", now=floor.now) == []


def test_the_venue_may_end_an_order_unasked() -> None:
    floor = quoted()
    rejected, canceled = floor.order(**LIMIT), floor.order(**LIMIT)
    floor.venue.strike("a", rejected, "rejected", now=floor.now)
    floor.venue.strike("a", canceled, "canceled", now=floor.now)
    floor.look()
    assert floor.events(rejected)[-1] == "rejected"
    assert floor[rejected].failed_at == floor.now
    assert floor.events(canceled)[-1] == "canceled"


def test_dollars_buy_and_sell_nine_decimals_of_a_share_and_the_quantity_is_known_when_filled() -> None:
    floor = quoted()
    answer = floor.ask(notional="1000")
    assert isinstance(answer, VenueOrder)
    assert answer.qty is None
    assert floor[answer.id].qty == floor[answer.id].filled_qty == Decimal("9.999000099")
    floor.order(side="sell", notional="999.7")
    assert floor.account.qty("SPY") == Decimal("9.999000099") - Decimal("9.997999799")


def test_two_accounts_meet_the_same_quote_and_keep_their_own_books() -> None:
    floor = quoted(has_sizes=True)
    floor.venue.open_account("b", DOLLARS)
    floor.order(qty="80")
    answer = floor.venue.submit("b", OrderRequest("SPY", Side.BUY, qty=Decimal(80)), now=floor.now)
    assert isinstance(answer, VenueOrder)
    floor.look()
    assert [books.qty("SPY") for books in floor.venue.accounts.values()] == [80, 20]
    assert {update.account for update in floor.told} == {"a", "b"}


def test_equal_calls_give_equal_bytes() -> None:
    def run() -> bytes:
        floor = quoted(has_partial_fills=True, latency_ns=SECOND, has_fees=True)
        for number in range(60):
            floor.order(qty="3", client_order_id=f"c{number}")
            floor.order("BTC/USD", notional="50", time_in_force="gtc")
            floor.show(Quote("SPY", floor.now + SECOND, 99.5 + number % 7, 10, 99.6 + number % 7, 10))
        floor.venue.cancel_all("a", now=floor.now)
        floor.wait_until(CLOSE)
        return msgspec.json.encode([floor.told, floor.account.activities])

    first = run()
    assert first == run()
    assert first.count(b'"partial_fill"') > 2


def test_an_asset_may_change_and_another_be_listed_while_the_venue_runs() -> None:
    floor = quoted()
    order = floor.order(**LIMIT)
    floor.venue.set_asset(msgspec.structs.replace(ASSETS["SPY"], is_tradable=False))
    assert floor.refused().message == 'asset "SPY" is not tradable'
    floor.quote(94.0, 94.5)
    assert floor[order].status == "filled"
    floor.venue.set_asset(VenueAsset(instrument_of("NEW")))
    floor.quote(9.99, 10.01, "NEW")
    floor.order("NEW")
    assert "NEW" not in ASSETS


def test_the_venue_may_end_an_order_unasked_and_says_so() -> None:
    floor = quoted()
    canceled, rejected = floor.order(**LIMIT), floor.order(**LIMIT)
    floor.venue.strike("a", canceled, "canceled", now=floor.now)
    floor.venue.strike("a", rejected, "rejected", now=floor.now)
    floor.look()
    assert floor.events(canceled) == ["pending_new", "new", "canceled"]
    assert floor.events(rejected) == ["pending_new", "new", "rejected"]
    assert floor[rejected].failed_at == floor.now


def test_an_order_of_another_hand_has_ids_like_any_other() -> None:
    floor = quoted()
    order = floor[floor.order()]
    assert [str(UUID(given)) for given in (order.id, order.client_order_id)] == [order.id, order.client_order_id]
