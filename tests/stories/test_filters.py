"""Strategies that decide in one minute meet the Director's filters together, in their order and not their bars'."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from tests.build import T0, Rehearsal, always, bar, by_minute, spec
from trader.books.ledger import Ledger
from trader.director import Cut, Director, Filter, Link
from trader.director.filters_exposure import AssetClassFilter, MaxPositionsFilter
from trader.director.filters_simple import NilFilter, WeekdayFilter
from trader.engine.engine import NO_RULES, Engine
from trader.engine.sandbox import SandboxSpec
from trader.model.events import IntentTrimmed, OrderCreated, OrderDenied, OrderFilled
from trader.model.inputs import Control, Opened
from trader.model.orders import OrderIntent
from trader.model.ticks import Bar
from trader.model.time import MINUTE
from trader.model.views import PortfolioView
from trader.risk.bounds import Bound
from trader.risk.ladder import Ladder, Rungs
from trader.risk.rules import Rules


class Directed(Rehearsal):
    """A rehearsal whose desk has a Director."""

    def __init__(
        self,
        specs: Sequence[SandboxSpec],
        *shared: Filter,
        own: dict[str, Filter] | None = None,
        limits: Rules = NO_RULES,
    ) -> None:
        super().__init__(*specs)
        links = [Link(f"filter {place}", judge) for place, judge in enumerate(shared)]
        chains = {name: [Link("own", judge)] for name, judge in (own or {}).items()}
        self.events.clear()
        self.engine = Engine(specs, book_id="t", rules=limits, director=Director(links, chains))
        self.take(Opened(bar(minute=0).ts))

    @property
    def opened(self) -> list[tuple[str, str, Decimal]]:
        intents = [event.approved.intent for event in self.of(OrderCreated)]
        return [(intent.strategy, intent.symbol, intent.qty) for intent in intents if not intent.reduces]


ONE_PLACE = MaxPositionsFilter(max_long_positions=1)


@pytest.mark.parametrize("order", [("SPY", "QQQ"), ("QQQ", "SPY")])
def test_the_strategy_that_stands_first_has_the_place_whoevers_bar_came_first(order: tuple[str, str]) -> None:
    desk = Directed([spec(always(0.5), "QQQ", name="one"), spec(always(0.5), "SPY", name="two")], ONE_PLACE)
    desk.minute(*[bar(symbol) for symbol in order])
    assert [(name, symbol) for name, symbol, _ in desk.opened] == [("one", "QQQ")]
    (trimmed,) = desk.of(IntentTrimmed)
    assert (trimmed.strategy, trimmed.filter, trimmed.kept) == ("two", "filter 0", 0)
    assert (trimmed.limit, trimmed.value) == ("1 long positions", "1 open, on their way or ahead of it")


def test_a_longer_bar_that_ends_in_the_minute_is_decided_with_it() -> None:
    slow = spec(always(0.5), "QQQ", name="slow", bar_minutes=5)
    fast = spec(by_minute({5: 0.5}), "SPY", name="fast")
    desk = Directed([slow, fast], ONE_PLACE)
    for minute in range(1, 6):
        desk.minute(bar("SPY", minute), bar("QQQ", minute))
    assert [name for name, _, _ in desk.opened] == ["slow"]
    assert [event.strategy for event in desk.of(IntentTrimmed)] == ["fast"]


def test_who_was_dropped_asks_again_and_has_the_place_when_it_is_free() -> None:
    desk = Directed(
        [spec(by_minute({1: 0.5, 3: 0.0}), "QQQ", name="one"), spec(always(0.5), "SPY", name="two")], ONE_PLACE
    )
    for minute in range(1, 6):
        desk.minute(bar("SPY", minute), bar("QQQ", minute))
    assert [name for name, _, _ in desk.opened] == ["one", "two"]
    assert len(desk.of(IntentTrimmed)) == 3  # at minutes 1, 2 and 3: then the exit had not filled yet


@pytest.mark.parametrize("rule", ["halted", "max_daily_trades", "unauthorized", "reduce_only"])
def test_who_may_open_nothing_takes_nobodys_place(rule: str) -> None:
    orders = 2 if rule == "max_daily_trades" else None
    shut = spec(by_minute({1: 0.5, 3: 0.0, 5: 0.5}), "QQQ", name="one", max_daily_trades=orders)
    rungs = {"strategy one": Rungs(daily_loss=Bound(0.01))} if rule == "reduce_only" else {}
    limits = Rules(authorized={"one": ()} if rule == "unauthorized" else {}, ladder=Ladder(rungs))
    desk = Directed([shut, spec(by_minute({5: 0.5}), "SPY", name="two")], ONE_PLACE, limits=limits)
    if rule == "halted":
        desk.take(Control(T0, "halt", "one", "ann"))
    for minute in range(1, 7):
        desk.minute(bar("QQQ", minute, close=100 if minute < 3 else 90), bar("SPY", minute))
    assert desk.opened[-1][:2] == ("two", "SPY")
    assert {event.denied.rule for event in desk.of(OrderDenied)} == {rule}
    assert not desk.of(IntentTrimmed)


def test_what_is_trimmed_is_filled_as_far_as_it_was_let_pass_and_not_asked_for_again() -> None:
    desk = Directed([spec(always(1.0), "SPY", name="one")], AssetClassFilter(max_frac=0.3))
    desk.closes(100.0, 100.0, 100.0)
    assert desk.opened == [("one", "SPY", Decimal("30.0000"))]
    assert [event.qty for event in desk.of(OrderFilled)] == [30]


def test_an_exit_is_not_seen_by_any_filter() -> None:
    class FirstMinute(Filter):
        """Lets nothing pass after the first minute."""

        def apply(self, intent: OrderIntent, view: PortfolioView) -> Cut | None:
            return None if view.ts == T0 + MINUTE else Cut(0.0, "the first minute", "later")

    desk = Directed([spec(by_minute({1: 1.0, 2: 0.0, 3: 1.0}), "SPY", name="one")], FirstMinute())
    desk.closes(100.0, 100.0, 100.0, 100.0)
    assert desk.book().position("SPY").qty == 0
    assert [event.side for event in desk.of(OrderFilled)] == ["buy", "sell"]
    assert [event.side for event in desk.of(IntentTrimmed)] == ["buy"]


def test_a_strategys_own_filter_holds_back_that_strategy_only() -> None:
    desk = Directed(
        [spec(always(0.5), "SPY", name="one"), spec(always(0.5), "SPY", name="two")],
        own={"two": WeekdayFilter(blocked_days=("Monday",))},
    )
    desk.closes(100.0)
    assert [name for name, _, _ in desk.opened] == ["one"]
    assert [(event.strategy, event.filter) for event in desk.of(IntentTrimmed)] == [("two", "own")]


def test_a_chain_that_lets_everything_pass_changes_nothing() -> None:
    def lived(*filters: Filter) -> list[Bar | OrderFilled]:
        specs = [spec(by_minute({1: 1.0, 3: 0.0}), "SPY", name="one"), spec(always(0.5), "SPY", "QQQ", name="two")]
        desk = Directed(specs, *filters) if filters else Rehearsal(*specs)
        for minute in range(1, 6):
            desk.minute(bar("SPY", minute, close=100.0 + minute), bar("QQQ", minute))
        return list(desk.fills)

    assert lived(NilFilter()) == lived()


class Patience(Filter):
    """Lets strategies leave from a minute on."""

    since: int = 3
    judges_exits = True

    def apply(self, intent: OrderIntent, view: PortfolioView) -> Cut | None:
        is_early = intent.reduces and view.ts < T0 + self.since * MINUTE
        return Cut(0.0, f"minute {self.since}", "earlier") if is_early else None


def test_a_filter_that_asks_for_it_holds_an_exit_back_until_it_lets_it_pass() -> None:
    desk = Directed([spec(by_minute({1: 0.5, 2: 0.0}))], Patience())
    for minute in range(1, 5):
        desk.minute(bar(minute=minute, close=100))
        if desk.of(IntentTrimmed) and len(desk.fills) == 1:  # wanted still, also by who goes on from these books
            assert Ledger.fold(desk.events).books["one"].targets["SPY"].fraction == 0
    assert [event.kept for event in desk.of(IntentTrimmed)] == [0]
    assert [(fill.side, fill.ts) for fill in desk.fills] == [("buy", T0 + MINUTE), ("sell", T0 + 3 * MINUTE)]


def test_a_stop_passes_the_filter_that_holds_exits_back() -> None:
    desk = Directed([spec(by_minute({1: 0.5}), stop_loss="0.01")], Patience(since=30))
    for minute, close in enumerate((100, 100, 90, 90), 1):
        desk.minute(bar(minute=minute, close=close))
    assert [fill.reason for fill in desk.fills] == ["signal", "stop_loss"]
    assert not desk.of(IntentTrimmed)
