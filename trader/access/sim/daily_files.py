"""Files of daily bars, Parquet or CSV, for a replay: what its symbols did in the years before it begins.

A time in such a file names its day: midnight UTC is that date, any other time is of the day it falls into, in New
York for stocks and in UTC for coins. Where there is a column of adjusted closes, prices and volumes are brought to the
shares of the last day that is wanted; otherwise no split may be seen in them.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import duckdb

from trader.access.sim.replay_columns import NUMBERS, parsed_sql, quoted
from trader.access.sim.replay_files import BarFile, cannot_read, files_of, open_file
from trader.errors import DataError
from trader.model.instruments import instrument_of
from trader.model.ticks import MAX_PRICE, MIN_PRICE, Bar
from trader.model.time import DAY, HOUR, NEW_YORK, iso, midnight_after

MOST_DAYS: Final = 2_600  # of a symbol, ten years: nobody looks further back

_Row = tuple[str, int, float, float, float, float, float, float]  # symbol, time, open to volume, adjusted close

_SOUND = f"""coalesce(ts IS NOT NULL
    AND {" AND ".join(f"isfinite({name})" for name in NUMBERS)}
    AND least(open, high, low, close) >= {MIN_PRICE} AND greatest(open, high, low, close) <= {MAX_PRICE}
    AND volume >= 0 AND isfinite(adjusted) AND adjusted > 0, false)"""


class DailyFiles(NamedTuple):
    """What was read: bars by symbol and then by time, each ending at its day's midnight.

    ``missing`` are the wanted symbols without one, ``skipped`` counts rows that cannot be bars.
    """

    bars: list[Bar]
    missing: tuple[str, ...]
    skipped: int


def read_days(paths: Sequence[Path], symbols: Collection[str], *, before: int) -> DailyFiles:
    """Read the newest days that were over at ``before`` (ns UTC); of two rows of one day the first file's counts.

    Raises:
        DataError: a file cannot be read, lacks a column, or does not hold daily bars.
    """
    wanted = sorted(set(symbols))
    days: dict[str, dict[int, _Row]] = {symbol: {} for symbol in wanted}
    skipped = 0
    with duckdb.connect(":memory:", config={"autoinstall_known_extensions": False}) as connection:
        connection.execute("SET TimeZone = 'UTC'")  # what a time without an offset means
        for path in files_of(paths):
            rows, refused = _rows_of(open_file(path, connection), wanted, connection)
            skipped += refused
            _check_daily(rows, path)
            for row in rows:
                days[row[0]].setdefault(_end_of(row), row)
    bars = [bar for symbol in wanted for bar in _bars_of(symbol, days[symbol], before)]
    found = {bar.symbol for bar in bars}
    return DailyFiles(bars, tuple(symbol for symbol in wanted if symbol not in found), skipped)


def _rows_of(file: BarFile, wanted: Sequence[str], connection: duckdb.DuckDBPyConnection) -> tuple[list[_Row], int]:
    """Return the wanted rows of a file that can be bars, and how many cannot."""
    if file.name_symbols:
        named = next((name for name in file.name_symbols if name in wanted), None)
        symbol, condition = quoted(named or ""), str(named is not None)
    else:
        symbol = file.roles["symbol"].sql
        condition = f"{symbol} IN ({', '.join(map(quoted, wanted))})"
    values = [f"{parsed_sql(name, file.roles[name])} AS {name}" for name in ("ts", *NUMBERS)]
    adjusted = file.roles.get("adjusted", file.roles["close"])
    values.append(f"{parsed_sql('adjusted', adjusted)} AS adjusted")
    sql = f"SELECT {symbol} AS sym, {', '.join(values)} FROM {file.table} WHERE {condition}"  # noqa: S608 - quoted
    try:
        rows = connection.execute(f"SELECT {_SOUND}, * FROM ({sql})").fetchall()  # noqa: S608 - made of the one above
    except duckdb.Error as error:
        raise cannot_read(file.path, error) from error
    sound: list[_Row] = [row[1:] for row in rows if row[0]]
    return sound, len(rows) - len(sound)


def _check_daily(rows: Sequence[_Row], path: Path) -> None:
    most = Counter((row[0], _end_of(row)) for row in rows).most_common(1)
    if most and most[0][1] > 1:
        (symbol, end), count = most[0]
        raise DataError(
            f"holds {count} bars of {symbol} on {iso(end - DAY)[:10]}; --daily takes one bar a day, and --data minutes",
            source=str(path),
        )


def _end_of(row: _Row) -> int:
    """Return the midnight at which a row's day ends."""
    symbol, ts, *_ = row
    zone = NEW_YORK if instrument_of(symbol).asset_class == "stock" else None
    return midnight_after(ts if ts % DAY else ts + 12 * HOUR, zone)  # noon in UTC is the same date in New York


def _bars_of(symbol: str, days: dict[int, _Row], before: int) -> list[Bar]:
    ends = sorted(end for end in days if end <= before)[-MOST_DAYS:]
    shares = [days[end][7] / days[end][5] for end in ends]  # what part of its price a day is counted with
    bars = []
    for end, share in zip(ends, shares, strict=True):
        _, _, *prices, volume, _ = days[end]
        scale = share / shares[-1]
        first, last = prices[0] * scale, prices[3] * scale
        bars.append(Bar(symbol, end, first, max(prices) * scale, min(prices) * scale, last, volume / scale))
    return bars
