"""One WebSocket as the local exchange sees it: synchronous, with every way of going wrong at hand.

A :class:`Socket` is what uvicorn hands upgraded connections to. It stands on the sans-I/O half of ``websockets``, so
nothing awaits: a frame that is written is on its way, or in the transport's buffer, when ``write`` returns. *Why* not
a server of ``websockets``: half-open connections, slow readers and refused handshakes have to be played at will.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, Protocol, cast

from uvicorn import Config
from uvicorn.server import ServerState
from websockets.frames import DATA_OPCODES, CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

MESSAGE_LIMIT: Final = 2**20  # bytes a client may send at once; Alpaca's clients take as much and send far less
CLOSE_WITHIN_S: Final = 2.0  # for a client to read what is left and say goodbye; a slow one never would


class Guest(Protocol):
    """A hub's side of one socket."""

    def opened(self) -> None:
        """Take note that the handshake is done."""

    def heard(self) -> None:
        """Take note that the client lives: some bytes came."""

    def received(self, message: bytes) -> None:
        """Take a whole message."""

    def lost(self) -> None:
        """Take note that the socket is gone."""


Greet = Callable[["Socket", Request], Guest | HTTPStatus]


def framed(message: bytes, *, is_text: bool) -> bytes:
    """Return the bytes that carry a message to any client; they may be written to many sockets."""
    return Frame(Opcode.TEXT if is_text else Opcode.BINARY, message).serialize(mask=False)


class Socket(asyncio.Protocol):
    """One connection, from the request for an upgrade to its end; ``greet`` says who takes it, or refuses it."""

    def __init__(
        self, greet: Greet, *, config: Config, server_state: ServerState, app_state: dict[str, object]
    ) -> None:
        """Wait for uvicorn to show the request."""
        self._greet = greet
        self._connections: set[object] = server_state.connections  # type: ignore[assignment]
        self._protocol = ServerProtocol(max_size=MESSAGE_LIMIT)
        self._transport: asyncio.Transport
        self._guest: Guest | None = None
        self._parts: list[bytes] = []
        self._is_frozen = False
        self._held = bytearray()
        self._ending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection over."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports have no class in common with it
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Take what came: the request first, then frames."""
        self._protocol.receive_data(data)
        if self._guest is not None:
            self._guest.heard()
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._answer(event)
            elif isinstance(event, Frame) and event.opcode in DATA_OPCODES:
                self._gather(event)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go."""
        self._connections.discard(self)
        if self._ending is not None:
            self._ending.cancel()
        if self._guest is not None:
            self._guest.lost()

    def write(self, frame: bytes) -> None:
        """Send bytes made by :func:`framed`; to a socket that is closing they are lost."""
        if self.is_open:
            self._send(frame)

    @property
    def is_open(self) -> bool:
        """Return whether what is written may arrive."""
        return self._protocol.state is State.OPEN and not self._transport.is_closing()

    @property
    def backlog(self) -> int:
        """Return how many bytes wait for the client to read, or for the connection to thaw."""
        return self._transport.get_write_buffer_size() + len(self._held)

    def ping(self) -> None:
        """Ask the client for a sign of life."""
        if self.is_open:
            self._protocol.send_ping(b"")
            self._flush()

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Say goodbye; a client that does not answer soon is cut off."""
        if not self.is_open:
            return
        self._protocol.send_close(code, reason)
        self._flush()
        self._ending = asyncio.get_running_loop().call_later(CLOSE_WITHIN_S, self._transport.abort)

    def abort(self) -> None:
        """Cut the connection without a word."""
        self._transport.abort()

    def freeze(self) -> None:
        """Leave the connection half-open: nothing is read, nothing arrives."""
        if not self._is_frozen and self.is_open:
            self._is_frozen = True
            self._transport.pause_reading()

    def thaw(self) -> None:
        """Go on where it was left, for TCP loses nothing that lies between two things that arrive."""
        if self._is_frozen and not self._transport.is_closing():
            self._is_frozen = False
            self._transport.write(bytes(self._held))
            self._held.clear()
            self._transport.resume_reading()

    def shutdown(self) -> None:
        """Close at once, for the whole server ends; uvicorn asks for it."""
        self.close(CloseCode.GOING_AWAY)
        if self._is_frozen or self.backlog:
            self._transport.abort()
        else:
            self._transport.close()

    def _answer(self, request: Request) -> None:
        response = self._protocol.accept(request)
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            found = self._greet(self, request)
            if isinstance(found, HTTPStatus):
                response = self._protocol.reject(found, f"{found.phrase.lower()}\n")
            else:
                self._guest = found
        self._protocol.send_response(response)
        self._flush()
        if self._guest is not None:
            self._guest.opened()

    def _gather(self, frame: Frame) -> None:
        self._parts.append(bytes(frame.data))
        if frame.fin and self._guest is not None:
            message, self._parts = b"".join(self._parts), []
            self._guest.received(message)

    def _flush(self) -> None:
        data = self._protocol.data_to_send()
        if self._transport.is_closing():
            return
        self._send(b"".join(data))
        if b"" in data:  # the protocol's sign that both sides have said goodbye
            self._transport.close()

    def _send(self, data: bytes) -> None:
        if self._is_frozen:
            self._held += data
        else:
            self._transport.write(data)
