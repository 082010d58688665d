"""The set we want, the set the server says we have, and the one change that is on its way.

Rules: one change at a time, in chunks, so that an answer belongs to it without doubt; what is no longer wanted goes
first, because it may make room under the plan's limit; what the server refused or left out is not asked for again on
this connection until the owner wants anew.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from trader.access.alpaca.stream_events import Entry, SubscriptionDiffers
from trader.access.alpaca.wire_data import Channel, Subscribe, SubscriptionMessage, Unsubscribe, by_field

CHUNK: Final = 500  # symbols per request: about 5 kB, far below any limit of a frame, and few answers to wait for

# The server adds these by itself for every symbol whose trades are sent; having them is no difference.
_COME_WITH_TRADES = frozenset({Channel.CORRECTIONS, Channel.CANCEL_ERRORS})
_NOTHING: frozenset[Entry] = frozenset()


class Subscriptions:
    """Turns a wanted set into requests and checks their answers."""

    def __init__(self) -> None:
        """Want nothing and have nothing."""
        self.active: frozenset[Entry] = _NOTHING
        self._wanted: frozenset[Entry] = _NOTHING
        self._given_up: frozenset[Entry] = _NOTHING
        self._adding: frozenset[Entry] = _NOTHING
        self._dropping: frozenset[Entry] = _NOTHING

    def want(self, channels: Mapping[Channel, Iterable[str]]) -> None:
        """Replace the wanted set; what was given up is tried again if it is still wanted."""
        self._wanted = frozenset((channel, symbol) for channel, symbols in channels.items() for symbol in symbols)
        self._given_up = _NOTHING

    def distrust(self) -> None:
        """Take nothing as had, so that all that is wanted is asked for once more."""
        self.active = self._given_up = _NOTHING

    def next_request(self) -> Subscribe | Unsubscribe | None:
        """Return the next change to ask for, None when there is none; only when the one before is answered."""
        assert not self._adding | self._dropping, "one change at a time"
        self._dropping = _first(self.active - self._wanted - self._given_up)
        if self._dropping:
            return Unsubscribe(**by_field(self._dropping))
        self._adding = _first(self._wanted - self.active - self._given_up)
        return Subscribe(**by_field(self._adding)) if self._adding else None

    def acknowledge(self, ack: SubscriptionMessage) -> SubscriptionDiffers | None:
        """Take the server's whole set; return how it differs from what was asked for, if it does."""
        told = {(channel, symbol) for channel, symbols in ack.channels().items() for symbol in symbols}
        has = frozenset(entry for entry in told if entry in self._wanted or entry[0] not in _COME_WITH_TRADES)
        missing = ((self.active - self._dropping | self._adding) & self._wanted) - told
        kept = (has & self._dropping) - self._wanted
        extra = kept | (has - self._wanted - self.active - self._adding)
        self.active, self._given_up = has, self._given_up | missing | kept
        self._adding = self._dropping = _NOTHING
        return SubscriptionDiffers(missing, extra) if missing or extra else None

    def refuse(self) -> frozenset[Entry]:
        """Give up the change that is on its way; return what it asked for."""
        asked = self._adding | self._dropping
        self._given_up |= asked
        self._adding = self._dropping = _NOTHING
        return asked


def _first(entries: frozenset[Entry]) -> frozenset[Entry]:
    return frozenset(sorted(entries)[:CHUNK])
