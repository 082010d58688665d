"""A desk's half for tests of the broker: its ledger, what it was delivered, and an exchange on the other side."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from tests.exchange.exchanges import exchange
from tests.waiting import until
from trader.access.alpaca.broker import CAUSE, AlpacaBroker
from trader.access.alpaca.line import BrokerSettings
from trader.books.ledger import Ledger
from trader.exchange.local import LocalExchange
from trader.model.events import (
    AccountReconciled,
    BooksCreated,
    CashBooked,
    Event,
    ExternalFilled,
    ExternalReversed,
    OrderCreated,
    ReportIgnored,
    SandboxOpened,
    SymbolLocked,
    SymbolUnlocked,
)
from trader.model.inputs import (
    ActivityReported,
    ExternalReported,
    Held,
    Input,
    Mismatched,
    Reconciled,
    Released,
    Reported,
    Settled,
    Split,
)
from trader.model.instruments import instrument_of
from trader.model.orders import TERMINAL, Approved, ExecutionReport, OrderIntent, OrderStatus, Reason, Side

SYMBOLS = ("SPY", "QQQ", "BTC/USD")


def booked(message: Input) -> Event | None:
    """Return what an input about the account makes true, as the engine does."""
    event: Event | None = None
    match message:
        case ExternalReported(ts=ts, report=one) if one.reverses:
            event = ExternalReversed(ts, one.reverses, one.qty, one.price)
        case ExternalReported(symbol=symbol, side=side, report=one):
            event = ExternalFilled(
                one.ts, symbol, side, one.qty, one.price, one.fee, one.fee_asset, one.order_id, one.execution_id
            )
        case ActivityReported(ts=ts, activity_id=name, kind=kind, amount=amount):
            event = CashBooked(ts, name, kind, "", "", amount)
        case Reconciled(ts=ts, until=until):
            event = AccountReconciled(ts, until)
        case Mismatched(ts=ts, symbol=symbol, held=held, expected=expected, why=why):
            event = SymbolLocked(ts, symbol, held, expected, why)
        case Settled(ts=ts, symbol=symbol, by=by, adjusted=adjusted):
            event = SymbolUnlocked(ts, symbol, by, adjusted)
    return event


class Desk:
    """Books what a broker delivers, as the engine does."""

    def __init__(self, at: LocalExchange, *, books: Ledger | None = None, **settings: Any) -> None:
        self.at = at
        self.ledger = books or Ledger()
        if books is None:
            self.ledger.apply(BooksCreated(at.clock.now(), "b", "", at.options.cash, {}))
            self.ledger.apply(SandboxOpened(0, "one", at.options.cash))
        self.inputs: list[Input] = []
        self.ignored: list[ReportIgnored] = []
        self.failures: list[Exception] = []
        self.sent = self.ledger.orders_created
        key = at.key
        given = {
            "trading_url": at.base_url,
            "updates_url": f"{at.stream_url}/stream",
            "pace": at.options.speed,
            "instruments": {symbol: instrument_of(symbol) for symbol in SYMBOLS},
        }
        self.broker = AlpacaBroker(
            BrokerSettings(**{**given, "key_id": key.id, "secret": key.secret, **settings}),
            now=at.clock.now,
            deliver=self.take,
            ledger=self.ledger,
            fail=self.failures.append,
        )

    def take(self, message: Input) -> None:
        self.inputs.append(message)
        if isinstance(message, Reported):
            event = self.ledger.read(message.ts, message.report)
            if isinstance(event, ReportIgnored):
                self.ignored.append(event)
            self.ledger.apply(event)
        elif (event_of := booked(message)) is not None:
            self.ledger.apply(event_of)

    def order(self, symbol: str = "SPY", side: str = "buy", qty: str = "3") -> str:
        """Approve and send an order; return its id."""
        order_id = self.intend(symbol, side, qty)
        self.broker.submit(self.ledger.orders[order_id].approved)
        return order_id

    def intend(self, symbol: str, side: str, qty: str) -> str:
        """Approve an order that is not sent; return its id."""
        self.sent += 1
        now = self.at.clock.now()
        intent = OrderIntent(
            "one", symbol, Side(side), Decimal(qty), Decimal(1), reduces=side == "sell", reason=Reason.SIGNAL, ts=now
        )
        approved = Approved(f"t-{self.sent:04d}", intent)
        self.ledger.apply(OrderCreated(now, approved))
        return approved.order_id

    def held(self) -> Mapping[str, Decimal]:
        book = self.ledger.books["one"]
        return {symbol: position.qty for symbol, position in book.positions.items() if position.qty}

    def status(self, order_id: str) -> OrderStatus:
        return self.ledger.orders[order_id].status

    async def ended(self, *order_ids: str) -> None:
        """Wait until orders have ended in the books."""
        await until(lambda: all(self.status(order_id) in TERMINAL for order_id in order_ids))

    async def seen(self, is_so: Callable[["Desk"], object]) -> None:
        await until(lambda: is_so(self))

    def of(self, kind: type[Any]) -> list[Any]:
        return [one for one in self.inputs if isinstance(one, kind)]

    def reports(self, order_id: str) -> list[ExecutionReport]:
        return [one.report for one in self.of(Reported) if one.report.order_id == order_id]

    @property
    def gates(self) -> list[str]:
        """Return the holds and releases of the stream as they came."""
        return [type(one).__name__ for one in self.inputs if isinstance(one, Held | Released) and one.cause == CAUSE]

    @property
    def splits(self) -> list[Split]:
        return self.of(Split)

    def check(self) -> None:
        """Assert that the books are the account's, to the last digit."""
        account = self.at.venue.accounts[self.at.key.account]
        holdings = self.ledger.holdings()
        for symbol in SYMBOLS:
            assert holdings.get(symbol, 0) == account.qty(symbol), symbol
        assert self.ledger.cash() == account.cash
        for order_id, record in self.ledger.orders.items():
            venue_id = account.by_client_id.get(order_id)
            if venue_id is not None:
                assert record.filled == account.orders[venue_id].filled_qty
        assert self.failures == []


@asynccontextmanager
async def desk(**given: Any) -> AsyncIterator[Desk]:
    """Run an exchange and a broker that is connected to it."""
    settings = given.pop("settings", {})
    async with exchange(symbols=SYMBOLS, **given) as at:
        one = Desk(at, **settings)
        try:
            async with asyncio.timeout(60):
                await one.broker.start()
                yield one
        finally:
            await one.broker.stop()
