"""How one stream's holes are closed: what the line did not bring is fetched by REST and joined without gap or double.

Rules
- From the loss of a connection (or its going mute) no bar of its symbols is delivered and no entry may leave. After
  the next subscription the missing bars are fetched and delivered as backfill, then the live ones that waited; then
  entries are free again. While REST fails it is asked again and again, and all of this waits.
- A bar that makes no sense is a hole of one minute of one symbol. When REST has no better one after some looks, the
  hole stays and is told. A minute that is left out, of a symbol that trades every minute, is looked up before the next
  bar is delivered: the desk takes no bar that is older than its newest. Where the whole stream left it out, all symbols
  are looked up in one question. That may well find nothing, so entries are held only while REST does not answer.
- Everything that changes what is delivered goes through the inlet's queue, in the order in which it happened.

The race. A minute's bar is published a second or so after its end, once. Published before the server took our new
subscription, it is REST's; after it, the stream brings it. REST may show it later than the stream would have: asked too
early it knows nothing yet, and the bar would be missed by both. So REST is asked no sooner than :data:`SETTLED_AFTER`
the minute that had ended when we were subscribed. That trusts our clock and REST's speed, so a second look trusts
neither: the first live bar after a subscription waits until REST was asked for all minutes before it. By then a bar of
these has been published for a minute, whatever our clock says. Entries are not held meanwhile, unless REST fails.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec
import structlog

from trader.access.alpaca.gaps import GapLedger
from trader.access.alpaca.history import History
from trader.access.alpaca.inlet import Inlet
from trader.errors import EdgeError
from trader.model.calendar import StockCalendar
from trader.model.inputs import Held, Input, Released
from trader.model.ticks import Bar
from trader.model.time import MINUTE, SECOND, iso

log = structlog.get_logger()

SETTLED_AFTER: Final = 5 * SECOND  # a minute's end by our clock; bars come after about one second
OVERLAP: Final = 2 * MINUTE  # fetched once more: what was delivered last may have been revised meanwhile
LOOKS: Final = 4  # for a better bar than one that makes no sense: 2, 4, 8 s apart
LONGEST_LOOK: Final = 30 * MINUTE  # before one that makes no sense: others may be missing too
LONGEST_PAUSE_S: Final = 30.0  # between two questions to a REST host that fails


class Surroundings(msgspec.Struct, frozen=True):
    """What all streams of one desk share; ``now`` is market time (ns), which goes ``pace`` times as fast as ours."""

    history: History
    inlet: Inlet
    ledger: GapLedger
    calendar: StockCalendar
    now: Callable[[], int]
    pace: float
    ring: Callable[[], None]
    fail: Callable[[Exception], None]

    def push(self, *inputs: Input) -> None:
        """Put inputs in order among the data, and say so."""
        self.inlet.push(inputs)
        self.ring()

    async def until(self, ts: int) -> None:
        """Wait until the market's time is ``ts``; a wall clock that is set back meanwhile makes it no longer."""
        seen = self.now()
        while ts > seen:
            await asyncio.sleep(max((ts - seen) / SECOND / self.pace, 0.001))
            before, seen = seen, self.now()
            ts -= max(0, before - seen)


class _Hole(msgspec.Struct):
    number: int
    symbols: tuple[str, ...]
    since: int
    cause: str  # of the holds on entries
    is_blocking: bool = False  # entries wait for it
    is_closed: bool = False


