"""The ledger: fills only, identities to the last digit, every report read once."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from trader.books.ledger import ENDED_ORDERS_KEPT, Ledger
from trader.books.positions import Execution, Position, effect_of
from trader.model.events import (
    BooksOpened,
    DayStarted,
    FillReversed,
    OrderCreated,
    OrderFilled,
    OrderMoved,
    ReportIgnored,
    SandboxOpened,
)
from trader.model.orders import Approved, ExecutionReport, OrderIntent, OrderStatus, Reason, Side


def opened(cash: str = "10000") -> Ledger:
    ledger = Ledger()
    ledger.apply(SandboxOpened(0, "one", Decimal(cash)))
    return ledger


def order(ledger: Ledger, order_id: str = "o1", side: Side = Side.BUY, qty: str = "10", price: str = "100") -> Approved:
    intent = OrderIntent("one", "SPY", side, Decimal(qty), Decimal(price), reduces=False, reason=Reason.SIGNAL, ts=0)
    approved = Approved(order_id, intent, Decimal(qty) * Decimal(price) * Decimal("1.02"))
    ledger.apply(OrderCreated(0, approved))
    return approved


def execution(
    order_id: str, number: int, qty: str, price: str = "100", *, last: bool = False, **fee: object
) -> ExecutionReport:
    status = OrderStatus.FILLED if last else OrderStatus.PARTIALLY_FILLED
    return ExecutionReport(
        order_id,
        status,
        1,
        f"x{number}",
        Decimal(qty),
        Decimal(price),
        Decimal(str(fee.get("fee", 0))),
        str(fee.get("asset", "USD")),
    )


def report(ledger: Ledger, what: ExecutionReport) -> OrderFilled | FillReversed | OrderMoved | ReportIgnored:
    event = ledger.read(1, what)
    ledger.apply(event)
    return event


def test_an_order_reserves_cash_and_books_nothing() -> None:
    ledger = opened()
    order(ledger)
    book = ledger.books["one"]
    assert (book.cash, book.reserved, book.free_cash) == (Decimal(10000), Decimal(1020), Decimal(8980))
    assert book.daily_trades == 1
    assert book.position("SPY").qty == 0


def test_partial_fills_release_their_share_of_the_reservation() -> None:
    ledger = opened()
    order(ledger)
    report(ledger, execution("o1", 1, "4"))
    assert ledger.books["one"].reserved == Decimal(612)
    report(ledger, execution("o1", 2, "6", last=True))
    assert ledger.books["one"].reserved == 0
    assert ledger.books["one"].cash == Decimal(9000)


def test_a_repeated_execution_is_ignored_by_its_id() -> None:
    ledger = opened()
    order(ledger)
    report(ledger, execution("o1", 1, "4"))
    again = report(ledger, execution("o1", 1, "4"))
    assert isinstance(again, ReportIgnored)
    assert again.why == "execution already booked"
    assert ledger.books["one"].position("SPY").qty == 4


def test_reports_about_unknown_orders_and_impossible_moves_are_ignored() -> None:
    ledger = opened()
    order(ledger)
    unknown = report(ledger, ExecutionReport("nope", OrderStatus.OPEN, 1))
    report(ledger, ExecutionReport("o1", OrderStatus.CANCELED, 1))
    after_the_end = report(ledger, ExecutionReport("o1", OrderStatus.OPEN, 1))
    assert isinstance(unknown, ReportIgnored)
    assert unknown.why == "unknown order"
    assert isinstance(after_the_end, ReportIgnored)
    assert after_the_end.why == "canceled to open"


def test_a_cancel_releases_the_whole_reservation() -> None:
    ledger = opened()
    order(ledger)
    report(ledger, ExecutionReport("o1", OrderStatus.CANCELED, 1))
    assert ledger.books["one"].free_cash == Decimal(10000)


def test_more_filled_than_ordered_stops_the_program() -> None:
    ledger = opened()
    order(ledger)
    with pytest.raises(AssertionError, match="order o1 of 10 filled 11"):
        report(ledger, execution("o1", 1, "11", last=True))


def test_a_fill_dearer_than_its_reservation_is_booked_truthfully() -> None:
    ledger = opened("1000")
    order(ledger, qty="9")
    report(ledger, execution("o1", 1, "9", price="150", last=True))
    assert ledger.books["one"].cash == Decimal(-350)
    assert ledger.books["one"].free_cash == Decimal(-350)


def test_a_crypto_buy_pays_its_fee_in_coins_and_books_it_as_a_loss() -> None:
    ledger = opened()
    order(ledger)
    event = report(ledger, execution("o1", 1, "10", last=True, fee="0.025", asset="BTC"))
    book = ledger.books["one"]
    assert book.position("SPY").qty == Decimal("9.975")
    assert book.position("SPY").avg_price == Decimal(100)
    assert isinstance(event, OrderFilled)
    assert event.realized == Decimal("-2.5")
    assert book.cash == Decimal(9000)


def test_closing_realises_the_difference_to_the_average_price_less_the_fee() -> None:
    ledger = opened()
    order(ledger)
    report(ledger, execution("o1", 1, "4", price="100"))
    report(ledger, execution("o1", 2, "6", price="110", last=True))
    order(ledger, "o2", Side.SELL, "5", "120")
    event = report(ledger, execution("o2", 3, "5", price="120", last=True, fee="1"))
    assert isinstance(event, OrderFilled)
    assert event.realized == Decimal(69)  # 5 x (120 - 106) - 1
    assert ledger.books["one"].position("SPY").avg_price == Decimal(106)


def test_a_fill_through_zero_closes_and_opens_the_other_side() -> None:
    effect = effect_of(
        Position(Decimal(4), Decimal(400)), Side.SELL, Execution(Decimal(10), Decimal(110), Decimal(0), "USD")
    )
    assert (effect.qty, effect.cost, effect.cash, effect.realized) == (
        Decimal(-10),
        Decimal(-1060),
        Decimal(1100),
        Decimal(40),
    )


def test_books_are_equal_whether_they_were_written_down_while_a_position_was_closed_or_not() -> None:
    ledger = opened()
    for number, side in enumerate((Side.BUY, Side.SELL)):
        order(ledger, f"o{number}", side, "1.500")
        report(ledger, execution(f"o{number}", number, "1.500", last=True))
    other = Ledger()
    other.recover([BooksOpened(0, ledger.snapshot())])
    for one in (ledger, other):
        order(one, "o3", qty="2")
        report(one, execution("o3", 3, "2", last=True))
    assert ledger.digest() == other.digest()


def test_only_so_many_ended_orders_are_remembered() -> None:
    ledger = opened()
    for number in range(ENDED_ORDERS_KEPT + 5):
        order(ledger, f"o{number}")
        report(ledger, ExecutionReport(f"o{number}", OrderStatus.CANCELED, 1))
    assert len(ledger.orders) == ENDED_ORDERS_KEPT
    assert "o4" not in ledger.orders


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Side),
            st.decimals("0.000000001", "1000000", places=9),
            st.decimals("0.00000001", "999999", places=8),
            st.decimals("0", "0.5", places=9),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_no_sequence_of_fills_creates_or_loses_money(fills: list[tuple[Side, Decimal, Decimal, Decimal, bool]]) -> None:
    ledger = opened()
    for number, (side, qty, price, fee_part, in_coin) in enumerate(fills):
        order(ledger, f"o{number}", side, str(qty), str(price))
        asset = "BTC" if in_coin and side is Side.BUY else "USD"
        fee = (qty * fee_part).quantize(Decimal("1e-9")) if asset == "BTC" else fee_part
        report(ledger, execution(f"o{number}", number, str(qty), str(price), last=True, fee=fee, asset=asset))
    book = ledger.books["one"]
    assert book.reserved == 0
    assert book.fills == len(fills)
    book.assert_identities()  # of the whole book; every fill asserts its own part


def test_a_fill_that_does_not_add_up_ends_the_desk() -> None:
    fill = effect_of(Position(), Side.BUY, Execution(Decimal(4), Decimal(100), Decimal(0), "USD"))
    book = opened().books["one"]
    with pytest.raises(AssertionError, match="one: cash and cost less realised were 10000 and are 10001"):
        book.book_fill(book.position("SPY"), msgspec.structs.replace(fill, cost=Decimal(401)))
    book = opened().books["one"]
    book.cash += 1
    with pytest.raises(AssertionError, match="one: cash 9601 differs from its flows 9600"):
        book.book_fill(book.position("SPY"), fill)


def test_a_position_that_changed_without_a_fill_is_found_when_a_day_starts_and_in_recovered_books() -> None:
    ledger = opened()
    order(ledger)
    report(ledger, execution("o1", 1, "4"))
    ledger.books["one"].position("QQQ").cost += 5
    written = BooksOpened(1, ledger.snapshot())
    for find in (lambda: ledger.apply(DayStarted(2, "one", Decimal(10000))), lambda: Ledger.fold([written])):
        with pytest.raises(AssertionError, match="one: cash and cost 10005 differ from opening and realised 10000"):
            find()


class LedgerMachine(RuleBasedStateMachine):
    """Orders and reports in any order, repeated, late and out of place."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = opened("1000000")
        self.number = 0
        self.sent: list[ExecutionReport] = []
        self.booked: dict[str, Decimal] = {}

    @rule(side=st.sampled_from(Side), qty=st.integers(1, 100))
    def create(self, side: Side, qty: int) -> None:
        self.number += 1
        order(self.ledger, f"o{self.number}", side, str(qty))

    @precondition(lambda self: self.number)
    @rule(data=st.data(), status=st.sampled_from([s for s in OrderStatus if "fill" not in s]))
    def move(self, data: st.DataObject, status: OrderStatus) -> None:
        number = data.draw(st.integers(1, self.number))
        report(self.ledger, ExecutionReport(f"o{number}", status, 1))

    @precondition(lambda self: self.number)
    @rule(data=st.data(), price=st.integers(1, 1000))
    def fill(self, data: st.DataObject, price: int) -> None:
        order_id = f"o{data.draw(st.integers(1, self.number))}"
        record = self.ledger.orders[order_id]
        left = record.approved.intent.qty - record.filled
        qty = data.draw(st.integers(0, int(left)))
        if not qty:
            return
        what = execution(order_id, len(self.sent), str(qty), str(price), last=qty == left)
        self.sent.append(what)
        if isinstance(report(self.ledger, what), OrderFilled):
            self.booked[what.execution_id] = Decimal(qty) if record.approved.intent.side is Side.BUY else Decimal(-qty)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        what = data.draw(st.sampled_from(self.sent))
        if what.execution_id in self.booked:
            assert isinstance(report(self.ledger, what), ReportIgnored)

    @invariant()
    def position_is_the_sum_of_booked_executions(self) -> None:
        assert self.ledger.books["one"].position("SPY").qty == sum(self.booked.values())

    @invariant()
    def reservation_is_what_living_orders_hold(self) -> None:
        held = sum((record.reserved for record in self.ledger.orders.values()), Decimal(0))
        assert self.ledger.books["one"].reserved == held


TestLedgerMachine = LedgerMachine.TestCase
