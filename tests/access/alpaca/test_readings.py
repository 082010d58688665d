"""Raw answers: what can be read is read, what cannot costs only itself."""

from decimal import Decimal
from typing import Any

import pytest

from trader.access.alpaca.readings import (
    account_in,
    activities_in,
    fills_in,
    last_id,
    order_in,
    orders_in,
    positions_in,
)
from trader.errors import WireError
from trader.model.time import parse_time

ORDER: dict[str, Any] = {"id": "v-1", "client_order_id": "t-1", "symbol": "SPY", "status": "new", "filled_qty": "0"}
FILL: dict[str, Any] = {
    "id": "20260105143000123::2d7be4ff",
    "activity_type": "FILL",
    "transaction_time": "2026-01-05T14:30:00.123Z",
    "price": "100.5",
    "qty": "2",
    "cum_qty": "5",
    "side": "buy",
    "symbol": "SPY",
    "order_id": "v-1",
}


def test_an_order_is_read_even_with_fields_that_are_not_what_they_were() -> None:
    order = order_in({**ORDER, "extended_hours": "sometimes", "status": "invented", "brand_new": [1]})
    assert (order.id, order.status, order.unread) == ("v-1", "invented", ("extended_hours",))


@pytest.mark.parametrize("raw", [None, [], "html", {"id": 5}, {"message": "no"}])
def test_what_is_no_order_is_said_to_be_none(raw: object) -> None:
    with pytest.raises(WireError):
        order_in(raw)


def test_an_unreadable_order_does_not_hide_the_others() -> None:
    assert [order.id for order in orders_in([{"id": 5}, ORDER, "x"])] == ["v-1"]
    with pytest.raises(WireError):
        orders_in({"message": "no list"})


def test_positions_are_signed_however_a_short_one_is_written() -> None:
    rows = [
        {"symbol": "SPY", "qty": "3", "side": "long"},
        {"symbol": "QQQ", "qty": "-2", "side": "short"},
        {"symbol": "IWM", "qty": "4", "side": "short"},
    ]
    assert positions_in(rows) == {"SPY": Decimal(3), "QQQ": Decimal(-2), "IWM": Decimal(-4)}


@pytest.mark.parametrize("row", [{"symbol": "SPY"}, {"qty": "1"}, {"symbol": "SPY", "qty": "NaN"}])
def test_a_position_that_cannot_be_read_is_no_empty_account(row: object) -> None:
    with pytest.raises(WireError):
        positions_in([row])


def test_fills_come_oldest_first_with_the_executions_own_id() -> None:
    later = {**FILL, "id": "20260105143001000::b", "transaction_time": "2026-01-05T14:30:01Z"}
    first, second = fills_in([later, FILL])
    assert (first.told.venue_id, second.told.venue_id) == ("2d7be4ff", "b")
    assert (first.venue_order_id, first.side, first.told.cumulative) == ("v-1", "buy", Decimal(5))
    assert first.told.kind == "fill"


def test_a_row_that_takes_back_says_what() -> None:
    (fill,) = fills_in([{**FILL, "execution_type": "trade_bust", "previous_id": "old"}])
    assert (fill.told.kind, fill.told.undoes) == ("trade_bust", "old")


@pytest.mark.parametrize(
    "change",
    [{"side": "none"}, {"qty": None}, {"price": "x"}, {"order_id": 7}, {"transaction_time": "today"},
     {"activity_type": "DIV"}],
)  # fmt: skip
def test_a_row_that_is_no_execution_is_left_out(change: dict[str, Any]) -> None:
    assert [fill.told.venue_id for fill in fills_in([{**FILL, **change}, FILL])] == ["2d7be4ff"]


SPLITS: dict[str, tuple[dict[str, Any], str | None]] = {
    "two for one, by the shares it added": ({"qty": "10"}, "2"),
    "one for five": ({"qty": "-8"}, "0.2"),
    "three for two of a fraction, cut at nine decimals": ({"old_qty": "0.333333333", "new_qty": "0.499999999"}, "1.5"),
    "short": ({"old_qty": "-4", "new_qty": "-8"}, "2"),
    "told outright": ({"ratio": "3"}, "3"),
    "nothing added": ({"qty": "0"}, None),
    "unreadable": ({"qty": "many"}, None),
    "no split": ({"activity_type": "DIV", "qty": "10"}, None),
}


@pytest.mark.parametrize("case", SPLITS)
def test_splits(case: str) -> None:
    fields, ratio = SPLITS[case]
    row = {"id": "s-1", "activity_type": "SPLIT", "symbol": "SPY", **fields}
    (activity,) = activities_in([row], {"SPY": Decimal(10)})
    assert activity.ratio == (None if ratio is None else Decimal(ratio))


def test_a_split_of_what_nobody_holds_has_no_ratio() -> None:
    (activity,) = activities_in([{"id": "s", "activity_type": "SPLIT", "symbol": "SPY", "qty": "1"}], {})
    assert activity.ratio is None


def test_a_row_of_the_account_is_read_whatever_its_kind_and_executions_are_not_among_them() -> None:
    rows = [
        FILL,
        {"id": "20260105000000000::d", "activity_type": "DIVNRA", "symbol": "SPY", "net_amount": "-1.5", "qty": "3"},
        {"id": "20260105000000000::t", "activity_type": "FEE", "activity_sub_type": "TAF", "description": "TAF fee"},
        {"activity_type": "INT", "net_amount": "1"},
    ]
    dividend, fee = activities_in(rows, {})
    assert (dividend.kind, dividend.symbol, dividend.amount, dividend.is_for_holders) == (
        "DIVNRA", "SPY", Decimal("-1.5"), True
    )  # fmt: skip
    assert (fee.kind, fee.amount, fee.text, fee.is_for_holders) == ("FEE", Decimal(0), "TAF TAF fee", False)


def test_an_activity_took_effect_when_its_id_says() -> None:
    told, untold = activities_in(
        [{"id": "20260105143000123::x", "activity_type": "SPLIT"}, {"id": "x", "activity_type": "SPLIT"}], {}
    )
    then = parse_time("2026-01-05T14:30") + 123_000_000
    assert (told.effective(then + 5), told.effective(then - 5), untold.effective(7)) == (then, then - 5, 7)


def test_an_accounts_figures_are_read_and_without_cash_it_is_none() -> None:
    figures = account_in(
        {"account_number": "PA1", "cash": "10.5", "long_market_value": "3", "short_market_value": "-2"}
    )
    assert (figures.number, figures.cash, figures.invested) == ("PA1", Decimal("10.5"), Decimal(5))
    assert account_in({"cash": "-1"}).invested == 0
    with pytest.raises(WireError):
        account_in([])


def test_the_last_row_asks_for_the_next_page() -> None:
    assert last_id([FILL, {"id": "z"}]) == "z"
    assert last_id([]) == ""
