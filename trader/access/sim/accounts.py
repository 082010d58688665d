"""One account at the simulated venue: cash, positions, open orders and the ledger that explains them. Pure.

Buying power is what the margin allows less what open orders claim; an open order that closes holds shares instead.
Crypto fees leave the position at once, fees in dollars the cash; both stand in the ledger as rows of their own.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from trader.access.sim.book import Working
from trader.access.sim.venue_orders import ENDED, Activity, VenueOrder
from trader.model.money import EXACT, ONE, ZERO, divide, share_of
from trader.model.orders import Side

PriceOf = Callable[[str], Decimal | None]


class AccountRules(msgspec.Struct, frozen=True):
    """What an account may do. ``multiplier`` 1 is a cash account, 2 Regulation T margin (no intraday margin here).

    Source: Alpaca documentation "Margin and Short Selling", read 2026-11: margin and shorts from $2,000 equity.
    """

    multiplier: Decimal = Decimal(2)
    is_shorting_allowed: bool = True
    margin_equity: Decimal = Decimal(2000)


class Position(msgspec.Struct, frozen=True):
    """Signed quantity, and what it cost: the average entry price times its size."""

    qty: Decimal = ZERO
    cost: Decimal = ZERO

    @property
    def avg_entry_price(self) -> Decimal:
        """Return dollars per share."""
        return divide(self.cost, self.qty.copy_abs())


class Account:
    """An account's books. The venue writes them; everybody else reads."""

    def __init__(self, name: str, cash: Decimal, rules: AccountRules, *, price_of: PriceOf) -> None:
        """Open with ``cash`` dollars; ``price_of`` values positions."""
        self.name = name
        self.opening = cash
        self.cash = cash
        self.rules = rules
        self.positions: dict[str, Position] = {}
        self.orders: dict[str, VenueOrder] = {}
        self.by_client_id: dict[str, str] = {}
        self.working: dict[str, Working] = {}
        self.activities: list[Activity] = []
        self._price_of = price_of

    def qty(self, symbol: str) -> Decimal:
        """Return the signed position."""
        position = self.positions.get(symbol)
        return position.qty if position else ZERO

    def held_for_orders(self, symbol: str, *, apart_from: str = "") -> Decimal:
        """Return how much of a position open orders will close; one in dollars holds all of it."""
        held = ZERO
        for order in self.working.values():
            if order.order.symbol == symbol and not order.is_opening and order.order.id != apart_from:
                held = EXACT.add(held, order.left if order.order.qty is not None else self.qty(symbol).copy_abs())
        return held

    def available(self, symbol: str, *, apart_from: str = "") -> Decimal:
        """Return how much of a position no open order holds."""
        return EXACT.subtract(self.qty(symbol).copy_abs(), self.held_for_orders(symbol, apart_from=apart_from))

    def reserved(self, *, apart_from: str = "") -> Decimal:
        """Return the dollars that open orders claim."""
        total = ZERO
        for order in self.working.values():
            if order.order.id != apart_from:
                total = EXACT.add(total, claim_of(order))
        return total

    @property
    def equity(self) -> Decimal:
        """Return cash and all positions at the market's prices."""
        return EXACT.add(self.cash, sum_of([self._value(symbol) for symbol in self.positions]))

    def buying_power(self, *, apart_from: str = "") -> Decimal:
        """Return the dollars that a new order for stocks may cost; coins are no collateral."""
        values = [self._value(symbol) for symbol in self.positions if not _is_coin(symbol)]
        equity = EXACT.add(self.cash, sum_of(values))
        multiplier = self.rules.multiplier if equity >= self.rules.margin_equity else min(self.rules.multiplier, ONE)
        used = EXACT.add(sum_of([value.copy_abs() for value in values]), self.reserved(apart_from=apart_from))
        return max(ZERO, EXACT.subtract(EXACT.multiply(multiplier, equity), used))

    def non_marginable_buying_power(self, *, apart_from: str = "") -> Decimal:
        """Return the dollars that a new order for coins may cost: cash that nothing claims."""
        return max(ZERO, EXACT.subtract(self.cash, self.reserved(apart_from=apart_from)))

    def keep(self, order: VenueOrder) -> None:
        """Store the newest snapshot of an order. An order that has ended never changes."""
        before = self.orders.get(order.id)
        assert before is None or before.status not in ENDED, f"{order.id} has ended: {before}"
        self.orders[order.id] = order
        if order.status in ENDED:
            self.working.pop(order.id, None)

    def book(self, rows: list[Activity]) -> None:
        """Enter the rows of one execution and move cash and position by them."""
        for row in rows:
            self.activities.append(row)
            self.cash = EXACT.add(self.cash, row.net_amount)
            change = signed_qty(row)
            if change:
                self._move(row.symbol, change, row.price)

    def check(self) -> None:
        """Assert that the ledger explains cash and positions, and that open orders are covered."""
        assert self.cash == EXACT.add(self.opening, sum_of([row.net_amount for row in self.activities]))
        for symbol in {row.symbol for row in self.activities}:
            explained = sum_of([signed_qty(row) for row in self.activities if row.symbol == symbol])
            assert explained == self.qty(symbol), f"{symbol}: {explained} executed, {self.qty(symbol)} held"
        for symbol in {order.order.symbol for order in self.working.values()}:
            assert self.available(symbol) >= ZERO, f"{symbol}: orders hold more than there is"
        for order in self.orders.values():
            assert order.qty is None or order.filled_qty <= order.qty, f"{order.id} is overfilled"
            assert (order.status in ENDED) == (order.id not in self.working), f"{order.id} is {order.status}"

    def _value(self, symbol: str) -> Decimal:
        position = self.positions[symbol]
        price = self._price_of(symbol)
        if price is None:
            return position.cost if position.qty > ZERO else position.cost.copy_negate()
        return EXACT.multiply(position.qty, price)

    def _move(self, symbol: str, change: Decimal, price: Decimal | None) -> None:
        before = self.positions.get(symbol, Position())
        after = EXACT.add(before.qty, change)
        size = before.qty.copy_abs()
        if not before.qty or before.qty.is_signed() == change.is_signed():
            assert price is not None, "only an execution makes a position larger"
            cost = EXACT.add(before.cost, EXACT.multiply(change.copy_abs(), price))
        else:
            assert change.copy_abs() <= size, f"{symbol}: {change} would cross through zero from {before.qty}"
            cost = EXACT.subtract(before.cost, share_of(before.cost, change.copy_abs(), size))
        self.positions[symbol] = Position(after, cost)
        if not after:
            del self.positions[symbol]


def claim_of(working: Working) -> Decimal:
    """Return the dollars an open order claims: what is left of it, at the price it is valued at."""
    if not working.is_opening:
        return ZERO
    if working.order.notional is not None:
        return working.order.notional
    return EXACT.multiply(working.left, working.unit)


def signed_qty(row: Activity) -> Decimal:
    """Return what a row of the ledger did to the position."""
    return row.qty.copy_negate() if row.side is Side.SELL else row.qty


def sum_of(values: list[Decimal]) -> Decimal:
    """Add up, exactly."""
    total = ZERO
    for value in values:
        total = EXACT.add(total, value)
    return total


def _is_coin(symbol: str) -> bool:
    return "/" in symbol
