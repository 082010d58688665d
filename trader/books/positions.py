"""One position and the arithmetic of one fill on it."""

from decimal import Decimal

import msgspec

from trader.model.money import EXACT, ZERO, divide, share_of
from trader.model.orders import Side


class Position(msgspec.Struct):
    """Signed quantity of one symbol in one sandbox and what it cost; a short has negative quantity and cost."""

    qty: Decimal = ZERO
    cost: Decimal = ZERO

    @property
    def avg_price(self) -> Decimal:
        """Return the quantity-weighted mean entry price of what is open, fees apart; zero when flat."""
        return divide(self.cost, self.qty) if self.qty else ZERO


class FillEffect(msgspec.Struct, frozen=True):
    """What one execution does to a position and its book, in signed amounts."""

    qty: Decimal
    cost: Decimal
    cash: Decimal
    fee_usd: Decimal
    realized: Decimal
    opened: bool


def effect_of(position: Position, side: Side, execution: "Execution") -> FillEffect:
    """Work out one execution on ``position`` without changing it; it may close, open, or do both through zero."""
    gross = EXACT.multiply(execution.qty, execution.price)
    in_coin = execution.fee_asset != "USD"
    delta = EXACT.multiply(execution.qty, side.sign)
    if in_coin:
        delta = EXACT.subtract(delta, execution.fee)
    fee_usd = ZERO if in_coin else execution.fee
    fee_value = EXACT.multiply(execution.fee, execution.price) if in_coin else fee_usd
    cash = EXACT.subtract(EXACT.multiply(gross, -side.sign), fee_usd)
    held = position.qty
    if not held or (held > 0) == (delta > 0):
        cost = EXACT.multiply(delta, execution.price)
        return FillEffect(delta, cost, cash, fee_usd, fee_value.copy_negate(), opened=True)
    sign = 1 if held > 0 else -1
    closed = min(delta.copy_abs(), held.copy_abs())
    cost_closed = share_of(position.cost, closed, held.copy_abs())
    proceeds = EXACT.multiply(EXACT.multiply(closed, sign), execution.price)
    realized = EXACT.subtract(EXACT.subtract(proceeds, cost_closed), fee_value)
    crossed = EXACT.multiply(EXACT.subtract(delta.copy_abs(), closed), -sign)
    cost = EXACT.subtract(EXACT.multiply(crossed, execution.price), cost_closed)
    return FillEffect(delta, cost, cash, fee_usd, realized, opened=False)


class Execution(msgspec.Struct, frozen=True):
    """The numbers of one execution, and when the venue made it."""

    qty: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    ts: int = 0
