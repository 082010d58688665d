"""``Engine.handle(input) -> Step``: the one door of the desk. No I/O, no clock, no randomness, no logging."""

from collections.abc import Sequence

import msgspec

from trader.director.chain import Director
from trader.director.grid import GRACE, TAKEN, Verdict
from trader.engine.account import AccountDesk
from trader.engine.answers import failure_of, wishes_of
from trader.engine.control_room import ControlRoom, is_needed
from trader.engine.days import Days
from trader.engine.desk import Desk
from trader.engine.learning import Learning
from trader.engine.market import Series
from trader.engine.minutes import RANK, Minutes
from trader.engine.opening import open_books, wire
from trader.engine.restraints import Restraints
from trader.engine.sandbox import Moment, Sandbox, SandboxSpec, Slot
from trader.model import inputs
from trader.model.commands import Command
from trader.model.events import BarRefused, BooksOpened, Event
from trader.model.inputs import History, Input, Reported, Ticks
from trader.model.ticks import Bar, Quote, Trade
from trader.model.time import MINUTE
from trader.risk.rules import Rules

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
        self._minutes = Minutes(self.desk, self.listings, grace=grace)
        self._grid = self._minutes.grid
        self._learning = Learning(self.desk, self.listings, self._minutes, self._restraints, self._moment)
        self._days = Days(self.sandboxes)
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
        step = Step(self.desk.events, self.desk.commands)
        self.desk.events, self.desk.commands = [], []
        return step

    def next_timer(self) -> int | None:
        """Return when (ns UTC) the engine wants to be woken; None: not before the next input."""
        return self._minutes.next_timer()

    def _on_rarely(self, message: Input) -> None:
        match message:
            case inputs.TimerFired():
                self._on_timer(message.ts)
            case inputs.Backfilled():
                self._learning.backfill(message)
            case inputs.Revised():
                for bar in message.bars:
                    self._learning.revise(bar, message.ts)
            case inputs.Split():
                self._on_split(message)
            case inputs.DailyBars():
                self._minutes.almanac.give(message)
            case inputs.Opened():
                open_books(self.desk, message, self.rules)
                self.is_open = True
                if is_needed(self.desk, self.rules):
                    self.room = ControlRoom(self.desk, self.listings, self.rules, self._restraints)
                self._days.resume()
            case _:
                self._on_account(message)

    def _on_account(self, message: Input) -> None:
        account = self._account
        match message:
            case inputs.Control():
                self._on_control(message)
            case inputs.Held() | inputs.Released():
                account.hold(message)
            case inputs.ExternalReported():
                account.take_external(message)
            case inputs.ActivityReported():
                account.take_activity(message)
            case inputs.Reconciled():
                account.reconciled(message)
            case inputs.Mismatched():
                account.lock(message)
            case inputs.Settled():
                account.unlock(message, self.listings.get(message.symbol))
            case inputs.OrderReleased():
                account.release(message)
            case inputs.OverrideAsked() | inputs.OverrideAgreed():
                account.override(message)
            case _:
                raise AssertionError(f"the desk knows no {type(message).__name__}")

    def _on_control(self, message: inputs.Control) -> None:
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
            self._learning.take_late(bar, ts)
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
            for slot in sorted((one for one in listing.guards if price <= one.floor or price >= one.ceiling), key=RANK):
                self.desk.protect(slot, (price, price, price), ts=ts)

    def _on_untimely(self, bar: Bar, ts: int) -> None:
        if bar.ts > ts:
            self.desk.emit(BarRefused(ts, bar.symbol, bar.ts, "ends in the future"))
        else:
            self._learning.take_late(bar, ts)

    def _on_split(self, message: inputs.Split) -> None:
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
        minute = self._grid.ts
        self._learning.learn_minute(ts)
        if self.room is not None:
            self.room.glance(minute - MINUTE)

    # --- the minute ---------------------------------------------------------------------------------------------

    def _on_timer(self, ts: int) -> None:
        ended = ts - self.grace
        if 0 < self._grid.ts <= ended:
            self._close_minute()
        self._close_built_before(ended + 1)

    def _close_built_before(self, ts: int) -> None:
        """Close the longer bars that ended before ``ts`` though their last minutes never came."""
        minutes = self._minutes
        while minutes.building and (end := min(minutes.building)) < ts:
            closed = minutes.close_built(end)
            if end <= self._live_from:
                self._learning.learn(closed, self._live_from)
            else:
                self._decide(closed, end)

    def _close_minute(self) -> None:
        """Take the open minute through its five steps; fills, the first, came as reports."""
        minute = self._grid.ts
        if self._minutes.building:
            self._close_built_before(minute)
        self._start_days(minute - MINUTE)
        closed = self._minutes.close(is_guarded=True)
        self.desk.portfolio.move()  # an earlier minute of this step may have looked at the marks already
        self._restraints.check_losses(minute)
        if self.room is not None:
            self.room.look(minute)
        self._decide(closed, minute)

    def _decide(self, closed: list[Series], ts: int) -> None:
        """Let every sandbox with a closed bar decide, in config order, tickers in listed order."""
        self._moment.ts = ts
        due: list[Slot] = []
        for series in closed:
            if series.cold:
                self._learning.promote(series, ts)
                due += series.cold  # they watch; what they answer is muted
            due += series.warm
        if len(due) > 1:
            due.sort(key=RANK)
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

    def _start_days(self, content_ts: int) -> None:
        if content_ts >= self._days.next_midnight:
            if 0 < self._grid.ts <= content_ts:
                self._close_minute()  # it belongs to the day that ends
            ended = self._days.begin(content_ts)
            for sandboxes in ended:
                self._restraints.start_day(content_ts, sandboxes)
            if ended:
                self.desk.emit(BooksOpened(content_ts, self.desk.ledger.snapshot()))
