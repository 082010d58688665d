"""The four strategies decide as exact decimal arithmetic does, ties included, on made-up and on recorded markets."""

import os
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings

from tests.contracts.strategy import markets
from tests.strategies import exact
from trader.model.ticks import Bar
from trader.strategies import AdaptiveStrategy, MeanReversionStrategy, MomentumStrategy, RsiStrategy

DATA = Path(os.environ.get("TRADER_SHARED", Path(__file__).parents[3] / "shared")) / "data"
BARS = 1500  # a recorded symbol; exact arithmetic is slow, and as many hold dozens of ties

check_often = settings(max_examples=30, deadline=None)


@check_often
@given(fed=markets())
def test_momentum_decides_as_exact_arithmetic(fed: list[Bar]) -> None:
    check_momentum(fed, lookback=3, threshold="0.001")


@check_often
@given(fed=markets())
def test_mean_reversion_decides_as_exact_arithmetic(fed: list[Bar]) -> None:
    check_mean_reversion(fed, lookback=5, entry="1.5", leave="0.5")


@check_often
@given(fed=markets())
def test_rsi_decides_as_exact_arithmetic(fed: list[Bar]) -> None:
    check_rsi(fed, period=5)


@check_often
@given(fed=markets())
def test_adaptive_decides_as_exact_arithmetic(fed: list[Bar]) -> None:
    check_adaptive(fed, short=2, long=4, period=3)


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("file", "symbol"),
    [
        ("us_1min/etf_2019-12", "AGG"),  # moves by a cent or not at all: ties abound
        ("us_1min/etf_2019-12", "SPY"),
        ("crypto_1min/btc_usdt_2026-03-01_04-11", "BTC/USDT"),  # large prices, small moves
        ("crypto_1min/coinbase_usd_2017-09_2018-04", "ETH/USD"),  # volumes of eight decimals
    ],
)
def test_recorded_markets_are_decided_as_by_exact_arithmetic(file: str, symbol: str) -> None:
    fed = recorded(DATA / f"{file}.parquet", symbol)
    check_momentum(fed, lookback=20, threshold="0.002")
    check_mean_reversion(fed, lookback=20, entry="2.0", leave="0.5")
    check_rsi(fed, period=14)
    check_adaptive(fed, short=10, long=30, period=14)


def recorded(path: Path, symbol: str) -> list[Bar]:
    if not path.exists():
        pytest.skip(f"no recorded data at {path}")
    query = "select symbol, epoch_ns(ts), open, high, low, close, volume from read_parquet(?) where symbol = ?"
    rows = duckdb.execute(f"{query} order by ts limit {BARS}", [str(path), symbol]).fetchall()
    assert len(rows) == BARS
    return [Bar(*row) for row in rows]


def check_momentum(fed: list[Bar], *, lookback: int, threshold: str) -> None:
    strategy = MomentumStrategy(lookback_period=lookback, momentum_threshold=float(threshold))
    assert exact.wishes(strategy, fed) == exact.momentum(closes(fed), lookback, threshold)


def check_mean_reversion(fed: list[Bar], *, lookback: int, entry: str, leave: str) -> None:
    strategy = MeanReversionStrategy(
        lookback_period=lookback, entry_threshold=float(entry), exit_threshold=float(leave)
    )
    assert exact.wishes(strategy, fed) == exact.mean_reversion(closes(fed), lookback, entry, leave)


def check_rsi(fed: list[Bar], *, period: int) -> None:
    assert exact.wishes(RsiStrategy(rsi_period=period), fed) == exact.rsi(closes(fed), period)


def check_adaptive(fed: list[Bar], *, short: int, long: int, period: int) -> None:
    strategy = AdaptiveStrategy(short_window=short, long_window=long, rsi_period=period)
    volumes = [bar.volume for bar in fed]
    assert exact.wishes(strategy, fed) == exact.adaptive(closes(fed), volumes, short, long, period)


def closes(fed: list[Bar]) -> list[float]:
    return [bar.close for bar in fed]
