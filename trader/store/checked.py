"""What every journal does the same way: nothing is read or written before all of it was checked."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import chain

from trader.errors import NotDurable
from trader.model.events import Event
from trader.store.journal import Chain, Record, Row, Verdict, events_of, records_of

Numbered = tuple[int, bytes, bytes]  # number, body and hash of a record


class CheckedJournal(ABC):
    """A :class:`~trader.store.journal.Journal` but for where its records are; one thread writes at a time."""

    def __init__(self, name: str) -> None:
        """Be called ``name`` where people read it; nothing is read yet."""
        self._name = name
        self._chain: Chain | None = None  # None until everything was checked
        self._is_written = False
        self._failure = ""  # why nothing is taken any more

    @property
    def last(self) -> int:
        """Return the number of the last record that was checked or written."""
        return self._chain.number if self._chain else 0

    def recover(self) -> Iterator[Event]:
        """Check everything, then give the events from the newest ``BooksOpened`` on."""
        self._chain = self._checked()
        self._begin_writing()
        self._is_written = True
        opened = self._opened()
        return events_of(self._records(max(opened - 1, 0)), opened=opened, last=self.last)

    def verify(self) -> Verdict:
        """Check everything and say what there is."""
        end = self._chain = self._checked()
        first, last = ((next(self.read(number - 1)).ts if end.number else None) for number in (1, end.number))
        return Verdict(end.number, self._opened(), first, last, end.hash.hex())

    def read(self, after: int = 0) -> Iterator[Record]:
        """Give the records behind number ``after``."""
        if self._chain is None:
            self._chain = self._checked()
        return self._records(after)

    def write(self, steps: Sequence[Sequence[Event]]) -> int:
        """Make steps durable in one transaction."""
        assert self._is_written, "a journal is recovered before it is written to"
        assert self._chain is not None
        if self._failure:
            raise NotDurable(f"{self._name}: takes nothing any more, since {self._failure}")
        end = self._chain.copy()
        if rows := end.take(steps):
            self._commit(rows)
            self._chain = end
            self._acknowledge(end)
        return end.number

    def _records(self, after: int) -> Iterator[Record]:
        return records_of(self._name, chain.from_iterable(self._batches(after)), after)

    def _checked(self) -> Chain:
        """Check every record, and all that holds them; return the chain at its end. Raises JournalCorrupt."""
        end = Chain(self._name)
        for batch in self._batches(0):
            end.check(batch)
        return end

    @abstractmethod
    def _begin_writing(self) -> None:
        """Prepare for the first record; everything was checked."""

    @abstractmethod
    def _opened(self) -> int:
        """Return the number of the newest record that a fold may begin at, zero for none."""

    @abstractmethod
    def _batches(self, after: int) -> Iterator[list[Row]]:
        """Give the rows behind record ``after``, in order, some at a time; none of these is empty."""

    @abstractmethod
    def _commit(self, rows: list[Numbered]) -> None:
        """Make rows durable, all or none. Raises JournalFull and NotDurable."""

    @abstractmethod
    def _acknowledge(self, end: Chain) -> None:
        """Remember beside the records that those up to here are durable, where they cannot show that themselves."""
