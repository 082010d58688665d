"""The world of a run without a broker: a market that knows its own time, and a simulated venue in it."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence

import structlog

from trader.access.ports import SimulatedBroker, SimulatedFeed
from trader.live.clock import MarketClock, paced
from trader.model.inputs import Input, Reported, Ticks
from trader.model.ticks import Bar

log = structlog.get_logger()

MODE = "SIM"


class Simulation:
    """A :class:`~trader.live.world.World` of a synthetic or recorded market, paced by the clock."""

    mode = MODE

    def __init__(self, feed: SimulatedFeed, broker: SimulatedBroker, clock: MarketClock, *, end: int) -> None:
        """Trade ``feed`` on ``broker`` up to ``end`` (market time)."""
        self.broker = broker
        self.clock = clock
        self._feed = feed
        self._end = end

    def describe(self) -> str:
        """Return one line for people: what market this is, and how fast it goes."""
        return f"{self._feed.describe()}, {self.clock.describe()}"

    async def open(self) -> None:
        """Say what is missing; a simulated market is always there."""
        if self._feed.missing:
            log.warning("data.missing", symbols=" ".join(self._feed.missing), why="no bar of these in the data")

    async def history(self, depth: Mapping[str, int]) -> AsyncIterator[Sequence[Bar]]:
        """Yield the minutes before the first live one."""
        for bars in self._feed.history(depth):
            if self.clock.is_stopped:
                return
            yield bars
            await self.clock.breathe()

    async def inputs(self, wake: Callable[[], int | None]) -> AsyncGenerator[Input, None]:
        """Yield what happens, in the order it happens; the venue sees the market before the desk does."""
        self.clock.begin()
        async for message in paced(self._feed, self.clock, wake=wake, end=self._end):
            if isinstance(message, Ticks):
                self.broker.observe(message.ticks)
                for report in reports_of(self.broker, message.ts):
                    yield report
            yield message
            for report in reports_of(self.broker, message.ts):
                yield report

    async def close(self) -> None:
        """Say what the market refused to deliver."""
        if skipped := {reason: count for reason, count in self._feed.skipped.items() if count}:
            log.warning("rows.skipped", **skipped)


def reports_of(broker: SimulatedBroker, ts: int) -> Iterator[Reported]:
    """Take a simulated venue's reports, and those that the desk's answers to them make."""
    while reports := broker.reports():
        for report in reports:
            yield Reported(ts, report)
