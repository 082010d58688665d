"""Whatever the stream repeats, reorders or loses: the desk books the venue's executions, each once.

The witness is the real venue: its updates are shuffled on their way, then its orders and activities are read, as a
daemon does after a reconnect, and the desk's own ledger is compared with the venue's account.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.access.sim.floor import Floor
from trader.access.alpaca.readings import fills_in
from trader.access.alpaca.tracker import OVERDUE, Fill, OrderTracker
from trader.access.alpaca.wire_trading import TradeUpdate
from trader.access.sim.venue_orders import ENDED, OrderRequest, VenueOrder
from trader.books.ledger import Ledger
from trader.exchange.shapes import order_json, update_message
from trader.exchange.shapes_account import activity_json
from trader.model.events import OrderCreated, ReportIgnored, SandboxOpened
from trader.model.orders import TERMINAL, Approved, ExecutionReport, OrderIntent, OrderStatus, Reason, Side
from trader.model.ticks import Quote
from trader.model.time import SECOND

SYMBOLS = ("SPY", "BTC/USD")


def approved(order_id: str = "t-1", symbol: str = "SPY", side: str = "buy", qty: str = "10") -> Approved:
    intent = OrderIntent(
        "one", symbol, Side(side), Decimal(qty), Decimal(100), reduces=side == "sell", reason=Reason.SIGNAL, ts=0
    )
    return Approved(order_id, intent)


class Rehearsal:
    """A venue on one side, a tracker and a ledger on the other, and between them a line that a test may spoil."""

    def __init__(self) -> None:
        self.floor = Floor(cash=Decimal(10_000_000), has_fees=True, has_partial_fills=True, has_sizes=True)
        self.tracker = OrderTracker()
        self.ledger = Ledger()
        self.ledger.apply(SandboxOpened(0, "one", Decimal(10_000_000)))
        self.orders: dict[str, Approved] = {}
        self.on_the_line: list[TradeUpdate] = []
        self.reports: list[ExecutionReport] = []
        self.heard = 0
        for symbol in SYMBOLS:
            self.quote(symbol, 100, 4)  # so that orders fill in parts

    def quote(self, symbol: str, price: int, size: float) -> None:
        floor = self.floor
        floor.now += SECOND
        floor.venue.observe([Quote(symbol, floor.now, price - 0.5, size, price + 0.5, size)], now=floor.now)
        self.listen()

    def send(self, symbol: str, side: str, qty: str) -> None:
        one = approved(f"t-{len(self.orders) + 1}", symbol, side, qty)
        self.orders[one.order_id] = one
        self.tracker.watch(one, self.floor.now)
        self.ledger.apply(OrderCreated(self.floor.now, one))
        answer = self.ask(symbol, side, qty, one.order_id)
        if not isinstance(answer, VenueOrder):
            self.book(self.tracker.refused(one.order_id, answer.message, self.floor.now))

    def ask(self, symbol: str, side: str, qty: str, client_id: str = "") -> Any:
        tif = "gtc" if "/" in symbol else "day"
        request = OrderRequest(symbol, Side(side), "market", tif, Decimal(qty), client_order_id=client_id)
        answer = self.floor.venue.submit("a", request, now=self.floor.now)
        self.listen()
        return answer

    def cancel(self, number: int) -> None:
        working = list(self.floor.account.working)
        if working:
            self.floor.venue.cancel("a", working[number % len(working)], now=self.floor.now)
            self.listen()

    def restate(self, number: int, price: Decimal | None) -> None:
        rows = [row for row in self.floor.account.activities if row.activity_type == "FILL" and row.qty]
        standing = [row for row in rows if row.execution_id in self.floor.account.executions]
        if standing:
            execution_id, now = standing[number % len(standing)].execution_id, self.floor.now
            if price is None:
                self.floor.venue.bust("a", execution_id, now=now)
            else:
                self.floor.venue.correct("a", execution_id, price=price, now=now)
            self.listen()

    def listen(self) -> None:
        for update in self.floor.venue.updates():
            message = update_message(update)
            taken_back = update.previous_execution_id or None
            self.on_the_line.append(msgspec.structs.replace(message, previous_execution_id=taken_back))

    def deliver(self, updates: Sequence[TradeUpdate]) -> None:
        for update in updates:
            self.book(self.tracker.update(update, self.floor.now))

    def book(self, reports: Sequence[ExecutionReport]) -> None:
        for report in reports:
            self.reports.append(report)
            event = self.ledger.read(self.floor.now, report)
            assert not isinstance(event, ReportIgnored), event
            self.ledger.apply(event)

    def read_orders(self) -> None:
        for order in self.floor.account.orders.values():
            self.book(self.tracker.looked_up(order_json(order), self.floor.now))

    def rows(self, *, salt: str = "") -> list[Fill]:
        """Return all activities; with ``salt`` their ids are not those of the stream."""
        rows = [activity_json(row) for row in self.floor.account.activities]
        return fills_in([{**row, "id": f"{row['id']}{salt}"} for row in rows])

    def explain(self, *, salt: str = "") -> None:
        """Read the activities of the orders that are not explained, as they ask for it."""
        for tracked in self.tracker.wants_recovery(self.floor.now + OVERDUE):
            ids = {part.venue_id for part in tracked.parts}
            own = [row for row in self.rows(salt=salt) if row.venue_order_id in ids]
            self.book(self.tracker.recovered(own, self.floor.now, complete_for=tracked.order_id))

    def recover(self) -> None:
        """Do what a reconnect does: read the orders, what explains them, then all activities."""
        self.read_orders()
        self.explain()
        self.book(self.tracker.recovered(self.rows(), self.floor.now))

    def check(self) -> None:
        account = self.floor.account
        for symbol in SYMBOLS:
            external = self.tracker.external.get(symbol)
            ours = self.ledger.books["one"].position(symbol).qty
            assert ours + (external.qty if external else 0) == account.qty(symbol), symbol
        cash = self.ledger.books["one"].cash + sum(external.cash for external in self.tracker.external.values())
        assert cash == account.cash
        for order_id in self.orders:
            self.check_order(order_id)
        names = [report.execution_id for report in self.reports if report.execution_id]
        assert len(names) == len(set(names)), "no execution was told twice"

    def ends_with_its_end(self, order_id: str) -> bool:
        statuses = [report.status in TERMINAL for report in self.reports if report.order_id == order_id]
        return not any(statuses[:-1])

    def check_order(self, order_id: str) -> None:
        record = self.ledger.orders[order_id]
        venue_id = self.floor.account.by_client_id.get(order_id)
        if venue_id is None:
            assert record.status is OrderStatus.REJECTED
            return
        order = self.floor.account.orders[venue_id]
        assert record.filled == order.filled_qty
        assert (record.status in TERMINAL) == (order.status in ENDED), (record.status, order.status)


quantities = st.sampled_from(["1", "5", "7", "12", "40"])
actions = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from(SYMBOLS), st.sampled_from(["buy", "buy", "sell"]), quantities),
        st.tuples(st.just("ask"), st.sampled_from(SYMBOLS), st.sampled_from(["buy", "buy", "sell"]), quantities),
        st.tuples(st.just("quote"), st.sampled_from(SYMBOLS), st.integers(99, 101), st.sampled_from([0.0, 2.0, 9.0])),
        st.tuples(st.just("quote"), st.sampled_from(SYMBOLS), st.integers(99, 101), st.sampled_from([3.0, 500.0])),
        st.tuples(st.just("cancel"), st.integers(0, 9)),
        st.tuples(st.just("restate"), st.integers(0, 9), st.sampled_from([None, Decimal("99.25")])),
    ),
    max_size=25,
)


def act(rehearsal: Rehearsal, script: Sequence[tuple[Any, ...]]) -> None:
    for what, *how in script:
        getattr(rehearsal, what)(*how)


def spoiled(sent: Sequence[TradeUpdate], data: st.DataObject, *, may_be_ahead: bool) -> list[TradeUpdate]:
    """Lose, repeat and reorder updates; some may show their order as it stood later."""
    last = {update.order.id: update.order for update in sent}
    copies = data.draw(st.lists(st.integers(0, 2), min_size=len(sent), max_size=len(sent)))
    arriving = [update for update, times in zip(sent, copies, strict=True) for _ in range(times)]
    if may_be_ahead:
        arriving = [
            msgspec.structs.replace(update, order=last[update.order.id]) if data.draw(st.booleans()) else update
            for update in arriving
        ]
    return data.draw(st.permutations(arriving))


@settings(deadline=None, max_examples=150)
@given(actions, st.booleans(), st.sampled_from(["", "x"]), st.data())
def test_any_loss_repetition_and_order_of_updates_ends_in_the_venues_executions(
    script: list[tuple[Any, ...]], may_be_ahead: bool, salt: str, data: st.DataObject
) -> None:
    rehearsal = Rehearsal()
    act(rehearsal, [one for one in script if one[0] != "restate"])
    rehearsal.deliver(spoiled(rehearsal.on_the_line, data, may_be_ahead=may_be_ahead))
    rehearsal.read_orders()
    rehearsal.explain(salt=salt)
    for order_id in rehearsal.orders:
        rehearsal.check_order(order_id)
        assert rehearsal.ends_with_its_end(order_id)
    rehearsal.book(rehearsal.tracker.recovered(rehearsal.rows(salt=salt), rehearsal.floor.now))
    if not may_be_ahead:  # of other hands' orders nothing is read again
        rehearsal.check()


@settings(deadline=None, max_examples=100)
@given(actions, st.data())
def test_what_the_venue_takes_back_is_taken_back_once_even_where_updates_were_lost(
    script: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    rehearsal = Rehearsal()
    restated = [one for one in script if one[0] == "restate"]
    act(rehearsal, [one for one in script if one[0] != "restate"])
    for symbol in SYMBOLS:
        rehearsal.quote(symbol, 100, 500)
    act(rehearsal, restated)
    for update in rehearsal.on_the_line:
        rehearsal.deliver([update] * data.draw(st.integers(0, 2)))
    rehearsal.recover()
    rehearsal.recover()
    rehearsal.check()


@settings(deadline=None, max_examples=50)
@given(actions)
def test_a_stream_without_faults_needs_no_recovery(script: list[tuple[Any, ...]]) -> None:
    rehearsal = Rehearsal()
    act(rehearsal, script)
    rehearsal.deliver(rehearsal.on_the_line)
    assert rehearsal.tracker.wants_recovery(rehearsal.floor.now + 10 * OVERDUE) == []
    assert rehearsal.tracker.wants_lookup() == []
    rehearsal.check()
    assert "fee" not in " ".join(note.what for note in rehearsal.tracker.notes())
