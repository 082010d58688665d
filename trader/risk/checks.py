"""One limit as the gate compares it with a value: quickly where all is well, with words where it is not."""

import math
from typing import Final, Literal, NamedTuple

from trader.risk.bounds import TOLERANCE, Bound, Breach

Unit = Literal["", "$", "of equity", "of the price", "s", "of daily volume", "of what is shown", "units"]

RESTART: Final = "in the settings and start again"


class Check(NamedTuple):
    """A bound with its place: ``key`` in the settings, ``scope`` as a denial names it.

    A value whose product with ``sign`` is at most ``first`` breaks no level: ``sign`` is −1 where ``bound`` is the
    least that is allowed.
    """

    rule: str
    bound: Bound
    scope: str
    key: str
    unit: Unit
    sign: float
    first: float


def check_of(rule: str, bound: Bound, *, scope: str, key: str, unit: Unit = "") -> Check:
    """Return a check of a bound that has a level; a rule named ``min_…`` is of the least that is allowed."""
    sign = -1.0 if rule.startswith("min_") else 1.0
    levels = [sign * level for level in (bound.soft, bound.hard) if level is not None]
    first = min(levels)
    return Check(rule, bound, scope, key, unit, sign, first + abs(first) * TOLERANCE)


def breach_of(check: Check, value: float, *, tightness: float = 1.0, missing: str = "not known yet") -> Breach | None:
    """Return what is said of a value beyond a level, None where it is beyond none; NaN is beyond any.

    ``tightness`` divides the levels; ``missing`` is what makes a value NaN.
    """
    bound, is_least = check.bound, check.sign < 0
    level = bound.fallen_below(value) if is_least else bound.broken(value, tightness)
    if level is None:
        return None
    limit = shown(bound.at(level) / tightness, check.unit)
    if tightness > 1.0:
        limit += f" ({shown(bound.at(level), check.unit)} tightened by {tightness:.3g})"
    if math.isnan(value):  # a soft level alone cannot be looked at either
        level = "hard"
    said = f"unknown: {missing}" if math.isnan(value) else shown(value, check.unit)
    hint = f"{'lower' if is_least else 'raise'} {check.key} {RESTART}"
    return Breach(check.rule, check.scope, limit, said, level, hint)


def shown(value: float, unit: Unit) -> str:
    """Render a value with its unit: ``$5000``, ``0.5 of equity``."""
    if unit == "$":
        return f"${value:.2f}"
    return f"{value:.6g} {unit}".rstrip()
