"""Three opinions, alone and against each other."""

from fractions import Fraction
from itertools import product

import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from tests.strategies.exact import wishes
from trader.model.ticks import Bar
from trader.strategies import AdaptiveStrategy, Strategy
from trader.testing import bars

# One opinion at a time: bounds of the RSI that it never reaches, volume that never changes.
QUIET_RSI = {"rsi_oversold": 0.0, "rsi_overbought": 100.0}


def small(**rsi: float) -> Strategy:
    return AdaptiveStrategy(short_window=1, long_window=3, rsi_period=2, **rsi)


def market(closes: list[float], volumes: list[float]) -> list[Bar]:
    return [replace(bar, volume=volume) for bar, volume in zip(bars(closes), volumes, strict=True)]


def test_the_trend_alone_decides() -> None:
    assert wishes(small(**QUIET_RSI), bars([10, 9, 11]))[-1] == "long"
    assert wishes(small(**QUIET_RSI), bars([10, 11, 9]))[-1] == "short"


def test_volume_against_the_trend_leaves_just_enough() -> None:
    # Below its average and rising on high volume: −0.5 + 0.2 is −0.3, which is enough.
    assert wishes(small(**QUIET_RSI), market([20, 8, 9], [1, 1, 4]))[-1] == "short"
    assert wishes(small(**QUIET_RSI), market([8, 20, 19], [1, 1, 4]))[-1] == "long"


def test_rsi_alone_is_just_enough_and_against_the_trend_too_little() -> None:
    # Averages level at the last bar, the RSI at 25 and at 75.
    assert wishes(small(), bars([11, 9, 10]))[-1] is None
    assert wishes(small(rsi_oversold=34), bars([11, 9, 10]))[-1] == "long"
    assert wishes(small(rsi_overbought=66), bars([9, 11, 10]))[-1] == "short"
    # Above its average and overbought: 0.5 − 0.3 is 0.2.
    assert wishes(small(), bars([9, 10, 11]))[-1] is None


def test_volume_alone_is_too_little() -> None:
    assert wishes(small(**QUIET_RSI), market([11, 9, 10], [1, 1, 4]))[-1] is None


def test_volume_at_its_average_says_nothing() -> None:
    # Overbought above the average: 0.5 − 0.3 needs the 0.2 of volume to be enough.
    assert wishes(small(), market([9, 10, 11], [0.1, 0.1, 0.1]))[-1] is None
    assert wishes(small(), market([9, 10, 11], [0.1, 0.1, 0.2]))[-1] == "long"
    for level in (0.1, 0.7, 1.1):  # the running mean keeps a residue of the larger volumes before
        assert wishes(small(), market([9, 9, 9, 10, 11], [7.77, 123.456, level, level, level]))[-1] is None


@pytest.mark.parametrize("start", [20.3, 33.33, 100.1, 450.23])
@pytest.mark.parametrize("step", [0.01, 0.03, 0.07])
def test_the_bounds_of_the_rsi_count_as_reached(start: float, step: float) -> None:
    # RSI 75 above the average, or 25 below it: the trend loses 0.3 of its 0.5.
    bounds = {"rsi_oversold": 25.0, "rsi_overbought": 75.0}
    for changes in ((3, -1), (-3, 1)):
        closes = [start, round(start + changes[0] * step, 2), round(start + sum(changes) * step, 2)]
        assert wishes(small(**bounds), bars(closes))[-1] is None


def test_no_volume_is_never_more_than_usual() -> None:
    # The running mean of volume keeps a residue of what once was; nothing traded is not above it.
    wild = [float(share) * 0.1 for share in range(1, 60)]
    for seed in wild:
        fed = market([10.0] * 20 + [9, 10, 11], [seed * 1e12, *wild[:16], 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
        assert wishes(small(), fed)[-1] is None


def test_level_averages_are_no_trend_whatever_the_binary_sums_say() -> None:
    strategy = AdaptiveStrategy(short_window=2, long_window=3, rsi_period=2, **QUIET_RSI)
    assert wishes(strategy, bars([450.21, 450.23, 450.19, 450.21] * 20 + [450.1] * 3))[-1] is None


def test_the_score_in_tenths_decides_as_the_weights_do() -> None:
    for trend, rsi, volume in product((-1, 0, 1), repeat=3):
        score = Fraction("0.5") * trend + Fraction("0.3") * rsi + Fraction("0.2") * volume
        assert (5 * trend + 3 * rsi + 2 * volume >= 3) == (score >= Fraction("0.3"))
        assert (5 * trend + 3 * rsi + 2 * volume <= -3) == (score <= Fraction("-0.3"))


@pytest.mark.parametrize(("long_window", "rsi_period", "expected"), [(30, 14, 30), (5, 14, 15), (15, 14, 15)])
def test_it_speaks_first_when_its_slowest_indicator_exists(long_window: int, rsi_period: int, expected: int) -> None:
    strategy = AdaptiveStrategy(short_window=2, long_window=long_window, rsi_period=rsi_period, **QUIET_RSI)
    assert strategy.warmup == expected
    zigzag = [100.0 + minute + minute % 2 * 3 for minute in range(40)]
    assert wishes(strategy, bars(zigzag))[: expected + 1] == [None] * (expected - 1) + ["long"] * 2


def test_the_long_window_must_be_longer() -> None:
    with pytest.raises(ValidationError, match="must be above short_window, which is 40; got 30") as error:
        AdaptiveStrategy(short_window=40)
    assert error.value.errors()[0]["loc"] == ("long_window",)


def test_overbought_must_be_above_oversold() -> None:
    with pytest.raises(ValidationError, match="must be above rsi_oversold, which is 70; got 70") as error:
        AdaptiveStrategy(rsi_oversold=70)
    assert error.value.errors()[0]["loc"] == ("rsi_overbought",)


def test_the_defaults_are_those_of_the_guide() -> None:
    assert repr(AdaptiveStrategy()) == (
        "AdaptiveStrategy(short_window=10, long_window=30, rsi_period=14, rsi_oversold=30.0, rsi_overbought=70.0)"
    )
