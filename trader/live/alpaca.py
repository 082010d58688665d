"""The world of a run on Alpaca: its market data, and its account or a simulated venue in that market."""

import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence

import numpy as np
import structlog

from trader.access.alpaca.broker import AlpacaBroker
from trader.access.alpaca.feed import AlpacaFeed, FeedSettings
from trader.access.alpaca.line import BrokerSettings
from trader.access.alpaca.wants import CRYPTO_CHANNELS, STOCK_CHANNELS
from trader.access.alpaca.wire_data import Auth, Channel
from trader.access.last_look import wire_limits
from trader.access.ports import BrokerAdapter, SimulatedBroker
from trader.books.ledger import Ledger
from trader.config import Config
from trader.engine.engine import Engine
from trader.errors import EdgeError, ReconcileError
from trader.live import days
from trader.live.access import Access
from trader.live.admission import admit
from trader.live.clock import MarketClock, WallClock
from trader.live.desk_view import AccountReading
from trader.live.inbox import Inbox
from trader.live.options import RunOptions
from trader.live.simulation import exchange, filled
from trader.model.inputs import Input, Opened
from trader.model.ticks import Bar
from trader.model.time import MINUTE, iso

log = structlog.get_logger()

SETTLE_WITHIN_S = 5.0  # for the last answers about orders that are canceled at the end of a run
USUAL_MINUTES = 60  # of history at the least: they show which symbols trade every minute
_BEHIND = MINUTE  # market time by which our reading of an exchange's clock may have been ahead, however fast it runs
_PRICES = frozenset({Channel.TRADES, Channel.QUOTES})


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
        self._is_live = False
        self._days: Sequence[Bar] = ()

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

    async def open(self, ledger: Ledger) -> Opened:
        """Check account, clock and tickers, then open the streams.

        Raises:
            ConfigError: what does not fit this account, all of it at once.
            ReconcileError: these books are of an earlier life of a local exchange.
            CredentialsError: the keys are refused or of the other kind.
            EdgeError: Alpaca cannot be reached.
        """
        await admit(self._access, self.clock, ledger)
        if self._access.terms.follows_exchange:
            _check_time(self.clock.now(), ledger.account.reconciled_until)
        opened = Opened(self.clock.now())
        if self._alpaca is not None:
            found = await self._alpaca.start()
            opened = Opened(found.ts, found.number, found.cash, found.positions)
        await self._feed.start()
        return opened

    def account(self) -> AccountReading | None:
        """Return what the account holds, as it was read last."""
        if self._alpaca is None or (reading := self._alpaca.status().reading) is None:
            return None
        traded = {symbol for symbol, at in self._alpaca.tracker.executed_at.items() if at >= reading.ts}
        return AccountReading(reading.ts, reading.positions, reading.cash, traded)

    def fail(self, error: Exception) -> None:
        """End the inputs with ``error``."""
        self._inbox.fail(error)

    async def history(self, depth: Mapping[str, int]) -> AsyncIterator[Sequence[Bar]]:
        """Yield the minutes before the first live one, by REST; then fetch days, without which one can trade."""
        async for bars in self._feed.history({symbol: max(count, USUAL_MINUTES) for symbol, count in depth.items()}):
            yield bars
        try:
            self._days = await self._feed.days()
        except EdgeError as error:
            log.warning("days.missing", why=f"{error}; limits and filters that look at daily bars know none")

    async def inputs(self, wake: Callable[[], int | None]) -> AsyncGenerator[Input, None]:
        """Yield what happens until the clock is stopped. Raises EdgeError: an edge is lost for good."""
        now = self.clock.now()
        end = sys.maxsize if self._duration is None else now + round(self._duration * self.clock.pace)
        for given in days.inputs(self._days, now):
            yield given
        self._inbox.listen(self._feed.take)
        self._feed.go_live()
        self._is_live = True
        messages = self._inbox.inputs(self.clock, wake, end=end)
        async for message in messages if self._simulated is None else filled(self._simulated, messages):
            yield message

    async def close(self) -> None:
        """Close the streams with a goodbye, so that the next start finds its place free; say how the data were."""
        await self._feed.stop()
        status = self._feed.status()
        if self._is_live:
            log.info(
                "feed.closed",
                gaps=status.gaps_open + status.gaps_closed,
                gaps_open=status.gaps_open,
                bars_backfilled=status.bars_backfilled,
                worst_lag_ms=status.worst_lag // 1_000_000,
                **status.counts,
            )
        if self._alpaca is not None:
            await self._alpaca.stop()

    async def settle(self) -> AsyncGenerator[Input, None]:
        """Cancel what is open and yield what becomes of it, for a bounded time."""
        broker = self._alpaca
        if broker is None:
            return
        broker.cancel_open()
        until = time.monotonic() + SETTLE_WITHIN_S
        while True:
            had_open = broker.open_orders  # what ended them was put in before they count as ended
            for message in self._inbox.drain():
                yield message
            if not had_open or (left_s := until - time.monotonic()) <= 0:
                break
            await self._inbox.wait(within_s=left_s)
        if broker.open_orders:
            log.warning("orders.unsettled", count=broker.open_orders, why="no answer about them before the end")


