"""Conduct on a whole desk: what is refused for it, what ends that, and what two people let pass once."""

from decimal import Decimal
from typing import Any

from tests.build import T0, by_minute, spec
from tests.engine.rooms import Watched
from trader.books.ledger import Ledger
from trader.model.events import OrderCreated, OrderDenied, OverrideGranted, OverrideProposed, OverrideUsed, StateSet
from trader.model.inputs import Control, OverrideAgreed, OverrideAsked
from trader.model.orders import Side
from trader.model.time import DAY, MINUTE
from trader.risk.bounds import Bound
from trader.risk.conduct import ConductLimits, ConductOfAccount, ConductOfOne
from trader.risk.rules import Rules

IN_AND_OUT = {minute: float(minute % 2) for minute in range(1, 20)}  # in at odd minutes, out at even ones


def flipping(**limits: Any) -> Watched:
    """Return a desk whose one strategy goes in and out of SPY every minute, held to ``limits``."""
    rules = Rules(conduct=ConductLimits(strategies={"one": ConductOfOne(**limits)}))
    return Watched(rules, spec(by_minute(IN_AND_OUT)))


def ask(desk: Watched, *, qty: str = "100", by: str = "alice (pid 1)", rule: str = "cooldown") -> None:
    now = desk.engine.desk.now
    desk.take(OverrideAsked(now, "one", "SPY", Side.BUY, Decimal(qty), rule, "a test", now + 30 * MINUTE, by))


def agree(desk: Watched, number: int = 1, by: str = "bob (pid 2)") -> None:
    desk.take(OverrideAgreed(desk.engine.desk.now, number, by))


def test_a_flip_flop_is_refused_after_its_repeats_until_a_person_resumes_it() -> None:
    desk = flipping(max_repeats=Bound(2))
    desk.closes(*[100.0] * 8)
    assert [one.denied.rule for one in desk.of(OrderDenied)] == ["max_repeats", "max_repeats"]
    desk.take(Control(T0 + 9 * MINUTE, "resume", "one", "ann", "looked at it"))
    assert len(desk.of(StateSet)) == 1
    desk.closes(100.0, 100.0, start=9)
    assert len(desk.of(OrderDenied)) == 2
    assert len(desk.of(OrderCreated)) == 6


def test_to_resume_what_waits_for_nobody_changes_nothing() -> None:
    desk = flipping()
    desk.closes(100.0, 100.0)
    desk.take(Control(T0 + 9 * MINUTE, "resume", "one", "ann", ""))
    assert desk.of(StateSet) == []


def test_counters_and_refusals_go_on_after_a_restart() -> None:
    desk = flipping(max_repeats=Bound(2))
    desk.closes(*[100.0] * 6)
    ledger = Ledger.fold(desk.events)
    assert ledger.conduct == desk.engine.desk.ledger.conduct
    assert ledger.conduct.strategies["one"].is_spent


def test_what_a_strategy_sent_on_its_last_day_is_not_the_accounts_for_ever_after_it_was_taken_out() -> None:
    rules = Rules(conduct=ConductLimits(ConductOfAccount(max_daily_orders=Bound(4))))
    old = Watched(rules, spec(by_minute(IN_AND_OUT)))
    old.closes(*[100.0] * 5)
    assert old.engine.desk.ledger.conduct.account.orders == 4
    new = Watched(
        rules, spec(by_minute({7: 1.0, DAY // MINUTE + 1: 1.0}), name="two"), books=old.events, at=old.engine.desk.now
    )
    new.closes(100.0, start=7)
    assert [one.denied.rule for one in new.of(OrderDenied)] == ["max_daily_orders"]
    new.closes(100.0, start=DAY // MINUTE + 1)
    assert len(new.of(OrderCreated)) == 1


def test_one_order_passes_when_a_second_person_agrees_and_the_next_is_refused_again() -> None:
    desk = flipping(cooldown=Bound(600))
    desk.closes(*[100.0] * 3)
    assert [one.denied.rule for one in desk.of(OrderDenied)] == ["cooldown"]
    ask(desk)
    desk.closes(100.0, 100.0, start=4)
    assert len(desk.of(OrderDenied)) == 2
    agree(desk)
    desk.closes(*[100.0] * 4, start=6)
    (used,) = desk.of(OverrideUsed)
    created = desk.events[desk.events.index(used) + 1]
    assert isinstance(created, OrderCreated)
    assert (used.number, used.rule, used.order_id) == (1, "cooldown", created.approved.order_id)
    assert len(desk.of(OrderDenied)) == 3
    assert desk.engine.desk.ledger.conduct.overrides == {}
    assert Ledger.fold(desk.events).digest() == desk.engine.desk.ledger.digest()


def test_nobody_agrees_with_himself_and_nothing_is_granted_twice() -> None:
    desk = flipping(cooldown=Bound(600))
    ask(desk)
    agree(desk, by="alice (pid 7)")
    agree(desk, number=5)
    assert desk.of(OverrideGranted) == []
    agree(desk)
    agree(desk, by="carol (pid 3)")
    assert [one.override.approved_by for one in desk.of(OverrideGranted)] == ["bob (pid 2)"]


def test_what_may_never_be_overridden_is_not_even_proposed() -> None:
    desk = flipping()
    ask(desk, rule="max_gross")
    ask(desk, qty="0")
    assert desk.of(OverrideProposed) == []


def test_an_exception_that_another_rule_makes_useless_is_not_used_up() -> None:
    desk = flipping(cooldown=Bound(600), max_repeats=Bound(1))
    desk.closes(100.0, 100.0)
    ask(desk)
    agree(desk)
    desk.closes(100.0, start=3)
    assert [one.denied.rule for one in desk.of(OrderDenied)] == ["max_repeats"]
    assert desk.of(OverrideUsed) == []
    assert list(desk.engine.desk.ledger.conduct.overrides) == [1]
