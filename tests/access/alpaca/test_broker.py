"""The broker against the local exchange, over real sockets, sixty times as fast: whatever fails, the books agree."""

import asyncio
from decimal import Decimal

import pytest

from tests.access.alpaca.desks import SYMBOLS, Desk, desk
from tests.access.alpaca.test_tracker import fill
from tests.exchange.exchanges import NIGHT, exchange
from tests.waiting import until
from trader.access.alpaca import broker, submission
from trader.access.alpaca.broker import CAUSE
from trader.access.sim.venue_orders import OrderRequest
from trader.errors import EdgeError, ReconcileError
from trader.exchange.rest_faults import FaultKind, RestFault
from trader.model.events import OrderMoved, StateSet
from trader.model.inputs import ExternalReported, Held, Mismatched, Released, Reported, Settled
from trader.model.orders import OrderStatus, Side, TradingState
from trader.model.time import MINUTE


async def test_orders_fill_and_the_books_are_the_accounts_to_the_last_digit() -> None:
    async with desk() as one:
        stock, coin = one.order("SPY", qty="3"), one.order("BTC/USD", qty="0.01")
        await one.ended(stock, coin)
        held = one.ledger.books["one"].position("BTC/USD").qty
        assert held == Decimal("0.009975"), "the fee is out of the coins"
        out = one.order("SPY", "sell", "3"), one.order("BTC/USD", "sell", str(held))
        await one.ended(*out)
        one.check()
        assert one.held() == {}
        assert one.gates == []
        assert one.ignored == []


async def test_an_answer_that_is_lost_late_or_false_never_makes_a_second_order() -> None:
    kinds: list[FaultKind] = ["accepted", "lost", "late", "overtaken", "garbage"]
    async with desk() as one:
        orders = []
        for kind in kinds:
            one.at.rest_faults.arm(RestFault(kind=kind, match="POST /v2/orders", delay_s=0.2))
            orders += [one.order("SPY", qty="3"), one.order("BTC/USD", qty="0.01")]
            await one.ended(*orders)
        assert {one.status(order_id) for order_id in orders} == {OrderStatus.FILLED}
        assert len(one.at.venue.accounts[one.at.key.account].orders) == len(orders)
        one.check()


async def test_a_halt_after_the_approval_stops_an_opening_at_the_wire_and_no_exit() -> None:
    async with desk() as one:
        await one.ended(one.order("SPY", qty="3"))
        opening, exit_ = one.intend("SPY", "buy", "1"), one.intend("SPY", "sell", "3")
        one.ledger.apply(StateSet(0, "", TradingState.HALTED, "ann", ""))
        for order_id in (opening, exit_):
            one.broker.submit(one.ledger.orders[order_id].approved)
        await one.ended(opening, exit_)
        assert (one.status(opening), one.status(exit_)) == (OrderStatus.REJECTED, OrderStatus.FILLED)
        assert one.reports(opening)[-1].text == "last look: the desk is halted"
        assert len(one.at.venue.accounts[one.at.key.account].orders) == 2
        one.check()


async def test_a_request_too_many_is_made_again_with_the_same_id() -> None:
    async with desk() as one:
        one.at.rest_faults.arm(RestFault(kind="status", match="POST /v2/orders", status=429))
        order_id = one.order()
        await one.ended(order_id)
        assert one.status(order_id) is OrderStatus.FILLED
        assert one.broker.status().throttled == 1


async def test_an_order_that_never_arrived_is_given_up_as_entry_and_sent_again_as_exit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(submission, "SETTLED_REAL_S", 0.3)
    async with desk() as one:
        held = one.order("SPY", qty="3")
        await one.ended(held)
        one.at.rest_faults.arm(RestFault(kind="status", match="POST /v2/orders", status=503, count=2))
        entry, leaving = one.order("QQQ", qty="1"), one.order("SPY", "sell", "3")
        await one.ended(leaving)
        await one.seen(lambda desk: desk.status(entry) is OrderStatus.ABSENT)
        assert one.status(leaving) is OrderStatus.FILLED
        one.check()


async def test_a_refusal_is_told_in_the_venues_words() -> None:
    async with desk() as one:
        order_id = one.order("SPY", qty="1000000")
        await one.ended(order_id)
        assert "insufficient buying power" in one.reports(order_id)[-1].text
        assert one.status(order_id) is OrderStatus.REJECTED


