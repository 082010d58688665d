"""Which column of a bar file is which: names, types, and the SQL that turns each into our units."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from trader.errors import DataError, Problem

PRICES = ("open", "high", "low", "close")
NUMBERS = (*PRICES, "volume")

# Best name first: with both `timestamp` and `date` in a file, the first is the time of the bar.
ALIASES: dict[str, tuple[str, ...]] = {
    "symbol": ("symbol", "ticker", "sym", "s"),
    "ts": ("ts", "timestamp", "datetime", "time", "date", "t"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v"),
    "adjusted": ("adj_close", "adjusted_close", "adj close", "adjclose"),
}
_OPTIONAL = {"symbol", "adjusted"}

_TEXT = "VARCHAR"
_INTEGERS = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"}
)
_FRACTIONS = ("FLOAT", "DOUBLE", "DECIMAL")
_TIMES = ("TIMESTAMP", "DATE")
_WANTED_TYPES = {
    "symbol": "text",
    "ts": "a timestamp, ISO text (2019-12-16T14:31:00Z) or whole seconds, ms, µs or ns since 1970",
    **dict.fromkeys((*NUMBERS, "adjusted"), "numbers"),
}

# Whole numbers since 1970 tell their unit by their size; the limits are the year 2262, where nanoseconds end.
_EPOCH_UNITS = ((9_200_000_000, 1_000_000), (9_200_000_000_000, 1000), (9_200_000_000_000_000, 1))


class Column(NamedTuple):
    """A column as it stands in the file, as a query names it, and its type (a CSV's cells are all text)."""

    name: str
    sql: str
    type: str


def identify(columns: Sequence[Column], file: Path) -> dict[str, Column]:
    """Find the column of each role; ``symbol`` may be absent, then the file's name is the symbol; so may ``adjusted``.

    Raises:
        DataError: a role has no column, or its column has a type that cannot be it; every such problem at once.
    """
    found = {role: column for role in ALIASES if (column := _named(role, columns))}
    missing = [role for role in ALIASES if role not in found and role not in _OPTIONAL]
    problems = [Problem(role, _missing_message(role, columns)) for role in missing]
    problems += [
        Problem(
            column.name, f"holds {column.type}, which cannot be {role}; it must be {_WANTED_TYPES[role]}: convert it"
        )
        for role, column in found.items()
        if not _suits(role, column.type)
    ]
    if problems:
        raise DataError(problems, source=str(file))
    return found


def parsed_sql(role: str, column: Column) -> str:
    """Return SQL for the value of a time (nanoseconds since 1970) or a number (a double); NULL where a cell is none."""
    return _time_sql(column) if role == "ts" else f"TRY_CAST({column.sql} AS DOUBLE)"


def unreadable(role: str, column: Column, *, example: str, file: Path) -> DataError:
    """Build the error for a text column in which no cell can be read."""
    message = f"holds {example!r}, which is not {role}; it must be {_WANTED_TYPES[role]}"
    if role == "ts" and ":" in example and "-" not in example:
        message += "; a time of day alone is not enough: put date and time into one column"
    return DataError([Problem(column.name, message)], source=str(file))


def is_text(column: Column) -> bool:
    """Tell whether the column's cells are text that is still to be read."""
    return column.type == _TEXT


def quoted(text: str) -> str:
    """Write ``text`` as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def near_symbol_column(columns: Sequence[Column]) -> str:
    """Return the column that looks like a misspelt ``symbol``, or an empty text."""
    near = get_close_matches("symbol", [column.name.strip().casefold() for column in columns], n=1)
    return near[0] if near else ""


def _named(role: str, columns: Sequence[Column]) -> Column | None:
    by_exact = {column.name.strip(): column for column in reversed(columns)}
    by_folded = {column.name.strip().casefold(): column for column in reversed(columns)}
    for alias in ALIASES[role]:
        column = by_exact.get(alias) or by_folded.get(alias)
        if column is not None:
            return column
    return None


def _missing_message(role: str, columns: Sequence[Column]) -> str:
    names = [column.name for column in columns]
    near = get_close_matches(role, [name.strip().casefold() for name in names], n=1)
    hint = f"; did you mean {near[0]!r}? rename it" if near else ""
    allowed = ", ".join(ALIASES[role])
    return f"no such column{hint}; found {_listed(names)}; allowed names are {allowed} (the first line names them)"


def _listed(names: Sequence[str], *, limit: int = 12) -> str:
    shown = ", ".join(repr(name[:40]) for name in names[:limit])
    return shown + (f" and {len(names) - limit} more" if len(names) > limit else "")


def _suits(role: str, kind: str) -> bool:
    if role == "symbol":
        return kind == _TEXT
    number = kind in _INTEGERS or kind.startswith(_FRACTIONS)
    if role == "ts":
        return number or kind == _TEXT or kind.startswith(_TIMES)
    return number or (kind == _TEXT)


def _time_sql(column: Column) -> str:
    if column.type == _TEXT:
        # A time beyond 2262 does not fit nanoseconds and raises; TRY makes it NULL like any other unreadable cell.
        text = f"TRY(epoch_ns(TRY_CAST({column.sql} AS TIMESTAMPTZ)))"
        return f"coalesce({text}, {_epoch_sql(f'TRY_CAST({column.sql} AS BIGINT)')})"
    if column.type.startswith(_TIMES):
        return f"TRY(epoch_ns({column.sql}))"
    if column.type in _INTEGERS:
        return _epoch_sql(f"TRY_CAST({column.sql} AS BIGINT)")
    return _fraction_sql(f"CAST({column.sql} AS DOUBLE)")


def _epoch_sql(number: str) -> str:
    cases = " ".join(
        f"WHEN {number} BETWEEN {-limit} AND {limit} THEN {number} * {factor * 1000}" for limit, factor in _EPOCH_UNITS
    )
    return f"(CASE {cases} ELSE {number} END)"


def _fraction_sql(number: str) -> str:
    # A double holds nanoseconds of today only to 256: round to microseconds.
    cases = " ".join(f"WHEN abs({number}) <= {limit} THEN {number} * {factor}" for limit, factor in _EPOCH_UNITS)
    return f"TRY(TRY_CAST(round(CASE {cases} ELSE {number} / 1000 END) AS BIGINT) * 1000)"
