"""A byte that changed anywhere in a journal is named, or changes nothing that is read."""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import apsw
import msgspec
import pytest

from tests.store.disk import Disk, Image
from tests.store.events import Step, snapshot, steps
from trader.errors import ConfigError, JournalCorrupt, StoreError
from trader.model.events import Event
from trader.store.journal import FORMAT, Chain
from trader.store.sqlite import SqliteJournal

PATH = Path("/nowhere/journal")  # on disks in memory only
FILE, LOG, MARK = (f"{PATH}{suffix}" for suffix in ("", "-wal", ".mark"))
PAGE, FRAME = 4096, 4120


def left_by(groups: list[list[Step]], *, ends_cleanly: bool) -> Image:
    disk = Disk()
    journal = SqliteJournal(PATH, vfs=disk.name)
    assert not list(journal.recover())
    for group in groups:
        journal.write(group)
    image = disk.image()
    journal.close()
    image = disk.image() if ends_cleanly else image
    disk.close()
    return image


def without_mark(image: Image) -> Image:
    return {name: data for name, data in image.items() if name != MARK}


def flipped(image: Image, name: str, at: int) -> Image:
    data = bytearray(image[name])
    data[at] ^= (0xFF, 0x01, 0x80, 0x10)[at % 4]
    return {**image, name: bytes(data)}


def read(image: Image) -> tuple[list[Event], list[Step]]:
    """Return what recovery gives, and all records."""
    disk = Disk(image)
    try:
        return read_on(disk)
    finally:
        disk.close()


def read_on(disk: Disk) -> tuple[list[Event], list[Step]]:
    with closing(SqliteJournal(PATH, vfs=disk.name)) as journal:
        return [*journal.recover()], [record.events for record in journal.read()]


def unnamed(image: Image, name: str, places: Iterable[int]) -> list[int]:
    """Return the places of a file where a changed byte changed what is read, and nobody said so.

    What is named must stay as it was found, for whoever looks into it.
    """
    whole, found = read(image), []
    for at in places:
        damaged = flipped(image, name, at)
        disk = Disk(damaged)
        try:
            is_fine = read_on(disk) == whole
        except (StoreError, ConfigError) as error:
            is_fine = str(PATH) in str(error) and damaged.items() <= disk.image().items()
        disk.close()
        if not is_fine:
            found.append(at)
    return found


GROUPS = [steps(3), [snapshot(4)], steps(2, 5)]


def test_any_byte_of_a_closed_journal() -> None:
    image = without_mark(left_by(GROUPS, ends_cleanly=True))
    assert unnamed(image, FILE, range(len(image[FILE]))) == []


def test_any_byte_of_the_pages_that_lead_to_the_others() -> None:
    image = without_mark(left_by([[snapshot(number, 3_000) for number in range(1, 40)]], ends_cleanly=True))
    assert len(image[FILE]) > 20 * PAGE
    places = [*range(100), *range(100, PAGE, 17), *range(PAGE, 2 * PAGE, 9), *range(2 * PAGE, len(image[FILE]), 499)]
    assert unnamed(image, FILE, places) == []


def test_any_byte_of_the_log_that_a_killed_process_leaves() -> None:
    image = left_by(GROUPS, ends_cleanly=False)
    assert len(image[LOG]) > 3 * PAGE
    last = len(image[LOG]) - FRAME
    assert unnamed(image, LOG, [*range(32), *range(32, last, 3), *range(last, len(image[LOG]))]) == []


def test_any_byte_of_the_log_before_its_last_commit_where_the_mark_is_gone_too() -> None:
    image = without_mark(left_by(GROUPS, ends_cleanly=False))
    assert unnamed(image, LOG, range(0, len(image[LOG]) - FRAME, 5)) == []


def test_any_byte_of_the_mark() -> None:
    image = left_by(GROUPS, ends_cleanly=False)
    assert unnamed(image, MARK, range(len(image[MARK]))) == []


@pytest.mark.parametrize("kept", [0, 31, 33, PAGE, PAGE + 100])
def test_a_log_that_was_cut_is_named(kept: int) -> None:
    image = left_by(GROUPS, ends_cleanly=False)
    image[LOG] = image[LOG][:kept]
    with pytest.raises(JournalCorrupt, match="record 6 was acknowledged and is gone"):
        read(image)


def test_an_older_copy_in_the_place_of_the_journal_is_named() -> None:
    image, older = left_by(GROUPS, ends_cleanly=True), left_by(GROUPS[:2], ends_cleanly=True)
    with pytest.raises(JournalCorrupt, match=r"record 6 was acknowledged and is gone.*an older copy"):
        read({**image, FILE: older[FILE]})


def test_another_journal_in_the_place_of_the_journal_is_named() -> None:
    image, other = left_by(GROUPS, ends_cleanly=True), left_by([steps(20, 100)], ends_cleanly=True)
    with pytest.raises(JournalCorrupt, match="record 6 was acknowledged and is another one"):
        read({**image, FILE: other[FILE]})


def test_an_emptied_file_in_the_place_of_the_journal_is_named() -> None:
    image = left_by(GROUPS, ends_cleanly=True)
    with pytest.raises(JournalCorrupt, match="record 6 was acknowledged and is gone"):
        read({**image, FILE: b""})


def test_records_that_were_changed_by_hand_are_named_by_number() -> None:
    with pytest.raises(JournalCorrupt, match="record 4 is not what was written"):
        read(edited("UPDATE events SET body = (SELECT body FROM events WHERE number = 5) WHERE number = 4"))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM events WHERE number = 6",
        "DELETE FROM events WHERE number = 1",
        "DELETE FROM events WHERE number = 3",
        "UPDATE events SET number = number + 1 WHERE number = 6",
        "INSERT INTO events SELECT 7, body, hash FROM events WHERE number = 6",
        "DELETE FROM events",
        "DROP TABLE events",
        "CREATE TABLE more (a)",
        "PRAGMA application_id = 1",
    ],
)
def test_no_edit_by_hand_goes_unnamed(statement: str) -> None:
    with pytest.raises(JournalCorrupt):
        read(edited(statement))


def test_a_record_that_nobody_can_read_is_named_though_it_is_as_it_was_written() -> None:
    chain, body = Chain("made"), msgspec.msgpack.encode((FORMAT, False, 1, 5, [{"type": "MoonRose", "ts": 5}]))
    with pytest.raises(JournalCorrupt, match=r"record 1 cannot be read .*MoonRose"):
        read(edited("INSERT INTO events VALUES (1, ?, ?)", body, chain.add(body), of=left_by([], ends_cleanly=True)))


def edited(statement: str, *values: bytes, of: Image | None = None) -> Image:
    """Return a closed journal after somebody ran a statement on it."""
    disk = Disk(of or left_by(GROUPS, ends_cleanly=True))
    connection = apsw.Connection(FILE, vfs=disk.name)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
    connection.execute(statement, values).fetchall()
    connection.close()
    disk.close()
    return disk.image()
