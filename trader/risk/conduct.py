"""How strategies behave: how fast, how often, how alike and how unluckily they trade, against what is allowed.

*Why a plan:* a limit that is not set costs nothing. What is set for the account and for a strategy stands in a list,
and an opening walks through it.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from typing import Final, NamedTuple

import msgspec

from trader.model.conduct import RECENT, Conduct, SlotTally, StrategyTally, SymbolTally, Tally
from trader.model.money import ZERO
from trader.model.orders import Side
from trader.model.time import MINUTE, SECOND
from trader.model.views import Exposures, Question
from trader.risk.bounds import NONE, Bound, Breach, Level
from trader.risk.limits import reservation_of
from trader.risk.margin import IntradayMargin
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
        self._limits = limits
        self._account = _plan(limits.account, "account", key="risk.conduct.{}", resumed="")
        self._plans = {
            name: _plan(own, f"strategy {name}", key=f"risk_config.conduct.{{}} of strategy {name}", resumed=f" {name}")
            for name, own in limits.strategies.items()
        }

    def breaches(self, question: Question) -> Iterator[Breach]:
        """Give each limit that an opening breaks: the strategy's own first, then the account's."""
        conduct, name = self._conduct, question.intent.strategy
        own = conduct.strategies.get(name, _NOTHING)
        limits = self._limits.strategies.get(name, _NO_LIMITS)
        seen = _Seen(question, own.tally, own, conduct, self._margin, limits)
        yield from _walk(self._plans.get(name, ()), seen)
        if self._account:
            seen = _Seen(question, conduct.account, own, conduct, self._margin, limits)
            yield from _walk(self._account, seen)


class _Seen(NamedTuple):
    """What measures look at; ``tally`` is that of the scope whose limit it is."""

    question: Question
    tally: Tally
    own: StrategyTally
    conduct: Conduct
    margin: IntradayMargin
    limits: ConductOfOne


class _Kind(IntEnum):
    """When a value breaks a bound."""

    REACHED = 0  # a count that is there already
    ABOVE = 1
    BELOW = 2


class _Measure(NamedTuple):
    """How a rule's value is found; ``passes``: a breach passes by itself within moments."""

    value: Callable[[_Seen], float]
    kind: _Kind = _Kind.REACHED
    unit: str = ""
    passes: bool = False


class _Row(NamedTuple):
    """A rule that is set."""

    rule: str
    bound: Bound
    measure: _Measure
    scope: str
    hint: str


# A row ready to be asked: a value whose product with the first number is at most the second is within it. Plain, since
# every order walks through all of them.
_Step = tuple[Callable[[_Seen], float], float, float, _Row]

_NOTHING: Final = StrategyTally(Tally())
_NO_LIMITS: Final = ConductOfOne()
_UNSEEN: Final = SymbolTally()
_UNTRADED: Final = SlotTally()


def _plan(limits: ConductOfAll, scope: str, *, key: str, resumed: str) -> tuple[_Step, ...]:
    rows: list[_Step] = []
    for rule, measure in _MEASURES.items():
        if bound := getattr(limits, rule, NONE):
            verb = "lower" if measure.kind is _Kind.BELOW else "raise"
            hint = f"{verb} {key.format(rule)} in the settings and start again"
            if rule in _FOR_A_PERSON:
                hint = f"find out why, then trader resume{resumed}; or {hint}"
            sign = -1.0 if measure.kind is _Kind.BELOW else 1.0
            first = min(sign * level for level in (bound.soft, bound.hard) if level is not None)
            first -= measure.kind is _Kind.REACHED
            rows.append((measure.value, sign, first, _Row(rule, bound, measure, scope, hint)))
    return tuple(rows)


def _walk(plan: tuple[_Step, ...], seen: _Seen) -> Iterator[Breach]:
    for measure, sign, first, row in plan:
        value = measure(seen)
        if sign * value <= first:
            continue
        if math.isnan(value):
            yield _breach(row, "hard" if row.bound.hard is not None else "soft", value, seen)
        elif level := _level(row, value):
            yield _breach(row, level, value, seen)


def _level(row: _Row, value: float) -> Level | None:
    kind = row.measure.kind
    if kind is _Kind.BELOW:
        return row.bound.fallen_below(value)
    return row.bound.broken(value + 1 if kind is _Kind.REACHED else value)


