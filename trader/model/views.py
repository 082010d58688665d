"""What the gate may see of a sandbox: a snapshot taken for one intent."""

from decimal import Decimal

import msgspec

from trader.model.orders import TradingState


class Standing(msgspec.Struct, frozen=True):
    """A sandbox's books at the moment one intent is judged; dollars, and a signed quantity of the intent's symbol."""

    cash: Decimal
    free_cash: Decimal
    equity: Decimal
    position: Decimal
    daily_trades: int
    loss_reached: bool
    state: TradingState
    held: str = ""  # why no entry may leave for this symbol now
