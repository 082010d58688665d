"""Executions of one order: told by several, booked once."""

from decimal import Decimal
from typing import Any

from trader.access.alpaca.executions import Booked, Executions, Told
from trader.books.positions import Execution


def told(venue_id: str, cumulative: int, qty: int, price: int = 100, **more: Any) -> Told:
    return Told(venue_id, Decimal(cumulative), Decimal(qty), Decimal(price), 1, **more)


def book(executions: Executions, one: Told) -> Booked:
    booked = executions.take(one)
    assert booked is not None
    return booked


def recover(executions: Executions, rows: list[Told]) -> list[Booked]:
    undone, new = executions.recover(rows)
    assert undone == []
    return new


def test_an_execution_is_named_by_its_id_and_the_cumulative_quantity() -> None:
    executions = Executions("t-1")
    assert book(executions, told("a", 3, 3)).name == "a@3"
    assert [one.name for one in recover(executions, [told("a", 3, 3), told("", 4, 1)])] == ["t-1@4"]


def test_books_that_were_written_down_tell_what_they_know() -> None:
    executions = Executions("t-1")
    for name in ("a@3", "t-1@5", "b@5~1"):
        executions.restore(name, Execution(Decimal(2), Decimal(100), Decimal(0), "USD", 1))
    executions.restore("gone@9", None)
    assert [executions.knows(name) for name in ("a", "b", "gone", "t-1")] == [True, True, True, False]
    assert (executions.net, executions.gross) == (Decimal(6), Decimal(6))
    assert executions.take(told("", 5, 2)) is None
    assert book(executions, told("c", 8, 2)).name == "c@8"


def test_a_second_telling_is_known_by_id_and_by_place() -> None:
    executions = Executions("t-1")
    book(executions, told("a", 3, 3))
    assert executions.take(told("a", 3, 3)) is None
    assert executions.take(told("", 3, 3)) is None
    assert executions.take(told("b", 3, 3)) is None
    assert executions.gross == Decimal(3)


def test_what_comes_in_another_order_is_booked_as_it_comes() -> None:
    executions = Executions("t-1")
    assert book(executions, told("b", 7, 4)).name == "b@7"
    assert not executions.is_explained
    assert book(executions, told("a", 3, 3)).name == "a@3"
    assert executions.is_explained


def test_an_order_shown_as_it_stood_later_hides_no_execution() -> None:
    executions = Executions("t-1")
    book(executions, told("a", 7, 3))
    assert book(executions, told("b", 7, 4)).name == "b@7"
    assert executions.is_explained


def test_where_nobody_can_tell_the_activities_decide() -> None:
    executions = Executions("t-1")
    book(executions, told("a", 4, 3))
    assert executions.take(told("b", 4, 2)) is None
    assert not executions.is_explained
    assert [one.name for one in recover(executions, [told("a", 3, 3), told("c", 4, 1)])] == ["c@4"]
    assert executions.is_explained


def test_equal_executions_shown_at_one_place_are_two_once_the_activities_say_so() -> None:
    executions = Executions("t-1")
    book(executions, told("a", 6, 3))
    assert executions.take(told("b", 6, 3)) is None
    assert not executions.is_explained
    (second,) = recover(executions, [told("a", 3, 3), told("b", 6, 3)])
    assert (second.qty, executions.net) == (Decimal(3), Decimal(6))
    assert executions.is_explained


def test_activities_that_come_late_explain_what_they_can_and_nothing_twice() -> None:
    executions = Executions("t-1")
    book(executions, told("b", 6, 3))
    assert recover(executions, [told("a", 3, 3)]) == [], "it may be the one that is booked"
    assert not executions.is_explained
    assert [one.name for one in recover(executions, [told("a", 3, 3), told("b", 6, 3)])] == ["a@3"]


def test_a_bust_finds_its_execution_by_name_or_by_its_figures() -> None:
    executions = Executions("t-1")
    first, second = book(executions, told("", 3, 3)), book(executions, told("b", 5, 2))
    assert executions.find(told("z", 5, 3, kind="trade_bust", undoes="b")) is second
    assert executions.find(told("z", 5, 2, kind="trade_bust", undoes="unheard")) is None, "that one has a name"
    assert executions.find(told("z", 5, 3, kind="trade_bust", undoes="unheard")) is first
    assert executions.find(told("z", 5, 3, kind="trade_correct", undoes="unheard")) is None
    executions.undo(first)
    assert (executions.net, executions.gross) == (Decimal(2), Decimal(5))
    assert executions.is_explained


def test_corrections_are_versions_of_one_execution() -> None:
    executions = Executions("t-1")
    first = book(executions, told("a", 3, 3))
    executions.undo(first)
    second = executions.correct(told("c", 3, 3, 101, kind="trade_correct"), first)
    executions.undo(second)
    third = executions.correct(told("d", 3, 3, 102, kind="trade_correct"), second)
    assert (first.name, second.name, third.name) == ("a@3", "c@3", "d@3")
    assert (executions.net, executions.gross) == (Decimal(3), Decimal(3))


def test_a_correction_that_corrects_nothing_is_not_taken_for_what_it_corrected() -> None:
    executions = Executions("t-1")
    executions.restore("c@3", Execution(Decimal(3), Decimal(100), Decimal(0), "USD", 1))
    bust = told("bust", 3, 3, kind="trade_bust", undoes="a")
    correction = told("c", 3, 3, kind="trade_correct", undoes="a")
    assert executions.recover([told("a", 3, 3)], [bust, correction]) == ([], [])
    assert executions.net == Decimal(3)
