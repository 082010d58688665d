"""The journal as others see it: steps of events go in durably, and come back checked, in order.

A record is one step. Its body is msgpack: ``[format, opens, number, ts, events]``, where ``opens`` tells that a
``BooksOpened`` is among the events. Its hash is the SHA-256 of all bodies and hashes before it, in order, and its own
body. So the last hash stands for the whole journal.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from trader.errors import ConfigError, JournalCorrupt
from trader.model.events import BooksOpened, Event

FORMAT: Final = 1  # of events; raise it when old records could not be read as they are, and say how in UPCASTS
HASH_BYTES: Final = 32

# Format -> what turns that format's events, as plain dicts, into those of the next one. The ``state`` of a BooksOpened
# is the ledger's, as msgpack: it changes along.
UPCASTS: dict[int, Callable[[list[dict[str, Any]]], list[dict[str, Any]]]] = {}

OPENS_AT: Final = 2  # the byte of a body, from 0, that tells whether a snapshot is in it
OPENS: Final = b"\xc3"

Row = tuple[bytes, bytes]  # body and hash


class Record(msgspec.Struct, frozen=True, gc=False):
    """One step as it was journaled: its number (from 1, without gaps), the time of its first event, its events."""

    number: int
    ts: int
    events: list[Event]


class Verdict(msgspec.Struct, frozen=True):
    """What a journal holds that was found whole. ``opened`` is the record of its newest snapshot (0: none)."""

    records: int
    opened: int
    since: int | None
    until: int | None
    hash: str


class Journal(Protocol):
    """Where steps of events become durable. One thread writes at a time; any may back up meanwhile."""

    @property
    def last(self) -> int:
        """Return the number of the last record, zero for none."""
        ...

    def recover(self) -> Iterator[Event]:
        """Check everything, then give the events from the newest ``BooksOpened`` on, or all of them.

        It comes before the first :meth:`write`, and must have been checked, not read to its end.

        Raises:
            JournalCorrupt: naming file and record, at once; later only where it holds an event that nobody knows.
        """
        ...

    def write(self, steps: Sequence[Sequence[Event]]) -> int:
        """Make steps durable in one transaction, each one record; return the last record's number. Empty ones go.

        Raises:
            JournalFull: nothing was written; it may be tried again when there is room.
            NotDurable: they may be on disk or not. The journal is dead.
        """
        ...

    def read(self, after: int = 0) -> Iterator[Record]:
        """Give the records behind number ``after``, checked like :meth:`recover`."""
        ...

    def verify(self) -> Verdict:
        """Check everything and say what there is. Raises JournalCorrupt."""
        ...

    def backup(self, path: Path) -> None:
        """Write a copy that is a journal itself to ``path``, which must not exist. Writing goes on meanwhile."""
        ...

    def release_ballast(self) -> bool:
        """Give up the room kept for the last records of a full disk; return whether there was any."""
        ...

    def rest(self) -> None:
        """Do what can wait, now that nothing is to be written. Raises NotDurable."""
        ...

    def close(self) -> None:
        """Let go of the journal; a second time does nothing."""
        ...


_ENCODER: Final = msgspec.msgpack.Encoder()
_BODIES: Final = msgspec.msgpack.Decoder(tuple[int, bool, int, int, msgspec.Raw])  # as far as any format allows
_EVENTS: Final = msgspec.msgpack.Decoder(list[Event])
_PLAIN: Final = msgspec.msgpack.Decoder(list[dict[str, Any]])


def pack(number: int, events: Sequence[Event]) -> bytes:
    """Return the body of a record of at least one event."""
    opens = any(isinstance(event, BooksOpened) for event in events)
    return _ENCODER.encode((FORMAT, opens, number, events[0].ts, events))


def unpack(body: bytes) -> Record:
    """Read a body, of whatever format up to this one.

    Raises:
        ValueError: it is none; the text says why.
        ConfigError: a newer program wrote it.
    """
    written, _, number, ts, raw = _BODIES.decode(body)
    if written == FORMAT:
        return Record(number, ts, _EVENTS.decode(raw))
    refuse_newer(written)
    events = _PLAIN.decode(raw)
    for old in range(written, FORMAT):
        events = UPCASTS[old](events)
    return Record(number, ts, msgspec.convert(events, list[Event]))


def opens(body: bytes) -> bool:
    """Say whether a fold may begin at this record."""
    return body[OPENS_AT : OPENS_AT + 1] == OPENS


def records_of(name: str, rows: Iterable[Row], after: int) -> Iterator[Record]:
    """Read rows that were checked, those behind record ``after`` of the journal called ``name``.

    Raises:
        JournalCorrupt: one holds what this program does not know.
    """
    for number, (body, _) in enumerate(rows, after + 1):
        try:
            record = unpack(body)
        except ValueError as error:
            raise JournalCorrupt(f"{name}: record {number} cannot be read ({error}); {WAY_OUT}") from error
        assert record.number == number, f"{name}: record {number} calls itself {record.number}"
        yield record


def events_of(records: Iterator[Record], *, opened: int, last: int) -> Iterator[Event]:
    """Give the events from the newest snapshot on, which is in record ``opened``, up to record ``last``.

    The records begin with that one; where ``opened`` is zero there is no snapshot, and they begin with the first.
    """
    if opened:
        events = next(records).events
        newest = max(at for at, event in enumerate(events) if isinstance(event, BooksOpened))
        yield from events[newest:]
    for record in islice(records, last - opened):  # not what is written meanwhile
        yield from record.events


def refuse_newer(number: int, *, source: str = "") -> None:
    """Raise ConfigError where this program is older than what wrote the journal."""
    if number > FORMAT:
        raise ConfigError(
            f"a newer version of trader wrote it (format {number}, this one reads up to {FORMAT}): "
            "start that version, or a newer one",
            source=source,
        )


class Chain:
    """The running hash over a journal's records."""

    def __init__(self, name: str) -> None:
        """Begin before the first record of the journal called ``name``."""
        self.number = 0
        self.hash = b""
        self._name = name
        self._sha = hashlib.sha256()

    def copy(self) -> "Chain":
        """Return a second one at the same place, for what may come to nothing."""
        other = Chain(self._name)
        other.number, other.hash, other._sha = self.number, self.hash, self._sha.copy()
        return other

    def add(self, body: bytes) -> bytes:
        """Go on by one record and return its hash."""
        self._sha.update(body)
        self.hash = self._sha.digest()
        self._sha.update(self.hash)
        self.number += 1
        return self.hash

    def take(self, steps: Iterable[Sequence[Event]]) -> list[tuple[int, bytes, bytes]]:
        """Go on by steps, those that are not empty; return their records: number, body, hash."""
        records = []
        for events in filter(None, steps):
            body = pack(self.number + 1, events)
            digest = self.add(body)
            records.append((self.number, body, digest))
        return records

    def check(self, batch: list[Row]) -> None:
        """Go on by records that must be what was written. Raises JournalCorrupt naming the first that is not."""
        sha, found = self._sha.copy(), batch[-1][1]
        sha.update(memoryview(b"".join(chain.from_iterable(batch)))[:-HASH_BYTES])
        if sha.digest() == found:
            sha.update(found)
            self._sha, self.hash, self.number = sha, found, self.number + len(batch)
            return
        for body, found in batch:
            if self.add(body) != found:
                raise JournalCorrupt(
                    f"{self._name}: record {self.number} is not what was written (its hash does not fit); {WAY_OUT}"
                )
        raise AssertionError("a batch of records does not fit, and each of them does")


WAY_OUT: Final = (
    "nothing of this journal is used: put its newest backup back, or begin new books in another state folder"
    " (--state-dir), where what is held now counts as external"
)
