"""One process of the desk, from start to death: the real engine, broker side and recovery, on a virtual loop."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from trader.access.alpaca.broker import AlpacaBroker
from trader.access.alpaca.line import BrokerSettings
from trader.access.last_look import wire_limits
from trader.engine.engine import Engine, Step
from trader.errors import JournalFull, NotDurable, ReconcileError, TraderError
from trader.model.commands import Command, SubmitOrder
from trader.model.events import UNJOURNALED, Event
from trader.model.inputs import Held, History, Input, Opened, TimerFired
from trader.model.time import SECOND
from trader.storm.disk import Journal
from trader.storm.exchange import Exchange, StormLine
from trader.storm.market import INSTRUMENTS, Market
from trader.storm.timeline import Entry, VirtualLoop

HISTORY_MINUTES: Final = 5
_COMMIT_S: Final = (0.0002, 0.005)
_SLOW_S: Final = (0.02, 0.5)
_SETTINGS: Final = BrokerSettings(
    trading_url="storm", updates_url="storm", key_id="", secret="", instruments=INSTRUMENTS
)

_Made = tuple[Sequence[Event], Sequence[Command]]


class Crash(Exception):
    """The process ends here, without a goodbye."""


class Observer(Protocol):
    """Who is shown what the desk does, as it does it."""

    def stepped(self, message: Input, step: Step) -> None:
        """See an input and what the desk made of it."""

    def committed(self, events: Sequence[Event]) -> None:
        """See events become durable."""


class Daemon:
    """One life of the desk on a journal and an account that outlive it."""

    def __init__(
        self, exchange: Exchange, journal: Journal, market: Market, *, desk: Engine, observer: Observer
    ) -> None:
        """Recover what the journal holds into a new ``desk`` and begin. Raises JournalCorrupt."""
        self.loop = VirtualLoop(exchange.timeline)
        self.is_live = False  # inputs are taken as they come
        self.ahead = 0  # of its clock before the world's (ns)
        self.failure: BaseException | None = None
        self._exchange = exchange
        self._market = market
        self._observer = observer
        self._journal = journal
        self._has_ballast = True
        self.engine = desk
        self.engine.desk.ledger.recover(self._journal.recover())
        self.loop.enter()
        self.broker = AlpacaBroker(
            msgspec.structs.replace(_SETTINGS, limits=wire_limits(desk.rules)),
            now=self.now,
            deliver=self.put,
            ledger=self.engine.desk.ledger,
            fail=self.fail,
            line=StormLine(exchange, self.loop),
        )
        self._inbox: deque[Input] = deque()
        self._timer: Entry | None = None
        self._steps: list[_Made] = []  # that wait to be written
        self._writing: list[_Made] = []  # in the transaction under way
        self.loop.create_task(self._begin()).add_done_callback(self._begun)

    @property
    def is_durable(self) -> bool:
        """Tell whether all that became true is on the disk."""
        return not self._steps and not self._writing

    def now(self) -> int:
        """Return the time its clock shows (ns UTC)."""
        return self._exchange.now() + self.ahead

    def put(self, message: Input) -> None:
        """Take an input: now, or when the desk is open."""
        if not self._inbox and self.is_live:
            self.loop.call_soon(self._drain)
        self._inbox.append(message)

    def fail(self, error: BaseException) -> None:
        """End the process for a reason."""
        self.failure = self.failure or error

    def kill(self) -> None:
        """End it without one."""
        self.loop.kill()
        self._exchange.streams.clear()

    def commit(self) -> None:
        """Make durable what is being written; nothing is done about it."""
        records = [kept for events, _ in self._writing if (kept := [one for one in events if _is_kept(one)])]
        self._journal.write(records)
        self._writing = []
        for events in records:
            self._observer.committed(events)

    # --- inputs -------------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """Start as a run at a broker does: the account first, then the desk, then the market."""
        found = await self.broker.start()
        self._take(Opened(found.ts, found.number, found.cash, found.positions))
        for bars in self._market.bars[-HISTORY_MINUTES:]:
            self._take(History(self.now(), bars))
        self.is_live = True
        self._drain()

    def _begun(self, begin: "asyncio.Task[None]") -> None:
        if not begin.cancelled() and (error := begin.exception()) is not None:
            self.fail(error)

    def _drain(self) -> None:
        while self._inbox and not self.loop.is_dead:
            message = self._inbox.popleft()
            while (due := self.engine.next_timer()) is not None and due <= message.ts:
                self._take(TimerFired(due))
            self._take(message)
        self._arm()

    def _arm(self) -> None:
        """Have the desk woken when it wants to be."""
        if self._timer is not None:
            self._timer.cancel()
        due = self.engine.next_timer()
        if due is not None:
            self._timer = self.loop.call_later(max(0, due - self.now()) / SECOND, self._wake)

    def _wake(self) -> None:
        due = self.engine.next_timer()
        if due is not None and due <= self.now():
            self._take(TimerFired(due))
        self._arm()

    # --- durable before done ------------------------------------------------------------------------------------

    def _take(self, message: Input) -> None:
        """Give the desk one input; what it makes of it is written, then done."""
        step = self.engine.handle(message)
        self._observer.stepped(message, step)
        if step.events or step.commands:
            self._steps.append((step.events, step.commands))
            if not self._writing and len(self._steps) == 1:
                self.loop.call_soon(self._write)

    def _write(self) -> None:
        """Begin to write all that waits, in one transaction."""
        weather = self._exchange.weather
        took_s = weather.uniform(*(_SLOW_S if weather.strikes("disk.slow") else _COMMIT_S))
        self._writing, self._steps = self._steps, []
        self.loop.call_later(took_s, self._written)

    def _written(self) -> None:
        weather, done = self._exchange.weather, self._writing
        if weather.strikes("crash.before_commit"):
            raise Crash
        if weather.strikes("disk.broken"):
            raise NotDurable("the disk does not sync")
        if weather.strikes("disk.full"):
            self._fill_disk()
        self.commit()
        if weather.strikes("crash.after_commit"):
            raise Crash
        for _, commands in done:
            self._do(commands)
        if self._steps and not self._writing:
            self._write()

    def _fill_disk(self) -> None:
        """Use up the reserve, or fail where that is gone. Raises JournalFull."""
        if not self._has_ballast:
            raise JournalFull("the disk is full")
        self._has_ballast = False
        self.loop.call_soon(self._take, Held(self.now(), "disk", (), "the disk is full"))

    def _do(self, commands: Sequence[Command]) -> None:
        for command in commands:
            if isinstance(command, SubmitOrder):
                self.broker.submit(command.approved, command.crossed)
            else:
                self.broker.cancel(command.order_id, command.ts)


def _is_kept(event: Event) -> bool:
    return type(event) not in UNJOURNALED


def is_mended_by_restart(error: BaseException) -> bool:
    """Tell whether a process that ended for this reason is simply started again."""
    return isinstance(error, TraderError) and not isinstance(error, ReconcileError)
