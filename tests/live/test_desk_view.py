"""What operators see of a desk: books and account beside each other."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.build import T0, Rehearsal, always, bar, by_minute, spec
from tests.live.controlled import controlled
from trader.books.ledger import Ledger
from trader.errors import StoreError
from trader.live.control_messages import AbsentOrder, ListTrades
from trader.live.desk_view import AccountReading, DeskView, compare
from trader.model.events import BooksCreated, OrderMoved, SymbolLocked
from trader.model.inputs import Ticks
from trader.model.orders import OrderStatus
from trader.model.time import MINUTE
from trader.store.journal import Journal


@pytest.fixture
def desk() -> Rehearsal:
    """Two strategies with 10,000 dollars each; one holds SPY."""
    desk = Rehearsal(spec(always(0.5), name="one"), spec(by_minute({}), name="two"))
    desk.closes(100.0, 100.0)
    return desk


def reading(cash: str, **positions: str) -> AccountReading:
    return AccountReading(T0, {symbol: Decimal(qty) for symbol, qty in positions.items()}, Decimal(cash))


def test_without_a_reading_nothing_is_said_to_agree(desk: Rehearsal) -> None:
    seen = compare(desk.engine.desk.ledger, None, mode="SIM")
    assert (seen.read, seen.cash_held, seen.cash_difference) == ("", None, None)
    assert [(line.symbol, line.held, line.sandboxes, line.difference) for line in seen.symbols] == [
        ("SPY", None, "50", None)
    ]


def test_agreement_is_shown_in_figures(desk: Rehearsal) -> None:
    seen = compare(desk.engine.desk.ledger, reading("15000", SPY="50"), mode="PAPER")
    (line,) = seen.symbols
    assert (line.held, line.sandboxes, line.external, line.difference, line.locked) == ("50", "50", "0", "0", False)
    assert (seen.read, seen.cash_difference) == ("2026-01-05T14:30:00Z", "0")


def test_what_was_traded_since_the_account_was_read_is_no_difference(desk: Rehearsal) -> None:
    since = AccountReading(T0, {"AAPL": Decimal(1)}, Decimal(20000), {"SPY"})
    seen = compare(desk.engine.desk.ledger, since, mode="PAPER")
    assert [(line.symbol, line.held, line.sandboxes, line.difference, line.why) for line in seen.symbols] == [
        ("AAPL", "1", "0", "1", ""),
        ("SPY", "0", "50", None, "traded since the account was read"),
    ]
    assert (seen.cash_held, seen.cash_difference) == ("20000", None)


def test_external_positions_and_unallocated_cash_are_counted_apart() -> None:
    ledger = Ledger()
    ledger.apply(BooksCreated(T0, "b", "PA1", Decimal("7000.5"), {"AAPL": Decimal(-3)}))
    seen = compare(ledger, reading("7001", AAPL="-3", MSFT="2"), mode="PAPER")
    assert [(line.symbol, line.held, line.external, line.difference) for line in seen.symbols] == [
        ("AAPL", "-3", "-3", "0"),
        ("MSFT", "2", "0", "2"),
    ]
    assert (seen.cash_unallocated, seen.cash_sandboxes, seen.cash_difference) == ("7000.5", "0", "0.5")


def test_a_lock_shows_the_difference_it_was_made_of_and_why(desk: Rehearsal) -> None:
    ledger = desk.engine.desk.ledger
    ledger.apply(SymbolLocked(T0, "SPY", Decimal(48), Decimal(50), "three readings agree"))
    (line,) = compare(ledger, None, mode="PAPER").symbols
    assert (line.held, line.difference, line.locked, line.why) == ("48", "-2", True, "three readings agree")


def test_orders_that_the_broker_does_not_know_are_listed_with_what_they_reserve() -> None:
    desk = Rehearsal(spec(always(0.5), name="one"))
    desk.engine.handle(Ticks(T0 + MINUTE, [bar(minute=1, close=100.0)]))  # what it submits is lost on the way
    ledger = desk.engine.desk.ledger
    (order_id,) = ledger.orders
    ledger.apply(OrderMoved(T0, "one", "SPY", order_id, OrderStatus.ABSENT, "never heard of"))
    assert compare(ledger, None, mode="PAPER").absent == [AbsentOrder(order_id, "one", "SPY", "buy", "50", "5100")]


async def test_trades_come_out_of_the_journal_and_a_backup_is_a_journal(tmp_path: Path) -> None:
    async with controlled(tmp_path) as desk:
        desk.minute(bar(minute=1))
        desk.minute(bar(minute=2))
        found = await desk.view.trades(ListTrades())
        await desk.view.backup(tmp_path / "copy")
    assert [(trade.strategy, trade.side, trade.qty) for trade in found.trades] == [("Momentum", "buy", "50")]
    assert (tmp_path / "copy").is_file()


async def test_a_run_without_a_journal_keeps_its_newest_trades(desk: Rehearsal) -> None:
    async def refuse(work: Callable[[Journal], Any]) -> Any:
        raise AssertionError(f"there is no journal for {work}")

    view = DeskView(desk.engine, mode="SIM", now=lambda: T0, account=lambda: None, journal=None, on_journal=refuse)
    view.note(desk.events)
    (trade,) = (await view.trades(ListTrades())).trades
    assert (trade.strategy, trade.qty) == ("one", "50")
    assert (await view.trades(ListTrades("two"))).trades == []
    with pytest.raises(StoreError, match="keeps no journal"):
        await view.backup(Path("anywhere"))
