"""What the edges have for the desk, in the order it came, until the desk takes it; and the desk's own timers between.

The edges put inputs in from the loop's thread. Market data do not wait here but where they were read, so that quotes
can be conflated there: a source is asked whenever the desk is ready for more.
"""

import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress

from trader.live.clock import MarketClock
from trader.model.inputs import Input, TimerFired

Source = Callable[[int], Sequence[Input]]  # takes what has come up to now (ns)


class Inbox:
    """One desk's inputs."""

    def __init__(self) -> None:
        """Begin empty."""
        self._queue: deque[Input] = deque()
        self._ready = asyncio.Event()
        self._source: Source | None = None
        self._failure: Exception | None = None

    def listen(self, source: Source) -> None:
        """Ask ``source`` for market data from now on; it calls :meth:`ring` when it has some."""
        self._source = source

    def put(self, message: Input) -> None:
        """Take an input that nothing may replace: a report, a hold, a missed bar."""
        self._queue.append(message)
        self._ready.set()

    def fail(self, error: Exception) -> None:
        """End the run with ``error``: an edge is lost for good."""
        self._failure = self._failure or error
        self._ready.set()

    def ring(self) -> None:
        """Say that a source has something."""
        self._ready.set()

    async def inputs(
        self, clock: MarketClock, wake: Callable[[], int | None], *, end: int = sys.maxsize
    ) -> AsyncGenerator[Input, None]:
        """Yield what comes, and the wakings that the desk asks for by ``wake``, until ``end`` or the clock is stopped.

        A timer that is due when an input is handed over comes before it.
        """
        while not clock.is_stopped and clock.now() < end:
            self._ready.clear()
            if self._failure is not None:
                raise self._failure
            for message in (*self._take(clock.now()), None):
                reached = clock.now() if message is None else message.ts
                while (due := wake()) is not None and due <= reached:
                    yield TimerFired(due)
                if message is not None:
                    yield message
            if not self._queue:
                await clock.wait(self._ready, min(wake() or end, end))
            await asyncio.sleep(0)  # readers and writers have their turn however much there is to do

    def drain(self) -> list[Input]:
        """Return what was put in, without asking the source."""
        taken = [*self._queue]
        self._queue.clear()
        return taken

    async def wait(self, *, within_s: float) -> None:
        """Wait until something is put in, for a bounded time."""
        self._ready.clear()
        if not self._queue:
            with suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._ready.wait()

    def _take(self, now: int) -> list[Input]:
        taken = self.drain()
        if self._source is not None:
            taken += self._source(now)
        return taken
