"""One account at the simulated venue: cash, positions, open orders and the ledger that explains them. Pure.

Buying power is what the margin allows less what open orders claim; an open order that closes holds shares instead.
Crypto fees leave the position at once, fees in dollars the cash; both stand in the ledger as rows of their own.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import reduce
from itertools import chain

import msgspec

from trader.access.sim.venue_orders import ENDED, Activity, VenueOrder
from trader.access.sim.working import Working
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
        """Open with ``cash`` dollars; ``price_of`` values positions. ``executions`` are those that nobody took back."""
        self.name = name
        self.opening = cash
        self.cash = cash
        self.rules = rules
        self.positions: dict[str, Position] = {}
        self.orders: dict[str, VenueOrder] = {}
        self.by_client_id: dict[str, str] = {}
        self.working: dict[str, Working] = {}
        self.activities: list[Activity] = []
        self.executions: dict[str, Activity] = {}
        self._claims: dict[str, Decimal] = {}
        self._reserved = ZERO
        self._price_of = price_of

    def qty(self, symbol: str) -> Decimal:
        """Return the signed position."""
        position = self.positions.get(symbol)
        return position.qty if position else ZERO

    def held_for_orders(self, symbol: str, *, apart_from: str = "") -> Decimal:
        """Return how much of a position open orders will close; one in dollars holds all of it, a group its share once.

        ``apart_from`` leaves out an order, with its group.
        """
        size, apart, held = self.qty(symbol).copy_abs(), self.working.get(apart_from), ZERO
        for order in self.working.values():
            if order.order.symbol == symbol and not (apart is not None and order.is_with(apart)):
                held = EXACT.add(held, order.keeps(size))
        return held

    def available(self, symbol: str, *, apart_from: str = "") -> Decimal:
        """Return how much of a position no open order holds."""
        return EXACT.subtract(self.qty(symbol).copy_abs(), self.held_for_orders(symbol, apart_from=apart_from))

    def reserved(self, *, apart_from: str = "") -> Decimal:
        """Return the dollars that open orders claim."""
        return EXACT.subtract(self._reserved, self._claims.get(apart_from, ZERO))

    @property
    def equity(self) -> Decimal:
        """Return cash and all positions at the market's prices."""
        return EXACT.add(self.cash, sum_of([self.value(symbol) for symbol in self.positions]))

    def value(self, symbol: str) -> Decimal:
        """Return what a position is worth at the market's price, signed."""
        position = self.positions[symbol]
        price = self._price_of(symbol)
        if price is None:
            return position.cost if position.qty > ZERO else position.cost.copy_negate()
        return EXACT.multiply(position.qty, price)

    def buying_power(self, *, apart_from: str = "") -> Decimal:
        """Return the dollars that a new order for stocks may cost; coins are no collateral."""
        values = [self.value(symbol) for symbol in self.positions if not _is_coin(symbol)]
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
        self._store(order)

    def book(self, rows: list[Activity]) -> None:
        """Enter the rows of one execution, or of a split, and move cash and position by them."""
        for row in rows:
            self._enter(row)
            before = self.positions.get(row.symbol, Position())
            after = moved(before, row)
            crosses = before.qty and after.qty and before.qty.is_signed() != after.qty.is_signed()
            assert not crosses, f"{row.symbol}: {row.qty} would cross through zero from {before.qty}"
            self._hold(row.symbol, after)

    def restate(self, order: VenueOrder, rows: list[Activity]) -> None:
        """Enter what takes an execution back, and what stands in its place; the order may have ended.

        The position becomes what it would be, had it always been so: it may lie on the other side of zero.
        """
        self._store(order)
        for row in rows:
            self._enter(row)
        self._hold(order.symbol, position_of(self.activities, order.symbol))

    def check(self) -> None:
        """Assert that the ledger explains cash, positions and orders, and that open orders are covered."""
        assert self.cash == EXACT.add(self.opening, sum_of([row.net_amount for row in self.activities]))
        for symbol in {row.symbol for row in self.activities}:
            explained = sum_of([signed_qty(row) for row in self.activities if row.symbol == symbol])
            assert explained == self.qty(symbol), f"{symbol}: {explained} executed, {self.qty(symbol)} held"
        for symbol in {order.order.symbol for order in self.working.values()}:
            assert self.available(symbol) >= ZERO, f"{symbol}: orders hold more than there is"
        claims = [claim_of(one.order, one.unit) for one in self.working.values()]
        assert self._reserved == sum_of(claims), f"{self._reserved} is reserved, {claims} are claimed"
        filled: dict[str, Decimal] = {}
        for row in self.executions.values():
            filled[row.order_id] = EXACT.add(filled.get(row.order_id, ZERO), row.qty)
        for order in self.orders.values():
            assert order.filled_qty == filled.get(order.id, ZERO), f"{order.id} has other executions"
            assert order.qty is None or order.filled_qty <= order.qty, f"{order.id} is overfilled"
            assert (order.status in ENDED) == (order.id not in self.working), f"{order.id} is {order.status}"

    def _store(self, order: VenueOrder) -> None:
        self.orders[order.id] = order
        if order.status in ENDED:
            self.working.pop(order.id, None)
        self._reserved = EXACT.subtract(self._reserved, self._claims.pop(order.id, ZERO))
        working = self.working.get(order.id)
        if working is not None and (claim := claim_of(order, working.unit)):
            self._claims[order.id] = claim
            self._reserved = EXACT.add(self._reserved, claim)

    def _enter(self, row: Activity) -> None:
        self.activities.append(row)
        self.cash = EXACT.add(self.cash, row.net_amount)
        if row.execution_type == "trade_bust":
            self.executions.pop(row.previous_id, None)
        elif row.activity_type == "FILL":
            self.executions[row.execution_id] = row

    def _hold(self, symbol: str, position: Position) -> None:
        if position.qty:
            self.positions[symbol] = position
        else:
            self.positions.pop(symbol, None)


