"""The market-data REST API: history in pages, the newest of everything, and snapshots, out of the exchange's archive.

Stocks need a key; coins need none, yet a wrong one is refused. All feeds show the one market there is, those of other
venues (overnight, OTC) show nothing.
Source: Alpaca market data API 1.1 (OpenAPI document). UNVERIFIED: one symbol that has nothing is answered 404.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Final

from starlette.routing import Route
from starlette.types import Scope

from trader.access.sim.venue_orders import Refusal
from trader.access.sim.venue_rules import invalid
from trader.exchange.archive import Archive
from trader.exchange.data_pages import DataPages
from trader.exchange.data_queries import DataAsk, Kind, history_query, latest_query
from trader.exchange.data_rows import RowJson, book_json, row_json
from trader.exchange.keys import Keys
from trader.exchange.request_log import RequestLog
from trader.exchange.rest_endpoint import Endpoint, Reply, encode, query_of
from trader.exchange.rest_faults import RestFault, RestFaults
from trader.exchange.rest_limits import DATA_PER_MINUTE, RateLimit
from trader.exchange.rest_parameters import Declined
from trader.model.instruments import AssetClass
from trader.model.ticks import Quote

_LOCATIONS: Final = frozenset({"us", "us-1", "us-2", "eu-1", "bs-1"})
_ONE: Final[dict[Kind, str]] = {"bars": "bar", "trades": "trade", "quotes": "quote"}


@dataclass(eq=False)
class DataDesk:
    """What market-data history stands on; ``keys`` is by id. An ``is_basic`` plan sees no recent consolidated data."""

    archive: Archive
    now: Callable[[], int]
    keys: Keys
    faults: RestFaults
    log: RequestLog
    per_minute: int = DATA_PER_MINUTE
    is_basic: bool = False
    limit: RateLimit = field(init=False)
    pages: DataPages = field(init=False)

    def __post_init__(self) -> None:
        """Begin to count requests."""
        self.limit = RateLimit(self.per_minute, self.now)
        self.pages = DataPages(self.archive)


Handler = Callable[[DataDesk, DataAsk], Awaitable[object]]


def data_routes(desk: DataDesk) -> list[Route]:
    """List the paths of stocks and of coins."""
    return [*_stock_routes(desk), *_crypto_routes(desk)]


def _stock_routes(desk: DataDesk) -> list[Route]:
    handlers: dict[str, Handler] = {"/v2/stocks/snapshots": _snapshots, "/v2/stocks/{symbol}/snapshot": _snapshots}
    for kind in _ONE:
        for path in (f"/v2/stocks/{kind}", f"/v2/stocks/{{symbol}}/{kind}"):
            handlers[path] = partial(_history, kind)
            handlers[f"{path}/latest"] = partial(_latest, kind)
    return [Route(path, DataEndpoint(desk, path, "stock", handler)) for path, handler in handlers.items()]


def _crypto_routes(desk: DataDesk) -> list[Route]:
    base = "/v1beta3/crypto/{loc}"
    handlers: dict[str, Handler] = {f"{base}/snapshots": _snapshots, f"{base}/latest/orderbooks": _orderbooks}
    for kind in _ONE:
        handlers[f"{base}/{kind}"] = partial(_history, kind)
        handlers[f"{base}/latest/{kind}"] = partial(_latest, kind)
    return [Route(path, DataEndpoint(desk, path, "crypto", handler)) for path, handler in handlers.items()]


class DataEndpoint(Endpoint):
    """One path of the API."""

    too_many = "too many requests."

    def __init__(self, desk: DataDesk, pattern: str, asset_class: AssetClass, handler: Handler) -> None:
        """Answer requests for the paths of ``pattern``."""
        super().__init__(desk, pattern)
        self.is_public = asset_class == "crypto"
        self._desk = desk
        self._asset_class = asset_class
        self._handler = handler

    async def done(self, scope: Scope, body: bytes, account: str) -> Reply:
        """Let the handler find it."""
        desk, path, given = self._desk, scope["path_params"], query_of(scope)
        symbol = path.get("symbol", "")
        try:
            if path.get("loc", "us") not in _LOCATIONS:
                raise Declined(invalid(f"invalid location: {path['loc'][:40]}"))
            if symbol:
                given["symbols"] = symbol
            ask = DataAsk(given, self._asset_class, desk.now(), desk.is_basic, symbol)
            return Reply(HTTPStatus.OK, encode(await self._handler(desk, ask)))
        except Declined as declined:
            return self.refused(declined.refusal)

    async def wait(self, fault: RestFault, order_id: str) -> None:
        """Let the answer be late; there is no order that could overtake it."""
        if fault.kind in {"late", "overtaken"}:
            await asyncio.sleep(fault.delay_s)

    def refused(self, refusal: Refusal) -> Reply:
        """Write a message alone; what trading answers with 422 is 400 here."""
        is_unread = refusal.status == HTTPStatus.UNPROCESSABLE_ENTITY
        return Reply(HTTPStatus.BAD_REQUEST if is_unread else refusal.status, encode({"message": refusal.message}))


async def _history(kind: Kind, desk: DataDesk, ask: DataAsk) -> object:
    query = history_query(kind, ask)
    page = await desk.pages.page(query, ask.now)
    rest: dict[str, object] = {"next_page_token": page.next_page_token}
    if ask.symbol:
        return {kind: page.rows.get(ask.symbol, []), "symbol": ask.symbol, **rest}
    return {kind: page.rows, **rest}


async def _latest(kind: Kind, desk: DataDesk, ask: DataAsk) -> object:
    symbols, now = latest_query(ask)
    newest = {symbol: rows[0] for symbol in symbols if (rows := await desk.pages.newest(kind, symbol, now))}
    found = {symbol: row_json(row, ask.asset_class) for symbol, row in newest.items()}
    return {"symbol": ask.symbol, _ONE[kind]: _of(ask.symbol, found)} if ask.symbol else {kind: found}


async def _orderbooks(desk: DataDesk, ask: DataAsk) -> object:
    symbols, now = latest_query(ask)
    newest = {symbol: rows[0] for symbol in symbols if (rows := await desk.pages.newest("quotes", symbol, now))}
    return {"orderbooks": {symbol: book_json(quote) for symbol, quote in newest.items() if isinstance(quote, Quote)}}


async def _snapshots(desk: DataDesk, ask: DataAsk) -> object:
    symbols, now = latest_query(ask)
    found = {symbol: shot for symbol in symbols if (shot := await desk.pages.snapshot(symbol, now))}
    if ask.asset_class == "crypto":
        return {"snapshots": found}
    if not ask.symbol:
        return found
    return {"symbol": ask.symbol, **_of(ask.symbol, found)}


def _of(symbol: str, found: Mapping[str, RowJson]) -> RowJson:
    if symbol not in found:
        raise Declined(Refusal(404, 40410000, f"no data found for {symbol}"))
    return found[symbol]