def world(options: RunOptions, config: Config, desk: Engine, access: Access) -> AlpacaWorld:
    """Build feed, broker and clock around the desk."""
    clock = MarketClock(time.time_ns(), access.speed) if access.terms.follows_exchange else WallClock()
    inbox = Inbox()
    feed = _feed(config, access, clock, inbox, days=days.COUNT if days.are_wanted(desk) else 0)
    broker = exchange(config.broker, desk) if options.broker == "simulated" else _broker(desk, access, clock, inbox)
    return AlpacaWorld(access, clock=clock, inbox=inbox, feed=feed, broker=broker, duration=options.duration)


def _check_time(now: int, reconciled_until: int) -> None:
    """See that a local exchange is the one these books were kept with: its time begins anew when it is started anew."""
    if now < reconciled_until - _BEHIND:
        raise ReconcileError(
            f"books: were last compared with this account at {iso(reconciled_until)}, and the exchange's time is"
            f" {iso(now)}: it was started anew and remembers nothing of them; begin new books in another state folder"
            " (--state-dir)"
        )


def _feed(config: Config, access: Access, clock: MarketClock, inbox: Inbox, *, days: int) -> AlpacaFeed:
    settings, keys = config.broker.alpaca, access.credentials
    left_out = _PRICES if settings.prices == "bars" else frozenset()
    return AlpacaFeed(
        FeedSettings(
            auth=Auth(keys.key_id, keys.secret.get_secret_value()),
            stream_url=access.endpoints.stream,
            data_url=access.endpoints.data,
            stock_feed=settings.feed,
            stock_channels=tuple(channel for channel in STOCK_CHANNELS if channel not in left_out),
            crypto_channels=tuple(channel for channel in CRYPTO_CHANNELS if channel not in left_out),
            symbol_limit=settings.most_symbols,
            extended_hours=settings.extended_hours,
            days=days,
            pace=access.speed,
        ),
        {strategy.name: strategy.tickers for strategy in config.strategies},
        now=clock.now,
        ring=inbox.ring,
        fail=inbox.fail,
        draw=np.random.default_rng().random,  # how long to wait before connecting again; nothing else hangs on it
    )


def _broker(desk: Engine, access: Access, clock: MarketClock, inbox: Inbox) -> AlpacaBroker:
    keys, endpoints = access.credentials, access.endpoints
    settings = BrokerSettings(
        trading_url=endpoints.trading,
        updates_url=endpoints.trade_updates,
        key_id=keys.key_id,
        secret=keys.secret.get_secret_value(),
        instruments={symbol: listing.instrument for symbol, listing in desk.listings.items()},
        pace=access.speed,
        limits=wire_limits(desk.rules),
    )
    return AlpacaBroker(settings, now=clock.now, deliver=inbox.put, ledger=desk.desk.ledger, fail=inbox.fail)
