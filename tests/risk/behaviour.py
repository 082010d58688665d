"""What strategies did, as a plain history, and what the rules of conduct say of an order after it.

All of the history is read again for every order.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tests.risk.desks import MINUTE, SECOND, ZERO, Desk, Order

RECENT = 5 * MINUTE
FEWEST_ORDERS, FEWEST_ENTRIES = 20, 10  # for a part of the orders, and a ratio of sizes, to mean anything
FOREVER = Fraction(10**12)  # seconds

Judge = Callable[..., Iterator[tuple[str, str, str]]]


@dataclass(frozen=True)
class Past:
    """One thing that happened: ``sent``, ``accepted``, ``refused``, ``canceling``, ``ended``, ``filled``, ``day``.

    ``resumed`` is a person's word, with no strategy to the whole desk; ``spent`` is an entry that was refused for being
    repeated.
    """

    ts: int
    kind: str
    strategy: str
    symbol: str = ""
    is_buy: bool = True
    qty: Fraction = ZERO
    price: Fraction = ZERO
    reduces: bool = False
    realized: Fraction = ZERO
    is_flat: bool = False

    @property
    def is_entry(self) -> bool:
        return self.kind == "sent" and not self.reduces

    @property
    def reserved(self) -> Fraction:
        return self.qty * self.price * Fraction(102, 100)


def conduct(desk: Desk, order: Order, most: Judge, least: Judge) -> Iterator[tuple[str, str, str]]:
    """Name each rule of conduct that an order breaks; ``most`` and ``least`` compare a figure with a bound."""
    limits, shared = desk.sandboxes[order.strategy].limits.get("conduct", {}), desk.risk.get("conduct", {})
    mine = [one for one in desk.history if one.strategy in {order.strategy, ""}]
    everyone = [one for one in desk.history if one.kind != "resumed" or not one.strategy]
    here, symbol = f"strategy {order.strategy}", f"symbol {order.symbol}"
    for scope, bounds, history in ((here, limits, mine), ("account", shared, everyone)):
        is_late = any(one.ts > order.ts for one in history)  # decided before what was sent already
        for rule, count in _COUNTS.items():
            if rule in bounds and is_late and rule in _TIMED:
                yield "close", rule, scope
            elif rule in bounds:  # as many as are allowed allow no further one
                yield from most(rule, scope, bounds[rule], Fraction(count(order, history) + 1))
        for rule, kind in (("max_cancel_ratio", "canceling"), ("max_error_rate", "refused")):
            if rule in bounds:
                yield from most(rule, scope, bounds[rule], _part_of_today(history, kind))
    for scope, bounds in ((here, limits), (symbol, shared)):
        if "price_walk" in bounds:
            yield from most("price_walk", scope, bounds["price_walk"], _walked(desk.history, order))
    rule = "max_open_orders_per_symbol"
    in_symbol = [one for one in everyone if one.symbol == order.symbol]
    yield from most(rule, symbol, shared.get(rule), Fraction(_under_way(order, in_symbol) + 1))
    yield from _own(order, mine, limits, most, least)


def _own(
    order: Order, history: Sequence[Past], limits: Mapping[str, Any], most: Judge, least: Judge
) -> Iterator[tuple[str, str, str]]:
    scope = f"strategy {order.strategy}"
    entries = [one for one in history if one.is_entry and one.symbol == order.symbol]
    same_side = [one for one in entries if one.is_buy == order.is_buy]
    age = FOREVER
    if same_side and (same_side[-1].qty, same_side[-1].price) == (order.qty, order.price):
        age = Fraction(order.ts - same_side[-1].ts, SECOND)
    yield from least("duplicate", scope, limits.get("duplicate"), age)
    left = [one.ts for one in history if one.kind == "filled" and one.is_flat and one.symbol == order.symbol]
    since = Fraction(order.ts - left[-1], SECOND) if left else FOREVER
    yield from least("cooldown", scope, limits.get("cooldown"), since)
    if "max_repeats" in limits:
        repeats = _repeats(order, history)
        yield from most("max_repeats", scope, limits["max_repeats"], None if repeats is None else repeats + 1)
    if "loss_streak" in limits:
        losses = _losses(order, history, limits["loss_streak_pause_s"])
        yield from most("loss_streak", scope, limits["loss_streak"], losses + 1)
    if "max_size_ratio" in limits:
        yield from most("max_size_ratio", scope, limits["max_size_ratio"], _size_ratio(order, history))


def _of_today(history: Sequence[Past]) -> Iterator[Past]:
    """Yield what happened since each strategy's day began."""
    began = {one.strategy: number for number, one in enumerate(history) if one.kind == "day"}
    for number, one in enumerate(history):
        if number > began.get(one.strategy, -1):
            yield one


