"""From a bar on the socket to an order in the hands of the HTTP client; and orders a second over REST. JSON out.

``latency PORT BEGAN SPEED KEY SECRET TRADING SECONDS``: a desk of 26 sandboxes on a paced exchange, of which TRADING
turn around on every bar. ``orders PORT SECONDS KEYS…``: one connection, limit orders, one after the other.
"""

import asyncio
import gc
import http.client
import json
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec
import structlog
import uvloop
from requests import PreparedRequest, Response

from scripts.bench.stream_clients import LIMITS
from scripts.bench.stream_exchange import OPENING
from scripts.bench.stream_traffic import SYMBOLS
from trader.access.alpaca.backoff import Backoff
from trader.access.alpaca.broker import AlpacaBroker
from trader.access.alpaca.connection import Connection, Endpoint
from trader.access.alpaca.inlet import Inlet
from trader.access.alpaca.joint import Joint
from trader.access.alpaca.line import BrokerSettings
from trader.access.alpaca.protocol import DataProtocol
from trader.access.alpaca.rest import RestDesk, _Session
from trader.access.alpaca.stream_events import Data, Event
from trader.access.alpaca.wire import MSGPACK
from trader.access.alpaca.wire_data import Auth, BarMessage, Channel
from trader.cli.run import GARBAGE_AFTER
from trader.engine.engine import Engine
from trader.engine.sandbox import SandboxSpec
from trader.model.calendar import StockCalendar
from trader.model.commands import SubmitOrder
from trader.model.inputs import Input, Opened, TimerFired
from trader.model.instruments import instrument_of
from trader.model.signals import Signals, Target
from trader.model.ticks import Bar
from trader.model.time import MINUTE
from trader.strategies import Context

CHANNELS = dict.fromkeys((Channel.TRADES, Channel.QUOTES, Channel.BARS), SYMBOLS)


class Flip:
    """In at one bar, out at the next: an order each bar, if it trades at all."""

    warmup = 1

    def __init__(self, *, trades: bool) -> None:
        self.turn = 0.0
        self.trades = trades

    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        """Turn around."""
        self.turn = 0.5 - self.turn
        return Target(bar.symbol, self.turn) if self.trades else None


