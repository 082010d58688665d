"""What the account carries beside its limits: exposures and the tail, read once a minute; what is too much of it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from trader.books.monitor import ACCOUNT
from trader.engine.portfolio import Portfolio
from trader.model.events import FlagRaised
from trader.risk.bounds import Breach
from trader.risk.gauges import EXPOSURES, TAILS, Gauges
from trader.risk.regime import tightness_of
from trader.risk.value_at_risk import TailControl, dollars

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trader.model.views import Floats

_SCOPES: Final = frozenset({ACCOUNT})


class Loads:
    """Reads every limit on what is held and on its way."""

    def __init__(self, gauges: Gauges, tails: TailControl, portfolio: Portfolio, *, factor: float) -> None:
        """Look at ``portfolio``; ``factor`` is what a bad week multiplies limits by."""
        self._gauges = gauges
        self._tails = tails
        self._portfolio = portfolio
        self._factor = factor

    def read(self, now: int, flags: Mapping[str, FlagRaised]) -> tuple[list[Breach], set[tuple[str, str]]]:
        """Return what is beyond a limit now, and the scopes and rules of which that is not known."""
        breaches, unknown = self._gauges.read(flags) if self._gauges else ([], set())
        if self._tails.is_on:
            seen = self._portfolio
            high, low = dollars(seen.net + seen.buys, seen.marks), dollars(seen.net - seen.sells, seen.marks)
            for breach in self._standing(high, low, now, flags):
                if breach.value.startswith("unknown"):
                    unknown.add((breach.scope, breach.rule))
                else:
                    breaches.append(breach)
        return breaches, unknown

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
