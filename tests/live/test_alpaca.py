"""The world on Alpaca: whose clock and books it goes by, what becomes of open orders when an edge is lost for good."""

import asyncio
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from tests.exchange.exchanges import OPENING, exchange
from tests.waiting import until
from trader import MultiTraderCoordinator, RunOptions
from trader.access.alpaca.connection import StreamRefused
from trader.access.sim.fills import VenueRules
from trader.books.ledger import Ledger
from trader.config.credentials import given
from trader.config.endpoints import Endpoints
from trader.errors import ReconcileError
from trader.live.access import Access
from trader.live.admission import admit
from trader.live.clock import WallClock
from trader.live.guard import Terms
from trader.live.state_folder import JOURNAL
from trader.model.events import AccountReconciled, BooksCreated
from trader.model.orders import TERMINAL
from trader.model.signals import Signals, Target
from trader.model.ticks import Bar
from trader.model.time import MINUTE, SECOND
from trader.store.sqlite import open_journal
from trader.strategies import Context, Strategy


class Holder(Strategy):
    """Buys and keeps."""

    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        return Target(bar.symbol, 0.9)


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


async def test_a_machine_whose_clock_is_seconds_off_lives_by_the_venues() -> None:
    begun = WallClock().now() + 7 * SECOND
    async with asyncio.timeout(60), exchange(speed=1.0, start=begun, symbols=("BTC/USD",)) as at:
        endpoints = Endpoints(at.base_url, at.base_url, at.stream_url, is_live=False)
        keys = given(at.key.id, at.key.secret)
        assert keys is not None
        clock = WallClock()
        await admit(Access(keys, endpoints, (), Terms(is_live=False, is_loopback=True)), clock, Ledger())
        assert abs(clock.now() - at.clock.now()) < SECOND


async def test_books_of_an_earlier_life_of_a_local_exchange_are_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with asyncio.timeout(60), exchange(speed=60.0, start=OPENING, symbols=("SPY",)) as at:
        for name, url in (("BASE", at.base_url), ("DATA", at.base_url), ("STREAM", at.stream_url)):
            monkeypatch.setenv(f"APCA_API_{name}_URL", url)
        late = OPENING + 60 * MINUTE
        with closing(open_journal(tmp_path / JOURNAL)) as journal:
            assert not list(journal.recover())
            created = BooksCreated(OPENING, "abc123", at.key.account, Decimal(100_000), {})
            journal.write([[created, AccountReconciled(late, late)]])
        strategy = {"name": "one", "strategy": Holder(), "tickers": ["SPY"]}
        options = RunOptions(speed=at.options.speed, report="none", state_dir=tmp_path)
        coordinator = MultiTraderCoordinator([strategy], at.key.id, at.key.secret, options=options)
        with pytest.raises(ReconcileError, match=r"at 2026-01-05T15:30:00Z.* started anew .*--state-dir"):
            await coordinator.run()
