"""What is read of an account, against the local exchange: it finds what the stream has not told, and tells drifts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.access.alpaca.desks import SYMBOLS
from tests.exchange.exchanges import exchange
from tests.waiting import until
from trader.access.alpaca import restoring as module
from trader.access.alpaca.calls import AccountCalls
from trader.access.alpaca.rest import RestDesk
from trader.access.alpaca.restoring import Restoring
from trader.access.alpaca.submission import Submission
from trader.access.alpaca.symbols import CryptoPairs
from trader.access.alpaca.tracked import Tracked
from trader.access.alpaca.tracker import OrderTracker
from trader.access.sim.venue_orders import OrderRequest, VenueOrder
from trader.errors import OutcomeUnknown, Refused
from trader.exchange.local import LocalExchange
from trader.exchange.rest_faults import RestFault
from trader.model.instruments import instrument_of
from trader.model.money import ZERO
from trader.model.orders import Approved, ExecutionReport, OrderIntent, OrderStatus, Reason, Side
from trader.model.time import MINUTE


class Reader:
    """A daemon without a stream: all it knows it has read."""

    def __init__(self, at: LocalExchange, *, secret: str = "") -> None:
        self.at = at
        self.reports: list[ExecutionReport] = []
        self.expected: dict[str, Decimal] = {}
        self.ahead = 0  # how far the reader's clock is set forward
        self.tracker = OrderTracker()
        rest = RestDesk(at.base_url, at.key.id, secret or at.key.secret)
        self.calls = AccountCalls(rest, now=lambda: at.clock.now() + self.ahead, pace=at.options.speed)
        give = self.reports.extend
        instruments = {symbol: instrument_of(symbol) for symbol in SYMBOLS}
        self.submission = Submission(self.calls, self.tracker, give=give, instruments=instruments)
        self.restoring = Restoring(
            self.calls,
            self.tracker,
            give=give,
            submission=self.submission,
            pairs=CryptoPairs(["BTC/USD"]),
            expected=lambda: self.expected,
        )

    def watch(self, order_id: str, symbol: str, side: str, qty: str) -> Tracked:
        intent = OrderIntent(
            "one", symbol, Side(side), Decimal(qty), Decimal(1), reduces=False, reason=Reason.SIGNAL, ts=0
        )
        return self.tracker.watch(Approved(order_id, intent), self.calls.now())

    async def traded(self, symbol: str = "SPY", side: str = "buy", qty: str = "3", client_id: str = "") -> VenueOrder:
        """Trade without any word to the reader."""
        account = self.at.venue.accounts[self.at.key.account]
        tif = "gtc" if "/" in symbol else "day"
        request = OrderRequest(symbol, Side(side), "market", tif, Decimal(qty), client_order_id=client_id)
        order = self.at.venue.submit(account.name, request, now=self.at.clock.now())
        assert isinstance(order, VenueOrder), order
        await until(lambda: not account.working)
        return account.orders[order.id]


@asynccontextmanager
async def reader(**given: Any) -> AsyncIterator[Reader]:
    async with exchange(symbols=SYMBOLS) as at:
        one = Reader(at, **given)
        try:
            yield one
        finally:
            one.calls.close()


async def test_what_happened_in_a_gap_is_found_ours_and_others() -> None:
    async with reader() as one:
        await one.restoring.begin()
        tracked = one.watch("t-1", "BTC/USD", "buy", "0.01")
        await one.traded("BTC/USD", qty="0.01", client_id="t-1")
        await one.traded("QQQ", qty="2")
        await one.restoring.catch_up(one.calls.now())
        assert tracked.status is OrderStatus.FILLED
        assert one.tracker.external["QQQ"].qty == Decimal(2)
        count = len(one.reports)
        await one.restoring.catch_up(one.calls.now())
        assert len(one.reports) == count, "what is read again changes nothing"


async def test_an_order_on_no_list_is_looked_up_by_itself_and_explained_by_its_activities() -> None:
    async with reader() as one:
        await one.restoring.begin()
        tracked = one.watch("t-1", "SPY", "buy", "3")
        one.at.venue.set_halted("SPY", is_halted=True)
        await one.submission.send(tracked)
        one.at.venue.set_halted("SPY", is_halted=False)
        await until(lambda: not one.at.venue.accounts[one.at.key.account].working)
        one.ahead = 20 * MINUTE
        await one.restoring.catch_up(one.calls.now())
        assert (tracked.status, tracked.venue_end) == (OrderStatus.OPEN, OrderStatus.FILLED)
        one.ahead += MINUTE
        await one.restoring.explain()
        assert tracked.status is OrderStatus.FILLED


async def test_activities_are_read_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    monkeypatch.setattr(module, "ORDERS_PAGE", 2)
    async with reader() as one:
        await one.restoring.begin()
        for _ in range(5):
            await one.traded("QQQ", qty="1")
        await one.restoring.catch_up(one.calls.now())
        assert one.tracker.external["QQQ"].qty == Decimal(5)


async def test_executions_of_orders_nobody_has_heard_of_are_met_before_they_count() -> None:
    async with reader() as one:
        await one.restoring.begin()
        await one.traded("QQQ", qty="1")
        await one.restoring.sweep()
        assert one.tracker.external["QQQ"].qty == Decimal(1)


async def test_a_silent_order_is_found_on_the_list_of_open_ones() -> None:
    async with reader() as one:
        one.at.venue.set_halted("SPY", is_halted=True)
        await one.restoring.begin()
        tracked = one.watch("t-1", "SPY", "buy", "3")
        await one.submission.send(tracked)
        one.ahead = MINUTE
        await one.restoring.sweep()
        assert one.calls.now() - tracked.asked_at < module.SILENT


async def test_an_order_that_lives_although_it_was_given_up_is_found_within_a_minute() -> None:
    async with reader() as one:
        await one.restoring.begin()
        tracked = one.watch("t-1", "SPY", "buy", "3")
        one.tracker.refused("t-1", "it never arrived", one.calls.now())
        one.at.venue.set_halted("SPY", is_halted=True)
        request = OrderRequest("SPY", Side.BUY, "market", "day", Decimal(3), client_order_id="t-1")
        one.at.venue.submit(one.at.key.account, request, now=one.at.clock.now())
        await one.restoring.sweep()
        assert one.tracker.resurrected() == [tracked]


async def test_what_the_account_held_before_us_is_no_drift_and_splits_with_the_rest() -> None:
    async with reader() as one:
        await one.traded("QQQ", qty="2")
        await one.traded("BTC/USD", qty="0.01")
        await one.restoring.begin()
        for _ in range(3):
            assert await one.restoring.sweep() == []
            one.ahead += MINUTE
        assert one.restoring.drifted == {}
        one.ahead = 0
        one.at.venue.split("QQQ", Decimal(3), now=one.at.clock.now())
        (split,) = await one.restoring.sweep()
        assert (split.symbol, split.ratio) == ("QQQ", Decimal(3))
        for _ in range(3):
            assert await one.restoring.sweep() == []
            one.ahead += MINUTE
        assert one.restoring.drifted == {}


async def test_a_split_during_a_long_outage_is_learned_by_the_first_reading_after_it() -> None:
    async with reader() as one:
        await one.traded("QQQ", qty="2")
        await one.restoring.begin()
        one.at.venue.split("QQQ", Decimal(3), now=one.at.clock.now())
        one.ahead = 60 * MINUTE
        one.at.rest_faults.arm(RestFault(kind="status", match="GET /v2/account", status=503, count=1))
        with pytest.raises(OutcomeUnknown):
            await one.restoring.sweep()
        (split,) = await one.restoring.sweep()
        assert split.symbol == "QQQ"


async def test_a_drift_is_told_once_by_the_second_reading_and_forgotten_when_it_ends() -> None:
    async with reader() as one:
        await one.restoring.begin()
        one.expected = {"SPY": Decimal(1)}
        with capture_logs() as lines:
            await one.restoring.sweep()
            assert one.restoring.drifted == {}
            for _ in range(3):
                one.ahead += MINUTE
                await one.restoring.sweep()
        told = [line for line in lines if line["event"] == "account.drifted"]
        assert [(line["symbol"], line["difference"]) for line in told] == [("SPY", "-1")]
        one.expected = {"SPY": ZERO}
        await one.restoring.sweep()
        assert one.restoring.drifted == {}


async def test_refused_keys_are_told_at_the_beginning() -> None:
    async with reader(secret="x") as one:
        with pytest.raises(Refused):
            await one.restoring.begin()
