"""Limits on what the account may lose: value at risk and expected shortfall of a day, and named stresses.

All three are of the account as it would be with the order filled, and with whatever else is on its way filled as it
hurts most. An order that leaves the account with less to lose passes, however much that is.
"""

from collections.abc import Mapping
from math import isnan, nan
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np

from trader.model.instruments import AssetClass
from trader.model.tail import Floats, Tail, cornish_fisher, historical, parametric, sigma_of
from trader.model.time import MINUTE
from trader.model.views import Exposures, Question
from trader.risk.bounds import NONE, Bound, Breach
from trader.risk.past import History, Past, past_of
from trader.risk.stress import Scenario, moves_of

Method = Literal["parametric", "historical", "cornish-fisher"]

_ASCENTS: Final = 3  # each finds a worse corner or stops; a fourth has never found one


class VarLimits(msgspec.Struct, frozen=True, omit_defaults=True):
    """Limits on the account's tail as fractions of its net asset value; the default has none.

    ``window`` is how many past days are looked at. Where symbols have fewer than 250 in common, every method is the
    parametric one.
    """

    max_var: Bound = NONE
    max_es: Bound = NONE
    max_stress: Bound = NONE
    scenarios: tuple[Scenario, ...] = ()
    confidence: float = 0.95
    horizon: int = 1
    window: int = 500
    method: Method = "parametric"


class TailModel:
    """What the desk's symbols did on past days, read anew when a day has ended."""

    def __init__(self, histories: Mapping[str, History], classes: Mapping[str, AssetClass], limits: VarLimits) -> None:
        """Read nothing before it is asked; ``histories`` are in the order of the exposures' symbols."""
        self.limits = limits
        self.symbols = tuple(histories)
        self.classes = tuple(classes[symbol] for symbol in histories)
        self.shocks = np.zeros((len(limits.scenarios), len(self.symbols)))  # a row each scenario
        self._histories = tuple(histories.values())
        self._past: Past | None = None
        self._read: tuple[int, ...] = ()
        self._looked = -1

    def at(self, now: int) -> Past:
        """Return the past as it is known at ``now``."""
        minute = now // MINUTE
        if self._past is None or minute != self._looked:
            self._looked = minute
            read = tuple(int(ends[-1]) if len(ends := history.ends(1)) else 0 for history in self._histories)
            if self._past is None or read != self._read:
                self._read = read
                self._past = past_of(self._histories, self.limits.window)
                for row, scenario in enumerate(self.limits.scenarios):
                    self.shocks[row] = moves_of(scenario, self.symbols, classes=self.classes, past=self._past).moves
        return self._past

    def tail(self, weights: Floats, past: Past) -> Tail:
        """Return the tail of exposures in dollars, shape (n,); NaN where it cannot be known."""
        return tail_of(weights, past, self.limits)


def tail_of(weights: Floats, past: Past, terms: VarLimits) -> Tail:
    """Return the tail of exposures in dollars by the method that ``terms`` name; NaN where it cannot be known."""
    confidence, horizon = terms.confidence, terms.horizon
    aside = float(np.abs(weights) @ np.where(weights == 0.0, 0.0, past.alone)) if past.alone.any() else 0.0
    if terms.method == "parametric" or not len(past.days):
        spread = sigma_of(weights, past.covariance)
        return parametric(spread + aside, confidence=confidence, horizon=horizon)
    method = historical if terms.method == "historical" else cornish_fisher
    tail = method(past.returns @ weights, confidence=confidence, horizon=horizon)
    extra = parametric(aside, confidence=confidence, horizon=horizon)
    return Tail(tail.var + extra.var, tail.es + extra.es, tail.method)


def worst_corner(high: Floats, low: Floats, covariance: Floats) -> Floats:
    """Return exposures between ``low`` and ``high``, each at one of them, that spread wide: the widest near the start.

    The spread is convex, so to go where it grows never makes it smaller.
    """
    if high is low:
        return high
    corner = np.where(np.abs(high) >= np.abs(low), high, low)
    for _ in range(_ASCENTS):
        pulls = covariance @ corner
        further = np.where(pulls > 0.0, high, np.where(pulls < 0.0, low, corner))
        if np.array_equal(further, corner):
            break
        corner = further
    return corner


