"""Limits on what the account may lose: value at risk and expected shortfall of a day, and named stresses.

All three are of the account as it would be with the order filled, and with whatever else is on its way filled as it
hurts most. An order that leaves the account with less to lose passes, however much that is.
"""

from collections.abc import Mapping
from math import isnan, nan
from operator import add, is_not, le
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from trader.model.instruments import AssetClass
from trader.model.tail import Floats, Tail, cornish_fisher, historical, parametric, sigma_of
from trader.model.time import MINUTE
from trader.model.views import Exposures
from trader.risk.bounds import NONE, Bound, Breach
from trader.risk.checks import breach_of, check_of
from trader.risk.opening import Opening
from trader.risk.past import History, Past, past_of
from trader.risk.stress import Scenario, moves_of

Method = Literal["parametric", "historical", "cornish-fisher"]

_ASCENTS: Final = 3  # each goes to a wider corner or stays; few go further


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
        self.shocks = np.zeros((len(limits.scenarios), len(self.symbols)))  # a row each scenario; NaN: not known
        self._histories = tuple(histories.values())
        self._past: Past | None = None
        self._read: list[NDArray[np.int64]] = []
        self._looked = -1

    def at(self, now: int) -> Past:
        """Return the past as it is known at ``now``."""
        minute = now // MINUTE
        if self._past is None or minute != self._looked:
            self._looked = minute
            read = [history.ends for history in self._histories]  # each is another array when a day has ended
            if self._past is None or any(map(is_not, read, self._read)):
                self._read = read
                self._past = past_of(self._histories, self.limits.window)
                for row, scenario in enumerate(self.limits.scenarios):
                    found = moves_of(scenario, self.symbols, classes=self.classes, past=self._past)
                    unknown = scenario.is_completed & (np.array(found.basis) == "unmoved")
                    self.shocks[row] = np.where(unknown, nan, found.moves)
        return self._past


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
    """Return exposures, each at ``high`` or at ``low``, that spread wide: the widest that is found from three corners.

    The spread is convex, so to go where it grows never makes it smaller. All corners are too many to try: of a hundred
    random small books one or two have a corner that is wider by more than a twentieth.
    """
    if high is low:
        return high
    larger = np.where(np.abs(high) >= np.abs(low), high, low)
    corners = np.where(covariance.diagonal() > 0.0, (larger, high, low), larger)  # (3, n)
    pulls = corners @ covariance
    for _ in range(_ASCENTS):
        further = np.where(pulls > 0.0, high, np.where(pulls < 0.0, low, corners))
        if (further == corners).all():
            break
        corners, pulls = further, further @ covariance
    return np.asarray(corners[np.argmax((corners * pulls).sum(axis=1))])


