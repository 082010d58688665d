"""The clients of the stream's benchmark, each in a process of its own; prints messages and CPU seconds as JSON."""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable
from decimal import Decimal

import msgspec
import structlog
import uvloop
from websockets.asyncio.client import connect

from scripts.bench.stream_traffic import BEGIN, END, SYMBOLS
from trader.access.alpaca.backoff import Backoff
from trader.access.alpaca.connection import Connection, Endpoint
from trader.access.alpaca.inlet import Inlet
from trader.access.alpaca.joint import Joint
from trader.access.alpaca.protocol import DataProtocol
from trader.access.alpaca.stream_events import Data, Event
from trader.access.alpaca.wire import MSGPACK
from trader.access.alpaca.wire_data import Auth, Channel, Subscribe
from trader.cli.run import GARBAGE_AFTER
from trader.engine.engine import Engine
from trader.engine.sandbox import SandboxSpec
from trader.model.calendar import StockCalendar
from trader.model.inputs import Opened, TimerFired
from trader.model.instruments import instrument_of
from trader.model.time import DAY, MINUTE, parse_time
from trader.risk.limits import Limits
from trader.strategies import MomentumStrategy

LIMITS = Limits(Decimal("0.95"), 50, Decimal(500), Decimal("0.02"), Decimal("0.04"))
CHANNELS = dict.fromkeys((Channel.TRADES, Channel.QUOTES, Channel.BARS), (*SYMBOLS, BEGIN, END))
START = parse_time("2026-01-05T14:30")


class Meter:
    """CPU seconds of this process between two marks, and what was counted meanwhile."""

    def __init__(self) -> None:
        self.began = self.ended = 0.0
        self.count: dict[str, int] = {}

    def mark(self, symbol: str) -> bool:
        """Look at the clock if this is a mark; say whether it was the last."""
        if symbol == BEGIN:
            self.began = time.process_time()
        elif symbol == END:
            self.ended = time.process_time()
        return symbol == END

    def tell(self) -> None:
        """Print what was measured."""
        print(json.dumps({"cpu_s": self.ended - self.began, **self.count}), flush=True)


def desk() -> Engine:
    """Return a desk of 26 momentum strategies, one a symbol, that never see a reason to trade."""
    quiet = [(symbol, MomentumStrategy(momentum_threshold=0.99)) for symbol in SYMBOLS]
    specs = [SandboxSpec(f"s{one}", how, (instrument_of(one),), Decimal(10_000), LIMITS) for one, how in quiet]
    # A night's worth of minutes comes within a second: with the usual grace all bars but the last would be late ones.
    engine = Engine(specs, book_id="bench", grace=DAY)
    engine.handle(Opened(START))
    return engine


class Ours:
    """Connection, protocol, inlet and desk, as ``trader run`` joins them, but for orders, logs and files."""

    def __init__(self, url: str, *, is_conflating: bool) -> None:
        self.meter = Meter()
        self.engine = desk()
        self.inlet = Inlet(Joint(), StockCalendar(), extended_hours=True)
        self.inlet.want(SYMBOLS)
        self.inlet.is_live = True
        self.ready = asyncio.Event()
        self.is_conflating = is_conflating
        self.is_over = False
        self.now = START
        endpoint = Endpoint("bench", url, {"Content-Type": MSGPACK.content_type})
        self.connection = Connection(endpoint, self.protocol, self.take, backoff=Backoff(lambda: 0.5))

    def protocol(self) -> DataProtocol:
        """Return the protocol of a new connection, which wants everything."""
        made = DataProtocol(MSGPACK, Auth("key", "secret"), mute_after=MINUTE)
        made.want(CHANNELS, time.monotonic_ns())
        return made

    def take(self, event: Event) -> None:
        """Take what a frame held."""
        if not isinstance(event, Data):
            return
        messages = event.messages
        if len(messages) == 1 and messages[0].symbol in {BEGIN, END}:  # type: ignore[union-attr]
            if self.meter.mark(messages[0].symbol):  # type: ignore[union-attr]
                self.drain()
                self.meter.mark(END)
                self.is_over = True
                self.ready.set()
            return
        self.inlet.put(messages)
        if self.is_conflating:
            self.ready.set()
        else:
            self.drain()

    def drain(self) -> None:
        """Let the desk take all that came; its time is that of the newest tick."""
        for message in self.inlet.take(self.now):
            newest = message.ticks[-1].ts  # type: ignore[union-attr]
            self.now = max(self.now, newest)
            while (due := self.engine.next_timer()) is not None and due <= self.now:
                self.engine.handle(TimerFired(due))
            self.engine.handle(msgspec.structs.replace(message, ts=self.now))

    async def run(self) -> None:
        """Read until the end."""
        task = asyncio.create_task(self.connection.run())
        while not self.is_over:
            await self.ready.wait()
            self.ready.clear()
            self.drain()
            await asyncio.sleep(0)
        self.meter.count = {
            "conflated": self.inlet.counts["conflated_quotes"],
            "refused": sum(count for reason, count in self.inlet.counts.items() if reason != "conflated_quotes"),
            "bars": sum(listing.series[0].count for listing in self.engine.listings.values()),
        }
        self.meter.tell()
        self.connection.stop()
        await task


async def ours(url: str) -> None:
    """Read as ``trader run`` does: the desk takes what has come when it has time, and quotes are conflated."""
    await Ours(url, is_conflating=True).run()


async def ours_each(url: str) -> None:
    """Read as ``trader run`` does on a quiet day: the desk takes every frame by itself, so nothing is conflated."""
    await Ours(url, is_conflating=False).run()


async def floor(url: str) -> None:
    """Read and decode, nothing else."""
    meter, decode = Meter(), MSGPACK.decode
    headers = {"Content-Type": MSGPACK.content_type}
    async with connect(url, additional_headers=headers, compression=None, max_queue=512) as socket:
        await socket.recv()
        await socket.send(MSGPACK.encode_request(Auth("key", "secret")))
        await socket.recv()
        await socket.send(MSGPACK.encode_request(Subscribe(**{name.value: every for name, every in CHANNELS.items()})))
        await socket.recv()
        while True:
            messages = decode(await socket.recv(decode=False))
            if len(messages) == 1 and meter.mark(messages[0].symbol):  # type: ignore[union-attr]
                break
    meter.tell()


def alpaca_py(url: str) -> None:
    """Let alpaca-py's stream run with handlers that do nothing."""
    from alpaca.data.live import StockDataStream

    meter = Meter()
    stream = StockDataStream("key", "secret", url_override=url)

    async def nothing(_: object) -> None:
        return

    async def marked(bar: object) -> None:
        if meter.mark(bar.symbol):  # type: ignore[attr-defined]
            meter.tell()
            sys.exit()

    for subscribe in (stream.subscribe_trades, stream.subscribe_quotes, stream.subscribe_bars):
        subscribe(nothing, *SYMBOLS)
    stream.subscribe_bars(marked, BEGIN, END)
    stream.run()


def main(name: str, url: str) -> None:
    """Be one of the clients."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    clients: dict[str, Callable[[str], object]] = {"ours": ours, "ours_each": ours_each, "floor": floor}
    if name == "alpaca_py":
        alpaca_py(url)
        return
    if name != "floor":
        gc.set_threshold(GARBAGE_AFTER)  # as ``trader run`` does
    uvloop.run(clients[name](url))  # type: ignore[arg-type]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
