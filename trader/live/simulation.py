"""The world of a run without a broker: a market that knows its own time, and a simulated venue in it."""

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence

import structlog

from trader.access.fees import RegulatoryFees
from trader.access.last_look import CheckedVenue, LastLook, wire_limits
from trader.access.ports import SimulatedBroker, SimulatedFeed
from trader.access.sim.exchange import SimExchange
from trader.access.sim.fills import VenueRules
from trader.books.ledger import Ledger
from trader.config import BrokerConfig
from trader.engine.engine import Engine
from trader.errors import ConfigError, Problem
from trader.live import days
from trader.live.clock import MarketClock, paced
from trader.live.days import NO_DAYS, Days
from trader.live.desk_view import AccountReading
from trader.live.options import RunOptions
from trader.model.inputs import Input, Opened, Reported, Ticks
from trader.model.ticks import Bar
from trader.model.time import parse_time

log = structlog.get_logger()

MODE = "SIM"
# A Monday at the opening of New York: stocks trade at once, and equal commands give equal runs.
SYNTHETIC_START = parse_time("2026-01-05T14:30:00+00:00")
SYNTHETIC_SPEED = 60.0  # a session in six and a half minutes: one sees it trade


class Simulation:
    """A :class:`~trader.live.world.World` of a synthetic or recorded market, paced by the clock."""

    mode = MODE

    def __init__(
        self, feed: SimulatedFeed, broker: SimulatedBroker, clock: MarketClock, *, end: int, days: Days = NO_DAYS
    ) -> None:
        """Trade ``feed`` on ``broker`` up to ``end`` (market time); ``days`` are daily bars from before."""
        self.broker = broker
        self.clock = clock
        self._feed = feed
        self._end = end
        self._days = days
        self._failure: Exception | None = None

    def describe(self) -> str:
        """Return one line for people: what market this is, and how fast it goes."""
        return f"{self._feed.describe()}, {self.clock.describe()}"

    async def open(self, ledger: Ledger) -> Opened:
        """Say what is missing; a simulated market is always there."""
        if self._feed.missing:
            log.warning("data.missing", symbols=" ".join(self._feed.missing), why="no bar of these in the data")
        self._days.tell()
        return Opened(self.clock.now())

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
        for given in days.inputs(self._days.bars, self._feed.start):
            yield given
        async for message in filled(self.broker, paced(self._feed, self.clock, wake=wake, end=self._end)):
            if self._failure is not None:
                break
            yield message
        if self._failure is not None:
            raise self._failure

    async def settle(self) -> AsyncGenerator[Input, None]:
        """Yield nothing: what is open stays open."""
        nothing: tuple[Input, ...] = ()
        for message in nothing:
            yield message

    def account(self) -> AccountReading | None:
        """Return None: there is no account."""
        return None

    def fail(self, error: Exception) -> None:
        """End the inputs with ``error``."""
        self._failure = self._failure or error
        self.clock.stop()

    async def close(self) -> None:
        """Say what the market refused to deliver."""
        if skipped := {reason: count for reason, count in self._feed.skipped.items() if count}:
            log.warning("rows.skipped", **skipped)


async def filled(broker: SimulatedBroker, messages: AsyncIterator[Input]) -> AsyncGenerator[Input, None]:
    """Show each batch to the simulated venue before the desk has it, and yield its reports right after their cause."""
    async for message in messages:
        if isinstance(message, Ticks):
            broker.observe(message.ticks)
            for report in _reports_of(broker, message.ts):
                yield report
        yield message
        for report in _reports_of(broker, message.ts):
            yield report


def _reports_of(broker: SimulatedBroker, ts: int) -> Iterator[Reported]:
    """Take a simulated venue's reports, and those that the desk's answers to them make."""
    while reports := broker.reports():
        for report in reports:
            yield Reported(ts, report)


def simulation(options: RunOptions, settings: BrokerConfig, desk: Engine) -> Simulation:
    """Build a world without a broker. Raises ConfigError as :func:`feed` does."""
    market = feed(options, settings, tuple(desk.listings))
    speed = options.speed
    if speed == "auto":
        speed = None if options.feed == "replay" else SYNTHETIC_SPEED
    clock = MarketClock(market.start, speed)
    end = sys.maxsize if options.duration is None else market.start + round(options.duration * clock.pace)
    return Simulation(market, exchange(settings, desk), clock, end=end, days=_days(options, market, desk))


def exchange(settings: BrokerConfig, desk: Engine) -> CheckedVenue:
    """Build the simulated venue for the desk's symbols; the last look before it is at the time of the desk's step."""
    simulated = settings.simulated
    fees = simulated.regulatory_fees
    rules = VenueRules(
        fill=simulated.fill,
        slippage_bps=simulated.slippage_bps,
        has_fees=simulated.fees == "alpaca",
        regulatory=RegulatoryFees(fees.sec_usd_per_million, fees.taf_usd_per_share, fees.taf_cap_usd),
        latency_ns=simulated.latency_ms * 1_000_000,
        has_partial_fills=simulated.partial_fills,
    )
    venue = SimExchange(rules, {symbol: listing.instrument for symbol, listing in desk.listings.items()})
    books = desk.desk

    def now() -> int:
        return books.now

    return CheckedVenue(venue, LastLook(books.ledger, wire_limits(desk.rules), now=now), now=now)


def feed(options: RunOptions, settings: BrokerConfig, symbols: Sequence[str]) -> SimulatedFeed:
    """Build the market. Raises ConfigError when the options do not fit it, DataError when its files cannot be read."""
    wants_quotes = settings.simulated.fill == "next_quote"
    if options.feed != "replay":
        if unread := "--data" if options.data else "--daily" if options.daily else "":
            raise ConfigError(f"{unread} is read by the replay feed; add --feed replay, or leave {unread} out")
        from trader.access.sim.market import SyntheticMarket

        start = SYNTHETIC_START if options.start is None else options.start
        return SyntheticMarket(symbols, seed=options.seed, start=start, quotes=wants_quotes)
    if not options.data:
        raise ConfigError("--feed replay needs bars: add --data FILE… (Parquet or CSV) or a folder of them")
    if wants_quotes:
        message = (
            "next_quote needs quotes, and files of bars have none; allowed with --feed replay: next_open, signal_price"
        )
        raise ConfigError([Problem("broker.simulated.fill", message)])
    from trader.access.sim.feed import ReplayFeed

    return ReplayFeed(options.data, symbols, start=options.start)


def _days(options: RunOptions, market: SimulatedFeed, desk: Engine) -> Days:
    """Return daily bars from before the run; those that a replay's minutes make the desk makes itself."""
    are_wanted = days.are_wanted(desk)
    if options.feed == "replay" and (options.daily or are_wanted):
        return days.recorded(options.daily, tuple(desk.listings), before=market.start)
    if options.feed == "replay" or not are_wanted:
        return NO_DAYS
    from trader.access.sim.market import SyntheticMarket

    assert isinstance(market, SyntheticMarket), "the only market that is made up"
    return Days(market.days(days.COUNT))
