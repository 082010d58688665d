"""Executions out of the journal: the newest first found, shown in order, whole records at a time."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from tests.build import T0
from trader.live import trade_list
from trader.live.control_messages import ListTrades, Trade
from trader.live.trade_list import TradeSearch, trades_of
from trader.model.events import Event, FillReversed, OrderFilled, SandboxWarmed
from trader.model.orders import OrderStatus, Reason, Side
from trader.store.journal import Journal
from trader.store.sqlite import open_journal


def fill(number: int, strategy: str = "one", *, execution: str = "") -> OrderFilled:
    return OrderFilled(
        T0 + number, strategy, "SPY", Side.SELL, Decimal("10.0"), Decimal("1E+2"), Decimal("0.01"), "USD",
        f"order {number}", execution or f"fill {number}", Decimal(100), Reason.STOP_LOSS, OrderStatus.FILLED,
        Decimal("-3.5"), opened=False,
    )  # fmt: skip


def journal_of(path: Path, *steps: Sequence[Event]) -> Journal:
    journal = open_journal(path)
    list(journal.recover())
    journal.write(steps)
    return journal


def found(journal: Journal, **wanted: int | str) -> tuple[list[str], int | None]:
    """Return the executions' ids of one answer, and where the next one begins."""
    search = TradeSearch(ListTrades(**wanted))  # type: ignore[arg-type]
    while not search.is_done:
        search.step(journal)
    answer = search.answer()
    return [trade.execution_id for trade in answer.trades], answer.before


def test_an_execution_is_shown_in_plain_figures() -> None:
    (shown,) = trades_of([SandboxWarmed(T0, "one"), fill(1)])
    assert shown == Trade(
        ts="2026-01-05T14:30:00.000000001Z",
        strategy="one",
        symbol="SPY",
        side="sell",
        qty="10",
        price="100",
        fee="0.01",
        fee_asset="USD",
        realized="-3.5",
        reason="stop_loss",
        crossed=False,
        reversed=False,
        order_id="order 1",
        execution_id="fill 1",
    )


def test_what_two_strategies_crossed_and_what_was_taken_back_is_marked() -> None:
    back = FillReversed(
        T0, "one", "SPY", Side.SELL, Decimal(10), Decimal(100), Decimal(0), "USD", "order 1", "fill 1", Decimal(1)
    )
    crossed, reversed_ = trades_of([fill(1, execution="x:a:b"), back])
    assert (crossed.crossed, crossed.reversed) == (True, False)
    assert (reversed_.crossed, reversed_.reversed, reversed_.reason) == (False, True, "")


@pytest.mark.parametrize("window", [1, 2, 3, 1000])
def test_pages_go_back_to_the_first_one_and_leave_none_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(trade_list, "WINDOW", window)
    quiet: list[Event] = [SandboxWarmed(T0, "one")]
    journal = journal_of(tmp_path / "j", [fill(1)], quiet, [fill(2), fill(3)], quiet, quiet, [fill(4)], [fill(5)])
    try:
        assert found(journal, limit=2) == (["fill 4", "fill 5"], 6)
        assert found(journal, limit=1, before=6) == (["fill 2", "fill 3"], 3)  # one step's are shown together
        assert found(journal, limit=9, before=3) == (["fill 1"], None)
        assert found(journal, limit=9) == ([f"fill {number}" for number in range(1, 6)], None)
    finally:
        journal.close()


def test_one_strategys_are_found_among_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trade_list, "WINDOW", 2)
    journal = journal_of(tmp_path / "j", [fill(1, "two")], *([fill(number)] for number in range(2, 9)))
    try:
        assert found(journal, strategy="two") == (["fill 1"], None)
        assert found(journal, strategy="none") == ([], None)
    finally:
        journal.close()


def test_one_answer_is_bounded_work_and_the_next_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trade_list, "WINDOW", 2)
    monkeypatch.setattr(trade_list, "MOST_WINDOWS", 2)
    journal = journal_of(tmp_path / "j", [fill(1, "two")], *([fill(number)] for number in range(2, 9)))
    try:
        assert found(journal, strategy="two") == ([], 5)
        assert found(journal, strategy="two", before=5) == (["fill 1"], None)
    finally:
        journal.close()


def test_an_empty_journal_has_none(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "j")
    try:
        assert found(journal) == ([], None)
    finally:
        journal.close()
