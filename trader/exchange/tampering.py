"""What goes wrong with market data on its way out: a stage between the market and the data sockets.

Armed changes wait for messages of their kind and are used up by them, the oldest change first, one change a message.
What is held back, or comes on top of the market's own, goes out with :meth:`Tampering.tick`. The market itself, and
what its REST endpoints say, stay true.
"""

import heapq
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from trader.access.alpaca.wire_data import DataMessage

MOST_ARMED: Final = 1000  # a script arms a handful; more is a script that runs away
MOST_HELD: Final = 10_000  # messages that wait for their time; a change adds one or two

Publish = Callable[[str, Sequence[DataMessage]], None]
Wants = Callable[[str, DataMessage], bool]


class Sent(msgspec.Struct, frozen=True):
    """What becomes of one message: what goes out in its place, and what goes out at later market times (ns UTC)."""

    now: Sequence[DataMessage]
    later: Sequence[tuple[int, DataMessage]] = ()


class Change(msgspec.Struct):
    """What is done to the next ``count`` messages of a kind; an empty ``symbol`` is any that somebody asked for."""

    kind: type[DataMessage]
    endpoint: str  # empty: either
    symbol: str
    count: int
    apply: Callable[[DataMessage, int], Sent]
    told: Callable[[str], None]  # is called with each message's symbol


class Tampering:
    """Passes messages on to ``publish``, some of them changed; ``now`` is the market's time."""

    def __init__(self, publish: Publish, *, now: Callable[[], int], wants: Wants) -> None:
        """Change nothing yet; ``wants`` tells whether anybody gets such a message."""
        self._publish = publish
        self._now = now
        self._wants = wants
        self.armed: list[Change] = []
        self._held: list[tuple[int, int, str, DataMessage]] = []
        self._number = 0

    def arm(self, change: Change) -> None:
        """Let a change wait for its messages.

        Raises:
            ValueError: too many wait already.
        """
        if len(self.armed) == MOST_ARMED:
            raise ValueError(f"{MOST_ARMED} changes of market data wait already for messages that nobody subscribed to")
        self.armed.append(change)

    def publish(self, endpoint: str, messages: Sequence[DataMessage]) -> None:
        """Send messages, changed where a change waits for them."""
        if self.armed:
            now = self._now()
            messages = [sent for message in messages for sent in self._changed(endpoint, message, now)]
        if messages:
            self._publish(endpoint, messages)

    def tick(self) -> None:
        """Send what is due by now."""
        now = self._now()
        while self._held and (self._held[0][0] <= now or len(self._held) > MOST_HELD):
            _, _, endpoint, message = heapq.heappop(self._held)
            self._publish(endpoint, [message])

    def _changed(self, endpoint: str, message: DataMessage, now: int) -> Sequence[DataMessage]:
        change = next((one for one in self.armed if self._fits(one, endpoint, message)), None)
        if change is None:
            return [message]
        change.count -= 1
        if not change.count:
            self.armed.remove(change)
        sent = change.apply(message, now)
        for due, later in sent.later:
            self._number += 1
            heapq.heappush(self._held, (due, self._number, endpoint, later))
        change.told(message.symbol)
        return sent.now

    def _fits(self, change: Change, endpoint: str, message: DataMessage) -> bool:
        is_meant = type(message) is change.kind and change.endpoint in {"", endpoint}
        return is_meant and change.symbol in {"", message.symbol} and self._wants(endpoint, message)
