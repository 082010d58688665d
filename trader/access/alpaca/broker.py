"""The account's side of a desk on Alpaca: orders and cancels go out, whatever becomes of them comes in as inputs.

``submit`` and ``cancel`` return at once. Outcomes are handed to ``deliver`` on the loop's thread, in the order they
became known: by the stream of order updates, by answers, by what is read after a gap. No entry leaves while the stream
is not confirmed: :meth:`AlpacaBroker.start` waits for that, later ``Held`` and ``Released`` tell it (:data:`CAUSE`).

What the books know of orders and executions is known from the start, so that nothing is told twice across restarts.
Until a first reading of the account was compared with the books no entry leaves either (``reconciliation``).

How one order is sent is :mod:`submission`, what is read again is :mod:`restoring`, what it all means is :mod:`tracker`,
whether books and account agree is :mod:`comparing`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final

import msgspec
import structlog

from trader.access.alpaca.calls import AccountCalls
from trader.access.alpaca.comparing import APART, Comparison, Reading
from trader.access.alpaca.comparing import CAUSE as COMPARED
from trader.access.alpaca.limiter import Priority
from trader.access.alpaca.line import STREAM, AlpacaLine, BrokerSettings, Line
from trader.access.alpaca.lookups import Lookups
from trader.access.alpaca.restoring import Restoring
from trader.access.alpaca.stream_events import Event, ReconnectWanted, Stopped, Subscribed, Updated
from trader.access.alpaca.submission import Submission
from trader.access.alpaca.tracker import OrderTracker
from trader.access.last_look import LastLook
from trader.books.ledger import Ledger
from trader.errors import EdgeError, ReconcileError, Refused, Unavailable
from trader.model.inputs import Held, Input, Mismatched, Released, Reported
from trader.model.money import EXACT, ZERO
from trader.model.orders import TERMINAL, Approved, ExecutionReport, OrderStatus
from trader.model.time import MINUTE, SECOND, iso

log = structlog.get_logger()

CAUSE: Final = STREAM
START_WITHIN_S: Final = 30.0  # keys, stream and the first reading; a healthy account takes a second
TEND_EVERY: Final = SECOND  # of market time: what the tracker asks for is read
TEND_EVERY_S: Final = 0.05  # and of real time, however fast the market's runs
SWEEP_EVERY: Final = MINUTE
COMPARE_EVERY: Final = 30 * SECOND
TRY_AGAIN: Final = 2 * SECOND  # after a reading of the account failed; then twice as long, up to sixteen times
MOST_DOUBLED: Final = 4
MOST_WAITING: Final = 1_000  # orders on their way; a desk that makes more has lost its senses


class BrokerStatus(msgspec.Struct, frozen=True):
    """How the account's side stands; ``reading`` is the account as it was read last."""

    is_confirmed: bool
    is_compared: bool
    throttled: int
    retried: int
    reading: Reading | None
    absent: Sequence[str]


