"""What a power cut and a failing disk leave of a journal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import numpy as np
import pytest

from tests.store.disk import Acknowledged, Disk, Failure, Image, Operation, PowerCut, Sync, Write
from tests.store.events import Step, snapshot, step, steps
from trader.errors import JournalCorrupt, JournalFull, NotDurable, StoreError
from trader.store import sqlite
from trader.store.sqlite import SqliteJournal

Scenario = Callable[[Disk, list[Step]], None]

PATH = Path("/nowhere/journal")  # on disks in memory only
SEED = 20261121
KINDS = ("write", "sync", "truncate", "open", "read")


@contextmanager
def journal_on(disk: Disk) -> Iterator[SqliteJournal]:
    journal = SqliteJournal(PATH, vfs=disk.name)
    try:
        yield journal
    finally:
        journal.close()


def recovered(image: Image) -> list[Step]:
    """Return the steps that the next process finds; it can go on writing, too."""
    disk = Disk(image)
    try:
        with journal_on(disk) as journal:
            for _ in journal.recover():
                pass
            found = [record.events for record in journal.read()]
            journal.write([step(10_000)])
            assert [*journal.recover()][-1:] == step(10_000)
        return found
    finally:
        disk.close()


def a_day(disk: Disk, written: list[Step]) -> None:
    """Journal steps one by one and in groups, small and large ones, with the log copied into the file in between."""
    with journal_on(disk) as journal:
        assert not list(journal.recover())
        for group in (steps(1), steps(4, 2), [snapshot(6, 20_000)], steps(1, 7), steps(12, 8), steps(1, 20)):
            written.extend(group)
            disk.acknowledge(_written(journal, group))
            journal.rest()


def _written(journal: SqliteJournal, group: list[Step]) -> int:
    """Write as the recorder does: once more when there was no room, and then there is."""
    try:
        return journal.write(group)
    except JournalFull:
        return journal.write(group)


@pytest.fixture
def short_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_LOG_PAGES", 8)


def images(log: list[Operation], rng: np.random.Generator, *, each: int) -> Iterator[tuple[int, Image]]:
    """Give what may be left after every operation, with the number of records that had been acknowledged."""
    cut = PowerCut()
    for operation in log:
        cut.follow(operation)
        for kept_frac in rng.random(each):
            yield cut.acknowledged, cut.draw(rng, kept_frac)


def a_bad_day(disk: Disk, written: list[Step]) -> None:
    """Journal steps until a sync fails, and go on in another process with what that one finds."""
    with journal_on(disk) as journal:
        assert not list(journal.recover())
        written.extend([*steps(5), snapshot(6, 9_000)])
        disk.acknowledge(journal.write(written))
        disk.failure = Failure(frozenset({"sync"}), 1, apsw.IOError)
        written.extend(steps(2, 7))
        with pytest.raises(NotDurable):
            journal.write(written[6:])
        disk.failure = None
    with journal_on(disk) as journal:
        assert [*journal.recover()][-1] == written[-1][-1]
        disk.acknowledge(journal.last)  # it is acted on from here
        for number in range(9, 15):
            written.append(step(number))
            disk.acknowledge(journal.write([step(number)]))


@pytest.mark.parametrize("scenario", [a_day, a_bad_day])
def test_a_power_cut_loses_nothing_that_was_acknowledged_and_leaves_no_half_step(
    scenario: Scenario, short_log: None
) -> None:
    disk, written = Disk(), list[Step]()
    scenario(disk, written)
    disk.close()

    rng, tried = np.random.default_rng(SEED), 0
    for acknowledged, image in images(disk.log, rng, each=10):
        found = recovered(image)
        assert acknowledged <= len(found), f"image {tried} of seed {SEED}"
        assert found == written[: len(found)], f"image {tried} of seed {SEED}"
        tried += 1
    assert tried >= 500


def test_without_a_sync_at_each_commit_a_power_cut_would_lose_records(short_log: None) -> None:
    # The disk can see: what is not synced is lost in some image.
    disk, written = Disk(), list[Step]()
    a_day(disk, written)
    disk.close()
    log = [one for one in disk.log if not (isinstance(one, Sync) and one.name.endswith("-wal"))]

    rng = np.random.default_rng(SEED)
    assert any(is_lost(acknowledged, image) for acknowledged, image in images(log, rng, each=2))


def is_lost(acknowledged: int, image: Image) -> bool:
    try:
        return len(recovered(image)) < acknowledged
    except JournalCorrupt:
        return True


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("error", "short"), [(apsw.IOError, False), (apsw.FullError, False), (apsw.FullError, True)])
def test_whichever_operation_fails_nothing_acknowledged_is_lost(
    kind: str, error: type[apsw.Error], short: bool, short_log: None
) -> None:
    for at in range(1, 1000):
        disk, written = Disk(), list[Step]()
        if not fails(disk, written, Failure(frozenset({kind}), at, error, short=short)):
            assert at > 1
            return
        acknowledged = max((one.number for one in disk.log if isinstance(one, Acknowledged)), default=0)
        found = recovered(disk.image())
        assert acknowledged <= len(found), f"{kind} {at}"
        assert found == written[: len(found)], f"{kind} {at}"
    raise AssertionError("the failures did not end")


def fails(disk: Disk, written: list[Step], failure: Failure) -> bool:
    """Have a day on a disk with a planned failure; tell whether it came to that. Nothing but a StoreError is raised."""
    disk.failure = failure
    try:
        a_day(disk, written)
    except StoreError:
        pass
    finally:
        disk.close()
    return failure.seen >= failure.at


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [apsw.IOError, apsw.FullError])
def test_whichever_operation_of_a_start_fails_all_is_read_or_nothing(
    kind: str, error: type[apsw.Error], left: Image
) -> None:
    whole = recovered(left)
    for at in range(1, 1000):
        disk = Disk(left)
        disk.failure = Failure(frozenset({kind}), at, error)
        try:
            with journal_on(disk) as journal:
                events = [*journal.recover()]
                assert [record.events for record in journal.read()] == whole
                assert events == [event for one in whole[5:] for event in one]
        except StoreError:
            pass
        finally:
            disk.close()
        disk.failure.at, is_over = 0, disk.failure.seen < at
        assert recovered(disk.image()) == whole, f"{kind} {at}"
        if is_over:
            return
    raise AssertionError("the failures did not end")


@pytest.fixture
def left() -> Image:
    """Give what a killed process left: a file, and a log with more."""
    disk = Disk()
    with journal_on(disk) as journal:
        assert not list(journal.recover())
        journal.write(steps(5))
    with journal_on(disk) as journal:
        assert list(journal.recover())
        journal.write([snapshot(6, 9_000)])
        journal.write(steps(3, 7))
        return disk.image()


def test_a_failed_sync_is_never_repeated_and_nothing_follows() -> None:
    # Given a journal whose next sync fails
    disk = Disk()
    journal = SqliteJournal(PATH, vfs=disk.name)
    assert not list(journal.recover())
    journal.write(steps(2))
    disk.failure = Failure(frozenset({"sync"}), 1, apsw.IOError)

    # When a step is written
    with pytest.raises(NotDurable, match="may not be on disk"):
        journal.write([step(3)])
    operations = len(disk.log)

    # Then the journal is dead, and the disk is not touched again
    for number in (3, 4):
        with pytest.raises(NotDurable, match="takes nothing any more"):
            journal.write([step(number)])
    journal.rest()
    journal.close()
    disk.close()
    assert disk.log[operations:] == []


def test_a_full_disk_leaves_the_journal_as_it_was_and_room_lets_it_go_on() -> None:
    disk = Disk()
    with journal_on(disk) as journal:
        assert not list(journal.recover())
        journal.write(steps(2))
        for at, short in ((1, False), (2, False), (2, True)):
            disk.failure = Failure(frozenset({"write"}), at, apsw.FullError, short=short)
            with pytest.raises(JournalFull, match="no room"):
                journal.write(steps(3, 3))
            assert journal.last == 2
        assert journal.write(steps(3, 3)) == 5
    assert recovered(disk.image()) == steps(5)
    disk.close()


def test_a_full_disk_is_no_failure_while_the_log_is_copied(short_log: None) -> None:
    disk, is_checkpoint = Disk(), _is_write_to("journal")
    with journal_on(disk) as journal:
        assert not list(journal.recover())
        journal.write([snapshot(1, 40_000)])
        disk.failure = Failure(frozenset({"write"}), 1, apsw.FullError)
        before = len(disk.log)
        journal.rest()
        assert not any(map(is_checkpoint, disk.log[before:]))
        assert journal.write([step(2)]) == 2
        journal.rest()
        assert any(map(is_checkpoint, disk.log[before:]))
    disk.close()


def _is_write_to(name: str) -> Callable[[Operation], bool]:
    return lambda one: isinstance(one, Write) and Path(one.name).name == name
