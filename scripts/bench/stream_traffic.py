"""A loopback server for the stream's benchmark: trades, quotes and bars in frames made beforehand, sent when read.

A bar of ``BEGIN`` comes first and one of ``END`` last, each in a frame of its own, so that every client knows when to
look at its clock.
"""

import asyncio
import sys
from collections.abc import Iterator

from websockets.asyncio.server import ServerConnection, serve

from trader.access.alpaca.wire import MSGPACK
from trader.access.alpaca.wire_data import (
    BarMessage,
    DataMessage,
    QuoteMessage,
    Subscribe,
    SubscriptionMessage,
    SuccessMessage,
    TradeMessage,
)
from trader.access.alpaca.wire_time import extension
from trader.model.time import MINUTE, SECOND, parse_time

SYMBOLS = tuple(f"S{chr(65 + number)}" for number in range(26))
BEGIN, END = "BEGIN", "END"
START = parse_time("2026-01-05T14:30")
PER_MINUTE = 10  # messages of a symbol: 3 trades, 6 quotes, 1 bar


def market(messages: int) -> Iterator[DataMessage]:
    """Yield at least so many messages: minute after minute, 30 % trades, 60 % quotes, then a bar of each symbol."""
    for minute in range(-(-messages // (PER_MINUTE * len(SYMBOLS)))):
        start = START + minute * MINUTE
        price = 100 + minute % 7 / 10
        for step in range(9):
            for number, symbol in enumerate(SYMBOLS):
                stamp = extension(start + step * 6 * SECOND + number * 1_234_567 + 1)
                if step % 3 == 0:
                    yield TradeMessage(symbol, price, 100, stamp, 1000 * minute + step, "V", ("@",), "B")
                else:
                    yield QuoteMessage(symbol, price - 0.01, 200, price + 0.01, 300, stamp, "V", "V", ("R",), "B")
        for symbol in SYMBOLS:
            yield BarMessage(symbol, price, price + 0.2, price - 0.2, price + 0.1, 12_000, extension(start), 42, price)


def frames(messages: int, batch: int) -> list[bytes]:
    """Return the market in frames of ``batch`` messages."""
    whole = list(market(messages))
    return [MSGPACK.encode(whole[first : first + batch]) for first in range(0, len(whole), batch)]


def mark(symbol: str) -> bytes:
    """Return the frame that tells a client where the measurement begins or ends."""
    return MSGPACK.encode([BarMessage(symbol, 1, 1, 1, 1, 1, extension(START), 1, 1)])


async def answer(socket: ServerConnection, sent: list[bytes]) -> None:
    """Greet one client, take its keys and subscriptions, and send it everything."""
    await socket.send(MSGPACK.encode([SuccessMessage("connected")]))
    await socket.recv()
    await socket.send(MSGPACK.encode([SuccessMessage("authenticated")]))
    request = MSGPACK.decode_request(await socket.recv())
    assert isinstance(request, Subscribe)
    channels = {name: getattr(request, name) for name in ("trades", "quotes", "bars")}
    await socket.send(MSGPACK.encode([SubscriptionMessage(**channels)]))
    for frame in (mark(BEGIN), *sent, mark(END)):
        await socket.send(frame)
    await socket.wait_closed()


async def main(messages: int, batch: int) -> None:
    """Serve on any port, which is the first line that is printed, until standard input ends."""
    sent = frames(messages, batch)
    async with serve(lambda socket: answer(socket, sent), "127.0.0.1", 0, compression=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