def _today(history: Sequence[Past], kind: str) -> int:
    return sum(one.kind == kind for one in _of_today(history))


def _part_of_today(history: Sequence[Past], kind: str) -> Fraction:
    orders = _today(history, "sent")
    return Fraction(_today(history, kind), orders) if orders >= FEWEST_ORDERS else ZERO


def _messages(order: Order, history: Sequence[Past], span: int) -> int:
    return sum(one.kind in {"sent", "canceling"} and one.ts > order.ts - span for one in history)


def _under_way(_: Order, history: Sequence[Past]) -> int:
    return sum((one.kind == "sent") - (one.kind == "ended") for one in history)


def _refused_in_a_row(_: Order, history: Sequence[Past]) -> int:
    row = 0
    for one in history:
        row = 0 if one.kind in {"accepted", "filled", "resumed"} else row + (one.kind == "refused")
    return row


_TIMED = {"max_orders_per_second", "max_orders_per_minute"}
_COUNTS: dict[str, Callable[[Order, Sequence[Past]], int]] = {
    "max_orders_per_second": lambda order, history: _messages(order, history, SECOND),
    "max_orders_per_minute": lambda order, history: _messages(order, history, MINUTE),
    "max_daily_orders": lambda _, history: _today(history, "sent"),
    "max_daily_cancels": lambda _, history: _today(history, "canceling"),
    "max_open_orders": _under_way,
    "max_rejects": _refused_in_a_row,
}


def _repeats(order: Order, history: Sequence[Past]) -> Fraction | None:
    """Return how many entries of the symbol stand in a row, each soon after the last; None: a person has to look."""
    row, last, is_spent = 0, -FOREVER, False
    for one in history:
        if one.kind == "resumed":
            row, is_spent = 0, False
        elif one.kind == "spent":
            is_spent = True
        elif one.is_entry and one.symbol == order.symbol:
            row = row + 1 if one.ts - last <= RECENT else 1
            last = Fraction(one.ts)
    return None if is_spent else Fraction(row if order.ts - last <= RECENT else 0)


def _losses(order: Order, history: Sequence[Past], pause_s: Fraction) -> Fraction:
    row, lost_at, earned = 0, -FOREVER, dict[str, Fraction]()
    for one in history:
        if one.kind == "resumed":
            row = 0
        elif one.kind == "filled":
            total = earned.get(one.symbol, ZERO) + one.realized
            earned[one.symbol] = ZERO if one.is_flat else total
            if one.is_flat:
                row, lost_at = (row + 1, Fraction(one.ts)) if total < 0 else (0, lost_at)
    return Fraction(row if order.ts - lost_at < pause_s * SECOND else 0)


def _size_ratio(order: Order, history: Sequence[Past]) -> Fraction:
    """Return the order's worth over that of the largest entry of this day and of the last one with entries."""
    days: list[list[Fraction]] = [[]]
    for one in history:
        if one.kind == "day":
            days.append([])
        elif one.is_entry:
            days[-1].append(one.reserved)
    if sum(map(len, days)) < FEWEST_ENTRIES:
        return ZERO
    before = [day for day in days[:-1] if day]
    largest = max([*days[-1], *(before[-1] if before else [])], default=ZERO)
    return order.qty * order.price * Fraction(102, 100) / largest if largest else ZERO


def _walked(history: Sequence[Past], order: Order) -> Fraction:
    """Return by how much of the price the order is worse than the best execution of these five minutes and the last."""
    fills = [one for one in history if one.kind == "filled" and one.symbol == order.symbol]
    newest = max([one.ts // RECENT for one in fills], default=0)
    period = max(order.ts // RECENT, newest)
    prices = [one.price for one in fills if one.is_buy == order.is_buy and one.ts // RECENT >= period - 1]
    if not prices:
        return ZERO
    return order.price / min(prices) - 1 if order.is_buy else 1 - order.price / max(prices)
