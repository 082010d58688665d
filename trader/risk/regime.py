"""Limits that tighten when the market is wilder than it used to be, and never loosen because it is calm.

They tighten at once and relax when the market has been calmer for some days. Losses and cash are never scaled.
"""

import math
from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from trader.model.events import FlagRaised
from trader.model.time import DAY
from trader.risk.escalation import REGIME, Action

MAX_RATIO: Final = 4.0
RELAX_DAYS: Final = 5
_STEPS: Final = 10_000  # of one: the ratio is rounded up to so much, that a flag of it can be read


class Regime(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether and how far limits tighten with volatility; the default does not.

    The market's ratio is that of ``symbol`` or, where that is empty, the median over the desk's symbols.
    """

    is_on: bool = False
    max_ratio: float = MAX_RATIO
    relax_days: int = RELAX_DAYS
    symbol: str = ""


class Tightness(msgspec.Struct, frozen=True, gc=False):
    """What limits are divided by, at least 1, and the time (ns UTC) from which it may be less."""

    divisor: float
    until: int


def divisor_of(ratio: float, max_ratio: float = MAX_RATIO) -> float:
    """Return what a limit is divided by where volatility is ``ratio`` times its long average."""
    return max(1.0, min(max_ratio, ratio))


def next_tightness(standing: Tightness | None, ratio: float, now: int, *, regime: Regime) -> Tightness | None:
    """Return how tight limits are from ``now`` on, None for not at all.

    A wilder market counts at once. A calmer one counts when it has been so for ``relax_days`` in a row; as long as it
    is as wild as ever, they begin anew every day.
    """
    wanted = math.ceil(divisor_of(ratio, regime.max_ratio) * _STEPS - 1e-6) / _STEPS
    fresh = Tightness(wanted, now + regime.relax_days * DAY) if wanted > 1.0 else None
    if standing is None or wanted > standing.divisor or now >= standing.until:
        return fresh
    is_reaffirmed = wanted == standing.divisor and now >= standing.until - (regime.relax_days - 1) * DAY
    return fresh if is_reaffirmed else standing


def tightness_of(flags: Mapping[str, FlagRaised], scopes: Collection[str], *, factor: float) -> float:
    """Return what the limits of ``scopes`` are divided by now: the market's ratio, and 1 / ``factor`` after a bad week.

    Whoever judges a group's limit asks for ``account`` beside the group's own scope.
    """
    tightness = 1.0
    is_cut = False
    for flag in flags.values():
        if flag.action == Action.TIGHTEN and flag.scope in scopes:
            if flag.kind == REGIME:
                tightness = float(flag.value)
            else:
                is_cut = True
    return tightness / factor if is_cut else tightness
