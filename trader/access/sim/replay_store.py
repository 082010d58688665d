"""Recorded rows in one table that spills to disk: read once, judged row by row, handed out in time order.

*Why* a database and not a merge of open files: bar files are mostly sorted by symbol, so the first minute of the last
symbol stands at the very end. Sorting outside of memory is what DuckDB does well.
"""

import tempfile
import weakref
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from shutil import rmtree
from typing import NamedTuple

import duckdb

from trader.access.sim.replay_columns import NUMBERS, is_text, parsed_sql, quoted, unreadable
from trader.access.sim.replay_files import BarFile, cannot_read, open_file
from trader.errors import DataError
from trader.model.ticks import MAX_PRICE, MIN_PRICE, Bar
from trader.model.time import MINUTE

MEMORY_LIMIT = "512MB"  # what the sort may hold; beyond it goes to the temporary folder
THREADS = 2  # each one needs its share of that memory, and the desk wants a core too
_ROWS = 10_000  # rows fetched at once: a few MB as Python objects
_PROBED_ROWS = 1000  # how many cells are tried before a text column is called unreadable
_LAST_START = 9_200_000_000 * 1_000_000_000  # the year 2261: one minute more still fits 64 bits

# Prices computed from 32-bit floats differ from themselves in the seventh digit. Within that, high and low are widened
# to hold open and close; beyond it the row is wrong.
_NOISE = 1e-6

# First reason that holds, in this order. Comparisons would take NaN for a large number: finiteness comes before them.
_REFUSED = f"""CASE
    WHEN flaw IS NOT NULL THEN flaw
    WHEN sym IS NULL THEN 'no_symbol'
    WHEN start IS NULL OR abs(start) > {_LAST_START} THEN 'bad_time'
    WHEN start % {MINUTE} <> 0 THEN 'off_minute'
    WHEN NOT coalesce({" AND ".join(f"isfinite({name})" for name in NUMBERS)}, false) THEN 'not_a_number'
    WHEN least(open, high, low, close) <= 0 THEN 'price_not_positive'
    WHEN least(open, high, low, close) < {MIN_PRICE} OR greatest(open, high, low, close) > {MAX_PRICE}
        THEN 'price_out_of_range'
    WHEN volume < 0 THEN 'negative_volume'
    WHEN high < low * {1 - _NOISE} THEN 'high_below_low'
    WHEN greatest(open, close) > high * {1 + _NOISE} OR least(open, close) < low * {1 - _NOISE} THEN 'outside_range'
END"""

# A row that stands below a later time of its symbol in its file is late. The window costs as much as the sort, so it is
# used only where the survey has seen a step back.
_IS_LATE = """coalesce(start < max(start) OVER (
    PARTITION BY file, sym ORDER BY rowid ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), false)"""

# Rows of one minute and symbol come together, those in order first, then as read: the first one wins.
_IN_TIME_ORDER = """
SELECT enum_code(sym), start, open, high, low, close, volume, is_late
FROM (SELECT *, rowid AS place, {is_late} AS is_late FROM bars WHERE refused IS NULL)
ORDER BY start, sym, is_late, place"""


class Survey(NamedTuple):
    """What is known of one file's wanted rows.

    ``is_sparse``: all its minutes are multiples of 2, of 3 or of 5 minutes apart. ``has_steps_back``: a row is earlier
    than the one above it of the same symbol; ``is_backwards``: every row is.
    """

    rows: int
    off_minute: int
    minutes: int
    is_sparse: bool
    has_steps_back: bool
    is_backwards: bool


