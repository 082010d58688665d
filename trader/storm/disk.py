"""The disk of one run: records of the journal's own codec and hash chain, in memory, that outlive every process."""

import hashlib
from collections.abc import Iterator, Sequence

from trader.model.events import Event
from trader.store.journal import Chain, Row, opens, pack, unpack


class Disk:
    """What is durable: the rows of one journal, oldest first."""

    def __init__(self) -> None:
        """Begin empty."""
        self.rows: list[Row] = []

    def digest(self) -> str:
        """Return 64 hex digits of all its bytes."""
        return hashlib.sha256(b"".join(body + check for body, check in self.rows)).hexdigest()

    def events(self) -> Iterator[Event]:
        """Yield every event there is, oldest first."""
        for body, _ in self.rows:
            yield from unpack(body).events


class MemoryJournal:
    """One process's journal on a :class:`Disk`: whole steps, each of them a record."""

    def __init__(self, disk: Disk) -> None:
        """Open the journal."""
        self._disk = disk
        self._chain = Chain("storm")

    def recover(self) -> Iterator[Event]:
        """Check everything and give the events from the newest ``BooksOpened`` on. Raises JournalCorrupt."""
        rows = self._disk.rows
        self._chain.check(rows)
        begin = next((place for place in range(len(rows) - 1, -1, -1) if opens(rows[place][0])), 0)
        for body, _ in rows[begin:]:
            yield from unpack(body).events

    def write(self, steps: Sequence[Sequence[Event]]) -> None:
        """Make steps durable, all of them or none."""
        chain = self._chain.copy()
        rows = []
        for events in steps:
            body = pack(chain.number + 1, events)
            rows.append((body, chain.add(body)))
        self._chain = chain
        self._disk.rows += rows
