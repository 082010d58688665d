"""Answers on the wire, and what a fault makes of them."""

from http import HTTPStatus
from typing import Any, Final, NamedTuple

import msgspec
from starlette.types import Receive, Send

from trader.exchange.request_log import NO_ANSWER
from trader.exchange.rest_faults import RestFault

Headers = list[tuple[bytes, bytes]]
JSON: Final[Headers] = [(b"content-type", b"application/json; charset=UTF-8")]


class Reply(NamedTuple):
    """An answer in bytes; a status of :data:`NO_ANSWER` cuts the connection."""

    status: int
    body: bytes
    headers: Headers = JSON


def refused(status: int, message: str, headers: Headers = JSON) -> Reply:
    """Answer with a message."""
    return Reply(status, msgspec.json.encode({"message": message}), headers)


def spoilt(reply: Reply, fault: RestFault) -> Reply:
    """Return what a fault makes of the answer to a request that was done."""
    if fault.kind == "accepted":
        return refused(HTTPStatus.GATEWAY_TIMEOUT, "request timed out", reply.headers)
    if fault.kind == "lost":
        return reply._replace(status=NO_ANSWER)
    if fault.kind == "garbage":
        return Reply(HTTPStatus.OK, b"<html><body>200 OK</body></html>", reply.headers)
    return reply


async def answer(reply: Reply, receive: Receive, send: Send) -> None:
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
