"""Local exchanges for tests, and raw clients that speak to their sockets."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from trader.exchange.lines import LineRules
from trader.exchange.local import ExchangeOptions, LocalExchange
from trader.model.time import parse_time

OPENING = parse_time("2026-01-05T14:30")  # of New York's core session
SYMBOLS = ("AAPL", "AMZN", "BTC/USD", "DIA", "DOGE/USD", "IWM", "MSFT", "QQQ", "SPY")
NIGHT = parse_time("2026-01-05")  # when no stock trades

# Spans of the market's own time as always, but nobody has to wait for real seconds.
HASTY = LineRules(patience_s=0)
SLOWEST_S = 20.0  # nothing here takes so long, however busy the machine


def exchange(**given: Any) -> LocalExchange:
    """Build a small exchange that begins at New York's opening and runs sixty times as fast as the world."""
    usual: dict[str, Any] = {"start": OPENING, "speed": 60.0, "symbols": SYMBOLS, "is_small": True}
    return LocalExchange(ExchangeOptions(**(usual | given)))


class Client:
    """A plain WebSocket client: sends dicts, receives what decodes."""

    def __init__(self, socket: ClientConnection, codec: Any) -> None:
        self.socket = socket
        self._codec = codec
        self._unread: list[Any] = []

    async def send(self, request: object) -> None:
        """Send one request."""
        await self.socket.send(self._codec.encode(request))

    async def receive(self) -> Any:
        """Return the next frame, decoded."""
        async with asyncio.timeout(SLOWEST_S):
            return self._codec.decode(await self.socket.recv())

    async def ask(self, request: object) -> Any:
        """Send a request and return the one message that answers it."""
        await self.send(request)
        (message,) = await self.receive()
        return message

    async def reply(self, request: object) -> Any:
        """Send a request and return the frame that answers it."""
        await self.send(request)
        return await self.receive()

    async def of(self, kind: str) -> Any:
        """Return the next message of a kind, passing over others."""
        while True:
            while self._unread:
                message = self._unread.pop(0)
                if message["T"] == kind:
                    return message
            self._unread = await self.receive()

    async def rest(self) -> list[Any]:
        """Return all messages until the connection ends."""
        messages = []
        with suppress(ConnectionClosed):
            while True:
                messages += await self.receive()
        return messages

    async def close(self) -> None:
        """Say goodbye."""
        await self.socket.close()


async def data_client(at: LocalExchange, path: str = "/v2/iex", *, is_json: bool = True, **given: Any) -> Client:
    """Connect to a data endpoint and read its greeting."""
    content = "application/json" if is_json else "application/msgpack"
    headers = {"Content-Type": content} | given.pop("headers", {})
    socket = await connect(at.stream_url + path, additional_headers=headers, **({"compression": None} | given))
    client = Client(socket, msgspec.json if is_json else msgspec.msgpack)
    assert await client.receive() == [{"T": "success", "msg": "connected"}]
    return client


async def reader(at: LocalExchange, path: str = "/v2/iex", *, account: int = 0, **channels: Sequence[str]) -> Client:
    """Connect with an account's key, subscribe, and pass over the answers."""
    client = await data_client(at, path)
    assert await client.ask(auth(at, account=account)) == {"T": "success", "msg": "authenticated"}
    if channels:
        assert (await client.ask({"action": "subscribe", **channels}))["T"] == "subscription"
    return client


def auth(at: LocalExchange, *, account: int = 0) -> dict[str, str]:
    """Return the request that shows an account's key."""
    key = tuple(at.keys.values())[account]
    return {"action": "auth", "key": key.id, "secret": key.secret}