async def test_executions_taken_back_or_corrected_and_a_split_reach_the_books() -> None:
    async with desk() as one:
        orders = [one.order("SPY", qty="3"), one.order("QQQ", qty="4")]
        await one.ended(*orders)
        venue, name = one.at.venue, one.at.key.account
        rows = {row.symbol: row for row in venue.accounts[name].activities if row.activity_type == "FILL"}
        venue.bust(name, rows["SPY"].execution_id, now=one.at.clock.now())
        venue.correct(name, rows["QQQ"].execution_id, price=Decimal(7), now=one.at.clock.now())
        one.at.flush()
        await one.seen(lambda desk: sum(bool(message.report.reverses) for message in desk.of(Reported)) == 2)
        one.check()
        venue.split("QQQ", Decimal(2), now=one.at.clock.now())
        await one.seen(lambda desk: desk.splits)
        assert [(split.symbol, split.ratio) for split in one.splits] == [("QQQ", Decimal(2))]


async def test_updates_that_are_lost_doubled_or_swapped_change_nothing() -> None:
    async with desk() as one:
        orders = []
        for spoil in (one.at.trading.lose, one.at.trading.duplicate, one.at.trading.reorder):
            spoil(3)
            orders += [one.order("SPY", qty="3"), one.order("BTC/USD", qty="0.01")]
            await one.ended(*orders)
        one.check()
        assert {one.status(order_id) for order_id in orders} == {OrderStatus.FILLED}


async def test_a_dropped_stream_holds_entries_until_what_it_missed_is_known() -> None:
    async with desk() as one:
        one.at.lines["trading"].drop()
        order_id = one.order()
        await one.ended(order_id)
        await one.seen(lambda desk: len(desk.gates) == 2)
        assert one.gates == ["Held", "Released"]
        one.check()


async def test_wrong_keys_end_the_start_with_a_plain_text() -> None:
    async with exchange(symbols=("SPY",)) as at:
        one = Desk(at, secret="x")
        with pytest.raises(EdgeError, match="unauthorized"):
            await one.broker.start()


async def test_an_order_waiting_for_the_opening_is_canceled_and_nothing_else_is() -> None:
    async with desk(start=NIGHT) as one:
        order_id = one.order()
        await one.seen(lambda desk: desk.status(order_id) is OrderStatus.OPEN)
        request = OrderRequest("SPY", Side.BUY, qty=Decimal(2))
        one.at.venue.submit(one.at.key.account, request, now=one.at.clock.now())
        one.at.flush()
        one.broker.cancel_open()
        await one.ended(order_id)
        assert one.status(order_id) is OrderStatus.CANCELED
        account = one.at.venue.accounts[one.at.key.account]
        assert [working.order.qty for working in account.working.values()] == [Decimal(2)]
        late = one.order()
        assert one.status(late) is OrderStatus.CANCELED, "nothing leaves any more"
        assert one.broker.open_orders == 0


async def test_what_another_hand_trades_is_counted_as_external() -> None:
    async with desk() as one:
        request = OrderRequest("QQQ", Side.BUY, qty=Decimal(2))
        one.at.venue.submit(one.at.key.account, request, now=one.at.clock.now())
        one.at.flush()
        await one.seen(lambda desk: desk.ledger.account.external.get("QQQ") == 2)
        one.check()


async def test_an_exit_that_an_open_order_blocks_leaves_when_that_order_has_ended() -> None:
    async with desk() as one:
        first = one.order("SPY", qty="3")
        await one.ended(first)
        one.at.venue.set_halted("SPY", is_halted=True)
        entry = one.order("SPY", qty="1")
        await one.seen(lambda desk: desk.status(entry) is OrderStatus.OPEN)
        leaving = one.order("SPY", "sell", "3")
        await one.seen(lambda desk: desk.broker.status().retried)
        assert one.status(leaving) is OrderStatus.PENDING
        one.at.venue.set_halted("SPY", is_halted=False)
        await one.ended(entry, leaving)
        assert one.status(leaving) is OrderStatus.FILLED
        one.check()


