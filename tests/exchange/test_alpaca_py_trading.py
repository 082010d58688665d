"""alpaca-py's TradingClient, unmodified, takes the local exchange for Alpaca."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import pytest
import requests
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import (
    AssetClass,
    AssetExchange,
    OrderClass,
    OrderSide,
    OrderStatus,
    QueryOrderStatus,
    TimeInForce,
)
from alpaca.trading.models import AccountConfiguration, Order, TradeAccount
from alpaca.trading.requests import (
    ClosePositionRequest,
    GetAssetsRequest,
    GetCalendarRequest,
    GetOrderByIdRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLimitOrderRequest,
    StopLossRequest,
    StopOrderRequest,
    TakeProfitRequest,
    TrailingStopOrderRequest,
)

from tests.exchange.desks import FIRST, Floor, serving
from trader.exchange.rest_faults import RestFault
from trader.model.time import MINUTE, utc

UNKNOWN = "61e69015-8549-4bfd-b9c3-01e75843f47d"


@pytest.fixture
async def floor() -> AsyncIterator[Floor]:
    async with serving(Floor()) as served:
        yield served


class Sdk:
    """The client in a thread, for it blocks: ``await sdk.get_clock()``."""

    def __init__(self, client: TradingClient) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.client, name)

        async def call(*args: Any, **given: Any) -> Any:
            return await asyncio.wait_for(asyncio.to_thread(method, *args, **given), 30)

        return call


@contextmanager
def speaking(floor: Floor, key_id: str = FIRST.id, *, raw_data: bool = False) -> Iterator[Any]:
    """Give a client, and leave none of its connections behind."""
    client = TradingClient(key_id, FIRST.secret, url_override=floor.url, raw_data=raw_data)
    with client._session:  # noqa: SLF001 -- it has no other way to end
        yield Sdk(client)


@pytest.fixture
def sdk(floor: Floor) -> Iterator[Any]:
    with speaking(floor) as client:
        yield client


@pytest.fixture
def raw(floor: Floor) -> Iterator[Any]:
    with speaking(floor, raw_data=True) as client:
        yield client


def market(symbol: str, qty: float, side: OrderSide = OrderSide.BUY, **parts: Any) -> MarketOrderRequest:
    tif = TimeInForce.GTC if "/" in symbol else TimeInForce.DAY
    return MarketOrderRequest(symbol=symbol, qty=qty, side=side, time_in_force=tif, **parts)


def limit(price: float, **parts: Any) -> LimitOrderRequest:
    base = {"symbol": "SPY", "qty": 1, "side": OrderSide.BUY, "time_in_force": TimeInForce.DAY}
    return LimitOrderRequest(**(base | parts), limit_price=price)


async def test_an_order_is_placed_found_and_filled(sdk: Any) -> None:
    placed = await sdk.submit_order(market("SPY", 2, client_order_id="mine"))
    assert placed.status == OrderStatus.PENDING_NEW
    by_id, by_name = await sdk.get_order_by_id(placed.id), await sdk.get_order_by_client_id("mine")
    assert by_id == by_name
    assert (by_id.status, by_id.filled_qty, by_id.symbol) == (OrderStatus.FILLED, "2", "SPY")
    assert await sdk.get_orders() == []
    closed = await sdk.get_orders(GetOrdersRequest(status=QueryOrderStatus.CLOSED, nested=True, symbols=["SPY"]))
    assert closed == [by_id]


async def test_raw_data_are_the_same_as_a_dict(raw: Any) -> None:
    placed = await raw.submit_order(market("BTC/USD", 1e-3))
    assert (placed["symbol"], placed["qty"], placed["asset_class"]) == ("BTC/USD", "0.001", "crypto")
    found = await raw.get_order_by_id(placed["id"], GetOrderByIdRequest(nested=True))
    assert found["filled_qty"] == "0.001"  # gross of the fee
    (position,) = await raw.get_all_positions()
    assert (position["symbol"], position["qty"]) == ("BTCUSD", "0.0009975")


async def test_every_kind_of_order_is_taken(sdk: Any) -> None:
    day = {"qty": 1, "side": OrderSide.BUY, "time_in_force": TimeInForce.DAY, "symbol": "SPY"}
    orders = [
        limit(400.0),
        LimitOrderRequest(**(day | {"time_in_force": TimeInForce.GTC}), limit_price=400, extended_hours=True),
        StopOrderRequest(**day, stop_price=470),
        StopLimitOrderRequest(**day, stop_price=470, limit_price=471),
        TrailingStopOrderRequest(**day, trail_percent=1.5),
        MarketOrderRequest(symbol="AAPL", notional=100.5, side=OrderSide.BUY, time_in_force=TimeInForce.DAY),
    ]
    placed = [await sdk.submit_order(order) for order in orders]
    assert [order.type.value for order in placed] == [
        "limit", "limit", "stop", "stop_limit", "trailing_stop", "market",
    ]  # fmt: skip
    assert [order.extended_hours for order in placed] == [False, True, False, False, False, False]
    assert len(await sdk.get_orders()) == 5


async def test_a_bracket_has_legs(sdk: Any) -> None:
    exits = {"take_profit": TakeProfitRequest(limit_price=500), "stop_loss": StopLossRequest(stop_price=380)}
    placed = await sdk.submit_order(limit(400, order_class=OrderClass.BRACKET, **exits))
    assert [leg.type.value for leg in placed.legs] == ["limit", "stop"]
    (nested,) = await sdk.get_orders(GetOrdersRequest(nested=True))
    assert nested.legs == placed.legs
    await sdk.cancel_order_by_id(placed.id)
    assert await sdk.get_orders() == []


async def test_an_order_is_replaced_and_canceled(sdk: Any) -> None:
    placed = await sdk.submit_order(limit(400))
    replaced = await sdk.replace_order_by_id(placed.id, ReplaceOrderRequest(qty=3, limit_price=401.0))
    assert (replaced.replaces, replaced.qty, replaced.limit_price) == (placed.id, "3", "401")
    assert (await sdk.get_order_by_id(placed.id)).replaced_by == replaced.id
    assert await sdk.cancel_order_by_id(replaced.id) is None
    assert (await sdk.get_order_by_id(replaced.id)).status == OrderStatus.CANCELED
    assert await sdk.cancel_order_by_id(replaced.id) is None  # once more does no harm


async def test_all_orders_are_canceled_at_once(sdk: Any) -> None:
    placed = [await sdk.submit_order(limit(price)) for price in (400, 401)]
    answers = await sdk.cancel_orders()
    assert [(answer.id, answer.status) for answer in answers] == [(order.id, 200) for order in placed]
    assert await sdk.cancel_orders() == []


async def test_lists_are_cut_at_times(floor: Floor, sdk: Any) -> None:
    first = await sdk.submit_order(limit(400))
    floor.now += MINUTE
    second = await sdk.submit_order(limit(401))
    until = await sdk.get_orders(GetOrdersRequest(until=utc(floor.now)))
    after = await sdk.get_orders(GetOrdersRequest(after=utc(floor.now - MINUTE), side=OrderSide.BUY))
    assert ([order.id for order in until], [order.id for order in after]) == ([first.id], [second.id])


async def test_positions_are_shown_and_closed(sdk: Any) -> None:
    for symbol, qty in (("SPY", 4), ("BTC/USD", 0.01), ("AAPL", 3)):
        await sdk.submit_order(market(symbol, qty))
    assert [position.symbol for position in await sdk.get_all_positions()] == ["SPY", "BTCUSD", "AAPL"]
    spy = await sdk.get_open_position("SPY")
    assert (spy.qty, spy.side.value, spy.exchange) == ("4", "long", AssetExchange.NASDAQ)
    assert await sdk.get_open_position(spy.asset_id) == spy
    half = await sdk.close_position("SPY", ClosePositionRequest(percentage="50"))
    assert (half.qty, half.side) == ("2", OrderSide.SELL)
    one = await sdk.close_position("SPY", ClosePositionRequest(qty="1"))
    assert one.qty == "1"
    coin = await sdk.close_position("BTCUSD")
    assert (coin.symbol, coin.qty, coin.time_in_force) == ("BTC/USD", "0.009975", TimeInForce.GTC)
    closed = await sdk.close_all_positions(cancel_orders=True)
    assert [(answer.symbol, answer.status) for answer in closed] == [("SPY", 200), ("AAPL", 200)]
    assert all(isinstance(answer.body, Order) for answer in closed)
    assert await sdk.get_all_positions() == []


async def test_a_position_with_a_slash_has_no_path(sdk: Any) -> None:
    await sdk.submit_order(market("BTC/USD", 0.01))
    for call in (sdk.get_open_position, sdk.close_position):
        with pytest.raises(APIError) as caught:
            await call("BTC/USD")
        assert caught.value.status_code == 404


async def test_the_account_and_its_configuration(sdk: Any) -> None:
    account = await sdk.get_account()
    assert isinstance(account, TradeAccount)
    assert (account.cash, account.buying_power, account.trading_blocked) == ("100000", "200000", False)
    before = await sdk.get_account_configurations()
    after = await sdk.set_account_configurations(before.model_copy(update={"no_shorting": True}))
    assert isinstance(after, AccountConfiguration)
    assert (before.no_shorting, after.no_shorting) == (False, True)
    assert not (await sdk.get_account()).shorting_enabled


async def test_activities_are_asked_for_without_a_method(sdk: Any) -> None:
    await sdk.submit_order(market("SPY", 10))
    (fill,) = await sdk.get("/account/activities/FILL", {"page_size": 1})
    assert (fill["symbol"], fill["qty"], fill["type"]) == ("SPY", "10", "fill")


async def test_assets_are_listed_and_found(sdk: Any) -> None:
    stocks = await sdk.get_all_assets()
    coins = await sdk.get_all_assets(GetAssetsRequest(asset_class=AssetClass.CRYPTO))
    assert [asset.symbol for asset in stocks] == ["SPY", "AAPL", "GME"]
    assert [(asset.symbol, asset.exchange) for asset in coins] == [("BTC/USD", AssetExchange.CRYPTO)]
    for name in ("BTCUSD", "BTC/USD", coins[0].id):
        assert await sdk.get_asset(name) == coins[0]


async def test_clock_and_calendar(sdk: Any) -> None:
    clock = await sdk.get_clock()
    assert clock.is_open
    assert clock.timestamp == datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
    days = await sdk.get_calendar(GetCalendarRequest(start=date(2026, 11, 26), end=date(2026, 11, 30)))
    assert [(day.date.day, day.close.hour) for day in days] == [(27, 13), (30, 16)]


async def test_what_the_exchange_does_not_deal_in_is_not_there(raw: Any) -> None:
    calls = [
        raw.get_watchlists(),
        raw.get_portfolio_history(),
        raw.get_option_contract("SPY260116C00450000"),
    ]
    for call in calls:
        with pytest.raises(APIError) as caught:
            await call
        assert (caught.value.status_code, caught.value.code) == (404, 40410000)


@pytest.mark.parametrize(
    ("request_", "status", "code", "words"),
    [
        (market("SPY", 1000), 403, 40310000, "insufficient buying power"),
        (market("XYZ", 1), 422, 42210000, "not found"),
        (limit(400.001), 422, 42210000, "sub-penny"),
        (market("GME", 1.5), 403, 40310000, "not fractionable"),
        (market("SPY", 0), 422, 40010001, "qty must be > 0"),
        (limit(400, client_order_id="taken"), 422, 40010001, "client_order_id must be unique"),
    ],
)
async def test_refusals_have_alpaca_s_status_code_and_text(
    sdk: Any, request_: Any, status: int, code: int, words: str
) -> None:
    await sdk.submit_order(limit(300, client_order_id="taken"))
    with pytest.raises(APIError) as caught:
        await sdk.submit_order(request_)
    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert words in caught.value.message


async def test_what_is_not_there_is_404(sdk: Any) -> None:
    for call in (sdk.get_order_by_id(UNKNOWN), sdk.get_order_by_client_id("none"), sdk.get_open_position("SPY")):
        with pytest.raises(APIError) as caught:
            await call
        assert (caught.value.status_code, caught.value.code) == (404, 40410000)


async def test_wrong_keys_are_401(floor: Floor) -> None:
    with speaking(floor, "PKWRONG") as client, pytest.raises(APIError, match="unauthorized") as caught:
        await client.get_account()
    assert caught.value.status_code == 401


async def test_a_504_after_acceptance_is_repeated_by_the_client_and_refused_by_the_exchange(
    floor: Floor, sdk: Any
) -> None:
    sdk.client._retry_wait = 0  # noqa: SLF001 -- three seconds else
    floor.desk.faults.arm(RestFault(kind="accepted", match="POST /v2/orders"))
    with pytest.raises(APIError, match="must be unique"):
        await sdk.submit_order(limit(400, client_order_id="once"))
    assert floor.desk.log.by_client_id["once"].statuses == [504, 422]
    assert len(floor.venue.accounts["first"].orders) == 1


async def test_a_lost_answer_is_a_connection_error_and_the_order_is_there(floor: Floor, sdk: Any) -> None:
    floor.desk.faults.arm(RestFault(kind="lost", match="POST /v2/orders"))
    with pytest.raises(requests.exceptions.ConnectionError):
        await sdk.submit_order(limit(400, client_order_id="lost"))
    assert floor.desk.log.by_client_id["lost"].statuses == [0]
    assert (await sdk.get_order_by_client_id("lost")).client_order_id == "lost"


async def test_garbage_is_no_json(floor: Floor, sdk: Any) -> None:
    floor.desk.faults.arm(RestFault(kind="garbage"))
    with pytest.raises(requests.exceptions.JSONDecodeError):
        await sdk.get_account()
