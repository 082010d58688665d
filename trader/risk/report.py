"""What today's positions may lose, as a person is shown it: tails, their parts, stresses, and how well it all fits.

Dollars and fractions of the equity; a loss is positive in a tail, and a gain is in a stress. What a symbol lacks is
said in ``notes``: a figure that leaves something out never stands alone.
"""

from collections.abc import Mapping, Sequence
from math import isnan, nan
from typing import Final, NamedTuple, get_args

import msgspec
import numpy as np

from trader.model.instruments import AssetClass
from trader.model.tail import Floats, component_var, interpolated, marginal_var
from trader.risk.coverage import TRIAL_DAYS, Coverage, coverage_of, rolling_exceptions
from trader.risk.past import FEWEST_DAYS, Past
from trader.risk.stress import CLASSES, SCENARIOS, Moves, Scenario, moves_of, reverse, worst_stretch
from trader.risk.value_at_risk import Method, VarLimits, tail_of, worst_corner

CONFIDENCES: Final = (0.95, 0.99)
STRETCHES: Final[Mapping[str, int]] = {"worst-day": 1, "worst-week": 5, "worst-month": 21}  # days in a row
REVERSE: Final = "reverse"
REVERSE_LOSS: Final = 0.1  # of the equity
FEWEST_BEFORE: Final = 200  # days that a value at risk is estimated from, before the first day it is judged on
GRID: Final = (-0.2, -0.1, -0.05, -0.01, 0.01, 0.05, 0.1, 0.2)  # moves of one factor


class Book(NamedTuple):
    """What is held of ``n`` symbols in dollars, shape (n,), signed, and by whom; NaN where something has no mark.

    ``high`` and ``low`` are what it were, if all that is on its way were bought, or sold.
    """

    symbols: Sequence[str]
    classes: Sequence[AssetClass]
    weights: Floats
    high: Floats
    low: Floats
    strategies: Mapping[str, Floats]
    equity: float


class TailLine(msgspec.Struct, frozen=True):
    """One measure of the tail of one day."""

    method: str
    confidence: float
    var: float
    es: float


class PositionLine(msgspec.Struct, frozen=True):
    """One position: ``component`` is its part in the value at risk, ``marginal`` what a dollar more of it adds."""

    symbol: str
    value: float
    component: float
    marginal: float


class StressLine(msgspec.Struct, frozen=True):
    """One position in a stress; ``basis`` says what its move rests on: named, completed, class, replayed, unmoved."""

    symbol: str
    value: float
    move: float
    gain: float
    basis: str


class StressReport(msgspec.Struct, frozen=True):
    """What a stress does to today's positions.

    Of the likeliest way to lose a sum, ``distance`` is how many standard deviations it is off.
    """

    name: str
    title: str
    gain: float
    fraction: float
    lines: list[StressLine]
    distance: float | None = None
    notes: list[str] = []


class RiskReport(msgspec.Struct, frozen=True):
    """The tail of today's positions. ``limit`` is what the settings' limits look at: with all that is on its way.

    ``sensitivity`` are gains by move of one factor alone; ``days`` how many past days the symbols have in common.
    """

    mode: str
    ts: str
    equity: float
    days: int
    tails: list[TailLine]
    limit: TailLine
    positions: list[PositionLine]
    strategies: dict[str, float]
    coverage: Coverage | None
    stresses: list[StressReport]
    sensitivity: dict[str, dict[str, float]]
    notes: list[str]


def report(book: Book, past: Past, terms: VarLimits, *, mode: str, ts: str) -> RiskReport:
    """Measure today's positions in every way; ``terms`` are those of the settings' limits."""
    weights, notes = _known(book, past)
    covariance, at = past.covariance, terms.confidence
    parts, margins = (of(weights, covariance, confidence=at).tolist() for of in (component_var, marginal_var))
    rows = zip(book.symbols, weights.tolist(), parts, margins, strict=True)
    corner = tail_of(worst_corner(book.high, book.low, covariance), past, terms)
    return RiskReport(
        mode, ts, book.equity, len(past.days), _tails(weights, past),
        TailLine(corner.method, at, corner.var, corner.es),
        sorted((PositionLine(*row) for row in rows if row[1]), key=lambda line: -line.component),
        {name: tail_of(own, past, terms).var for name, own in book.strategies.items() if own.any()},
        _coverage(weights, past),
        [msgspec.structs.replace(stress_named(name, book, past, terms), lines=[]) for name in names_of(terms, past)],
        _sensitivity(book, past), notes,
    )  # fmt: skip


def names_of(terms: VarLimits, past: Past) -> list[str]:
    """Return the stresses that can be asked for by name."""
    own = [scenario.name for scenario in terms.scenarios if scenario.name not in SCENARIOS]
    return [*SCENARIOS, *own, *(name for name, days in STRETCHES.items() if len(past.days) >= days), REVERSE]


