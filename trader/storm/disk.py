"""The disk of one run, which outlives every process: the journal's own codec and hash chain, in memory."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Protocol

from trader.model.events import Event
from trader.store.journal import Chain, Row, events_of, opens, pack, unpack


class Journal(Protocol):
    """What a process needs of its journal."""

    def recover(self) -> Iterator[Event]:
        """Check everything and give the events from the newest ``BooksOpened`` on. Raises JournalCorrupt."""
        ...

    def write(self, steps: Sequence[Sequence[Event]]) -> int:
        """Make steps durable, all of them or none; return the last one's number."""
        ...


class Storage(Protocol):
    """Where journals are opened, one after the other."""

    def open(self) -> Journal:
        """Open the journal for a new process."""
        ...

    def crash(self) -> None:
        """Lose what is not durable: the process that had the journal is dead."""
        ...

    def digest(self) -> str:
        """Return what tells one journal from another."""
        ...


class Disk:
    """Rows of one journal, oldest first; all of them are durable."""

    def __init__(self) -> None:
        """Begin empty."""
        self.rows: list[Row] = []

    def open(self) -> "MemoryJournal":
        """Open the journal."""
        return MemoryJournal(self.rows)

    def crash(self) -> None:
        """Lose nothing: there is nothing that is not durable."""

    def digest(self) -> str:
        """Return 64 hex digits of all its bytes."""
        return hashlib.sha256(b"".join(body + check for body, check in self.rows)).hexdigest()


class MemoryJournal:
    """One process's journal: each step is a record, and whole."""

    def __init__(self, rows: list[Row]) -> None:
        """Go on behind ``rows``."""
        self._rows = rows
        self._chain = Chain("storm")

    def recover(self) -> Iterator[Event]:
        """Check everything and give the events from the newest ``BooksOpened`` on."""
        rows = self._rows
        if rows:
            self._chain.check(rows)
        opened = next((number for number in range(len(rows), 0, -1) if opens(rows[number - 1][0])), 0)
        records = (unpack(body) for body, _ in rows[max(0, opened - 1) :])
        return events_of(records, opened=opened, last=len(rows))

    def write(self, steps: Sequence[Sequence[Event]]) -> int:
        """Make steps durable."""
        for events in steps:
            body = pack(self._chain.number + 1, events)
            self._rows.append((body, self._chain.add(body)))
        return self._chain.number
