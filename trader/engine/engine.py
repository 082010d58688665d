"""``Engine.handle(input) -> Step``: the one door of the desk. No I/O, no clock, no randomness, no logging."""

from collections.abc import Sequence
from operator import attrgetter

import msgspec

from trader.director.chain import Director
from trader.director.grid import GRACE, TAKEN, MinuteGrid, Verdict, next_close
from trader.engine.account import AccountDesk
from trader.engine.answers import failure_of, wishes_of
from trader.engine.control_room import ControlRoom, is_needed
from trader.engine.dailies import FOLD_AFTER, Almanac
from trader.engine.days import Days
from trader.engine.desk import Desk
from trader.engine.market import Listing, Series
from trader.engine.opening import open_books, wire
from trader.engine.restraints import Restraints
from trader.engine.sandbox import Moment, Sandbox, SandboxSpec, Slot
from trader.model.commands import Command
from trader.model.events import (
    BarLate,
    BarRefused,
    BarRevised,
    BarsBackfilled,
    BooksOpened,
    Event,
    SandboxWarmed,
)
from trader.model.inputs import (
    ActivityReported,
    Backfilled,
    Control,
    DailyBars,
    ExternalReported,
    Held,
    History,
    Input,
    Mismatched,
    Opened,
    OrderReleased,
    OverrideAgreed,
    OverrideAsked,
    Reconciled,
    Released,
    Reported,
    Revised,
    Settled,
    Split,
    Ticks,
    TimerFired,
)
from trader.model.orders import TradingState
from trader.model.ticks import Bar, Quote, Trade
from trader.model.time import MINUTE
from trader.risk.rules import Rules

_RANK = attrgetter("rank")
NO_RULES = Rules()


class Step(msgspec.Struct, frozen=True):
    """The answer to one input: what became true, and what must be done outside."""

    events: Sequence[Event]
    commands: Sequence[Command]


