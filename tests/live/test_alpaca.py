"""The world on Alpaca: what becomes of open orders when an edge is lost for good."""

import asyncio
from typing import Any

import pytest
import structlog

from tests.exchange.exchanges import OPENING, exchange, until
from trader import MultiTraderCoordinator, RunOptions
from trader.access.alpaca.connection import StreamRefused
from trader.access.sim.fills import VenueRules
from trader.model.orders import TERMINAL
from trader.model.signals import Signals, Target
from trader.model.ticks import Bar
from trader.model.time import MINUTE
from trader.strategies import Context, Strategy


class Holder(Strategy):
    """Buys and keeps."""

    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        return Target(bar.symbol, 0.9)


@pytest.fixture(autouse=True)
def _fresh_logs() -> Any:
    yield
    structlog.reset_defaults()


async def test_open_orders_are_ended_when_a_data_stream_is_lost_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = VenueRules(fill="next_quote", latency_ns=2 * MINUTE)
    async with asyncio.timeout(60), exchange(speed=240.0, start=OPENING + MINUTE, symbols=("SPY",), venue=slow) as at:
        for name, url in (("BASE", at.base_url), ("DATA", at.base_url), ("STREAM", at.stream_url)):
            monkeypatch.setenv(f"APCA_API_{name}_URL", url)
        strategy = {"name": "one", "strategy": Holder(), "tickers": ["SPY"], "min_warmup_bars": 2}
        options = RunOptions(speed=at.options.speed, report="none")
        coordinator = MultiTraderCoordinator([strategy], at.key.id, at.key.secret, options=options)
        running = asyncio.ensure_future(coordinator.run())
        (account,) = at.venue.accounts.values()
        await until(lambda: account.working)
        monkeypatch.setattr("trader.exchange.data_hub.admitted", lambda *_: None)
        at.lines["stock"].drop()
        with pytest.raises(StreamRefused):
            await running
        assert not account.working
    (order,) = coordinator.engine.desk.ledger.orders.values()
    assert order.status in TERMINAL
