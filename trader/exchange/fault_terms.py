"""What every kind of fault is made of: when, how long, how often, against what, and seeded chance."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b
from typing import Annotated, Final, Literal, TypeVar

import msgspec

from trader.access.sim.accounts import Account
from trader.access.sim.venue import Venue
from trader.exchange.data_hub import DataHub
from trader.exchange.lines import Lines
from trader.exchange.rest_faults import RestFaults
from trader.exchange.tampering import Tampering
from trader.exchange.trade_hub import TradeHub
from trader.model.time import SECOND, iso

MOST_AT_ONCE: Final = 1000  # of a fault's count: each is a request or an update, and more is a mistake of the writer

Count = Annotated[int, msgspec.Meta(ge=1, le=MOST_AT_ONCE)]
Endpoint = Literal["stock", "crypto"]
SocketName = Literal["stock", "crypto", "trading"]
Pick = Literal["any", "newest", "oldest"]

_Item = TypeVar("_Item")


class Span(int):
    """A length of market time in nanoseconds, written ``90s``."""

    def __str__(self) -> str:
        return _seconds(self)


class Amount(Decimal):
    """A number above zero: shares, coins, dollars, new shares for one."""

    __slots__ = ()


class Moment(int):
    """A market time in ns UTC, written in RFC 3339."""

    def on(self, start: int) -> int:
        """Return the market time that is meant on an exchange that began at ``start``."""
        return int(self)

    def __str__(self) -> str:
        return iso(self)


class Offset(Moment):
    """A market time counted from the exchange's start, written ``+90s``."""

    def on(self, start: int) -> int:
        """Return the market time that is meant on an exchange that began at ``start``."""
        return start + self

    def __str__(self) -> str:
        return f"+{_seconds(self)}"


class Miss(str):
    """Why there is nothing yet that a fault could happen to: it is tried again."""

    __slots__ = ()


class Chance:
    """Numbers that follow from a seed and a place alone: the same on every machine, whatever was drawn elsewhere."""

    def __init__(self, *place: object) -> None:
        """Begin at a place."""
        self._place = "/".join(map(str, place))
        self._drawn = 0

    def below(self, end: int) -> int:
        """Return a whole number from 0 to before ``end``."""
        self._drawn += 1
        digest = blake2b(f"{self._place}/{self._drawn}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % end

    def choose(self, items: Sequence[_Item], pick: Pick = "any") -> _Item | None:
        """Return one of ``items``, which are in order of age, the oldest first; None of none."""
        if not items:
            return None
        if pick == "any":
            return items[self.below(len(items))]
        return items[-1 if pick == "newest" else 0]


def _ignore(_: object) -> None:
    """Do nothing."""


class Stage(msgspec.Struct, frozen=True):
    """What faults act on.

    ``split`` restates the market from a time on; ``flush`` hands on the trade updates that the venue has made. ``then``
    takes what follows from a fault at its own time, and ``told`` what is to be known of it later; both are set by the
    schedule.
    """

    data: DataHub
    trading: TradeHub
    lines: Mapping[str, Lines]
    rest: RestFaults
    venue: Venue
    tape: Tampering
    split: Callable[[str, Decimal, int], None]
    flush: Callable[[], None]
    then: "Callable[[Fault], object]" = _ignore
    told: Callable[[str], None] = _ignore

    def accounts(self, name: str = "") -> Iterator[Account]:
        """Yield the account of that name, or all of them in the order they were opened."""
        for account in self.venue.accounts.values():
            if name in {"", account.name}:
                yield account


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """Something that goes wrong at a market time; a field's default is what is meant when it is left out."""

    at: Moment = Offset(0)

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Let it happen and say to what; a :class:`Miss` when there is nothing yet that it could happen to."""
        raise NotImplementedError


def _seconds(ns: int) -> str:
    whole, fraction = divmod(ns, SECOND)
    return f"{whole}.{fraction:09d}".rstrip("0") + "s" if fraction else f"{whole}s"
