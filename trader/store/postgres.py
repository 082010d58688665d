"""The journal in PostgreSQL, for a team that has one and takes its backups.

A table is a journal; the schema that a connection looks in (``?options=-csearch_path%3Dpaper``) tells two apart. What
was acknowledged, the server has flushed to its disk. One process writes: it holds an advisory lock in the session that
it writes with, so who has lost the one has lost the other. Nothing is sent twice and no connection is made anew: when
one is lost nobody knows whether the last records are there; the next start reads it.
"""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Final, LiteralString

from trader.errors import ConfigError, JournalCorrupt, JournalFull, JournalLocked, NotDurable, StoreError
from trader.model.time import SECOND, iso
from trader.store import sqlite_file
from trader.store.checked import CheckedJournal, Numbered
from trader.store.journal import FORMAT, OPENS, OPENS_AT, WAY_OUT, Chain, Row, refuse_newer

try:
    import psycopg
    from psycopg import errors, sql
    from psycopg.conninfo import conninfo_to_dict, make_conninfo
except ImportError as missing:
    raise ConfigError(
        f"a journal in PostgreSQL needs psycopg ({missing}): {sys.executable} -m pip install 'psycopg[binary]'"
    ) from missing

SCHEMES: Final = ("postgresql://", "postgres://")

_OURS: Final = "trader journal, format "  # the table's comment, and a number
_LOCK: Final = 0x74726472 << 32  # "trdr" in the upper half of the lock's number, the table's own in the lower
_AT_ONCE: Final = 5_000  # records read at a time: some two MB

# A peer that is gone is noticed within half a minute on both sides, by us for one that does not take what is sent too.
_CONNECTION: Final = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
    "target_session_attrs": "read-write",  # of several servers the one that may be written
}
# What is set for the user or the data base may be meant for other programs.
_SESSION: Final[tuple[LiteralString, ...]] = (
    "SET synchronous_commit TO on",
    "SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('statement_timeout', 'idle_session_timeout')",
    "SET tcp_keepalives_idle TO 10",
    "SET tcp_keepalives_interval TO 5",
    "SET tcp_keepalives_count TO 3",
)
_SERVER: Final = "SELECT current_setting('fsync'), current_schema(), pg_backend_pid()"
_FIND: Final = """
    SELECT name::oid::bigint, obj_description(name::oid, 'pg_class') FROM to_regclass('trader_events') AS name
"""
_CREATE: Final[tuple[LiteralString, ...]] = (
    "SELECT pg_advisory_xact_lock(1953653874)",
    "CREATE TABLE IF NOT EXISTS trader_events (number bigint PRIMARY KEY, body bytea NOT NULL, hash bytea NOT NULL)",
)
_COMMENT: Final = "COMMENT ON TABLE trader_events IS {}"
_HOLDER: Final = """
    SELECT activity.application_name, host(activity.client_addr), extract(epoch FROM activity.backend_start)::bigint
    FROM pg_locks AS lock JOIN pg_stat_activity AS activity USING (pid)
    WHERE lock.locktype = 'advisory' AND lock.granted AND (lock.classid::bigint << 32) + lock.objid::bigint = %s
"""
_INSERT: Final = "INSERT INTO trader_events SELECT * FROM unnest(%b::bigint[], %b::bytea[], %b::bytea[])"
_ROWS: Final = "SELECT number, body, hash FROM trader_events WHERE number > %s ORDER BY number LIMIT %s"
_OPENED: Final = "SELECT number FROM trader_events WHERE substr(body, %s, 1) = %b ORDER BY number DESC LIMIT 1"


def open_postgres(url: str, *, is_new_allowed: bool = True) -> "PostgresJournal":
    """Open the journal that ``url`` leads to, for this process alone.

    Raises:
        ConfigError: there is none and none may be made, the address is none, or the server is not fit for it.
        JournalLocked: another process has it.
        JournalCorrupt: something else is in its place.
        StoreError: the server cannot be reached, or refuses.
    """
    database, name = _connect(url)
    try:
        with _told(name):
            name = _prepare(database, name)
            if _find(database, name) is None and is_new_allowed:
                _create(database)
            table = _find(database, name)
            if table is None:
                raise ConfigError("there is no journal", source=name)
            _lock(database, table, name)
    except BaseException:
        database.close()
        raise
    return PostgresJournal(database, name, url)


class PostgresJournal(CheckedJournal):
    """A journal in a table; see :class:`~trader.store.journal.Journal` for what each method promises."""

    def __init__(self, database: psycopg.Connection, name: str, url: str) -> None:
        """Take over a connection that holds the journal's lock; ``name`` is shown, and has no password in it."""
        super().__init__(name)
        self._db = database
        self._url = url

    def rest(self) -> None:
        """See whether the server is there: better now than with the next order."""
        if not self._failure:
            try:
                self._db.execute("SELECT 1")
            except psycopg.Error as error:
                raise self._failed(error) from error

    def backup(self, path: Path) -> None:
        """Copy the journal to a file, which is a journal in SQLite."""
        if path.exists():
            raise ConfigError("exists already; a backup overwrites nothing", source=str(path))
        part = path.with_name(path.name + ".part")
        database, _ = _connect(self._url)
        try:
            with sqlite_file.told(path):
                _write_file(part, chain.from_iterable(_batches(database, self._name, 0)))
                part.rename(path)
                sqlite_file.sync_folder(path)
        finally:
            database.close()

    def release_ballast(self) -> bool:
        """Say that there is none: the room is the server's."""
        return False

    def close(self) -> None:
        """Let go of the connection, and with it of the lock."""
        self._failure = self._failure or "it was closed"
        self._db.close()

    def _begin_writing(self) -> None:
        """Do nothing: the server has."""

    def _opened(self) -> int:
        """Return the number of the newest record that a fold may begin at, zero for none."""
        with _told(self._name):
            row = self._db.execute(_OPENED, (OPENS_AT + 1, OPENS)).fetchone()
        return int(row[0]) if row else 0

    def _batches(self, after: int) -> Iterator[list[Row]]:
        return _batches(self._db, self._name, after)

    def _acknowledge(self, end: Chain) -> None:
        """Do nothing: the server knows the end of its table."""

    def _commit(self, rows: list[Numbered]) -> None:
        try:
            self._db.execute(_INSERT, [list(column) for column in zip(*rows, strict=True)])
        except errors.DiskFull as error:  # the statement was undone; a log without room would have ended the server
            raise JournalFull(f"{self._name}: the server has no room for more records") from error
        except psycopg.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: psycopg.Error) -> NotDurable:
        """Let nothing follow: what was sent may have been written or not."""
        self._failure = f"the server failed ({_line(error)})"
        self._db.close()
        return NotDurable(f"{self._name}: records may not be in the data base: {_line(error)}")


