"""The running market: prices are known before the first tick, orders are told before the ticks that fill them."""

from decimal import Decimal

from tests.exchange.exchanges import OPENING, exchange, reader
from tests.waiting import until
from trader.access.sim.venue_orders import OrderRequest, VenueOrder
from trader.exchange.archive import SyntheticArchive
from trader.exchange.market import last_bar
from trader.model.orders import Side
from trader.model.time import DAY, MINUTE, parse_time


async def test_every_symbol_has_a_price_before_the_first_tick() -> None:
    async with exchange(start=parse_time("2026-01-04T12:00"), speed=1.0) as at:  # a Sunday
        worth = {symbol: at.venue.markets[symbol].price for symbol in at.archive.symbols}
    assert all(worth.values())
    friday = at.archive.bars("SPY", OPENING - 3 * DAY, OPENING - 2 * DAY)
    assert worth["SPY"] == Decimal(str(friday[-1].close))
    assert at.market.price_at("SPY", OPENING) == worth["SPY"]


async def test_orders_meet_the_market_and_the_stream_follows_the_archive() -> None:
    async with exchange(speed=600.0) as at:
        client = await reader(at, bars=["SPY"])
        await until(lambda: at.clock.now() > OPENING + MINUTE)
        request = OrderRequest("SPY", Side.BUY, qty=Decimal(5))
        order = at.venue.submit(at.key.account, request, now=at.clock.now())
        assert isinstance(order, VenueOrder)
        books = at.venue.accounts[at.key.account]
        await until(lambda: books.orders[order.id].status == "filled")
        assert at.trading.published >= 3
        bars = [(await client.of("b"))["c"] for _ in range(3)]
        closes = [bar.close for bar in at.archive.bars("SPY", OPENING, at.clock.now())]
        first = closes.index(bars[0])
        assert bars == closes[first : first + 3]
        await client.close()
    assert " 1 order, " in at.summary()


def test_the_last_bar_is_looked_for_over_a_weekend_and_no_further() -> None:
    archive = SyntheticArchive(seed=1)
    bar = last_bar(archive, "SPY", OPENING)
    assert bar is not None
    assert bar.ts == parse_time("2026-01-02T21:00")
    assert last_bar(archive, "NOTHERE", OPENING) is None
