"""Files of daily bars: days named by any usual stamp, splits taken out, mistakes of a person told."""

from itertools import pairwise
from pathlib import Path

import duckdb
import pytest

from trader.access.sim.daily_files import MOST_DAYS, read_days
from trader.errors import DataError
from trader.model.ticks import Bar
from trader.model.time import DAY, iso, parse_time

START = parse_time("2026-01-07T14:30")  # a Wednesday
COLUMNS = "symbol,ts,open,high,low,close,volume"


def written(folder: Path, *rows: str, columns: str = COLUMNS, name: str = "days.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
    return path


def test_days_are_read_by_symbol_and_end_at_their_midnights(tmp_path: Path) -> None:
    path = written(
        tmp_path, "SPY,2026-01-05,10,12,9,11,100", "BTC/USD,2026-01-06,5,7,4,6,3", "SPY,2026-01-06,11,13,10,12,200"
    )
    found = read_days([path], ["SPY", "BTC/USD"], before=START)
    assert found.bars == [
        Bar("BTC/USD", parse_time("2026-01-07"), 5, 7, 4, 6, 3),
        Bar("SPY", parse_time("2026-01-06T05:00"), 10, 12, 9, 11, 100),
        Bar("SPY", parse_time("2026-01-07T05:00"), 11, 13, 10, 12, 200),
    ]
    assert (found.missing, found.skipped) == ((), 0)


@pytest.mark.parametrize("stamp", ["2026-01-05", "2026-01-05T05:00:00Z", "2026-01-05T21:00:00Z", "2026-01-05T14:30Z"])
def test_a_day_is_known_by_its_date_its_midnight_its_opening_or_its_close(tmp_path: Path, stamp: str) -> None:
    (found,) = read_days([written(tmp_path, f"SPY,{stamp},1,1,1,1,1")], ["SPY"], before=START).bars
    assert iso(found.ts) == "2026-01-06T05:00:00Z"


def test_a_day_that_is_not_over_is_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, "SPY,2026-01-06,1,1,1,1,1", "SPY,2026-01-07,2,2,2,2,2", "BTC/USD,2026-01-07,2,2,2,2,2")
    found = read_days([path], ["SPY", "BTC/USD"], before=START)
    assert [bar.close for bar in found.bars] == [1]
    assert found.missing == ("BTC/USD",)


def test_with_adjusted_closes_prices_are_in_the_shares_of_the_last_day(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "SPY,2026-01-02,100,110,90,100,50,25",
        "SPY,2026-01-05,25,26,24,26,200,26",
        "SPY,2026-01-06,13,14,12,13,400,26",
        columns=f"{COLUMNS},adj_close",
    )
    found = read_days([path], ["SPY"], before=START).bars
    assert [(bar.high, bar.close, bar.volume) for bar in found] == [(13.75, 12.5, 400), (13, 13, 400), (14, 13, 400)]
    (last,) = read_days([path], ["SPY"], before=START - DAY).bars[1:]
    assert (last.close, last.volume) == (26, 200)


def test_a_file_without_symbols_is_of_the_one_it_is_named_after(tmp_path: Path) -> None:
    path = written(tmp_path, "2026-01-05,1,1,1,1,1", columns="date,open,high,low,close,volume", name="BTC-USD.csv")
    assert [bar.symbol for bar in read_days([path], ["BTC/USD"], before=START).bars] == ["BTC/USD"]
    assert read_days([path], ["SPY"], before=START).missing == ("SPY",)


def test_parquet_does_as_well(tmp_path: Path) -> None:
    path = tmp_path / "days.parquet"
    duckdb.execute(
        "COPY (SELECT 'SPY' AS symbol, TIMESTAMPTZ '2026-01-05 05:00:00+00' AS ts,"
        f" 1.0 AS open, 2.0 AS high, 0.5 AS low, 1.5 AS close, 7 AS volume) TO '{path}' (FORMAT parquet)"
    )
    assert read_days([tmp_path], ["SPY"], before=START).bars == [
        Bar("SPY", parse_time("2026-01-06T05:00"), 1, 2, 0.5, 1.5, 7)
    ]


@pytest.mark.parametrize("cells", ["x,1,1,1,1", "0,1,1,1,1", "1,nan,1,1,1", "1,1,1,-1,1", "1,1,1,1,-1", "1,1,1,1,"])
def test_a_row_that_is_no_bar_is_counted_and_costs_only_itself(tmp_path: Path, cells: str) -> None:
    path = written(tmp_path, f"SPY,2026-01-05,{cells}", "SPY,2026-01-06,1,1,1,1,1")
    found = read_days([path], ["SPY"], before=START)
    assert (len(found.bars), found.skipped) == (1, 1)


def test_of_two_files_with_the_same_day_the_first_one_counts(tmp_path: Path) -> None:
    first = written(tmp_path, "SPY,2026-01-05,1,1,1,1,1", name="b.csv")
    second = written(tmp_path, "SPY,2026-01-05,2,2,2,2,2", name="a.csv")
    assert [bar.close for bar in read_days([first, second], ["SPY"], before=START).bars] == [1]


def test_no_more_than_ten_years_are_read(tmp_path: Path) -> None:
    rows = [f"BTC/USD,{iso(START - number * DAY)[:10]},1,1,1,1,1" for number in range(1, MOST_DAYS + 100)]
    assert len(read_days([written(tmp_path, *rows)], ["BTC/USD"], before=START).bars) == MOST_DAYS


def test_minutes_are_no_days(tmp_path: Path) -> None:
    path = written(tmp_path, "SPY,2026-01-05T14:30,1,1,1,1,1", "SPY,2026-01-05T14:31,1,1,1,1,1")
    with pytest.raises(DataError, match=r"holds 2 bars of SPY on 2026-01-05; --daily takes one bar a day"):
        read_days([path], ["SPY"], before=START)


def test_a_column_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"volume"):
        read_days([written(tmp_path, columns="symbol,ts,open,high,low,close")], ["SPY"], before=START)


@pytest.mark.recorded
def test_recorded_days_have_no_splits_in_them(shared: Path) -> None:
    found = read_days([shared / "data" / "daily"], ["AIG", "AAPL", "SPY"], before=parse_time("2019-12-16T14:30"))
    closes = [bar.close for bar in found.bars if bar.symbol == "AAPL"]
    moves = [after / before - 1 for before, after in pairwise(closes)]
    assert closes[-1] == 275.15
    assert len(closes) == MOST_DAYS
    assert max(map(abs, moves)) < 0.15


def test_a_file_that_is_no_parquet_is_told(tmp_path: Path) -> None:
    path = tmp_path / "days.parquet"
    path.write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_days([path], ["SPY"], before=START)


def test_a_text_file_with_broken_rows_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, *["QQQ,2026-01-05,1,1,1,1,1"] * 5_000)  # the first part is text
    path.write_bytes(path.read_bytes() + b"SPY,2026-01-06,1,\xff\xfe,1,1,1\n")
    with pytest.raises(DataError, match="cannot be read as CSV"):
        read_days([path], ["SPY"], before=START)