def _connect(url: str) -> tuple[psycopg.Connection, str]:
    """Connect, and say how the journal may be called where people read it."""
    try:
        given = conninfo_to_dict(url if url.startswith(SCHEMES) else "?")
    except psycopg.ProgrammingError:  # which shows the whole address, and its password
        raise ConfigError(
            "the journal's address cannot be read: write it as postgresql://USER@HOST:PORT/DATABASE, or name a file"
        ) from None
    name = f"postgresql://{given.get('host', '')}/{given.get('dbname', '')}"
    given["application_name"] = f"trader, process {os.getpid()} on {socket.gethostname()}"
    try:
        return psycopg.connect(make_conninfo(make_conninfo("", **_CONNECTION), **given), autocommit=True), name
    except psycopg.Error as error:
        raise StoreError(
            f"{name}: cannot be reached ({_line(error)}); is the server up, and the address right?"
        ) from None


def _prepare(database: psycopg.Connection, name: str) -> str:
    """See to it that what is acknowledged is durable; return the journal's name with its schema."""
    for setting in _SESSION:
        database.execute(setting)
    syncs, schema, process = database.execute(_SERVER).fetchone() or ("", "", 0)
    if syncs != "on":
        raise ConfigError("the server runs with fsync off: it would lose what it acknowledged", source=name)
    if process != database.info.backend_pid:
        raise ConfigError(
            "a pooler stands before the server, and no lock can be held through it: give the server's own address",
            source=name,
        )
    return f"{name}, schema {schema}"


def _find(database: psycopg.Connection, name: str) -> int | None:
    """Return the number of the journal's table, None where there is none; refuse one that is not ours."""
    table, comment = database.execute(_FIND).fetchone() or (None, None)
    if table is None:
        return None
    number = (comment or "").removeprefix(_OURS)
    if number == comment or not number.isdecimal():
        raise JournalCorrupt(f"{name}: has a table trader_events that is no journal of trader; {WAY_OUT}")
    refuse_newer(int(number), source=name)
    return int(table)


def _create(database: psycopg.Connection) -> None:
    """Make the table, all of it or nothing, however many processes try."""
    with database.transaction():
        for statement in _CREATE:
            database.execute(statement)
        database.execute(sql.SQL(_COMMENT).format(f"{_OURS}{FORMAT}"))


def _lock(database: psycopg.Connection, table: int, name: str) -> None:
    """Be the only process that writes, as long as this connection lives."""
    (is_ours,) = database.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK + table,)).fetchone() or (False,)
    if is_ours:
        database.execute(sql.SQL(_COMMENT).format(f"{_OURS}{FORMAT}"))  # from here on an older program refuses it
        return
    holder, address, since = database.execute(_HOLDER, (_LOCK + table,)).fetchone() or ("", None, None)
    who = holder or "another process"
    if address:
        who += f", from {address}"
    if since:
        who += f", since {iso(since * SECOND)}"
    raise JournalLocked(f"{name} is in use by {who}; stop that one first")


def _batches(database: psycopg.Connection, name: str, after: int) -> Iterator[list[Row]]:
    """Give the records behind number ``after`` a few thousand at a time; no transaction stays open between them."""
    while True:
        with _told(name):
            rows = database.execute(_ROWS, (after, _AT_ONCE), binary=True).fetchall()
        if not rows:
            return
        for number, _, _ in rows:
            after += 1
            if number != after:
                raise JournalCorrupt(f"{name}: record {after} is missing, the next one is {number}; {WAY_OUT}")
        yield [(body, digest) for _, body, digest in rows]


def _write_file(path: Path, rows: Iterator[Row]) -> None:
    """Make a journal's file of records, whole and durable when this returns."""
    path.unlink(missing_ok=True)
    sqlite_file.create(path)
    copy = sqlite_file.connect(path)
    try:
        with copy:
            copy.executemany("INSERT INTO events VALUES (?, ?, ?)", ((at, *row) for at, row in enumerate(rows, 1)))
        copy.pragma("journal_mode", "DELETE")  # the log goes into the file, and away
    finally:
        copy.close()


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn what the server says while a journal is opened or read into words of ours."""
    try:
        yield
    except (errors.DataCorrupted, errors.IndexCorrupted, errors.UndefinedColumn) as error:
        raise JournalCorrupt(f"{name}: is damaged ({_line(error)}); {WAY_OUT}") from error
    except psycopg.Error as error:
        raise StoreError(f"{name}: cannot be read or written ({_line(error)})") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
