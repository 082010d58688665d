"""The owner of one socket to one endpoint: connects, reads, sends, waits, and comes again.

Rules
- One connection at a time: the next is opened only after the one before is closed and the back-off is over.
- The reader decodes and hands over, nothing else, so that no slow desk delays a pong.
- Time-outs of the network are real seconds, whatever the market's time does; only the waits between two connections
  are shortened by ``pace``, because the server that forgets a dead session then counts in the market's time.
- What a person must settle (wrong keys, a feed that is not in the plan) ends :meth:`Connection.run` with
  :class:`StreamRefused`; everything else is tried again for ever. A handshake that worked before is not such a case.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, Generic, Protocol, TypeVar

import msgspec
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.http11 import Response

from trader.access.alpaca.backoff import Backoff
from trader.access.alpaca.stream_events import (
    Data,
    Event,
    Malformed,
    Postponed,
    ReconnectWanted,
    Stopped,
    Subscribed,
    Unexpected,
)
from trader.access.loopback import is_loopback
from trader.errors import LOST, EdgeError
from trader.model.time import SECOND

log = structlog.get_logger()

OPEN_WITHIN_S: Final = 10.0  # name, TCP, TLS and handshake together; a healthy one takes under a second
CLOSE_WITHIN_S: Final = 2.0  # for the other side's goodbye: stopping must not hang on a dead line
PING_EVERY_S: Final = 10.0  # as Alpaca's Go SDK; the server does not promise to ping
PONG_WITHIN_S: Final = 20.0  # a line that is half-open is found out after at most 30 s
MAX_FRAME: Final = 16 << 20  # bytes; servers stay below 1 MiB, a whole order book of a busy coin included
MAX_QUEUED: Final = 512  # frames read ahead of us; beyond them TCP makes the server wait
LONGEST_RETRY_AFTER_S: Final = 600  # a server that names a longer wait is asked again after this
SETTLED: Final = 10 * SECOND  # a subscription that lasted so long (times pace) is a success: back-off begins anew
LOGGED: Final = 20  # odd frames of one connection

_FOR_GOOD = frozenset({401, 402, 403, 404})  # handshake answers that another try does not change


class Endpoint(msgspec.Struct, frozen=True):
    """Where to connect: the stream's name for people, its address, headers, and whether frames are sent as text."""

    name: str
    url: str
    headers: Mapping[str, str] = {}
    is_text: bool = False


class StreamProtocol(Protocol):
    """What both protocols of Alpaca offer: one object per connection, frames and time in, events and frames out."""

    def begin(self, now: int) -> None:
        """Take note that the socket is open."""

    def receive(self, frame: bytes | str, now: int) -> list[Event]:
        """Take a frame from the socket."""

    def bytes_to_send(self) -> list[bytes]:
        """Take the frames to send, oldest first."""

    def next_timer(self) -> int | None:
        """Return when :meth:`on_timer` wants to be called (ns)."""

    def on_timer(self, now: int) -> list[Event]:
        """Act on what did not come in time."""

    def closed(self, why: str) -> list[Event]:
        """Take note that the socket is gone."""


P = TypeVar("P", bound=StreamProtocol)


class StreamRefused(EdgeError):
    """A stream that will not be had until a person changes something; ``code`` is the server's, or 0."""

    exit_code = LOST

    def __init__(self, stream: str, code: int, text: str) -> None:
        """Keep who refused what, and say what to do about it."""
        self.stream = stream
        self.code = code
        self.text = text
        said = " ".join(part for part in (str(code or ""), text) if part) or "no reason given"
        super().__init__(f"{stream}: refused by the server ({said}). {_ADVICE.get(code, _ADVICE[0])}")


