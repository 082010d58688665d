"""The ladder at work: what each scope's losses are measured from, and which rungs are broken now."""

from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from math import inf, isfinite, isnan, nan
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from trader.books.book import AccountBook
from trader.model.events import Event, PeakReached, PeriodStarted
from trader.model.money import EXACT, decimal_of
from trader.risk.bounds import Level
from trader.risk.ladder import DRAWDOWN, LOSSES, PERIOD_OF, Ladder, end_of, floor_of

if TYPE_CHECKING:
    from trader.model.views import Floats

PEAK_STEP: Final = 1e-4  # a peak is journaled when it is so much higher: else every minute of a good day would be one
_FAR: Final = 1e300  # no equity comes so far
_DOUBT, _DOUBT_USD = 1e-9, 1e-6  # more than sums of floats differ by that are added up in another order
_LEVELS: Final[tuple[Level, ...]] = ("hard", "soft")
_DIGITS: Final = 6  # of a dollar: floats know no more of a large account


class Rung(NamedTuple):
    """One level of one loss of one scope; ``limit`` is a fraction, ``place`` where the scope stands among all."""

    scope: str
    place: int
    kind: str
    level: Level
    limit: float


class Losses:
    """Measures every scope that has a rung; what it measures from is in the books, so a restart changes nothing."""

    def __init__(
        self,
        ladder: Ladder,
        places: Mapping[str, int],
        *,
        account: AccountBook,
        emit: Callable[[Event], None],
        zone: ZoneInfo | None,
    ) -> None:
        """Watch the scopes of ``ladder``; ``places`` is where each stands in the arrays of equities."""
        self._rungs = [
            Rung(scope, places[scope], kind, level, getattr(rungs, kind).at(level))
            for scope, rungs in ladder.scopes.items()
            for kind in LOSSES
            for level in _LEVELS
            if scope in places and getattr(getattr(rungs, kind), level) is not None
        ]
        self._account = account
        self._emit = emit
        self._zone = zone
        self._at = np.array([rung.place for rung in self._rungs], dtype=np.intp)
        self.places = np.append(self._at, 0)  # of each rung, and of the account: whether anything is left
        self._is_daily = np.array([rung.kind == "daily_loss" for rung in self._rungs], dtype=bool)
        self.is_daily = bool(self._is_daily.any())  # what an exit would bring is looked at
        self._ends, self._bases = np.full((2, len(self._rungs)), nan)
        self._lines = self._floors, self._summits = np.full((2, len(self._rungs)), _FAR)
        self.next_end = inf  # of a period that is measured (ns UTC)
        self._learn(range(len(self._rungs)))

    def look(
        self, ts: int, equities: "Floats", *, cautious: Callable[[], "Floats"], before: Callable[[], "Floats"]
    ) -> list[tuple[Rung, str, str]]:
        """Return the rungs that are broken at ``ts``, each with its limit and the loss as text.

        The day's loss is of what ``cautious`` returns, the equities at what a way out would bring. A period that has
        begun since the last look is measured from what ``before`` returns.
        """
        if not self._rungs:
            return []
        if ts >= self.next_end:  # what was never measured has ended too
            self._measure(np.flatnonzero(self._ends <= ts).tolist(), ts, before())
        seen = equities[self._at]
        if len(higher := np.flatnonzero(seen > self._summits)):
            self._measure(higher.tolist(), ts, equities)
        if self.is_daily:
            seen = np.where(self._is_daily, cautious()[self._at], seen)
        broken: list[int] = np.flatnonzero(seen <= self._floors).tolist()
        return [self._describe(number, float(seen[number])) for number in broken]

    def span(self, equities: "Floats") -> tuple[list[float], list[float]]:
        """Return between which equities of the scopes at ``places`` nothing begins, breaks or mends."""
        lines, worth = np.concatenate((self._lines, ((0.0,), (_FAR,))), axis=1), equities[self.places]
        doubt = _DOUBT * (np.abs(lines) + np.abs(worth)) + _DOUBT_USD
        is_below, is_above = lines + doubt < worth, lines - doubt > worth
        lows = np.where(is_below, lines + doubt, np.where(is_above, -_FAR, _FAR))  # on a line anything may be next
        return lows.max(axis=0).tolist(), np.where(is_above, lines - doubt, _FAR).min(axis=0).tolist()

    def rebase(self, ts: int, scope: str, kinds: Collection[str], *, equities: "Floats") -> None:
        """Measure ``scope`` from here: a person has looked at these losses and lets it go on."""
        chosen = [number for number, rung in enumerate(self._rungs) if rung.scope == scope and rung.kind in kinds]
        self._measure(chosen, ts, equities)

    def shift(self, ts: int, flows: Mapping[str, Decimal]) -> None:
        """Take capital that a scope was given, or gave back, for neither profit nor loss."""
        account = self._account
        for scope, amount in flows.items():
            for period, (began, equity) in tuple(account.bases.get(scope, {}).items()):
                self._emit(PeriodStarted(began, scope, period, EXACT.add(equity, amount)))
            if scope in account.peaks:
                self._emit(PeakReached(ts, scope, EXACT.add(account.peaks[scope], amount)))
        self._learn(range(len(self._rungs)))

    def _measure(self, numbers: Collection[int], ts: int, equities: "Floats") -> None:
        """Measure some rungs from now; the two levels of one loss are one measure."""
        rungs = [self._rungs[number] for number in numbers]
        for (scope, kind), place in {(rung.scope, rung.kind): rung.place for rung in rungs}.items():
            if not isfinite(equities[place]):
                continue  # something held has no price yet: the next look tries again
            equity = decimal_of(round(float(equities[place]), _DIGITS))
            if kind == DRAWDOWN:
                self._emit(PeakReached(ts, scope, equity))
            else:
                self._emit(PeriodStarted(ts, scope, PERIOD_OF[kind], equity))
        self._learn(numbers)

    def _learn(self, numbers: Iterable[int]) -> None:
        """Take over from the books what some rungs are measured from, and the equities that break or raise it."""
        for number in numbers:
            rung = self._rungs[number]
            self._ends[number], base = self._measured_from(rung)
            self._bases[number] = base
            self._floors[number] = -_FAR if isnan(base) else min(_FAR, floor_of(base, rung.limit))
            self._summits[number] = base * (1 + PEAK_STEP) if rung.kind == DRAWDOWN and not isnan(base) else _FAR
        self.next_end = float(self._ends.min(initial=inf))

    def _measured_from(self, rung: Rung) -> tuple[float, float]:
        """Return when a rung is measured anew (ns UTC), and from what it is measured."""
        if rung.kind == DRAWDOWN:
            peak = self._account.peaks.get(rung.scope)
            return (0.0, nan) if peak is None else (inf, float(peak))
        period = PERIOD_OF[rung.kind]
        began = self._account.bases.get(rung.scope, {}).get(period)
        return (0.0, nan) if began is None else (end_of(period, began[0], self._zone), float(began[1]))

    def _describe(self, number: int, equity: float) -> tuple[Rung, str, str]:
        rung, base = self._rungs[number], float(self._bases[number])
        lost = base - equity
        limit = f"{rung.limit:.2%} of ${base:,.2f}"
        return rung, limit, f"{lost / base:.2%} (${lost:,.2f})" if base > 0 else f"${equity:,.2f}"