def moved(before: Position, row: Activity) -> Position:
    """Return a position after a row of the ledger; a fee in coins costs no more, a split changes no cost."""
    change, price = signed_qty(row), row.price or ZERO
    after, size = EXACT.add(before.qty, change), change.copy_abs()
    if row.activity_type == "SPLIT":
        return Position(after, before.cost if after else ZERO)
    if not before.qty or before.qty.is_signed() == change.is_signed():
        return Position(after, EXACT.add(before.cost, EXACT.multiply(size, price)))
    if size <= before.qty.copy_abs():
        return Position(after, EXACT.subtract(before.cost, share_of(before.cost, size, before.qty.copy_abs())))
    return Position(after, EXACT.multiply(after.copy_abs(), price))


def position_of(rows: list[Activity], symbol: str, *, marked: tuple[int, Decimal] | None = None) -> Position:
    """Return the position that a ledger amounts to, a correction being in the place of what it corrects.

    ``marked`` is a time and a price: what was held at that time then counts as bought at that price.
    """
    slots: dict[str, list[Activity]] = {}
    slot_of: dict[str, str] = {}
    for row in rows:
        if row.symbol != symbol:
            continue
        if row.execution_type == "trade_bust":
            slots[slot_of[row.previous_id]] = []
            continue
        key = row.execution_id or row.id
        slot = slot_of[row.previous_id] if row.execution_type == "trade_correct" else key
        slot_of[key] = slot
        slots.setdefault(slot, []).append(row)
    position = Position()
    for row in chain.from_iterable(slots.values()):
        if marked is not None and row.ts > marked[0]:
            position, marked = _at_price(position, marked[1]), None
        position = moved(position, row)
    return position if marked is None else _at_price(position, marked[1])


def _at_price(position: Position, price: Decimal) -> Position:
    return Position(position.qty, EXACT.multiply(position.qty.copy_abs(), price))


def legs_of(account: Account, order: VenueOrder) -> tuple[VenueOrder, ...]:
    """Return the legs of an order as they stand now, each being the one that replaced it last."""
    found = []
    for leg_id in order.legs:
        leg = account.orders[leg_id]
        while leg.replaced_by is not None:
            leg = account.orders[leg.replaced_by]
        found.append(leg)
    return tuple(found)


def claim_of(order: VenueOrder, unit: Decimal) -> Decimal:
    """Return the dollars an open order claims: what is left of it, at the price of ``unit`` it is valued at."""
    if not order.position_intent.endswith("_to_open"):
        return ZERO
    if order.notional is not None:
        return order.notional
    return EXACT.multiply(EXACT.subtract(order.qty or ZERO, order.filled_qty), unit)


def signed_qty(row: Activity) -> Decimal:
    """Return what a row of the ledger did to the position."""
    is_out = (row.side is Side.SELL) != (row.execution_type == "trade_bust")
    return row.qty.copy_negate() if is_out else row.qty


def sum_of(values: Iterable[Decimal]) -> Decimal:
    """Add up, exactly."""
    return reduce(EXACT.add, values, ZERO)


def _is_coin(symbol: str) -> bool:
    return "/" in symbol
