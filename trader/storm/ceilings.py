"""The limits of a storm's desk as plain figures, and a watch that counts for itself whether anything goes beyond one.

The watch folds events into books of its own, adds up in loops, and knows of gate, Director and control room only what
they promise.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final
from zlib import crc32

import msgspec

from trader.director import Director, Link
from trader.director.filters_exposure import AssetClassFilter
from trader.model import events
from trader.model.events import Event, OrderCreated, OrderFilled
from trader.model.orders import TERMINAL, OrderIntent, Side
from trader.model.time import MINUTE
from trader.risk.bounds import Bound
from trader.risk.conduct import ConductLimits, ConductOfAccount, ConductOfOne
from trader.risk.ladder import Ladder, Rungs
from trader.risk.limits import AccountLimits, GroupLimits, OrderLimits
from trader.risk.rules import Rules
from trader.risk.tiers import AGE_NS, BY_URGENCY

GROUP: Final = ("mixed", "long")  # strategies that are held to a limit together, not in the desk's order
UNGUARDED_EVERY: Final = 3  # seeds: one has no rules, so that nothing keeps orders from being made there
SLACK: Final = 1.001  # floats, and marks that moved within the step
MOVED: Final = 1.03  # marks that moved since those sums were made that a less urgent order is checked on
_GROWN: Final = 1.000_001  # what an opening makes no larger may be too large
_SOFT: Final = 0.8  # of a hard level
_DUST_USD: Final = 1e-6  # what floats leave of a position that is gone
_HARMLESS: Final = frozenset({"alert", "tighten"})  # actions of flags under which openings may leave


Places = dict[tuple[str, str], float]  # by strategy and symbol
_Place = tuple[float, float, float]  # held, and what may be bought and sold


class Ceilings(msgspec.Struct, frozen=True):
    """Hard limits: multiples of the account's equity, dollars (``_usd``), and numbers of orders.

    ``stocks`` is a multiple of the strategies' equity, to which a filter trims; ``loss`` a part of the account's.
    """

    gross: float
    net: float
    position: float
    position_usd: float
    group: float
    positions: float
    order_usd: float
    stocks: float
    a_minute: float  # of all strategies
    a_day: float  # of each
    loss: float


# Of each limit a tight level, one in the middle, and one that is hardly ever met.
_LEVELS: Final[dict[str, tuple[float, float, float]]] = {
    "gross": (0.25, 0.45, 1.0), "net": (0.15, 0.35, 1.0), "position": (0.12, 0.2, 0.6), "group": (0.12, 0.25, 0.5),
    "position_usd": (9_000, 18_000, 60_000), "positions": (1, 2, 3), "order_usd": (6_000, 12_000, 30_000),
    "stocks": (0.3, 0.5, 1.5), "a_minute": (3, 8, 100), "a_day": (4, 8, 100), "loss": (0.0003, 0.0006, 0.05),
}  # fmt: skip


def ceilings_of(seed: int) -> Ceilings | None:
    """Return what one seed's desk is held to, None for nothing: each limit is tight in one seed of eight."""
    if seed % UNGUARDED_EVERY == 0:
        return None
    drawn = {name: crc32(f"{name}/{seed}".encode()) % 8 for name in _LEVELS}
    return Ceilings(**{name: levels[min(2, (drawn[name] + 1) // 2)] for name, levels in _LEVELS.items()})


def rules_of(limits: Ceilings | None) -> Rules:
    """Return them as the gate and the control room have them, with softer levels below some."""
    if limits is None:
        return Rules()
    of_one = ConductOfOne(max_daily_orders=Bound(limits.a_day))
    return Rules(
        account=AccountLimits(
            max_gross=Bound(limits.gross, limits.gross * _SOFT),
            max_net=Bound(limits.net),
            max_position=Bound(limits.position, limits.position * _SOFT),
            max_position_value=Bound(limits.position_usd),
            max_positions=Bound(limits.positions),
        ),
        groups={"pair": GroupLimits(GROUP, max_group_gross=Bound(limits.group))},
        orders={kind: OrderLimits(max_order_value=Bound(limits.order_usd)) for kind in ("stock", "crypto")},
        conduct=ConductLimits(
            ConductOfAccount(max_orders_per_minute=Bound(limits.a_minute)),
            dict.fromkeys(("long", "both", "coin", "mixed"), of_one),
        ),
        ladder=Ladder({"account": Rungs(daily_loss=Bound(limits.loss, limits.loss * _SOFT))}),
    )


def director_of(limits: Ceilings | None) -> Director | None:
    """Return the filter that keeps stocks to their part."""
    if limits is None:
        return None
    return Director([Link("asset-class", AssetClassFilter(max_frac=1.0, max_fracs={"stock": limits.stocks}))])


class Watch:
    """Books of its own, folded from events, and a look at every opening before it is counted."""

    def __init__(self, limits: Ceilings | None) -> None:
        """Begin with empty books."""
        self._limits = limits
        self._held: Places = defaultdict(float)  # other hands have the strategy ""
        self._cash = {"": 0.0}
        self._orders: dict[str, tuple[OrderIntent, float]] = {}  # under way, with what is left of each
        self._sent: list[OrderIntent] = []
        self._today: dict[str, int] = defaultdict(int)  # orders by strategy
        self._flags: dict[tuple[str, str, str], str] = {}  # what follows from those that stand
        self._foreign: dict[str, events.ExternalFilled] = {}

    def see(self, event: Event, mark: Callable[[str], float]) -> str:
        """Take an event into the books; say what it is that goes beyond a limit, nothing where all is well."""
        found = ""
        if isinstance(event, OrderCreated) and self._limits is not None and not event.approved.intent.reduces:
            intent = event.approved.intent
            what = self._forbidden(intent, self._limits) or self._beyond(intent, self._limits, mark)
            found = what and f"{event.approved.order_id} {what}"
        self.note(event)
        return found

    def note(self, event: Event) -> None:
        """Take an event into the books."""
        match event:
            case OrderCreated(approved=approved):
                self._orders[approved.order_id] = approved.intent, float(approved.intent.qty)
                self._sent.append(approved.intent)
                self._today[approved.intent.strategy] += 1
            case OrderFilled():
                self._fill(event)
            case events.OrderMoved():
                if event.status in TERMINAL:
                    self._orders.pop(event.order_id, None)
            case events.FlagRaised():
                self._flags[event.scope, event.kind, event.level] = event.action
            case events.FlagCleared():
                self._flags.pop((event.scope, event.kind, event.level), None)
            case events.DayStarted():
                self._today[event.strategy] = 0
            case _:
                self._account_for(event)

    # --- books ------------------------------------------------------------------------------------------------------

    def _fill(self, event: OrderFilled) -> None:
        self._trade(event, 1)
        if event.order_id in self._orders:
            intent, left = self._orders[event.order_id]
            self._orders[event.order_id] = intent, left - float(event.qty)
            if event.status in TERMINAL:
                del self._orders[event.order_id]

    def _trade(self, event: OrderFilled | events.FillReversed, sign: int) -> None:
        signed, fee = sign * event.side.sign * float(event.qty), sign * float(event.fee)
        is_usd = event.fee_asset == "USD"
        self._held[event.strategy, event.symbol] += signed - (0.0 if is_usd else fee)
        self._cash[event.strategy] -= signed * float(event.price) + (fee if is_usd else 0.0)

    def _trade_outside(self, event: events.ExternalFilled, sign: int) -> None:
        signed = sign * event.side.sign * float(event.qty)
        self._held["", event.symbol] += signed
        self._cash[""] -= signed * float(event.price)

    def _account_for(self, event: Event) -> None:
        match event:
            case events.FillReversed():
                self._trade(event, -1)
            case events.ExternalFilled():
                self._foreign[event.execution_id] = event
                self._trade_outside(event, 1)
            case events.ExternalReversed():
                self._trade_outside(self._foreign[event.execution_id], -1)
            case events.BooksCreated():
                self._cash[""] = float(event.cash)
                for symbol, qty in event.positions.items():
                    self._held["", symbol] = float(qty)
            case events.SandboxOpened():
                self._give(event.strategy, event.cash)
            case events.CapitalChanged():
                self._give(event.strategy, event.amount)
            case events.CashBooked():
                self._cash[event.strategy] += float(event.amount)
            case events.SymbolUnlocked():
                self._held["", event.symbol] += float(event.adjusted)
            case _:
                pass

    def _give(self, strategy: str, amount: Decimal) -> None:
        self._cash[strategy] = self._cash.get(strategy, 0.0) + float(amount)
        self._cash[""] -= float(amount)

    # --- limits -----------------------------------------------------------------------------------------------------

    def _forbidden(self, intent: OrderIntent, limits: Ceilings) -> str:
        """Say what keeps an opening from being made whatever the account holds."""
        scopes = {"account", f"strategy {intent.strategy}", f"symbol {intent.symbol}"}
        scopes |= {"group pair"} if intent.strategy in GROUP else set()
        for (scope, kind, level), action in self._flags.items():
            if scope in scopes and action not in _HARMLESS:
                return f"opens {intent.symbol} while {kind} ({level}) of {scope} stands: {action}"
        minute = [one for one in self._sent if one.ts > intent.ts - MINUTE]
        if len(minute) >= limits.a_minute:
            return f"is opening number {len(minute) + 1} of orders in a minute, {limits.a_minute} are allowed"
        if self._today[intent.strategy] >= limits.a_day:
            return f"is order {self._today[intent.strategy] + 1} of {intent.strategy} today, {limits.a_day} are allowed"
        if (value := float(intent.qty) * float(intent.decision_price)) > limits.order_usd * SLACK:
            return f"is worth ${value:.2f}, ${limits.order_usd:.2f} is allowed"
        return ""

    def _beyond(self, intent: OrderIntent, limits: Ceilings, mark: Callable[[str], float]) -> str:
        """Say what an opening, which is not in the books yet, goes beyond; at older marks where it is less urgent."""
        slack = MOVED if AGE_NS[BY_URGENCY[intent.urgency]] else SLACK
        before, after = ([*self._figures(intent, limits, mark, is_in=is_in)] for is_in in (False, True))
        for (name, limit, old), (_, _, new) in zip(before, after, strict=True):
            if new > limit * slack and new > old * _GROWN:
                return f"takes the {name} from {old:.6g} to {new:.6g}, {limit:.6g} is allowed"
        return ""

    def _figures(
        self, intent: OrderIntent, limits: Ceilings, mark: Callable[[str], float], *, is_in: bool
    ) -> Iterator[tuple[str, float, float]]:
        """Yield name, limit and value of what is limited, with the order on its way or without it."""
        places = self._places(intent if is_in else None)
        symbols = {symbol for _, symbol in places}
        marks = {symbol: mark(symbol) for symbol in symbols if any(map(any, _of(places, symbol)))}
        whole = {symbol: _added(_of(places, symbol)) for symbol in marks}
        worth = {symbol: _worst(*whole[symbol]) * price for symbol, price in marks.items()}
        slots = {place: _worst(*one) * marks.get(place[1], 0.0) for place, one in places.items() if place[0]}
        nav = sum(self._cash.values()) + sum(whole[symbol][0] * price for symbol, price in marks.items())
        up = sum((held + buys) * marks[symbol] for symbol, (held, buys, _) in whole.items())
        down = sum((held - sells) * marks[symbol] for symbol, (held, _, sells) in whole.items())
        pair = sum(value for (strategy, _), value in slots.items() if strategy in GROUP)
        stocks = sum(value for (_, symbol), value in slots.items() if "/" not in symbol)
        ours = nav - self._cash[""] - sum(self._held["", symbol] * price for symbol, price in marks.items())
        yield "gross exposure", limits.gross * nav, sum(worth.values())
        yield "net exposure", limits.net * nav, max(abs(up), abs(down))
        yield "position", min(limits.position * nav, limits.position_usd), worth.get(intent.symbol, 0.0)
        yield "number of positions", limits.positions, sum(value > _DUST_USD for value in worth.values())
        if intent.strategy in GROUP:
            yield "group's exposure", limits.group * nav, pair
        if "/" not in intent.symbol:
            yield "stocks", limits.stocks * ours, stocks

    def _places(self, extra: OrderIntent | None) -> dict[tuple[str, str], _Place]:
        """Return what is held, and may be bought and sold, by strategy and symbol."""
        places = {place: [held, 0.0, 0.0] for place, held in self._held.items()}
        orders = [*self._orders.values(), *([] if extra is None else [(extra, float(extra.qty))])]
        for intent, left in orders:
            one = places.setdefault((intent.strategy, intent.symbol), [0.0, 0.0, 0.0])
            one[1 if intent.side is Side.BUY else 2] += left
        return {place: (held, buys, sells) for place, (held, buys, sells) in places.items()}


def _of(places: dict[tuple[str, str], tuple[float, float, float]], symbol: str) -> list[tuple[float, float, float]]:
    return [one for (_, where), one in places.items() if where == symbol]


def _added(places: list[_Place]) -> _Place:
    held, buys, sells = (sum(part) for part in zip(*places, strict=True))
    return held, buys, sells


def _worst(held: float, buys: float, sells: float) -> float:
    return max(abs(held + buys), abs(held - sells))
