"""A journal's SQLite file: what makes one, how it is opened, and what is said of a file that is none."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from trader.errors import JournalCorrupt, JournalLocked, StoreError
from trader.store.journal import FORMAT, WAY_OUT, refuse_newer

APPLICATION: Final = 0x74726472  # "trdr", in the header of the file: what program it belongs to
_BEGINS: Final = b"SQLite format 3\0"
TABLE: Final = "CREATE TABLE events (number INTEGER PRIMARY KEY, body BLOB NOT NULL, hash BLOB NOT NULL) STRICT"

# The lock mode comes first: with it the log needs no shared memory, and nobody can open the file beside us.
_SETTINGS: Final = (
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA cell_size_check = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA busy_timeout = 0",
)


def connect(path: Path, vfs: str | None = None) -> apsw.Connection:
    """Open a journal's file for this process alone; an empty one becomes a journal. ``vfs``: of SQLite's, for tests.

    Raises:
        JournalCorrupt: it is no journal, or a damaged one.
        ConfigError: a newer program wrote it.
        JournalLocked: another program has it open.
        StoreError: it cannot be read or written.
    """
    with told(path):
        connection = apsw.Connection(str(path), vfs=vfs)
        try:
            # A clean end checkpoints by itself and hears of errors; an unclean one must not touch the disk again.
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            for setting in _SETTINGS:
                connection.execute(setting).fetchall()
            _identify(connection, path)
        except BaseException:
            connection.close(True)  # noqa: FBT003 -- apsw's own: let nothing keep it open
            raise
    return connection


def refuse_others(path: Path) -> None:
    """Raise JournalCorrupt for a file that SQLite did not write, before anything is put beside it."""
    with path.open("rb") as file:
        begins = file.read(len(_BEGINS))
    if begins not in {b"", _BEGINS}:
        raise JournalCorrupt(f"{path}: is no journal, or its first bytes are damaged; {WAY_OUT}")


def create(path: Path) -> None:
    """Make an empty file, for its owner only, that is there for good."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    sync_folder(path)


def sync_folder(path: Path) -> None:
    """Make the name of a file durable."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what SQLite says while a journal is opened or read into words of ours."""
    try:
        yield
    except (apsw.BusyError, apsw.LockedError):
        raise JournalLocked(f"{path}: another program has it open, such as a viewer of data bases; close it") from None
    except apsw.NotADBError as error:
        raise JournalCorrupt(f"{path}: is no journal, or its first bytes are damaged; {WAY_OUT}") from error
    except (apsw.CorruptError, apsw.SQLError, apsw.MismatchError, apsw.FormatError) as error:
        raise JournalCorrupt(f"{path}: is damaged ({error}); {WAY_OUT}") from error
    except apsw.Error as error:
        raise StoreError(f"{path}: cannot be read or written ({error})") from error


def _identify(connection: apsw.Connection, path: Path) -> None:
    """Make a journal of an empty file, and refuse anything else that is not ours."""
    application = connection.pragma("application_id")
    tables = [sql for (sql,) in connection.execute("SELECT CAST(sql AS BLOB) FROM sqlite_schema")]
    if not application and not tables:
        _begin(connection)
        return
    if application != APPLICATION or tables != [TABLE.encode()]:
        raise JournalCorrupt(f"{path}: is no journal of trader, or its description is damaged; {WAY_OUT}")
    refuse_newer(connection.pragma("user_version"), source=str(path))


def _begin(connection: apsw.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(TABLE)
    connection.pragma("application_id", APPLICATION)
    connection.pragma("user_version", FORMAT)
    connection.execute("COMMIT")
