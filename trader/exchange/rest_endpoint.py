"""One request on the wire: who asks, what goes wrong on purpose, what is answered; the same for every path there is.

What a path does stands in :mod:`~trader.exchange.rest_trading` and :mod:`~trader.exchange.rest_data`. Around it stands
what all requests share: keys, the limit, faults, the log.
"""

from http import HTTPStatus
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Receive, Scope, Send

from trader.access.sim.venue_orders import Refusal
from trader.exchange.keys import Keys, admitted
from trader.exchange.request_log import NO_ANSWER, RequestLog
from trader.exchange.rest_faults import RestFault, RestFaults
from trader.exchange.rest_limits import RateLimit

LARGEST_BODY: Final = 64 * 1024  # an order takes a fiftieth of it

Headers = list[tuple[bytes, bytes]]
JSON: Final[Headers] = [(b"content-type", b"application/json; charset=UTF-8")]
_HTML: Final[Headers] = [(b"content-type", b"text/html; charset=UTF-8")]
_NOBODY: Final = ""  # the account of requests without a key, where none is needed
_FAILURES: Final = {500: "internal server error occurred", 504: "request timed out"}

encode = msgspec.json.Encoder(decimal_format="number").encode  # amounts that Alpaca writes as text are text by now


class Reply(NamedTuple):
    """An answer in bytes, about an order or none; a status of :data:`NO_ANSWER` cuts the connection."""

    status: int
    body: bytes
    headers: Headers = JSON
    order_id: str = ""


_NO_KEYS = Reply(401, b"<html>\n<head><title>401 Authorization Required</title></head>\n</html>\n", _HTML)
_WRONG_KEYS = Reply(401, b'{"message":"unauthorized."}')
_TOO_LARGE = Reply(413, b'{"message":"request body too large"}')


class Desk(Protocol):
    """What every endpoint stands on; ``keys`` is by id."""

    keys: Keys
    faults: RestFaults
    log: RequestLog
    limit: RateLimit


class Endpoint:
    """One path as an ASGI application; subclasses do what is asked and say how a refusal looks."""

    too_many = "rate limit exceeded"
    is_public = False  # then nobody needs keys; wrong ones are refused all the same

    def __init__(self, desk: Desk, pattern: str) -> None:
        """Answer requests for the paths of ``pattern``."""
        self._shared = desk
        self._pattern = pattern

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request, do it, and answer, unless a fault says otherwise."""
        body = await _body(receive)
        if body is None:
            return
        self._shared.log.asked(f"{scope['method']} {self._pattern}")
        reply, fault = await self._struck(scope, body)
        self.note(scope, body, reply.status)
        if fault is not None:
            await self.wait(fault, reply.order_id)
        await _answer(reply, receive, send)

    async def done(self, scope: Scope, body: bytes, account: str) -> Reply:
        """Do what is asked."""
        raise NotImplementedError

    async def wait(self, fault: RestFault, order_id: str) -> None:
        """Let an answer wait as long as its fault says."""
        raise NotImplementedError

    def refused(self, refusal: Refusal) -> Reply:
        """Write a refusal."""
        raise NotImplementedError

    def note(self, scope: Scope, body: bytes, status: int) -> None:
        """Note what was asked and answered, where it is worth more than a count."""

    async def _struck(self, scope: Scope, body: bytes) -> tuple[Reply, RestFault | None]:
        """Do a request, if its sender may, and return the answer with the fault that struck it."""
        account = self._account(dict(scope["headers"]))
        if isinstance(account, Reply):
            return account, None
        if len(body) > LARGEST_BODY:
            return _TOO_LARGE, None
        quota = self._shared.limit.take(account)
        fault = None if quota.is_over else self._shared.faults.take(scope["method"], scope["path"])
        if quota.is_over:
            reply = self._failed(HTTPStatus.TOO_MANY_REQUESTS)
        elif fault is not None and fault.kind == "status":
            reply = self._failed(fault.status)
        else:
            reply = await self.done(scope, body, account)
        return self._spoilt(reply, fault)._replace(headers=JSON + quota.headers()), fault

    def _account(self, headers: dict[bytes, bytes]) -> str | Reply:
        key_id, secret = headers.get(b"apca-api-key-id"), headers.get(b"apca-api-secret-key")
        if not key_id and not secret and self.is_public:
            return _NOBODY
        if not key_id or not secret:
            return _NO_KEYS
        key = admitted(self._shared.keys, key_id.decode("latin-1"), secret.decode("latin-1"))
        return key.account if key else _WRONG_KEYS

    def _spoilt(self, reply: Reply, fault: RestFault | None) -> Reply:
        """Return what a fault makes of the answer to a request that was done."""
        match fault.kind if fault is not None else None:
            case "accepted":
                return self._failed(HTTPStatus.GATEWAY_TIMEOUT)
            case "lost":
                return reply._replace(status=NO_ANSWER)
            case "garbage":
                return reply._replace(status=HTTPStatus.OK, body=b"<html><body>200 OK</body></html>")
        return reply

    def _failed(self, status: int) -> Reply:
        is_over = status == HTTPStatus.TOO_MANY_REQUESTS
        message = self.too_many if is_over else _FAILURES.get(status, "service unavailable")
        return self.refused(Refusal(status, status * 100_000 + 10_000, message))


def query_of(scope: Scope) -> dict[str, str]:
    """Return what stands behind the question mark."""
    return dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))


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


async def _answer(reply: Reply, receive: Receive, send: Send) -> None:
    """Send a reply, or cut the connection instead."""
    if reply.status == NO_ANSWER:
        await _cut(receive)
        return
    headers = [*reply.headers, (b"content-length", b"%d" % len(reply.body))]
    await send({"type": "http.response.start", "status": int(reply.status), "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


async def _cut(receive: Receive) -> None:
    """End the connection without an answer; ASGI has no word for it, so uvicorn's own object gives its socket."""
    cycle: Any = getattr(receive, "__self__", None)
    assert hasattr(cycle, "transport"), "an answer can only be lost when uvicorn serves, without middleware in between"
    cycle.transport.abort()
    await receive()  # returns when uvicorn has seen the end, and no longer wants an answer