class TailControl:
    """Holds openings to :class:`VarLimits`."""

    def __init__(self, model: TailModel) -> None:
        """Judge by ``model`` and the limits it was made with."""
        self.model = model
        limits = model.limits
        bounds = {"max_var": limits.max_var, "max_es": limits.max_es}
        if limits.scenarios:
            bounds["max_stress"] = limits.max_stress
        self._checks = {
            rule: check_of(rule, bound, scope="account", key=f"risk.var.{rule}", unit="of equity")
            for rule, bound in bounds.items()
            if bound
        }
        self.is_on = bool(self._checks)
        unit = parametric(1.0, confidence=limits.confidence, horizon=limits.horizon)
        self._units = [{"max_var": unit.var, "max_es": unit.es}.get(rule, nan) for rule in self._checks]
        self._firsts = [check.first for check in self._checks.values()]
        self._past: Past | None = None  # of which the next are
        self._spreads: list[float] = []  # the deviations of single symbols
        self._version = -1  # of the exposures, where the most that may be lost by now is known, rule by rule
        self._most: list[float] = []

    def breaches(self, opening: Opening, exposures: Exposures, *, nav: float, tightness: float = 1.0) -> list[Breach]:
        """Return each limit that an opening breaks; ``nav`` is the account's net asset value in dollars.

        What cannot be known is beyond any limit.
        """
        past, number = self.model.at(opening.question.now), opening.number
        worth = opening.signed * exposures.marks.item(number)
        if past is not self._past:
            self._take(past)
        if exposures.version == self._version and self._is_within(self._alone(number, worth), limit=nav / tightness):
            return []
        box = _box(exposures)
        filled = box.with_order(number, worth)
        measures = self._measures(filled, past)
        broken = self._broken(filled, past, measures, nav=nav, tightness=tightness)
        unfilled = self._alone(number, -worth)  # let pass, it may still stay away; what is NaN is to remain it
        self._most = [one.loss + max(loss, 0.0) for one, loss in zip(measures.values(), unfilled, strict=True)]
        self._version = -1 if broken else exposures.version
        before = self._measures(box, past) if broken else {}
        return [breach for rule, loss, breach in broken if not loss < before[rule].loss]

    def _is_within(self, alone: list[float], *, limit: float) -> bool:
        """Tell whether an opening surely stays within the limits: together no more is lost than one by one.

        That holds for normal tails and for stresses, and spares most orders of a step the account's whole tail.
        """
        together = [*map(add, self._most, alone)]
        if limit > 0.0 and all(map(le, together, [first * limit for first in self._firsts])):
            self._most = [*map(max, together, self._most)]
            return True
        return False

    def _take(self, past: Past) -> None:
        """Begin anew with other days."""
        is_normal = self.model.limits.method == "parametric" or not len(past.days)
        spreads = np.sqrt(past.covariance.diagonal()) + past.alone
        self._past, self._spreads, self._version = past, np.where(is_normal, spreads, nan).tolist(), -1

    def _alone(self, number: int, worth: float) -> list[float]:
        """Return what one order may lose by itself, rule by rule; NaN where that makes no sense."""
        spread = abs(worth) * self._spreads[number]
        losses = [spread * unit for unit in self._units]
        if "max_stress" in self._checks:
            losses[-1] = float((self.model.shocks[:, number] * -worth).max())
        return losses

    def tail(self, exposures: Exposures, now: int) -> Tail:
        """Return the tail of what the account holds, in dollars; NaN where it cannot be known."""
        return tail_of(dollars(exposures.net, exposures.marks), self.model.at(now), self.model.limits)

    def standing(self, high: Floats, low: Floats, now: int, *, nav: float, tightness: float = 1.0) -> list[Breach]:
        """Return each limit that is broken as things are: dollars by symbol, were all on its way bought, or sold.

        What cannot be known is beyond any limit here too.
        """
        past, box = self.model.at(now), _Box(high, low)
        broken = self._broken(box, past, self._measures(box, past), nav=nav, tightness=tightness)
        return [breach for _, _, breach in broken]

    def _broken(
        self, box: "_Box", past: Past, measures: dict[str, "_Measure"], *, nav: float, tightness: float
    ) -> list[tuple[str, float, Breach]]:
        """Return each limit that is broken: its rule, the dollars that may be lost, and what is said of it."""
        found = []
        for rule, (loss, how) in measures.items():
            fraction, check = loss / nav if nav > 0.0 else nan, self._checks[rule]
            if not fraction <= check.first / tightness:
                breach = breach_of(check, fraction, tightness=tightness, missing=self._missing(box, past, nav))
                assert breach is not None, f"{rule}: {fraction} is beyond {check.first}"
                if not isnan(fraction):
                    breach = msgspec.structs.replace(breach, value=f"{breach.value} (${loss:.0f}; {how})")
                found.append((rule, loss, breach))
        return found

    def _measures(self, box: "_Box", past: Past) -> dict[str, "_Measure"]:
        """Return what each rule that is set looks at."""
        checks, limits, measures = self._checks, self.model.limits, dict[str, _Measure]()
        if "max_var" in checks or "max_es" in checks:
            tail = tail_of(worst_corner(box.high, box.low, past.covariance), past, limits)
            how = f"{limits.confidence:g}, {limits.horizon} d, {tail.method}"
            measures = {"max_var": _Measure(tail.var, how), "max_es": _Measure(tail.es, how)}
        if "max_stress" in checks:
            gains = np.minimum(self.model.shocks * box.high, self.model.shocks * box.low)
            losses = -np.where(box.is_held, gains, 0.0).sum(axis=1)
            worst = int(np.argmax(losses))
            measures["max_stress"] = _Measure(float(losses[worst]), limits.scenarios[worst].name)
        return {rule: measures[rule] for rule in checks}

    def _missing(self, box: "_Box", past: Past, nav: float) -> str:
        """Say what was not known."""
        few = np.isnan(past.alone) | np.isnan(self.model.shocks).any(axis=0)
        unmarked, unseen = (
            ", ".join(self.model.symbols[number] for number in np.flatnonzero(which & box.is_held))
            for which in (np.isnan(box.high + box.low), few)
        )
        if unmarked:
            return f"no mark of {unmarked} yet"
        return f"too few days of {unseen} are known" if unseen else f"equity is ${nav:.0f}"


class _Measure(NamedTuple):
    """What would be lost, in dollars, and how that was measured."""

    loss: float
    how: str


class _Box(NamedTuple):
    """Dollars of each symbol, shape (n,), were all that is on its way bought, or sold; one array where nothing is."""

    high: Floats
    low: Floats

    @property
    def is_held(self) -> NDArray[np.bool_]:
        return np.asarray((self.high != 0.0) | (self.low != 0.0))

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
        worth = dollars(net, marks)
        return _Box(worth, worth)
    return _Box(dollars(net + buys, marks), dollars(net - sells, marks))


def dollars(qty: Floats, marks: Floats) -> Floats:
    """Return what quantities are worth; of nothing, also where no mark is known."""
    return np.where(qty == 0.0, 0.0, qty * marks)
