"""The unmodified alpaca-py asks for history through every method that has an endpoint here."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from alpaca.common.enums import Sort
from alpaca.common.exceptions import APIError
from alpaca.data import requests as wants
from alpaca.data.enums import Adjustment, DataFeed
from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
from requests.exceptions import ConnectionError as RequestsConnectionError

from tests.build import T0
from tests.exchange.data_calls import ARCHIVE, KEY, NOW, desk, serving
from trader.exchange.rest_data import DataDesk
from trader.exchange.rest_faults import RestFault
from trader.model.time import DAY, HOUR, MINUTE, ts_of, utc

STOCKS, COINS = ["SPY", "AAPL"], ["BTC/USD", "ETH/USD"]
SPAN: dict[str, Any] = {"start": utc(T0), "end": utc(T0 + 3 * MINUTE)}


@pytest.fixture
def exchange() -> DataDesk:
    return desk()


@pytest.fixture
async def address(exchange: DataDesk) -> AsyncIterator[str]:
    async with serving(exchange) as url:
        yield url


@pytest.fixture
async def stocks(address: str) -> AsyncIterator[StockHistoricalDataClient]:
    client = StockHistoricalDataClient(KEY.id, KEY.secret, url_override=address)
    yield client
    client._session.close()  # noqa: SLF001 -- it has no other way, and an open socket is a warning


@pytest.fixture
async def coins(address: str) -> AsyncIterator[CryptoHistoricalDataClient]:
    client = CryptoHistoricalDataClient(url_override=address)
    yield client
    client._session.close()  # noqa: SLF001 -- as above


class TestStocks:
    async def test_bars(self, stocks: StockHistoricalDataClient) -> None:
        request = wants.StockBarsRequest(
            symbol_or_symbols=STOCKS,
            timeframe=TimeFrame.Minute,
            feed=DataFeed.IEX,
            adjustment=Adjustment.RAW,
            **SPAN,
        )
        found: Any = await asyncio.to_thread(stocks.get_stock_bars, request)
        assert set(found.data) == set(STOCKS)
        for symbol in STOCKS:
            bars = ARCHIVE.bars(symbol, T0, T0 + 3 * MINUTE)
            assert [(ts_of(bar.timestamp) + MINUTE, bar.open, bar.close, bar.volume) for bar in found[symbol]] == [
                (bar.ts, bar.open, bar.close, bar.volume) for bar in bars
            ]
            assert all(bar.low <= bar.vwap <= bar.high and bar.trade_count == 4 for bar in found[symbol])

    async def test_bars_over_pages_of_many_symbols(self, stocks: StockHistoricalDataClient) -> None:
        start = T0 - 21 * DAY
        request = wants.StockBarsRequest(symbol_or_symbols=STOCKS, timeframe=TimeFrame.Minute, start=utc(start))
        found: Any = await asyncio.to_thread(stocks.get_stock_bars, request)
        whole = {symbol: [bar.ts for bar in ARCHIVE.bars(symbol, start, NOW - MINUTE)] for symbol in STOCKS}
        assert sum(map(len, whole.values())) > 10_000
        assert {symbol: [ts_of(bar.timestamp) + MINUTE for bar in found[symbol]] for symbol in STOCKS} == whole

    @pytest.mark.parametrize("unit", list(TimeFrameUnit))
    async def test_bars_of_every_unit(self, stocks: StockHistoricalDataClient, unit: TimeFrameUnit) -> None:
        request = wants.StockBarsRequest(
            symbol_or_symbols="SPY", timeframe=TimeFrame(1, unit), start=datetime(2025, 12, 1, tzinfo=UTC), limit=5
        )
        found: Any = await asyncio.to_thread(stocks.get_stock_bars, request)
        assert 2 <= len(found["SPY"]) <= 5

    async def test_the_newest_bars_first(self, stocks: StockHistoricalDataClient) -> None:
        request = wants.StockBarsRequest(
            symbol_or_symbols="SPY", timeframe=TimeFrame.Minute, sort=Sort.DESC, limit=3, start=utc(T0)
        )
        found: Any = await asyncio.to_thread(stocks.get_stock_bars, request)
        assert [NOW - NOW % MINUTE - ts_of(bar.timestamp) for bar in found["SPY"]] == [MINUTE, 2 * MINUTE, 3 * MINUTE]

    async def test_trades_and_quotes(self, stocks: StockHistoricalDataClient) -> None:
        wanted = wants.StockTradesRequest(symbol_or_symbols=STOCKS, **SPAN)
        trades: Any = await asyncio.to_thread(stocks.get_stock_trades, wanted)
        quotes: Any = await asyncio.to_thread(
            stocks.get_stock_quotes, wants.StockQuotesRequest(symbol_or_symbols=STOCKS, **SPAN)
        )
        for symbol in STOCKS:
            assert len(trades[symbol]) == len(quotes[symbol]) == len(ARCHIVE.trades(symbol, T0, T0 + 3 * MINUTE))
            assert all(
                quote.bid_price < trade.price < quote.ask_price
                for trade, quote in zip(trades[symbol], quotes[symbol], strict=True)
            )

    async def test_the_latest(self, stocks: StockHistoricalDataClient) -> None:
        bars: Any = await asyncio.to_thread(
            stocks.get_stock_latest_bar, wants.StockLatestBarRequest(symbol_or_symbols=STOCKS)
        )
        trades: Any = await asyncio.to_thread(
            stocks.get_stock_latest_trade, wants.StockLatestTradeRequest(symbol_or_symbols=STOCKS)
        )
        quotes: Any = await asyncio.to_thread(
            stocks.get_stock_latest_quote, wants.StockLatestQuoteRequest(symbol_or_symbols=STOCKS)
        )
        assert set(bars) == set(trades) == set(quotes) == set(STOCKS)
        assert quotes["SPY"].bid_price < trades["SPY"].price < quotes["SPY"].ask_price
        assert bars["SPY"].timestamp <= trades["SPY"].timestamp <= utc(NOW)

    async def test_snapshots(self, stocks: StockHistoricalDataClient) -> None:
        shots: Any = await asyncio.to_thread(
            stocks.get_stock_snapshot, wants.StockSnapshotRequest(symbol_or_symbols=STOCKS)
        )
        shot = shots["SPY"]
        assert shot.previous_daily_bar.timestamp < shot.daily_bar.timestamp < shot.minute_bar.timestamp
        assert shot.latest_trade.price < shot.latest_quote.ask_price

    async def test_a_refusal_has_its_message(self, stocks: StockHistoricalDataClient) -> None:
        request = wants.StockBarsRequest(symbol_or_symbols="SPY!", timeframe=TimeFrame.Minute)
        with pytest.raises(APIError) as caught:
            await asyncio.to_thread(stocks.get_stock_bars, request)
        assert caught.value.status_code == 400
        assert "invalid symbol: SPY!" in str(caught.value)

    async def test_an_unknown_symbol_is_nothing(self, stocks: StockHistoricalDataClient) -> None:
        request = wants.StockBarsRequest(symbol_or_symbols="NOPE", timeframe=TimeFrame.Minute, **SPAN)
        found: Any = await asyncio.to_thread(stocks.get_stock_bars, request)
        assert found.data == {}

    async def test_a_lost_answer_is_a_lost_connection(
        self, exchange: DataDesk, stocks: StockHistoricalDataClient
    ) -> None:
        exchange.faults.arm(RestFault(kind="lost", match="GET /v2/stocks/bars"))
        request = wants.StockBarsRequest(symbol_or_symbols="SPY", timeframe=TimeFrame.Minute, **SPAN)
        with pytest.raises(RequestsConnectionError):
            await asyncio.to_thread(stocks.get_stock_bars, request)
        found: Any = await asyncio.to_thread(stocks.get_stock_bars, request)
        assert found["SPY"]


class TestCoins:
    async def test_bars(self, coins: CryptoHistoricalDataClient) -> None:
        request = wants.CryptoBarsRequest(symbol_or_symbols=COINS, timeframe=TimeFrame.Minute, **SPAN)
        found: Any = await asyncio.to_thread(coins.get_crypto_bars, request)
        for symbol in COINS:
            bars = ARCHIVE.bars(symbol, T0, T0 + 3 * MINUTE)
            assert [(bar.high, bar.low, bar.volume) for bar in found[symbol]] == [
                (bar.high, bar.low, bar.volume) for bar in bars
            ]

    async def test_bars_over_pages(self, coins: CryptoHistoricalDataClient) -> None:
        request = wants.CryptoBarsRequest(
            symbol_or_symbols="BTC/USD", timeframe=TimeFrame.Minute, start=utc(T0 - 8 * DAY), end=utc(T0)
        )
        found: Any = await asyncio.to_thread(coins.get_crypto_bars, request)
        times = [ts_of(bar.timestamp) + MINUTE for bar in found["BTC/USD"]]
        assert times == [bar.ts for bar in ARCHIVE.bars("BTC/USD", T0 - 8 * DAY, T0)]

    async def test_trades_and_quotes(self, coins: CryptoHistoricalDataClient) -> None:
        span: dict[str, Any] = {"start": utc(T0), "end": utc(T0 + HOUR)}
        trades: Any = await asyncio.to_thread(
            coins.get_crypto_trades, wants.CryptoTradesRequest(symbol_or_symbols=COINS, **span)
        )
        quotes: Any = await asyncio.to_thread(
            coins.get_crypto_quotes, wants.CryptoQuoteRequest(symbol_or_symbols=COINS, **span)
        )
        for symbol in COINS:
            assert len(trades[symbol]) == len(quotes[symbol]) == len(ARCHIVE.trades(symbol, T0, T0 + HOUR))

    async def test_the_latest(self, coins: CryptoHistoricalDataClient) -> None:
        bars: Any = await asyncio.to_thread(
            coins.get_crypto_latest_bar, wants.CryptoLatestBarRequest(symbol_or_symbols=COINS)
        )
        trades: Any = await asyncio.to_thread(
            coins.get_crypto_latest_trade, wants.CryptoLatestTradeRequest(symbol_or_symbols=COINS)
        )
        quotes: Any = await asyncio.to_thread(
            coins.get_crypto_latest_quote, wants.CryptoLatestQuoteRequest(symbol_or_symbols=COINS)
        )
        books: Any = await asyncio.to_thread(
            coins.get_crypto_latest_orderbook, wants.CryptoLatestOrderbookRequest(symbol_or_symbols=COINS)
        )
        assert set(bars) == set(trades) == set(quotes) == set(books) == set(COINS)
        assert books["BTC/USD"].bids[0].price == quotes["BTC/USD"].bid_price

    async def test_snapshots(self, coins: CryptoHistoricalDataClient) -> None:
        shots: Any = await asyncio.to_thread(
            coins.get_crypto_snapshot, wants.CryptoSnapshotRequest(symbol_or_symbols=COINS)
        )
        assert set(shots) == set(COINS)
        assert shots["ETH/USD"].daily_bar.timestamp == datetime(2026, 1, 5, tzinfo=UTC)

    async def test_a_wrong_key_is_refused_where_none_is_needed(self, address: str) -> None:
        client = CryptoHistoricalDataClient("PKNOPE", "nope", url_override=address)
        request = wants.CryptoLatestBarRequest(symbol_or_symbols=COINS)
        with pytest.raises(APIError) as caught:
            await asyncio.to_thread(client.get_crypto_latest_bar, request)
        assert caught.value.status_code == 401
        client._session.close()  # noqa: SLF001 -- as above
