"""Books and account beside each other: one reading says nothing, three that agree lock a symbol or set it free."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from structlog.testing import capture_logs

from tests.access.alpaca.desks import booked
from trader.access.alpaca.comparing import APART, DRIFTED, Comparison, Reading
from trader.access.alpaca.outside import BEYOND
from trader.books.ledger import Ledger
from trader.model.events import BooksCreated, ExternalFilled, ExternalReversed, SymbolLocked
from trader.model.inputs import Mismatched, Settled
from trader.model.money import ZERO
from trader.model.orders import Side
from trader.model.time import SECOND


class Compared:
    """A comparison with books that hold two of SPY and a hundred dollars, and do as they are told."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.ledger.apply(BooksCreated(0, "b", "PA1", Decimal(100), {"SPY": Decimal(2)}))
        self.comparison = Comparison(self.ledger)
        self.now = SECOND

    def read(
        self, spy: str = "2", *, cash: str = "100", apart: int = APART, executed_at: int = 0, **more: Any
    ) -> list[Mismatched | Settled]:
        self.now += apart
        positions: Mapping[str, Decimal] = {"SPY": Decimal(spy)} if Decimal(spy) else {}
        told = self.comparison.take(
            Reading(self.now, "PA1", Decimal(cash), positions),
            **{"moving": (), "executed_at": {"SPY": executed_at}, "explained": {"fees": Decimal(-1)}, **more},
        )
        for message in told:
            event = booked(message)
            assert event is not None
            self.ledger.apply(event)
        return told


def test_an_account_that_is_as_the_books_say_is_settled_at_once() -> None:
    one = Compared()
    assert one.comparison.last is None
    assert one.read() == []
    assert one.comparison.is_settled


def test_three_readings_that_agree_lock_a_symbol_and_three_set_it_free() -> None:
    one = Compared()
    assert [one.read("3"), one.read("3")] == [[], []]
    assert one.comparison.residual == ZERO
    assert one.read("3") == [Mismatched(one.now, "SPY", Decimal(3), Decimal(2), DRIFTED)]
    assert one.comparison.is_settled, "what there is to say is said"
    assert one.read("3") == []
    assert [one.read(), one.read()] == [[], []]
    assert one.read() == [Settled(one.now, "SPY", "reconciliation")]
    assert one.read() == []


def test_a_reading_that_says_nothing_is_held_is_no_flat_account() -> None:
    one = Compared()
    assert [one.read(spy) for spy in ("0", "2", "0", "2")] == [[], [], [], []]
    assert one.ledger.account.locks == {}


def test_readings_at_nearly_one_instant_are_one() -> None:
    one = Compared()
    assert [one.read("3", apart=apart) for apart in (APART, 1, 1, 1, APART)] == [[]] * 5
    assert len(one.read("3")) == 1


def test_another_difference_begins_anew() -> None:
    one = Compared()
    assert [one.read(spy) for spy in ("3", "3", "4", "4")] == [[], [], [], []]
    assert len(one.read("4")) == 1
    assert [len(one.read("5")) for _ in range(3)] == [0, 0, 1], "a lock's figures are those of now"
    assert one.ledger.account.locks["SPY"].held == Decimal(5)


def test_while_something_moves_nothing_is_compared() -> None:
    one = Compared()
    one.read("3")
    one.read("3")
    assert one.read("3", moving=("SPY",)) == []
    assert [one.read("3"), one.read("3")] == [[], []]
    assert one.read("3", executed_at=one.now) == [], "executed since the reading before"
    assert [len(one.read("3")) for _ in range(3)] == [0, 0, 1]


def test_a_lock_for_another_reason_is_left_to_a_person() -> None:
    one = Compared()
    one.ledger.apply(SymbolLocked(1, "SPY", Decimal(2), Decimal(2), "order x: another order has its id"))
    assert [one.read() for _ in range(5)] == [[]] * 5
    assert one.comparison.is_settled
    assert not one.comparison.is_waited_for
    assert "SPY" in one.ledger.account.locks


def test_what_exceeded_an_order_locks_until_none_of_it_stands_and_three_readings_agree() -> None:
    one = Compared()
    for name in ("x@14+over", "y@2+over"):
        one.ledger.apply(ExternalFilled(1, "SPY", Side.BUY, Decimal(1), Decimal(1), ZERO, "USD", "v", name))
    one.ledger.apply(SymbolLocked(1, "SPY", Decimal(3), Decimal(2), f"order x: {BEYOND}"))
    assert [one.read("4") for _ in range(5)] == [[]] * 5, "nobody knows what else is wrong there"
    one.ledger.apply(ExternalReversed(2, "x@14+over", Decimal(1), Decimal(1)))
    assert [one.read("3") for _ in range(5)] == [[]] * 5
    one.ledger.apply(ExternalReversed(3, "y@2+over", Decimal(1), Decimal(1)))
    assert one.read(executed_at=one.now) == []
    assert one.comparison.is_waited_for
    assert [one.read(), one.read()] == [[], []]
    assert one.read() == [Settled(one.now, "SPY", "reconciliation")]


def test_where_what_exceeded_an_order_is_gone_and_readings_differ_the_lock_is_theirs() -> None:
    one = Compared()
    one.ledger.apply(SymbolLocked(1, "SPY", Decimal(4), Decimal(2), f"order x: {BEYOND}"))
    assert [one.read("3"), one.read("3")] == [[], []]
    assert one.read("3") == [Mismatched(one.now, "SPY", Decimal(3), Decimal(2), DRIFTED)]


def test_cash_that_differs_is_told_in_the_log_with_what_is_known_of_it_and_locks_nothing() -> None:
    one = Compared()
    with capture_logs() as lines:
        assert [one.read(cash="99.5") for _ in range(5)] == [[]] * 5
    (line,) = lines
    assert (line["event"], line["residual"], line["known"]) == ("cash.compared", "-0.5", {"fees": "-1"})
    assert one.comparison.residual == Decimal("-0.5")
    for _ in range(3):
        one.read()
    assert one.comparison.residual == ZERO


def test_cash_is_not_compared_while_something_is_executed() -> None:
    one = Compared()
    for _ in range(5):
        one.read(cash="99.5", executed_at=one.now)
    assert one.comparison.residual == ZERO
    one.ledger.apply(ExternalFilled(1, "SPY", Side.BUY, Decimal(1), Decimal("0.5"), ZERO, "USD", "v", "x"))
    for _ in range(3):
        one.read("3", cash="99.5")
    assert one.comparison.residual == ZERO
