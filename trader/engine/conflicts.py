"""What the venue would refuse because of what the account has there already: known before it is asked. Pure.

One account nets all sandboxes: it holds one position a symbol, and its orders are held against each other.

=====================  ==================  ==========================
open order             new opposite order  refused
=====================  ==================  ==========================
market, stop           any                 always
limit, stop_limit      market, stop        always
limit, stop_limit      limit, stop_limit   where the buyer's limit reaches the seller's
trailing_stop, either way                  never
=====================  ==================  ==========================

An order against the account's position closes it, and may not go through zero in one go; what other orders of ours are
to close is not free any more. An order that sells short asks for whole shares.
Source: Alpaca documentation "User Protection", 2026-09-16; "Fractional Trading", "Margin and Short Selling", 2026-11.
"""

from decimal import Decimal
from typing import Final, Literal

from trader.model.events import SymbolLocked
from trader.model.money import EXACT, ONE, ZERO, floor_to
from trader.model.orders import Side

OrderType = Literal["market", "stop", "limit", "stop_limit", "trailing_stop"]

MARKET: Final[OrderType] = "market"  # all that the desk sends as yet
_AT_ANY_PRICE: Final[frozenset[OrderType]] = frozenset({"market", "stop"})
_LIMITED: Final[frozenset[OrderType]] = frozenset({"limit", "stop_limit"})


def is_refused(standing: OrderType, new: OrderType, *, limits_meet: bool = True) -> bool:
    """Tell whether the venue refuses a new order because of an open one on the other side of its symbol.

    ``limits_meet``: the buyer's limit is at or above the seller's; of no interest where one of them has none.
    """
    if {standing, new} <= _LIMITED:
        return limits_meet
    return {standing, new} <= _AT_ANY_PRICE | _LIMITED


def passing(qty: Decimal, side: Side, *, account: Decimal, taken: Decimal, is_stock: bool) -> Decimal:
    """Return how much of an order may go now; zero: nothing before other orders have ended.

    ``account`` is the signed position of the whole account, ``taken`` what is left of our orders on the same side.
    """
    if EXACT.multiply(account, side.sign) < 0:
        free = EXACT.subtract(account.copy_abs(), taken)
        return max(ZERO, min(qty, free))
    return floor_to(qty, ONE) if is_stock and side is Side.SELL else qty


def surely_held(lock: SymbolLocked, booked: Decimal) -> Decimal:
    """Return the signed quantity that an account surely has of a locked symbol, whoever is right.

    ``booked`` is what the books add up to now, and may be right; what was booked since the lock can have made it less,
    never more.
    """
    moved = EXACT.add(lock.held, EXACT.subtract(booked, lock.expected))
    if EXACT.multiply(moved, lock.held) <= 0 or EXACT.multiply(booked, lock.held) <= 0:
        return ZERO
    return min(moved, lock.held, booked, key=Decimal.copy_abs)