class Engine:
    """The desk: every sandbox, every mark, every book; changed by inputs only."""

    def __init__(
        self,
        specs: Sequence[SandboxSpec],
        *,
        book_id: str,
        grace: int = GRACE,
        rules: Rules = NO_RULES,
        director: Director | None = None,
    ) -> None:
        """Build the sandboxes in config order; ``book_id`` begins every order id, unless the books are recovered.

        ``rules`` are the whole desk's, ``director`` its filters. ``grace`` (ns) is how long after its end a minute
        waits for bars that are missing. Where ``desk.ledger`` has recovered, the desk goes on where those events end,
        once :class:`~trader.model.inputs.Opened` comes.
        """
        self.grace = grace
        self.is_open = False  # until then sandboxes have no books, not even recovered ones
        self._moment = Moment()
        self.sandboxes = tuple(Sandbox(spec, rank=rank, moment=self._moment) for rank, spec in enumerate(specs))
        self.listings = wire(self.sandboxes)
        self.desk = Desk(self.sandboxes, self.listings, director, book_id=book_id)
        self.rules = rules
        self._account = AccountDesk(self.desk)
        self._restraints = Restraints(self.desk)
        self.room: ControlRoom | None = None  # with open books, where there is anything to watch
        self._grid = MinuteGrid(len(self.listings))
        self._buckets: dict[int, list[Series]] = {}  # end of the longer bars being built -> whose
        self._days = Days(self.sandboxes)
        self._almanac = Almanac(self.listings)
        self._live_from = 0  # what ended until then is history, also where it is closed later

    def handle(self, message: Input) -> Step:
        """Change the state by one input."""
        self.desk.now = message.ts
        self.desk.portfolio.move()
        if isinstance(message, Ticks):
            self._on_ticks(message)
        elif isinstance(message, Reported):
            if message.report.execution_id:
                self._start_days(message.report.ts)
            self.desk.report(message.ts, message.report)
        elif isinstance(message, History):
            self._on_history(message)
        else:
            self._on_rarely(message)
        if self.desk.openings or self.desk.traffic.fresh:
            self.desk.settle(message.ts)
        if self.room is not None:
            self.room.end_step(message.ts)
        step = Step(self.desk.events, self.desk.commands)
        self.desk.events, self.desk.commands = [], []
        return step

    def next_timer(self) -> int | None:
        """Return when (ns UTC) the engine wants to be woken; None: not before the next input."""
        return next_close(self._grid.ts, self._buckets, self.grace)

    def _on_rarely(self, message: Input) -> None:
        match message:
            case TimerFired():
                self._on_timer(message.ts)
            case Backfilled():
                self._on_backfill(message)
            case Revised():
                for bar in message.bars:
                    self._on_revision(bar, message.ts)
            case Split():
                self._on_split(message)
            case DailyBars():
                self._almanac.give(message)
            case Opened():
                is_recovered = bool(self.desk.ledger.books)
                open_books(self.desk, message, self.rules)
                self.is_open = True
                if is_needed(self.desk, self.rules):
                    self.room = ControlRoom(self.desk, self.listings, self.rules, self._restraints)
                if is_recovered:
                    self._days.resume()
            case _:
                self._on_account(message)

    def _on_account(self, message: Input) -> None:
        account = self._account
        match message:
            case Control():
                self._on_control(message)
            case Held() | Released():
                account.hold(message)
            case ExternalReported():
                account.take_external(message)
            case ActivityReported():
                account.take_activity(message)
            case Reconciled():
                account.reconciled(message)
            case Mismatched():
                account.lock(message)
            case Settled():
                account.unlock(message, self.listings.get(message.symbol))
            case OrderReleased():
                account.release(message)
            case OverrideAsked() | OverrideAgreed():
                account.override(message)
            case _:
                raise AssertionError(f"the desk knows no {type(message).__name__}")

    def _on_control(self, message: Control) -> None:
        self._restraints.control(message)
        if self.room is not None and message.action == "resume":
            self.room.resume(message)

    # --- market data --------------------------------------------------------------------------------------------

    def _on_ticks(self, message: Ticks) -> None:
        now, oldest = message.ts, message.ts - self.grace
        newest = message.ts + self.grace  # by so much our clock may be behind the venue's
        for tick in message.ticks:
            if type(tick) is not Bar:
                self._on_mark(tick)
            elif not oldest <= tick.ts <= newest:
                self._on_untimely(tick, now)
            elif (verdict := self._grid.add(tick)) is not TAKEN:
                self._place(tick, verdict, now)
        if self._grid.is_complete:
            self._close_minute()

    def _place(self, bar: Bar, verdict: Verdict, ts: int) -> None:
        """Find the place of a bar that the open minute did not take."""
        if verdict is Verdict.EARLY:
            self._close_minute()
            self._grid.add(bar)
        elif verdict is Verdict.LATE:
            self._on_late(bar, ts)
        else:
            self.desk.emit(BarRefused(ts, bar.symbol, bar.ts, verdict.value))

    def _on_mark(self, tick: Quote | Trade) -> None:
        listing, ts = self.listings[tick.symbol], tick.ts
        if ts >= self._days.next_midnight:
            self._start_days(ts)
        if type(tick) is Trade:
            price = tick.price
        else:
            price = (tick.bid + tick.ask) / 2
            listing.quote = tick
        listing.mark = price
        listing.quoted = ts
        if listing.guards:
            for slot in [slot for slot in listing.guards if price <= slot.floor or price >= slot.ceiling]:
                self.desk.protect(slot, (price, price, price), ts=ts)

    def _on_untimely(self, bar: Bar, ts: int) -> None:
        if bar.ts > ts:
            self.desk.emit(BarRefused(ts, bar.symbol, bar.ts, "ends in the future"))
        else:
            self._on_late(bar, ts)

    def _on_late(self, bar: Bar, ts: int) -> None:
        """Take a bar whose minute is closed into mark, windows and memories; nobody decides on it.

        An exit that is due is asked for again all the same: where every bar is late it would wait for ever.
        """
        listing = self.listings[bar.symbol]
        if bar.ts <= listing.newest:
            self.desk.emit(BarRefused(ts, bar.symbol, bar.ts, "older than the newest bar"))
            return
        self.desk.emit(BarLate(ts, bar.symbol, bar.ts))
        self._catch_up(listing, bar, ts)
        for slot in listing.slots:
            if slot.unsettled and slot.held * slot.target <= 0 and slot.held:
                self.desk.work(slot, ts)

    def _catch_up(self, listing: Listing, bar: Bar, ts: int) -> None:
        if bar.ts > listing.dailies.until + FOLD_AFTER:
            listing.end_days(bar.ts - MINUTE)
        self._guard(listing, bar, ts)
        mark, closed = listing.mark, list[Series]()
        self._absorb(listing, bar, closed)
        if listing.quoted > bar.ts:
            listing.mark = mark
        for end in sorted(end for end in self._buckets if end <= self._grid.closed):
            closed += self._close_built(end)
        self._learn(closed, ts)

    def _on_backfill(self, message: Backfilled) -> None:
        """Take missed bars as late ones, told once a symbol; longer bars that ended before one of them are closed."""
        taken: dict[str, list[int]] = {}
        for bar in message.bars:
            listing = self.listings[bar.symbol]
            if bar.ts <= listing.newest or bar.ts > message.ts + self.grace:
                self.desk.emit(BarRefused(message.ts, bar.symbol, bar.ts, "no bar that was missed"))
                continue
            for end in sorted(end for end in self._buckets if end < bar.ts):
                self._learn(self._close_built(end), message.ts)
            self._catch_up(listing, bar, message.ts)
            taken.setdefault(bar.symbol, []).append(bar.ts)
        for symbol, ends in taken.items():
            self.desk.emit(BarsBackfilled(message.ts, symbol, len(ends), ends[-1]))

    def _on_revision(self, bar: Bar, ts: int) -> None:
        """Put a bar in the place of the one it replaces; memories keep what they were shown."""
        listing = self.listings[bar.symbol]
        if self._grid.replace(bar):
            return
        found = [series.revise(bar) for series in listing.series]
        if bar.ts == listing.newest:
            listing.close = bar.close
            if listing.quoted <= bar.ts:
                listing.mark = bar.close
        self.desk.emit(BarRevised(ts, bar.symbol, bar.ts, any(found)))

    def _on_split(self, message: Split) -> None:
        """Scale positions, marks and windows; memories cannot be scaled, so their sandboxes warm up anew."""
        listing, ratio = self.listings.get(message.symbol), float(message.ratio)
        if self._account.knows(message.activity_id):
            return
        if listing is None:
            self._account.split((), message)
            return
        slots = [slot for series in listing.series for slot in (*series.warm, *series.cold)]
        listing.split(ratio, message.effective)
        for series in listing.series:
            series.chill(series.warm)
        self._account.split(slots, message)

    def _on_history(self, history: History) -> None:
        self._live_from = history.ts
        for bar in history.bars:
            if self._grid.add(bar) is Verdict.EARLY:
                self._learn_minute(history.ts)
                self._grid.add(bar)
        if self._grid.ts:
            self._learn_minute(history.ts)

    def _learn_minute(self, ts: int) -> None:
        """Close a minute of history: memory and marks, no decision."""
        minute = self._grid.ts
        for end in sorted(end for end in self._buckets if end < minute):
            self._learn(self._close_built(end), ts)
        if minute > self._almanac.due:
            self._almanac.end(minute - MINUTE)
        closed: list[Series] = []
        for bar in self._grid.close():
            self._absorb(self.listings[bar.symbol], bar, closed)
        self._learn([*closed, *self._close_built(minute)], ts)
        if self.room is not None:
            self.room.glance(minute - MINUTE)

    def _learn(self, closed: list[Series], ts: int) -> None:
        """Show closed bars to every listener in rank order, ignore the answers, and see who is warm by now."""
        for series in closed:
            self._moment.ts = max(self._moment.ts, series.bar.ts)
        for slot in sorted((slot for series in closed for slot in (*series.warm, *series.cold)), key=_RANK):
            try:
                slot.on_bar(slot.series.bar, slot.context)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever a strategy raises is its own failure
                self._restraints.fail(slot, failure_of(error), ts=ts)
        for series in closed:
            self._promote(series, ts)

    # --- the minute ---------------------------------------------------------------------------------------------

    def _on_timer(self, ts: int) -> None:
        ended = ts - self.grace
        if 0 < self._grid.ts <= ended:
            self._close_minute()
        self._close_built_before(ended + 1)

    def _close_built_before(self, ts: int) -> None:
        """Close the longer bars that ended before ``ts`` though their last minutes never came."""
        while self._buckets and (end := min(self._buckets)) < ts:
            closed = self._close_built(end)
            if end <= self._live_from:
                self._learn(closed, self._live_from)
            else:
                self._decide(closed, end)

    def _close_minute(self) -> None:
        """Take the open minute through its five steps; fills, the first, came as reports."""
        minute = self._grid.ts
        if self._buckets:
            self._close_built_before(minute)
        self._start_days(minute - MINUTE)
        if minute > self._almanac.due:
            self._almanac.end(minute - MINUTE)
        closed: list[Series] = []
        for bar in self._grid.close():
            listing = self.listings[bar.symbol]
            if listing.guards:
                self._guard(listing, bar, minute)
            self._absorb(listing, bar, closed)
        if self._buckets:
            closed += self._close_built(minute)
        self.desk.portfolio.move()  # an earlier minute of this step may have looked at the marks already
        self._restraints.check_losses(minute)
        if self.room is not None:
            self.room.look(minute)
        self._decide(closed, minute)

    def _guard(self, listing: Listing, bar: Bar, ts: int) -> None:
        high, low = bar.high, bar.low
        for slot in [slot for slot in listing.guards if low <= slot.floor or high >= slot.ceiling]:
            self.desk.protect(slot, (bar.open, high, low), ts=ts)

    def _absorb(self, listing: Listing, bar: Bar, closed: list[Series]) -> None:
        """Take a minute bar into the mark and the windows; add the series it closed to ``closed``."""
        listing.before = listing.close
        listing.mark = listing.close = bar.close
        listing.newest = bar.ts
        for series in listing.series:
            if series.builder is None:
                series.close(bar)
                closed.append(series)
            elif series.builder.end_of(bar) > series.closed:
                end = series.builder.add(bar)
                building = self._buckets.setdefault(end, [])
                if series not in building:
                    building.append(series)

    def _close_built(self, end: int) -> list[Series]:
        closed = self._buckets.pop(end, [])
        for series in closed:
            assert series.builder is not None, "only built series wait for their end"
            series.close(series.builder.close())
        return closed

    def _decide(self, closed: list[Series], ts: int) -> None:
        """Let every sandbox with a closed bar decide, in config order, tickers in listed order."""
        self._moment.ts = ts
        due: list[Slot] = []
        for series in closed:
            if series.cold:
                self._promote(series, ts)
                due += series.cold  # they watch; what they answer is muted
            due += series.warm
        if len(due) > 1:
            due.sort(key=_RANK)
        desk = self.desk
        for slot in due:
            try:
                signals = slot.on_bar(slot.series.bar, slot.context)
                wishes = () if signals is None else wishes_of(slot, signals)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever a strategy raises is its own failure
                self._restraints.fail(slot, failure_of(error), ts=ts)
                continue
            for aimed, target in wishes:
                aimed.urgency = target.urgency
                desk.aim(aimed, float(target.fraction), ts=ts)
            if slot.unsettled and all(aimed is not slot for aimed, _ in wishes):
                desk.work(slot, ts)
        if desk.openings or desk.traffic.fresh:
            desk.settle(ts)

    def _promote(self, series: Series, ts: int) -> None:
        for slot in series.promote():
            slot.is_warm = True
            sandbox = slot.sandbox
            if not sandbox.has_failed and all(other.is_warm for other in sandbox.slots.values()):
                sandbox.is_warm = True
                if sandbox.trading_state is TradingState.ACTIVE:  # that it trades now is what the event says
                    self.desk.emit(SandboxWarmed(ts, sandbox.spec.name))

    def _start_days(self, content_ts: int) -> None:
        if content_ts >= self._days.next_midnight:
            if 0 < self._grid.ts <= content_ts:
                self._close_minute()  # it belongs to the day that ends
            ended = self._days.begin(content_ts)
            for sandboxes in ended:
                self._restraints.start_day(content_ts, sandboxes)
            if ended:
                self.desk.emit(BooksOpened(content_ts, self.desk.ledger.snapshot()))
