"""What is read of an account, against the local exchange: it finds what the stream has not told, and tells drifts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from tests.access.alpaca.desks import SYMBOLS, booked
from tests.exchange.exchanges import exchange
from tests.waiting import until
from trader.access.alpaca import lookups as lookups_module
from trader.access.alpaca import restoring as module
from trader.access.alpaca.calls import AccountCalls
from trader.access.alpaca.comparing import Reading
from trader.access.alpaca.line import BrokerSettings
from trader.access.alpaca.lookups import Lookups
from trader.access.alpaca.rest import RestDesk
from trader.access.alpaca.restoring import Restoring
from trader.access.alpaca.submission import Submission
from trader.access.alpaca.tracked import Tracked
from trader.access.alpaca.tracker import OrderTracker
from trader.access.sim.execution import activity_id
from trader.access.sim.venue_orders import Activity, OrderRequest, VenueOrder
from trader.books.book import OrderRecord
from trader.books.ledger import Ledger
from trader.errors import OutcomeUnknown, ReconcileError, Refused, Unavailable, WireError
from trader.exchange.local import LocalExchange
from trader.exchange.rest_faults import RestFault
from trader.model.events import BooksCreated
from trader.model.inputs import ActivityReported, ExternalReported, Input, Reconciled, Split
from trader.model.instruments import instrument_of
from trader.model.money import ZERO
from trader.model.orders import Approved, ExecutionReport, OrderIntent, OrderStatus, Reason, Side
from trader.model.time import MINUTE, SECOND


class Reader:
    """A daemon without a stream: all it knows it has read."""

    def __init__(self, at: LocalExchange, *, secret: str = "", books: Ledger | None = None) -> None:
        self.at = at
        self.inputs: list[Input] = []
        self.reports: list[ExecutionReport] = []
        self.ledger = books or Ledger()
        self.ahead = 0  # how far the reader's clock is set forward
        self.tracker = OrderTracker(self.ledger)
        self.tracker.recall(at.clock.now())
        rest = RestDesk(at.base_url, at.key.id, secret or at.key.secret)
        self.calls = AccountCalls(rest, now=lambda: at.clock.now() + self.ahead, pace=at.options.speed)
        instruments = {symbol: instrument_of(symbol) for symbol in SYMBOLS}
        settings = BrokerSettings(trading_url="", updates_url="", key_id="", secret="", instruments=instruments)
        lookups = self.lookups = Lookups(self.calls, self.tracker, self.give)
        self.submission = Submission(lookups, instruments, is_confirmed=lambda: True, look=lambda _approved, _qty: "")
        self.restoring = Restoring(lookups, self.ledger, settings=settings, deliver=self.deliver)

    def give(self, reports: list[ExecutionReport]) -> None:
        self.reports += reports
        for message in self.tracker.external():
            self.deliver(message)

    def deliver(self, message: Input) -> None:
        self.inputs.append(message)
        if (event := booked(message)) is not None:
            self.ledger.apply(event)

    def of(self, kind: type[Any]) -> list[Any]:
        return [one for one in self.inputs if isinstance(one, kind)]

    async def begin(self) -> None:
        """Open new books with what the account holds."""
        found = await self.restoring.begin()
        self.ledger.apply(BooksCreated(found.ts, "b", found.number, found.cash, dict(found.positions)))

    def external(self, symbol: str) -> Decimal:
        return self.ledger.account.external.get(symbol, ZERO)

    def watch(self, order_id: str, symbol: str, side: str, qty: str) -> Tracked:
        now = self.calls.now()
        intent = OrderIntent(
            "one", symbol, Side(side), Decimal(qty), Decimal(1), reduces=False, reason=Reason.SIGNAL, ts=now
        )
        return self.tracker.watch(Approved(order_id, intent), now)

    def pay(self, kind: Any, amount: str, symbol: str = "") -> None:
        now, account = self.at.clock.now(), self.at.venue.accounts[self.at.key.account]
        name = activity_id(now, f"{kind}{len(account.activities)}")
        self.at.venue.pay(account.name, Activity(name, kind, now, "", symbol, ZERO, Decimal(amount)))

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
        await one.begin()
        tracked = one.watch("t-1", "BTC/USD", "buy", "0.01")
        await one.traded("BTC/USD", qty="0.01", client_id="t-1")
        await one.traded("QQQ", qty="2")
        await one.restoring.catch_up(one.calls.now())
        assert tracked.status is OrderStatus.FILLED
        assert one.external("QQQ") == Decimal(2)
        count = len(one.reports)
        await one.restoring.catch_up(one.calls.now())
        assert len(one.reports) == count, "what is read again changes nothing"


async def test_an_order_that_ended_in_a_gap_is_explained_by_its_activities() -> None:
    async with reader() as one:
        await one.begin()
        tracked = one.watch("t-1", "SPY", "buy", "3")
        one.at.venue.set_halted("SPY", is_halted=True)
        await one.submission.send(tracked)
        one.at.venue.set_halted("SPY", is_halted=False)
        await until(lambda: not one.at.venue.accounts[one.at.key.account].working)
        one.ahead = 20 * MINUTE
        await one.restoring.catch_up(one.calls.now())
        assert (tracked.status, tracked.venue_end) == (OrderStatus.FILLED, OrderStatus.FILLED)


async def test_activities_are_read_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    monkeypatch.setattr(lookups_module, "PAGE", 2)
    async with reader() as one:
        await one.begin()
        for _ in range(5):
            await one.traded("QQQ", qty="1")
        await one.restoring.catch_up(one.calls.now())
        assert one.external("QQQ") == Decimal(5)


async def test_executions_of_orders_nobody_has_heard_of_are_met_before_they_count() -> None:
    async with reader() as one:
        await one.begin()
        await one.traded("QQQ", qty="1")
        await one.restoring.sweep()
        assert one.external("QQQ") == Decimal(1)


async def test_a_silent_order_is_found_on_the_list_of_open_ones() -> None:
    async with reader() as one:
        one.at.venue.set_halted("SPY", is_halted=True)
        await one.begin()
        tracked = one.watch("t-1", "SPY", "buy", "3")
        await one.submission.send(tracked)
        one.ahead = MINUTE
        await one.restoring.sweep()
        assert one.calls.now() - tracked.asked_at < module.SILENT


async def test_an_order_that_lives_although_it_was_given_up_is_found_among_the_open_ones() -> None:
    async with reader() as one:
        await one.begin()
        tracked = one.watch("t-1", "SPY", "buy", "3")
        one.tracker.refused("t-1", "it never arrived", one.calls.now())
        one.at.venue.set_halted("SPY", is_halted=True)
        request = OrderRequest("SPY", Side.BUY, "market", "day", Decimal(3), client_order_id="t-1")
        one.at.venue.submit(one.at.key.account, request, now=one.at.clock.now())
        await one.lookups.open()
        assert one.tracker.resurrected() == [tracked]


async def test_what_the_account_held_before_the_books_is_theirs_from_the_start_and_told_by_nobody() -> None:
    async with reader() as one:
        await one.traded("QQQ", qty="2")
        await one.traded("BTC/USD", qty="0.01")
        one.pay("INT", "1.5")
        await one.begin()
        await one.restoring.catch_up(one.calls.now())
        await one.restoring.sweep()
        assert one.external("QQQ") == Decimal(2)
        assert [row.amount for row in one.of(ActivityReported)] == [ZERO], "known, and without its money"
        assert one.ledger.cash() == one.at.venue.accounts[one.at.key.account].cash


async def test_money_that_moves_without_a_trade_is_told_once_and_fees_of_coins_not_at_all() -> None:
    async with reader() as one:
        await one.begin()
        await one.traded("QQQ", qty="2")
        await one.traded("BTC/USD", qty="0.01")
        await one.traded("BTC/USD", "sell", "0.005")
        one.pay("DIV", "3.25", "QQQ")
        one.pay("FEE", "-0.02", "QQQ")
        one.pay("CSD", "500")
        for _ in range(2):
            await one.restoring.sweep()
        rows = [(row.kind, row.symbol, row.amount) for row in one.of(ActivityReported)]
        assert rows == [("DIV", "QQQ", Decimal("3.25")), ("FEE", "", Decimal("-0.02")), ("CSD", "", Decimal(500))]
        assert one.ledger.cash() == one.at.venue.accounts[one.at.key.account].cash
        assert one.restoring.unbooked_fees < ZERO


async def test_a_split_during_a_long_outage_is_learned_by_the_first_reading_after_it() -> None:
    async with reader() as one:
        await one.traded("QQQ", qty="2")
        await one.begin()
        one.at.venue.split("QQQ", Decimal(3), now=one.at.clock.now())
        one.ahead = 60 * MINUTE
        one.at.rest_faults.arm(RestFault(kind="status", match="GET /v2/account", status=503, count=1))
        with pytest.raises(OutcomeUnknown):
            await one.restoring.sweep()
        assert one.of(Reconciled) == []
        for _ in range(2):
            await one.restoring.sweep()
        (split,) = one.of(Split)
        assert (split.symbol, split.ratio) == ("QQQ", Decimal(3))


async def test_what_is_handed_over_is_said_to_be_and_the_next_life_begins_there() -> None:
    async with reader() as one:
        await one.begin()
        await one.traded("QQQ", qty="2")
        one.pay("INT", "1.5")
        began = one.calls.now()
        await one.restoring.catch_up(began)
        (said,) = one.of(Reconciled)
        assert began <= said.until <= said.ts
        await one.traded("QQQ", qty="1")
        one.pay("INT", "2.5")
        again = Reader(one.at, books=one.ledger)
        again.ahead = 30 * MINUTE
        await again.restoring.begin()
        await again.restoring.catch_up(again.calls.now())
        assert [row.report.qty for row in again.of(ExternalReported)] == [Decimal(1)]
        assert [row.amount for row in again.of(ActivityReported)] == [Decimal("2.5")]
        assert one.ledger.cash() == one.at.venue.accounts[one.at.key.account].cash
        again.calls.close()


async def test_books_of_another_account_are_not_traded_on() -> None:
    async with reader() as one:
        one.ledger.apply(BooksCreated(0, "b", "PA0", ZERO, {}))
        with pytest.raises(ReconcileError, match="PA0"):
            await one.restoring.begin()


async def test_new_books_wait_until_two_readings_agree_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async with reader() as one:
        account, read = one.at.venue.accounts[one.at.key.account], one.restoring.read
        moves = 3

        async def moving() -> Reading:
            nonlocal moves
            moves -= 1
            if moves > 0:
                one.pay("INT", "1")
            return await read()

        monkeypatch.setattr(one.restoring, "read", moving)
        assert (await one.restoring.begin()).cash == account.cash
        moves = 99
        with pytest.raises(Unavailable, match="differed"):
            await one.restoring.begin()


async def test_an_empty_list_of_positions_is_not_believed_where_the_account_has_some() -> None:
    async with reader() as one:
        await one.traded("QQQ", qty="2")
        held = one.at.venue.accounts[one.at.key.account].positions
        get = one.calls.get

        async def empty(path: str, params: Any = None, **more: Any) -> Any:
            return [] if path == "/positions" else await get(path, params, **more)

        one.calls.get = empty  # type: ignore[method-assign]
        with pytest.raises(WireError, match="no positions"):
            await one.restoring.read()
        one.calls.get = get  # type: ignore[method-assign]
        assert (await one.restoring.read()).positions == {"QQQ": held["QQQ"].qty}


async def test_executions_that_nobody_tells_are_made_up_after_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    async with reader() as one:
        await one.begin()
        tracked = one.watch("t-1", "SPY", "buy", "3")
        order = await one.traded("SPY", qty="3", client_id="t-1")
        list_them = one.restoring._activities  # noqa: SLF001

        async def late(kind: str, since: int, *, order_id: str = "") -> list[object]:
            return [] if order_id else await list_them(kind, since)

        monkeypatch.setattr(one.restoring, "_activities", late)
        await one.lookups.one(tracked)
        for _ in range(6):
            one.ahead += 20 * SECOND
            await one.restoring.explain()
        (made_up,) = [report for report in one.reports if report.execution_id]
        assert (made_up.execution_id, made_up.qty, made_up.price) == ("syn:t-1:3", Decimal(3), order.filled_avg_price)
        monkeypatch.setattr(one.restoring, "_activities", list_them)
        one.ahead += 20 * MINUTE
        await one.restoring.explain()
        undone, *real = [report for report in one.reports if report.execution_id][1:]
        assert undone.reverses == "syn:t-1:3"
        assert sum(report.qty for report in real) == Decimal(3)


async def test_an_absent_order_that_the_books_released_is_asked_about_no_more() -> None:
    async with reader() as one:
        await one.begin()
        tracked = one.watch("t-1", "SPY", "buy", "3")
        one.tracker.absent("t-1", "nowhere", one.calls.now())
        one.ledger.orders["t-1"] = OrderRecord(tracked.approved, ZERO, OrderStatus.ABSENT)
        one.ahead = 6 * MINUTE
        for _ in range(2):
            await one.restoring.sweep()
        assert one.at.log.totals["GET /v2/orders:by_client_order_id"] == 1, "rarely"
        one.ledger.orders["t-1"].status = OrderStatus.REJECTED
        await one.restoring.sweep()
        assert one.tracker.open() == []


async def test_refused_keys_are_told_at_the_beginning() -> None:
    async with reader(secret="x") as one:
        with pytest.raises(Refused):
            await one.begin()
