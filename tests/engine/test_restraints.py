"""Operators' words: halt, pause, resume, flatten, for one strategy or the whole desk; they outlive the process."""

from typing import Any

import pytest

from tests.build import T0, Rehearsal, Scripted, always, bar, by_minute, spec
from tests.engine.test_traffic import made, quiet
from trader.books.ledger import Ledger
from trader.engine.engine import Engine
from trader.engine.summary import summarize
from trader.model.events import OrderCreated, OrderDenied, OrderMoved, SandboxWarmed, StateSet
from trader.model.inputs import Control, Held, Opened, Ticks
from trader.model.orders import OrderStatus, Reason, TradingState
from trader.model.signals import Target
from trader.model.ticks import Bar
from trader.model.time import DAY, MINUTE


def say(desk: Rehearsal, action: Any, strategy: str = "", minute: int = 2) -> None:
    desk.take(Control(T0 + minute * MINUTE, action, strategy, "ann", "because"))


def states(desk: Rehearsal) -> list[str]:
    return [sandbox.state for sandbox in desk.engine.sandboxes]


def two(first: dict[int, float], second: dict[int, float] | None = None, **parts: Any) -> list[Any]:
    other = spec(by_minute(first if second is None else second), "QQQ", name="two", **parts)
    return [spec(by_minute(first), name="one", **parts), other]


def both(desk: Rehearsal, *minutes: int) -> None:
    for minute in minutes:
        desk.minute(bar("SPY", minute), bar("QQQ", minute))


def test_a_halted_strategy_opens_nothing_what_would_have_opened_is_canceled_and_exits_pass() -> None:
    desk, told = quiet(spec(by_minute({1: 0.5, 3: 0.5}), "SPY", "QQQ"))
    desk.minute(bar("SPY", 1), bar("QQQ", 1))
    told(0, OrderStatus.FILLED, 50)
    say(desk, "halt", "one")
    assert [event.status for event in desk.of(OrderMoved)] == [OrderStatus.PENDING_CANCEL]
    assert desk.of(StateSet) == [StateSet(T0 + 2 * MINUTE, "one", TradingState.HALTED, "ann", "because")]
    told(1, OrderStatus.CANCELED)
    desk.minute(bar("SPY", 3), bar("QQQ", 3))
    assert [event.denied.rule for event in desk.of(OrderDenied)] == ["halted"]
    assert states(desk) == ["halted"]


def test_a_halted_strategys_signal_to_leave_and_its_stop_pass() -> None:
    desk = Rehearsal(*two({1: 0.5, 3: 0.0}, {1: 0.5}, stop_loss="0.05"))
    both(desk, 1, 2)
    say(desk, "halt")
    both(desk, 3)
    desk.minute(bar("SPY", 4), bar("QQQ", 4, close=94))
    both(desk, 5)
    assert [fill.reason for fill in desk.fills if not fill.opened] == [Reason.SIGNAL, Reason.STOP_LOSS]


def test_a_pause_lets_what_is_on_its_way_arrive() -> None:
    desk = Rehearsal(*two({1: 0.5, 3: 0.5}, {3: 0.5}))
    both(desk, 1)
    say(desk, "pause", minute=1)
    both(desk, 2, 3, 4)
    assert [fill.strategy for fill in desk.fills] == ["one"]
    assert [event.denied.rule for event in desk.of(OrderDenied)] == ["paused"]
    assert states(desk) == ["paused", "paused"]


def test_a_halt_in_the_middle_of_a_turn_leaves_it_flat() -> None:
    desk, told = quiet(spec(by_minute({1: 0.5, 2: -0.5}), allow_short=True))
    desk.closes(100)
    told(0, OrderStatus.FILLED, 50)
    desk.closes(100, start=2)
    say(desk, "halt")
    say(desk, "resume")
    told(1, OrderStatus.FILLED, 50)
    desk.closes(100, start=3)
    assert made(desk) == ["one", "one"]


def test_one_strategy_is_stopped_and_its_sibling_is_not() -> None:
    desk = Rehearsal(*two({2: 0.5}))
    say(desk, "halt", "one", minute=1)
    both(desk, 1, 2, 3)
    assert [fill.strategy for fill in desk.fills] == ["two"]


def test_flatten_leaves_everything_and_opens_nothing() -> None:
    desk = Rehearsal(*two({1: 0.5, 4: 0.5}))
    both(desk, 1, 2)
    say(desk, "flatten")
    both(desk, 3, 4, 5)
    assert [fill.reason for fill in desk.fills if not fill.opened] == [Reason.FLATTENED, Reason.FLATTENED]
    assert desk.engine.desk.ledger.holdings() == {}
    assert desk.of(StateSet)[0].flatten
    assert states(desk) == ["paused", "paused"]


def test_flatten_passes_whatever_holds_entries_back_and_reaches_entries_on_their_way() -> None:
    desk, told = quiet(spec(by_minute({1: 0.5})), spec(by_minute({1: 0.5}), "QQQ", name="two"))
    both(desk, 1)
    told(0, OrderStatus.FILLED, 50)
    desk.take(Held(T0 + MINUTE, "order stream", (), "down"))
    say(desk, "flatten")
    assert made(desk) == ["one", "two", "one"]
    told(1, OrderStatus.PARTIALLY_FILLED, 5)
    told(1, OrderStatus.CANCELED)
    assert made(desk) == ["one", "two", "one", "two"]


