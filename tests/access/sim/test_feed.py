"""Replay of recorded bars: what is delivered, what is left out and counted, and which files are refused."""

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.feed import FeedContract, MakeFeed
from trader.access.sim.feed import ReplayFeed
from trader.errors import DataError
from trader.model.ticks import Bar
from trader.model.time import MINUTE, iso, parse_time

T0 = parse_time("2026-01-05T14:30:00")
HEADER = "symbol,ts,open,high,low,close,volume"

Row = tuple[str, str, float, float, float, float, float]


@pytest.fixture(autouse=True)
def spill(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let temporary files go where a test can see them."""
    folder = tmp_path_factory.mktemp("spill")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def row(minute: int, symbol: str = "SPY", *, price: float = 100.0, **cells: Any) -> str:
    """Return a CSV row of the bar that starts ``minute`` minutes after T0; ``cells`` replace its cells by name."""
    values = {"symbol": symbol, "ts": iso(T0 + minute * MINUTE), "open": price, "high": price + 1, "low": price - 1}
    values |= {"close": price, "volume": 1000}
    return ",".join(str(value) for value in (values | cells).values())


def csv(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("\n".join((header, *rows)) + "\n")
    return path


def parquet(path: Path, select: str) -> Path:
    """Write the rows of a SELECT; times in it are UTC."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
    return path


def bars_sql(*, symbols: Sequence[str] = ("SPY",), count: int = 5, step: str = "1 MINUTE", ts: str = "time") -> str:
    """Return a SELECT of ``count`` bars of each symbol from T0 on; ``ts`` turns the timestamp ``time`` into theirs."""
    listed = ", ".join(f"'{symbol}'" for symbol in symbols)
    return (
        f"SELECT symbol, {ts} AS ts, 100.0 + n AS open, 101.0 + n AS high, 99.0 + n AS low, 100.5 + n AS close, "  # noqa: S608
        f"1000 AS volume FROM (SELECT unnest([{listed}]) AS symbol), (SELECT n, "
        f"TIMESTAMP '2026-01-05 14:30:00' + n * INTERVAL {step} AS time FROM range({count}) r(n)) ORDER BY symbol, n"
    )


def read(feed: ReplayFeed) -> list[Bar]:
    return [tick for ticks in feed.ticks() for tick in ticks.ticks if isinstance(tick, Bar)]


def starts(bars: Iterable[Bar]) -> list[int]:
    return [(bar.ts - MINUTE - T0) // MINUTE for bar in bars]


def refusal(paths: Sequence[Path], *symbols: str) -> str:
    with pytest.raises(DataError) as caught:
        ReplayFeed(paths, symbols or ("SPY",))
    return str(caught.value)


class TestReplayOfParquet(FeedContract):
    @pytest.fixture(params=[0, 45], ids=["a start between bars", "a start after missing minutes"])
    def make_feed(self, request: pytest.FixtureRequest, tmp_path: Path) -> MakeFeed:
        stocks = parquet(tmp_path / "stocks.parquet", bars_sql(symbols=["SPY", "AAPL"], count=200))
        thin = parquet(tmp_path / "coins.parquet", bars_sql(symbols=["FOO/USD"], count=25, step="7 MINUTE"))
        start = T0 + 100 * MINUTE + request.param * 1_000_000_000
        return lambda: ReplayFeed([stocks, thin], ["SPY", "AAPL", "FOO/USD"], start=start)


class TestReplayOfCsv(FeedContract):
    @pytest.fixture
    def make_feed(self, tmp_path: Path) -> MakeFeed:
        mixed = csv(tmp_path / "mixed.csv", *(row(n, symbol) for n in range(90) for symbol in ("SPY", "BTC/USD")))
        return lambda: ReplayFeed([mixed], ["SPY", "BTC/USD"], start=T0 + 50 * MINUTE)


class TestFiles:
    def test_many_files_are_merged_by_time_and_symbol(self, tmp_path: Path) -> None:
        one = csv(tmp_path / "one.csv", *(row(n, "SPY") for n in (0, 1, 3)), *(row(n, "AAPL") for n in (1, 2)))
        other = parquet(tmp_path / "other.parquet", bars_sql(symbols=["QQQ"], count=3))
        bars = read(ReplayFeed([one, other], ["SPY", "QQQ", "AAPL"]))
        assert [(start, bar.symbol) for start, bar in zip(starts(bars), bars, strict=True)] == [
            *((0, "QQQ"), (0, "SPY"), (1, "AAPL"), (1, "QQQ"), (1, "SPY"), (2, "AAPL"), (2, "QQQ"), (3, "SPY")),
        ]

    def test_a_folder_stands_for_the_parquet_and_csv_files_in_it(self, tmp_path: Path) -> None:
        csv(tmp_path / "b.csv", row(1))
        parquet(tmp_path / "a.parquet", bars_sql(count=1))
        (tmp_path / "notes.txt").write_text("no bars")
        (tmp_path / "deeper.csv").mkdir()
        feed = ReplayFeed([tmp_path], ["SPY"])
        assert starts(read(feed)) == [0, 1]
        assert feed.describe() == "replay of a.parquet and 1 more, 1 symbol, from 2026-01-05T14:30:00Z"

    def test_links_in_a_folder_are_not_followed_but_a_named_link_is(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        real = csv(tmp_path / "real.csv", row(5))
        (folder / "link.csv").symlink_to(real)
        csv(folder / "own.csv", row(1))
        assert starts(read(ReplayFeed([folder], ["SPY"]))) == [1]
        assert starts(read(ReplayFeed([folder / "link.csv"], ["SPY"]))) == [5]

    def test_a_file_named_twice_counts_once(self, tmp_path: Path) -> None:
        path = csv(tmp_path / "spy.csv", row(0), row(1))
        feed = ReplayFeed([path, tmp_path, path], ["SPY"])
        assert starts(read(feed)) == [0, 1]
        assert not feed.skipped

    @pytest.mark.parametrize("name", ["a[1].csv", "a*.csv", "a?.csv", "it's.csv", "month=1.csv", "{a,b}.csv"])
    def test_names_with_signs_in_them_name_just_that_file(self, tmp_path: Path, name: str) -> None:
        csv(tmp_path / "a1.csv", row(7))
        path = csv(tmp_path / name, row(0))
        assert starts(read(ReplayFeed([path], ["SPY"]))) == [0]

    def test_a_folder_named_like_a_partition_adds_no_column(self, tmp_path: Path) -> None:
        folder = tmp_path / "symbol=QQQ"
        folder.mkdir()
        parquet(folder / "bars.parquet", bars_sql(count=2))
        assert {bar.symbol for bar in read(ReplayFeed([folder], ["SPY"]))} == {"SPY"}

    @pytest.mark.parametrize(
        ("name", "symbol"), [("SPY.csv", "SPY"), ("spy.csv", "SPY"), ("BTC-USD.csv", "BTC/USD"), ("BRK-B.csv", "BRK-B")]
    )
    def test_a_file_without_a_symbol_column_is_of_the_symbol_in_its_name(
        self, tmp_path: Path, name: str, symbol: str
    ) -> None:
        path = csv(tmp_path / name, row(0)[4:], row(1)[4:], header=HEADER.removeprefix("symbol,"))
        other = csv(tmp_path / "QQQ.csv", row(0)[4:], header=HEADER.removeprefix("symbol,"))
        assert [bar.symbol for bar in read(ReplayFeed([path, other], [symbol]))] == [symbol, symbol]

    @pytest.mark.parametrize(
        "rewrite",
        [
            lambda text: text.replace(b"\n", b"\r\n"),
            lambda text: b"\xef\xbb\xbf" + text,
            lambda text: text.replace(b",", b";"),
            lambda text: text.replace(b",", b"\t"),
            lambda text: text.replace(b",", b'","').replace(b"\n", b'"\n"')[:-1].join([b'"', b""]),
            lambda text: text.replace(b",", b" , "),
            lambda text: text.rstrip(b"\n"),
            lambda text: text.replace(b"\n", b"\n\n"),
        ],
        ids=["windows", "byte order mark", "semicolons", "tabs", "quoted", "padded", "no last newline", "blank lines"],
    )
    def test_csv_dialects_are_read_alike(self, tmp_path: Path, rewrite: Callable[[bytes], bytes]) -> None:
        path = csv(tmp_path / "spy.csv", row(0), row(1), row(2))
        path.write_bytes(rewrite(path.read_bytes()))
        feed = ReplayFeed([path], ["SPY"])
        assert starts(read(feed)) == [0, 1, 2]
        assert not feed.skipped


class TestColumns:
    @pytest.mark.parametrize(
        "header",
        [
            "Symbol,Timestamp,Open,High,Low,Close,Volume",
            "TICKER,DATETIME,O,H,L,C,VOL",
            "sym,date,open,high,low,close,v",
            "S,t,o,h,l,c,v",
            " symbol , time ,open,high,low,close,volume",
        ],
    )
    def test_other_names_of_columns_are_known(self, tmp_path: Path, header: str) -> None:
        assert starts(read(ReplayFeed([csv(tmp_path / "x.csv", row(0), header=header)], ["SPY"]))) == [0]

    def test_the_best_name_wins_and_other_columns_are_left_alone(self, tmp_path: Path) -> None:
        line = f"x,SPY,{iso(T0)},2020-01-01,1,2,0.5,1.5,1.4,100,7"
        path = csv(tmp_path / "x.csv", line, header="t,symbol,ts,date,open,high,low,close,adj_close,volume,vwap")
        assert read(ReplayFeed([path], ["SPY"])) == [Bar("SPY", T0 + MINUTE, 1.0, 2.0, 0.5, 1.5, 100.0)]

    @pytest.mark.parametrize(
        "ts",
        [
            *("time", "time::TIMESTAMPTZ", "time::TIMESTAMP_S", "time::TIMESTAMP_MS", "time::TIMESTAMP_NS"),
            *("epoch_ms(time) // 1000", "epoch_ms(time)", "epoch_us(time)", "epoch_ns(time)", "epoch_us(time) / 1e6"),
            *("(epoch_ms(time) // 1000)::UINTEGER", "epoch_ns(time)::DOUBLE", "epoch_ms(time)::DECIMAL(18, 0)"),
            *("time::VARCHAR", "time::VARCHAR || 'Z'", "strftime(time - INTERVAL 5 HOUR, '%Y-%m-%dT%H:%M:%S-05:00')"),
            "epoch_ms(time)::VARCHAR",
        ],
    )
    def test_a_time_is_read_whatever_its_type(self, tmp_path: Path, ts: str) -> None:
        path = parquet(tmp_path / "x.parquet", bars_sql(ts=ts))
        feed = ReplayFeed([path], ["SPY"])
        assert starts(read(feed)) == [0, 1, 2, 3, 4]
        assert not feed.skipped

    def test_a_bar_carries_its_end_and_the_numbers_of_its_row(self, tmp_path: Path) -> None:
        path = csv(tmp_path / "x.csv", "SPY,2026-01-05T14:30:00Z,450.23,451,449.5,450,123.5")
        assert read(ReplayFeed([path], ["SPY"])) == [Bar("SPY", T0 + MINUTE, 450.23, 451.0, 449.5, 450.0, 123.5)]


class TestSymbols:
    def test_only_the_wanted_symbols_are_delivered(self, tmp_path: Path) -> None:
        path = csv(tmp_path / "x.csv", row(0, "SPY"), row(0, "QQQ"), row(0, "IWM"))
        assert [bar.symbol for bar in read(ReplayFeed([path], ["SPY", "IWM"]))] == ["IWM", "SPY"]

    def test_wanted_symbols_without_data_are_named_missing(self, tmp_path: Path) -> None:
        path = csv(tmp_path / "x.csv", row(0, "SPY"))
        assert list(ReplayFeed([path], ["SPY", "ZZZ", "AAA"]).missing) == ["AAA", "ZZZ"]

    def test_bad_rows_of_unwanted_symbols_are_nobodys_business(self, tmp_path: Path) -> None:
        feed = ReplayFeed([csv(tmp_path / "x.csv", row(0, "SPY"), row(0, "QQQ", open=-1))], ["SPY"])
        assert len(read(feed)) == 1
        assert not feed.skipped

    def test_symbols_with_quotes_in_them_do_no_harm(self, tmp_path: Path) -> None:
        path = csv(tmp_path / "x.csv", row(0, "O'X"))
        assert read(ReplayFeed([path], ["O'X"]))[0].symbol == "O'X"


class TestStart:
    def test_without_a_start_everything_is_ticks(self, tmp_path: Path) -> None:
        feed = ReplayFeed([csv(tmp_path / "x.csv", row(3), row(4))], ["SPY"])
        assert feed.start == T0 + 3 * MINUTE
        assert list(feed.history({"SPY": 50})) == []
        assert starts(read(feed)) == [3, 4]

    def test_a_start_makes_everything_before_it_history_however_little_is_asked_for(self, tmp_path: Path) -> None:
        feed = ReplayFeed([csv(tmp_path / "x.csv", *map(row, range(6)))], ["SPY"], start=T0 + 4 * MINUTE)
        assert starts(bar for batch in feed.history({"SPY": 1}) for bar in batch) == [0, 1, 2, 3]
        assert starts(read(feed)) == [4, 5]

    def test_a_start_inside_a_minute_leaves_that_minutes_bar_to_ticks(self, tmp_path: Path) -> None:
        feed = ReplayFeed([csv(tmp_path / "x.csv", *map(row, range(4)))], ["SPY"], start=T0 + MINUTE + 1)
        assert starts(bar for batch in feed.history({}) for bar in batch) == [0]
        assert starts(read(feed)) == [1, 2, 3]

    def test_a_start_before_all_data_is_kept(self, tmp_path: Path) -> None:
        feed = ReplayFeed([csv(tmp_path / "x.csv", row(0))], ["SPY"], start=T0 - 60 * MINUTE)
        assert feed.start == T0 - 60 * MINUTE
        assert starts(read(feed)) == [0]

    def test_a_start_after_all_data_is_refused_with_the_end_of_the_data(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"start: .* the last bar ends 2026-01-05T14:32:00Z"):
            ReplayFeed([csv(tmp_path / "x.csv", row(0), row(1))], ["SPY"], start=T0 + 2 * MINUTE)


class TestBadRows:
    @pytest.mark.parametrize(
        ("reason", "cells"),
        [
            *((("bad_time"), {"ts": text}) for text in ("", "soon", "2026-13-01T00:00:00Z", "9999-01-01")),
            *((("off_minute"), {"ts": text}) for text in ("2026-01-05T14:35:30Z", "2026-01-05T14:35:00.001Z")),
            *((("not_a_number"), {"open": text}) for text in ("", "nan", "inf", "-inf", "abc", "1e999")),
            *((("not_a_number"), {name: "nan"}) for name in ("high", "low", "close", "volume")),
            *((("price_not_positive"), {"low": text}) for text in ("0", "-1", "-0.0")),
            *((("price_out_of_range"), {name: value}) for name, value in (("low", "1e-90"), ("high", "1e90"))),
            ("negative_volume", {"volume": "-1"}),
            ("high_below_low", {"high": 98.0}),
            *((("outside_range"), {name: value}) for name, value in (("open", 101.1), ("close", 98.9), ("high", 99.5))),
            ("no_symbol", {"symbol": ""}),
            ("too_many_cells", {"volume": "1,000"}),
            ("not_a_number", {"volume": '"1,000"'}),
        ],
    )
    def test_a_row_that_cannot_be_traded_on_is_left_out_and_counted(
        self, tmp_path: Path, reason: str, cells: dict[str, Any]
    ) -> None:
        feed = ReplayFeed([csv(tmp_path / "x.csv", row(0), row(1, **cells), row(2))], ["SPY"])
        assert starts(read(feed)) == [0, 2]
        assert feed.skipped == {reason: 1}

    def test_a_row_cut_short_is_counted(self, tmp_path: Path) -> None:
        feed = ReplayFeed([csv(tmp_path / "x.csv", row(0), row(1)[:30], row(2))], ["SPY"])
        assert starts(read(feed)) == [0, 2]
        assert feed.skipped == {"not_a_number": 1}

    def test_nulls_of_parquet_are_counted_as_empty_cells_are(self, tmp_path: Path) -> None:
        bad = f"({bars_sql(count=1)})"
        for name, value in (("open", "1.0"), ("close", "NULL"), ("ts", "NULL"), ("symbol", "NULL")):
            bad += f" UNION ALL SELECT * REPLACE ({value} AS {name}) FROM ({bars_sql(count=1)})"  # noqa: S608
        feed = ReplayFeed([parquet(tmp_path / "x.parquet", bad)], ["SPY"])
        assert starts(read(feed)) == [0]
        assert feed.skipped == {"outside_range": 1, "not_a_number": 1, "bad_time": 1, "no_symbol": 1}

    def test_of_two_rows_of_a_minute_the_first_wins(self, tmp_path: Path) -> None:
        feed = ReplayFeed([csv(tmp_path / "x.csv", row(0, price=10), row(0, price=20), row(1))], ["SPY"])
        assert [bar.close for bar in read(feed)] == [10.0, 100.0]
        assert feed.skipped == {"duplicate": 1}

    def test_of_two_files_with_a_minute_the_first_named_wins(self, tmp_path: Path) -> None:
        one, two = csv(tmp_path / "1.csv", row(0, price=10)), csv(tmp_path / "2.csv", row(0, price=20), row(1))
        assert [bar.close for bar in read(ReplayFeed([one, two], ["SPY"]))] == [10.0, 100.0]
        feed = ReplayFeed([two, one], ["SPY"])
        assert [bar.close for bar in read(feed)] == [20.0, 100.0]
        assert feed.skipped == {"duplicate": 1}

    def test_a_bad_row_takes_no_minute_from_a_good_one(self, tmp_path: Path) -> None:
        feed = ReplayFeed([csv(tmp_path / "x.csv", row(0, volume=-1), row(0))], ["SPY"])
        assert starts(read(feed)) == [0]
        assert feed.skipped == {"negative_volume": 1}

    def test_a_row_below_a_later_one_of_its_symbol_is_out_of_order(self, tmp_path: Path) -> None:
        path = csv(tmp_path / "x.csv", row(0), row(3), row(1), row(2, "QQQ"), row(2), row(4))
        feed = ReplayFeed([path], ["SPY", "QQQ"])
        assert starts(read(feed)) == [0, 2, 3, 4]
        assert feed.skipped == {"out_of_order": 2}

    def test_order_is_a_matter_of_each_file(self, tmp_path: Path) -> None:
        late, early = csv(tmp_path / "1.csv", row(2), row(3)), csv(tmp_path / "2.csv", row(0), row(1))
        feed = ReplayFeed([late, early], ["SPY"])
        assert starts(read(feed)) == [0, 1, 2, 3]
        assert not feed.skipped

    def test_a_row_out_of_order_takes_no_minute_from_another_file(self, tmp_path: Path) -> None:
        one = csv(tmp_path / "1.csv", row(2), row(0, price=10))
        other = csv(tmp_path / "2.csv", row(0, price=20))
        feed = ReplayFeed([one, other], ["SPY"])
        assert [bar.close for bar in read(feed)] == [20.0, 100.0]
        assert sum(feed.skipped.values()) == 1

    def test_a_repeated_row_out_of_order_is_a_duplicate(self, tmp_path: Path) -> None:
        feed = ReplayFeed([csv(tmp_path / "x.csv", row(0), row(1), row(0))], ["SPY"])
        assert starts(read(feed)) == [0, 1]
        assert feed.skipped == {"duplicate": 1}

    def test_the_noise_of_32_bit_prices_is_no_bad_row_and_widens_the_range(self, tmp_path: Path) -> None:
        feed = ReplayFeed([csv(tmp_path / "x.csv", row(0, open=101.00001, close=98.99999))], ["SPY"])
        assert read(feed) == [Bar("SPY", T0 + MINUTE, 101.00001, 101.00001, 98.99999, 98.99999, 1000.0)]
        assert not feed.skipped


CELLS = st.sampled_from(["", "nan", "inf", "-1", "0", "abc", "1e400", "2026-01-05T14:31:30Z", "1,2", "SPY", "QQQ"])
LINES = st.tuples(st.integers(0, 12), st.sampled_from(["SPY", "QQQ", "IWM"]), st.none() | st.integers(0, 6), CELLS)


@given(files=st.lists(st.lists(LINES, max_size=25), min_size=1, max_size=3))
def test_whatever_the_rows_only_good_bars_come_and_every_wanted_row_is_counted(
    files: list[list[tuple[int, str, int | None, str]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("mutated")
    wanted = 0
    for number, lines in enumerate(files):
        rows = [[*row(minute, symbol).split(","), place, cell] for minute, symbol, place, cell in lines]
        for cells in rows:
            place, cell = cells[-2:]
            del cells[-2:]
            if isinstance(place, int):
                cells[place] = cell
            wanted += ",".join(map(str, cells)).split(",")[0] in {"SPY", "QQQ", ""}
        csv(folder / f"{number}.csv", *(",".join(map(str, cells)) for cells in rows))
    try:
        feed = ReplayFeed([folder], ["SPY", "QQQ"])
    except DataError:
        return  # nothing usable, a column of nonsense, rows in reverse: said at once, see TestRefusedFiles
    bars = read(feed)
    assert len(bars) + sum(feed.skipped.values()) == wanted
    assert all(one.ts < two.ts or (one.ts == two.ts and one.symbol < two.symbol) for one, two in pairwise(bars))
    assert all(0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in bars)
    assert all(bar.volume >= 0 and bar.ts % MINUTE == 0 for bar in bars)


class TestRefusedFiles:
    def test_a_path_that_is_not_there(self, tmp_path: Path) -> None:
        csv(tmp_path / "etf_2019-12.csv", row(0))
        message = refusal([tmp_path / "etf_2019-21.csv"])
        assert "no such file or folder; did you mean" in message
        assert "etf_2019-12.csv" in message
        assert "the folder you are in" in refusal([tmp_path / "none" / "x.csv"])

    def test_no_path_at_all(self) -> None:
        assert "no data file is named" in refusal([])

    def test_no_symbol_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="no symbol is wanted"):
            ReplayFeed([csv(tmp_path / "x.csv", row(0))], [])

    def test_a_folder_without_data(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("")
        assert "no .parquet or .csv file" in refusal([tmp_path])
        assert "notes.txt" in refusal([tmp_path])

    def test_a_file_of_another_kind(self, tmp_path: Path) -> None:
        (tmp_path / "x.xlsx").write_bytes(b"PK")
        (tmp_path / "bars").write_bytes(b"")
        assert "'.xlsx'" in refusal([tmp_path / "x.xlsx"])
        assert "without a suffix" in refusal([tmp_path / "bars"])

    @pytest.mark.parametrize("content", [b"", b"symbol,ts\n", b"PAR1" + bytes(100) + b"PAR1"])
    def test_a_parquet_file_that_is_none(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "x.parquet").write_bytes(content)
        message = refusal([tmp_path / "x.parquet"])
        assert "x.parquet:\n  cannot be read as Parquet: " in message
        assert "correct it, or leave it out" in message

    def test_a_parquet_file_damaged_in_the_middle(self, tmp_path: Path) -> None:
        path = parquet(tmp_path / "x.parquet", bars_sql(count=5000))
        content = bytearray(path.read_bytes())
        content[200:2000] = b"\xff" * 1800
        path.write_bytes(content)
        assert "x.parquet:\n  cannot be read as Parquet: " in refusal([path])

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "first line is empty"),
            (b"\n" + HEADER.encode(), "first line is empty"),
            ((HEADER + "\n").encode("utf-16"), "not UTF-8"),
            (HEADER.encode() + b"\n\xff\xfe,1,2\n", "not UTF-8"),
            ((f"{HEADER}\n" + f"{row(0)}\n" * 5000).encode() + b"\xff\xfe,1,2\n", "Line: 5002: Invalid unicode"),
            (f"{HEADER}\n{row(0)}\n{'x' * 3_000_000}\n".encode(), "Line: 3: Maximum line size"),
            (f'{HEADER}\n{row(0)}\n"{row(1)}\n{row(2)}\n'.encode(), "opened and not closed"),
        ],
        ids=["empty", "blank first line", "utf-16", "latin-1", "latin-1 far down", "endless line", "open quote"],
    )
    def test_a_csv_file_that_is_none(self, tmp_path: Path, content: bytes, said: str) -> None:
        (tmp_path / "x.csv").write_bytes(content)
        message = refusal([tmp_path / "x.csv"])
        assert said in message
        assert len(message) < 600

    def test_what_may_not_be_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = csv(tmp_path / "x.csv", row(0))

        def denied(*args: object, **kwargs: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", denied)  # root may read everything, so permissions alone prove nothing
        monkeypatch.setattr(Path, "iterdir", denied)
        assert "x.csv:\n  cannot be read: Permission denied" in refusal([path])
        assert "the folder cannot be read: Permission denied" in refusal([tmp_path])

    def test_missing_columns_are_all_named_with_what_was_found_and_a_guess(self, tmp_path: Path) -> None:
        message = refusal([csv(tmp_path / "x.csv", header="symbol,ts,open,high,low,clsoe,price")])
        assert "close: no such column; did you mean 'clsoe'? rename it; found 'symbol', 'ts'" in message
        assert "volume: no such column; found" in message
        assert "allowed names are volume, vol, v" in message

    def test_a_file_without_a_header(self, tmp_path: Path) -> None:
        message = refusal([csv(tmp_path / "x.csv", row(1), header=row(0))])
        assert "the first line names them" in message
        assert "ts: no such column" in message

    def test_a_column_of_a_type_that_cannot_be_it(self, tmp_path: Path) -> None:
        select = f"SELECT * REPLACE (true AS open, 5 AS symbol, TIME '09:30' AS ts) FROM ({bars_sql()})"  # noqa: S608
        message = refusal([parquet(tmp_path / "x.parquet", select)])
        assert "open: holds BOOLEAN, which cannot be open; it must be numbers" in message
        assert "symbol: holds INTEGER, which cannot be symbol; it must be text" in message
        assert "ts: holds TIME, which cannot be ts; it must be a timestamp" in message

    def test_a_text_column_of_which_nothing_can_be_read(self, tmp_path: Path) -> None:
        message = refusal([csv(tmp_path / "x.csv", *(row(n, open="1;5") for n in range(3)))])
        assert "open: holds '1;5', which is not open; it must be numbers" in message
        message = refusal([csv(tmp_path / "x.csv", *(row(n, ts="01/05/2026 09:30") for n in range(3)))])
        assert "ts: holds '01/05/2026 09:30', which is not ts; it must be a timestamp, ISO text" in message

    def test_a_time_of_day_without_its_date(self, tmp_path: Path) -> None:
        assert "put date and time into one column" in refusal([csv(tmp_path / "x.csv", row(0, ts="09:30"))])

    def test_none_of_the_wanted_symbols_is_there(self, tmp_path: Path) -> None:
        path = parquet(tmp_path / "x.parquet", bars_sql(symbols=["BTC-USD", "QQQ"]))
        message = refusal([path], "BTC/USD", "AAPL")
        assert "wanted AAPL, BTC/USD; found BTC-USD, QQQ; did you mean 'BTC-USD'?" in message
        assert "name other symbols, or other files" in refusal([path], "ZZZZ")

    def test_a_file_name_that_is_no_wanted_symbol_is_told_with_the_misspelt_column(self, tmp_path: Path) -> None:
        path = csv(tmp_path / "etf.csv", row(0), header=HEADER.replace("symbol", "symbl"))
        message = refusal([path])
        assert "found ETF (it has no symbol column, so its name is the symbol; did you mean 'symbl'?)" in message

    def test_nothing_but_bad_rows(self, tmp_path: Path) -> None:
        message = refusal([csv(tmp_path / "x.csv", row(0, volume=-1), row(1, open=-1), row(2, volume=-1))])
        assert "no row can be used; refused were negative_volume 2, price_not_positive 1" in message

    @pytest.mark.parametrize(
        ("step", "count", "said"),
        [
            ("1 DAY", 10, "a bar every day,"),
            ("1 DAY", 300, "a bar every day,"),
            ("1 HOUR", 7, "a bar every hour,"),
            ("5 MINUTE", 78, "a bar every 5 minutes,"),
            ("2 MINUTE", 40, "a bar every 2 minutes,"),
        ],
    )
    def test_bars_of_another_interval(self, tmp_path: Path, step: str, count: int, said: str) -> None:
        path = parquet(tmp_path / "x.parquet", bars_sql(symbols=["SPY", "QQQ"], step=step, count=count))
        message = refusal([path], "SPY", "QQQ")
        assert "x.parquet" in message
        assert said in message

    def test_bars_of_seconds(self, tmp_path: Path) -> None:
        path = parquet(tmp_path / "x.parquet", bars_sql(step="1 SECOND", count=300))
        assert "not on whole minutes: 295 of 300 rows, such as 2026-01-05T14:30:01Z" in refusal([path])

    def test_rows_from_the_newest_to_the_oldest(self, tmp_path: Path) -> None:
        rows = [row(n, symbol) for symbol in ("SPY", "QQQ") for n in range(20, 0, -1)]
        assert "run from the newest to the oldest" in refusal([csv(tmp_path / "x.csv", *rows)], "SPY", "QQQ")

    def test_every_refusal_leaves_nothing_behind(self, tmp_path: Path, spill: Path) -> None:
        refusal([csv(tmp_path / "x.csv", row(0, volume=-1))])
        assert list(spill.iterdir()) == []


class TestAcceptedFiles:
    """What looks like another interval and is none."""

    def test_a_thin_symbol_whose_minutes_are_far_apart(self, tmp_path: Path) -> None:
        minutes = [0, 7, 11, 20, 34, 41, 55, 62, 70, 83]
        assert starts(read(ReplayFeed([csv(tmp_path / "x.csv", *map(row, minutes))], ["SPY"]))) == minutes

    def test_a_handful_of_rows_proves_nothing(self, tmp_path: Path) -> None:
        minutes = [0, 1440, 2880, 4320, 5760]
        assert starts(read(ReplayFeed([csv(tmp_path / "x.csv", *map(row, minutes))], ["SPY"]))) == minutes

    def test_one_minute_of_many_symbols(self, tmp_path: Path) -> None:
        symbols = [f"S{number}" for number in range(40)]
        path = csv(tmp_path / "x.csv", *(row(0, symbol) for symbol in symbols))
        assert len(read(ReplayFeed([path], symbols))) == 40


class TestLettingGo:
    @pytest.fixture
    def feed(self, tmp_path: Path) -> ReplayFeed:
        return ReplayFeed([csv(tmp_path / "x.csv", *map(row, range(9)))], ["SPY"], start=T0 + 3 * MINUTE)

    def test_the_end_of_the_data_leaves_nothing_behind(self, feed: ReplayFeed, spill: Path) -> None:
        assert list(spill.iterdir())
        read(feed)
        assert list(spill.iterdir()) == []

    def test_a_run_that_stops_early_leaves_nothing_behind(self, feed: ReplayFeed, spill: Path) -> None:
        ticks = iter(feed.ticks())
        next(ticks)
        del ticks
        assert list(spill.iterdir()) == []

    def test_a_feed_that_is_never_read_leaves_nothing_behind(self, tmp_path: Path, spill: Path) -> None:
        feed = ReplayFeed([csv(tmp_path / "x.csv", row(0))], ["SPY"])
        del feed
        assert list(spill.iterdir()) == []

    def test_a_closed_feed_has_no_more_ticks(self, feed: ReplayFeed, spill: Path) -> None:
        feed.close()
        feed.close()
        assert list(spill.iterdir()) == []
        assert list(feed.ticks()) == []

    def test_a_full_disk_is_told_as_such(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("trader.access.sim.replay_store._IN_TIME_ORDER", "SELECT error('No space left')")
        assert "cannot be sorted: " in refusal([csv(tmp_path / "x.csv", row(0))])


def test_pandas_is_not_imported(tmp_path: Path) -> None:
    path = csv(tmp_path / "x.csv", row(0))
    program = (
        "import sys; from pathlib import Path; from trader.access.sim.feed import ReplayFeed;"
        f"print(len(list(ReplayFeed([Path({str(path)!r})], ['SPY']).ticks())), 'pandas' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.split() == ["1", "False"]


@pytest.mark.recorded
class TestRecorded:
    @pytest.fixture
    def files(self, shared: Path) -> list[Path]:
        return [
            shared / "data" / "us_1min" / "etf_2019-12.parquet",
            shared / "data" / "crypto_1min" / "coinbase_usd_2017-09_2018-04.parquet",
        ]

    def test_every_recorded_row_is_delivered_once_in_time_order(self, files: list[Path]) -> None:
        with duckdb.connect(":memory:") as connection:
            sql = "SELECT symbol, count(*) FROM read_parquet(?) GROUP BY symbol"
            counts = dict(connection.execute(sql, [[str(path) for path in files]]).fetchall())
        feed = ReplayFeed(files, counts)
        bars = read(feed)
        assert Counter(bar.symbol for bar in bars) == counts
        assert all((one.ts, one.symbol) < (two.ts, two.symbol) for one, two in pairwise(bars))
        assert not feed.skipped
        assert not feed.missing

    def test_the_half_day_ends_early_and_missing_minutes_stay_missing(self, files: list[Path]) -> None:
        start, end = parse_time("2019-12-24T14:30"), parse_time("2019-12-25")
        feed = ReplayFeed(files[:1], ["SPY", "QQQ"], start=start)
        before = [bar for batch in feed.history({"SPY": 50}) for bar in batch]
        half_day = [bar for bar in read(feed) if bar.ts <= end]
        assert max(bar.ts for bar in before) == parse_time("2019-12-23T21:00")
        assert max(bar.ts for bar in half_day) <= parse_time("2019-12-24T18:01")
        minutes = [bar.ts for bar in half_day if bar.symbol == "QQQ"]
        assert 0 < len(minutes) < 210

    def test_numbers_are_those_of_the_file_to_the_last_bit(self, files: list[Path]) -> None:
        with duckdb.connect(":memory:") as connection:
            rows = connection.execute(
                "SELECT symbol, epoch_ns(ts) + 60000000000, open, high, low, close, volume FROM read_parquet(?) "
                "WHERE symbol = 'SPY' ORDER BY ts",
                [str(files[0])],
            ).fetchall()
        assert read(ReplayFeed(files[:1], ["SPY"])) == [Bar(*cells) for cells in rows]

    def test_daily_bars_are_refused(self, shared: Path) -> None:
        message = refusal([shared / "data" / "daily" / "lean_us_to_2021.parquet"])
        assert "holds a bar every day" in message

    def test_recorded_trades_are_refused_by_their_columns(self, shared: Path) -> None:
        message = refusal([shared / "data" / "ticks" / "us_trades_2013-10-07_08.parquet"])
        assert "open: no such column" in message
