"""Whatever the stream repeats, reorders or loses: the desk books the venue's executions, each once.

The witness is the real venue: its updates are shuffled on their way, then its orders and activities are read, as a
daemon does after a reconnect, and the desk's own ledger is compared with the venue's account.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.access.alpaca.desks import booked
from tests.access.sim.floor import Floor
from trader.access.alpaca import orders as orders_module
from trader.access.alpaca import outside as outside_module
from trader.access.alpaca.executions import Fill, Told
from trader.access.alpaca.orders import OVERDUE
from trader.access.alpaca.readings import fills_in
from trader.access.alpaca.tracker import OrderTracker
from trader.access.alpaca.wire_trading import OrderMessage, TradeUpdate
from trader.access.sim.venue_orders import ENDED, OrderRequest, VenueOrder
from trader.books.ledger import Ledger
from trader.exchange.shapes import activity_json, order_json, update_message
from trader.model.events import BooksCreated, OrderCreated, ReportIgnored, SandboxOpened
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
        self.ledger = Ledger()
        self.tracker = OrderTracker(self.ledger)
        self.ledger.apply(BooksCreated(0, "b", "", Decimal(10_000_000), {}))
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
        for message in self.tracker.external():
            event_of = booked(message)
            assert event_of is not None
            self.ledger.apply(event_of)

    def restart(self) -> None:
        """Begin a new life of the tracker with what the books know."""
        self.tracker = OrderTracker(self.ledger)
        self.tracker.recall(self.floor.now)

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
            self.book(self.tracker.recovered(own, self.floor.now, since=-1))

    def recover(self) -> None:
        """Do what a reconnect does: read the orders, what explains them, then all activities."""
        self.read_orders()
        self.explain()
        self.book(self.tracker.recovered(self.rows(), self.floor.now))

    def check(self) -> None:
        account = self.floor.account
        holdings = self.ledger.holdings()
        for symbol in SYMBOLS:
            assert holdings.get(symbol, 0) == account.qty(symbol), symbol
        assert self.ledger.cash() == account.cash
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


def message(status: str = "new", filled: str | None = "0", **fields: Any) -> OrderMessage:
    given = {"id": "v-1", "client_order_id": "t-1", "symbol": "SPY", "side": "buy", **fields}
    return OrderMessage(status=status, filled_qty=None if filled is None else Decimal(filled), **given)


def fill(filled: str, qty: str, *, status: str = "partially_filled", **fields: Any) -> TradeUpdate:
    event = fields.pop("event", "fill")
    about = {
        name: fields.pop(name) for name in ("execution_id", "previous_execution_id", "position_qty") if name in fields
    }
    about = {"execution_id": f"x{filled}", **about}
    return TradeUpdate(
        event=event, order=message(status, filled, **fields), qty=Decimal(qty), price=Decimal(100), **about
    )


def tracking(symbol: str = "SPY", qty: str = "10") -> OrderTracker:
    tracker = OrderTracker()
    tracker.watch(approved("t-1", symbol, qty=qty), 0)
    return tracker


def told(reports: Sequence[ExecutionReport]) -> list[tuple[OrderStatus, str]]:
    return [(report.status, report.execution_id) for report in reports]


def test_an_end_waits_for_the_executions_it_speaks_of() -> None:
    tracker = tracking()
    assert told(tracker.looked_up(message("canceled", "3"), 5)) == [(OrderStatus.OPEN, "")]
    assert tracker.wants_recovery(5) == []
    assert [tracked.order_id for tracked in tracker.wants_recovery(5 + OVERDUE)] == ["t-1"]
    reports = tracker.update(fill("3", "3"), 6)
    assert told(reports) == [(OrderStatus.PARTIALLY_FILLED, "x3@3"), (OrderStatus.CANCELED, "")]


def test_asking_again_takes_longer_every_time() -> None:
    tracker = tracking()
    tracker.looked_up(message("filled", "10"), 0)
    tracked = tracker.wants_recovery(OVERDUE)[0]
    tracked.tries = 2
    assert tracker.wants_recovery(6 * OVERDUE) == []
    assert tracker.wants_recovery(7 * OVERDUE) == [tracked]


@pytest.mark.parametrize(
    "update",
    [
        TradeUpdate(event="teleported", order=message()),
        TradeUpdate(event="new", order=message("levitating")),
        TradeUpdate(event="new", order=message(filled=None)),
        TradeUpdate(event="fill", order=message("partially_filled", "3"), qty=Decimal(3)),
        TradeUpdate(event="new", order=message(), unread=("price",)),
    ],
)
def test_what_is_not_understood_is_noted_and_the_order_looked_up(update: TradeUpdate) -> None:
    tracker = tracking()
    assert told(tracker.update(update, 1)) == [(OrderStatus.OPEN, "")]
    assert [tracked.order_id for tracked in tracker.wants_lookup()] == ["t-1"]
    assert "not understood" in tracker.notes()[0].what
    tracker.looked_up(message("levitating"), 2)
    assert tracker.wants_lookup() == [], "once is enough; an open order is looked up every now and then anyway"


@pytest.mark.parametrize("status", ["done_for_day", "stopped", "held", "suspended", "calculated", "pending_replace"])
def test_a_status_that_is_no_end_ends_nothing(status: str) -> None:
    tracker = tracking()
    tracker.update(TradeUpdate(event="new", order=message()), 1)
    assert tracker.update(TradeUpdate(event=status, order=message(status)), 2) == []
    assert tracker.wants_lookup() == []


def test_an_old_snapshot_brings_no_order_back_to_life() -> None:
    tracker = tracking()
    assert told(tracker.looked_up(message("expired"), 1)) == [(OrderStatus.OPEN, ""), (OrderStatus.EXPIRED, "")]
    assert tracker.update(TradeUpdate(event="new", order=message()), 2) == []
    assert tracker.open() == []


def test_a_cancel_under_way_is_told_once() -> None:
    tracker = tracking()
    leaving = TradeUpdate(event="pending_cancel", order=message("pending_cancel"))
    assert told(tracker.update(leaving, 1)) == [(OrderStatus.OPEN, ""), (OrderStatus.PENDING_CANCEL, "")]
    assert tracker.update(leaving, 2) == []
    assert told(tracker.update(fill("10", "10", status="filled"), 3)) == [(OrderStatus.FILLED, "x10@10")]


@pytest.mark.parametrize("is_successor_first", [False, True])
def test_an_order_replaced_by_hand_lives_on_in_its_successor(is_successor_first: bool) -> None:
    tracker = tracking()
    tracker.update(fill("4", "4"), 1)
    old = TradeUpdate(event="replaced", order=message("replaced", "4", replaced_by="v-2"))
    new = TradeUpdate(event="new", order=message("new", id="v-2", client_order_id="by hand", replaces="v-1"))
    for update in (new, old) if is_successor_first else (old, new):
        assert tracker.update(update, 2) == []
    reports = tracker.update(fill("5", "5", status="filled", id="v-2", client_order_id="by hand"), 3)
    assert told(reports) == [(OrderStatus.FILLED, "x5@5")], "made smaller there, it is whole with five"
    assert tracker.external() == []


def test_what_exceeds_an_order_is_told_to_nobodys_books() -> None:
    tracker = tracking()
    assert [report.qty for report in tracker.update(fill("14", "14", status="filled"), 1)] == [Decimal(10)]
    (over,) = tracker.external()
    assert (over.symbol, over.side, over.report.qty) == ("SPY", Side.BUY, Decimal(4))
    (note,) = tracker.notes()
    assert (note.what, note.excess) == ("filled beyond its quantity", Decimal(4))
    tracker.update(fill("14", "14", event="trade_bust", execution_id="b", previous_execution_id="x14"), 2)
    assert [one.report.reverses for one in tracker.external()] == [over.report.execution_id]


def test_a_refused_order_ends_but_not_one_that_is_there() -> None:
    tracker = tracking()
    (report,) = tracker.refused("t-1", "no money", 1)
    assert (report.status, report.text) == (OrderStatus.REJECTED, "no money")
    assert tracker.refused("t-1", "again", 2) == []
    arrived = tracking()
    arrived.looked_up(message(), 1)
    assert arrived.refused("t-1", "never mind", 2) == []


def test_a_bust_of_an_execution_nobody_knows_is_noted() -> None:
    tracker = tracking()
    tracker.update(TradeUpdate(event="new", order=message()), 1)
    bust = fill("0", "3", event="trade_bust", execution_id="b", previous_execution_id="a")
    assert tracker.update(bust, 2) == []
    assert "not known" in tracker.notes()[0].what


def test_a_fee_that_the_position_does_not_show_is_noted() -> None:
    tracker = tracking("BTC/USD", "2")
    coin = {"symbol": "BTC/USD"}
    tracker.update(fill("1", "1", position_qty=Decimal("0.9975"), **coin), 1)
    assert tracker.notes() == []
    tracker.update(fill("2", "1", position_qty=Decimal("1.9960"), status="filled", **coin), 2)
    assert [note.detail for note in tracker.notes()] == ["position differs by 0.001"]


def test_rows_of_orders_nobody_has_heard_of_are_left_for_later() -> None:
    tracker = tracking()
    rows = [Fill("v-9", "SPY", "buy", Told("x", Decimal(3), Decimal(3), Decimal(100), 1))]
    assert tracker.recovered(rows, 1) == []
    assert (tracker.external(), tracker.is_known("v-9")) == ([], False)
    tracker.looked_up(message("filled", "3", id="v-9", client_order_id="theirs"), 2)
    tracker.recovered(rows, 3)
    tracker.recovered(rows, 4)
    (one,) = tracker.external()
    assert (one.symbol, one.side, one.report.qty, one.report.execution_id) == ("SPY", Side.BUY, Decimal(3), "x@3")
    assert tracker.notes() == []
    tracker.looked_up(message(id="v-10", client_order_id="theirs too"), 5)
    assert [note.what for note in tracker.notes()] == ["order of another hand"], "an open one"


def test_ended_orders_are_forgotten_when_there_are_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders_module, "ENDED_KEPT", 1)
    monkeypatch.setattr(outside_module, "KEPT", 1)
    tracker = tracking()
    tracker.looked_up(message("canceled"), 1)
    tracker.watch(approved("t-2"), 2)
    tracker.looked_up(message("canceled", id="v-2", client_order_id="t-2"), 3)
    assert tracker.orders.get("t-1") is None
    assert tracker.orders.get("t-2") is not None
    for number in (8, 9):
        tracker.looked_up(message(id=f"v-{number}", client_order_id="theirs"), 4)
    assert (tracker.is_known("v-8"), tracker.is_known("v-9")) == (False, True)


@settings(deadline=None, max_examples=100)
@given(actions, st.booleans(), st.data())
def test_a_restart_between_any_two_updates_books_nothing_twice_and_loses_nothing(
    script: list[tuple[Any, ...]], has_restated: bool, data: st.DataObject
) -> None:
    rehearsal = Rehearsal()
    act(rehearsal, [one for one in script if has_restated or one[0] != "restate"])
    for update in rehearsal.on_the_line:
        rehearsal.deliver([update] * data.draw(st.integers(0, 2)))
        if data.draw(st.booleans()):
            rehearsal.restart()
    rehearsal.restart()
    for _ in range(2):
        rehearsal.recover()
        rehearsal.check()
        rehearsal.restart()


def books_of(**executions: str) -> Ledger:
    """Return books that have an order with executions of quantities by their names."""
    ledger = Ledger()
    ledger.apply(BooksCreated(0, "t", "", Decimal(10_000), {}))
    ledger.apply(SandboxOpened(0, "one", Decimal(10_000)))
    one = approved()
    ledger.apply(OrderCreated(0, one))
    for name, amount in executions.items():
        report = ExecutionReport(
            "t-1", OrderStatus.PARTIALLY_FILLED, 1, f"{name}@{amount}", Decimal(amount), Decimal(100)
        )
        ledger.apply(ledger.read(1, report))
    return ledger


def reborn(ledger: Ledger) -> OrderTracker:
    """Return the tracker of a new life."""
    tracker = OrderTracker(ledger)
    tracker.recall(5)
    return tracker


def from_books(**executions: str) -> OrderTracker:
    return reborn(books_of(**executions))


def external_in(tracker: OrderTracker, ledger: Ledger) -> list[str]:
    """Book what is told of others, and return its names."""
    messages = tracker.external()
    for message in messages:
        event = booked(message)
        assert event is not None
        ledger.apply(event)
    return [message.report.execution_id for message in messages]


def test_what_the_books_have_is_known_and_the_rest_of_the_order_is_told() -> None:
    tracker = from_books(x3="3")
    assert tracker.update(fill("3", "3"), 6) == []
    assert told(tracker.update(fill("10", "7", status="filled"), 7)) == [(OrderStatus.FILLED, "x10@10")]


def test_what_exceeded_an_order_is_known_after_a_restart() -> None:
    ledger = books_of()
    before = reborn(ledger)
    for report in before.update(fill("14", "14", status="filled"), 1):
        ledger.apply(ledger.read(1, report))
    assert len(external_in(before, ledger)) == 1
    tracker = reborn(ledger)
    tracker.looked_up(message("filled", "14", filled_avg_price=Decimal(100)), 6)
    assert tracker.wants_recovery(6 + 100 * OVERDUE) == [], "all of it is explained"
    tracker.update(fill("14", "14", event="trade_bust", execution_id="b", previous_execution_id="x14"), 7)
    assert [one.report.qty for one in tracker.external()] == [Decimal(4)]


def rows_of(*told: Told) -> list[Fill]:
    return [Fill("v-1", "SPY", "buy", one) for one in told]


_ORIGINAL = Told("a", Decimal(10), Decimal(10), Decimal(99), 1)
_CORRECTION = Told("c", Decimal(10), Decimal(10), Decimal(100), 2, "trade_correct", "a")
_BEYOND = Told("d", Decimal(14), Decimal(4), Decimal(100), 3)
_BUST = Told("z", Decimal(10), Decimal(4), Decimal(100), 4, "trade_bust", "d")


def test_an_original_that_is_read_without_its_correction_is_no_news() -> None:
    tracker = from_books(c="10")
    tracker.looked_up(message("filled", "10", filled_avg_price=Decimal(100)), 6)
    tracker.recovered(rows_of(_ORIGINAL), 7)
    assert [one.order_id for one in tracker.wants_recovery(7 + OVERDUE)] == ["t-1"], "the rest of it is asked for"
    tracker.recovered(rows_of(_ORIGINAL), 8, since=-1)
    assert tracker.wants_recovery(8 + 100 * OVERDUE) == []
    assert tracker.recovered(rows_of(_ORIGINAL, _CORRECTION), 9) == []
    assert tracker.external() == []


@pytest.mark.parametrize("is_read_before", [False, True])
def test_an_execution_of_which_an_order_got_nothing_is_taken_back_after_a_restart(is_read_before: bool) -> None:
    ledger = books_of(c="10")
    tracker = reborn(ledger)
    tracker.looked_up(message("filled", "14", filled_avg_price=Decimal(100)), 6)
    tracker.recovered(rows_of(_BEYOND), 7)
    assert external_in(tracker, ledger) == ["d@14+over"]
    tracker = reborn(ledger)
    tracker.looked_up(message("filled", "10", filled_avg_price=Decimal(100)), 8)
    tracker.recovered(rows_of(_BEYOND) if is_read_before else [], 8)
    assert external_in(tracker, ledger) == []
    for _ in range(2):
        tracker.recovered(rows_of(_BEYOND, _BUST), 9)
    assert external_in(tracker, ledger) == ["d@14+over!bust"]
    assert ledger.account.external == {}


def test_a_bust_of_which_only_the_orders_part_was_written_down_is_told_of_the_rest() -> None:
    ledger = books_of()
    row = Told("d", Decimal(14), Decimal(14), Decimal(100), 3)
    before = reborn(ledger)
    before.looked_up(message("filled", "14", filled_avg_price=Decimal(100)), 6)
    (report,) = [one for one in before.recovered(rows_of(row), 7) if one.qty]
    ledger.apply(ledger.read(7, report))
    assert external_in(before, ledger) == ["d@14+over"]
    bust = msgspec.structs.replace(row, venue_id="z", ts=4, kind="trade_bust", undoes="d")
    (report,) = before.recovered(rows_of(row, bust), 8)
    ledger.apply(ledger.read(8, report))  # here this life ends
    tracker = reborn(ledger)
    tracker.looked_up(message("filled", "0"), 9)
    assert [one.qty for one in tracker.recovered(rows_of(row, bust), 9) if one.qty] == []
    assert external_in(tracker, ledger) == ["d@14+over!bust"]
    assert ledger.holdings() == {}


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.one_of(
            st.just(("send", "SPY", "buy", "5")),
            st.tuples(st.just("quote"), st.just("SPY"), st.just(100), st.sampled_from([2.0, 9.0])),
            st.tuples(st.just("restate"), st.integers(0, 2), st.sampled_from([Decimal(99), Decimal("99.25")])),
        ),
        max_size=8,
    ),
    st.data(),
)
def test_corrections_that_are_read_late_end_in_the_venues_executions(
    script: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    rehearsal = Rehearsal()
    act(rehearsal, script)
    for update in rehearsal.on_the_line:
        rehearsal.deliver([update] * data.draw(st.integers(0, 1)))
        if data.draw(st.booleans()):
            rehearsal.restart()
        if data.draw(st.booleans()):
            rehearsal.read_orders()
            rows = rehearsal.rows()
            rows = rows[: len(rows) - data.draw(st.integers(0, 2))]
            rehearsal.book(rehearsal.tracker.recovered(rows, rehearsal.floor.now))
    for _ in range(2):
        rehearsal.recover()
        rehearsal.check()
        rehearsal.restart()


def test_what_was_crossed_between_sandboxes_is_not_expected_of_the_venue() -> None:
    tracker = from_books(**{"x:1:2": "4"})
    (tracked,) = tracker.open()
    assert (tracked.ordered, tracked.room, tracked.qty) == (Decimal(6), Decimal(6), Decimal(0))
    assert told(tracker.update(fill("6", "6", status="filled"), 7))[-1][0] is OrderStatus.FILLED


def test_an_order_of_these_books_that_they_do_not_know_is_of_their_future() -> None:
    tracker = from_books()
    tracker.looked_up(message(id="v-2", client_order_id="t.one.1.00000000"), 6)
    assert tracker.from_the_future == "", "one was created: this was it, and it was forgotten long ago"
    row = Fill("v-2", "SPY", "buy", Told("x", Decimal(3), Decimal(3), Decimal(100), 1))
    tracker.recovered([row], 7)
    assert tracker.external() == [], "what it brought is in the books"
    tracker.looked_up(message(id="v-3", client_order_id="t2.one.2.00000000"), 6)
    assert tracker.from_the_future == ""
    tracker.looked_up(message(id="v-4", client_order_id="t.one.2.00000000"), 6)
    assert tracker.from_the_future == "t.one.2.00000000"


@pytest.mark.parametrize("other", [{"qty": Decimal(9)}, {"side": "sell"}, {"symbol": "QQQ"}])
def test_an_order_of_our_id_that_is_not_what_was_asked_for_is_not_adopted_and_locks_the_symbol(
    other: dict[str, Any],
) -> None:
    tracker = tracking()
    assert tracker.looked_up(message(**other), 1) == []
    (note,) = tracker.notes()
    assert (note.what, note.excess) == ("another order has its id", Decimal(0))
    assert (
        tracker.update(
            TradeUpdate(event="fill", order=message("filled", "10", **other), qty=Decimal(10), price=Decimal(1)), 2
        )
        == []
    )


def test_what_is_shown_and_told_by_nobody_is_made_up_at_the_price_it_must_have_had_and_taken_back_later() -> None:
    tracker = tracking()
    tracker.update(fill("4", "4"), 1)
    tracker.looked_up(message("filled", "10", filled_avg_price=Decimal(103)), 2)
    (tracked,) = tracker.wants_recovery(2 + OVERDUE)
    (made_up,) = tracker.synthesize(tracked, 3)
    assert (made_up.execution_id, made_up.qty, made_up.price) == ("syn:t-1:10", Decimal(6), Decimal(105))
    assert made_up.status is OrderStatus.FILLED
    assert tracker.synthesize(tracked, 4) == []
    assert tracker.wants_recovery(4 + OVERDUE) == [tracked], "the real ones are still asked for"
    real = Fill("v-1", "SPY", "buy", Told("real", Decimal(10), Decimal(6), Decimal(105), 2))
    first = Fill("v-1", "SPY", "buy", Told("x4", Decimal(4), Decimal(4), Decimal(100), 1))
    busted, booked_instead = tracker.recovered([first, real], 5, since=-1)
    assert (busted.reverses, busted.qty) == ("syn:t-1:10", Decimal(6))
    assert (booked_instead.execution_id, booked_instead.qty) == ("real@10", Decimal(6))
    assert tracker.wants_recovery(5 + 100 * OVERDUE) == []


def test_without_an_average_price_nothing_is_made_up() -> None:
    tracker = tracking()
    tracker.looked_up(message("filled", "10"), 2)
    (tracked,) = tracker.wants_recovery(2 + OVERDUE)
    assert tracker.synthesize(tracked, 3) == []


def test_an_order_the_venue_does_not_know_is_absent_until_it_turns_up() -> None:
    tracker = tracking()
    assert told(tracker.absent("t-1", "nowhere", 1)) == [(OrderStatus.ABSENT, "")]
    assert tracker.absent("t-1", "nowhere", 2) == []
    assert told(tracker.looked_up(message(), 3)) == [(OrderStatus.OPEN, "")]
