"""The files of a replay: found, opened far enough to know their columns, and described to the query that reads them."""

import csv
import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

import duckdb

from trader.access.sim.replay_columns import Column, identify, near_symbol_column, quoted
from trader.errors import DataError

SUFFIXES = (".parquet", ".csv")
_DELIMITERS = ",;\t|"
_LONGEST_HEADER = 65_536  # characters; a longer first line is no header
_EXTRA_CELL = "more"  # what stands beyond the last named column of a CSV row


class BarFile(NamedTuple):
    """One file: ``table`` is the SQL that reads it, ``roles`` its columns by role, ``flaw`` SQL naming a broken row.

    Without a symbol column ``name_symbols`` are the symbols its name may mean, likeliest last, and ``note`` tells a
    person so; both are empty otherwise.
    """

    path: Path
    table: str
    roles: dict[str, Column]
    name_symbols: tuple[str, ...]
    note: str
    flaw: str


def files_of(paths: Sequence[Path]) -> list[Path]:
    """List the files: a folder stands for the .parquet and .csv files directly in it, by name; each file counts once.

    Symbolic links in a folder are not followed; a link that is named itself is.

    Raises:
        DataError: a path does not exist, is of another kind, or a folder holds nothing to read.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        for file in _files_in(path) if path.is_dir() else [_file_at(path)]:
            found.setdefault(file.resolve(), file)
    if not found:
        raise DataError("no data file is named; name .parquet or .csv files, or folders of them")
    return list(found.values())


def open_file(path: Path, connection: duckdb.DuckDBPyConnection) -> BarFile:
    """Read a file's column names and types, nothing more.

    Raises:
        DataError: it is not what its suffix says, or lacks a column.
    """
    is_csv = path.suffix.lower() == ".csv"
    table, columns, flaw = _open_csv(path) if is_csv else _open_parquet(path, connection)
    roles = identify(columns, path)
    if "symbol" in roles:
        return BarFile(path, table, roles, (), "", flaw)
    near = near_symbol_column(columns)
    note = "it has no symbol column, so its name is the symbol" + (f"; did you mean {near!r}?" if near else "")
    names = (path.stem, path.stem.upper(), path.stem.upper().replace("-", "/"))  # BRK-B is a stock, BTC-USD a pair
    return BarFile(path, table, roles, names, note, flaw)


def cannot_read(path: Path, error: duckdb.Error) -> DataError:
    """Build the error for a file that the reader refuses."""
    kind = "CSV" if path.suffix.lower() == ".csv" else "Parquet"
    return DataError(f"cannot be read as {kind}: {reason_of(error)}; correct it, or leave it out", source=str(path))


def reason_of(error: duckdb.Error) -> str:
    """Return what the database says went wrong, without the line at fault (it may be a megabyte) and its advice."""
    paragraph = str(error).split("\n\n", 1)[0].splitlines()
    said = ": ".join(line for line in paragraph if not line.startswith("Original Line"))
    return re.sub(r"^[A-Za-z /]*Error: ", "", said)[:300]


def _files_in(folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"the folder cannot be read: {error.strerror}", source=str(folder)) from error
    files = [entry for entry in entries if _is_data(entry) and entry.is_file() and not entry.is_symlink()]
    if not files:
        names = ", ".join(entry.name for entry in entries[:8]) or "nothing"
        raise DataError(
            f"this folder holds no .parquet or .csv file (links are not followed, folders in it not searched); "
            f"found {names}",
            source=str(folder),
        )
    return files


def _file_at(path: Path) -> Path:
    if not path.exists():
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        near = get_close_matches(path.name, siblings, n=1)
        hint = (
            f"; did you mean {str(path.with_name(near[0]))!r}?" if near else f"; the folder you are in is {Path.cwd()}"
        )
        raise DataError(f"no such file or folder{hint}", source=str(path))
    if not path.is_file() or not _is_data(path):
        raise DataError(f"is not a .parquet or .csv file, but {path.suffix or 'without a suffix'!r}", source=str(path))
    return path


def _is_data(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _open_parquet(path: Path, connection: duckdb.DuckDBPyConnection) -> tuple[str, list[Column], str]:
    table = f"read_parquet({_literal(path)}, hive_partitioning = false, binary_as_string = true)"
    try:
        rows = connection.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()  # noqa: S608 - the path is quoted
    except duckdb.Error as error:
        raise cannot_read(path, error) from error
    return table, [Column(name, '"' + name.replace('"', '""') + '"', kind) for name, kind, *_ in rows], "NULL"


def _open_csv(path: Path) -> tuple[str, list[Column], str]:
    """Take the header ourselves: a sniffer that guesses types would guess differently from file to file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            header = lines.readline(_LONGEST_HEADER)
    except UnicodeDecodeError as error:
        raise DataError("is not UTF-8 text; save it as UTF-8", source=str(path)) from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", source=str(path)) from error
    if not header.strip():
        raise DataError("its first line is empty; it must name the columns", source=str(path))
    delimiter = max(_DELIMITERS, key=header.count)
    names = next(csv.reader([header], delimiter=delimiter))
    cells = [*(f"c{place}" for place in range(len(names))), _EXTRA_CELL]
    types = ", ".join(f"{quoted(cell)}: 'VARCHAR'" for cell in cells)
    # Rows that are too short or too long stay rows, to be counted; parallel reading would lose the order of rows.
    table = (
        f"read_csv({_literal(path)}, auto_detect = false, header = true, delim = {quoted(delimiter)}, quote = '\"', "
        f"escape = '\"', columns = {{{types}}}, null_padding = true, strict_mode = false, parallel = false, "
        f"hive_partitioning = false)"
    )
    # A quote that is never closed swallows the lines below it into one cell.
    flaw = (
        f"CASE WHEN contains(concat({', '.join(cells)}), chr(10)) THEN 'open_quote' "
        f"WHEN {_EXTRA_CELL} IS NOT NULL THEN 'too_many_cells' END"
    )
    columns = [Column(name.strip(), f"trim({cell})", "VARCHAR") for name, cell in zip(names, cells, strict=False)]
    return table, columns, flaw


def _literal(path: Path) -> str:
    """Quote a path, and its ``*``, ``?`` and ``[``, which would otherwise be a pattern that names other files."""
    return quoted(re.sub(r"([*?\[])", r"[\1]", str(path)))
