"""Readers of a local exchange for the stream's benchmark: count what comes for some seconds, print it as JSON."""

import json
import sys
import time

import uvloop
from websockets.asyncio.client import connect

from scripts.bench.stream_traffic import SYMBOLS
from trader.access.alpaca.wire import MSGPACK
from trader.access.alpaca.wire_data import Auth, Subscribe


async def floor(url: str, key: str, secret: str, seconds: float) -> None:
    """Read and decode."""
    headers = {"Content-Type": MSGPACK.content_type}
    async with connect(url, additional_headers=headers, compression=None) as socket:
        for request in (Auth(key, secret), Subscribe(trades=SYMBOLS, quotes=SYMBOLS, bars=SYMBOLS)):
            await socket.recv()
            await socket.send(MSGPACK.encode_request(request))
        await socket.recv()
        await socket.recv()
        count, began = 0, time.monotonic()
        while time.monotonic() - began < seconds:
            count += len(MSGPACK.decode(await socket.recv(decode=False)))
        tell(count, began)
        socket.transport.abort()


def alpaca_py(url: str, key: str, secret: str, seconds: float) -> None:
    """Let alpaca-py count."""
    from alpaca.data.live import StockDataStream

    stream = StockDataStream(key, secret, url_override=url)
    count, began = 0, 0.0

    async def take(_: object) -> None:
        nonlocal count, began
        began = began or time.monotonic()
        count += 1
        if count % 1000 == 0 and time.monotonic() - began > seconds:
            tell(count, began)
            sys.exit()

    for subscribe in (stream.subscribe_trades, stream.subscribe_quotes, stream.subscribe_bars):
        subscribe(take, *SYMBOLS)
    stream.run()


def tell(count: int, began: float) -> None:
    """Print what was counted."""
    print(json.dumps({"messages": count, "seconds": time.monotonic() - began}), flush=True)


if __name__ == "__main__":
    name, url, key, secret, seconds = sys.argv[1:]
    if name == "alpaca_py":
        alpaca_py(url, key, secret, float(seconds))
    else:
        uvloop.run(floor(url, key, secret, float(seconds)))