class Mender:
    """The holes of one stream; ``name`` is its name for people and the cause of what it holds."""

    def __init__(self, name: str, symbols: Callable[[], tuple[str, ...]], around: Surroundings) -> None:
        """Begin without a hole; ``symbols`` tells what is subscribed now."""
        self.covered = 0  # end of the newest minute up to which every bar is there
        self._name = name
        self._symbols = symbols
        self._around = around
        self._joint = around.inlet.joint
        self._is_mute = False
        self._blocking: Counter[str] = Counter()  # how many holes hold entries, by their cause
        self._waiting: _Hole | None = None  # for the next subscription
        self._check: tuple[_Hole, asyncio.Task[None]] | None = None
        self._first_bar: asyncio.Future[int] | None = None
        self._parts: dict[tuple[tuple[str, ...], int], _Hole] = {}  # symbols and ends that are being looked for
        self._in_turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_held(self) -> bool:
        """Tell whether entries of the stream, or of one of its symbols, are held."""
        return bool(self._blocking)

    def lost(self, why: str) -> None:
        """Take note that nothing comes any more; one hole is open until the next subscription."""
        if self._waiting is not None or not self._symbols():
            return
        newest = max((self._joint.newest(symbol) for symbol in self._symbols()), default=0)
        since = max(self._known(), newest) - OVERLAP  # when data came last says nothing of how old they were
        if self._check is not None and not self._check[0].is_closed:
            since = min(since, self._check[0].since)
        hole = self._waiting = self._open(self._symbols(), since, why)
        self._around.inlet.call(lambda _: self._hold(hole))
        self._block(hole, why)
        self._end_check()

    def subscribed(self) -> None:
        """Close the hole that waited for this."""
        hole, self._waiting = self._waiting, None
        if hole is not None:
            self._spawn(self._mend(hole, self._around.now()))

    def mute(self, *, is_mute: bool) -> None:
        """Hold entries back also while a line is open that brings nothing."""
        if is_mute != self._is_mute:
            self._is_mute = is_mute
            if not is_mute:
                self._around.push(*self._released(self._around.now()))

    def check(self) -> None:
        """Look once more for bars before the first live one; call it as a step of the inlet."""
        self._end_check()
        hole = self._open(self._symbols(), self._known(), "second look after subscribing")
        self._hold(hole)
        self._first_bar = asyncio.get_running_loop().create_future()
        if (end := self._joint.oldest_waiting(hole.symbols)) is not None:
            self._first_bar.set_result(end)
        mark = _minute(self._around.now()) + MINUTE
        self._check = (hole, self._spawn(self._look_again(hole, self._first_bar, mark)))

    def on_waiting_bar(self, bar: Bar) -> None:
        """Take note of a live bar that is held back: the second look waits for the first of them."""
        if self._first_bar is not None and not self._first_bar.done():
            self._first_bar.set_result(bar.ts)

    def on_bad_bar(self, symbol: str, end: int) -> None:
        """Look for a better bar of a minute."""
        newest = self._joint.settled(symbol)
        since = newest + MINUTE if end - LONGEST_LOOK < newest < end else end
        if hole := self._mend_part((symbol,), since, end, "the stream's bar makes no sense", looks=LOOKS):
            log.warning("bar.missed", stream=self._name, symbol=symbol, end=iso(end))
            self._block(hole, "the stream's bar makes no sense")

    def on_skipped(self, symbol: str, first: int, last: int) -> None:
        """Look for bars that the stream left out, or brings late, before the one that came."""
        every = self._symbols()
        has_others = any(self._joint.settled(other) >= first for other in every)
        self._mend_part((symbol,) if has_others else every, first, last, "the stream left bars out", looks=1)

    def _mend_part(self, symbols: tuple[str, ...], since: int, until: int, why: str, *, looks: int) -> _Hole | None:
        if (symbols, until) in self._parts:
            return None
        self._joint.hold(symbols)
        hole = self._parts[symbols, until] = self._open(symbols, since, why)
        self._spawn(self._replace(hole, until, looks))
        return hole

    async def stop(self) -> None:
        """End every look; holes stay open."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- a connection that was lost ---------------------------------------------------------------------------------

    async def _mend(self, hole: _Hole, subscribed_at: int) -> None:
        await self._around.until(_minute(subscribed_at) + SETTLED_AFTER)
        async with self._in_turn:
            asked_at = self._around.now()
            until = max(_minute(asked_at), hole.since)
            found = await self._fetch(hole, until)
            await self._join(hole, found, asked_at=asked_at, until=until, then=self._check_unless_lost)

    def _check_unless_lost(self) -> None:
        if self._waiting is None:
            self.check()

    async def _look_again(self, hole: _Hole, first_bar: "asyncio.Future[int]", mark: int) -> None:
        timer = asyncio.create_task(self._around.until(mark + SETTLED_AFTER))
        waits: list[asyncio.Future[Any]] = [first_bar, timer]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
        until = (first_bar.result() if first_bar.done() else mark) - MINUTE
        async with self._in_turn:
            asked_at = self._around.now()
            found = await self._fetch(hole, until, blocks=True) if until >= hole.since else {}
            await self._join(hole, found, asked_at=asked_at, until=max(until, hole.since))

    def _end_check(self) -> None:
        """Drop a second look that is overtaken by events; what it was to cover, the next hole covers."""
        if self._check is None:
            return
        (hole, task), self._check = self._check, None
        task.cancel()
        if not hole.is_closed:
            self._around.ledger.absorb(hole.number, now=self._around.now())
            self._close(hole)
            self._release(hole)

    # --- bars of one symbol -----------------------------------------------------------------------------------------

    async def _replace(self, hole: _Hole, until: int, looks: int) -> None:
        """Look for what a part of the stream lacks; more than one look is for one symbol's bar that makes no sense."""
        await self._around.until(until + SETTLED_AFTER)
        found: dict[str, list[Bar]] = {}
        asked_at, is_there = 0, False
        for look in range(1, looks + 1):
            async with self._in_turn:
                asked_at = self._around.now()
                found = await self._fetch(hole, until, blocks=True)
            is_there = any(bar.ts == until for bar in found.get(hole.symbols[0], ()))
            if is_there:
                break
            await asyncio.sleep(2**look / self._around.pace if look < looks else 0)
        del self._parts[hole.symbols, until]
        if looks == 1 or is_there:
            await self._join(hole, found, asked_at=asked_at, until=until)
            return
        why = f"REST has no better bar after {looks} looks"
        self._around.ledger.give_up(hole.number, why, now=self._around.now())
        self._joint.confirm(hole.symbols, until)
        log.error("gap.abandoned", stream=self._name, symbol=hole.symbols[0], end=iso(until), why=why)
        self._close(hole)
        self._release(hole)

    # --- what they have in common -----------------------------------------------------------------------------------

    def _known(self) -> int:
        return self.covered or _minute(self._around.now())  # before any history only what comes is owed

    def _open(self, symbols: tuple[str, ...], since: int, why: str) -> _Hole:
        number = self._around.ledger.begin(self._name, symbols, since=since, why=why, now=self._around.now())
        return _Hole(number, symbols, since, self._name if symbols == self._symbols() else f"bar {symbols[0]}")

    def _hold(self, hole: _Hole) -> list[Input]:
        self._joint.hold(hole.symbols)
        return []

    def _block(self, hole: _Hole, why: str) -> None:
        hole.is_blocking = True
        self._blocking[hole.cause] += 1
        self._around.push(Held(self._around.now(), hole.cause, hole.symbols, why))

    def _close(self, hole: _Hole) -> None:
        hole.is_closed = True
        if hole.is_blocking:
            self._blocking[hole.cause] -= 1

    async def _fetch(self, hole: _Hole, until: int, *, blocks: bool = False) -> dict[str, list[Bar]]:
        pause_s = 1.0
        while True:
            try:
                found = await self._around.history.bars(hole.symbols, since=hole.since, until=until)
            except EdgeError as error:
                log.warning("gap.unmended", stream=self._name, gap=hole.number, why=str(error), retry_in_s=pause_s)
                if blocks and not hole.is_blocking:
                    self._block(hole, "bars that may be missing cannot be fetched")
                await asyncio.sleep(pause_s / self._around.pace)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                keep = self._around.inlet.is_in_session
                return {symbol: [bar for bar in bars if keep(bar)] for symbol, bars in found.items()}

    async def _join(
        self,
        hole: _Hole,
        found: dict[str, list[Bar]],
        *,
        asked_at: int,
        until: int,
        then: Callable[[], None] = lambda: None,
    ) -> None:
        """Let the inlet join what was found, in its turn; return when it is done."""
        joined = asyncio.Event()

        def join(now: int) -> list[Input]:
            joined.set()
            if hole.is_closed:
                return []
            inputs, missed = self._joint.fetched(found, asked_at=asked_at, now=now)
            self._around.ledger.close(hole.number, until=until, bars=missed, now=now)
            if len(hole.symbols) == len(self._symbols()):
                self.covered = max(self.covered, until)
            if missed or hole.is_blocking:
                log.info("gap.closed", stream=self._name, gap=hole.number, bars=missed)
            self._joint.confirm(hole.symbols, until)
            self._close(hole)
            then()
            return inputs + self._free(hole, now)

        self._around.inlet.call(join)
        self._around.ring()
        await joined.wait()

    def _release(self, hole: _Hole) -> None:
        self._around.inlet.call(lambda now: self._free(hole, now))
        self._around.ring()

    def _free(self, hole: _Hole, now: int) -> list[Input]:
        """Release symbols, but for those whose waiting bars leave a minute out: that is looked up first."""
        for symbol in hole.symbols:
            if gap := self._around.inlet.skipped(symbol, self._joint.waiting(symbol)):
                self.on_skipped(symbol, *gap)
        return self._joint.release(hole.symbols, now) + self._released(now)

    def _released(self, now: int) -> list[Input]:
        is_lost = self._is_mute or self._waiting is not None
        free = [cause for cause, count in self._blocking.items() if not count and not (is_lost and cause == self._name)]
        for cause in free:
            del self._blocking[cause]
        return [Released(now, cause) for cause in free]

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"{self._name} mender")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(bug := task.exception(), Exception):
            self._around.fail(bug)


def _minute(ts: int) -> int:
    """Return the newest end of a minute at ``ts``."""
    return ts // MINUTE * MINUTE
