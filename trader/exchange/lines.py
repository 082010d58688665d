"""What all sessions have in common: a sign of life or the end, and the faults that a network makes.

A session that gives no sign of life for 90 s is given up, as Alpaca does, and until then it holds its place. Spans are
of market time; because a fast market's 90 s may be less than a client's garbage collection, nobody is given up before
some real seconds have passed as well.
"""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from trader.exchange.sockets import Socket
from trader.model.time import SECOND

# Of one socket's unread bytes, some 40,000 messages: beyond it a client is too slow to be waited for (error 407).
SEND_BUFFER: Final = 4 * 2**20
REAP_AFTER: Final = 90 * SECOND  # measured by users of Alpaca: for so long a dead session answers 406 to the next one
AUTH_WITHIN: Final = 10 * SECOND  # Alpaca, "Streaming Market Data", read 2026-11
PING_AFTER: Final = 20 * SECOND  # often enough for a sign of life well before a session is given up
PATIENCE_S: Final = 2.0


class LineRules(msgspec.Struct, frozen=True):
    """How long a session is waited for: spans in ns of market time, ``patience_s`` in real seconds at least."""

    auth_within: int = AUTH_WITHIN
    reap_after: int = REAP_AFTER
    ping_after: int = PING_AFTER
    patience_s: float = PATIENCE_S
    send_buffer: int = SEND_BUFFER


class Moment(NamedTuple):
    """The market's time in nanoseconds and the world's in seconds."""

    ts: int
    real_s: float


class Line:
    """One session; subclasses speak on it."""

    def __init__(self, lines: "Lines", socket: Socket) -> None:
        """Take a socket whose handshake is not done yet."""
        self.lines = lines
        self.socket = socket
        self.muted_until = 0
        self.heard_at = self.asked_at = self.waits_since = lines.moment()
        self.is_admitted = False

    def opened(self) -> None:
        """Join the sessions."""
        self.lines.open.append(self)

    def heard(self) -> None:
        """Note a sign of life."""
        self.heard_at = self.lines.moment()

    def lost(self) -> None:
        """Leave the sessions, if it was not given up before."""
        if self in self.lines.open:
            self.lines.open.remove(self)
            self.left()

    def left(self) -> None:
        """Act on being no session any more."""

    def timed_out(self) -> None:
        """Act on not having shown keys in time."""
        self.socket.close()


class Lines:
    """The sessions of one endpoint."""

    def __init__(self, now: Callable[[], int], rules: LineRules) -> None:
        """Begin without any; ``now`` is the market's time."""
        self.now = now
        self.rules = rules
        self.open: list[Line] = []
        self.occupied_until = 0
        self._refusals = 0
        self._frozen: list[tuple[int, Line]] = []

    def moment(self) -> Moment:
        """Return the time on both clocks."""
        return Moment(self.now(), time.monotonic())

    def drop(self) -> None:
        """Cut every connection."""
        for line in tuple(self.open):
            line.socket.abort()

    def freeze(self, until: int) -> None:
        """Leave every connection half-open until then: TCP stays, nothing is read, answered or delivered."""
        self._frozen = [(then, line) for then, line in self._frozen if line not in self.open]
        for line in self.open:
            line.socket.freeze()
            self._frozen.append((until, line))

    def mute(self, until: int) -> None:
        """Send the present sessions no data until then; they are answered all the same."""
        for line in self.open:
            line.muted_until = until

    def occupy(self, until: int) -> None:
        """Let no new session in until then, as if others held all places."""
        self.occupied_until = until

    def refuse_handshakes(self, count: int) -> None:
        """Answer the next handshakes with HTTP 429."""
        self._refusals += count

    def refuses(self) -> bool:
        """Tell whether this handshake is one of those to refuse."""
        self._refusals -= 1 if (refused := self._refusals > 0) else 0
        return refused

    def tick(self) -> None:
        """Thaw, ask for signs of life, and give up who gives none."""
        moment = self.moment()
        due = [line for until, line in self._frozen if until <= moment.ts]
        self._frozen = [(until, line) for until, line in self._frozen if until > moment.ts]
        for line in due:
            if line in self.open:
                line.heard()
                line.socket.thaw()
            else:
                line.socket.abort()
        for line in tuple(self.open):
            self._look_after(line, moment)

    def _look_after(self, line: Line, moment: Moment) -> None:
        rules = self.rules
        if self._is_over(line.heard_at, rules.reap_after, moment):
            self._give_up(line)
        elif not line.is_admitted and self._is_over(line.waits_since, rules.auth_within, moment):
            line.timed_out()
        elif moment.ts - max(line.heard_at.ts, line.asked_at.ts) >= rules.ping_after:
            line.asked_at = moment
            line.socket.ping()

    def _is_over(self, since: Moment, span: int, moment: Moment) -> bool:
        return moment.ts - since.ts >= span and moment.real_s - since.real_s >= self.rules.patience_s

    def _give_up(self, line: Line) -> None:
        """Free the place of a session; one that is half-open stays so, for its client must not learn of it."""
        self.open.remove(line)
        line.left()
        if all(line is not frozen for _, frozen in self._frozen):
            line.socket.abort()
