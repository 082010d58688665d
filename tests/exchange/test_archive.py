"""Test the archives: random access and the live feed are one market."""

from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build import T0
from trader.access.sim.synthetic_listings import known_symbols
from trader.errors import ConfigError, DataError
from trader.exchange.archive import Archive, ReplayArchive, SyntheticArchive
from trader.model.ticks import Bar, Quote, Tick, Trade
from trader.model.time import DAY, HOUR, MINUTE, SECOND, iso, parse_time

HEADER = "symbol,ts,open,high,low,close,volume"
ARCHIVE = SyntheticArchive(["ZZZ"], seed=1)


def lived(archive: Archive, start: int, end: int) -> list[Tick]:
    """Run the market from after one time until another, included."""
    batches = takewhile(lambda ticks: ticks.ts <= end, archive.feed(start).ticks())
    return [tick for ticks in batches for tick in ticks.ticks if tick.ts <= end]


def looked_up(archive: Archive, start: int, end: int) -> Iterator[Tick]:
    """Ask for what happened after one time until another, included."""
    for symbol in archive.symbols:
        yield from archive.bars(symbol, start + 1 - MINUTE, end - MINUTE)
        yield from archive.quotes(symbol, start + 1, end)
        yield from archive.trades(symbol, start + 1, end)