class AlpacaBroker:
    """A :class:`~trader.access.ports.BrokerAdapter` on an account at Alpaca, or at what speaks like it."""

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        now: Callable[[], int],
        deliver: Callable[[Input], None],
        ledger: Ledger,
        fail: Callable[[Exception], None] | None = None,
        line: Line | None = None,
    ) -> None:
        """Connect nothing yet.

        ``ledger`` are the books, recovered before :meth:`start`: they are only read. ``fail`` is told when the stream
        is refused for good while it runs, or the books turn out to be old; ``line`` stands in for the one that
        ``settings`` name.
        """
        self._now = now
        self._deliver = deliver
        self._fail = fail
        self._ledger = ledger
        overdue = max(2 * SECOND, round(settings.pace * SECOND / 2))
        self.tracker = OrderTracker(ledger, overdue=overdue, regulatory=settings.regulatory)
        self._subscribed = asyncio.Event()
        self._confirmed = asyncio.Event()
        line = line or AlpacaLine(settings)
        self._calls = AccountCalls(line.rest, now=now, pace=settings.pace)
        self._lookups = Lookups(self._calls, self.tracker, self._give)
        look = LastLook(ledger, settings.limits, now=now)
        self._submission = Submission(
            self._lookups, settings.instruments, is_confirmed=self._confirmed.is_set, look=look
        )
        self._restoring = Restoring(self._lookups, ledger, settings=settings, deliver=deliver)
        self._comparison = Comparison(ledger)
        self._connection = line.connect(self._take)
        self._tasks: dict[asyncio.Task[None], None] = {}  # in the order they began: a run can be repeated
        self._lost_at = now()  # since when the stream may have missed something
        self._subscriptions = 0
        self._is_started = self._is_compared = self._is_resumed = self._is_closing = False
        self._failure: Exception | None = None

    async def start(self) -> Reading:
        """Connect, learn what the account holds and what happened to it, and wait until the stream is confirmed.

        Returns the account as it was found: what new books begin with. Everything that happened later is delivered.

        Raises:
            ReconcileError: the books are older than the account's memory of them, or another account's.
            EdgeError: keys are refused, or nothing answers; what to do stands in its text.
        """
        try:
            async with asyncio.timeout(START_WITHIN_S):
                self.tracker.recall(self._now())
                found = await self._restoring.begin()
                self._deliver(Held(self._now(), COMPARED, (), "books and account were not compared yet"))
                self._lost_at = self._now()
                self._spawn(self._stream(), "order stream")
                self._spawn(self._tend(), "account tender")
                await self._confirmed.wait()
        except TimeoutError:
            await self.stop()
            where = self._connection.endpoint.url
            raise Unavailable(
                f"the order stream {where} was not confirmed within {START_WITHIN_S:.0f} s; "
                "`trader doctor` tries every connection by itself"
            ) from None
        except BaseException:
            await self.stop()
            raise
        if self._failure is not None:
            await self.stop()
            raise self._failure
        self._is_started = True
        return found

    async def stop(self) -> None:
        """Close the stream with a goodbye and let go of everything; open orders stay as they are."""
        self._connection.stop()
        tasks = [task for task in self._tasks if not task.done()]
        for task in tasks:
            if task.get_name() != CAUSE:
                task.cancel()
        self._calls.close()
        if tasks:
            await asyncio.wait(tasks)

    def submit(self, approved: Approved, crossed: Decimal = ZERO) -> None:
        """Send what of an order was not ``crossed`` between sandboxes; its outcome arrives as reports."""
        tracked = self.tracker.watch(approved, self._now(), crossed)
        if self._is_closing:
            self._give(self.tracker.refused(approved.order_id, "the run ends", self._now(), OrderStatus.CANCELED))
            return
        if len(self._tasks) > MOST_WAITING:
            self._give(self.tracker.refused(approved.order_id, f"{MOST_WAITING} requests wait", self._now()))
            return
        self._spawn(self._submission.send(tracked), f"order {approved.order_id}")

    def cancel(self, order_id: str, ts: int) -> None:
        """Ask for a cancel; an order that has ended is left as it is."""
        tracked = self.tracker.orders.get(order_id)
        if tracked is not None and not tracked.is_over:
            self._spawn(self._submission.cancel(tracked), f"cancel {order_id}")

    def cancel_open(self) -> None:
        """Ask for a cancel of every open order of ours, and send no more; those of other hands are left alone."""
        self._is_closing = True
        for tracked in self.tracker.open():
            self.cancel(tracked.order_id, self._now())

    @property
    def open_orders(self) -> int:
        """Return how many orders of ours may be worked at the venue."""
        return sum(tracked.status is not OrderStatus.ABSENT for tracked in self.tracker.open())

    def status(self) -> BrokerStatus:
        """Return how things stand."""
        return BrokerStatus(
            is_confirmed=self._confirmed.is_set(),
            is_compared=self._is_compared,
            throttled=self._calls.throttled,
            retried=self._submission.retried,
            reading=self._comparison.last,
            absent=[one.order_id for one in self.tracker.open() if one.status is OrderStatus.ABSENT],
        )

    async def read(self, path: str, query: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 -- raw JSON
        """Read anything else of the account, ``/account`` or ``/clock``, after all that is more urgent."""
        return await self._calls.get(path, query, priority=Priority.READ)

    async def _stream(self) -> None:
        try:
            await self._connection.run()
        except EdgeError as error:
            self._lose_for_good(error)

    def _lose_for_good(self, error: Exception) -> None:
        if self._failure is not None:
            return
        self._failure = error
        if not self._is_started:
            self._confirmed.set()  # nothing more to wait for
        elif self._fail is not None:
            self._fail(error)

    def _take(self, event: Event) -> None:
        if isinstance(event, Updated):
            self._give(self.tracker.update(event.update, self._now()))
        elif isinstance(event, Subscribed):
            self._subscribed.set()
            self._subscriptions += 1
            self._spawn(self._restore(self._subscriptions), "account restorer")
        elif isinstance(event, ReconnectWanted | Stopped):
            self._lose(event.text)

    def _lose(self, why: str) -> None:
        self._subscribed.clear()
        if self._confirmed.is_set():
            self._confirmed.clear()
            self._lost_at = self._now()
            self._deliver(Held(self._now(), CAUSE, (), why))

    async def _restore(self, subscription: int) -> None:
        """Read what the stream has missed, then let entries pass; again until it works or the stream is lost."""
        failures = 0
        while subscription == self._subscriptions and self._subscribed.is_set() and not self._confirmed.is_set():
            try:
                await self._restoring.catch_up(self._lost_at)
            except EdgeError as error:
                log.warning("account.unread", why=str(error)[:300], since=iso(self._lost_at))
                await self._calls.pause(TRY_AGAIN * 2 ** min(failures, MOST_DOUBLED))
                failures += 1
                continue
            if subscription == self._subscriptions and self._subscribed.is_set() and self._failure is None:
                self._confirm()

    def _confirm(self) -> None:
        log.info("stream.confirmed", stream=CAUSE, since=iso(self._lost_at))
        self._confirmed.set()
        if self._is_started:
            self._deliver(Released(self._now(), CAUSE))
        if not self._is_resumed:
            self._is_resumed = True
            for tracked in self.tracker.open():
                if tracked.is_restored and tracked.status is OrderStatus.PENDING_CANCEL:
                    self._spawn(self._submission.cancel(tracked), f"cancel {tracked.order_id}")
                if tracked.is_restored and tracked.is_awaited:
                    self._spawn(self._submission.resume(tracked), f"order {tracked.order_id}")

    async def _tend(self) -> None:
        """Read what the tracker asks for every second, and the account every half minute and every minute."""
        swept, compared, failures = self._now(), 0, 0
        while True:
            every_s = max(TEND_EVERY_S, TEND_EVERY / SECOND / self._calls.pace)
            await asyncio.sleep(every_s * 2 ** min(failures, MOST_DOUBLED))
            now, is_confirmed = self._now(), self._confirmed.is_set()
            is_due = is_confirmed and now - compared >= APART
            is_due = is_due and (now - compared >= COMPARE_EVERY or self._comparison.is_waited_for)
            is_due = is_due and self._ledger.account.reconciled_until >= self._restoring.until  # all told is booked
            is_sweep_due = is_confirmed and now - swept >= SWEEP_EVERY
            swept, compared = now if is_sweep_due else swept, now if is_due else compared
            try:
                await self._restoring.explain()
                await self._call_off()
                if is_sweep_due:
                    await self._restoring.sweep()
                if is_due:
                    await self._compare()
            except EdgeError as error:
                log.warning("account.unread", why=str(error)[:300], since=iso(swept))
                failures += 1
                continue
            failures = 0

    async def _compare(self) -> None:
        """Read the account and tell where it differs from the books. Raises EdgeError."""
        await self._lookups.open()  # also those of ours that were given up: they block others
        reading = await self._restoring.read()
        moving = {one.approved.intent.symbol for one in self.tracker.open() if one.status is not OrderStatus.ABSENT}
        executed_at, explained = self.tracker.executed_at, {"coin fees posted": self._restoring.unbooked_fees}
        for message in self._comparison.take(reading, moving=moving, executed_at=executed_at, explained=explained):
            self._deliver(message)
        if self._comparison.is_settled and not self._is_compared:
            self._is_compared = True
            self._deliver(Released(self._now(), COMPARED))

    def _give(self, reports: Sequence[ExecutionReport]) -> None:
        for report in reports:
            self._deliver(Reported(self._now(), report))
            if report.status in TERMINAL and (tracked := self.tracker.orders.get(report.order_id)) is not None:
                self._submission.note_end(tracked.approved.intent.symbol)
        self._tell_notes()  # what locks a symbol is there before what it is locked for, if this program ends between
        for message in self.tracker.external():
            self._deliver(message)
        if self.tracker.from_the_future:
            self._lose_for_good(ReconcileError(
                f"order {self.tracker.from_the_future} stands at the broker and not in these books: they are older "
                "than the broker's memory, or somebody else trades on a copy of them. Put the newest journal back; "
                "if it is lost, begin new books in another state folder, and what is held now counts as external"
            ))  # fmt: skip

    async def _call_off(self) -> None:
        """Cancel what came to life after it was given up. Raises EdgeError."""
        for tracked in self.tracker.resurrected():
            log.error("order.resurrected", order_id=tracked.order_id, symbol=tracked.approved.intent.symbol)
            with suppress(Refused):  # it has ended meanwhile
                await self._calls.delete(f"/orders/{tracked.venue_id}")
            tracked.is_called_off = True

    def _tell_notes(self) -> None:
        for note in self.tracker.notes():
            log.warning("order.noted", what=note.what, order_id=note.order_id, symbol=note.symbol, detail=note.detail)
            if note.excess is not None:
                expected = self._ledger.holdings().get(note.symbol, ZERO)
                held, why = EXACT.add(expected, note.excess), f"order {note.order_id}: {note.what}"
                self._deliver(Mismatched(self._now(), note.symbol, held, expected, why))

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if task.cancelled() or (bug := task.exception()) is None:
            return
        log.critical("broker.broken", task=task.get_name(), error=repr(bug))
        if self._fail is not None and isinstance(bug, Exception):
            self._fail(bug)
