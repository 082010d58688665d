"""What a run decided is done when it is durable, in order, and never after the disk has failed."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.waiting import until
from trader.errors import JournalFull, NotDurable, StoreError
from trader.live import recorder
from trader.live.recorder import Committer, NoJournal
from trader.model.events import AccountReconciled, Event
from trader.store.journal import Record, Verdict
from trader.store.sqlite import open_journal


def event(number: int) -> AccountReconciled:
    return AccountReconciled(number, number)


class Disk:
    """A journal whose disk does as it is told."""

    def __init__(self) -> None:
        self.written: list[list[Event]] = []
        self.commits = 0
        self.errors: list[Exception | None] = []  # of the next writes
        self.gate = threading.Event()
        self.gate.set()
        self.end: Exception | None = None  # of closing
        self.has_ballast = True
        self.closed = threading.Event()
        self.rests = 0

    @property
    def last(self) -> int:
        return len(self.written)

    def write(self, steps: Sequence[Sequence[Event]]) -> int:
        assert self.gate.wait(10)
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        self.commits += 1
        self.written += [list(step) for step in steps]
        return self.last

    def release_ballast(self) -> bool:
        had, self.has_ballast = self.has_ballast, False
        return had

    def rest(self) -> None:
        self.rests += 1

    def close(self) -> None:
        self.closed.set()
        if self.end is not None:
            raise self.end

    def recover(self) -> Iterator[Event]:
        raise NotImplementedError

    def read(self, after: int = 0) -> Iterator[Record]:
        raise NotImplementedError

    def verify(self) -> Verdict:
        raise NotImplementedError

    def backup(self, path: Path) -> None:
        raise NotImplementedError


class Run:
    """A committer and what it told."""

    def __init__(self, disk: Disk) -> None:
        self.done: list[int] = []
        self.failures: list[Exception] = []
        self.fills = 0
        self.committer = Committer(disk, fail=self.failures.append, full=self._full)

    def _full(self) -> None:
        self.fills += 1

    def record(self, *numbers: int) -> None:
        for number in numbers:
            self.committer.record([event(number)], lambda number=number: self.done.append(number))  # type: ignore[misc]


async def test_nothing_is_done_before_it_is_durable_and_what_waits_shares_a_commit() -> None:
    disk = Disk()
    disk.gate.clear()
    run = Run(disk)
    run.record(*range(100))
    assert run.done == []
    disk.gate.set()
    await until(lambda: len(run.done) == 100)
    assert run.done == list(range(100))
    assert disk.commits <= 3
    await run.committer.close()
    assert disk.closed.is_set()


async def test_closing_writes_what_is_waiting() -> None:
    disk = Disk()
    run = Run(disk)
    run.committer.record([event(1)], None)
    await run.committer.close()
    assert disk.written == [[event(1)]]


async def test_after_a_failed_commit_nothing_is_done_and_the_run_is_told_once() -> None:
    disk = Disk()
    disk.errors = [None, NotDurable("the disk said no")]
    run = Run(disk)
    run.record(1)
    await until(lambda: run.done == [1])
    run.record(2)
    await until(lambda: run.failures)
    run.record(3)
    await run.committer.close()
    assert run.done == [1]
    assert [str(error) for error in run.failures] == ["the disk said no"]
    assert disk.written == [[event(1)]]


async def test_a_question_that_was_just_answered_keeps_no_failure_from_being_told() -> None:
    disk = Disk()
    disk.errors = [NotDurable("the disk said no")]
    run = Run(disk)
    answers = [asyncio.ensure_future(run.committer.on_journal(lambda journal: journal.last)) for _ in range(2)]
    await asyncio.sleep(0)  # both were asked
    answers[1].cancel()
    run.record(1)
    assert disk.closed.wait(10)  # the loop stood still: answer and failure come in one turn of it
    await until(lambda: run.failures)
    assert await answers[0] == 0
    await run.committer.close()


async def test_a_disk_that_fails_at_the_end_is_logged_and_no_traceback() -> None:
    disk = Disk()
    disk.end = StoreError("the last sync failed")
    run = Run(disk)
    with capture_logs() as logs:
        await run.committer.close()
    assert disk.closed.is_set()
    assert [(line["event"], line["why"]) for line in logs] == [("journal.unfinished", "the last sync failed")]


async def test_a_full_disk_gives_up_its_ballast_and_goes_on_with_a_word() -> None:
    disk = Disk()
    disk.errors = [JournalFull("full")]
    run = Run(disk)
    run.record(1)
    await until(lambda: run.done == [1])
    assert run.fills == 1
    assert run.failures == []
    disk.errors = [JournalFull("full for good")]
    run.record(2)
    await until(lambda: run.failures)
    assert run.done == [1]
    assert isinstance(run.failures[0], JournalFull)
    await run.committer.close()


async def test_a_disk_that_hangs_is_given_up_before_memory_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "MOST_WAITING", 10)
    disk = Disk()
    disk.gate.clear()
    run = Run(disk)
    run.record(*range(50))
    assert "does not answer" in str(run.failures[0])
    disk.gate.set()
    await run.committer.close()
    assert run.done == []


async def test_reading_comes_between_two_commits_and_its_failure_is_the_readers_own() -> None:
    disk = Disk()
    run = Run(disk)
    run.record(1)
    assert await run.committer.on_journal(lambda journal: journal.last) == 1
    with pytest.raises(ZeroDivisionError):
        await run.committer.on_journal(lambda _: 1 // 0)
    run.record(2)
    await until(lambda: run.done == [1, 2])
    await run.committer.close()


async def test_the_loop_turns_while_the_disk_hangs() -> None:
    disk = Disk()
    disk.gate.clear()
    run = Run(disk)
    run.record(1)
    turns = 0
    for _ in range(100):
        await asyncio.sleep(0)
        turns += 1
    assert turns == 100
    disk.gate.set()
    await until(lambda: run.done)
    await run.committer.close()


async def test_a_real_journal_has_what_was_done(tmp_path: Path) -> None:
    done: list[int] = []
    journal = open_journal(tmp_path / "journal.sqlite")
    list(journal.recover())
    committer = Committer(journal, fail=done.append, full=lambda: None)  # type: ignore[arg-type]
    for number in range(1, 51):
        committer.record([event(number)], lambda number=number: done.append(number))  # type: ignore[misc]
    await until(lambda: len(done) == 50)
    await committer.close()
    again = open_journal(tmp_path / "journal.sqlite")
    assert list(again.recover()) == [event(number) for number in range(1, 51)]
    again.close()


async def test_a_made_up_market_keeps_no_journal_and_waits_for_nothing() -> None:
    done: list[int] = []
    none = NoJournal()
    none.record([event(1)], lambda: done.append(1))
    none.record([event(2)], None)
    assert done == [1]
    with pytest.raises(StoreError, match="keeps no journal"):
        await none.on_journal(lambda journal: journal.last)
    await none.close()
