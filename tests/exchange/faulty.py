"""A stage for faults without any socket: a real venue and market, and notes of what the hubs were told to do."""

from decimal import Decimal
from typing import Any, cast

from trader.access.alpaca.wire_data import DataMessage
from trader.access.sim.accounts import Account
from trader.access.sim.fills import VenueRules
from trader.access.sim.venue import Venue
from trader.access.sim.venue_orders import OrderRequest, TradeUpdate, VenueOrder
from trader.exchange.archive import SyntheticArchive
from trader.exchange.fault_script import Known, script_of
from trader.exchange.fault_terms import Stage
from trader.exchange.faults import FaultSchedule, Planned
from trader.exchange.rest_faults import RestFaults
from trader.exchange.splits import SplitArchive
from trader.exchange.tampering import Tampering
from trader.model.calendar import StockCalendar
from trader.model.orders import Side
from trader.model.ticks import Quote
from trader.model.time import SECOND, parse_time

START = parse_time("2026-01-05T14:30")  # New York's opening
ARCHIVE = SyntheticArchive(("SPY", "BTC/USD"), seed=1)
ASSETS = {symbol: asset for symbol, asset in ARCHIVE.assets().items() if symbol in {"SPY", "QQQ", "BTC/USD"}}
KNOWN = Known(symbol=ASSETS, account=("A", "B"))


class Noted:
    """Whatever is called of it is written down."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *given: self.calls.append((name, *given))


class Theatre:
    """Two accounts at New York's opening, SPY at 100, a coin at 1000; ``now`` is where the clock stands."""

    def __init__(self, *faults: dict[str, object], seed: int = 0) -> None:
        self.now = START
        self.data, self.trading, self.rest = Noted(), Noted(), RestFaults()
        self.lines = {"stock": Noted(), "crypto": Noted(), "trading": Noted()}
        self.venue = Venue(dict(ASSETS), sessions=StockCalendar(), rules=VenueRules(fill="next_quote", has_fees=False))
        for name in KNOWN.account:
            self.venue.open_account(name, Decimal(100_000))
        self.quote("SPY", 100)
        self.quote("BTC/USD", 1000)
        self.sent: list[tuple[str, DataMessage]] = []
        self.told: list[TradeUpdate] = []
        self.wanted = {"SPY", "QQQ", "BTC/USD"}
        self.tape = Tampering(
            lambda endpoint, messages: self.sent.extend((endpoint, message) for message in messages),
            now=lambda: self.now,
            wants=lambda _, message: message.symbol in self.wanted,
        )
        self.archive = SplitArchive(ARCHIVE)
        self.schedule = self.scheduled(*faults, seed=seed)

    def scheduled(self, *faults: dict[str, object], seed: int = 0) -> FaultSchedule:
        """Plan faults on this stage."""
        stage = Stage(
            data=cast("Any", self.data),
            trading=cast("Any", self.trading),
            lines=cast("Any", self.lines),
            rest=self.rest,
            venue=self.venue,
            tape=self.tape,
            split=self.archive.split,
            flush=lambda: self.told.extend(self.venue.updates()),
        )
        script = script_of({"seed": seed, "faults": list(faults)}, KNOWN)
        return FaultSchedule(script, stage, start=START)

    def quote(self, symbol: str, middle: float) -> None:
        """Show the venue a quote of a tenth around a price."""
        self.venue.observe([Quote(symbol, self.now, middle - 0.05, 100, middle + 0.05, 100)], now=self.now)

    def order(self, client_order_id: str, account: str = "A", **fields: Any) -> VenueOrder:
        """Place an order: one share of SPY, at a limit that does not fill, unless said otherwise."""
        given: dict[str, Any] = {"symbol": "SPY", "side": "buy", "qty": Decimal(1), "type": "limit"}
        given |= {"limit_price": Decimal(90)} | fields | {"client_order_id": client_order_id}
        request = OrderRequest(**given | {"side": Side(given["side"])})
        order = self.venue.submit(account, request, now=self.now)
        assert isinstance(order, VenueOrder), order
        return order

    def bought(self, client_order_id: str, account: str = "A", qty: int = 10) -> VenueOrder:
        """Buy SPY at the market."""
        return self.order(client_order_id, account, type="market", limit_price=None, qty=Decimal(qty))

    def status(self, order: VenueOrder, account: str = "A") -> str:
        """Return how an order stands."""
        return self.books(account).orders[order.id].status

    def books(self, account: str = "A") -> Account:
        """Return an account's books."""
        return self.venue.accounts[account]

    def later(self, seconds: float) -> list[Planned]:
        """Let time pass for the faults and the tape; return the log."""
        self.now += round(seconds * SECOND)
        self.venue.advance(self.now)
        self.schedule.due(self.now)
        self.tape.tick()
        return self.schedule.log


def kinds_of(messages: list[tuple[str, DataMessage]]) -> list[tuple[str, str]]:
    """Return kind and symbol of each message that was sent."""
    return [(str(message.__struct_config__.tag), message.symbol) for _, message in messages]