class Desk:
    """A desk on one exchange, joined as ``trader run`` joins it, with a clock at both ends."""

    def __init__(self, port: int, began: int, speed: float, keys: tuple[str, str], trading: int) -> None:
        self.began, self.speed = began, speed
        specs = [
            SandboxSpec(
                f"s{symbol}", Flip(trades=number < trading), (instrument_of(symbol),), Decimal(1000), LIMITS, 1
            )
            for number, symbol in enumerate(SYMBOLS)
        ]  # fmt: skip
        self.engine = Engine(specs, book_id=f"{began % 16**6:06x}{trading:x}")
        self.inlet = Inlet(Joint(), StockCalendar(), extended_hours=True)
        self.inlet.want(SYMBOLS)
        self.inlet.is_live = True
        self.ready = asyncio.Event()
        self.inputs: list[Input] = []
        self.written = 0  # when the newest whole minute of bars was written
        self.handed: dict[str, tuple[int, int]] = {}
        self.left: dict[str, int] = {}
        base = f"http://127.0.0.1:{port}"
        settings = BrokerSettings(
            trading_url=base,
            updates_url=f"ws://127.0.0.1:{port}/stream",
            key_id=keys[0],
            secret=keys[1],
            instruments={symbol: instrument_of(symbol) for symbol in SYMBOLS},
            pace=speed,
        )
        self.broker = AlpacaBroker(settings, now=self.now, deliver=self.deliver, ledger=self.engine.desk.ledger)
        endpoint = Endpoint("bench", f"ws://127.0.0.1:{port}/v2/iex", {"Content-Type": MSGPACK.content_type})
        self.auth = Auth(*keys)
        self.connection = Connection(endpoint, self.protocol, self.take, backoff=Backoff(lambda: 0.5))

    def now(self) -> int:
        """Return the market's time."""
        return OPENING + round((time.monotonic_ns() - self.began) * self.speed)

    def protocol(self) -> DataProtocol:
        """Return the protocol of a new connection, which wants everything."""
        made = DataProtocol(MSGPACK, self.auth, mute_after=10 * MINUTE)
        made.want(CHANNELS, time.monotonic_ns())
        return made

    def deliver(self, message: Input) -> None:
        """Take an input of the broker."""
        self.inputs.append(message)
        self.ready.set()

    def take(self, event: Event) -> None:
        """Take what a frame held; remember when a whole minute of bars was written."""
        if isinstance(event, Data):
            bars = [one for one in event.messages if isinstance(one, BarMessage)]
            if len(bars) == len(SYMBOLS):
                assert bars[0].trades is not None
                self.written = bars[0].trades
            elif bars:
                self.written = 0  # some symbol did not trade: the desk waits for it, as it must
            self.inlet.put(event.messages)
            self.ready.set()

    def drain(self) -> None:
        """Let the desk take all that came, and the broker what the desk orders."""
        taken, self.inputs = [*self.inlet.take(self.now()), *self.inputs], []
        for message in taken:
            while (due := self.engine.next_timer()) is not None and due <= message.ts:
                self.handle(TimerFired(due))
            self.handle(message)

    def handle(self, message: Input) -> None:
        """Give the desk one input, and its commands to the broker."""
        for command in self.engine.handle(message).commands:
            if isinstance(command, SubmitOrder):
                self.broker.submit(command.approved, command.crossed)
            else:
                self.broker.cancel(command.order_id, command.ts)

    def watch(self) -> None:
        """Look at the clock when an order is handed to the HTTP client, and when its bytes go to the socket's owner."""
        post, send = RestDesk.post, _Session.send

        async def posted(rest: RestDesk, path: str, body: Mapping[str, object]) -> object:
            self.handed[str(body["client_order_id"])] = (self.written, time.monotonic_ns())
            return await post(rest, path, body)

        def sent(session: _Session, request: PreparedRequest, **options: Any) -> Response:  # noqa: ANN401 -- as it is
            if isinstance(request.body, bytes):
                self.left[json.loads(request.body)["client_order_id"]] = time.monotonic_ns()
            return send(session, request, **options)

        RestDesk.post = posted  # type: ignore[assignment,method-assign]
        _Session.send = sent  # type: ignore[assignment,method-assign]

    async def run(self, seconds: float) -> None:
        """Trade for so many seconds of the world, then print all latencies in ns."""
        self.handle(Opened(self.now()))
        self.watch()
        await self.broker.start()
        task = asyncio.create_task(self.connection.run())
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    await self.ready.wait()
                    self.ready.clear()
                    self.drain()
                    await asyncio.sleep(0)
        found = [(order, written, at) for order, (written, at) in self.handed.items() if written]
        rows = [(at - written, self.left[order] - written) for order, written, at in found if order in self.left]
        print(json.dumps({"orders": len(rows), "handed": [row[0] for row in rows], "sent": [row[1] for row in rows]}))
        self.connection.stop()
        await task
        await self.broker.stop()


def orders(port: int, seconds: float, keys: list[str]) -> None:
    """Send limit orders over one connection, the accounts in turn; print how many were taken."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = [
        {"APCA-API-KEY-ID": one, "APCA-API-SECRET-KEY": two} for one, two in zip(keys[::2], keys[1::2], strict=True)
    ]
    body = {"symbol": "SA", "side": "buy", "qty": "1", "type": "limit", "limit_price": "1", "time_in_force": "day"}
    statuses: dict[int, int] = {}
    count, began = 0, time.monotonic()
    while time.monotonic() - began < seconds:
        sent = msgspec.json.encode(body | {"client_order_id": f"{keys[0]}-{count}"})
        connection.request("POST", "/v2/orders", sent, headers[count % len(headers)])
        answer = connection.getresponse()
        answer.read()
        statuses[answer.status] = statuses.get(answer.status, 0) + 1
        count += 1
    print(json.dumps({"statuses": statuses, "seconds": time.monotonic() - began}))


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    if sys.argv[1] == "orders":
        orders(int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:])
    else:
        port, began, speed, key, secret, trading, seconds = sys.argv[2:]
        gc.set_threshold(GARBAGE_AFTER)  # as ``trader run`` does
        desk = Desk(int(port), int(began), float(speed), (key, secret), int(trading))
        uvloop.run(desk.run(float(seconds)))
