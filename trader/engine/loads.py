"""What the account carries beside its limits, read once a minute: exposures, the tail, the age of marks."""

from collections.abc import Iterator, Mapping
from math import nan
from typing import TYPE_CHECKING, Final

import numpy as np

from trader.books.monitor import ACCOUNT
from trader.engine.desk import Desk
from trader.engine.market import Listing
from trader.model.calendar import session_of
from trader.model.events import FlagRaised
from trader.model.tail import parametric, sigma_of
from trader.model.time import DAY, MINUTE, SECOND
from trader.risk.bounds import Bound, Breach
from trader.risk.gauges import EXPOSURES, TAILS, Gauges, leeway_of, levels_of
from trader.risk.orders import CODES
from trader.risk.past import Past
from trader.risk.regime import tightness_of
from trader.risk.rules import Rules
from trader.risk.value_at_risk import dollars

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trader.model.views import Floats

_SCOPES: Final = frozenset({ACCOUNT})


class Loads:
    """Reads every limit on what is held and on its way."""

    def __init__(self, desk: Desk, listings: Mapping[str, Listing], rules: Rules, owner: "NDArray[np.intp]") -> None:
        """Look at what ``desk`` holds; ``owner`` is the place of each slot's strategy."""
        limits = {name: sandbox.spec.limits for name, sandbox in desk.sandboxes.items()}
        self._gauges = Gauges(rules, limits, desk.portfolio, owner)
        self._tails = desk.tails
        self._portfolio = desk.portfolio
        self._factor = rules.ladder.weekly_factor
        self._listings = listings
        self._model = desk.tails.model  # the gate's: read once for both
        self._past: Past | None = None
        self._had_stale = False
        terms = rules.var
        unit = parametric(1.0, confidence=terms.confidence, horizon=terms.horizon)
        self._unit = (terms.max_var, unit.var), (terms.max_es, unit.es)
        self._booked, self._aging = -1, list[tuple[Listing, Bound, float]]()
        self._ages = {name: of.max_mark_age_s for name, of in rules.orders.items() if of.max_mark_age_s}

    def read(self, now: int, flags: Mapping[str, FlagRaised]) -> tuple[list[Breach], set[tuple[str, str]]]:
        """Return what is beyond a limit now, and the scopes and rules of which that is not known."""
        breaches, unknown = self._gauges.read(flags)
        if self._tails.is_on:
            seen = self._portfolio
            self._past, self._worth = self._model.at(now), dollars(seen.net, seen.marks)
            high = low = self._worth
            if seen.buys.any() or seen.sells.any():
                high, low = dollars(seen.net + seen.buys, seen.marks), dollars(seen.net - seen.sells, seen.marks)
            for breach in self._standing(high, low, now, flags):
                if breach.value.startswith("unknown"):
                    unknown.add((breach.scope, breach.rule))
                else:
                    breaches.append(breach)
        stale = [*self._stale(now)]
        self._had_stale = bool(stale)
        return breaches + stale, unknown

    def leeway(self, flags: Mapping[str, FlagRaised]) -> float:
        """Return by what part of themselves prices may move before a limit is crossed, either way, since :meth:`read`.

        NaN: not known, as while something is on its way; the books will not stay so.
        """
        if self._had_stale or self._portfolio.buys.any() or self._portfolio.sells.any():
            return nan
        leeway = self._gauges.leeway(flags)
        return float(np.minimum(leeway, self._tail_leeway(flags))) if self._tails.is_on else leeway

    def is_older(self, now: int) -> bool:
        """Tell whether time alone may have changed what is read: a mark is too old, or another day is known."""
        return any(self._stale(now)) or (self._tails.is_on and self._model.at(now) is not self._past)

    def surplus(
        self, flag: FlagRaised, flags: Mapping[str, FlagRaised], gone: "NDArray[np.bool_]", *, now: int
    ) -> list[int] | None:
        """Return the slots to close, the largest first, until a flag's limit is met; None: closing does not end it.

        ``gone`` are those on their way out, shape (m,).
        """
        if flag.kind in TAILS:
            return self._tail_surplus(flag, flags, gone, now=now)
        is_met_so = flag.kind in EXPOSURES and flag.kind != "min_equity"
        return self._gauges.surplus(flag, flags, gone) if is_met_so else None

    def _stale(self, now: int) -> Iterator[Breach]:
        """Yield what is held and has not been priced for too long while its market was open."""
        for listing, bound, least_ns in self._held() if self._ages else ():
            if now - listing.newest > least_ns and (since := _open_since(listing, now)) is not None:
                age_s = (now - max(since, listing.newest, listing.quoted)) / SECOND
                if (level := bound.broken(age_s)) is not None:
                    scope = f"symbol {listing.instrument.symbol}"
                    yield Breach(CODES["max_mark_age_s"], scope, f"{bound.at(level):g} s", f"{age_s:g} s", level)

    def _held(self) -> list[tuple[Listing, Bound, float]]:
        """Return what is held and may be too old, and from which age on (ns)."""
        if self._portfolio.booked != self._booked:
            self._booked, self._aging = self._portfolio.booked, []
            for number in np.flatnonzero(self._portfolio.net).tolist():
                listing = self._listings[self._portfolio.symbols[number]]
                if bound := self._ages.get(listing.instrument.asset_class):
                    self._aging.append((listing, bound, min(levels_of(bound)) * SECOND))
        return self._aging

    def _standing(self, high: "Floats", low: "Floats", now: int, flags: Mapping[str, FlagRaised]) -> list[Breach]:
        return self._tails.standing(high, low, now, nav=self._gauges.last.nav, tightness=self._tightness(flags))

    def _tightness(self, flags: Mapping[str, FlagRaised]) -> float:
        return tightness_of(flags, _SCOPES, factor=self._factor)

    def _tail_leeway(self, flags: Mapping[str, FlagRaised]) -> float:
        """Return the leeway of the tail's limits: together no more is lost than one by one."""
        past, limits, shocks, nav = self._past, self._model.limits, self._model.shocks, self._gauges.last.nav
        assert past is not None, "nothing was read"
        if not nav > 0.0 or (limits.method != "parametric" and len(past.days)):
            return nan  # a quantile of past days moves as it likes
        worth, sizes = self._worth, np.abs(self._worth)
        gross, alone = sizes.sum(), dollars(sizes, np.sqrt(past.covariance.diagonal()) + past.alone).sum()
        spread = sigma_of(worth, past.covariance) + float(dollars(sizes, past.alone).sum())
        rows = [(spread * part, level, alone * part) for bound, part in self._unit for level in levels_of(bound)]
        if limits.max_stress:
            loss, fall = -dollars(worth, shocks).sum(axis=1), dollars(sizes, np.abs(shocks)).sum(axis=1)
            rows += [(loss.max(initial=0.0), at, fall.max(initial=0.0)) for at in levels_of(limits.max_stress)]
        losses, levels, swings = np.array([(nav, 0.0, gross), *rows]).T
        levels /= self._tightness(flags)
        return leeway_of(losses, levels * nav, swings + levels * gross)

    def _tail_surplus(
        self, flag: FlagRaised, flags: Mapping[str, FlagRaised], gone: "NDArray[np.bool_]", *, now: int
    ) -> list[int]:
        """Close what is largest, one after the other, until the tail is within its limit."""
        seen = self._portfolio
        held = dollars(seen.held, seen.marks[seen.symbol_of])
        left = dollars(seen.net, seen.marks)
        np.subtract.at(left, seen.symbol_of[gone], held[gone])
        chosen: list[int] = []
        candidates = [
            slot for slot in np.argsort(-np.abs(held), kind="stable").tolist() if held[slot] and not gone[slot]
        ]
        for slot in candidates:
            broken = {breach.rule: breach for breach in self._standing(left, left, now, flags)}
            if flag.kind not in broken or (flag.level, broken[flag.kind].level) == ("hard", "soft"):
                break
            left[seen.symbol_of[slot]] -= held[slot]
            chosen.append(slot)
        return chosen


def _open_since(listing: Listing, now: int) -> int | None:
    """Return since when a symbol's market is open without a rest (ns UTC), None while it is closed."""
    if listing.instrument.asset_class == "crypto":
        return 0
    session = session_of(now // DAY)
    first, end = (0, 0) if session is None else session
    minute = now % DAY // MINUTE
    return now - now % DAY + first * MINUTE if first <= minute < end else None
