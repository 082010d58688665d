"""The trading API's answers have the shapes of Alpaca's own document, and of answers that were recorded."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.exchange.desks import Floor
from tests.recorded.schemas import Document
from trader.access.alpaca.wire_trading import TradeUpdateMessage, encode_trading
from trader.exchange.shapes import update_message
from trader.model.time import MINUTE

pytestmark = pytest.mark.recorded

# What Alpaca sends though its document does not say so; each was recorded, or is what alpaca-py's models read.
KNOWN = (
    "'crypto_tier' is not documented",
    "'cancel_requested_at' is not documented",
    "'source' is not documented",
    "'subtag' is not documented",
    "'description' is not documented",
    "'order_id' is not documented",
    "'CRYPTO' is none of",
    "'2026-01-05' is no time",  # the day of a fee
)
# Recorded in 2019 to 2023 and gone since: the pattern-day-trader rule ended in 2026.
RETIRED = {"pattern_day_trader", "daytrade_count", "daytrading_buying_power", "swap_rate", "settle_date"}

Given = dict[str, Any]
CALLS: list[tuple[str, str, str, Given]] = [
    ("GET", "/v2/account", "/v2/account", {}),
    ("GET", "/v2/account/configurations", "/v2/account/configurations", {}),
    ("PATCH", "/v2/account/configurations", "/v2/account/configurations", {"json": {"no_shorting": True}}),
    ("GET", "/v2/assets", "/v2/assets", {}),
    ("GET", "/v2/assets", "/v2/assets", {"asset_class": "crypto"}),
    ("GET", "/v2/assets/{symbol_or_asset_id}", "/v2/assets/SPY", {}),
    ("GET", "/v2/clock", "/v2/clock", {}),
    ("GET", "/v2/calendar", "/v2/calendar", {"start": "2026-01-01", "end": "2026-01-31"}),
    ("GET", "/v2/orders", "/v2/orders", {"status": "all", "nested": "true"}),
    ("GET", "/v2/orders:by_client_order_id", "/v2/orders:by_client_order_id", {"client_order_id": "open"}),
    ("DELETE", "/v2/orders", "/v2/orders", {}),
    ("GET", "/v2/positions", "/v2/positions", {}),
    ("GET", "/v2/positions/{symbol_or_asset_id}", "/v2/positions/SPY", {}),
    ("DELETE", "/v2/positions/{symbol_or_asset_id}", "/v2/positions/AAPL", {}),
    ("DELETE", "/v2/positions", "/v2/positions", {"cancel_orders": "true"}),
]


@pytest.fixture(scope="module")
def fixtures(shared: Path) -> Path:
    return shared / "data" / "alpaca-fixtures"


@pytest.fixture(scope="module")
def document(fixtures: Path) -> Document:
    return Document(fixtures / "openapi" / "trading-api.json")


async def lively() -> Floor:
    """Return a floor with long and short positions, executions, a fee, and an open and an ended order."""
    floor = Floor()
    await floor.order("SPY", 4)
    await floor.order("AAPL", 2, side="sell")
    await floor.order("BTC/USD", "0.01")
    await floor.order("SPY", 1, type="limit", limit_price="400", client_order_id="open")
    floor.now += MINUTE
    return floor


def unexpected(flaws: Iterator[str]) -> list[str]:
    return [flaw for flaw in flaws if not any(known in flaw for known in KNOWN)]


@pytest.mark.parametrize(("method", "pattern", "path", "given"), CALLS)
async def test_answers_are_as_the_document_says(
    document: Document, method: str, pattern: str, path: str, given: Given
) -> None:
    answer = await (await lively()).call(method, path, **given)
    schema = document.answer(pattern, method.lower(), str(answer.status))
    assert unexpected(document.flaws(answer.body, schema)) == []


async def test_orders_are_taken_and_replaced_as_the_document_says(document: Document) -> None:
    floor = await lively()
    taken = await floor.order("SPY", 1, type="limit", limit_price=401)
    replaced = await floor.call("PATCH", f"/v2/orders/{taken.body['id']}", json={"qty": 2})
    for path, method, answer in (("/v2/orders", "post", taken), ("/v2/orders/{order_id}", "patch", replaced)):
        assert unexpected(document.flaws(answer.body, document.answer(path, method))) == []


async def test_rows_of_the_ledger_are_as_the_document_says(document: Document) -> None:
    floor = await lively()
    kinds = document.answer("/v2/account/activities")["items"]["anyOf"]
    trade, other = (document.resolved(kind) for kind in kinds)
    for category, schema in (("trade_activity", trade), ("non_trade_activity", other)):
        rows = await floor.get("/v2/account/activities", category=category)
        assert rows
        assert [flaw for row in rows for flaw in unexpected(document.flaws(row, schema))] == []


RUBY = "ruby-alpaca-trade-api/Alpaca_Trade_Api_Client__"
RECORDED = {
    "account_returns_an_Account_object": "/v2/account",
    "asset_returns_an_Asset_object": "/v2/assets/SPY",
    "calendar_returns_Calendar_objects": "/v2/calendar",
    "clock_returns_the_market_clock": "/v2/clock",
    "position_returns_a_Position_object": "/v2/positions/AAPL",
    "orders_returns_an_Array_of_Order_objects": "/v2/orders",
    "account_activities_returns_an_Array_of_TradeActivity_objects": "/v2/account/activities/FILL",
}


def recorded(path: Path) -> list[Any]:
    document = json.loads(path.read_text())
    replies = [one["response"] for one in document.get("interactions", [])]
    return [one["body"] for one in document.get("payloads", []) + replies]


def differences(ours: Any, theirs: Any) -> list[str]:
    """Return the names that one of theirs has and ours lacks, or has with another kind of value."""
    ours, theirs = (value[0] if isinstance(value, list) else value for value in (ours, theirs))
    lacking = [name for name in theirs if name not in ours and name not in RETIRED]
    kinds = [
        name
        for name, value in theirs.items()
        if value is not None and ours.get(name) is not None and type(value) is not type(ours[name])
    ]
    return lacking + kinds


@pytest.mark.parametrize(("name", "path"), RECORDED.items())
async def test_answers_have_all_that_was_recorded(fixtures: Path, name: str, path: str) -> None:
    (theirs, *_) = recorded(fixtures / "recorded" / f"{RUBY}{name}.json")
    assert differences(await (await lively()).get(path), theirs) == []


async def test_coins_have_all_that_was_recorded(fixtures: Path) -> None:
    for theirs in recorded(fixtures / "recorded" / "ccxt" / "assets_crypto.json"):
        assert differences(await (await lively()).get("/v2/assets", asset_class="crypto"), theirs) == []


async def test_a_clock_of_today_has_the_form_of_a_recorded_one(fixtures: Path) -> None:
    (theirs,) = recorded(fixtures / "recorded" / "ccxt" / "clock.json")
    floor = Floor()
    floor.now += 1
    ours = await floor.get("/v2/clock")
    times = ("timestamp", "next_open", "next_close")
    assert [len(ours[name]) for name in times] == [len(theirs[name]) for name in times]
    assert ours.keys() == theirs.keys()


REFUSALS = {
    "new_order_raises_an_exception_when_buying_power_is_not_sufficient": ("POST", "/v2/orders"),
    "order_raises_an_exception_when_order_id_is_invalid": ("GET", "/v2/orders/{id}"),
    "cancel_order_raises_an_exception_when_order_id_is_invalid": ("DELETE", "/v2/orders/{id}"),
    "position_raises_an_exception_when_position_is_not_found_for_symbol": ("GET", "/v2/positions/GME"),
    "close_position_raises_when_there_are_no_positions_for_symbol": ("DELETE", "/v2/positions/GME"),
    "account_activities_raises_an_exception_when_the_activity_type_requested_is_invalid": (
        "GET",
        "/v2/account/activities/INVALID",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_refusals_are_those_that_were_recorded(fixtures: Path, name: str) -> None:
    path = fixtures / "recorded" / f"{RUBY}{name}.json"
    response = json.loads(path.read_text())["interactions"][-1]["response"]
    method, where = REFUSALS[name]
    unknown = response["body"]["message"].rpartition(" ")[2]
    body = {"symbol": "AAPL", "qty": 5000, "side": "buy", "type": "limit", "time_in_force": "day", "limit_price": 200}
    answer = await Floor().call(method, where.format(id=unknown), json=body if method == "POST" else None)
    assert answer.status == response["status"]
    assert {key: answer.body[key] for key in ("code", "message")} == response["body"]


async def test_updates_have_all_that_was_recorded(fixtures: Path) -> None:
    floor = await lively()
    frames = recorded(fixtures / "recorded" / "ccxt" / "ws_trade_updates_crypto_market_sell_2026-09-18.json")[2:]
    by_event = {update.event: update for update in floor.told}
    for theirs in (frame["data"] for frame in frames):
        message = TradeUpdateMessage(update_message(by_event[theirs["event"]]))
        ours = json.loads(encode_trading(message))["data"]
        assert differences(ours, theirs) == []
        assert differences(ours["order"], theirs["order"]) == []
        assert ours.keys() == theirs.keys() - RETIRED
