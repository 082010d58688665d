"""Market time for a feed that knows its own: the wall clock, N times as fast, or as fast as the desk can.

:func:`paced` is what a live loop consumes: the desk's inputs, each at its time. A feed that pushes offers the same.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import closing, suppress

from trader.access.ports import SimulatedFeed
from trader.director.grid import GRACE
from trader.model.inputs import Ticks, TimerFired
from trader.model.time import SECOND

# At full speed the loop is given a turn this often, so that Ctrl+C and other tasks of the program are heard.
_YIELD_NS = 10_000_000


# A machine may sleep: a wait is cut here and the time looked at again.
LONGEST_WAIT_S = 1.0

_BOOT_TIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)


class MarketClock:
    """Runs from ``start`` (ns UTC) at ``speed`` times real time; None is as fast as the desk can."""

    def __init__(self, start: int, speed: float | None) -> None:
        """Stand at ``start`` until :meth:`begin`."""
        self._start = start
        self._speed = speed
        self._began: int | None = None
        self._yielded = 0
        self._now = start
        self._stopped = asyncio.Event()
        self._awaited: asyncio.Event | None = None

    def begin(self, start: int | None = None) -> None:
        """Run from now on, from another ``start`` if that is known only now."""
        self._start = self._now = self._start if start is None else start
        self._began = time.monotonic_ns()

    def now(self) -> int:
        """Return the market's time: at full speed the newest moment that was waited for."""
        if self._speed is None or self._began is None:
            return self._now
        return self._start + round((time.monotonic_ns() - self._began) * self._speed)

    def describe(self) -> str:
        """Say how fast it goes."""
        return "as fast as possible" if self._speed is None else f"at {self._speed:g}x real time"

    @property
    def pace(self) -> float:
        """Return market time over real time; at full speed there is no real time to speak of, and it is 1."""
        return 1.0 if self._speed is None else self._speed

    def stop(self) -> None:
        """End every wait, now and later."""
        self._stopped.set()
        if self._awaited is not None:
            self._awaited.set()

    @property
    def is_stopped(self) -> bool:
        """Tell whether :meth:`stop` was called."""
        return self._stopped.is_set()

    async def until(self, ts: int) -> None:
        """Wait until the market's time is ``ts``, or the clock is stopped."""
        self._now = max(self._now, ts)
        wait_s = 0.0 if self._speed is None else (ts - self.now()) / SECOND / self._speed
        if wait_s <= 0:
            await self.breathe()
            return
        self._yielded = time.monotonic_ns()
        try:
            await asyncio.wait_for(self._stopped.wait(), wait_s)
        except TimeoutError:
            return

    async def wait(self, event: asyncio.Event, until: int) -> None:
        """Wait until ``event`` is set, the market's time is ``until``, or the clock is stopped."""
        wait_s = min((until - self.now()) / SECOND / self.pace, LONGEST_WAIT_S)
        if wait_s > 0 and not self.is_stopped:
            self._awaited = event
            with suppress(TimeoutError):  # no task is made: this is on the way of every frame
                async with asyncio.timeout(wait_s):
                    await event.wait()

    async def first_of(self, awaited: Awaitable[object], *, within_s: float | None = None) -> None:
        """Wait for ``awaited``, for the time given, or until the clock is stopped; what is not done is canceled."""
        waits = [asyncio.ensure_future(awaited), asyncio.ensure_future(self._stopped.wait())]
        try:
            await asyncio.wait(waits, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.wait(waits)

    async def breathe(self) -> None:
        """Give the loop a turn if it has had none for a while."""
        if time.monotonic_ns() - self._yielded > _YIELD_NS:
            await asyncio.sleep(0)
            self._yielded = time.monotonic_ns()


class WallClock(MarketClock):
    """The time of day: the venue's when the run began, and what has passed since by a clock that nobody can set.

    A machine's clock that is set while a desk runs would make every bar late, or every one too early.
    """

    def __init__(self) -> None:
        """Run at once, by this machine's clock until the venue's time is known."""
        super().__init__(time.time_ns(), 1.0)
        self._began = _passed()

    def begin(self, start: int | None = None) -> None:
        """Go on from ``start``, the venue's time of now."""
        self._start = time.time_ns() if start is None else start
        self._began = _passed()

    def now(self) -> int:
        """Return the time of day (ns UTC)."""
        return self._start + _passed() - (self._began or 0)

    def describe(self) -> str:
        """Say how fast it goes."""
        return "in real time"


def _passed() -> int:
    """Return nanoseconds since the machine's start, the time it slept included where that is counted."""
    return time.clock_gettime_ns(_BOOT_TIME) if _BOOT_TIME is not None else time.monotonic_ns()


async def paced(
    feed: SimulatedFeed, clock: MarketClock, *, wake: Callable[[], int | None], end: int
) -> AsyncGenerator[Ticks | TimerFired, None]:
    """Yield what the feed has up to ``end`` and the wakings that the desk asks for by ``wake``, earliest first.

    A timer that is due with a batch comes before it. After the end the minute that is still open gets its grace.
    """
    last = feed.start
    with closing(feed.ticks()) as batches:
        for batch in batches:
            last = min(batch.ts, end)
            while (due := wake()) is not None and due <= last and not clock.is_stopped:
                await clock.until(due)
                yield TimerFired(due)
            await clock.until(last)
            if clock.is_stopped or batch.ts > end:
                break
            yield batch
    while (due := wake()) is not None and due <= last + GRACE and not clock.is_stopped:
        await clock.until(due)
        yield TimerFired(due)
