"""A data stream on loopback that does what a test tells it: the other side of a connection, on a real socket."""

from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.waiting import until
from trader.access.alpaca.stream_events import Entry
from trader.access.alpaca.wire import MSGPACK
from trader.access.alpaca.wire_data import (
    Auth,
    ErrorMessage,
    ServerMessage,
    Subscribe,
    SubscriptionMessage,
    SuccessMessage,
    by_field,
)

GUARD_S = 10.0  # far beyond what anything here takes: a test that hangs fails with its own name


class Session:
    """One client's connection."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.subscribed: set[Entry] = set()
        self.requests: list[Any] = []

    async def send(self, *messages: ServerMessage) -> None:
        await self.socket.send(MSGPACK.encode(messages))

    def drop(self) -> None:
        """Break the line without a goodbye."""
        self.socket.transport.abort()


class StreamServer:
    """Speaks the data protocol to every client; the attributes are what the next answers will be."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []  # of all clients that ever came, the newest last
        self.handshakes = 0
        self.refused_handshakes: list[tuple[int, dict[str, str]]] = []  # statuses and headers of the next ones
        self.refused_keys: list[int] = []  # error codes of the next answers to keys
        self.limit = 10_000  # entries; beyond it a subscription is answered by 405
        self.is_deaf = False  # takes connections and never says a word
        self.headers = Headers()  # of the newest handshake
        self.port = 0
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        self._server = await serve(
            self._talk, "127.0.0.1", self.port, process_request=self._greet, close_timeout=0.2, ping_interval=None
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def last(self) -> Session:
        return self.sessions[-1]

    async def subscribed(self, count: int = 1) -> Session:
        """Wait for the ``count``-th session and its first subscription."""
        await until(lambda: len(self.sessions) >= count and self.sessions[count - 1].subscribed)
        return self.sessions[count - 1]

    def _greet(self, connection: ServerConnection, request: Request) -> Response | None:
        self.handshakes += 1
        self.headers = request.headers
        if not self.refused_handshakes:
            return None
        status, headers = self.refused_handshakes.pop(0)
        answer = connection.respond(HTTPStatus(status), "not now\n")
        for name, value in headers.items():
            answer.headers[name] = value
        return answer

    async def _talk(self, socket: ServerConnection) -> None:
        session = Session(socket)
        self.sessions.append(session)
        with suppress(ConnectionClosed):
            if not self.is_deaf:
                await session.send(SuccessMessage("connected"))
            async for frame in socket:
                request = MSGPACK.decode_request(frame)
                session.requests.append(request)
                await session.send(self._answer(session, request))

    def _answer(self, session: Session, request: object) -> ServerMessage:
        if isinstance(request, Auth):
            code = self.refused_keys.pop(0) if self.refused_keys else 0
            return ErrorMessage(code, "as the test wants it") if code else SuccessMessage("authenticated")
        asked = _entries(request)
        wanted = session.subscribed | asked if isinstance(request, Subscribe) else session.subscribed - asked
        if len(wanted) > self.limit:
            return ErrorMessage(405, "symbol limit exceeded")
        session.subscribed = wanted
        return SubscriptionMessage(**by_field(wanted))


def _entries(request: Any) -> set[Entry]:
    named: Iterable[tuple[Any, tuple[str, ...]]] = request.channels().items()
    return {(channel, symbol) for channel, symbols in named for symbol in symbols}
