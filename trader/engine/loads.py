"""What the account carries beside its limits, read once a minute: exposures, the tail, the age of marks."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from trader.books.monitor import ACCOUNT
from trader.engine.desk import Desk
from trader.engine.market import Listing
from trader.model.calendar import session_of
from trader.model.events import FlagRaised
from trader.model.time import DAY, MINUTE, SECOND
from trader.risk.bounds import Breach
from trader.risk.gauges import EXPOSURES, TAILS, Gauges, Layout
from trader.risk.orders import CODES
from trader.risk.regime import tightness_of
from trader.risk.rules import Rules
from trader.risk.value_at_risk import dollars

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trader.model.views import Floats

_SCOPES: Final = frozenset({ACCOUNT})


class Loads:
    """Reads every limit on what is held and on its way."""

    def __init__(self, desk: Desk, listings: Mapping[str, Listing], rules: Rules, layout: Layout) -> None:
        """Look at what ``desk`` holds; ``layout`` is who holds it."""
        limits = {name: sandbox.spec.limits for name, sandbox in desk.sandboxes.items()}
        self._gauges = Gauges(rules, limits, desk.portfolio, layout)
        self._tails = desk.tails
        self._portfolio = desk.portfolio
        self._factor = rules.ladder.weekly_factor
        self._listings = listings
        self._ages = {name: of.max_mark_age_s for name, of in rules.orders.items() if of.max_mark_age_s}

    def read(self, now: int, flags: Mapping[str, FlagRaised]) -> tuple[list[Breach], set[tuple[str, str]]]:
        """Return what is beyond a limit now, and the scopes and rules of which that is not known."""
        breaches, unknown = self._gauges.read(flags) if self._gauges else ([], set())
        if self._tails.is_on:
            seen = self._portfolio
            high = low = dollars(seen.net, seen.marks)
            if seen.buys.any() or seen.sells.any():
                high, low = dollars(seen.net + seen.buys, seen.marks), dollars(seen.net - seen.sells, seen.marks)
            for breach in self._standing(high, low, now, flags):
                if breach.value.startswith("unknown"):
                    unknown.add((breach.scope, breach.rule))
                else:
                    breaches.append(breach)
        return [*breaches, *self._stale(now)], unknown

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
        for number in np.flatnonzero(self._portfolio.net).tolist() if self._ages else ():
            symbol = self._portfolio.symbols[number]
            listing = self._listings[symbol]
            bound, since = self._ages.get(listing.instrument.asset_class), _open_since(listing, now)
            if bound is not None and since is not None:
                age_s = (now - max(since, listing.newest, listing.quoted)) / SECOND
                if (level := bound.broken(age_s)) is not None:
                    yield Breach(
                        CODES["max_mark_age_s"], f"symbol {symbol}", f"{bound.at(level):g} s", f"{age_s:g} s", level
                    )

    def _standing(self, high: "Floats", low: "Floats", now: int, flags: Mapping[str, FlagRaised]) -> list[Breach]:
        seen = self._portfolio
        nav = float(seen.cash.sum()) + seen.unallocated + float(dollars(seen.net, seen.marks).sum())
        tightness = tightness_of(flags, _SCOPES, factor=self._factor)
        return self._tails.standing(high, low, now, nav=nav, tightness=tightness)

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
