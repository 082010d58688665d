"""What must be done outside after a step."""

from decimal import Decimal

import msgspec

from trader.model.money import ZERO
from trader.model.orders import Approved


class SubmitOrder(msgspec.Struct, frozen=True):
    """Send an approved order to the venue, less what of it was ``crossed`` between sandboxes."""

    approved: Approved
    crossed: Decimal = ZERO


class CancelOrder(msgspec.Struct, frozen=True):
    """Ask the venue to cancel an order."""

    order_id: str
    ts: int


Command = SubmitOrder | CancelOrder