class Connection(Generic[P]):
    """One endpoint's connection, for as long as :meth:`run` runs."""

    def __init__(
        self,
        endpoint: Endpoint,
        make: Callable[[], P],
        take: Callable[[Event], None],
        *,
        backoff: Backoff,
        pace: float = 1.0,
    ) -> None:
        """Connect nothing yet; ``make`` gives the protocol of each new connection, ``take`` gets every event.

        ``take`` is called on the loop's thread and must be quick. It hears ``ReconnectWanted`` for every connection
        that ended or did not come about.
        """
        self.endpoint = endpoint
        self.protocol: P | None = None  # of the connection that is open, if one is
        self.attempts = 0  # handshakes begun since the last success
        self._make = make
        self._take = take
        self._backoff = backoff
        self._pace = pace
        self._wake = asyncio.Event()
        self._task: asyncio.Task[object] | None = None
        self._is_stopping = False
        self._ended: ReconnectWanted | Stopped | None = None
        self._settled_at: int | None = None
        self._has_worked = False
        self._logged = 0
        self._retry_after_s = 0.0  # what the last handshake's answer asked for

    async def run(self) -> None:
        """Stay connected until :meth:`stop`; the socket is closed when this returns or raises.

        Raises:
            StreamRefused: the server refuses for good.
        """
        if self._task is not None:
            raise RuntimeError(f"{self.endpoint.name} is already being run: one connection at a time")
        self._task = asyncio.current_task()
        try:
            while not self._is_stopping:
                ended = await self._connect_once()
                if isinstance(ended, Stopped):
                    log.error("stream.refused", stream=self.endpoint.name, code=ended.code, why=ended.text)
                    raise StreamRefused(self.endpoint.name, ended.code, ended.text)
                await self._pause(ended)
        except asyncio.CancelledError:
            if not self._is_stopping or self._task is None or self._task.uncancel():
                raise  # somebody else's wish
        finally:
            self._task = None

    def stop(self) -> None:
        """Say goodbye and let :meth:`run` return, at the latest after :data:`CLOSE_WITHIN_S`."""
        if not self._is_stopping:
            self._is_stopping = True
            if self._task is not None:
                self._task.cancel()

    def ask(self, action: Callable[[P, int], None]) -> bool:
        """Let ``action`` change what the open connection wants, send what follows; return False when none is open.

        It gets the protocol and the time that the protocol lives by: real, monotonic.
        """
        if self.protocol is None:
            return False
        action(self.protocol, time.monotonic_ns())
        self._wake.set()
        return True

    def reconnect(self, why: str) -> None:
        """Give the open connection up and come again after the back-off; nothing happens when none is open."""
        if self.protocol is not None:
            self._tell(self.protocol.closed(why))
            self._wake.set()

    async def _connect_once(self) -> ReconnectWanted | Stopped:
        self._ended, self._settled_at, self._logged = None, None, 0
        self.attempts += 1
        try:
            socket = await _connecting(self.endpoint)
        except InvalidStatus as error:
            self._tell([self._turned_away(error.response)])
        except InvalidURI:
            self._tell([Stopped(0, f"{self.endpoint.url} is no address of a WebSocket (ws://… or wss://…)")])
        except (OSError, InvalidHandshake, EOFError) as error:  # a time-out is an OSError
            self._tell([ReconnectWanted(0, f"no connection: {str(error) or type(error).__name__}")])
        else:
            await self._converse(socket)
        return self._reason()

    def _reason(self) -> ReconnectWanted | Stopped:
        assert self._ended is not None, "a connection ends with a reason"
        return self._ended

    async def _converse(self, socket: ClientConnection) -> None:
        protocol = self.protocol = self._make()
        log.info("stream.connected", stream=self.endpoint.name, attempt=self.attempts)
        protocol.begin(time.monotonic_ns())
        keeper = asyncio.create_task(self._keep(socket, protocol), name=f"{self.endpoint.name} keeper")
        try:
            await self._read(socket, protocol)
        except ConnectionClosed as error:
            self._tell(protocol.closed(_why_of(error)))
        finally:
            self.protocol = None
            if self._ended is None:
                keeper.cancel()
            self._wake.set()  # it ends by itself: a cancel would swallow what it has to raise
            try:
                await asyncio.wait([keeper])
                await socket.close()
            finally:
                socket.transport.abort()  # whatever interrupts the goodbye, no socket stays open
        if not keeper.cancelled() and (bug := keeper.exception()) is not None:
            raise bug

    async def _read(self, socket: ClientConnection, protocol: P) -> None:
        receive, take, clock = protocol.receive, self._take, time.monotonic_ns
        while self._ended is None:
            events = receive(await socket.recv(decode=False), clock())
            if len(events) == 1 and type(events[0]) is Data:  # nearly always
                take(events[0])
            else:
                self._tell(events)
                self._wake.set()  # a control message may have moved a timer or left something to send

    async def _keep(self, socket: ClientConnection, protocol: P) -> None:
        """Send what the protocol has to say and wake it when its time has come, until the connection ends."""
        try:
            while self._ended is None:
                self._wake.clear()
                for frame in protocol.bytes_to_send():
                    await socket.send(frame, text=self.endpoint.is_text)
                if not await self._is_woken(protocol.next_timer()):
                    self._tell(protocol.on_timer(time.monotonic_ns()))
        except ConnectionClosed:
            pass  # the reader finds out by itself, and why
        finally:
            await socket.close()

    async def _is_woken(self, due: int | None) -> bool:
        wait_s = None if due is None else (due - time.monotonic_ns()) / SECOND
        if wait_s is not None and wait_s <= 0:
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
            return True
        return False

    def _tell(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, ReconnectWanted | Stopped):
                if self._ended is not None:
                    continue
                self._ended = event
            elif not isinstance(event, Data):
                self._note(event)
            self._take(event)

    def _note(self, event: Event) -> None:
        name = self.endpoint.name
        if isinstance(event, Subscribed):
            self._has_worked, self.attempts = True, 0
            self._settled_at = self._settled_at or time.monotonic_ns()
        elif isinstance(event, Postponed):
            log.debug("stream.postponed", stream=name, attempt=event.attempt, why=event.text or "no place is free")
        elif isinstance(event, Malformed):
            if self._has_room_to_log():
                log.error("frame.refused", stream=name, why=event.error.why, size=event.error.size)
        elif isinstance(event, Unexpected) and self._has_room_to_log():
            log.warning("message.unexpected", stream=name, state=event.state, message=repr(event.message)[:200])

    def _has_room_to_log(self) -> bool:
        self._logged += 1
        return self._logged <= LOGGED

    def _turned_away(self, answer: Response) -> ReconnectWanted | Stopped:
        status = answer.status_code
        text = f"handshake answered with HTTP {status} {answer.reason_phrase}".rstrip()
        if status in _FOR_GOOD and not self._has_worked:
            return Stopped(status, text)
        self._retry_after_s = _seconds_of(answer.headers.get("Retry-After", ""))
        return ReconnectWanted(status, text)

    async def _pause(self, ended: ReconnectWanted) -> None:
        if self._settled_at is not None and (time.monotonic_ns() - self._settled_at) * self._pace >= SETTLED:
            self._backoff.reset()
        if ended.code == _NO_PLACE:
            self._backoff.outlast_session()
        asked_s, self._retry_after_s = self._retry_after_s, 0.0
        wait_s = max(self._backoff.next_delay() / SECOND, asked_s) / self._pace
        log.warning(
            "stream.disconnected",
            stream=self.endpoint.name,
            code=ended.code,
            why=ended.text,
            retry_in_s=round(wait_s, 1),
        )
        await asyncio.sleep(wait_s)


