"""How a strategy stands and what it decided: out of the journal, out of memory, bounded either way."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from tests.build import T0, Rehearsal, always, bar, by_minute, spec
from tests.live.controlled import controlled
from trader.engine.engine import Engine
from trader.live import why
from trader.live.control_messages import AskWhy
from trader.live.decisions import Link, Topic
from trader.live.desk_view import DeskView
from trader.live.recorder import NoJournal
from trader.live.why import Memory, WhySearch, standing, standing_of, topic_of
from trader.model.events import Event, FlagRaised, OrderDenied, SandboxWarmed, StateSet, SymbolLocked
from trader.model.inputs import Control, Held
from trader.model.orders import Denied, OrderIntent, Reason, Side, TradingState
from trader.model.time import MINUTE, iso
from trader.risk.limits import GroupLimits
from trader.risk.rules import Rules
from trader.store.journal import Journal
from trader.store.sqlite import open_journal

ONE = Topic("one")


def denied(number: int, strategy: str = "one", rule: str = "") -> OrderDenied:
    """Return a refusal by a rule of its own, so that no two are told as one."""
    ts = T0 + number * MINUTE
    intent = OrderIntent(strategy, "SPY", Side.BUY, Decimal(1), Decimal(1), False, Reason.SIGNAL, ts)
    return OrderDenied(ts, Denied(intent, rule or f"rule {number}", "1", "2"))


def journal_of(path: Path, *steps: Sequence[Event]) -> Journal:
    journal = open_journal(path)
    list(journal.recover())
    journal.write(steps)
    return journal


def searched(journal: Journal, limit: int, topic: Topic = ONE) -> WhySearch:
    search = WhySearch(topic, limit)
    try:
        while not search.is_done:
            search.step(journal)
    finally:
        journal.close()
    return search


def rules_of(search: WhySearch) -> list[str]:
    return [decision.links[0].rule for decision in search.found]


@pytest.mark.parametrize("window", [1, 2, 3, 1000])
def test_the_newest_are_found_whatever_else_lies_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(why, "WINDOW", window)
    quiet: list[Event] = [StateSet(T0, "two", TradingState.PAUSED, "ann", "")]
    steps: list[list[Event]] = [[denied(number)] for number in range(6)]
    search = searched(journal_of(tmp_path / "j", *steps[:3], quiet, [denied(9, "two")], quiet, *steps[3:]), 4)
    assert rules_of(search)[-4:] == ["rule 2", "rule 3", "rule 4", "rule 5"]
    assert not search.is_cut


def test_a_search_to_the_beginning_of_the_journal_is_whole(tmp_path: Path) -> None:
    search = searched(journal_of(tmp_path / "j", [denied(1)]), 10)
    assert (rules_of(search), search.is_cut) == (["rule 1"], False)


def test_one_answer_is_bounded_work_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(why, "WINDOW", 2)
    monkeypatch.setattr(why, "MOST_WINDOWS", 2)
    search = searched(journal_of(tmp_path / "j", [denied(0)], *([denied(n, "two")] for n in range(9))), 5)
    assert (rules_of(search), search.is_cut) == ([], True)


def test_many_events_of_one_refusal_do_not_make_an_answer_endless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(why, "WINDOW", 10)
    monkeypatch.setattr(why, "MOST_EVENTS", 50)
    search = searched(journal_of(tmp_path / "j", *([denied(number, rule="same")] for number in range(200))), 5)
    assert (len(search.found), search.found[0].times, search.is_cut) == (1, 50, True)


def test_memory_keeps_the_newest_of_each_strategy_and_what_befell_all_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(why, "KEPT", 6)
    monkeypatch.setattr(why, "KEPT_AT_LEAST", 3)
    memory = Memory(2)
    halt = StateSet(T0, "", TradingState.HALTED, "ann", "")
    memory.note([denied(number, "two") for number in range(9)])
    memory.note([denied(1), halt, denied(2), SandboxWarmed(T0, "one"), denied(3)])
    assert [one.outcome for one in memory.decisions(ONE)] == ["halted", "denied by rule 2", "warm", "denied by rule 3"]
    assert len(memory.decisions(Topic("two"))) == 4
    assert memory.decisions(Topic("three")) == memory.decisions(Topic("four")) != []


def test_a_running_strategy_is_told_with_its_symbols_and_what_restrains_it() -> None:
    desk = Rehearsal(spec(always(0.5), "SPY", "QQQ", max_daily_loss="100"), spec(always(0.1), name="two"))
    desk.minute(bar("SPY", 1), bar("QQQ", 1, close=50.0))
    desk.minute(bar("SPY", 2), bar("QQQ", 2, close=50.0))
    desk.take(Held(T0, "order stream", ("QQQ",), "it is lost"))
    desk.take(Control(T0, "pause", "one", "ann"))
    ledger = desk.engine.desk.ledger
    for flag in ("account", "strategy two"):
        ledger.apply(FlagRaised(T0, flag, "drawdown", "hard", "reduce_only", "0.1", "0.12"))
    ledger.apply(SymbolLocked(T0, "SPY", Decimal(1), Decimal(2), "differs"))
    found = standing(desk.engine, ONE)
    assert (found.strategy, found.state) == ("one", "paused")
    assert found.restraints == [
        Link(
            iso(T0), "flag", rule="drawdown", limit="0.1", value="0.12", scope="account", text="hard, reduce_only",
        ),
        Link("", "paused", scope="strategy one"),
        Link(iso(T0), "locked", scope="symbol SPY", text="differs"),
    ]  # fmt: skip
    spy, qqq = found.symbols
    assert (spy.symbol, spy.held, spy.target, spy.mark, spy.waits) == ("SPY", "50", "0.5", "100", "")
    assert qqq.waits == "order stream: it is lost"
    assert standing_of(ledger, Topic("two")).restraints[0].scope == "account"


def test_what_warms_up_says_how_far_it_is_and_an_order_under_way_is_named() -> None:
    desk = Rehearsal(spec(always(0.5), min_warmup_bars=3), spec(always(0.5), name="two"))
    desk.closes(100.0)
    assert [one.waits for one in standing(desk.engine, ONE).symbols] == ["it has 1 of the 3 bars that it needs first"]
    (two,) = standing(desk.engine, Topic("two", "SPY")).symbols
    assert two.order.endswith(" open")


def test_the_flags_of_the_strategys_own_groups_and_symbols_are_its() -> None:
    rules = Rules(groups={"etf": GroupLimits(("one", "two")), "coins": GroupLimits(("two",))})
    engine = Engine([spec(always(0.5)), spec(always(0.5), "QQQ", name="two")], book_id="t", rules=rules)
    topic = topic_of(AskWhy("one"), engine)
    assert topic == Topic("one", "", frozenset({"etf"}), frozenset({"SPY"}))
    scopes = ("account", "strategy one", "strategy two", "group etf", "group coins", "symbol SPY", "symbol QQQ")
    flags = [FlagRaised(T0, scope, "max_gross", "hard", "alert", "1", "2") for scope in scopes]
    assert [flag.scope for flag in flags if topic.covers(flag)] == [
        "account", "strategy one", "group etf", "symbol SPY",
    ]  # fmt: skip
    assert topic_of(AskWhy("one", "SPY")) == Topic("one", "SPY")


async def test_a_desk_with_a_journal_tells_what_was_before_it_began(tmp_path: Path) -> None:
    async with controlled(tmp_path, spec(by_minute({1: 1.0, 2: 0.0}), name="Momentum")) as desk:
        desk.closes(100, 101, 102)
        found = await desk.view.why(AskWhy("Momentum", "SPY", 2))
    assert [(one.outcome, one.price) for one in found.decisions] == [("filled", "100"), ("filled", "101")]
    assert (found.state, found.symbols[0].mark, found.is_cut) == ("active", "102", False)


async def test_a_run_without_a_journal_tells_what_it_remembers() -> None:
    desk = Rehearsal(spec(by_minute({1: 1.0, 2: 0.0}), name="Momentum"))
    view = DeskView(
        desk.engine, mode="SIM", now=lambda: T0, account=lambda: None, journal=None, on_journal=NoJournal().on_journal
    )
    desk.closes(100, 101, 102)
    view.note(desk.events)
    found = await view.why(AskWhy("Momentum", "SPY"))
    assert [one.outcome for one in found.decisions] == ["warm", "filled", "filled"]
    assert view.symbols_of("Momentum") == {"SPY": desk.engine.sandboxes[0].slots["SPY"]}
