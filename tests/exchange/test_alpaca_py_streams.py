"""alpaca-py's streams, unmodified, take the local exchange for Alpaca."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from alpaca.data.live import CryptoDataStream, StockDataStream
from alpaca.data.live.websocket import DataStream
from alpaca.data.models import Bar, Orderbook, Quote, Trade, TradeCorrection, TradingStatus
from alpaca.trading.models import TradeUpdate
from alpaca.trading.stream import TradingStream

from tests.exchange.exchanges import OPENING, SLOWEST_S, exchange
from tests.waiting import until
from trader.access.alpaca.wire_data import CancelErrorMessage, CorrectionMessage, StatusMessage, UpdatedBarMessage
from trader.access.alpaca.wire_time import extension
from trader.access.sim.venue_orders import OrderRequest
from trader.exchange.local import LocalExchange
from trader.exchange.trade_hub import TradeSession
from trader.model.orders import Side
from trader.model.time import MINUTE, utc

STAMP = extension(OPENING)
Take = Callable[[Any], Awaitable[None]]


@pytest.fixture
async def at() -> AsyncIterator[LocalExchange]:
    """Run an exchange on which a minute takes a tenth of a second, shortly after the opening."""
    async with exchange(speed=600.0, start=OPENING + MINUTE) as running:
        yield running


@asynccontextmanager
async def running(stream: DataStream) -> AsyncIterator[None]:
    """Run a stream; while it stops the market goes on, so that it need not wait for its own time-out."""
    task = asyncio.create_task(stream._run_forever())  # noqa: SLF001 -- what people do whose loop runs already
    try:
        yield
    finally:
        await stream.stop_ws()
        async with asyncio.timeout(SLOWEST_S):
            await task


async def first_of_each(queue: "asyncio.Queue[Any]", *kinds: type) -> dict[type, Any]:
    """Return the first message of each kind."""
    found: dict[type, Any] = {}
    async with asyncio.timeout(SLOWEST_S):
        while not set(kinds) <= found.keys():
            message = await queue.get()
            found.setdefault(type(message), message)
    return found


def taking() -> tuple["asyncio.Queue[Any]", Take]:
    """Return a queue and a handler that fills it."""
    queue: asyncio.Queue[Any] = asyncio.Queue()
    return queue, queue.put


async def test_a_stock_stream_gets_trades_quotes_and_bars_of_the_running_market(at: LocalExchange) -> None:
    stream = StockDataStream(at.key.id, at.key.secret, url_override=f"{at.stream_url}/v2/iex")
    queue, take = taking()
    for subscribe in (stream.subscribe_trades, stream.subscribe_quotes, stream.subscribe_bars):
        subscribe(take, "SPY", "AAPL")
    async with running(stream):
        found = await first_of_each(queue, Trade, Quote, Bar)
    bar, trade, quote = found[Bar], found[Trade], found[Quote]
    (true,) = [
        one for one in at.archive.bars(bar.symbol, OPENING, at.clock.now()) if utc(one.ts - MINUTE) == bar.timestamp
    ]
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (
        true.open,
        true.high,
        true.low,
        true.close,
        true.volume,
    )
    assert bar.low <= bar.vwap <= bar.high
    assert (trade.exchange, trade.tape, trade.conditions) == ("V", "B", ["@"])
    assert quote.bid_price < quote.ask_price


async def test_a_stock_stream_gets_daily_bars_that_grow(at: LocalExchange) -> None:
    stream = StockDataStream(at.key.id, at.key.secret, url_override=f"{at.stream_url}/v2/sip")
    queue, take = taking()
    stream.subscribe_daily_bars(take, "*")
    async with running(stream):
        bars = [bar for _ in range(200) if (bar := await queue.get()).symbol == "SPY"]
    assert len(bars) > 1
    assert {bar.timestamp.isoformat() for bar in bars} == {"2026-01-05T05:00:00+00:00"}  # midnight of New York
    assert [bar.volume for bar in bars] == sorted({bar.volume for bar in bars})
    assert all(earlier.high <= later.high for earlier, later in pairwise(bars))


async def test_a_stock_stream_gets_what_only_faults_make(at: LocalExchange) -> None:
    stream = StockDataStream(at.key.id, at.key.secret, url_override=f"{at.stream_url}/v2/iex")
    queue, take = taking()
    stream.subscribe_updated_bars(take, "SPY")
    stream.subscribe_trading_statuses(take, "SPY")
    stream.subscribe_trades(take, "SPY")
    stream.register_trade_corrections(take)
    stream.register_trade_cancels(take)
    status = StatusMessage("SPY", "2", "Trading Halt", "M", "Volatility", STAMP, "B")
    update = UpdatedBarMessage("SPY", 1.0, 2.0, 0.5, 1.5, 100, STAMP, 4, 1.1)
    correction = CorrectionMessage("SPY", 1, 10.0, 5, 2, 11.0, 5, STAMP, (), (), "V", "B")
    cancel = CancelErrorMessage("SPY", 1, 10.0, 5, STAMP, "C", "V", "B")
    async with running(stream):
        await until(lambda: at.data.wants("stock", correction))
        at.data.publish("stock", [status, update, correction, cancel])
        found = await first_of_each(queue, Bar, TradingStatus, TradeCorrection)
    assert found[Bar].close == 1.5
    assert (found[TradingStatus].status_code, found[TradingStatus].reason_code) == ("2", "M")
    assert (found[TradeCorrection].original_price, found[TradeCorrection].corrected_price) == (10.0, 11.0)


async def test_a_crypto_stream_gets_trades_quotes_bars_and_books(at: LocalExchange) -> None:
    stream = CryptoDataStream(at.key.id, at.key.secret, url_override=f"{at.stream_url}/v1beta3/crypto/us")
    queue, take = taking()
    for subscribe in (
        stream.subscribe_trades,
        stream.subscribe_quotes,
        stream.subscribe_bars,
        stream.subscribe_orderbooks,
    ):
        subscribe(take, "BTC/USD")
    async with running(stream):
        found = await first_of_each(queue, Trade, Quote, Bar, Orderbook)
    assert {message.symbol for message in found.values()} == {"BTC/USD"}
    book = found[Orderbook]
    assert book.bids[0].price < book.asks[0].price


async def test_a_dropped_stream_comes_back_by_itself(at: LocalExchange) -> None:
    stream = StockDataStream(at.key.id, at.key.secret, url_override=f"{at.stream_url}/v2/iex")
    stream._reconnect_min_backoff = 0.01  # noqa: SLF001 -- it waits a second otherwise
    queue, take = taking()
    stream.subscribe_bars(take, "SPY")
    async with running(stream):
        await first_of_each(queue, Bar)
        at.lines["stock"].drop()
        await until(lambda: not at.lines["stock"].open)
        while not queue.empty():
            queue.get_nowait()
        await first_of_each(queue, Bar)


async def test_a_trading_stream_gets_every_update_of_an_order(at: LocalExchange) -> None:
    stream = TradingStream(at.key.id, at.key.secret, url_override=f"{at.stream_url}/stream")
    queue: asyncio.Queue[TradeUpdate] = asyncio.Queue()
    stream.subscribe_trade_updates(queue.put)
    task = asyncio.create_task(stream._run_forever())  # type: ignore[no-untyped-call]  # noqa: SLF001 -- as above
    await until(lambda: any(isinstance(one, TradeSession) and one.is_listening for one in at.lines["trading"].open))
    _buy(at, "BTC/USD", "0.5")
    updates: list[TradeUpdate] = []
    async with asyncio.timeout(SLOWEST_S):
        while not updates or updates[-1].event != "fill":
            updates.append(await queue.get())
    assert [update.event for update in updates if update.event != "partial_fill"] == ["pending_new", "new", "fill"]
    last = updates[-1]
    assert (last.order.filled_qty, last.order.symbol) == ("0.5", "BTC/USD")
    assert sum(update.qty or 0 for update in updates) == 0.5
    assert last.position_qty == 0.49875  # the fee is taken in coins at once
    assert last.execution_id
    await stream.stop_ws()
    _buy(at, "BTC/USD", "0.1")  # it looks whether it is to stop after each message
    async with asyncio.timeout(SLOWEST_S):
        await task


def _buy(at: LocalExchange, symbol: str, qty: str) -> None:
    request = OrderRequest(symbol, Side.BUY, time_in_force="gtc", qty=Decimal(qty))
    at.venue.submit(at.key.account, request, now=at.clock.now())
    at.flush()