async def test_a_difference_that_three_readings_agree_on_locks_the_symbol_until_they_agree_with_the_books() -> None:
    async with desk() as one:
        order_id = one.order()
        await one.ended(order_id)
        one.ledger.books["one"].position("SPY").qty += 1
        await one.seen(lambda desk: "SPY" in desk.ledger.account.locks)
        lock = one.ledger.account.locks["SPY"]
        assert (lock.held, lock.expected) == (Decimal(3), Decimal(4))
        one.ledger.books["one"].position("SPY").qty -= 1
        await one.seen(lambda desk: not desk.ledger.account.locks)
        assert [settled.by for settled in one.of(Settled)] == ["reconciliation"]


async def lost(one: Desk) -> str:
    """Return an entry that the venue does not know."""
    one.at.venue.set_halted("SPY", is_halted=True)
    one.at.rest_faults.arm(RestFault(kind="status", match="POST /v2/orders", status=504))
    order_id = one.order("SPY", qty="2")
    await one.seen(lambda desk: desk.status(order_id) is OrderStatus.ABSENT)
    return order_id


def arrive(one: Desk, order_id: str) -> None:
    request = OrderRequest("SPY", Side.BUY, qty=Decimal(2), client_order_id=order_id)
    one.at.venue.submit(one.at.key.account, request, now=one.at.clock.now())


async def test_an_absent_entry_that_arrives_is_open_and_can_be_canceled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "SETTLED_REAL_S", 0.0)
    async with desk() as one:
        order_id = await lost(one)
        assert one.broker.status().absent == [order_id]
        arrive(one, order_id)
        one.at.flush()
        await one.seen(lambda desk: desk.status(order_id) is OrderStatus.OPEN)
        one.broker.cancel(order_id, 0)
        await one.ended(order_id)
        assert one.status(order_id) is OrderStatus.CANCELED
        one.check()


@pytest.mark.parametrize("is_told", [True, False])
async def test_an_entry_that_came_to_life_after_it_was_given_up_is_canceled(
    monkeypatch: pytest.MonkeyPatch, *, is_told: bool
) -> None:
    monkeypatch.setattr(submission, "SETTLED_REAL_S", 0.0)
    async with desk() as one:
        order_id = await lost(one)
        one.ledger.apply(OrderMoved(0, "one", "SPY", order_id, OrderStatus.REJECTED, "released"))
        await one.seen(lambda desk: not desk.broker.status().absent)
        arrive(one, order_id)
        if not is_told:
            one.at.lines["trading"].drop()
        one.at.flush()
        account = one.at.venue.accounts[one.at.key.account]
        assert account.working
        await until(lambda: not account.working)
        one.check()


async def test_a_stream_that_does_not_exist_there_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    async with exchange(symbols=("SPY",)) as at:
        one = Desk(at, updates_url=f"{at.stream_url}/elsewhere")
        with pytest.raises(EdgeError, match="404"):
            await one.broker.start()
        monkeypatch.setattr(broker, "START_WITHIN_S", 0.5)
        nobody = Desk(at, updates_url="ws://127.0.0.1:1/stream")
        with pytest.raises(EdgeError, match="not confirmed within"):
            await nobody.broker.start()


async def test_keys_refused_while_the_stream_comes_again_are_told_through_fail() -> None:
    async with desk() as one:
        one.at.trading.keys = {}
        one.at.lines["trading"].drop()
        await until(lambda: one.failures)
        assert [type(error).__name__ for error in one.failures] == ["StreamRefused"]
        assert one.gates == ["Held"]
        assert not one.broker.status().is_confirmed


async def test_entries_stay_held_until_the_account_could_be_read() -> None:
    async with desk() as one:
        one.at.rest_faults.arm(RestFault(kind="status", match="GET /v2/orders", status=500, count=3))
        one.at.lines["trading"].drop()
        await one.seen(lambda desk: len(desk.gates) == 2)
        assert one.at.rest_faults.armed == [], "it was tried until it worked"
        assert (await one.broker.read("/clock"))["is_open"] in {True, False}


async def test_a_desk_that_has_lost_its_senses_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk() as one:
        monkeypatch.setattr(broker, "MOST_WAITING", 1)
        order_id = one.order()
        assert one.status(order_id) is OrderStatus.REJECTED


