"""Alpaca's market data for one desk: at most one stream of stocks and one of coins, whatever the number of strategies.

The order of a start: :meth:`AlpacaFeed.start` subscribes first and keeps what comes, :meth:`AlpacaFeed.history` fetches
what was before, :meth:`AlpacaFeed.go_live` joins the two. From then on the desk takes inputs whenever it is ready:
:meth:`AlpacaFeed.take`. Everything comes through there, also holds and missed bars, so that their order is kept.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Final, Literal

import msgspec
import structlog

from trader.access.alpaca.connection import Endpoint
from trader.access.alpaca.gaps import GapLedger
from trader.access.alpaca.history import History
from trader.access.alpaca.inlet import Inlet
from trader.access.alpaca.joint import Joint
from trader.access.alpaca.market_stream import JUDGED, MarketStream
from trader.access.alpaca.mending import SETTLED_AFTER, Surroundings
from trader.access.alpaca.wants import CRYPTO_CHANNELS, MARKETS, STOCK_CHANNELS, Market, Plan, Wants, market_of
from trader.access.alpaca.wire import MSGPACK
from trader.access.alpaca.wire_data import Auth, Channel
from trader.model.calendar import StockCalendar
from trader.model.inputs import Input, Ticks
from trader.model.ticks import Bar
from trader.model.time import MINUTE, SECOND, iso

log = structlog.get_logger()

START_WITHIN_S: Final = 150.0  # real time, longer than a place that is occupied is waited for
LAGGING_AFTER: Final = 5 * SECOND  # real time, from which on it is told; a bar comes a second after its end
LAGGING_TAKES: Final = 3  # in a row: one late message, a trade reported hours later, is no lag


class FeedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where market data come from, with which keys, and how much of it.

    ``days`` are the newest trading days of which daily bars are wanted. ``pace`` is market time over real time, other
    than 1 only against a local exchange.
    """

    auth: Auth
    stream_url: str = "wss://stream.data.alpaca.markets"
    data_url: str = "https://data.alpaca.markets"
    stock_feed: str = "iex"
    crypto_location: str = "us"
    stock_channels: tuple[Channel, ...] = STOCK_CHANNELS
    crypto_channels: tuple[Channel, ...] = CRYPTO_CHANNELS
    symbol_limit: int | None = None
    counting: Literal["pairs", "symbols"] = "symbols"
    extended_hours: bool = False
    requests_per_minute: int = 200
    days: int = 0
    pace: float = 1.0
    start_within_s: float = START_WITHIN_S


class StreamStatus(msgspec.Struct, frozen=True):
    """How one stream is; times are market time (ns), 0 for never."""

    name: str
    is_subscribed: bool
    are_entries_held: bool
    channels: tuple[str, ...]
    left_out: Mapping[str, tuple[str, ...]]
    last_data: int


class FeedStatus(msgspec.Struct, frozen=True):
    """How the market data are; ``counts`` names what was not as it should be."""

    streams: tuple[StreamStatus, ...]
    worst_lag: int
    waiting: int
    counts: Mapping[str, int]
    gaps_open: int
    gaps_closed: int
    bars_backfilled: int


