"""A journal's file: what is put beside it, who may open it, what a killed process leaves of it."""

import os
import signal
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import apsw
import numpy as np
import pytest

from tests.conftest import ROOT
from tests.store.events import step, steps
from trader.errors import ConfigError, JournalCorrupt, JournalLocked, StoreError
from trader.store import sqlite, sqlite_file
from trader.store.ballast import SIZE
from trader.store.journal import FORMAT
from trader.store.sqlite import SqliteJournal, open_journal
from trader.store.watermark import Watermark

SEED = 20261121
KILLS = 4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal"


def recovered(path: Path) -> SqliteJournal:
    journal = open_journal(path)
    assert isinstance(journal, SqliteJournal)
    for _ in journal.recover():
        pass
    return journal


def test_commits_are_synced_and_the_file_is_ours_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    sqlite_file.create(path)
    with closing(sqlite_file.connect(path)) as connection:
        names = ("journal_mode", "synchronous", "locking_mode", "user_version", "application_id")
        assert [connection.pragma(name) for name in names] == ["wal", 2, "exclusive", FORMAT, 0x74726472]
        with pytest.raises(apsw.BusyError):
            apsw.Connection(str(path)).execute("SELECT * FROM events").fetchall()


def test_nobody_else_may_read_what_is_written(path: Path) -> None:
    with closing(recovered(path)) as journal:
        journal.write(steps(1))
        modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {modes[name] for name in ("journal", "journal-wal", "journal.lock", "journal.ballast")} == {0o600}


def test_a_clean_end_leaves_all_of_it_in_one_file(path: Path) -> None:
    with closing(recovered(path)) as journal:
        journal.write(steps(3))
    assert not path.with_name("journal-wal").exists()
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    with closing(open_journal(copy)) as journal:
        assert journal.verify().records == 3


def test_who_only_reads_leaves_the_log_of_a_killed_process_as_it_is(path: Path) -> None:
    journal = recovered(path)
    journal.write(steps(3))
    for name in ("journal", "journal-wal"):
        path.with_name(f"killed-{name}").write_bytes(path.with_name(name).read_bytes())
    journal.close()

    killed, log = path.with_name("killed-journal"), path.with_name("killed-journal-wal")
    before = log.read_bytes()
    with closing(open_journal(killed, is_new_allowed=False)) as reader:
        assert reader.verify().records == 3
    assert log.read_bytes() == before
    assert not killed.with_name("killed-journal.ballast").exists()


def test_a_journal_that_is_not_there_is_not_made_unless_it_may_be(path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"{path}:\n  there is no journal of this name"):
        open_journal(path, is_new_allowed=False)
    assert not path.parent.exists()


def test_a_file_that_is_no_journal_is_refused_and_nothing_is_put_beside_it(tmp_path: Path) -> None:
    letter = tmp_path / "letter"
    letter.write_text("Dear reader, I am no journal." * 100)
    with pytest.raises(JournalCorrupt, match="letter: is no journal"):
        open_journal(letter)
    assert [one.name for one in tmp_path.iterdir()] == ["letter"]


def test_another_programs_data_base_is_refused(tmp_path: Path) -> None:
    with apsw.Connection(str(tmp_path / "other")) as other:
        other.execute("CREATE TABLE events (a)")
    other.close()
    with pytest.raises(JournalCorrupt, match="is no journal of trader"):
        open_journal(tmp_path / "other")


def test_a_folder_in_the_place_of_the_journal_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        open_journal(tmp_path)


def test_a_journal_of_a_newer_format_is_refused_before_it_is_read(path: Path) -> None:
    recovered(path).close()
    with apsw.Connection(str(path)) as other:
        other.pragma("user_version", 2)
    other.close()
    with pytest.raises(ConfigError, match=r"journal:\n  a newer version of trader wrote it \(format 2, this one reads"):
        open_journal(path)


