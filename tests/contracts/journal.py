"""What every journal keeps, checked for free: name how to open one, and how to tamper with it, and subclass.

::

    @pytest.fixture
    def make_journal(tmp_path: Path) -> MakeJournal:
        return lambda: open_journal(tmp_path / "journal")

    @pytest.fixture
    def alter(tmp_path: Path) -> Alter:
        return lambda statement: ...

    class TestSqliteJournal(JournalContract):
        pass

Each call of ``make_journal`` opens the same place, which holds nothing at first. ``alter`` executes SQL on it while it
is closed; ``{events}`` stands for the table's name.
"""

import os
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.build import T0
from tests.store.events import order, snapshot, step, steps
from trader.errors import ConfigError, JournalCorrupt, JournalLocked, NotDurable
from trader.model.events import Event
from trader.store.journal import Journal, Record
from trader.store.sqlite import open_journal

MakeJournal = Callable[[], Journal]
Alter = Callable[[str], None]


def recovered(journal: Journal) -> list[Event]:
    return list(journal.recover())


def kept(make_journal: MakeJournal, *groups: list[list[Event]]) -> None:
    """Write groups of steps, each in one transaction, and close."""
    with closing(make_journal()) as journal:
        assert recovered(journal) == []
        for group in groups:
            journal.write(group)


class JournalContract:
    def test_a_new_journal_is_empty(self, make_journal: MakeJournal) -> None:
        with closing(make_journal()) as journal:
            assert recovered(journal) == []
            assert journal.last == 0
            assert list(journal.read()) == []
            verdict = journal.verify()
        assert (verdict.records, verdict.opened, verdict.since, verdict.until) == (0, 0, None, None)

    def test_what_was_written_comes_back_in_order_however_it_was_grouped(self, make_journal: MakeJournal) -> None:
        written = steps(30)
        kept(make_journal, written[:1], written[1:10], written[10:])
        with closing(make_journal()) as journal:
            assert recovered(journal) == [event for events in written for event in events]
            assert journal.last == 30

    def test_a_step_is_a_record_with_its_number_and_time_and_empty_ones_are_none(
        self, make_journal: MakeJournal
    ) -> None:
        with closing(make_journal()) as journal:
            assert recovered(journal) == []
            assert journal.write([[], []]) == 0
            assert journal.write([step(1, 2), [], order(2)]) == 2
            assert list(journal.read()) == [Record(1, T0 + 1, step(1, 2)), Record(2, T0 + 2, order(2))]
            assert list(journal.read(1)) == [Record(2, T0 + 2, order(2))]
            assert list(journal.read(2)) == []

    def test_writing_goes_on_where_the_last_process_ended(self, make_journal: MakeJournal) -> None:
        kept(make_journal, steps(3))
        with closing(make_journal()) as journal:
            recovered(journal)
            assert journal.write([step(4)]) == 4
        with closing(make_journal()) as journal:
            assert [record.number for record in journal.read()] == [1, 2, 3, 4]

    def test_recovery_begins_at_the_newest_snapshot_wherever_in_its_step_it_stands(
        self, make_journal: MakeJournal
    ) -> None:
        opening = [*step(4), *snapshot(5)]
        kept(make_journal, [step(1), snapshot(2), step(3), opening, step(6)])
        with closing(make_journal()) as journal:
            assert recovered(journal) == [*snapshot(5), *step(6)]
            assert journal.verify().opened == 4

    def test_writing_may_begin_before_recovery_was_read_to_its_end(self, make_journal: MakeJournal) -> None:
        kept(make_journal, steps(20))
        with closing(make_journal()) as journal:
            events = journal.recover()
            first = next(events)
            assert journal.write([step(21)]) == 21
            assert [first, *events] == [event for events in steps(20) for event in events]
        with closing(make_journal()) as journal:
            assert journal.verify().records == 21

    def test_who_has_not_recovered_cannot_write(self, make_journal: MakeJournal) -> None:
        with closing(make_journal()) as journal, pytest.raises(AssertionError):
            journal.write([step(1)])

    def test_a_closed_journal_takes_nothing(self, make_journal: MakeJournal) -> None:
        journal = make_journal()
        recovered(journal)
        journal.close()
        journal.close()
        with pytest.raises(NotDurable):
            journal.write([step(1)])

    def test_the_second_process_is_told_who_has_it_and_gets_it_afterwards(self, make_journal: MakeJournal) -> None:
        with closing(make_journal()), pytest.raises(JournalLocked, match=rf"in use by .*process {os.getpid()}\b"):
            make_journal()
        with closing(make_journal()) as journal:
            assert recovered(journal) == []

    def test_the_verdict_says_what_there_is_and_stands_for_all_of_it(self, make_journal: MakeJournal) -> None:
        kept(make_journal, [step(1), snapshot(2)], [step(3)])
        with closing(make_journal()) as journal:
            verdict = journal.verify()
            assert (verdict.records, verdict.opened, verdict.since, verdict.until) == (3, 2, T0 + 1, T0 + 3)
            recovered(journal)
            journal.write([step(4)])
            assert journal.verify().hash != verdict.hash

    @pytest.mark.parametrize("value", ["body", "hash"])
    def test_a_record_that_is_not_what_was_written_is_named(
        self, make_journal: MakeJournal, alter: Alter, value: str
    ) -> None:
        kept(make_journal, steps(5))
        alter(f"UPDATE {{events}} SET {value} = (SELECT {value} FROM {{events}} WHERE number = 4) WHERE number = 2")  # noqa: S608
        with closing(make_journal()) as journal:
            for work in (journal.recover, journal.verify, journal.read):
                with pytest.raises(JournalCorrupt, match=r"record 2 is not what was written"):
                    work()

    def test_a_record_that_is_missing_is_noticed(self, make_journal: MakeJournal, alter: Alter) -> None:
        kept(make_journal, steps(5))
        alter("DELETE FROM {events} WHERE number = 2")
        with closing(make_journal()) as journal, pytest.raises(JournalCorrupt, match=r"record 2 "):
            journal.recover()

    def test_a_backup_is_a_journal_and_writing_goes_on_meanwhile(
        self, make_journal: MakeJournal, tmp_path: Path
    ) -> None:
        copy = tmp_path / "copy"
        with closing(make_journal()) as journal:
            recovered(journal)
            journal.write([snapshot(1), *steps(500, 2)])
            verdict = journal.verify()
            backing_up = threading.Thread(target=journal.backup, args=(copy,))
            backing_up.start()
            for number in range(502, 512):
                journal.write([step(number)])
            backing_up.join()
        with closing(open_journal(copy, is_new_allowed=False)) as found:
            records = list(found.read())
            assert [record.number for record in records] == list(range(1, len(records) + 1))
            assert len(records) >= 501
            assert found.verify().opened == verdict.opened

    def test_a_backup_overwrites_nothing(self, make_journal: MakeJournal, tmp_path: Path) -> None:
        (tmp_path / "copy").write_text("a letter")
        with closing(make_journal()) as journal, pytest.raises(ConfigError, match="exists already"):
            journal.backup(tmp_path / "copy")
        assert (tmp_path / "copy").read_text() == "a letter"
