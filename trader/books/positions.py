"""One position and the arithmetic of one fill on it."""

from decimal import Decimal

import msgspec

from trader.model.money import EXACT, ZERO, divide, share_of
from trader.model.orders import Side

_BUY = Side.BUY  # an enumeration's members are slow to look up, and so are a context's methods
_add, _subtract, _multiply = EXACT.add, EXACT.subtract, EXACT.multiply


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
    is_buy, price = side is _BUY, execution.price
    in_coin = execution.fee_asset != "USD"
    delta = execution.qty if is_buy else execution.qty.copy_negate()
    spent = _multiply(delta, price)
    cash, fee_usd, fee_value = spent.copy_negate(), ZERO, execution.fee
    if in_coin:
        delta = _subtract(delta, execution.fee)
        fee_value = _multiply(execution.fee, price)
    elif fee_value:
        fee_usd = fee_value
        cash = _subtract(cash, fee_usd)
    held = position.qty
    if not held or (held > ZERO) is (delta > ZERO):
        cost = _multiply(delta, price) if in_coin else spent
        return FillEffect(delta, cost, cash, fee_usd, fee_value.copy_negate(), opened=True)
    gone = delta.copy_negate()  # signed like what is held
    closed = gone if gone.copy_abs() <= held.copy_abs() else held
    cost_closed = share_of(position.cost, closed, held)
    realized = _subtract(_subtract(_multiply(closed, price), cost_closed), fee_value)
    cost = cost_closed.copy_negate()
    if closed != gone:
        cost = _add(cost, _multiply(_subtract(closed, gone), price))  # the rest is a new position
    return FillEffect(delta, cost, cash, fee_usd, realized, opened=False)


class Execution(msgspec.Struct, frozen=True):
    """The numbers of one execution, and when the venue made it."""

    qty: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    ts: int = 0
