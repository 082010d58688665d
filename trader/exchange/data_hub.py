"""The market-data sockets: who is connected to which endpoint, and what of the market each of them gets.

Clients with equal subscriptions and equal encodings share every frame: it is written once.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Final

from websockets.http11 import Request

from trader.access.alpaca import wire_data
from trader.access.alpaca.wire import JSON, MSGPACK
from trader.access.alpaca.wire_data import Channel, DataMessage
from trader.exchange.data_session import (
    CRYPTO,
    EVERYTHING,
    SIP,
    STOCK,
    TEST,
    DataSession,
    Entry,
    Feed,
    Gate,
    Plan,
    frames_of,
)
from trader.exchange.keys import Keys, admitted
from trader.exchange.lines import LineRules, Lines
from trader.exchange.sockets import Guest, Socket

# A stock feed is one endpoint, whichever of the consolidated tape's and IEX's views it shows.
PATHS: Final[Mapping[str, Feed]] = {
    "/v2/iex": STOCK,
    "/v2/sip": SIP,
    "/v2/delayed_sip": STOCK,
    "/v1beta3/crypto/us": CRYPTO,
    "/v2/test": TEST,
}
CHANNELS: Final[Mapping[type, Channel]] = {
    wire_data.TradeMessage: Channel.TRADES,
    wire_data.QuoteMessage: Channel.QUOTES,
    wire_data.BarMessage: Channel.BARS,
    wire_data.UpdatedBarMessage: Channel.UPDATED_BARS,
    wire_data.DailyBarMessage: Channel.DAILY_BARS,
    wire_data.StatusMessage: Channel.STATUSES,
    wire_data.LuldMessage: Channel.LULDS,
    wire_data.ImbalanceMessage: Channel.IMBALANCES,
    wire_data.CorrectionMessage: Channel.CORRECTIONS,
    wire_data.CancelErrorMessage: Channel.CANCEL_ERRORS,
    wire_data.OrderbookMessage: Channel.ORDERBOOKS,
}
# Messages that a slow endpoint holds back: minutes of a lively market. Older ones are then sent before their time.
LATE_BATCHES: Final = 10_000


class DataHub:
    """Sessions of every data endpoint; ``endpoint`` is ``stock``, ``crypto`` or ``test``."""

    def __init__(self, keys: Keys, *, now: Callable[[], int], rules: LineRules, plan: Plan | None = None) -> None:
        """Know the keys by their ids; ``now`` is the market's time."""
        self.lines = {feed.name: Lines(now, rules) for feed in (STOCK, CRYPTO, TEST)}
        self._late: dict[str, deque[tuple[int, Sequence[DataMessage]]]] = {name: deque() for name in self.lines}
        self._slow: dict[str, tuple[int, int]] = {}
        self._groups: dict[str, list[list[DataSession]]] | None = None
        self._now = now
        self.sent = 0
        self.wanted: dict[str, frozenset[Channel]] = dict.fromkeys(self.lines, frozenset())
        self.gate = Gate(
            plan or Plan(), admitted=lambda key_id, secret: admitted(keys, key_id, secret), changed=self._regroup
        )

    def greet(self, socket: Socket, request: Request) -> Guest | HTTPStatus:
        """Take a connection, or say with which status it is refused."""
        feed = PATHS.get(request.path.partition("?")[0])
        if feed is None:
            return HTTPStatus.NOT_FOUND
        if self.lines[feed.name].refuses():
            return HTTPStatus.TOO_MANY_REQUESTS
        headers = request.headers
        codec = MSGPACK if headers.get("Content-Type") == MSGPACK.content_type else JSON
        session = DataSession(self.lines[feed.name], socket, feed=feed, codec=codec, gate=self.gate)
        if "APCA-API-KEY-ID" in headers:
            session.shown = headers["APCA-API-KEY-ID"], headers.get("APCA-API-SECRET-KEY", "")
        return session

    def publish(self, endpoint: str, messages: Sequence[DataMessage]) -> None:
        """Send messages, whose stamps are MessagePack's, to all who want them."""
        until, delay = self._slow.get(endpoint, (0, 0))
        late, now = self._late[endpoint], self._now()
        if late or now < until:
            late.append((now + delay if now < until else now, messages))
        else:
            self._send(endpoint, messages)

    def wants(self, endpoint: str, message: DataMessage) -> bool:
        """Return whether anybody would get a message."""
        return any(chosen([message], sessions[0].entries) for sessions in self._grouped()[endpoint])

    def tick(self) -> None:
        """Do what is due: late data, signs of life."""
        for endpoint, lines in self.lines.items():
            late, now = self._late[endpoint], self._now()
            while late and (late[0][0] <= now or len(late) > LATE_BATCHES):
                self._send(endpoint, late.popleft()[1])
            lines.tick()

    def slow(self, endpoint: str, until: int, delay: int) -> None:
        """Send everything late until then; both in ns of market time."""
        self._slow[endpoint] = until, delay

    def _send(self, endpoint: str, messages: Sequence[DataMessage]) -> None:
        for sessions in self._grouped()[endpoint]:
            wanted = chosen(messages, sessions[0].entries)
            self.sent += len(wanted) * len(sessions)
            for frame in frames_of(wanted, sessions[0].codec):
                for session in sessions:
                    session.send(frame)

    def _regroup(self) -> None:
        """Forget who shares frames with whom; note which channels anybody wants."""
        self._groups = None
        for name, lines in self.lines.items():
            readers = [line for line in lines.open if isinstance(line, DataSession)]
            self.wanted[name] = frozenset(channel for reader in readers for channel, _ in reader.entries)

    def _grouped(self) -> dict[str, list[list[DataSession]]]:
        if self._groups is None:
            self._groups = {name: _alike(lines) for name, lines in self.lines.items()}
        return self._groups


def chosen(messages: Sequence[DataMessage], entries: frozenset[Entry]) -> Sequence[DataMessage]:
    """Return the messages that a subscription asks for."""
    everything = {channel for channel, symbol in entries if symbol == EVERYTHING}
    wanted = []
    for message in messages:
        channel = CHANNELS[type(message)]
        if channel in everything or (channel, message.symbol) in entries:
            wanted.append(message)
    return wanted


def _alike(lines: Lines) -> list[list[DataSession]]:
    """Return the readers of an endpoint, those together who get the same frames."""
    groups: dict[tuple[str, frozenset[Entry]], list[DataSession]] = {}
    for line in lines.open:
        if isinstance(line, DataSession) and line.entries:
            groups.setdefault((line.codec.content_type, line.entries), []).append(line)
    return list(groups.values())
