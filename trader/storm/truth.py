"""What is true at the venue, by owner, and how the books differ from it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from trader.access.sim.accounts import Account, signed_qty, sum_of
from trader.access.sim.venue_orders import ENDED, VenueOrder
from trader.books.book import CROSSED
from trader.books.ledger import Ledger
from trader.model.money import EXACT, ZERO
from trader.model.orders import TERMINAL, Approved, OrderStatus, Side

EXTERNAL: Final = ""  # who owns what no sandbox has ordered

# What the books may say of an order that ended so at the venue. Less than was ordered is not filled: it was cut there.
_ENDS: Final = {
    "filled": {OrderStatus.FILLED, OrderStatus.CANCELED},
    "canceled": {OrderStatus.CANCELED},
    "expired": {OrderStatus.EXPIRED},
    "rejected": {OrderStatus.REJECTED},
}

Sums = defaultdict[tuple[str, str], Decimal]  # by owner and symbol


def owner_of(order: VenueOrder, ours: Mapping[str, Approved]) -> str:
    """Return whose an order at the venue is."""
    approved = ours.get(order.client_order_id)
    return EXTERNAL if approved is None else approved.intent.strategy


def sums_of(account: Account, ours: Mapping[str, Approved]) -> tuple[Sums, Sums]:
    """Return signed quantities and dollars that the account's executions and their fees brought to each owner."""
    held, cash = Sums(lambda: ZERO), Sums(lambda: ZERO)
    for row in account.activities:
        key = owner_of(account.orders[row.order_id], ours), row.symbol
        held[key] = EXACT.add(held[key], signed_qty(row))
        cash[key] = EXACT.add(cash[key], row.net_amount)
    return held, cash


def differences(ledger: Ledger, account: Account, ours: Mapping[str, Approved]) -> Iterator[str]:
    """Say where the books are not what is true; nothing where they are."""
    yield from _orders(ledger, account)
    held, cash = sums_of(account, ours)
    _cross(ledger, held, cash)
    for name, book in ledger.books.items():
        spent = EXACT.subtract(EXACT.subtract(book.cash, book.income), book.opening_cash)
        true = sum_of(amount for (owner, _), amount in cash.items() if owner == name)
        if spent != true:
            yield f"cash of {name}: booked {spent}, true {true}"
        for symbol in book.positions.keys() | {symbol for owner, symbol in held if owner == name}:
            booked = book.position(symbol).qty
            if booked != held[name, symbol]:
                yield f"{symbol} of {name}: booked {booked}, true {held[name, symbol]}"
    symbols = ledger.account.external.keys() | {symbol for owner, symbol in held if owner == EXTERNAL}
    for symbol in sorted(symbols):
        booked = ledger.account.external.get(symbol, ZERO)
        if booked != held[EXTERNAL, symbol]:
            yield f"external {symbol}: booked {booked}, true {held[EXTERNAL, symbol]}"
    if ledger.cash() != account.cash:
        yield f"cash: booked {ledger.cash()}, true {account.cash}"
    for symbol, lock in ledger.account.locks.items():
        yield f"{symbol} is locked: {lock.why}"


def _orders(ledger: Ledger, account: Account) -> Iterator[str]:
    for order_id, record in ledger.orders.items():
        true = account.orders.get(account.by_client_id.get(order_id, ""))
        if true is None:
            is_open = record.status not in TERMINAL and record.status is not OrderStatus.ABSENT
            if is_open and not _is_moot(ledger, account, record.approved):
                yield f"{order_id} is {record.status}, the venue never had it"
        elif true.status not in ENDED:
            yield f"{order_id} is still {true.status} at the venue, {record.status} in the books"
        elif record.status not in _ENDS[true.status]:
            yield f"{order_id} is {record.status}, at the venue {true.status}"


def _is_moot(ledger: Ledger, account: Account, approved: Approved) -> bool:
    """Tell whether an exit has nothing left to sell: a bust took it away, from it or from others who hold the coin."""
    intent = approved.intent
    held = ledger.books[intent.strategy].position(intent.symbol).qty
    is_gone = EXACT.multiply(held, intent.side.sign) >= ZERO
    return intent.reduces and (is_gone or ("/" in intent.symbol and account.qty(intent.symbol) < held))


def _cross(ledger: Ledger, held: Sums, cash: Sums) -> None:
    """Add what sandboxes traded among themselves; the venue knows nothing of it."""
    for record in ledger.orders.values():
        intent = record.approved.intent
        key = intent.strategy, intent.symbol
        for name, one in record.executions.items():
            if one is not None and name.startswith(CROSSED):
                sign = 1 if intent.side is Side.BUY else -1
                held[key] = EXACT.add(held[key], EXACT.multiply(one.qty, sign))
                cash[key] = EXACT.subtract(cash[key], EXACT.multiply(EXACT.multiply(one.qty, one.price), sign))
