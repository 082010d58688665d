"""Controls of conduct, each: allows at its limit, tells at the soft level, refuses at the hard one, lets exits pass."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from trader.model.conduct import Conduct, SlotTally, StrategyTally, SymbolTally, Tally
from trader.model.instruments import instrument_of
from trader.model.orders import Approved, Denied, OrderIntent, Reason, Side, TradingState
from trader.model.time import MINUTE, SECOND
from trader.model.views import Market, Question, Standing
from trader.risk.bounds import Bound
from trader.risk.conduct import ConductControls, ConductLimits, ConductOfAccount, ConductOfOne
from trader.risk.gate import Gate
from trader.risk.limits import Limits, reservation_of
from trader.risk.opening import opening_of
from trader.risk.rules import Rules

NOW = 1_000 * 5 * MINUTE
STANDING = Standing(
    cash=Decimal(10_000),
    free_cash=Decimal(10_000),
    equity=Decimal(10_000),
    position=Decimal(0),
    daily_trades=0,
    loss_reached=False,
    state=TradingState.ACTIVE,
)
ENTRY = OrderIntent("one", "SPY", Side.BUY, Decimal(10), Decimal(100), reduces=False, reason=Reason.SIGNAL, ts=NOW)
EXIT = msgspec.structs.replace(ENTRY, side=Side.SELL, reduces=True)


class Held:
    """The exposure of one strategy that holds so much of a stock and a coin."""

    def __init__(self, spy: float = 0.0, btc: float = 0.0, *, mark: float = 100.0, cash: float = 10_000.0) -> None:
        self.version = self.booked = 0
        self.symbols: tuple[str, ...] = ("SPY", "BTC/USD")
        self.strategies: tuple[str, ...] = ("one",)
        self.index: Mapping[str, int] = {"SPY": 0, "BTC/USD": 1}
        self.rank: Mapping[str, int] = {"one": 0}
        self.marks, self.net = np.array([mark, 1000.0]), np.array([spy, btc])
        self.buys, self.sells, self.held = np.zeros(2), np.zeros(2), self.net
        self.held_buys, self.held_sells, self.symbol_of = np.zeros(2), np.zeros(2), np.arange(2)
        self.slots_of: Mapping[str, slice] = {"one": slice(0, 2)}
        self.cash, self.reserved, self.unallocated = np.array([cash]), np.zeros(1), 0.0

    def sync(self) -> None:
        """They are."""


class World:
    """What one case is about: counters, what is held, and the intent."""

    def __init__(self) -> None:
        self.own = StrategyTally(Tally(), {"SPY": SlotTally()})
        self.conduct = Conduct(Tally(), {"one": self.own}, {"SPY": SymbolTally()})
        self.exposures = Held()
        self.intent = ENTRY

    @property
    def slot(self) -> SlotTally:
        return self.own.slots["SPY"]

    @property
    def symbol(self) -> SymbolTally:
        return self.conduct.symbols["SPY"]

    def ask(self, limits: ConductLimits, intent: OrderIntent | None = None) -> tuple[Approved | Denied, Gate]:
        rules = Rules(conduct=limits)
        controls = ConductControls(limits, self.conduct, self.exposures)
        gate = Gate(
            rules, {"one": Limits(Decimal(1), allow_short=True)}, exposures=self.exposures, flags={}, conduct=controls
        )
        asked = intent or self.intent
        position = -EXIT.qty * asked.side.sign if asked.reduces else Decimal(0)
        standing = msgspec.structs.replace(STANDING, position=position)
        return gate.check(Question(asked, "o1", instrument_of(asked.symbol), standing, Market(mark=100.0), NOW)), gate


def in_tally(name: str) -> Callable[[World, float], None]:
    """Set a counter of the strategy and of the account."""

    def make(world: World, value: float) -> None:
        setattr(world.own.tally, name, int(value))
        setattr(world.conduct.account, name, int(value))

    return make


def part_of_orders(name: str) -> Callable[[World, float], None]:
    def make(world: World, value: float) -> None:
        for tally in (world.own.tally, world.conduct.account):
            tally.orders = 100
            setattr(tally, name, round(value * 100))

    return make


def messages(span: int) -> Callable[[World, float], None]:
    def make(world: World, value: float) -> None:
        times = [NOW - span, *[NOW - span + 1] * int(value)]  # the first is too old by nothing
        world.own.tally.messages = world.conduct.account.messages = times

    return make


def open_in_symbol(world: World, value: float) -> None:
    world.symbol.open_orders = int(value)


def duplicate(world: World, value: float) -> None:
    world.slot.bought = msgspec.structs.replace(ENTRY, ts=NOW - round(value * SECOND))


def walked(world: World, value: float) -> None:
    world.symbol.period, world.symbol.lowest = NOW // (5 * MINUTE), Decimal(str(100 / (1 + value)))


def size(world: World, value: float) -> None:
    world.own.entries, world.own.largest_before = 10, Decimal(str(1020.0 / value))


def repeated(world: World, value: float) -> None:
    world.slot.entries, world.slot.entered_at = int(value), NOW - 5 * MINUTE


def lost(world: World, value: float) -> None:
    world.own.losses, world.own.lost_at = int(value), NOW - 3599 * SECOND


def left(world: World, value: float) -> None:
    world.slot.left_at = NOW - round(value * SECOND)


def margin(world: World, value: float) -> None:
    world.exposures = Held(value * 100 / 0.3 - 10, cash=10_000.0 - (value * 100 / 0.3 - 10) * 100)


# By rule: how its value is made, one that passes everything, one beyond soft, one beyond hard, and the two levels.
Case = tuple[Callable[[World, float], None], float, float, float, float, float]
CASES: dict[str, Case] = {
    "max_orders_per_second": (messages(SECOND), 1, 2, 4, 2, 4),
    "max_orders_per_minute": (messages(MINUTE), 1, 2, 4, 2, 4),
    "max_daily_orders": (in_tally("orders"), 1, 2, 4, 2, 4),
    "max_daily_cancels": (in_tally("cancels"), 1, 2, 4, 2, 4),
    "max_open_orders": (in_tally("open_orders"), 1, 2, 4, 2, 4),
    "max_rejects": (in_tally("rejects_in_row"), 1, 2, 4, 2, 4),
    "max_cancel_ratio": (part_of_orders("cancels"), 0.2, 0.21, 0.51, 0.2, 0.5),
    "max_error_rate": (part_of_orders("rejects"), 0.2, 0.21, 0.51, 0.2, 0.5),
    "price_walk": (walked, 0.01, 0.0101, 0.0201, 0.01, 0.02),
    "duplicate": (duplicate, 60, 59, 29, 60, 30),
    "max_size_ratio": (size, 2, 2.01, 3.01, 2, 3),
    "max_repeats": (repeated, 1, 2, 4, 2, 4),
    "loss_streak": (lost, 1, 2, 4, 2, 4),
    "cooldown": (left, 60, 59, 29, 60, 30),
    "max_open_orders_per_symbol": (open_in_symbol, 1, 2, 4, 2, 4),
    "intraday_margin": (margin, 0.5, 0.51, 0.91, 0.5, 0.9),
}
PLACES = [
    (rule, scope)
    for rule in CASES
    for scope, limits in (("strategy", ConductOfOne), ("account", ConductOfAccount))
    if rule in limits.__struct_fields__
]
of_each = pytest.mark.parametrize(("rule", "scope"), PLACES)


def limits_of(rule: str, scope: str, bound: Bound) -> ConductLimits:
    if scope == "account":
        return ConductLimits(account=ConductOfAccount(**{rule: bound}))
    own: dict[str, Any] = {rule: bound}
    return ConductLimits(strategies={"one": ConductOfOne(**own)})


def asked(rule: str, scope: str, which: int, intent: OrderIntent | None = None) -> tuple[Approved | Denied, Gate]:
    case: Any = CASES[rule]
    world = World()
    case[0](world, case[which])
    return world.ask(limits_of(rule, scope, Bound(hard=case[5], soft=case[4])), intent)


@of_each
def test_an_entry_at_the_limit_passes(rule: str, scope: str) -> None:
    verdict, gate = asked(rule, scope, 1)
    assert isinstance(verdict, Approved)
    assert gate.warnings == []


@of_each
def test_an_entry_beyond_the_soft_level_passes_and_is_told_of(rule: str, scope: str) -> None:
    verdict, gate = asked(rule, scope, 2)
    assert isinstance(verdict, Approved)
    assert [(one.rule, one.level) for one in gate.warnings] == [(rule, "soft")]


@of_each
def test_an_entry_beyond_the_hard_level_is_refused_with_rule_limit_value_scope_and_hint(rule: str, scope: str) -> None:
    verdict, _ = asked(rule, scope, 3)
    assert isinstance(verdict, Denied)
    assert verdict.rule == rule
    assert verdict.limit
    assert verdict.value
    assert verdict.scope in {"strategy one", "account", "symbol SPY"}
    assert rule in verdict.hint


@of_each
def test_an_exit_passes_whatever_is_broken(rule: str, scope: str) -> None:
    verdict, _ = asked(rule, scope, 3, EXIT)
    assert isinstance(verdict, Approved)


@of_each
def test_counters_that_cannot_be_read_refuse_an_entry_and_no_exit(rule: str, scope: str) -> None:
    case = CASES[rule]
    world = World()
    world.conduct = None  # type: ignore[assignment]
    limits = limits_of(rule, scope, Bound(hard=case[5]))
    verdict, _ = world.ask(limits)
    assert isinstance(verdict, Denied)
    assert verdict.value.startswith("error: ")
    assert isinstance(world.ask(limits, EXIT)[0], Approved)


# --- what a denial says, and the edges of each ------------------------------------------------------------------------


def denial(world: World, **of_one: Any) -> Denied:
    verdict, _ = world.ask(ConductLimits(strategies={"one": ConductOfOne(**of_one)}))
    assert isinstance(verdict, Denied)
    return verdict


def passes(world: World, **of_one: Any) -> bool:
    return isinstance(world.ask(ConductLimits(strategies={"one": ConductOfOne(**of_one)}))[0], Approved)


def test_a_denial_says_what_was_counted_and_how_to_change_the_limit() -> None:
    world = World()
    world.own.tally.orders = 5
    found = denial(world, max_daily_orders=Bound(5))
    assert (found.limit, found.value, found.scope) == ("5", "5", "strategy one")
    assert found.hint == "raise risk_config.conduct.max_daily_orders of strategy one in the settings and start again"


def test_what_happened_at_the_same_time_was_0_s_ago() -> None:
    world = World()
    world.slot.bought, world.slot.left_at = ENTRY, NOW
    for own in (ConductOfOne(duplicate=Bound(hard=5)), ConductOfOne(cooldown=Bound(hard=5))):
        verdict, _ = world.ask(ConductLimits(strategies={"one": own}))
        assert isinstance(verdict, Denied)
        assert (verdict.limit, verdict.value) == ("5 s", "0 s")


def test_what_passes_within_moments_is_asked_for_again() -> None:
    world = World()
    messages(SECOND)(world, 3)
    assert denial(world, max_orders_per_second=Bound(3)).is_passing
    world.own.tally.orders = 5
    assert not denial(world, max_daily_orders=Bound(5)).is_passing


def test_another_strategys_counters_do_not_matter_but_the_accounts_do() -> None:
    world = World()
    world.conduct.account.orders = 5
    assert passes(world, max_daily_orders=Bound(5))
    verdict, _ = world.ask(ConductLimits(account=ConductOfAccount(max_daily_orders=Bound(5))))
    assert isinstance(verdict, Denied)
    assert verdict.hint.startswith("raise risk.conduct.max_daily_orders")


def test_strategies_with_equal_limits_are_each_told_of_their_own() -> None:
    world, own = World(), ConductOfOne(max_open_orders=Bound(hard=0))
    controls = ConductControls(ConductLimits(strategies={"one": own, "two": own}), world.conduct, world.exposures)
    for name in ("one", "two"):
        intent = msgspec.structs.replace(ENTRY, strategy=name)
        question = Question(intent, "o1", instrument_of("SPY"), STANDING, Market(), NOW)
        (breach,) = controls.breaches(opening_of(question, 0, reservation_of(intent)))
        assert breach.scope == f"strategy {name}"
        assert f"max_open_orders of strategy {name} in" in breach.hint


def test_a_strategy_that_never_traded_breaks_nothing() -> None:
    world = World()
    world.conduct = Conduct(Tally())
    assert passes(world, **{rule: Bound(CASES[rule][5]) for rule, scope in PLACES if scope == "strategy"})


@pytest.mark.parametrize("change", [{"qty": Decimal(11)}, {"decision_price": Decimal(101)}])
def test_an_order_that_differs_is_no_duplicate(change: dict[str, Any]) -> None:
    world = World()
    duplicate(world, 1)
    world.intent = msgspec.structs.replace(ENTRY, **change)
    assert passes(world, duplicate=Bound(60))


def test_the_same_order_on_the_other_side_is_no_duplicate() -> None:
    world = World()
    world.slot.sold = msgspec.structs.replace(ENTRY, side=Side.SELL, ts=NOW - SECOND)
    assert passes(world, duplicate=Bound(60))


@pytest.mark.parametrize(("periods_ago", "is_refused"), [(0, True), (1, True), (2, False)])
def test_own_executions_walk_the_price_for_five_to_ten_minutes(periods_ago: int, *, is_refused: bool) -> None:
    world = World()
    walked(world, 0.05)
    world.symbol.period -= periods_ago
    assert passes(world, price_walk=Bound(0.02)) is not is_refused


def test_the_period_before_counts_only_while_the_newest_is_now() -> None:
    world = World()
    world.symbol.period, world.symbol.lowest_before = NOW // (5 * MINUTE), Decimal(90)
    assert not passes(world, price_walk=Bound(0.02))
    world.symbol.period -= 1
    assert passes(world, price_walk=Bound(0.02))


def test_own_sales_walk_the_price_down() -> None:
    world = World()
    world.symbol.period, world.symbol.highest = NOW // (5 * MINUTE), Decimal(110)
    limits = ConductLimits(account=ConductOfAccount(price_walk=Bound(0.05)))
    verdict, _ = world.ask(limits, msgspec.structs.replace(ENTRY, side=Side.SELL))
    assert isinstance(verdict, Denied)
    assert (verdict.scope, verdict.value) == ("symbol SPY", "0.0909091 of the price")
    assert isinstance(world.ask(limits)[0], Approved)


def test_a_size_is_compared_with_nothing_before_the_tenth_entry() -> None:
    world = World()
    world.own.entries, world.own.largest = 9, Decimal(1)
    assert passes(world, max_size_ratio=Bound(2))


def test_no_part_is_taken_of_a_few_orders() -> None:
    world = World()
    world.own.tally.orders = world.own.tally.rejects = 19
    assert passes(world, max_error_rate=Bound(0.5))


def test_repeats_that_are_long_ago_are_none_but_what_was_refused_for_them_waits_for_a_person() -> None:
    world = World()
    repeated(world, 4)
    world.slot.entered_at -= 1
    assert passes(world, max_repeats=Bound(4))
    world.own.is_spent = True
    found = denial(world, max_repeats=Bound(4))
    assert found.value == "stopped until a person decides"
    assert found.hint.startswith("find out why, then trader resume one; or raise")


def test_the_pause_after_a_streak_of_losses_ends() -> None:
    world = World()
    lost(world, 4)
    assert not passes(world, loss_streak=Bound(3))
    world.own.lost_at -= SECOND
    assert passes(world, loss_streak=Bound(3))
    assert not passes(world, loss_streak=Bound(3), loss_streak_pause_s=7200.0)


def test_margin_without_equity_or_without_a_mark_is_refused() -> None:
    world = World()
    limits = ConductLimits(account=ConductOfAccount(intraday_margin=Bound(soft=0.9)))
    for held, said in ((Held(cash=0.0), "no equity"), (Held(10.0, mark=float("nan")), "unknown: no mark yet")):
        controls = ConductControls(limits, world.conduct, held)
        question = Question(ENTRY, "o1", instrument_of("SPY"), STANDING, Market(), NOW)
        opening = opening_of(question, held.index[ENTRY.symbol], reservation_of(ENTRY))
        assert [(one.value, one.level) for one in controls.breaches(opening)] == [(said, "hard")]
