"""The trading API: its paths, and how one of them is served.

A handler is a plain function that reads a request and calls the venue, without an await, so that nothing comes between
the two. What the venue did is told on the stream before the answer is sent, as a fast market does to a real client.
Watchlists, options, corporate actions and charts of an account are not served: 404.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from trader.access.sim.venue_orders import ENDED, Refusal
from trader.exchange.rest_account import configure, list_activities, show_account, show_configuration
from trader.exchange.rest_desk import Answer, Ask, Handler, Later, TradingDesk
from trader.exchange.rest_endpoint import Endpoint, Reply, encode, query_of
from trader.exchange.rest_faults import RestFault
from trader.exchange.rest_market import list_assets, list_days, show_asset, show_clock
from trader.exchange.rest_orders import cancel, cancel_all, find, find_by_client_id, list_orders, place, replace
from trader.exchange.rest_parameters import Declined, fields_of
from trader.exchange.rest_positions import close_all_positions, close_position, list_positions, show_position

PATIENCE_S: Final = 5.0  # real seconds for orders to end that a request waits for; they take the venue's latency
_LOOKS_PER_S: Final = 200  # at what an answer waits for
_ORDERS: Final = "/v2/orders"


def trading_routes(desk: TradingDesk) -> list[Route]:
    """Return the routes of the trading API, in the order in which they are to be tried."""
    return [
        Route(pattern, TradingEndpoint(desk, pattern, handlers), methods=list(handlers))
        for pattern, handlers in _PATHS.items()
    ]


def not_served(_: Request, error: Exception) -> Response:
    """Answer a path or a method that there is not as clients expect it: in JSON."""
    assert isinstance(error, HTTPException)
    body = {"code": error.status_code * 100_000 + 10_000, "message": "endpoint not found"}
    return Response(msgspec.json.encode(body), error.status_code, media_type="application/json")


class TradingEndpoint(Endpoint):
    """One path of the trading API: a handler for each method."""

    def __init__(self, desk: TradingDesk, pattern: str, handlers: Mapping[str, Handler]) -> None:
        """Answer requests for the paths of ``pattern``."""
        super().__init__(desk, pattern)
        self._desk = desk
        self._handlers = handlers

    async def done(self, scope: Scope, body: bytes, account: str) -> Reply:
        """Let the handler do it, in two parts if it has to wait in between."""
        desk, method = self._desk, scope["method"]
        handler = self._handlers["GET" if method == "HEAD" else method]
        try:
            fields = fields_of(body) if method in {"POST", "PATCH"} else {}
            path = scope.get("path_params", {})
            ask = Ask(desk.venue.accounts[account], path, query_of(scope), fields, desk.now())
            done = self._handled(handler, ask)
            while isinstance(done, Later):
                await self._until(done.is_ready, PATIENCE_S)
                done = self._handled(done.then, ask._replace(now=desk.now()))
        except Declined as declined:
            done = declined.refusal
        if isinstance(done, Refusal):
            return self.refused(done)
        return Reply(done.status, b"" if done.body is None else encode(done.body), order_id=done.order_id)

    async def wait(self, fault: RestFault, order_id: str) -> None:
        """Let the answer wait: all of its delay, or until its order has ended if it is to be overtaken."""
        if fault.kind == "late":
            await asyncio.sleep(fault.delay_s)
        elif fault.kind == "overtaken" and order_id:
            books = [account.orders for account in self._desk.venue.accounts.values() if order_id in account.orders]
            await self._until(lambda: books[0][order_id].status in ENDED, fault.delay_s)

    def refused(self, refusal: Refusal) -> Reply:
        """Write a refusal with its code."""
        return Reply(refusal.status, encode({"code": refusal.code, "message": refusal.message, **refusal.extra}))

    def note(self, scope: Scope, body: bytes, status: int) -> None:
        """Note each order that was sent, and the status it was answered with."""
        if scope["method"] == "POST" and self._pattern == _ORDERS:
            self._desk.log.ordered(_client_id(body), status)

    def _handled(self, handler: Handler, ask: Ask) -> Answer | Refusal | Later:
        try:
            return handler(self._desk, ask)
        finally:
            self._desk.flush()

    async def _until(self, is_so: Callable[[], bool], within_s: float) -> None:
        """Let market time pass until something is so, for some real seconds at the most."""
        for _ in range(round(within_s * _LOOKS_PER_S)):
            self._desk.venue.advance(self._desk.now())
            self._desk.flush()
            if is_so():
                return
            await asyncio.sleep(1 / _LOOKS_PER_S)


class _Order(msgspec.Struct):
    client_order_id: str = ""


def _client_id(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Order).client_order_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


_PATHS: Final[Mapping[str, Mapping[str, Handler]]] = {
    _ORDERS: {"POST": place, "GET": list_orders, "DELETE": cancel_all},
    "/v2/orders:by_client_order_id": {"GET": find_by_client_id},
    "/v2/orders/{order_id}": {"GET": find, "PATCH": replace, "DELETE": cancel},
    "/v2/positions": {"GET": list_positions, "DELETE": close_all_positions},
    "/v2/positions/{symbol:path}": {"GET": show_position, "DELETE": close_position},
    "/v2/account": {"GET": show_account},
    "/v2/account/configurations": {"GET": show_configuration, "PATCH": configure},
    "/v2/account/activities": {"GET": list_activities},
    "/v2/account/activities/{activity_type}": {"GET": list_activities},
    "/v2/assets": {"GET": list_assets},
    "/v2/assets/{symbol:path}": {"GET": show_asset},
    "/v2/clock": {"GET": show_clock},
    "/v2/calendar": {"GET": list_days},
}
