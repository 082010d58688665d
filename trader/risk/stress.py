"""What today's positions would lose if the market moved as it once did, as somebody fears, or as far as it must.

A stress is a set of moves of factors: symbols, or ``stocks``, ``crypto`` and ``all``. A symbol that is named moves as
it says; of the others those whose past is known move as they are expected to, given the named ones (``completed``), the
rest as their class does (``class``), or not at all (``unmoved``): the answer says which.
"""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from trader.model.instruments import AssetClass
from trader.model.tail import Floats
from trader.model.time import DAY
from trader.risk.past import History, Past

CLASSES: Final[Mapping[str, AssetClass]] = {"stocks": "stock", "crypto": "crypto"}
ALL: Final = "all"
WHOLE_LOSS: Final = -1.0  # no price falls below zero
LONGEST_GAP: Final = 5  # days without a close: the longest weekend, and one more


class Scenario(msgspec.Struct, frozen=True):
    """Moves of factors as fractions, −0.1 is a fall by 10 %.

    Unless ``is_completed``, what is not named does not move with what is.
    """

    name: str
    shocks: Mapping[str, float]
    title: str = ""
    is_completed: bool = True


class Moves(NamedTuple):
    """How each of ``n`` symbols moves, and what each move rests on: named, completed, class or unmoved."""

    moves: Floats
    basis: tuple[str, ...]


def _crash(name: str, fall: float, title: str) -> Scenario:
    """Return a fall of US stocks at a time without coins: what is not known to move otherwise falls as far."""
    return Scenario(name, {"SPY": fall, ALL: fall}, title)


# Moves of the S&P 500, or of SPY, from close to close, and of coins in dollars from midnight to midnight UTC.
SCENARIOS: Final[Mapping[str, Scenario]] = {
    scenario.name: scenario
    for scenario in (
        _crash("black-monday", -0.2047, "1987-10-19"),
        _crash("dot-com", -0.491469, "2000-03-24 to 2002-10-09"),
        _crash("financial-crisis", -0.567754, "2007-10-09 to 2009-03-09"),
        _crash("october-2008", -0.09035, "2008-10-15"),
        Scenario(
            "pandemic",
            {"SPY": -0.341, "stocks": -0.341, "BTC/USD": -0.334, "ETH/USD": -0.4806, "crypto": -0.4806},
            "2020-02-19 to 2020-03-23",
        ),
        Scenario(
            "crypto-winter",
            {"SPY": -0.0227, "stocks": -0.0227, "BTC/USD": -0.834, "ETH/USD": -0.8787, "crypto": -0.8787},
            "2017-12-16 to 2018-12-15",
        ),
        Scenario("everything-falls", {"stocks": -0.2, "crypto": -0.5}, "all at once", is_completed=False),
        Scenario("everything-jumps", {"stocks": 0.1, "crypto": 0.3}, "all at once", is_completed=False),
    )
}


def moves_of(scenario: Scenario, symbols: Sequence[str], *, classes: Sequence[AssetClass], past: Past) -> Moves:
    """Return how each symbol moves in a scenario."""
    given, count = scenario.shocks, len(symbols)
    moves, basis = np.zeros(count), ["unmoved"] * count
    for number, (symbol, asset_class) in enumerate(zip(symbols, classes, strict=True)):
        factor = next((name for name, kind in CLASSES.items() if kind == asset_class and name in given), ALL)
        if symbol in given:
            moves[number], basis[number] = given[symbol], "named"
        elif factor in given:
            moves[number], basis[number] = given[factor], "class"
    named = np.array([symbol in given for symbol in symbols], dtype=np.bool_) & past.is_known
    others = past.is_known & np.array([kind != "named" for kind in basis], dtype=np.bool_)
    if scenario.is_completed and named.any():
        moves[others] = completed(moves[named], past.covariance, named=named, others=others)
        basis = ["completed" if other else kind for kind, other in zip(basis, others, strict=True)]
    return Moves(np.maximum(moves, WHOLE_LOSS), tuple(basis))


def completed(shocks: Floats, covariance: Floats, *, named: NDArray[np.bool_], others: NDArray[np.bool_]) -> Floats:
    """Return what the others are expected to do, given what the named ones do.

    Source: the conditional mean of a normal distribution, Σ_on Σ_nn⁻¹ f_n; Kupiec, Stress testing in a value at risk
    framework (1998).
    """
    within = covariance[np.ix_(named, named)]
    return np.asarray(covariance[np.ix_(others, named)] @ np.linalg.pinv(within, hermitian=True) @ shocks)


def shocks_between(histories: Mapping[str, History], since: int, until: int) -> dict[str, float]:
    """Return how symbols moved from the close of one day to that of another, days since 1970; of who was there on both.

    On a day without one the close of the day before counts, up to :data:`LONGEST_GAP` days back.
    """
    shocks = {}
    for symbol, history in histories.items():
        days = history.ends // DAY - 1  # a day ends with the midnight after it
        first, last = (int(np.searchsorted(days, day, side="right")) - 1 for day in (since, until))
        if 0 <= first < last and since - days[first] <= LONGEST_GAP and until - days[last] <= LONGEST_GAP:
            closes = history.closes(len(days))
            shocks[symbol] = float(closes[last] / closes[first]) - 1.0
    return shocks


def reverse(weights: Floats, covariance: Floats, *, loss: float) -> tuple[Floats, float] | None:
    """Return the likeliest moves, shape (n,), that lose ``loss`` dollars, and by how many standard deviations.

    None where nothing that is known can.

    Source: the minimum of f'Σ⁻¹f subject to w'f = −loss, which is −loss Σw / w'Σw.
    """
    pulls = covariance @ weights
    variance = float(weights @ pulls)
    return None if variance <= 0.0 else (0.0 - loss * pulls / variance, loss / sqrt(variance))


def worst_stretch(weights: Floats, past: Past, days: int) -> tuple[Floats, int]:
    """Return the moves, shape (n,), of the ``days`` in a row of the past in which ``weights`` would have lost most.

    And the number of the midnight that ended them, in days since 1970. The past must have so many.
    """
    worth = np.vstack([np.ones(past.returns.shape[1]), np.cumprod(1.0 + past.returns, axis=0)])
    moves = worth[days:] / worth[:-days] - 1.0
    worst = int(np.argmin(moves @ weights))
    return moves[worst], int(past.days[worst + days - 1])
