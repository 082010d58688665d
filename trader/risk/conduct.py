"""How strategies behave: how fast, how often, how alike and how unluckily they trade, against what is allowed.

*Why a plan:* a limit that is not set costs nothing. What is set for the account and for a strategy stands in a list,
and an opening walks through it. Strategies with equal limits share one, so that it is near when the next one asks.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from enum import IntEnum
from operator import attrgetter, le
from typing import Final, NamedTuple

import msgspec

from trader.model.conduct import RECENT, Conduct, SlotTally, StrategyTally, SymbolTally, Tally
from trader.model.money import ZERO
from trader.model.orders import OrderIntent
from trader.model.time import MINUTE, SECOND
from trader.model.views import Exposures
from trader.risk.bounds import NONE, Bound, Breach, Level
from trader.risk.checks import RESTART
from trader.risk.margin import IntradayMargin
from trader.risk.opening import Opening
from trader.risk.overrides import Overrides

ORDERS_FOR_A_RATIO: Final = 20  # of fewer orders of the day no part is taken: one of three means nothing
SIZES_FOR_A_RATIO: Final = 10  # entries; likewise


class ConductOfAll(msgspec.Struct, frozen=True, omit_defaults=True):
    """What both a strategy and the whole account are held to, each on its own counts.

    A count of so many allows no further opening, a part above the limit neither. Days are trading days; ratios are of
    the day's orders.
    """

    max_orders_per_second: Bound = NONE  # cancels count
    max_orders_per_minute: Bound = NONE
    max_daily_orders: Bound = NONE
    max_daily_cancels: Bound = NONE
    max_open_orders: Bound = NONE
    max_cancel_ratio: Bound = NONE
    max_rejects: Bound = NONE  # in a row
    max_error_rate: Bound = NONE
    price_walk: Bound = NONE  # part of the price that own executions may have moved it by


class ConductOfOne(ConductOfAll, frozen=True, omit_defaults=True):
    """What a strategy is held to beside that."""

    duplicate: Bound = NONE  # seconds, at least, before the same order is sent again
    max_size_ratio: Bound = NONE  # of an order's value to the strategy's largest of today and the day before
    max_repeats: Bound = NONE  # entries into a symbol, each soon after the last; then a person decides
    loss_streak: Bound = NONE  # losing trades in a row; then nothing is opened for the pause
    loss_streak_pause_s: float = 3600.0
    cooldown: Bound = NONE  # seconds, at least, after an exit before the symbol is entered again


class ConductOfAccount(ConductOfAll, frozen=True, omit_defaults=True):
    """What the whole account is held to beside that."""

    max_open_orders_per_symbol: Bound = NONE
    intraday_margin: Bound = NONE  # maintenance requirement of the worst case, as a part of the account's equity


class ConductLimits(msgspec.Struct, frozen=True, omit_defaults=True):
    """The rules of conduct; the default has none."""

    account: ConductOfAccount = ConductOfAccount()
    strategies: Mapping[str, ConductOfOne] = {}


class ConductControls:
    """The limits beside the counters they are on, and who may go beyond them."""

    def __init__(self, limits: ConductLimits, conduct: Conduct, exposures: Exposures) -> None:
        """Look into ``conduct`` and ``exposures`` whenever asked."""
        self.overrides = Overrides(conduct)
        self._conduct = conduct
        self._margin = IntradayMargin(exposures)
        self._account = _planned(limits.account)
        plans = {own: _planned(own) for own in limits.strategies.values()}
        self._plans = {name: plans[own] for name, own in limits.strategies.items()}

    def breaches(self, opening: Opening) -> list[Breach]:
        """Return each limit that an opening breaks, the strategy's own first."""
        conduct, intent = self._conduct, opening.intent
        found: list[Breach] = []
        own = conduct.strategies.get(intent.strategy, _NOTHING)
        for plan, tally in ((self._plans.get(intent.strategy), own.tally), (self._account, conduct.account)):
            if plan is not None:
                _look(plan, _Seen(opening, intent, tally, own, conduct, self._margin, plan.pause), found)
        return found

    def count(self) -> None:
        """Count the opening that was asked about last: it was let pass. The books count all the rest."""
        self._margin.count()