def test_opposite_positions_flatten_against_each_other() -> None:
    desk, _ = quiet(spec(by_minute({1: 0.5}), name="bull"), spec(by_minute({1: -0.5}), name="bear", allow_short=True))
    desk.closes(100)
    say(desk, "flatten")
    assert desk.engine.desk.ledger.holdings() == {}
    assert {fill.execution_id[:2] for fill in desk.fills} == {"x:"}
    assert [book.position("SPY").qty for book in desk.engine.desk.ledger.books.values()] == [0, 0]


def test_only_resume_makes_a_state_looser_and_the_desks_word_leaves_each_strategys_own() -> None:
    desk = Rehearsal(*two({}))
    both(desk, 1)
    say(desk, "halt", "one")
    say(desk, "pause", "one")
    say(desk, "halt")
    assert states(desk) == ["halted", "halted"]
    say(desk, "resume")
    assert states(desk) == ["halted", "active"]
    say(desk, "resume", "one")
    assert states(desk) == ["active", "active"]
    assert [(event.strategy, event.state.value) for event in desk.of(StateSet)] == [
        ("one", "halted"), ("", "halted"), ("", "active"), ("one", "active"),
    ]  # fmt: skip


def test_a_word_to_nobody_changes_nothing() -> None:
    desk = Rehearsal(spec(always(0.5)))
    say(desk, "halt", "somebody")
    assert desk.of(StateSet) == []


@pytest.mark.parametrize("strategy", ["", "one"])
def test_a_halt_outlives_the_process_and_the_day(strategy: str) -> None:
    desk = Rehearsal(spec(always(0.5)))
    desk.closes(100)
    say(desk, "halt", strategy)
    again = Rehearsal.__new__(Rehearsal)
    again.engine, again.venue, again.events = Engine([spec(always(0.5))], book_id="other"), desk.venue, []
    again.engine.desk.ledger.recover(desk.events)
    again.take(Opened(T0 + 3 * MINUTE))
    again.closes(100, 100, start=DAY // MINUTE)
    assert states(again) == ["halted"]
    assert not again.of(OrderCreated)
    assert Ledger.fold(desk.events + again.events).digest() == again.engine.desk.ledger.digest()
    say(again, "resume", strategy, DAY // MINUTE + 2)
    again.closes(100, start=DAY // MINUTE + 2)
    assert len(again.of(OrderCreated)) == 1


class TestResumingWhatFailed:
    def failing(self) -> Rehearsal:
        def say_it(one: Bar) -> Target:
            if (one.ts - T0) // MINUTE == 2:
                raise ValueError("once")
            return Target(one.symbol, 0.5)

        strategy = Scripted(say_it)
        desk = Rehearsal(spec(strategy, min_warmup_bars=3, flatten_on_error=False), spec(always(0.0), name="two"))
        desk.learn(bar(minute=-1), bar(minute=0))
        desk.closes(100, 100, 100)
        return desk

    def test_it_warms_up_anew_before_it_decides(self) -> None:
        desk = self.failing()
        assert states(desk)[0] == "halted"
        orders = len(desk.of(OrderCreated))
        say(desk, "flatten", "one", 3)
        desk.closes(100, start=4)
        say(desk, "resume", "one", 4)
        assert states(desk)[0] == "warming"
        desk.closes(100, 100, start=5)
        assert len(desk.of(OrderCreated)) == orders + 1  # what flatten sold
        desk.closes(100, start=7)
        assert len(desk.of(OrderCreated)) == orders + 2
        assert len([event for event in desk.of(SandboxWarmed) if event.strategy == "one"]) == 2
        assert states(desk)[0] == "active"

    def test_a_word_to_the_whole_desk_does_not_resume_it(self) -> None:
        desk = self.failing()
        say(desk, "resume", "", 3)
        assert states(desk)[0] == "halted"


def test_a_strategy_that_warms_up_while_it_is_halted_may_trade_once_it_is_resumed() -> None:
    desk = Rehearsal(spec(always(0.5), min_warmup_bars=2))
    say(desk, "halt", "one", 0)
    desk.closes(100, 100)
    assert not desk.of(SandboxWarmed)
    say(desk, "resume", "one", 2)
    desk.closes(100, start=3)
    assert len(desk.of(OrderCreated)) == 1
    assert summarize(desk.engine, "SIM").strategies[0].state == "active"


def test_an_entry_that_a_halt_called_off_is_not_brought_back_by_a_restart() -> None:
    desk = Rehearsal(spec(by_minute({1: 0.5})))
    desk.take(Held(T0, "order stream", (), "not confirmed"))
    desk.minute(bar(minute=1))
    say(desk, "halt", minute=1)
    say(desk, "resume", minute=1)
    again = Engine([spec(by_minute({}))], book_id="other")
    again.desk.ledger.recover(desk.events)
    again.handle(Opened(T0 + 2 * MINUTE))
    assert not again.handle(Ticks(T0 + 3 * MINUTE, [bar(minute=3)])).commands
