"""What must be done outside after a step."""

import msgspec

from trader.model.orders import Approved


class SubmitOrder(msgspec.Struct, frozen=True):
    """Send an approved order to the venue."""

    approved: Approved


class CancelOrder(msgspec.Struct, frozen=True):
    """Ask the venue to cancel an order."""

    order_id: str
    ts: int


Command = SubmitOrder | CancelOrder
