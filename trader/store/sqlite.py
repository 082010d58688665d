"""The journal in a SQLite file."""

import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

import apsw

from trader.errors import ConfigError, JournalCorrupt, JournalFull, NotDurable, StoreError
from trader.store import ballast, sqlite_file, wal
from trader.store.checked import CheckedJournal, Numbered
from trader.store.journal import FORMAT, OPENS, OPENS_AT, WAY_OUT, Chain, Journal, Record, Row
from trader.store.lock import Lock
from trader.store.watermark import SUFFIX, Watermark

LOCK: Final = ".lock"  # behind the journal's name
_MISTYPED: Final = ("postgresql:", "postgres:")  # an address that lacks a slash is no file either

# The log is copied into the file when it is this long and nothing else is to do; a page is 4 KiB.
_LOG_PAGES: Final = 1_000
_LOG_PAGES_AT_MOST: Final = 4_000  # then it is copied before the next commit, idle or not
_BACKUP_PAGES: Final = 256  # copied at a time: a writer waits for no more than these

# Read and checked while others wait: enough that the calls cost nothing, and so few that the allocator, which maps what
# is large and gives it back each time, keeps their place.
_ROWS_AT_ONCE: Final = 256

_INSERT: Final = "INSERT INTO events VALUES (?, ?, ?)"
_ROWS: Final = "SELECT body, hash FROM events WHERE number > ? ORDER BY number"
_OPENED: Final = "SELECT number FROM events WHERE substr(body, ?, 1) = ? ORDER BY number DESC LIMIT 1"
_HASH: Final = "SELECT hash FROM events WHERE number = ?"
_ENDS: Final = "SELECT ifnull(min(number), 1), ifnull(max(number), 0) FROM events"


def open_journal(target: str | Path, *, is_new_allowed: bool = True) -> Journal:
    """Open the journal in a file, for this process alone; ``postgresql://…`` names one in a data base.

    Raises:
        ConfigError: there is none and none may be made, or a newer program wrote it.
        JournalLocked: another process has it.
        JournalCorrupt: it is no journal, or a damaged one.
        StoreError: it cannot be read or written.
    """
    if isinstance(target, str) and ("://" in target or target.startswith(_MISTYPED)):
        from trader.store.postgres import open_postgres

        return open_postgres(target, is_new_allowed=is_new_allowed)
    path = Path(target)
    if not path.exists() and not is_new_allowed:
        raise ConfigError(
            "there is no journal of this name; name one, or a desk's folder with --state-dir", source=str(path)
        )
    lock = Lock(path.with_name(path.name + LOCK))
    try:
        if path.exists() and not lock.path.exists():
            sqlite_file.refuse_others(path)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock.acquire(f"the journal {path}")
        if not path.exists():
            sqlite_file.create(path)
        return SqliteJournal(path, lock=lock)
    except OSError as error:
        lock.release()
        raise ConfigError(f"cannot be opened: {error.strerror}", source=str(path)) from error
    except BaseException:
        lock.release()
        raise