class _DirectConnect(connect):
    """Follows no redirect: the keys that come after the handshake are for one host only."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


_NO_PLACE = 406

_CHECK_KEYS = (
    "Check APCA_API_KEY_ID and APCA_API_SECRET_KEY: both of one pair, paper keys for paper, not regenerated since; "
    "`trader doctor` tries them."
)
_ADVICE = {
    0: "`trader doctor` says what can be had with these keys.",
    401: _CHECK_KEYS,
    402: _CHECK_KEYS,
    403: _CHECK_KEYS,
    404: "This address does not exist there: check the data feed's name and APCA_API_STREAM_URL.",
    408: "This account has no access to this version of the stream; choose another data feed.",
    409: "The data feed is not in this account's plan: choose iex (free) or subscribe to it at Alpaca.",
    411: "The token lacks the scope for this stream; use API keys.",
}


def _connecting(endpoint: Endpoint) -> _DirectConnect:
    return _DirectConnect(
        endpoint.url,
        additional_headers=dict(endpoint.headers),
        compression=None,  # a frame of ticks gains little, and inflating costs more than reading
        open_timeout=OPEN_WITHIN_S,
        close_timeout=CLOSE_WITHIN_S,
        ping_interval=PING_EVERY_S,
        ping_timeout=PONG_WITHIN_S,
        max_size=MAX_FRAME,
        max_queue=MAX_QUEUED,
        proxy=None if is_loopback(endpoint.url) else True,
    )


def _why_of(error: ConnectionClosed) -> str:
    if error.rcvd is not None:
        return f"closed by the server: {error.rcvd.code} {error.rcvd.reason}".rstrip()
    if error.sent is not None:
        return f"closed by us: {error.sent.code} {error.sent.reason}".rstrip()
    return "the line broke without a goodbye"


def _seconds_of(retry_after: str) -> float:
    """Read a Retry-After header in seconds; its other form, a date, is left to the back-off."""
    return min(float(retry_after), LONGEST_RETRY_AFTER_S) if retry_after.isdecimal() else 0.0
