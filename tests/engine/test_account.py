"""A locked symbol: nothing opens, exits pass as far as the account surely holds, and all goes on once it is settled."""

from decimal import Decimal

from tests.build import T0, Rehearsal, bar, by_minute, spec
from tests.engine.test_traffic import box, made, quiet
from trader.model.events import OrderCreated, OrderDenied, SymbolLocked, SymbolUnlocked
from trader.model.inputs import Mismatched, Settled
from trader.model.orders import OrderStatus
from trader.model.time import MINUTE


def lock(desk: Rehearsal, held: int, *, symbol: str = "SPY", minute: int = 2) -> None:
    expected = desk.engine.desk.ledger.holdings().get(symbol, Decimal(0))
    desk.take(Mismatched(T0 + minute * MINUTE, symbol, Decimal(held), expected, "three readings agree"))


def test_nothing_opens_in_a_locked_symbol_and_the_rest_trades_on() -> None:
    desk = Rehearsal(spec(by_minute({2: 0.4}), "SPY", "QQQ"))
    lock(desk, 5, minute=1)
    desk.minute(bar("SPY", 2), bar("QQQ", 2))
    assert [event.approved.intent.symbol for event in desk.of(OrderCreated)] == ["QQQ"]
    assert desk.of(OrderDenied)[0].denied.value == "locked: the account has 5, the books say 0"


def test_an_exit_passes_as_far_as_the_account_surely_holds_and_the_rest_follows_once_it_is_settled() -> None:
    desk, told = quiet(spec(by_minute({1: 0.5, 3: 0.0})))
    desk.closes(100)
    told(0, OrderStatus.FILLED, 50)
    lock(desk, 20)
    desk.closes(100, 100, start=2)
    told(1, OrderStatus.FILLED, 20)
    desk.closes(100, start=4)
    desk.take(Settled(T0 + 5 * MINUTE, "SPY", "reconciliation"))
    assert [event.approved.intent.qty for event in desk.of(OrderCreated)] == [50, 20, 30]
    assert desk.of(SymbolUnlocked) == [SymbolUnlocked(T0 + 5 * MINUTE, "SPY", "reconciliation")]


def test_what_one_exit_is_selling_is_not_there_for_the_next() -> None:
    desk, told = quiet(box("one", {1: 0.5, 3: 0.0}), box("two", {1: 0.5, 3: 0.0}))
    desk.closes(100)
    told(0, OrderStatus.FILLED, 50)
    told(1, OrderStatus.FILLED, 50)
    lock(desk, 60)
    desk.closes(100, start=3)
    assert [event.approved.intent.qty for event in desk.of(OrderCreated)][2:] == [50, 10]


def test_an_account_that_holds_nothing_or_the_opposite_lets_no_exit_pass() -> None:
    for held in (0, -50):
        desk, told = quiet(spec(by_minute({1: 0.5, 3: 0.0})))
        desk.closes(100)
        told(0, OrderStatus.FILLED, 50)
        lock(desk, held)
        desk.closes(100, 100, start=3)
        assert made(desk) == ["one"]


def test_a_person_books_the_difference_to_external() -> None:
    desk = Rehearsal(spec(by_minute({4: 0.5})))
    desk.closes(100)
    lock(desk, 7)
    desk.take(Settled(T0 + 3 * MINUTE, "SPY", "ann", Decimal(7)))
    assert desk.engine.desk.ledger.account.external == {"SPY": Decimal(7)}
    desk.closes(100, 100, start=4)
    assert desk.book().position("SPY").qty == 50


def test_the_same_difference_is_told_once_and_a_new_one_again() -> None:
    desk = Rehearsal(spec(by_minute({})))
    desk.closes(100)
    lock(desk, 5)
    lock(desk, 5)
    lock(desk, 6)
    assert [event.held for event in desk.of(SymbolLocked)] == [5, 6]
    lock(desk, 1, symbol="TSLA")  # nobody here trades it
    desk.take(Settled(T0 + 3 * MINUTE, "TSLA", "reconciliation"))
    desk.take(Settled(T0 + 3 * MINUTE, "TSLA", "ann", Decimal(9)))  # it is not locked any more
    assert len(desk.of(SymbolUnlocked)) == 1
    assert desk.engine.desk.ledger.account.external == {}


def test_a_lock_without_a_difference_stays_until_a_person_has_looked() -> None:
    desk = Rehearsal(spec(by_minute({})))
    desk.closes(100)
    lock(desk, 0)  # an order that has an id of ours: no quantity says when that is well again
    lock(desk, 4)
    assert [(event.held, event.expected) for event in desk.of(SymbolLocked)] == [(0, 0)]


def test_a_recovered_desk_keeps_its_locks() -> None:
    desk = Rehearsal(spec(by_minute({})))
    lock(desk, 5)
    again = Rehearsal(spec(by_minute({1: 0.5})))
    again.engine.desk.ledger.account.locks.update(desk.engine.desk.ledger.account.locks)
    again.closes(100)
    assert made(again) == []