class _Seen(msgspec.Struct, frozen=True, gc=False):
    """What measures look at; ``tally`` is that of the scope whose limit it is."""

    opening: Opening
    intent: OrderIntent
    tally: Tally
    own: StrategyTally
    conduct: Conduct
    margin: IntradayMargin
    pause: float  # after a streak of losses, nanoseconds


class _Kind(IntEnum):
    """When a value breaks a bound."""

    REACHED = 0  # a count that is there already
    ABOVE = 1
    BELOW = 2


class _Measure(NamedTuple):
    """How a rule's value is found, negative where it may fall ``BELOW``; ``passes``: a breach passes within moments."""

    value: Callable[[_Seen], float]
    kind: _Kind = _Kind.REACHED
    unit: str = ""
    passes: bool = False


class _Row(NamedTuple):
    """A rule that is set."""

    rule: str
    bound: Bound
    measure: _Measure
    is_own: bool  # the strategy's, not the account's


class _Plan(NamedTuple):
    """The rules that are set: a value that is at most the one of ``firsts`` in its place is within them."""

    measures: tuple[Callable[[_Seen], float], ...]
    firsts: tuple[float, ...]
    rows: tuple[_Row, ...]
    pause: float


_NOTHING: Final = StrategyTally(Tally())
_UNSEEN: Final = SymbolTally()
_UNTRADED: Final = SlotTally()


def _planned(limits: ConductOfAll) -> _Plan | None:
    rows = [
        _Row(rule, bound, measure, isinstance(limits, ConductOfOne))
        for rule, measure in _MEASURES.items()
        if (bound := getattr(limits, rule, NONE))
    ]
    if not rows:
        return None
    pause = getattr(limits, "loss_streak_pause_s", 0.0) * SECOND
    return _Plan(tuple(row.measure.value for row in rows), tuple(map(_first, rows)), tuple(rows), pause)


def _first(row: _Row) -> float:
    """Return the most that a measure may come to before the first level."""
    kind, levels = row.measure.kind, [level for level in (row.bound.soft, row.bound.hard) if level is not None]
    return -max(levels) if kind is _Kind.BELOW else min(levels) - (kind is _Kind.REACHED)


def _look(plan: _Plan, seen: _Seen, found: list[Breach]) -> None:
    """Add to ``found`` what is broken."""
    values = [measure(seen) for measure in plan.measures]
    if all(map(le, values, plan.firsts)):
        return
    for row, measured in zip(plan.rows, values, strict=True):
        bound, kind = row.bound, row.measure.kind
        is_least = kind is _Kind.BELOW
        value = 0.0 - measured if is_least else measured  # -0.0 would be shown as "-0"
        level = bound.fallen_below(value) if is_least else bound.broken(value + (kind is _Kind.REACHED))
        if level is not None:
            found.append(_breach(row, level, value, seen))


def _breach(row: _Row, level: Level, value: float, seen: _Seen) -> Breach:
    rule, unit, intent = row.rule, row.measure.unit, seen.intent
    scope, key, resumed = "account", f"risk.conduct.{rule}", ""
    if row.is_own:
        scope, resumed = f"strategy {intent.strategy}", f" {intent.strategy}"
        key = f"risk_config.conduct.{rule} of {scope}"
    elif rule in _OF_SYMBOL:
        scope = f"symbol {intent.symbol}"
    hint = f"{'lower' if row.measure.kind is _Kind.BELOW else 'raise'} {key} {RESTART}"
    if rule in _FOR_A_PERSON:
        hint = f"find out why, then trader resume{resumed}; or {hint}"
    return Breach(
        rule,
        scope,
        _shown(row.bound.at(level), unit),
        _shown(value, unit),
        level if math.isfinite(value) else "hard",
        hint,
        row.measure.passes,
    )


def _shown(value: float, unit: str) -> str:
    if math.isnan(value):
        return "unknown: no mark yet"
    if math.isinf(value):
        return "no equity" if unit else "stopped until a person decides"
    return f"{value:.6g} {unit}".rstrip()


# --- measures -----------------------------------------------------------------------------------------------------


def _sent_within(span: int) -> Callable[[_Seen], float]:
    def count(seen: _Seen) -> float:
        messages = seen.tally.messages
        return len(messages) - bisect_right(messages, seen.intent.ts - span)

    return count