def order(tick: Tick) -> tuple[int, str, str]:
    return tick.ts, tick.symbol, type(tick).__name__


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Give a folder of two files: two stocks, and a coin whose last bar comes after days of nothing."""
    rows = [
        f"{symbol},{iso(T0 + minute * MINUTE)},10,11,9,10.5,100" for symbol in ("SPY", "QQQ") for minute in range(2)
    ]
    (tmp_path / "stocks.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    starts = (T0, T0 + MINUTE, T0 + 9 * DAY + 2 * MINUTE)
    coins = [f"{iso(start)},10,11,9,10.5,0.5" for start in starts]
    (tmp_path / "BTC-USD.csv").write_text("\n".join([HEADER.removeprefix("symbol,"), *coins]) + "\n")
    return tmp_path


@pytest.fixture
def recorded(files: Path) -> ReplayArchive:
    return ReplayArchive([files])


class TestSyntheticArchive:
    def test_it_lists_the_known_symbols_and_those_named(self) -> None:
        assert set(ARCHIVE.symbols) == {*known_symbols(), "ZZZ"}
        assert list(ARCHIVE.symbols) == sorted(ARCHIVE.symbols)

    @settings(max_examples=15)
    @given(
        st.sampled_from([T0 - DAY, T0 - 30 * MINUTE, T0 + 20 * MINUTE, T0 + 390 * MINUTE, T0 + 9 * HOUR]),
        st.integers(0, 10 * MINUTE),
        st.integers(0, 12 * MINUTE),
    )
    def test_what_the_feed_emits_is_what_the_archive_returns(self, near: int, offset: int, length: int) -> None:
        start, end = near + offset, near + offset + length
        lively = lived(ARCHIVE, start, end + SECOND)  # prints of one second come together
        assert sorted((tick for tick in lively if tick.ts <= end), key=order) == sorted(
            looked_up(ARCHIVE, start, end), key=order
        )

    def test_bars_are_found_by_their_start_both_ends_included(self) -> None:
        bars = ARCHIVE.bars("BTC/USD", T0, T0 + 2 * MINUTE)
        assert [bar.ts for bar in bars] == [T0 + MINUTE, T0 + 2 * MINUTE, T0 + 3 * MINUTE]
        assert [bar.ts for bar in ARCHIVE.bars("BTC/USD", T0 + 1, T0 + MINUTE)] == [T0 + 2 * MINUTE]

    def test_a_span_over_days_is_what_its_days_are(self) -> None:
        whole = ARCHIVE.bars("SPY", T0, T0 + 3 * DAY - 1)
        parts = [bar for day in range(3) for bar in ARCHIVE.bars("SPY", T0 + day * DAY, T0 + (day + 1) * DAY - 1)]
        assert whole == parts
        assert len(whole) > 3 * 300

    def test_each_quote_is_around_its_print(self) -> None:
        quotes = ARCHIVE.quotes("SPY", T0, T0 + 5 * MINUTE)
        trades = ARCHIVE.trades("SPY", T0, T0 + 5 * MINUTE)
        assert trades
        assert [(quote.ts, True) for quote in quotes] == [
            (trade.ts, quote.bid < trade.price < quote.ask) for quote, trade in zip(quotes, trades, strict=True)
        ]

    def test_a_bar_is_what_its_prints_make_it(self) -> None:
        for bar in ARCHIVE.bars("BTC/USD", T0, T0 + HOUR):
            prints = ARCHIVE.trades("BTC/USD", bar.ts - MINUTE, bar.ts - 1)
            prices = [trade.price for trade in prints]
            made = prices[0], max(prices), min(prices), prices[-1]
            assert made == (bar.open, bar.high, bar.low, bar.close)
            assert sum(trade.size for trade in prints) == pytest.approx(bar.volume)

    def test_an_unknown_symbol_has_nothing(self) -> None:
        assert ARCHIVE.bars("NOPE", T0, T0 + DAY) == []
        assert ARCHIVE.trades("NOPE", T0, T0 + DAY) == []
        assert len(ARCHIVE.columns("NOPE", T0, T0 + DAY).end) == 0

    def test_it_begins_when_the_history_of_the_real_one_begins(self) -> None:
        assert ARCHIVE.bars("BTC/USD", 0, ARCHIVE.first - 1) == []
        assert ARCHIVE.bars("BTC/USD", 0, ARCHIVE.first)[0].ts == ARCHIVE.first + MINUTE
        with pytest.raises(ConfigError, match="2016-01-01"):
            ARCHIVE.feed(parse_time("2015-12-31"))

    def test_other_symbols_change_no_prices(self) -> None:
        alone = SyntheticArchive(seed=1)
        assert alone.bars("SPY", T0, T0 + HOUR) == ARCHIVE.bars("SPY", T0, T0 + HOUR)

    def test_a_coin_has_a_least_order_worth_about_a_dollar(self) -> None:
        assets = ARCHIVE.assets()
        price = ARCHIVE.bars("BTC/USD", T0, T0)[0].close
        assert 0.3 < float(assets["BTC/USD"].min_order_size) * price < 3
        assert not assets["BTC/USD"].is_shortable
        assert assets["SPY"].is_shortable
        assert set(assets) == set(ARCHIVE.symbols)


class TestReplayArchive:
    def test_it_has_all_symbols_of_its_files(self, recorded: ReplayArchive) -> None:
        assert list(recorded.symbols) == ["BTC/USD", "QQQ", "SPY"]
        assert (recorded.first, recorded.last) == (T0, T0 + 9 * DAY + 3 * MINUTE)
        assert set(recorded.assets()) == set(recorded.symbols)

    def test_its_feed_emits_what_it_returns(self, recorded: ReplayArchive) -> None:
        lively = lived(recorded, T0, T0 + MINUTE) + lived(recorded, T0 + MINUTE, recorded.last)
        assert sorted(lively, key=order) == sorted(looked_up(recorded, T0, recorded.last), key=order)
        assert len(lively) == 7

    def test_bars_are_found_by_their_start(self, recorded: ReplayArchive) -> None:
        assert [bar.ts for bar in recorded.bars("SPY", T0, T0 + MINUTE)] == [T0 + MINUTE, T0 + 2 * MINUTE]
        assert recorded.bars("SPY", T0 + 1, T0 + MINUTE - 1) == []
        assert recorded.bars("NOPE", T0, T0 + DAY) == []

    def test_there_are_no_prints_and_no_quotes(self, recorded: ReplayArchive) -> None:
        assert recorded.trades("SPY", T0, recorded.last) == []
        assert recorded.quotes("SPY", T0, recorded.last) == []

    def test_only_the_symbols_named_are_read(self, files: Path) -> None:
        archive = ReplayArchive([files], ["SPY", "GONE"])
        assert list(archive.symbols) == ["SPY"]

    def test_rows_that_cannot_be_used_are_left_out(self, files: Path) -> None:
        (files / "bad.csv").write_text(f"{HEADER}\nSPY,{iso(T0 + HOUR)},1,1,1,-1,1\n")
        assert ReplayArchive([files]).bars("SPY", T0 + HOUR - MINUTE, T0 + HOUR) == []

    def test_a_start_after_the_last_bar_is_refused(self, recorded: ReplayArchive) -> None:
        with pytest.raises(ConfigError, match="leaves nothing to replay"):
            recorded.feed(recorded.last)

    def test_a_file_that_is_none_is_refused_with_its_name(self, tmp_path: Path) -> None:
        (tmp_path / "broken.parquet").write_text("no parquet")
        with pytest.raises(DataError, match=r"broken\.parquet"):
            ReplayArchive([tmp_path])

    def test_too_many_symbols_are_refused_until_some_are_named(
        self, files: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("trader.exchange.archive.MOST_SYMBOLS", 2)
        with pytest.raises(DataError, match="more than 2 symbols; name those"):
            ReplayArchive([files])
        assert list(ReplayArchive([files], ["QQQ"]).symbols) == ["QQQ"]

    def test_a_file_that_breaks_off_in_the_middle_is_refused_with_its_name(self, tmp_path: Path) -> None:
        (tmp_path / "cut.csv").write_bytes(HEADER.encode() + b"\nSPY,\xff\xfe,1,1,1,1,1\n")
        with pytest.raises(DataError, match=r"cut\.csv"):
            ReplayArchive([tmp_path])


class TestArchiveFeed:
    def test_bars_of_one_minute_come_in_one_batch_and_before_later_prints(self) -> None:
        for ticks in takewhile(lambda ticks: ticks.ts <= T0 + 3 * MINUTE, ARCHIVE.feed(T0).ticks()):
            kinds = {type(tick) for tick in ticks.ticks}
            assert kinds == {Bar} or kinds <= {Quote, Trade}
            assert ticks.ticks[-1].ts - ticks.ticks[0].ts < SECOND

    def test_a_quote_comes_before_its_print(self) -> None:
        ticks = [tick for tick in lived(ARCHIVE, T0, T0 + 2 * MINUTE) if tick.symbol == "SPY"]
        kinds = [type(tick) for tick in ticks if not isinstance(tick, Bar)]
        assert kinds == [Quote, Trade] * (len(kinds) // 2)
