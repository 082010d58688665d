"""Indicators against published figures, TA-Lib's batch functions, and the cases where TA-Lib is not what we mean."""

import csv
import json
import os
from collections.abc import Callable, Sequence
from math import isnan, nan
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from trader.strategies.indicators import PriceRatio, Rsi, Sma, ZScore, compare

REFERENCE = Path(os.environ.get("TRADER_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "quant-reference"

prices = st.lists(st.floats(min_value=0.01, max_value=1e6), min_size=1, max_size=60)


class Indicator(Protocol):
    @property
    def update(self) -> Callable[[float], float]: ...


def fed(indicator: Indicator, values: Sequence[float]) -> list[float]:
    return [indicator.update(float(value)) for value in values]


def walk(length: int = 500) -> list[float]:
    steps = np.random.default_rng(0).normal(0, 0.01, length)
    return [float(price) for price in 100 * np.exp(np.cumsum(steps))]


# Published figures


def check(identity: str) -> dict[str, Any]:
    path = REFERENCE / "checks.json"
    if not path.exists():
        pytest.skip(f"no reference figures at {path}")
    found: list[dict[str, Any]] = json.loads(path.read_text())["checks"]
    return next(entry for entry in found if entry["id"] == identity)


def sref_closes() -> list[float]:
    with (REFERENCE / "talib_sref_252.csv").open() as rows:
        return [float(row["close"]) for row in csv.DictReader(rows)]


def assert_expected(entry: dict[str, Any], got: Sequence[float]) -> None:
    assert np.abs(np.array(got) - np.array(entry["expected"])).max() <= entry["abs_tol"]


@pytest.mark.recorded
@pytest.mark.parametrize(("identity", "indicator"), [("ind-sma30", Sma(30)), ("ind-rsi14", Rsi(14))])
def test_regression_figures_of_talib_are_met(identity: str, indicator: Indicator) -> None:
    entry = check(identity)
    first, values = entry["inputs"]["first_valid_index"], fed(indicator, sref_closes())
    assert isnan(values[first - 1])
    assert_expected(entry, [values[first + offset] for offset in entry["inputs"]["offsets"]])


@pytest.mark.recorded
def test_momentum_figures_of_talib_are_met_by_the_price_ratio() -> None:
    entry, closes = check("ind-mom14"), sref_closes()
    ratios = fed(PriceRatio(14), closes)
    points = [entry["inputs"]["first_valid_index"] + offset for offset in entry["inputs"]["offsets"]]
    assert_expected(entry, [closes[i] - closes[i] / ratios[i] for i in points])


@pytest.mark.recorded
def test_z_scores_of_the_published_bollinger_bands_are_two_zero_and_minus_two() -> None:
    upper, middle, lower = check("ind-bb20")["expected"]
    closes = sref_closes()[:20]
    z = fed(ZScore(20), closes)[-1]
    assert z == pytest.approx(2 * (closes[-1] - middle) / (upper - middle), abs=1e-4)
    assert z == pytest.approx(-2 * (closes[-1] - middle) / (lower - middle), abs=1e-4)


@pytest.mark.recorded
def test_rsi_of_the_stockcharts_worksheet_is_met() -> None:
    entry = check("ind-rsi-stockcharts")
    assert_expected(entry, fed(Rsi(14), entry["inputs"]["close"])[14:])


@pytest.mark.recorded
def test_rsi_is_not_the_unseeded_one() -> None:
    entry = check("ind-rsi-negative-control")
    index = entry["inputs"]["index"]
    assert fed(Rsi(14), sref_closes())[index] == pytest.approx(49.14734, abs=1e-5)
    assert fed(Rsi(14), sref_closes())[index] != pytest.approx(entry["expected"], abs=1.0)


# To the bit what TA-Lib gives in one batch


@pytest.mark.parametrize(
    ("indicator", "batch"),
    [
        (Sma(10), lambda closes: talib.SMA(closes, 10)),
        (Sma(1), lambda closes: talib.SMA(closes, 1)),
        (PriceRatio(20), lambda closes: talib.ROCR(closes, 20)),
        (PriceRatio(1), lambda closes: talib.ROCR(closes, 1)),
        (Rsi(14), lambda closes: talib.RSI(closes, 14)),
        (Rsi(2), lambda closes: talib.RSI(closes, 2)),
    ],
    ids=["sma10", "sma1", "ratio20", "ratio1", "rsi14", "rsi2"],
)
def test_streaming_equals_batch_to_the_bit(
    indicator: Indicator, batch: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> None:
    closes = walk()
    np.testing.assert_array_equal(fed(indicator, closes), batch(np.array(closes)))


# RSI


def test_rsi_is_100_when_all_changes_are_up_and_0_when_all_are_down() -> None:
    assert fed(Rsi(14), range(1, 41))[-1] == 100.0
    assert fed(Rsi(14), range(40, 0, -1))[-1] == 0.0


def test_rsi_of_a_price_that_never_moved_is_50() -> None:
    assert fed(Rsi(3), [10.0] * 6)[3:] == [50.0, 50.0, 50.0]


def test_rsi_of_a_flat_price_is_moved_by_its_first_change() -> None:
    assert fed(Rsi(3), [10.0] * 6 + [9.0, 9.0, 10.0])[6:8] == [0.0, 0.0]
    assert fed(Rsi(3), [10.0] * 6 + [11.0, 11.0])[6:] == [100.0, 100.0]


def test_rsi_stays_0_when_a_fall_before_it_existed_is_followed_by_a_flat_price() -> None:
    assert fed(Rsi(3), [10.0, 9.0, 9.0, 9.0, 9.0])[3:] == [0.0, 0.0]


def test_rsi_stays_where_it_is_through_a_long_flat_stretch() -> None:
    values = fed(Rsi(14), [*walk(50), *[100.0] * 3000])
    assert values[-1] == pytest.approx(values[51], abs=1e-6)


def test_rsi_knows_no_unit_of_price() -> None:
    closes = walk(100)
    assert fed(Rsi(14), [close * 2.0**-80 for close in closes])[14:] == fed(Rsi(14), closes)[14:]


@given(closes=prices)
def test_rsi_lies_between_0_and_100(closes: list[float]) -> None:
    assert all(isnan(value) or 0.0 <= value <= 100.0 for value in fed(Rsi(5), closes))


# Z-score


def test_z_score_exists_from_its_full_window_on() -> None:
    values = fed(ZScore(3), [1.0, 2.0, 3.0])
    assert isnan(values[1])
    assert values[2] == pytest.approx(1.5**0.5)


@pytest.mark.parametrize("price", [60_000.01, 0.1, 450.23, 1e-9, 1e15])
@pytest.mark.parametrize("period", [2, 3, 20, 49])
def test_z_score_of_equal_closes_is_exactly_zero_also_after_a_wild_past(price: float, period: int) -> None:
    assert fed(ZScore(period), [*walk(50), *[price] * period])[-1] == 0.0


def test_z_score_keeps_a_cent_at_60_000_dollars() -> None:
    closes = [60_000.00] * 19 + [60_000.01]
    assert fed(ZScore(20), closes)[-1] == pytest.approx(19**0.5, rel=1e-9)


@given(closes=st.lists(st.integers(1, 10_000_000), min_size=20, max_size=20))
def test_z_score_agrees_with_the_two_pass_definition(closes: list[int]) -> None:
    window = np.array(closes) / 100
    flat = len(set(closes)) == 1
    expected = 0.0 if flat else (window[-1] - window.mean()) / window.std()
    assert fed(ZScore(20), list(window))[-1] == pytest.approx(expected, abs=1e-6)


# Levels


@pytest.mark.parametrize(
    ("value", "against", "expected"),
    [
        (0.1 + 0.2, 0.3, 0),
        (0.3, 0.1 + 0.2, 0),
        (60_000.01, 60_000.00, 1),
        (59_999.99, 60_000.00, -1),
        (0.0, 0.0, 0),
        (1e-12, 0.0, 1),
        (nan, 1.0, 0),
        (1.0, nan, 0),
    ],
)
def test_compare_sees_steps_of_prices_and_no_noise(value: float, against: float, expected: int) -> None:
    assert compare(value, against) == expected