def _part(part: int, orders: int) -> float:
    return part / orders if orders >= ORDERS_FOR_A_RATIO else 0.0


def _open_in_symbol(seen: _Seen) -> float:
    return seen.conduct.symbols.get(seen.intent.symbol, _UNSEEN).open_orders


def _walked(seen: _Seen) -> float:
    """Return by how much of the price own executions on this side moved it, against us, up to this order."""
    intent = seen.intent
    tally = seen.conduct.symbols.get(intent.symbol, _UNSEEN)
    periods = intent.ts // RECENT - tally.period
    if periods > 1:
        return 0.0
    is_buy = intent.side.sign > 0
    newest, before = (tally.lowest, tally.lowest_before) if is_buy else (tally.highest, tally.highest_before)
    if periods == 1:
        newest, before = None, newest
    best = newest if before is None or (newest is not None and (newest < before) is is_buy) else before
    if best is None:
        return 0.0
    walked = seen.opening.price / float(best) - 1.0
    return walked if is_buy else -walked


def _since_the_same(seen: _Seen) -> float:
    """Return the seconds since the last entry, where this one is the same."""
    intent = seen.intent
    slot = seen.own.slots.get(intent.symbol, _UNTRADED)
    last = slot.bought if intent.side.sign > 0 else slot.sold
    if last is None or last.qty != intent.qty or last.decision_price != intent.decision_price:
        return -math.inf
    return (last.ts - intent.ts) / SECOND


def _size_ratio(seen: _Seen) -> float:
    own = seen.own
    largest = max(own.largest, own.largest_before)
    is_known = own.entries >= SIZES_FOR_A_RATIO and largest > ZERO
    return seen.opening.reserved / float(largest) if is_known else 0.0


def _repeated(seen: _Seen) -> float:
    intent = seen.intent
    slot = seen.own.slots.get(intent.symbol, _UNTRADED)
    if seen.own.is_spent:
        return math.inf
    return slot.entries if intent.ts - slot.entered_at <= RECENT else 0


def _lost_in_row(seen: _Seen) -> float:
    """Return the losing trades in a row; none once the pause after them is over."""
    return 0 if seen.intent.ts - seen.own.lost_at >= seen.pause else seen.own.losses


def _since_exit(seen: _Seen) -> float:
    """Return the seconds since the strategy was flat again in the symbol."""
    intent = seen.intent
    slot = seen.own.slots.get(intent.symbol, _UNTRADED)
    return (slot.left_at - intent.ts) / SECOND if slot.left_at else -math.inf


_OF_SYMBOL: Final = frozenset({"price_walk", "max_open_orders_per_symbol"})
_FOR_A_PERSON: Final = frozenset({"max_repeats", "max_rejects"})  # time does not mend them

_MEASURES: Final[Mapping[str, _Measure]] = {
    "max_rejects": _Measure(attrgetter("tally.rejects_in_row")),
    "max_error_rate": _Measure(
        lambda seen: _part(seen.tally.rejects, seen.tally.orders), _Kind.ABOVE, "of the day's orders"
    ),
    "max_orders_per_second": _Measure(_sent_within(SECOND), passes=True),
    "max_orders_per_minute": _Measure(_sent_within(MINUTE), passes=True),
    "max_daily_orders": _Measure(attrgetter("tally.orders")),
    "max_daily_cancels": _Measure(attrgetter("tally.cancels")),
    "max_cancel_ratio": _Measure(
        lambda seen: _part(seen.tally.cancels, seen.tally.orders), _Kind.ABOVE, "of the day's orders"
    ),
    "max_open_orders": _Measure(attrgetter("tally.open_orders"), passes=True),
    "max_open_orders_per_symbol": _Measure(_open_in_symbol, passes=True),
    "duplicate": _Measure(_since_the_same, _Kind.BELOW, "s"),
    "price_walk": _Measure(_walked, _Kind.ABOVE, "of the price"),
    "max_size_ratio": _Measure(_size_ratio, _Kind.ABOVE, "of the largest lately"),
    "max_repeats": _Measure(_repeated),
    "loss_streak": _Measure(_lost_in_row),
    "cooldown": _Measure(_since_exit, _Kind.BELOW, "s"),
    "intraday_margin": _Measure(lambda seen: seen.margin.after(seen.opening), _Kind.ABOVE, "of equity"),
}