class AlpacaFeed:
    """The market data of all strategies."""

    def __init__(
        self,
        settings: FeedSettings,
        wants: Mapping[str, Iterable[str]],
        *,
        now: Callable[[], int],
        ring: Callable[[], None],
        fail: Callable[[Exception], None],
        draw: Callable[[], float],
    ) -> None:
        """Connect nothing yet; ``wants`` names each strategy's symbols.

        ``now`` is market time (ns UTC). ``ring`` is called on the loop's thread when :meth:`take` has something,
        ``fail`` when a stream is lost for good. ``draw`` gives chance, from 0 to 1, to the back-off.
        """
        self.gaps = GapLedger()
        self._settings = settings
        self._now = now
        self._joint = Joint()
        self._calendar = StockCalendar()
        self.inlet = Inlet(self._joint, self._calendar, extended_hours=settings.extended_hours)
        channels: dict[Market, tuple[Channel, ...]] = {
            "stock": settings.stock_channels,
            "crypto": settings.crypto_channels,
        }
        self._wants = Wants(wants, channels, Plan(limit=settings.symbol_limit, counting=settings.counting))
        self._history = _history_of(settings)
        self._around = Surroundings(
            self._history, self.inlet, self.gaps, self._calendar, now, settings.pace, ring, fail
        )  # fmt: skip
        self._streams: dict[Market, MarketStream] = {}
        self._draw = draw
        self._held: tuple[str, ...] = ()  # back until go_live
        self._late_takes = 0  # in a row
        self.inlet.on_waiting_bar = self._on_waiting_bar
        self.inlet.on_bad_bar = self._on_bad_bar
        self.inlet.on_skipped = self._on_skipped

    def describe(self) -> str:
        """Return one line for people: what market this is."""
        feeds = {"stock": self._settings.stock_feed, "crypto": f"crypto {self._settings.crypto_location}"}
        named = [feeds[market] for market in MARKETS if self._wants.symbols(market)]
        return f"Alpaca market data ({', '.join(named) or 'nothing wanted'})"

    async def start(self) -> None:
        """Open the streams that are needed and subscribe; what comes is kept.

        Raises:
            EdgeError: a stream is refused, or cannot be had in time.
        """
        self._held = self._symbols()
        self._joint.hold(self._held)
        self.inlet.want(self._held)
        for market in MARKETS:
            if self._wants.symbols(market):
                await self._open(market)

    async def history(self, depth: Mapping[str, int]) -> AsyncIterator[list[Bar]]:
        """Yield the minute bars before the live ones, oldest first, one minute a batch.

        ``depth`` asks for at least so many newest bars per symbol, where there are as many.

        Raises:
            EdgeError: they cannot be had.
        """
        until = self._now() // MINUTE * MINUTE
        await self._around.until(until + SETTLED_AFTER)
        ends: dict[str, list[int]] = {symbol: [] for symbol in depth}
        minutes = self._history.warmup(depth, until=until, keep=self.inlet.is_in_session, calendar=self._calendar)
        async for bars in minutes:
            self._joint.seed(bars)
            for bar in bars:
                ends[bar.symbol].append(bar.ts)
            yield bars
        short = {symbol: len(found) for symbol, found in ends.items() if len(found) < depth[symbol]}
        log.info(
            "history.fetched",
            bars=sum(map(len, ends.values())),
            until=iso(until),
            **({"short": short} if short else {}),
        )
        for market, stream in self._streams.items():
            usual = {symbol: found[-JUDGED:] for symbol, found in ends.items() if market_of(symbol) == market}
            stream.learn(usual, until)

    async def days(self) -> list[Bar]:
        """Return the daily bars that the settings want of every symbol, with what today was so far.

        Raises:
            EdgeError: they cannot be had.
        """
        count = self._settings.days
        return await self._history.days(self._symbols(), until=self._now(), count=count) if count else []

    def go_live(self) -> None:
        """Let :meth:`take` deliver: first what came since the subscription, then what comes."""
        held, self._held = self._held, ()
        self.inlet.is_live = True
        self.inlet.call(lambda now: self._join(held, now))
        self._around.ring()

    def take(self, now: int) -> list[Input]:
        """Return all that came since the last call, in order."""
        inputs = self.inlet.take(now)
        if any(type(one) is Ticks for one in inputs):
            is_late = self.inlet.lag > LAGGING_AFTER * self._settings.pace
            self._late_takes = self._late_takes + 1 if is_late else 0
            if self._late_takes == LAGGING_TAKES:
                log.warning("feed.lagging", lag_ms=self.inlet.lag // 1_000_000, waiting=self.inlet.waiting)
        return inputs

    async def want(self, strategy: str, symbols: Iterable[str]) -> None:
        """Let a strategy have more symbols, from now on.

        Raises:
            EdgeError: they need a stream that is not open yet, and it cannot be had.
        """
        self._wants.want(strategy, symbols)
        await self._change()

    async def release(self, strategy: str, symbols: Iterable[str]) -> None:
        """Let a strategy do without symbols; what nobody else wants is unsubscribed."""
        self._wants.release(strategy, symbols)
        await self._change()

    async def stop(self) -> None:
        """Close streams and connections with a goodbye."""
        for stream in self._streams.values():
            await stream.stop()
        self._history.close()

    def status(self) -> FeedStatus:
        """Return how everything is now."""
        counts = self.inlet.counts + self._joint.counts
        for reason, count in self._history.refused.items():
            counts[f"history_{reason}"] += count
        return FeedStatus(
            tuple(self._status_of(stream) for stream in self._streams.values()),
            self.inlet.worst_lag,
            self.inlet.waiting,
            dict(counts),
            len(self.gaps.open),
            self.gaps.count - len(self.gaps.open),
            self.gaps.bars,
        )

    def _status_of(self, stream: MarketStream) -> StreamStatus:
        return StreamStatus(
            stream.name,
            stream.is_subscribed,
            stream.mender.is_held,
            tuple(map(str, self._wants.channels(stream.market))),
            self._wants.left_out(stream.market),
            stream.last_data,
        )

    async def _open(self, market: Market) -> None:
        base = self._settings.stream_url.rstrip("/")
        feed, location = self._settings.stock_feed, self._settings.crypto_location
        url = f"{base}/v2/{feed}" if market == "stock" else f"{base}/v1beta3/crypto/{location}"
        endpoint = Endpoint(f"{market} stream", url, {"Content-Type": MSGPACK.content_type})
        stream = MarketStream(
            market, endpoint, self._settings.auth, wants=self._wants, around=self._around, draw=self._draw
        )
        self._streams[market] = stream
        await stream.start(self._settings.start_within_s)

    async def _change(self) -> None:
        self.inlet.want(self._symbols())
        for market in MARKETS:
            if market in self._streams:
                self._streams[market].change()
            elif self._wants.symbols(market):
                await self._open(market)
                self._streams[market].learn({}, self._now() // MINUTE * MINUTE)

    def _join(self, held: tuple[str, ...], now: int) -> list[Input]:
        for stream in self._streams.values():
            stream.mender.check()
        return self._joint.release(held, now)

    def _symbols(self) -> tuple[str, ...]:
        return tuple(symbol for market in MARKETS for symbol in self._wants.symbols(market))

    def _on_waiting_bar(self, bar: Bar) -> None:
        self._streams[market_of(bar.symbol)].on_bar(bar)

    def _on_bad_bar(self, symbol: str, end: int) -> None:
        self._streams[market_of(symbol)].mender.on_bad_bar(symbol, end)

    def _on_skipped(self, symbol: str, first: int, last: int) -> None:
        self._streams[market_of(symbol)].mender.on_skipped(symbol, first, last)


def _history_of(settings: FeedSettings) -> History:
    return History(
        settings.data_url,
        (settings.auth.key, settings.auth.secret),
        feeds={"stock": settings.stock_feed, "crypto": settings.crypto_location},
        per_minute=settings.requests_per_minute,
        pace=settings.pace,
    )
