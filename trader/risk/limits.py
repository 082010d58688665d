"""What a sandbox is held to."""

from decimal import Decimal
from typing import Final

import msgspec

from trader.model.money import EXACT
from trader.model.orders import OrderIntent

# A market order may fill above the close it was decided on: 2 % more is set aside, and sizing leaves room for it.
RESERVE_FACTOR: Final = Decimal("1.02")


class Limits(msgspec.Struct, frozen=True):
    """One sandbox's limits; None means there is none of that kind.

    ``max_position_size`` is a fraction of equity, ``max_daily_loss`` is in dollars, ``stop_loss`` and ``take_profit``
    are fractions of the average entry price.
    """

    max_position_size: Decimal
    max_daily_trades: int | None = None
    max_daily_loss: Decimal | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    allow_short: bool = False


def reservation_of(intent: OrderIntent) -> Decimal:
    """Return the dollars that are set aside for an opening until it ends."""
    return EXACT.multiply(EXACT.multiply(intent.qty, intent.decision_price), RESERVE_FACTOR)