def stress_named(name: str, book: Book, past: Past, terms: VarLimits) -> StressReport:
    """Return what one of :func:`names_of` does."""
    if (days := STRETCHES.get(name)) is not None:
        moves, day = worst_stretch(np.nan_to_num(book.weights), past, days)
        last = str(np.datetime64(day - 1, "D"))  # days are numbered by the midnight that ends them
        title = f"{days} day{'s' if days > 1 else ''} until {last}"
        return _stress(name, title, Moves(moves, _basis("replayed", past)), book)
    if name == REVERSE:
        return _reversed(book, past)
    own = {scenario.name: scenario for scenario in terms.scenarios}
    return stressed(own.get(name) or SCENARIOS[name], book, past)


def stressed(scenario: Scenario, book: Book, past: Past) -> StressReport:
    """Return what a scenario does to today's positions."""
    moves = moves_of(scenario, book.symbols, classes=book.classes, past=past)
    return _stress(scenario.name, scenario.title, moves, book)


def _stress(name: str, title: str, moves: Moves, book: Book, *, distance: float | None = None) -> StressReport:
    rows = zip(book.symbols, book.weights.tolist(), moves.moves.tolist(), moves.basis, strict=True)
    held = [(symbol, value, move, value * move, basis) for symbol, value, move, basis in rows if value]
    lines = sorted((StressLine(*row) for row in held if not isnan(row[1])), key=lambda line: line.gain)
    notes = []
    if still := [line.symbol for line in lines if line.basis == "unmoved"]:
        notes.append(f"{', '.join(still)}: not moved, for nothing is known of how it would")
    if unmarked := [symbol for symbol, value, *_ in held if isnan(value)]:
        notes.append(f"{', '.join(unmarked)}: left out, for it has no price yet")
    gain = sum(line.gain for line in lines)
    fraction = gain / book.equity if book.equity > 0.0 else nan
    return StressReport(name, title, gain, fraction, lines, distance, notes)


def _reversed(book: Book, past: Past) -> StressReport:
    loss = REVERSE_LOSS * max(0.0, book.equity)
    found = reverse(np.nan_to_num(book.weights), past.covariance, loss=loss) if loss else None
    if found is None:
        nothing = Moves(np.zeros(len(book.symbols)), ("unmoved",) * len(book.symbols))
        return _stress(REVERSE, "nothing that is held and known can lose it", nothing, book)
    moves, distance = found
    title = f"the likeliest way to lose {REVERSE_LOSS:.0%}: {distance:.1f} standard deviations of a day"
    return _stress(REVERSE, title, Moves(moves, _basis("likeliest", past)), book, distance=distance)


def _basis(known: str, past: Past) -> tuple[str, ...]:
    return tuple(known if one else "unmoved" for one in past.is_known)


def _known(book: Book, past: Past) -> tuple[Floats, list[str]]:
    """Return the weights of what can be measured, and what is said of the rest and of what stands alone."""
    notes, weights = [], book.weights
    for symbol, value, alone in zip(book.symbols, weights.tolist(), past.alone.tolist(), strict=True):
        if not value:
            continue
        if isnan(value):
            notes.append(f"{symbol}: left out of everything, for it has no price yet")
        elif isnan(alone):
            notes.append(f"{symbol}: left out of every tail, for too few of its days are known")
        elif alone:
            notes.append(
                f"{symbol}: fewer than {FEWEST_DAYS} days in common with the others, so it counts by its own volatility"
                f" of {alone:.2%} a day, as if it fell whenever they do"
            )
    unknown = np.isnan(weights) | np.isnan(past.alone)
    return np.where(unknown, 0.0, weights), notes


def _tails(weights: Floats, past: Past) -> list[TailLine]:
    methods: tuple[Method, ...] = get_args(Method) if len(past.days) else ("parametric",)
    lines = []
    for confidence in CONFIDENCES:
        for method in methods:
            tail = tail_of(weights, past, VarLimits(confidence=confidence, method=method))
            name = method if tail.method == method else f"{method}: outside its domain, {tail.method}"
            lines.append(TailLine(name, confidence, tail.var, tail.es))
        if len(past.days) and not past.alone @ np.abs(weights):
            tail = interpolated(past.returns @ weights, confidence=confidence)
            lines.append(TailLine("historical, interpolated", confidence, tail.var, tail.es))
    return lines


def _coverage(weights: Floats, past: Past) -> Coverage | None:
    """Judge the parametric value at risk of 99 % of today's positions on each of the newest 250 days."""
    gains = past.returns @ weights
    window = min(FEWEST_DAYS, len(gains) - TRIAL_DAYS)
    if window < FEWEST_BEFORE or not gains.any():
        return None
    exceptions = rolling_exceptions(gains[-window - TRIAL_DAYS :], window=window, confidence=0.99)
    return coverage_of(exceptions, confidence=0.99)


def _sensitivity(book: Book, past: Past) -> dict[str, dict[str, float]]:
    weights, grid = np.nan_to_num(book.weights), {}
    for factor, kind in CLASSES.items():
        if weights[np.array(book.classes) == kind].any():
            moved = moves_of(Scenario(factor, {factor: 1.0}), book.symbols, classes=book.classes, past=past).moves
            grid[factor] = {f"{move:+.2f}": float(weights @ moved) * move for move in GRID}
    return grid
