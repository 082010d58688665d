"""Exact money: Decimal arithmetic that never rounds unless it is told to.

The process-wide decimal context keeps 28 digits, which a price of 17 digits times a quantity of 12 overflows
silently; even ``-x`` and ``abs(x)`` round to it. The books calculate in :data:`EXACT` instead, where an inexact sum
or product raises, and use ``copy_negate`` and ``copy_abs``. Divisions round by nature and say how: :func:`floor_to`,
:func:`ceil_to`, :func:`share_of`.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, Inexact, InvalidOperation

EXACT = Context(prec=80, traps=[Inexact, InvalidOperation])
_DIVIDE = Context(prec=80, traps=[InvalidOperation])

ZERO = Decimal(0)
ONE = Decimal(1)
NANO = Decimal("1e-9")  # the smallest step of a coin, of a fractional share, and of a fee in dollars
PICO = Decimal("1e-12")  # cost that leaves a position with a partial exit is rounded here; the rest stays exact


def decimal_of(value: float) -> Decimal:
    """Return the shortest decimal that reads back as ``value``: 450.23 is 450.23, not 450.230000000000018."""
    return Decimal(repr(value))


def plain(value: Decimal) -> str:
    """Render without exponent and without trailing zeros: ``0.000000001``, ``10000``."""
    return f"{value.normalize(EXACT):f}" if value else "0"


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """Round ``value`` down (toward minus infinity) to a multiple of ``step``."""
    return _to(value, step, ROUND_FLOOR)


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """Round ``value`` up (toward plus infinity) to a multiple of ``step``."""
    return _to(value, step, ROUND_CEILING)


def divide(value: Decimal, by: Decimal) -> Decimal:
    """Divide to 80 digits; the caller rounds to the step it means."""
    return _DIVIDE.divide(value, by)


def multiply(value: Decimal, by: Decimal) -> Decimal:
    """Multiply to 80 digits, for factors that are themselves quotients; the caller rounds to the step it means."""
    return _DIVIDE.multiply(value, by)


def share_of(total: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """Return ``total × part / whole`` rounded down to a picodollar; all of ``total`` when part equals whole."""
    if part == whole:
        return total
    return floor_to(_DIVIDE.divide(_DIVIDE.multiply(total, part), whole), PICO)


def _to(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    steps = _DIVIDE.divide(value, step).to_integral_value(rounding)
    return EXACT.multiply(steps, step)