async def test_stopping_leaves_nothing_behind() -> None:
    async with desk() as one:
        one.at.rest_faults.arm(RestFault(kind="late", match="POST /v2/orders", delay_s=1.0))
        one.order()
        await asyncio.sleep(0)
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert not {name for name in names if CAUSE in name or name.startswith(("order", "account", "cancel"))}


async def test_when_nothing_happens_twenty_requests_a_minute_are_enough() -> None:
    async with desk() as one:
        await one.ended(one.order("SPY", qty="3"))
        await one.seen(lambda desk: desk.broker.status().is_compared)
        before, began = one.at.log.totals.total(), one.at.clock.now()
        await until(lambda: one.at.clock.now() - began > 5 * MINUTE)
        minutes = (one.at.clock.now() - began) / MINUTE
        assert (one.at.log.totals.total() - before) / minutes <= 20


async def test_entries_are_held_until_books_and_account_were_compared() -> None:
    async with desk() as one:
        await one.seen(lambda desk: desk.broker.status().is_compared)
        held = [(type(kept).__name__, kept.cause) for kept in one.inputs if isinstance(kept, Held | Released)]
        assert held == [("Held", "reconciliation"), ("Released", "reconciliation")]
        reading = one.broker.status().reading
        assert reading is not None
        assert (reading.cash, reading.positions) == (one.at.options.cash, {})


async def test_what_exceeds_an_order_locks_its_symbol_until_it_was_taken_back_and_three_readings_agree() -> None:
    async with desk() as one:
        order_id = one.order("SPY", qty="3")
        await one.ended(order_id)
        tracker, now = one.broker.tracker, one.at.clock.now()
        about = {"id": tracker.orders[order_id].venue_id, "client_order_id": order_id, "status": "filled"}
        assert tracker.update(fill("5", "2", **about), now) == []
        await one.seen(lambda desk: desk.of(ExternalReported))
        told = [type(kept) for kept in one.inputs if isinstance(kept, Mismatched | ExternalReported)]
        assert told == [Mismatched, ExternalReported], "whoever dies between the two has locked it"
        bust = fill("3", "2", event="trade_bust", execution_id="b", previous_execution_id="x5", **about)
        assert tracker.update(bust, now) == []
        await one.seen(lambda desk: desk.of(Settled))
        one.check()


async def test_what_happened_while_nobody_listened_is_told_at_the_next_start() -> None:
    async with desk() as one:
        await one.ended(one.order("SPY", qty="3"))
        one.at.venue.set_halted("QQQ", is_halted=True)
        resting = one.order("QQQ", qty="2")
        await one.seen(lambda desk: desk.status(resting) is OrderStatus.OPEN)
        await one.broker.stop()
        one.at.venue.set_halted("QQQ", is_halted=False)
        request = OrderRequest("SPY", Side.BUY, qty=Decimal(5))
        one.at.venue.submit(one.at.key.account, request, now=one.at.clock.now())
        account = one.at.venue.accounts[one.at.key.account]
        await until(lambda: not account.working)
        again = Desk(one.at, books=one.ledger)
        await again.broker.start()
        await again.ended(resting)
        assert [row.report.qty for row in again.of(ExternalReported)] == [Decimal(5)]
        again.check()
        await again.broker.stop()


async def test_an_order_whose_outcome_was_not_written_down_is_found_or_sent_and_never_twice() -> None:
    async with desk() as one:
        await one.ended(one.order("SPY", qty="3"))
        await one.broker.stop()
        there, nowhere = (one.intend("SPY", "sell", qty) for qty in ("1", "2"))
        request = OrderRequest("SPY", Side.SELL, qty=Decimal(1), client_order_id=there)
        one.at.venue.submit(one.at.key.account, request, now=one.at.clock.now())
        again = Desk(one.at, books=one.ledger)
        await again.broker.start()
        await again.ended(there, nowhere)
        assert one.at.log.by_client_id.keys() == {"t-0001", nowhere}
        again.check()
        await again.broker.stop()


async def test_books_that_are_older_than_the_accounts_memory_are_not_traded_on() -> None:
    async with exchange(symbols=SYMBOLS) as at:
        one = Desk(at)
        request = OrderRequest("SPY", Side.BUY, qty=Decimal(1), client_order_id="b.one.7.0123abcd")
        at.venue.submit(at.key.account, request, now=at.clock.now())
        with pytest.raises(ReconcileError, match="older than the broker's memory"):
            await one.broker.start()
