"""A trading desk with a market that stands still until a test moves it, served over loopback."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Generator
from decimal import Decimal
from socket import socket
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import msgspec
from alpaca.trading.client import TradingClient
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import Message
from uvicorn import Config, Server

from tests.build import T0
from trader.access.sim.fills import VenueRules
from trader.access.sim.venue import Venue
from trader.access.sim.venue_orders import TradeUpdate, VenueAsset
from trader.exchange.keys import key_for
from trader.exchange.request_log import RequestLog
from trader.exchange.rest_desk import TradingDesk
from trader.exchange.rest_faults import RestFaults
from trader.exchange.rest_trading import not_served, trading_routes
from trader.model.calendar import StockCalendar
from trader.model.instruments import instrument_of
from trader.model.ticks import Quote

FIRST, OTHER = key_for("first", seed=1), key_for("second", seed=1)
ASSETS = {
    "SPY": VenueAsset(instrument_of("SPY")),
    "AAPL": VenueAsset(instrument_of("AAPL")),
    "GME": VenueAsset(instrument_of("GME", fractionable=False), is_shortable=False, is_fractionable=False),
    "BTC/USD": VenueAsset(instrument_of("BTC/USD"), min_order_size=Decimal("0.00001")),
}
PRICES = {"SPY": 450.0, "AAPL": 200.0, "GME": 20.0, "BTC/USD": 90_000.0}
SPREAD_FRAC = 0.0001


class Called(NamedTuple):
    status: int
    body: Any
    headers: dict[str, str]


class Floor:
    """A desk, its venue's clock, and what the venue has told; ``url`` while it is served."""

    def __init__(self, *, now: int = T0, rules: VenueRules | None = None, **settings: Any) -> None:
        self.now = now
        self.venue = Venue(ASSETS, sessions=StockCalendar(), rules=rules or VenueRules())
        for key in (FIRST, OTHER):
            self.venue.open_account(key.account, Decimal(100_000))
        self.told: list[TradeUpdate] = []
        self.has_told = asyncio.Event()
        self.url = ""
        self.desk = TradingDesk(
            self.venue,
            StockCalendar(),
            now=lambda: self.now,
            keys={key.id: key for key in (FIRST, OTHER)},
            flush=self._flush,
            faults=RestFaults(),
            log=RequestLog(),
            **({"since": now, "per_minute": 10_000} | settings),
        )
        self.app = Starlette(routes=trading_routes(self.desk), exception_handlers={HTTPException: not_served})
        for symbol, price in PRICES.items():
            self.quote(symbol, price)

    def _flush(self) -> None:
        self.told += self.venue.updates()
        if self.told:
            self.has_told.set()

    def quote(self, symbol: str, price: float) -> None:
        """Let the market stand at a price, bid a little below and ask a little above."""
        half = round(price * SPREAD_FRAC / 2, 2)
        self.venue.observe([Quote(symbol, self.now, price - half, 100.0, price + half, 100.0)], now=self.now)
        self.desk.flush()

    def client(self, **settings: Any) -> TradingClient:
        """Return alpaca-py's client, unmodified."""
        return TradingClient(FIRST.id, FIRST.secret, url_override=self.url, **settings)

    async def call(self, method: str, path: str, *, key: Any = FIRST, json: Any = None, **query: Any) -> Called:
        """Send one request to the routes themselves; ``json`` is an object, or bytes as they are."""
        sent: list[Message] = []
        body = b"" if json is None else json if isinstance(json, bytes) else msgspec.json.encode(json)

        async def receive() -> Message:
            return {"type": "http.request", "body": body}

        async def send(message: Message) -> None:
            sent.append(message)

        shown = {"apca-api-key-id": key.id, "apca-api-secret-key": key.secret} if key else {}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": quote(path).encode(),
            "query_string": urlencode(query).encode(),
            "headers": [(name.encode(), value.encode()) for name, value in shown.items()],
        }
        await self.app(scope, receive, send)
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        written = b"".join(message.get("body", b"") for message in sent[1:])
        is_json = written.startswith((b"{", b"["))
        return Called(sent[0]["status"], msgspec.json.decode(written) if is_json else written, headers)

    async def get(self, path: str, **query: Any) -> Any:
        """Return the body of a good answer."""
        called = await self.call("GET", path, **query)
        assert called.status == 200, called
        return called.body

    async def order(self, symbol: str = "SPY", qty: Any = 1, **parts: Any) -> Called:
        """Send an order; a market order to buy for the day unless told otherwise."""
        tif = "gtc" if "/" in symbol else "day"
        body = {"symbol": symbol, "qty": qty, "side": "buy", "type": "market", "time_in_force": tif} | parts
        return await self.call("POST", "/v2/orders", json={name: part for name, part in body.items() if part != ""})


@contextlib.asynccontextmanager
async def serving(floor: Floor) -> AsyncIterator[Floor]:
    """Serve a desk on a free port of this machine."""
    async with served(floor.app) as floor.url:
        yield floor


@contextlib.asynccontextmanager
async def served(app: Starlette) -> AsyncIterator[str]:
    """Serve routes on a free port of this machine; give the address."""
    config = Config(app, host="127.0.0.1", port=0, lifespan="off", log_config=None, access_log=False, http="h11")
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    await server.is_up.wait()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.is_asked_to_end.set()
        await task


class _Server(Server):
    """A server of uvicorn that leaves the signals alone and ends when it is asked to."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.is_up, self.is_asked_to_end = asyncio.Event(), asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()

    async def main_loop(self) -> None:
        await self.is_asked_to_end.wait()
