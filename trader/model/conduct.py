"""What strategies have done lately, counted: plain data that the books keep and the gate reads.

Counters are changed by :mod:`trader.books.conduct` only. Their clock is that of the events: an order's is the time its
intent was decided at, so all orders of a minute count together however late the minute was closed.
"""

from decimal import Decimal
from typing import Final

import msgspec

from trader.model.money import ZERO
from trader.model.orders import OrderIntent, Side
from trader.model.time import MINUTE

# Begin the text of an order that ends as rejected by ourselves, not by the broker.
LAST_LOOK: Final = "last look: "
GIVEN_UP: Final = "given up: "  # it never showed up
RECENT: Final = 5 * MINUTE  # in which own executions walk a price and entries repeat one another


class Override(msgspec.Struct, frozen=True):
    """One order of ``strategy`` that ``rule`` shall not refuse: at most ``qty``, and before ``until`` (ns UTC).

    ``by`` asked for it and says ``why``; nothing passes before another person agreed (``approved_by``).
    """

    number: int
    strategy: str
    symbol: str
    side: Side
    qty: Decimal
    rule: str
    why: str
    until: int
    by: str
    approved_by: str = ""


class Tally(msgspec.Struct):
    """What a strategy, or the whole account, sent; ``orders``, ``cancels`` and ``rejects`` are of the trading day."""

    orders: int = 0
    cancels: int = 0
    rejects: int = 0
    rejects_in_row: int = 0  # none was accepted or filled in between
    open_orders: int = 0
    messages: list[int] = []  # times of the newest orders and cancels (ns UTC), ascending


class SlotTally(msgspec.Struct):
    """What one strategy did in one symbol."""

    entries: int = 0  # in a row, each within RECENT of the last
    entered_at: int = 0  # the last of them
    bought: OrderIntent | None = None  # the last entry of each side
    sold: OrderIntent | None = None
    earned: Decimal = ZERO  # dollars that the position has realised since it was flat
    left_at: int = 0  # when it was flat again


class StrategyTally(msgspec.Struct):
    """What one strategy did; ``largest`` is the most dollars that an entry of the day reserved.

    ``largest_before`` is likewise of the last day before it that had entries.
    """

    tally: Tally
    slots: dict[str, SlotTally] = {}
    entries: int = 0  # ever
    largest: Decimal = ZERO
    largest_before: Decimal = ZERO
    losses: int = 0  # trades in a row
    lost_at: int = 0  # the last of them
    is_spent: bool = False  # entries were refused for being repeated, until a person allows more


class SymbolTally(msgspec.Struct):
    """What all strategies did in one symbol: the lowest price they bought and the highest they sold at.

    Prices are of one ``period`` of :data:`RECENT`, counted from 1970, and of the one before it.
    """

    open_orders: int = 0
    period: int = 0
    lowest: Decimal | None = None
    lowest_before: Decimal | None = None
    highest: Decimal | None = None
    highest_before: Decimal | None = None


class Conduct(msgspec.Struct):
    """All of it; ``overrides`` are asked for or granted, by number, and not used yet."""

    account: Tally
    strategies: dict[str, StrategyTally] = {}
    symbols: dict[str, SymbolTally] = {}
    overrides: dict[int, Override] = {}
    overrides_made: int = 0
