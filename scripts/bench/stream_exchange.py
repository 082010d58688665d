"""A local exchange for the stream's benchmark, in a process of its own.

``paced SPEED``: a market of 26 symbols; each bar says in its count of trades when it was written (monotonic, ns).
``flat``: a market without a clock, as many ticks as the process can make and send.
``ready``: nothing happens; messages that were made beforehand are sent as fast as the client reads.
Prints one line of JSON, then serves until standard input ends, and prints what it did.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence

import structlog
import uvloop
from msgspec.structs import replace

from scripts.bench.stream_traffic import SYMBOLS, market
from trader.access.alpaca.wire_data import BarMessage, DataMessage
from trader.access.sim.fills import VenueRules
from trader.exchange.lines import SEND_BUFFER
from trader.exchange.local import ExchangeOptions, LocalExchange
from trader.model.time import parse_time

OPENING = parse_time("2026-01-05T14:30")
NIGHT = parse_time("2026-01-05T06:00")
BATCH = 50
FLAT = 1e9  # times the world's pace: the market is always late and never waits
ACCOUNTS = 60


def stamped(exchange: LocalExchange) -> None:
    """Let every bar say when it was written."""
    publish = exchange.market.publish

    def send(endpoint: str, messages: Sequence[DataMessage]) -> None:
        now = time.monotonic_ns()
        publish(endpoint, [replace(one, trades=now) if isinstance(one, BarMessage) else one for one in messages])

    exchange.market.publish = send


async def pour(exchange: LocalExchange) -> None:
    """Send a market of messages again and again, whenever the client has read what was sent."""
    whole = list(market(20_000))
    batches = [whole[first : first + BATCH] for first in range(0, len(whole), BATCH)]
    while True:
        for batch in batches:
            lines = exchange.lines["stock"].open
            while any(line.socket.backlog > SEND_BUFFER // 4 for line in lines):  # noqa: ASYNC110 -- no event tells it
                await asyncio.sleep(0.0005)
            exchange.data.publish("stock", batch)
        await asyncio.sleep(0)


async def main(kind: str, speed: float) -> None:
    """Serve."""
    rules = VenueRules(fill="next_quote", latency_ns=1)
    start = NIGHT if kind == "ready" else OPENING
    pace = {"ready": 1.0, "flat": FLAT}.get(kind, speed)
    options = ExchangeOptions(symbols=SYMBOLS, start=start, speed=pace, accounts=ACCOUNTS, venue=rules)
    exchange = LocalExchange(options)
    if kind == "paced":
        stamped(exchange)
    async with exchange:
        keys = [(key.id, key.secret) for key in exchange.keys.values()]
        print(json.dumps({"port": exchange.port, "began": time.monotonic_ns(), "keys": keys}), flush=True)
        pouring = asyncio.create_task(pour(exchange)) if kind == "ready" else None
        await asyncio.to_thread(sys.stdin.read)
        print(json.dumps({"cpu_s": time.process_time(), "sent": exchange.data.sent}), flush=True)
        if pouring:
            pouring.cancel()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    uvloop.run(main(sys.argv[1], float((sys.argv[2:] or ["1"])[0])))