class TailControl:
    """Holds openings to :class:`VarLimits`."""

    def __init__(self, model: TailModel) -> None:
        """Judge by ``model`` and the limits it was made with."""
        self._model = model
        limits = model.limits
        self.is_on = bool(limits.max_var or limits.max_es or (limits.max_stress and limits.scenarios))

    def breaches(self, question: Question, exposures: Exposures, *, nav: float, tightness: float = 1.0) -> list[Breach]:
        """Return each limit that an opening breaks; ``nav`` is the account's net asset value in dollars.

        What cannot be known is beyond any limit.
        """
        past, limits = self._model.at(question.now), self._model.limits
        intent = question.intent
        number = exposures.index[intent.symbol]
        qty = float(intent.qty) * intent.side.sign
        box = _box(exposures)
        filled = box.with_order(number, qty * float(exposures.marks[number]))
        measures = self._measures(filled, past)
        bounds = {"max_var": limits.max_var, "max_es": limits.max_es, "max_stress": limits.max_stress}
        broken = {
            rule: level
            for rule, (value, _) in measures.items()
            if (level := bounds[rule].broken(value / nav if nav > 0.0 else nan, tightness)) is not None
        }
        if not broken:
            return []
        before = self._measures(box, past)
        return [
            Breach(
                rule,
                "account",
                _fraction(bounds[rule].at(level) / tightness),
                self._told(measures[rule], nav, filled, past),
                level,
            )
            for rule, level in broken.items()
            if not measures[rule][0] < before[rule][0]
        ]

    def _measures(self, box: "_Box", past: Past) -> dict[str, tuple[float, str]]:
        """Return in dollars what each rule that is set looks at, and by what it was measured."""
        limits, measures = self._model.limits, dict[str, tuple[float, str]]()
        if limits.max_var or limits.max_es:
            tail = tail_of(worst_corner(box.high, box.low, past.covariance), past, limits)
            how = f"{limits.confidence:g}, {limits.horizon} d, {tail.method}"
            measures = {"max_var": (tail.var, how), "max_es": (tail.es, how)}
        if limits.max_stress and limits.scenarios:
            losses = -np.minimum(self._model.shocks * box.high, self._model.shocks * box.low).sum(axis=1)
            worst = int(np.argmax(losses))
            measures["max_stress"] = float(losses[worst]), limits.scenarios[worst].name
        return measures

    def _told(self, measure: tuple[float, str], nav: float, box: "_Box", past: Past) -> str:
        """Say what was measured, or what is missing."""
        value, how = measure
        if not isnan(value):
            return f"{_fraction(value / nav)} (${value:.0f}; {how})" if nav > 0.0 else f"unknown: equity is ${nav:.0f}"
        held = np.maximum(np.abs(box.high), np.abs(box.low))
        unmarked = [self._model.symbols[number] for number in np.flatnonzero(np.isnan(held))]
        unseen = [self._model.symbols[number] for number in np.flatnonzero(np.isnan(past.alone) & (held != 0.0))]
        lacking = (
            f"no mark of {', '.join(unmarked)} yet" if unmarked else f"too few days of {', '.join(unseen)} are known"
        )
        return f"unknown: {lacking}"


class _Box(NamedTuple):
    """Dollars of each symbol, shape (n,), were all that is on its way bought, or sold; one array where nothing is."""

    high: Floats
    low: Floats

    def with_order(self, number: int, dollars: float) -> "_Box":
        high = self.high.copy()
        high[number] += dollars
        if self.low is self.high:
            return _Box(high, high)
        low = self.low.copy()
        low[number] += dollars
        return _Box(high, low)


def _box(exposures: Exposures) -> _Box:
    net, buys, sells, marks = exposures.net, exposures.buys, exposures.sells, exposures.marks
    if not buys.any() and not sells.any():
        worth = _dollars(net, marks)
        return _Box(worth, worth)
    return _Box(_dollars(net + buys, marks), _dollars(net - sells, marks))


def _dollars(qty: Floats, marks: Floats) -> Floats:
    """Return what quantities are worth; of nothing, also where no mark is known."""
    return np.where(qty == 0.0, 0.0, qty * marks)


def _fraction(value: float) -> str:
    return f"{value:.4g}"
