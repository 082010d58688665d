"""Where a position ends by itself: at its stop, or at its target."""

import math
from decimal import Decimal

from trader.books.positions import Position
from trader.model.money import EXACT, ONE, multiply


def levels(position: Position, stop: Decimal | None, take: Decimal | None) -> tuple[float, float]:
    """Return the prices (floor, ceiling) at which a position ends; infinite where there is none.

    ``stop`` and ``take`` are fractions of its average entry price, against the position and in its favour.
    """
    floor, ceiling = -math.inf, math.inf
    if not position.qty:
        return floor, ceiling
    against, favour = (stop, take) if position.qty > 0 else (take, stop)
    if against is not None:
        floor = float(multiply(position.avg_price, EXACT.subtract(ONE, against)))
    if favour is not None:
        ceiling = float(multiply(position.avg_price, EXACT.add(ONE, favour)))
    return floor, ceiling
