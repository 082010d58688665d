"""Splits on a market that knows nothing of them."""

from decimal import Decimal

import pytest

from tests.exchange.faulty import ARCHIVE, START
from trader.exchange.splits import SplitArchive
from trader.model.ticks import Bar, Quote, Tick, Trade
from trader.model.time import MINUTE, SECOND

NOON = START + 150 * MINUTE


@pytest.fixture
def archive() -> SplitArchive:
    """Split SPY two for one at noon."""
    archive = SplitArchive(ARCHIVE)
    archive.split("SPY", Decimal(2), NOON)
    return archive


def test_history_before_a_split_stays_as_it_was_quoted(archive: SplitArchive) -> None:
    assert archive.bars("SPY", START, NOON - MINUTE) == ARCHIVE.bars("SPY", START, NOON - MINUTE)


def test_bars_quotes_and_prints_after_a_split_have_half_the_price_and_twice_the_size(archive: SplitArchive) -> None:
    (bar,), (true,) = (one.bars("SPY", NOON, NOON) for one in (archive, ARCHIVE))
    assert bar.close == pytest.approx(true.close / 2, abs=1e-4)
    assert bar.volume == true.volume * 2
    quote, quoted = (one.quotes("SPY", NOON, NOON + MINUTE)[0] for one in (archive, ARCHIVE))
    assert quote.bid == pytest.approx(quoted.bid / 2, abs=1e-4)
    assert quote.ask_size == quoted.ask_size * 2
    trade, traded = (one.trades("SPY", NOON, NOON + MINUTE)[0] for one in (archive, ARCHIVE))
    assert trade.price == pytest.approx(traded.price / 2, abs=1e-4)
    assert trade.size == traded.size * 2


def test_columns_are_the_same_as_bars(archive: SplitArchive) -> None:
    columns = archive.columns("SPY", NOON - 5 * MINUTE, NOON + 5 * MINUTE)
    bars = archive.bars("SPY", NOON - 5 * MINUTE, NOON + 5 * MINUTE)
    assert list(zip(*(values.tolist() for values in columns), strict=True)) == [
        (bar.ts, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in bars
    ]


def test_a_running_market_is_restated_on_its_way(archive: SplitArchive) -> None:
    before, after = Trade("SPY", NOON, 100.0, 5), Trade("SPY", NOON + SECOND, 100.0, 5)
    other = Bar("QQQ", NOON + MINUTE, 1, 1, 1, 1, 1)
    ticks: list[Tick] = [before, after, other]
    assert archive.restated(ticks) == [before, Trade("SPY", NOON + SECOND, 50.0, 10), other]
    untouched = [Quote("SPY", NOON + SECOND, 1, 1, 2, 1)]
    assert SplitArchive(ARCHIVE).restated(untouched) is untouched


def test_splits_add_up_and_may_be_reverse(archive: SplitArchive) -> None:
    archive.split("SPY", Decimal("0.1"), NOON + MINUTE)
    first, second = archive.restated([Trade("SPY", NOON + at, 100.0, 50) for at in (SECOND, 2 * MINUTE)])
    assert (first, second) == (Trade("SPY", NOON + SECOND, 50.0, 100), Trade("SPY", NOON + 2 * MINUTE, 500.0, 10))


def test_all_else_is_the_market_s_own(archive: SplitArchive) -> None:
    assert (archive.symbols, archive.first, archive.last) == (ARCHIVE.symbols, ARCHIVE.first, ARCHIVE.last)
    assert archive.describe() == ARCHIVE.describe()
    assert archive.assets().keys() == ARCHIVE.assets().keys()
    assert archive.feed(START).start == START
