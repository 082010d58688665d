"""The world of a run on Alpaca: its market data, and its account or a simulated venue in that market."""

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence

import structlog

from trader.access.alpaca.broker import AlpacaBroker
from trader.access.alpaca.feed import AlpacaFeed
from trader.access.ports import BrokerAdapter, SimulatedBroker
from trader.live.access import Access
from trader.live.admission import admit
from trader.live.clock import MarketClock
from trader.live.inbox import Inbox
from trader.live.simulation import reports_of
from trader.model.inputs import Input, Ticks
from trader.model.ticks import Bar

log = structlog.get_logger()

SETTLE_WITHIN_S = 5.0  # for the last answers about orders that are canceled at the end of a run


class AlpacaWorld:
    """A :class:`~trader.live.world.World` outside this process."""

    def __init__(
        self,
        access: Access,
        *,
        clock: MarketClock,
        inbox: Inbox,
        feed: AlpacaFeed,
        broker: AlpacaBroker | SimulatedBroker,
        duration: int | None,
    ) -> None:
        """Connect nothing yet; the run ends after ``duration`` (ns of real time), or never."""
        self.clock = clock
        self._access = access
        self._inbox = inbox
        self._feed = feed
        self._alpaca = broker if isinstance(broker, AlpacaBroker) else None
        self._simulated = None if isinstance(broker, AlpacaBroker) else broker
        self._duration = duration

    @property
    def mode(self) -> str:
        """Return whose money moves."""
        if self._simulated is not None:
            return "SIM"
        return "LIVE" if self._access.terms.is_live else "PAPER"

    @property
    def broker(self) -> BrokerAdapter:
        """Return where orders go."""
        broker = self._alpaca or self._simulated
        assert broker is not None, "one of the two is given"
        return broker

    def describe(self) -> str:
        """Return one line for people."""
        orders = (
            "fills simulated here" if self._simulated is not None else f"orders to {self._access.endpoints.trading}"
        )
        return f"{self._feed.describe()}, {self.clock.describe()}; {orders}"

    async def open(self) -> None:
        """Check account, clock and tickers, then open the streams.

        Raises:
            ConfigError: what does not fit this account, all of it at once.
            CredentialsError: the keys are refused or of the other kind.
            EdgeError: Alpaca cannot be reached.
        """
        await admit(self._access, self.clock)
        if self._alpaca is not None:
            await self._alpaca.start()
        await self._feed.start()

    def history(self, depth: Mapping[str, int]) -> AsyncIterator[Sequence[Bar]]:
        """Yield the minutes before the first live one, by REST."""
        return self._feed.history(depth)

    async def inputs(self, wake: Callable[[], int | None]) -> AsyncGenerator[Input, None]:
        """Yield what happens until the clock is stopped; then what becomes of the orders that are still open."""
        now = self.clock.now()
        end = sys.maxsize if self._duration is None else now + round(self._duration * self.clock.pace)
        self._inbox.listen(self._feed.take)
        self._feed.go_live()
        async for message in self._inbox.inputs(self.clock, wake, end=end):
            if self._simulated is None:
                yield message
                continue
            if isinstance(message, Ticks):
                self._simulated.observe(message.ticks)
                for report in reports_of(self._simulated, message.ts):
                    yield report
            yield message
            for report in reports_of(self._simulated, message.ts):
                yield report
        if self._alpaca is not None:
            async for message in self._settled(self._alpaca):
                yield message

    async def close(self) -> None:
        """Close the streams with a goodbye, so that the next start finds its place free."""
        await self._feed.stop()
        if self._alpaca is not None:
            await self._alpaca.stop()

    async def _settled(self, broker: AlpacaBroker) -> AsyncGenerator[Input, None]:
        """Cancel what is open and yield what becomes of it, for a bounded time."""
        broker.cancel_open()
        try:
            async with asyncio.timeout(SETTLE_WITHIN_S):
                while broker.open_orders:
                    for message in await self._inbox.next_put():
                        yield message
        except TimeoutError:
            log.warning("orders.unsettled", count=broker.open_orders, why="no answer about them before the end")
