"""One update of the stream: the execution in it, and the fee that the position shows."""

from decimal import Decimal
from typing import Any

import pytest

from tests.access.alpaca.test_tracker import fill, message
from trader.access.alpaca.updates import FeeCheck, told_in
from trader.access.alpaca.wire_trading import TradeUpdate
from trader.model.orders import ExecutionReport, OrderStatus


def test_a_fill_tells_an_execution() -> None:
    told = told_in(fill("5", "2", execution_id="a"), 7)
    assert told is not None
    assert (told.venue_id, told.cumulative, told.qty, told.ts, told.kind) == ("a", Decimal(5), Decimal(2), 7, "fill")


@pytest.mark.parametrize("event", ["trade_bust", "trade_correct"])
def test_what_restates_an_execution_names_it(event: str) -> None:
    told = told_in(fill("5", "2", event=event, previous_execution_id="a"), 7)
    assert told is not None
    assert (told.kind, told.undoes) == (event, "a")


@pytest.mark.parametrize(
    "update",
    [
        TradeUpdate(event="new", order=message()),
        TradeUpdate(event="fill", order=message(filled=None), qty=Decimal(1), price=Decimal(1)),
        TradeUpdate(event="fill", order=message(), qty=Decimal(1)),
    ],
)
def test_anything_else_tells_none(update: TradeUpdate) -> None:
    assert told_in(update, 7) is None


def test_a_time_that_cannot_be_read_is_now() -> None:
    stamps: dict[str | None, int] = {None: 7, "soon": 7, "1970-01-01T00:00:01Z": 1_000_000_000}
    for stamp, ts in stamps.items():
        update = TradeUpdate(event="fill", order=message(filled="1"), qty=Decimal(1), price=Decimal(1), timestamp=stamp)
        told = told_in(update, 7)
        assert told is not None
        assert told.ts == ts


def test_a_fee_is_checked_against_the_position_from_one_execution_to_the_next() -> None:
    def check(position: str | None, **more: Any) -> Decimal | None:
        report = ExecutionReport(
            "t-1", OrderStatus.OPEN, 1, "x", Decimal(1), Decimal(9), Decimal("0.0025"), "BTC", **more
        )
        after = None if position is None else Decimal(position)
        return checker.check(fill("1", "1", symbol="BTC/USD", position_qty=after), report)

    checker = FeeCheck()
    assert check("0.9975") is None, "nobody knows what it was before"
    assert check("1.9950") is None
    assert check("2.9950") == Decimal("0.0025")
    assert check(None) is None
    assert check("9") is None, "begun anew"
    assert check("8", reverses="x") is None
