"""A feed between a stream and a data host on loopback, with a clock that a test turns and a desk that takes all."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tests.access.alpaca.bars_server import BarsServer
from tests.access.alpaca.streams import GUARD_S, StreamServer
from tests.build import T0, bar
from tests.waiting import until
from trader.access.alpaca.feed import AlpacaFeed, FeedSettings
from trader.access.alpaca.wire import MSGPACK
from trader.access.alpaca.wire_data import Auth, BarMessage
from trader.model.inputs import Backfilled, Held, Input, Released, Ticks
from trader.model.ticks import Bar
from trader.model.time import MINUTE, SECOND

FAST = 1e5  # the waits between connections take microseconds


def wired(one: Bar, kind: Any = BarMessage) -> Any:
    """Write a bar as the stream does."""
    stamp = MSGPACK.stamp(one.ts - MINUTE)
    return kind(one.symbol, one.open, one.high, one.low, one.close, one.volume, stamp, 3, one.close)


class Rig:
    """A feed, its two hosts, a clock that a test turns, and a desk that takes what comes."""

    def __init__(self, stream: StreamServer, rest: BarsServer, wants: Mapping[str, Sequence[str]], **more: Any) -> None:
        self.stream, self.rest = stream, rest
        self.symbols = [symbol for symbols in wants.values() for symbol in symbols]
        self.ts = T0 + 10 * MINUTE + 30 * SECOND
        self.inputs: list[Input] = []
        self.batches: list[list[Bar]] = []
        self.failures: list[Exception] = []
        self.is_taking = True
        settings = FeedSettings(
            auth=Auth("key", "hush"), stream_url=stream.url, data_url=rest.url, **{"pace": FAST} | more
        )
        self.feed = AlpacaFeed(
            settings, wants, now=lambda: self.ts, ring=self.ring, fail=self.failures.append, draw=lambda: 0.5
        )
        self._is_live = False

    def ring(self) -> None:
        if self._is_live and self.is_taking:
            asyncio.get_running_loop().call_soon(self.take)

    def take(self) -> None:
        self.inputs += self.feed.take(self.ts)

    async def go(self, depth: int = 5) -> None:
        """Start, warm up and go live at half a minute past the tenth."""
        await self.feed.start()
        async for bars in self.feed.history(dict.fromkeys(self.symbols, depth)):
            self.batches.append(bars)
        self.go_live()

    def go_live(self) -> None:
        self._is_live = True
        self.feed.go_live()

    async def second_look(self) -> None:
        """Let time pass until the look after a subscription is over, without a live bar."""
        await until(lambda: self.feed.gaps.open)
        self.ts += 40 * SECOND
        await until(lambda: not self.feed.gaps.open)

    @property
    def minute(self) -> int:
        """Return how many whole minutes have passed since T0."""
        return (self.ts - T0) // MINUTE

    def of(self, kind: type) -> list[Any]:
        return [one for one in self.inputs if isinstance(one, kind)]

    def bars(self, symbol: str = "SPY") -> list[int]:
        """Return the minutes of a symbol's bars as the desk has them, and see that none comes twice or goes back."""
        known = [one for batch in self.batches for one in batch]
        for message in self.inputs:
            if isinstance(message, Backfilled):
                known += message.bars
            elif isinstance(message, Ticks):
                known += [tick for tick in message.ticks if isinstance(tick, Bar)]
        return [(one.ts - T0) // MINUTE for one in known if one.symbol == symbol]

    def causes(self) -> list[str]:
        return [
            f"{'+' if isinstance(one, Held) else '-'}{one.cause}"
            for one in self.inputs
            if isinstance(one, Held | Released)
        ]


@asynccontextmanager
async def rigged(*symbols: str, **more: Any) -> AsyncIterator[Rig]:
    async with asyncio.timeout(GUARD_S), StreamServer() as stream, BarsServer() as rest:
        for symbol in symbols or ("SPY",):
            rest.put(*(bar(symbol, minute) for minute in range(1, 11)))
        rig = Rig(stream, rest, {"one": symbols or ("SPY",)}, **more)
        try:
            yield rig
        finally:
            await rig.feed.stop()
    assert rig.failures == []
