"""Other hands' orders: their executions are told once, across restarts too, and so is what exceeds an order of ours."""

from decimal import Decimal
from typing import Any

from tests.access.alpaca.desks import booked
from trader.access.alpaca.executions import Booked, Fill, Told
from trader.access.alpaca.outside import EXCESS, Outside
from trader.access.fees import RegulatoryFees
from trader.books.ledger import Ledger
from trader.model.events import BooksCreated, ExternalFilled
from trader.model.orders import Side


class Account:
    """Books that take what is told of other hands."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.ledger.apply(BooksCreated(0, "b", "", Decimal(1000), {}))
        self.outside = Outside(RegulatoryFees())

    def restart(self) -> dict[str, ExternalFilled]:
        self.outside = Outside(RegulatoryFees())
        return self.outside.recall(self.ledger)

    def take(self, *rows: Told, side: str | None = "buy", symbol: str = "SPY") -> list[str]:
        for row in rows:
            self.outside.take("v-1", symbol, side, row, now=9)
        return self.told()

    def told(self) -> list[str]:
        names = []
        for message in self.outside.reports():
            event = booked(message)
            assert event is not None
            self.ledger.apply(event)
            report = message.report
            names.append(f"-{report.reverses}" if report.reverses else report.execution_id)
        return names

    @property
    def held(self) -> Decimal:
        return self.ledger.account.external.get("SPY", Decimal(0))


def told(venue_id: str, cumulative: int, qty: int, price: int = 10, **more: Any) -> Told:
    return Told(venue_id, Decimal(cumulative), Decimal(qty), Decimal(price), 5, **more)


BUST = told("z", 3, 3, kind="trade_bust", undoes="a")
CORRECTED = told("c", 3, 3, 11, kind="trade_correct", undoes="a")


def test_what_others_do_is_told_once_whoever_repeats_it() -> None:
    account = Account()
    assert account.take(told("a", 3, 3), told("a", 3, 3), told("b", 5, 2)) == ["a@3", "b@5"]
    account.restart()
    assert account.take(told("b", 5, 2), told("a", 3, 3)) == []
    assert (account.held, account.ledger.account.cash) == (Decimal(5), Decimal(950))


def test_what_was_taken_back_stays_so_across_restarts() -> None:
    account = Account()
    assert account.take(told("a", 3, 3), BUST, BUST) == ["a@3", "-a@3"]
    account.restart()
    assert account.take(told("a", 3, 3), BUST, told("b", 3, 3), told("a", 3, 3), BUST) == ["b@3"]
    assert account.held == Decimal(3)


def test_a_correction_that_a_crash_cut_off_from_its_reversal_is_told_by_the_next_life() -> None:
    account = Account()
    account.take(told("a", 3, 3), BUST)
    account.restart()
    assert account.take(told("a", 3, 3), CORRECTED) == ["c@3"]
    account.restart()
    assert account.take(CORRECTED) == []
    assert account.ledger.account.cash == Decimal(1000 - 33)


def test_activities_explain_each_other_before_they_are_told() -> None:
    account = Account()
    account.take(told("b", 3, 3))
    first = Fill("v-1", "SPY", "buy", told("a", 3, 3))
    account.outside.recover(first, [told("a", 3, 3), told("b", 3, 3)], [BUST], now=9)
    assert account.told() == []
    assert account.held == Decimal(3)


def test_what_exceeds_an_order_is_told_under_its_name_and_known_again() -> None:
    account = Account()
    over = Booked("x@14", told("x", 14, 14))
    over.qty_told = Decimal(10)
    assert account.outside.exceed("v-1", "SPY", Side.BUY, over, now=9)
    assert account.told() == [f"x@14{EXCESS}"]
    assert [(name, one.qty) for name, one in account.restart().items()] == [("x@14", Decimal(4))]
    assert not account.outside.exceed("v-1", "SPY", Side.BUY, over, now=9)
    assert account.outside.exceed("v-1", "SPY", Side.BUY, over, now=9, is_undone=True)
    assert account.told() == [f"-x@14{EXCESS}"]
    assert account.held == Decimal(0)


def test_an_order_without_a_side_and_one_that_was_ours_are_not_counted() -> None:
    account = Account()
    assert account.take(told("a", 3, 3), side=None) == []
    account.outside.meet("v-2", is_counted=False)
    account.outside.take("v-2", "SPY", "buy", told("a", 3, 3), now=9)
    assert account.told() == []
    assert account.outside.knows("v-2")


def test_a_coin_is_told_with_the_fee_that_is_taken_out_of_it() -> None:
    account = Account()
    account.take(told("a", 4, 4), symbol="BTC/USD")
    assert account.ledger.account.external == {"BTC/USD": Decimal("3.99")}
