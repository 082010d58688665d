"""What must outlive a process: a sandbox's money, the account's own, and every order. Plain data and its arithmetic."""

from decimal import Decimal
from functools import reduce

import msgspec

from trader.books.positions import Execution, FillEffect, Position
from trader.model.conduct import Conduct
from trader.model.events import ExternalFilled, FlagRaised, IntentTrimmed, SymbolLocked, TargetSet
from trader.model.money import EXACT, ZERO
from trader.model.orders import Approved, OrderStatus, TradingState

CROSSED = "x:"  # begins the id of an execution between two sandboxes

_add, _subtract = EXACT.add, EXACT.subtract  # looked up once: a fill needs some twenty of them


def flag_key(scope: str, kind: str, level: str) -> str:
    """Return the name under which a flag stands: one of a kind and level for each scope."""
    return f"{scope}/{kind}/{level}"


class Book(msgspec.Struct):
    """One sandbox's money: cash, positions, reservations, the day's counters.

    ``targets`` are the wishes that were not acted on: an entry is, once its order was made or refused for good; an exit
    when its position is gone. ``denials`` are openings refused by a rule or dropped by a filter, by its name, ``trims``
    those that a filter let pass in part.
    """

    strategy: str
    opening_cash: Decimal
    cash: Decimal
    day_equity: Decimal
    day_ts: int  # when its trading day began (ns UTC)
    positions: dict[str, Position] = {}
    targets: dict[str, TargetSet] = {}
    reserved: Decimal = ZERO
    bought: Decimal = ZERO
    sold: Decimal = ZERO
    fees: Decimal = ZERO
    income: Decimal = ZERO
    realized: Decimal = ZERO
    fills: int = 0
    denials: dict[str, int] = {}
    trims: dict[str, int] = {}
    daily_trades: int = 0
    loss_reached: bool = False
    state: TradingState = TradingState.ACTIVE

    @property
    def free_cash(self) -> Decimal:
        """Return the cash that no open order has reserved."""
        return _subtract(self.cash, self.reserved)

    def position(self, symbol: str) -> Position:
        """Return the position in ``symbol``, a flat one if there was none; the same object for good."""
        position = self.positions.get(symbol)
        if position is None:
            position = self.positions[symbol] = Position()
        return position

    def trim(self, event: IntentTrimmed) -> None:
        """Count what a filter took; an opening that it took whole is wanted no more."""
        counts = self.trims if event.kept else self.denials
        counts[event.filter] = counts.get(event.filter, 0) + 1
        if not event.kept and EXACT.multiply(self.position(event.symbol).qty, event.side.sign) >= 0:
            self.targets.pop(event.symbol, None)

    def book_fill(self, position: Position, effect: FillEffect) -> None:
        """Apply one fill of one of its positions; no other one has a part in what is asserted."""
        before = _subtract(_add(self.cash, position.cost), self.realized)
        position.qty = _add(position.qty, effect.qty)
        position.cost = _add(position.cost, effect.cost)
        if not position.qty and not position.cost:
            position.qty = position.cost = ZERO  # as a snapshot leaves it out: what follows is spelled alike
        self.cash = _add(self.cash, effect.cash)
        gross = _add(effect.cash, effect.fee_usd)
        if gross < ZERO:
            self.bought = _subtract(self.bought, gross)
        else:
            self.sold = _add(self.sold, gross)
        self.fees = _add(self.fees, effect.fee_usd)
        self.realized = _add(self.realized, effect.realized)
        self.fills += 1
        self._assert_flows()
        after = _subtract(_add(self.cash, position.cost), self.realized)
        assert before == after, f"{self.strategy}: cash and cost less realised were {before} and are {after}"

    def book_income(self, amount: Decimal) -> None:
        """Book money that came, or went, without a trade."""
        self.cash = _add(self.cash, amount)
        self.income = _add(self.income, amount)
        self.assert_identities()

    def change_capital(self, amount: Decimal) -> None:
        """Give the strategy ``amount`` dollars more, or less; neither its profit nor the day's loss changes."""
        self.opening_cash = _add(self.opening_cash, amount)
        self.cash = _add(self.cash, amount)
        self.day_equity = _add(self.day_equity, amount)
        self.assert_identities()

    def assert_identities(self) -> None:
        """Assert what the package docstring promises."""
        self._assert_flows()
        worth = reduce(_add, (position.cost for position in self.positions.values()), self.cash)
        earned = _add(_add(self.opening_cash, self.income), self.realized)
        assert worth == earned, f"{self.strategy}: cash and cost {worth} differ from opening and realised {earned}"

    def _assert_flows(self) -> None:
        flows = _subtract(_add(_add(self.opening_cash, self.income), self.sold), _add(self.bought, self.fees))
        assert self.cash == flows, f"{self.strategy}: cash {self.cash} differs from its flows {flows}"


class AccountBook(msgspec.Struct):
    """What belongs to no sandbox: unallocated cash, positions and executions of other hands, locks, the desk's state.

    ``opened_at`` is when the books began (ns UTC): what was executed before is in the external positions already.
    ``flags`` are those that stand, by :func:`flag_key`; ``bases`` the equity that a period's loss is measured from, by
    scope and period, with the time it began; ``peaks`` the highest equity by scope.
    """

    book_id: str = ""
    number: str = ""
    opened_at: int = 0
    cash: Decimal = ZERO
    external: dict[str, Decimal] = {}
    executions: dict[str, ExternalFilled | None] = {}  # by id; None when the venue took it back
    activities: dict[str, int] = {}  # by id, in the order they were booked; the value is when
    locks: dict[str, SymbolLocked] = {}
    state: TradingState = TradingState.ACTIVE
    reconciled_until: int = 0
    settings: str = ""  # of the newest session
    flags: dict[str, FlagRaised] = {}
    bases: dict[str, dict[str, tuple[int, Decimal]]] = {}
    peaks: dict[str, Decimal] = {}

    def move(self, symbol: str, *, qty: Decimal, cash: Decimal) -> None:
        """Add to an external position and to the unallocated cash, both signed."""
        left = _add(self.external.get(symbol, ZERO), qty)
        if left:
            self.external[symbol] = left
        else:
            self.external.pop(symbol, None)
        self.cash = _add(self.cash, cash)


class OrderRecord(msgspec.Struct):
    """One order in the books: what was approved, how much is filled, what is still reserved."""

    approved: Approved
    reserved: Decimal
    status: OrderStatus = OrderStatus.PENDING
    filled: Decimal = ZERO
    executions: dict[str, Execution | None] = {}  # by id; None when the venue took it back

    @property
    def crossed(self) -> Decimal:
        """Return how much of it was filled by another sandbox: that never went to the venue."""
        executed = self.executions.items()
        return reduce(_add, (one.qty for name, one in executed if one and name.startswith(CROSSED)), ZERO)


class State(msgspec.Struct):
    """All of it; ``ended`` lists the orders that have ended, the oldest first.

    ``conduct`` is None in what was written before conduct was counted.
    """

    account: AccountBook
    books: dict[str, Book]
    orders: dict[str, OrderRecord]
    ended: list[str]
    orders_created: int
    conduct: Conduct | None = None