class SqliteJournal(CheckedJournal):
    """A journal in a file that exists; see :class:`~trader.store.journal.Journal` for what each method promises."""

    def __init__(self, path: Path, *, lock: Lock | None = None, vfs: str | None = None) -> None:
        """Open it and keep ``lock`` until the end; nothing is read yet but what it is."""
        super().__init__(str(path))
        self.path = path
        self._lock = lock
        self._mutex = threading.RLock()  # between the writer's thread and one that backs up
        self._db = sqlite_file.connect(path, vfs)
        self._db.set_wal_hook(self._logged)
        self._mark = Watermark(path, vfs)
        self._vfs = vfs
        self._log_pages = 0

    def rest(self) -> None:
        """Copy a long log into the file."""
        if self._log_pages >= _LOG_PAGES and not self._failure:
            with self._mutex:
                self._checkpoint()

    def backup(self, path: Path) -> None:
        """Copy the journal page by page; a commit meanwhile is in the copy too."""
        if path.exists():
            raise ConfigError("exists already; a backup overwrites nothing", source=str(path))
        part = path.with_name(path.name + ".part")
        part.unlink(missing_ok=True)
        sqlite_file.create(part)
        try:
            self._copy_to(part)
        except BaseException:
            part.unlink()
            raise
        part.rename(path)
        sqlite_file.sync_folder(path)

    def release_ballast(self) -> bool:
        """Delete the file that keeps room."""
        return ballast.release(self.path)

    def close(self) -> None:
        """Empty the log into the file where that is still possible, and let go."""
        try:
            if self._chain is not None and not self._failure:  # a damaged one stays as it is
                self._leave_cleanly()
        finally:
            self._failure = self._failure or "it was closed"
            self._mark.close()
            self._db.close(True)  # noqa: FBT003 -- apsw's own: whoever still reads from it is done
            if self._lock:
                self._lock.release()

    def _begin_writing(self) -> None:
        with self._mutex, sqlite_file.told(self.path):
            if self._db.readonly("main"):
                raise StoreError(f"{self.path}: cannot be written to: it is read-only, or its first bytes are damaged")
            if self._db.pragma("user_version") < FORMAT:
                self._db.pragma("user_version", FORMAT)  # from here on an older program refuses it
            self._checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)  # no frames from before behind those that will come
        ballast.keep(self.path)

    def _leave_cleanly(self) -> None:
        """Copy the log into the file, if it is ours, and let SQLite delete it once it is empty."""
        with self._mutex, sqlite_file.told(self.path), suppress(apsw.LockedError):  # who still reads keeps the log
            if self._is_written:
                self._checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)
            frames, _ = self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
            self._db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(frames > 0))

    def _checked(self) -> Chain:
        """Check the file's structure and every record."""
        with sqlite_file.told(self.path):
            (verdict,) = self._one("PRAGMA quick_check(1)") or ("nothing",)
            if verdict != "ok":
                raise JournalCorrupt(f"{self.path}: is damaged ({' '.join(str(verdict).split())}); {WAY_OUT}")
            chain = super()._checked()
            first, last = self._one(_ENDS) or (1, 0)
        if (first, last) != (1, chain.number):
            raise JournalCorrupt(
                f"{self.path}: has {chain.number} records, numbered {first} to {last}: some are missing; {WAY_OUT}"
            )
        self._check_end()
        return chain

    def _check_end(self) -> None:
        """Check that nothing is missing at the end, where SQLite drops what it cannot read."""
        with sqlite_file.told(self.path):
            with self._mutex:
                ended, _ = self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
                problem = wal.damage(self.path, ended, self._vfs)
            mark = self._mark.read()
            row = self._one(_HASH, mark.number) if mark else None
        if problem:
            raise JournalCorrupt(f"{self.path}{wal.SUFFIX}: {problem}, so records are missing; {WAY_OUT}")
        if mark and row != (mark.hash,):
            raise JournalCorrupt(
                f"{self.path}: record {mark.number} was acknowledged and is {'another one' if row else 'gone'}, as "
                f"{self.path}{SUFFIX} shows: the end of the journal is damaged, or it is an older copy (then delete "
                f"that file too); {WAY_OUT}"
            )

    def _opened(self) -> int:
        """Return the number of the newest record that a fold may begin at, zero for none."""
        with sqlite_file.told(self.path):
            row = self._one(_OPENED, OPENS_AT + 1, OPENS)
        return row[0] if row else 0

    def _records(self, after: int) -> Iterator[Record]:
        with sqlite_file.told(self.path):
            yield from super()._records(after)

    def _batches(self, after: int) -> Iterator[list[Row]]:
        """Read some at a time; in between another thread may have the connection."""
        with self._mutex:
            cursor = self._db.execute(_ROWS, (after,))
        try:
            while batch := self._next(cursor):
                yield batch
        finally:
            with self._mutex:
                cursor.close()

    def _next(self, cursor: apsw.Cursor) -> list[Row]:
        with self._mutex:
            return list(islice(cursor, _ROWS_AT_ONCE))

    def _one(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        """Return the only row of what is asked."""
        with self._mutex:
            rows = self._db.execute(statement, values).fetchall()
        return rows[0] if rows else None

    def _commit(self, rows: list[Numbered]) -> None:
        with self._mutex:
            if self._log_pages >= _LOG_PAGES_AT_MOST:
                self._checkpoint()
            try:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany(_INSERT, rows)
                self._db.execute("COMMIT")
            except apsw.FullError as error:
                self._roll_back()
                message = f"{self.path}: there is no room for more records; make room, then start again"
                raise JournalFull(message) from error
            except apsw.Error as error:
                raise self._failed(error) from error

    def _acknowledge(self, end: Chain) -> None:
        """Write the watermark: SQLite drops in silence what it cannot read at the end of its log."""
        self._mark.write(end.number, end.hash)

    def _roll_back(self) -> None:
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except apsw.Error as error:
            raise self._failed(error) from error

    def _checkpoint(self, mode: int = apsw.SQLITE_CHECKPOINT_PASSIVE) -> None:
        """Copy the log into the file. No room for it is no failure: the records are durable in the log."""
        try:
            self._db.wal_checkpoint(mode=mode)
        except (apsw.FullError, apsw.BusyError, apsw.LockedError):  # or somebody reads: another time, then
            return
        except apsw.Error as error:
            raise self._failed(error) from error
        self._log_pages = 0

    def _failed(self, error: apsw.Error) -> NotDurable:
        """Let nothing follow: a second attempt might succeed without the pages that the first one lost."""
        self._failure = f"the disk failed ({error})"
        return NotDurable(f"{self.path}: records may not be on disk: {error}")

    def _logged(self, connection: apsw.Connection, name: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _copy_to(self, path: Path) -> None:
        with sqlite_file.told(path), closing(apsw.Connection(str(path))) as copy:
            with self._mutex:
                copying = copy.backup("main", self._db, "main")
            try:
                self._copy_pages(copying)
            finally:
                with self._mutex:
                    copying.finish()

    def _copy_pages(self, copying: apsw.Backup) -> None:
        """Copy some pages at a time, so that a writer need not wait for all of them."""
        while not copying.done:
            with self._mutex:
                copying.step(_BACKUP_PAGES)
