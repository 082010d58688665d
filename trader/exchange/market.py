"""The market as it runs: every tick of the archive at its time, to the venue first, then to whoever subscribed.

What a tick does to orders is told before the tick itself is. Between two ticks time passes for the venue and for
everybody who asked to be called.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from decimal import Decimal
from itertools import count
from typing import Final

from msgspec import structs

from trader.access.alpaca.wire_data import Channel
from trader.access.sim.synthetic_bars import DayBars
from trader.access.sim.venue import Venue
from trader.exchange.archive import Archive, ArchiveFeed, bars_of
from trader.exchange.clock import ExchangeClock
from trader.exchange.data_hub import DataHub
from trader.exchange.data_messages import DailyTotals, messages_of
from trader.exchange.splits import SplitArchive
from trader.model.money import decimal_of
from trader.model.ticks import Bar, Tick
from trader.model.time import DAY, MINUTE

TICK_S: Final = 0.02  # how often, in real seconds, time passes when nothing happens
_BUSY_S: Final = 0.01  # for so long ticks that are late may hold up everybody else
_LOOK_BACK_DAYS: Final = 7  # for the newest price of a symbol: the longest weekends of New York are shorter

TEST_SYMBOL: Final = "FAKEPACA"  # on the endpoint for tests, at any hour
_DISGUISED: Final = "DOGE/USD"  # a coin that looks like a cheap share


class Market:
    """Runs one archive; ``flush`` hands on what the venue has to tell, ``passing`` is called as time passes."""

    def __init__(self, archive: SplitArchive, clock: ExchangeClock, *, venue: Venue, hub: DataHub) -> None:
        """Stand still until :meth:`run`; messages go to ``hub`` unless ``publish`` is replaced."""
        self.archive = archive
        self.clock = clock
        self.venue = venue
        self.publish = hub.publish
        self._wanted = hub.wanted
        self.flush: Callable[[], None] = lambda: None
        self.passing: list[Callable[[], None]] = []
        self.is_over = False
        self._feed: ArchiveFeed
        self._daily = DailyTotals(archive.bars)
        self._yielded = 0.0

    def begin(self) -> None:
        """Show the venue where prices stood, so that it can value orders before the first tick.

        Raises:
            ConfigError: this market has nothing from its start on.
        """
        self._feed = self.archive.feed(self.clock.start)
        start = self.clock.start
        newest = [bar for symbol in self.archive.symbols if (bar := last_bar(self.archive, symbol, start)) is not None]
        self.venue.observe(sorted(newest, key=lambda bar: bar.ts), now=start)

    async def run(self) -> None:
        """Let the market run, and time pass after its end."""
        with closing(self._feed.ticks()) as batches:
            for batch in batches:
                await self._until(batch.ts)
                self.take(batch.ticks)
        self.is_over = True
        for _ in count():
            await asyncio.sleep(TICK_S)
            self.tick()

    def take(self, ticks: Sequence[Tick]) -> None:
        """Let ticks happen now."""
        ticks = self.archive.restated(ticks)
        self.venue.observe(ticks, now=self.clock.now())
        self.flush()
        stocks = [tick for tick in ticks if "/" not in tick.symbol]
        coins = [tick for tick in ticks if "/" in tick.symbol] if len(stocks) < len(ticks) else []
        self._tell("stock", stocks)
        self._tell("crypto", coins)
        if self._wanted["test"]:
            self._tell(
                "test", [structs.replace(tick, symbol=TEST_SYMBOL) for tick in coins if tick.symbol == _DISGUISED]
            )

    def tick(self) -> None:
        """Let time pass."""
        self.venue.advance(self.clock.now())
        self.flush()
        for call in self.passing:
            call()

    def price_at(self, symbol: str, ts: int) -> Decimal | None:
        """Return what a symbol was worth at a past time, if anybody knows."""
        bar = last_bar(self.archive, symbol, ts)
        return None if bar is None else decimal_of(bar.close)

    async def _until(self, ts: int) -> None:
        """Wait for a market time; one that is over is not waited for, but others get their turn now and then."""
        while (wait_s := self.clock.seconds_until(ts)) > 0:
            await asyncio.sleep(min(wait_s, TICK_S))
            self._yielded = time.monotonic()
            self.tick()
        if time.monotonic() - self._yielded > _BUSY_S:
            await asyncio.sleep(0)
            self._yielded = time.monotonic()
            self.tick()

    def _tell(self, endpoint: str, ticks: Sequence[Tick]) -> None:
        wanted = self._wanted[endpoint]
        if not wanted or not ticks:
            return
        messages = messages_of(ticks, wanted)
        if Channel.DAILY_BARS in wanted:
            messages += [self._daily.message(tick) for tick in ticks if isinstance(tick, Bar)]
        if messages:
            self.publish(endpoint, messages)


def last_bar(archive: Archive, symbol: str, ts: int) -> Bar | None:
    """Return a symbol's newest bar that has ended by ``ts``, if there is one within a week."""
    for days in range(_LOOK_BACK_DAYS):
        begin = (ts // DAY - days) * DAY
        columns = archive.columns(symbol, begin, min(begin + DAY, ts) - MINUTE)
        if len(columns.end):
            return bars_of(symbol, DayBars._make(values[-1:] for values in columns))[0]
    return None
