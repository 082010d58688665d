"""Decide as the four strategies are defined, in exact arithmetic on the decimal numbers people read; slow and plain.

Each function takes the closes of one symbol and says for every bar: "long", "flat", "short" or None (keep).
"""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

from trader.model.signals import Target
from trader.model.ticks import Bar
from trader.strategies import Strategy
from trader.testing import decisions

NAMES = {1.0: "long", 0.0: "flat", -1.0: "short"}


def wishes(strategy: Strategy, fed: Sequence[Bar]) -> list[str | None]:
    """Return what a strategy of one target says to each bar, in the words of this module."""
    answers = decisions(strategy, fed)
    return [NAMES[answer.fraction] if isinstance(answer, Target) else None for answer in answers]


def momentum(closes: Sequence[float], lookback: int, threshold: str) -> list[str | None]:
    values, bound = exact(closes), Fraction(threshold)
    moves = [values[i] / values[i - lookback] - 1 for i in range(lookback, len(values))]
    answers = ["long" if r >= bound else "short" if r <= -bound else None for r in moves]
    return [*[None] * min(lookback, len(values)), *answers]


def mean_reversion(closes: Sequence[float], lookback: int, entry: str, leave: str) -> list[str | None]:
    values, side = exact(closes), 0
    answers: list[str | None] = []
    for i in range(len(values)):
        answer = None
        if i >= lookback - 1:
            z = signed_square_of_z(values[i - lookback + 1 : i + 1])
            if z <= -(Fraction(entry) ** 2):
                answer, side = "long", 1
            elif z >= Fraction(entry) ** 2:
                answer, side = "short", -1
            elif (side > 0 and z >= -(Fraction(leave) ** 2)) or (side < 0 and z <= Fraction(leave) ** 2):
                answer, side = "flat", 0
        answers.append(answer)
    return answers


def signed_square_of_z(window: Sequence[Fraction]) -> Fraction:
    """Return z·|z|, which has no root in it and keeps the order of z."""
    mean = mean_of(window)
    gaps = [value - mean for value in window]
    variance = mean_of([gap * gap for gap in gaps])
    return gaps[-1] * abs(gaps[-1]) / variance if variance else Fraction(0)


def adaptive(closes: Sequence[float], volumes: Sequence[float], short: int, long: int, period: int) -> list[str | None]:
    values, shares = exact(closes), exact(volumes)
    index = rsi_values(closes, period)
    answers: list[str | None] = []
    for i in range(len(values)):
        strength = index[i]
        if i < long - 1 or strength is None:
            answers.append(None)
            continue
        trend = sign(mean_of(values[i - short + 1 : i + 1]) - mean_of(values[i - long + 1 : i + 1]))
        push = sign(values[i] - values[i - 1]) if shares[i] > mean_of(shares[i - long + 1 : i + 1]) else 0
        reversal = 1 if strength <= 30 else -1 if strength >= 70 else 0
        score = Fraction("0.5") * trend + Fraction("0.3") * reversal + Fraction("0.2") * push
        answers.append("long" if score >= Fraction("0.3") else "short" if score <= -Fraction("0.3") else None)
    return answers


def rsi(closes: Sequence[float], period: int) -> list[str | None]:
    index = rsi_values(closes, period)
    return [None if x is None else "long" if x <= 30 else "short" if x >= 70 else None for x in index]


def rsi_values(closes: Sequence[float], period: int) -> list[Decimal | None]:
    """Return Wilder's RSI to 60 digits, rounded to 30 so that a tie is one; 50 while nothing has moved."""
    with localcontext(prec=60):
        changes = [b - a for a, b in pairwise([Decimal(repr(close)) for close in closes])]
        index: list[Decimal | None] = [None] * min(period, len(closes))
        if len(changes) < period:
            return index
        gain = sum((max(change, Decimal(0)) for change in changes[:period]), Decimal(0)) / period
        loss = sum((max(-change, Decimal(0)) for change in changes[:period]), Decimal(0)) / period
        for change in [None, *changes[period:]]:
            if change is not None:
                gain = (gain * (period - 1) + max(change, Decimal(0))) / period
                loss = (loss * (period - 1) + max(-change, Decimal(0))) / period
            moved = gain + loss
            index.append(round(100 * gain / moved, 30) if moved else Decimal(50))
        return index


def exact(values: Sequence[float]) -> list[Fraction]:
    return [Fraction(repr(value)) for value in values]


def mean_of(values: Sequence[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def sign(value: Fraction) -> int:
    return (value > 0) - (value < 0)