def test_a_journal_that_may_not_be_written_is_said_when_it_is_recovered(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recovered(path).close()
    with path.open("r+b") as file:  # a format for writing that no SQLite knows: it reads only
        file.seek(18)
        file.write(b"\x7f")
    with closing(open_journal(path)) as journal, pytest.raises(StoreError, match="cannot be written to"):
        journal.recover()


def test_a_viewer_that_has_it_open_is_said(path: Path) -> None:
    recovered(path).close()
    viewer = apsw.Connection(str(path))
    viewer.execute("BEGIN")
    viewer.execute("SELECT * FROM events").fetchall()
    with pytest.raises(JournalLocked, match="another program has it open"):
        open_journal(path)
    viewer.close()
    recovered(path).close()


def test_room_is_kept_for_the_last_records_and_given_up_once(path: Path) -> None:
    with closing(recovered(path)) as journal:
        assert path.with_name("journal.ballast").stat().st_size == SIZE
        assert journal.release_ballast()
        assert not journal.release_ballast()
    with closing(recovered(path)) as journal:
        assert journal.release_ballast()


def test_a_long_log_is_copied_into_the_file_when_there_is_nothing_else_to_do(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_LOG_PAGES", 10)
    with closing(recovered(path)) as journal:
        size = path.stat().st_size
        journal.write([step(1)])
        journal.rest()
        assert path.stat().st_size == size
        for number in range(2, 20):
            journal.write([step(number, 20)])
        journal.rest()
        assert path.stat().st_size > size


def test_a_log_does_not_grow_for_ever_where_it_never_rests(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_LOG_PAGES_AT_MOST", 10)
    with closing(recovered(path)) as journal:
        for number in range(1, 100):
            journal.write([step(number)])
        assert path.with_name("journal-wal").stat().st_size < 20 * 4120


def test_a_log_is_copied_another_time_where_somebody_still_reads(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_LOG_PAGES", 1)
    monkeypatch.setattr(sqlite, "_ROWS_AT_ONCE", 1)
    with closing(recovered(path)) as journal:
        journal.write(steps(5))
        records = journal.read()
        assert next(records).number == 1
        journal.rest()
        assert journal.write([step(6)]) == 6
        assert [record.number for record in records] == [2, 3, 4, 5, 6]


def test_what_is_recovered_ends_where_recovery_began(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_ROWS_AT_ONCE", 1)
    with closing(recovered(path)) as journal:
        journal.write([step(1), step(2), step(3)])
        events = journal.recover()
        assert next(events) == step(1)[0]
        journal.write([step(4)])
        assert [*events] == [*step(2), *step(3)]


def test_a_journal_is_closed_though_somebody_still_reads(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_ROWS_AT_ONCE", 1)
    with closing(recovered(path)) as journal:
        journal.write(steps(5))
        records = journal.read()
        assert next(records).number == 1
    with closing(recovered(path)) as journal:
        assert journal.last == 5


# --- killed ---------------------------------------------------------------------------------------------------------


def started(path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.store.writer", str(path)]
    return subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )


def acknowledged(writer: subprocess.Popen[str], count: int) -> int:
    """Kill the writer after ``count`` commits or more; return the last record it told of."""
    assert writer.stdout is not None
    told = [writer.stdout.readline() for _ in range(count)]
    writer.send_signal(signal.SIGKILL)
    told += writer.communicate()[0].splitlines(keepends=True)
    return max(int(line) for line in told if line.endswith("\n"))


def test_kill_9_loses_nothing_that_was_acknowledged(path: Path) -> None:
    rng = np.random.default_rng(SEED)
    for _ in range(KILLS):
        last = acknowledged(started(path), int(rng.integers(1, 150)))
        with closing(recovered(path)) as journal:
            found = [record.events for record in journal.read()]
        assert len(found) >= last > 0
        assert found == steps(len(found))


def test_the_mark_of_a_killed_process_tells_what_it_had_acknowledged(path: Path) -> None:
    last = acknowledged(started(path), 20)
    mark = Watermark(path).read()
    assert mark is not None
    assert mark.number >= last
    path.with_name("journal-wal").unlink()
    with closing(open_journal(path)) as journal, pytest.raises(JournalCorrupt, match=f"record {mark.number} was"):
        journal.recover()


def test_the_lock_says_who_has_the_journal_and_dies_with_its_process(path: Path) -> None:
    writer = started(path)
    assert writer.stdout is not None
    assert writer.stdout.readline()
    with pytest.raises(JournalLocked, match=rf"in use by process {writer.pid} \(.*tests\.store\.writer.*\), since 2"):
        open_journal(path)
    acknowledged(writer, 1)
    recovered(path).close()


# --- copies ---------------------------------------------------------------------------------------------------------


def test_a_copy_made_while_records_are_written_is_a_journal_and_holds_what_was_there(path: Path) -> None:
    # Given a journal that a thread writes to all the time
    with closing(recovered(path)) as journal:
        journal.write(steps(2_000))
        stop = threading.Event()
        writer = threading.Thread(target=_write_until, args=(journal, stop))
        writer.start()

        # When copies are made
        begun = []
        for number in range(3):
            begun.append(journal.last)
            journal.backup(path.with_name(f"copy{number}"))
        stop.set()
        writer.join()
        last = journal.last

    # Then each is whole, and goes on as the journal itself would have
    for number, at_least in enumerate(begun):
        with closing(recovered(path.with_name(f"copy{number}"))) as copy:
            assert at_least <= copy.last <= last
            assert [record.events for record in copy.read()] == steps(copy.last)
            assert copy.write([step(copy.last + 1)]) == copy.last


def _write_until(journal: SqliteJournal, stop: threading.Event) -> None:
    while not stop.is_set():
        journal.write([steps(1, journal.last + 1)[0]])


def test_a_copy_that_cannot_be_made_leaves_nothing(path: Path) -> None:
    with closing(recovered(path)) as journal, pytest.raises(FileNotFoundError):
        journal.backup(path.parent / "nowhere" / "copy")
    assert "copy" not in "".join(one.name for one in path.parent.iterdir())
