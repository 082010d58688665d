"""One request to the trading API on the wire: who asks, what goes wrong on purpose, what is answered.

A handler is a plain function that reads a request and calls the venue, without an await, so that nothing comes between
the two. Around it stands what all requests share: keys, the limit, faults, the log. What the venue did is told on the
stream before the answer is sent, as a fast market does to a real client.
"""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Receive, Scope, Send

from trader.access.sim.venue_orders import ENDED, Refusal
from trader.exchange.keys import Key, admitted
from trader.exchange.rest_desk import Answer, Ask, Handler, Later, TradingDesk
from trader.exchange.rest_faults import RestFault
from trader.exchange.rest_parameters import Declined, fields_of
from trader.exchange.rest_replies import JSON, Headers, Reply, answer, spoilt

ORDERS: Final = "/v2/orders"
LARGEST_BODY: Final = 64 * 1024  # an order takes a fiftieth of it
PATIENCE_S: Final = 5.0  # real seconds for orders to end that a request waits for; they take the venue's latency
_LOOKS_PER_S: Final = 200  # at what an answer waits for

_HTML: Headers = [(b"content-type", b"text/html; charset=UTF-8")]
_encode = msgspec.json.Encoder(decimal_format="number").encode  # amounts that Alpaca writes as text are text by now
_MESSAGES = {429: "rate limit exceeded", 500: "internal server error occurred", 504: "request timed out"}


class _Taken(NamedTuple):
    """What came of a request: the reply, the fault that struck it, and the order it is about."""

    reply: Reply
    fault: RestFault | None = None
    order_id: str = ""


_NO_KEYS = Reply(401, b"<html>\n<head><title>401 Authorization Required</title></head>\n</html>\n", _HTML)
_WRONG_KEYS = Reply(401, b'{"message":"unauthorized."}', JSON)
_TOO_LARGE = Reply(413, b'{"message":"request body too large"}', JSON)


class Endpoint:
    """One path of the API as an ASGI application: a handler for each method."""

    def __init__(self, desk: TradingDesk, pattern: str, handlers: Mapping[str, Handler]) -> None:
        """Answer requests for the paths of ``pattern``."""
        self._desk = desk
        self._pattern = pattern
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request, do it, and answer, unless a fault says otherwise."""
        method, log = scope["method"], self._desk.log
        body = await _body(receive)
        if body is None:
            return
        log.asked(f"{method} {self._pattern}")
        taken = await self._taken(scope, body)
        if method == "POST" and self._pattern == ORDERS:
            log.ordered(_client_id(body), taken.reply.status)
        if taken.fault is not None:
            await self._wait(taken.fault, taken.order_id)
        await answer(taken.reply, receive, send)

    async def _taken(self, scope: Scope, body: bytes) -> _Taken:
        """Do a request, if its sender may, and return the answer with the fault that struck it."""
        desk, method = self._desk, scope["method"]
        headers = dict(scope["headers"])
        key = _key(desk, headers)
        if isinstance(key, Reply):
            return _Taken(key)
        if len(body) > LARGEST_BODY:
            return _Taken(_TOO_LARGE)
        fault = desk.faults.take(method, scope["path"])
        quota = desk.limit.take(key.account)
        counted = JSON + quota.headers()
        if quota.is_over:
            return _Taken(_error(HTTPStatus.TOO_MANY_REQUESTS, counted))
        if fault is not None and fault.kind == "status":
            return _Taken(_error(fault.status, counted), fault)
        done = await self._done(scope, body, key.account)
        reply = Reply(done.status, b"" if done.body is None else _encode(done.body), counted)
        return _Taken(spoilt(reply, fault) if fault else reply, fault, done.order_id)

    async def _done(self, scope: Scope, body: bytes, account: str) -> Answer:
        desk, method = self._desk, scope["method"]
        handler = self._handlers["GET" if method == "HEAD" else method]
        try:
            query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
            fields = fields_of(body) if method in {"POST", "PATCH"} else {}
            ask = Ask(desk.venue.accounts[account], scope.get("path_params", {}), query, fields, desk.now())
            done = self._handled(handler, ask)
            while isinstance(done, Later):
                await self._until(done.is_ready, PATIENCE_S)
                done = self._handled(done.then, ask._replace(now=desk.now()))
        except Declined as declined:
            done = declined.refusal
        if isinstance(done, Refusal):
            return Answer(done.status, {"code": done.code, "message": done.message, **done.extra})
        return done

    def _handled(self, handler: Handler, ask: Ask) -> Answer | Refusal | Later:
        done = handler(self._desk, ask)
        self._desk.flush()
        return done

    async def _until(self, is_so: Callable[[], bool], within_s: float) -> None:
        """Let market time pass until something is so, for some real seconds at the most."""
        for _ in range(round(within_s * _LOOKS_PER_S)):
            self._desk.venue.advance(self._desk.now())
            self._desk.flush()
            if is_so():
                return
            await asyncio.sleep(1 / _LOOKS_PER_S)

    async def _wait(self, fault: RestFault, order_id: str) -> None:
        """Let the answer wait: all of its delay, or until its order has ended if it is to be overtaken."""
        if fault.kind == "late":
            await asyncio.sleep(fault.delay_s)
        elif fault.kind == "overtaken" and order_id:
            books = [account.orders for account in self._desk.venue.accounts.values() if order_id in account.orders]
            await self._until(lambda: books[0][order_id].status in ENDED, fault.delay_s)


def _key(desk: TradingDesk, headers: Mapping[bytes, bytes]) -> Key | Reply:
    key_id, secret = headers.get(b"apca-api-key-id"), headers.get(b"apca-api-secret-key")
    if not key_id or not secret:
        return _NO_KEYS
    return admitted(desk.keys, key_id.decode("latin-1"), secret.decode("latin-1")) or _WRONG_KEYS


def _error(status: int, headers: Headers) -> Reply:
    body = {"code": status * 100_000 + 10_000, "message": _MESSAGES.get(status, "service unavailable")}
    return Reply(status, _encode(body), headers)


class _Order(msgspec.Struct):
    client_order_id: str = ""


def _client_id(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Order).client_order_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


async def _body(receive: Receive) -> bytes | None:
    """Read a body, and no more of it than is needed to see that it is too large; None when the client left."""
    parts = bytearray()
    has_more = True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        has_more = message.get("more_body", False)
        if len(parts) <= LARGEST_BODY:
            parts += message.get("body", b"")
    return bytes(parts)
