"""A split restates what happens after it, wherever it is asked for, and nothing else."""

from decimal import Decimal

import numpy as np
import pytest

from trader.exchange.archive import SyntheticArchive
from trader.exchange.splits import SplitArchive
from trader.model.ticks import Bar, Quote, Trade
from trader.model.time import MINUTE, parse_time

OPEN = parse_time("2026-01-05T14:30")
AT = OPEN + 10 * MINUTE
END = OPEN + 20 * MINUTE


@pytest.fixture
def archive() -> SplitArchive:
    made = SplitArchive(SyntheticArchive(seed=1))
    made.split("SPY", Decimal(4), AT)
    return made


def test_bars_before_it_stay_and_later_ones_have_a_part_of_the_price(archive: SplitArchive) -> None:
    true = SyntheticArchive(seed=1).bars("SPY", OPEN, END)
    told = archive.bars("SPY", OPEN, END)
    for before, after in zip(true, told, strict=True):
        if before.ts <= AT:
            assert after == before
        else:
            assert after.close == pytest.approx(before.close / 4, abs=1e-4)
            assert after.low <= min(after.open, after.close) <= max(after.open, after.close) <= after.high
            assert after.volume == 4 * before.volume


def test_every_view_of_the_market_agrees(archive: SplitArchive) -> None:
    bars, columns = archive.bars("SPY", OPEN, END), archive.columns("SPY", OPEN, END)
    for name in ("open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(columns, name), [getattr(bar, name) for bar in bars])
    later = [tick for batch in _first_batches(archive) for tick in batch if tick.symbol == "SPY"]
    trades = [tick for tick in archive.restated(later) if isinstance(tick, Trade)]
    quotes = [tick for tick in archive.restated(later) if isinstance(tick, Quote)]
    assert trades == archive.trades("SPY", AT + 1, trades[-1].ts)
    assert quotes == archive.quotes("SPY", AT + 1, quotes[-1].ts)
    assert all(quote.bid < quote.ask < 200 for quote in quotes)


def test_other_symbols_and_an_unsplit_market_are_untouched(archive: SplitArchive) -> None:
    assert archive.bars("QQQ", OPEN, END) == SyntheticArchive(seed=1).bars("QQQ", OPEN, END)
    plain = SplitArchive(SyntheticArchive(seed=1))
    ticks = [Bar("SPY", END, 1.0, 1.0, 1.0, 1.0, 1.0)]
    assert plain.restated(ticks) is ticks


def test_it_is_its_archive_in_all_else(archive: SplitArchive) -> None:
    inner = SyntheticArchive(seed=1)
    assert (archive.symbols, archive.first, archive.last) == (inner.symbols, inner.first, inner.last)
    assert archive.describe() == inner.describe()
    assert archive.assets() == inner.assets()


def _first_batches(archive: SplitArchive) -> list[list[Bar | Quote | Trade]]:
    ticks = archive.feed(AT).ticks()
    return [list(next(ticks).ticks) for _ in range(200)]