def _breach(row: _Row, level: Level, value: float, seen: _Seen) -> Breach:
    unit = row.measure.unit
    is_of_symbol = row.scope == "account" and row.rule in _OF_SYMBOL
    return Breach(
        row.rule,
        f"symbol {seen.question.intent.symbol}" if is_of_symbol else row.scope,
        _shown(row.bound.at(level), unit),
        _shown(value, unit),
        level if math.isfinite(value) else "hard",
        row.hint,
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
        return len(messages) - bisect_right(messages, seen.question.intent.ts - span)

    return count


def _part(part: int, orders: int) -> float:
    return part / orders if orders >= ORDERS_FOR_A_RATIO else 0.0


def _open_in_symbol(seen: _Seen) -> float:
    return seen.conduct.symbols.get(seen.question.intent.symbol, _UNSEEN).open_orders


def _walked(seen: _Seen) -> float:
    """Return by how much of the price own executions on this side moved it, against us, up to this order."""
    intent = seen.question.intent
    tally, is_buy = seen.conduct.symbols.get(intent.symbol, _UNSEEN), intent.side is Side.BUY
    newest, before = (tally.lowest, tally.lowest_before) if is_buy else (tally.highest, tally.highest_before)
    periods = intent.ts // RECENT - tally.period
    if periods > 0:
        newest, before = None, newest if periods == 1 else None
    best = newest if before is None or (newest is not None and (newest < before) is is_buy) else before
    if best is None:
        return 0.0
    walked = float(intent.decision_price) / float(best) - 1.0
    return walked if is_buy else -walked


def _since_the_same(seen: _Seen) -> float:
    """Return the seconds since the last entry, where this one is the same."""
    intent = seen.question.intent
    slot = seen.own.slots.get(intent.symbol, _UNTRADED)
    last = slot.bought if intent.side is Side.BUY else slot.sold
    if last is None or (last.qty, last.decision_price) != (intent.qty, intent.decision_price):
        return math.inf
    return (intent.ts - last.ts) / SECOND


def _size_ratio(seen: _Seen) -> float:
    own = seen.own
    largest = max(own.largest, own.largest_before)
    is_known = own.entries >= SIZES_FOR_A_RATIO and largest > ZERO
    return float(reservation_of(seen.question.intent)) / float(largest) if is_known else 0.0


def _repeated(seen: _Seen) -> float:
    intent = seen.question.intent
    slot = seen.own.slots.get(intent.symbol, _UNTRADED)
    if seen.own.is_spent:
        return math.inf
    return slot.entries if intent.ts - slot.entered_at <= RECENT else 0


def _lost_in_row(seen: _Seen) -> float:
    """Return the losing trades in a row; none once the pause after them is over."""
    is_over = seen.question.intent.ts - seen.own.lost_at >= seen.limits.loss_streak_pause_s * SECOND
    return 0 if is_over else seen.own.losses


def _since_exit(seen: _Seen) -> float:
    """Return the seconds since the strategy was flat again in the symbol."""
    intent = seen.question.intent
    slot = seen.own.slots.get(intent.symbol, _UNTRADED)
    return (intent.ts - slot.left_at) / SECOND if slot.left_at else math.inf


_OF_SYMBOL: Final = frozenset({"price_walk", "max_open_orders_per_symbol"})
_FOR_A_PERSON: Final = frozenset({"max_repeats", "max_rejects"})  # time does not mend them

_MEASURES: Final[Mapping[str, _Measure]] = {
    "max_rejects": _Measure(lambda seen: seen.tally.rejects_in_row),
    "max_error_rate": _Measure(
        lambda seen: _part(seen.tally.rejects, seen.tally.orders), _Kind.ABOVE, "of the day's orders"
    ),
    "max_orders_per_second": _Measure(_sent_within(SECOND), passes=True),
    "max_orders_per_minute": _Measure(_sent_within(MINUTE), passes=True),
    "max_daily_orders": _Measure(lambda seen: seen.tally.orders),
    "max_daily_cancels": _Measure(lambda seen: seen.tally.cancels),
    "max_cancel_ratio": _Measure(
        lambda seen: _part(seen.tally.cancels, seen.tally.orders), _Kind.ABOVE, "of the day's orders"
    ),
    "max_open_orders": _Measure(lambda seen: seen.tally.open_orders, passes=True),
    "max_open_orders_per_symbol": _Measure(_open_in_symbol, passes=True),
    "duplicate": _Measure(_since_the_same, _Kind.BELOW, "s"),
    "price_walk": _Measure(_walked, _Kind.ABOVE, "of the price"),
    "max_size_ratio": _Measure(_size_ratio, _Kind.ABOVE, "of the largest lately"),
    "max_repeats": _Measure(_repeated),
    "loss_streak": _Measure(_lost_in_row),
    "cooldown": _Measure(_since_exit, _Kind.BELOW, "s"),
    "intraday_margin": _Measure(lambda seen: seen.margin.after(seen.question.intent), _Kind.ABOVE, "of equity"),
}