class BarStore:
    """A table of bars, in memory as far as :data:`MEMORY_LIMIT` goes; :meth:`close` it."""

    def __init__(self, symbols: Sequence[str]) -> None:
        """Make an empty table for these symbols, sorted and each once."""
        self._symbols = symbols
        folder = tempfile.mkdtemp(prefix="trader-replay-")
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": folder,
            "threads": THREADS,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        self.connection = duckdb.connect(":memory:", config=config)
        # The stream has a connection of its own: another statement on it would end the stream early, without an error.
        self._reader = self.connection.cursor()
        self._release = weakref.finalize(self, _release, folder, self._reader, self.connection)
        self.connection.execute("SET TimeZone = 'UTC'")  # what a time without an offset means
        values = ", ".join(quoted(symbol) for symbol in symbols)
        self.connection.execute(f"CREATE TYPE wanted AS ENUM ({values})")
        columns = ", ".join(f"{name} DOUBLE" for name in NUMBERS)
        self.connection.execute(
            f"CREATE TABLE bars (file INTEGER, sym wanted, start BIGINT, {columns}, refused VARCHAR)"
        )

    def close(self) -> None:
        """Let go of the table and of what it spilled; once is enough, twice does no harm."""
        self._release()

    def load(self, number: int, path: Path) -> None:
        """Read a file's wanted rows under its number.

        Raises:
            DataError: it cannot be read as bars.
        """
        file = open_file(path, self.connection)
        if file.name_symbols and self._symbol_named(file) not in self._symbols:
            return
        try:
            self._probe(file)
            self.connection.execute(self._insert_sql(number, file))
        except duckdb.Error as error:
            raise cannot_read(path, error) from error
        sql = "SELECT 1 FROM bars WHERE file = ? AND refused = 'open_quote'"
        if self.connection.execute(sql, [number]).fetchone():
            raise DataError('a quote (") is opened and not closed on its line; close or remove it', source=str(path))

    def symbols_in(self, path: Path, *, limit: int) -> list[str]:
        """List some of the symbols that a file holds, wanted or not."""
        file = open_file(path, self.connection)
        if file.name_symbols:
            return [f"{file.name_symbols[-1]} ({file.note})"]
        rows = self.connection.execute(
            f"SELECT DISTINCT {file.roles['symbol'].sql} FROM {file.table} ORDER BY 1 NULLS LAST LIMIT {limit:d}"  # noqa: S608
        )
        return [name for (name,) in rows.fetchall() if name]

    def symbols(self) -> set[str]:
        """Return the wanted symbols that have rows, good or bad."""
        rows = self.connection.execute("SELECT DISTINCT sym::VARCHAR FROM bars WHERE sym IS NOT NULL")
        return {name for (name,) in rows.fetchall()}

    def refused(self) -> Counter[str]:
        """Count the rows refused on their own account, by reason; order and duplicates show while reading."""
        sql = "SELECT refused, count(*) FROM bars WHERE refused IS NOT NULL GROUP BY refused ORDER BY refused"
        return Counter(dict(self.connection.execute(sql).fetchall()))

    def survey(self) -> dict[int, Survey]:
        """Return what is known of each file that has wanted rows, by its number."""
        same = " OR ".join(f"min(minute % {n}) = max(minute % {n})" for n in (2, 3, 5))
        rows = self.connection.execute(f"""
            SELECT file, count(*), count(*) FILTER (refused = 'off_minute'), count(DISTINCT minute),
                coalesce({same}, false), coalesce(bool_or(step < 0), false), coalesce(bool_and(step < 0), false)
            FROM (
                SELECT file, refused, CASE WHEN refused IS NULL THEN start // {MINUTE} END AS minute,
                    CASE WHEN refused IS NULL THEN start - lag(start) OVER (
                        PARTITION BY file, sym, refused IS NULL ORDER BY rowid) END AS step
                FROM bars)
            GROUP BY file ORDER BY file""")  # noqa: S608 - numbers of this program
        return {file: Survey(*rest) for file, *rest in rows.fetchall()}

    def spacings(self, file: int) -> tuple[int, int]:
        """Return the smallest and the commonest nanoseconds from one bar of a file to its symbol's next, 0 for none."""
        row = self.connection.execute(
            "SELECT min(gap), mode(gap) FROM (SELECT start - lag(start) OVER (PARTITION BY sym ORDER BY start) AS gap "
            "FROM bars WHERE file = ? AND refused IS NULL) WHERE gap > 0",
            [file],
        ).fetchone()
        return (int(row[0]), int(row[1])) if row and row[0] is not None else (0, 0)

    def off_minute_start(self, file: int) -> int:
        """Return the time of one row of a file that is not on a whole minute."""
        sql = "SELECT min(start) FROM bars WHERE file = ? AND refused = 'off_minute'"
        row = self.connection.execute(sql, [file]).fetchone()
        assert row is not None, "an aggregate always has its row"
        return int(row[0])

    def last_start(self) -> int:
        """Return the start of the newest good bar."""
        row = self.connection.execute("SELECT max(start) FROM bars WHERE refused IS NULL").fetchone()
        assert row is not None, "an aggregate always has its row"
        return int(row[0])

    def minutes(self, skipped: Counter[str], *, has_steps_back: bool) -> Iterator[list[Bar]]:
        """Yield the good bars minute by minute, by symbol in each; count the rest into ``skipped`` on the way.

        ``has_steps_back`` says that the survey found one in any file.
        """
        self._reader.execute(_IN_TIME_ORDER.format(is_late=_IS_LATE if has_steps_back else "false"))
        symbols, batch, start, last = self._symbols, list[Bar](), -1, -1
        rows = chain.from_iterable(iter(partial(self._reader.fetchmany, _ROWS), []))
        for code, begin, open_, high, low, close, volume, is_late in rows:
            if begin != start:
                if batch:
                    yield batch
                batch, start, last = [], begin, -1
            if code == last:
                skipped["duplicate"] += 1
            elif is_late:
                skipped["out_of_order"] += 1
            else:
                batch.append(Bar(symbols[code], begin + MINUTE, open_, high, low, close, volume))
            last = code
        if batch:
            yield batch

    def _symbol_named(self, file: BarFile) -> str:
        return next((name for name in file.name_symbols if name in self._symbols), file.name_symbols[-1])

    def _probe(self, file: BarFile) -> None:
        """Refuse a text column of which no cell can be read: a wrong column is one mistake, not a million bad rows."""
        texts = [(role, column) for role, column in file.roles.items() if role != "symbol" and is_text(column)]
        if not texts:
            return
        counts = ", ".join(f"count(value_{role}), any_value(nullif(cell_{role}, ''))" for role, _ in texts)
        cells = ", ".join(
            f"{parsed_sql(role, column)} AS value_{role}, {column.sql} AS cell_{role}" for role, column in texts
        )
        row = self.connection.execute(
            f"SELECT {counts} FROM (SELECT {cells} FROM {file.table} LIMIT {_PROBED_ROWS})"  # noqa: S608 - quoted
        ).fetchone()
        assert row is not None, "an aggregate always has its row"
        for (role, column), readable, example in zip(texts, row[::2], row[1::2], strict=True):
            if not readable and example is not None:
                raise unreadable(role, column, example=example, file=file.path)

    def _insert_sql(self, number: int, file: BarFile) -> str:
        if file.name_symbols:
            symbol, condition = quoted(self._symbol_named(file)), ""
        else:
            symbol, wanted = file.roles["symbol"].sql, ", ".join(quoted(name) for name in self._symbols)
            condition = f"WHERE {symbol} IN ({wanted}) OR coalesce({symbol}, '') = '' OR {file.flaw} = 'open_quote'"
        values = ", ".join(f"{parsed_sql(name, file.roles[name])} AS {name}" for name in NUMBERS)
        return f"""
            INSERT INTO bars
            SELECT {number:d}, sym, start, open, greatest(open, high, low, close), least(open, high, low, close), close,
                volume, {_REFUSED}
            FROM (
                SELECT TRY_CAST({symbol} AS wanted) AS sym, {parsed_sql("ts", file.roles["ts"])} AS start, {values},
                    {file.flaw} AS flaw
                FROM {file.table} {condition})"""  # noqa: S608 - every name and path in it is quoted


def _release(folder: str, *connections: duckdb.DuckDBPyConnection) -> None:
    for connection in connections:
        connection.close()
    rmtree(folder, ignore_errors=True)
