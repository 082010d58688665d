"""Ask the market-data API: in this process, or over a socket as any client does."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from starlette.applications import Starlette
from starlette.types import Message

from tests.build import T0
from tests.exchange.desks import served
from trader.exchange.archive import Archive, SyntheticArchive
from trader.exchange.keys import key_for
from trader.exchange.request_log import RequestLog
from trader.exchange.rest_data import DataDesk, data_routes
from trader.exchange.rest_faults import RestFaults
from trader.model.time import HOUR, MINUTE

KEY = key_for("PA1", seed=1)
OTHER = key_for("PA2", seed=1)
NOW = T0 + 2 * HOUR + 5 * MINUTE + 30_000_000_000  # a Monday, 11:35:30 in New York
ARCHIVE = SyntheticArchive(seed=1)


class Called(NamedTuple):
    status: int
    headers: dict[str, str]
    body: Any


def desk(archive: Archive = ARCHIVE, *, now: int = NOW, **settings: Any) -> DataDesk:
    keys = {key.id: key for key in (KEY, OTHER)}
    return DataDesk(archive, lambda: now, keys, RestFaults(), RequestLog(), **settings)


async def call(desk: DataDesk, path: str, *, key: Any = KEY, **query: Any) -> Called:
    """Send one request to the routes themselves."""
    app = Starlette(routes=[*data_routes(desk)])
    sent: list[Message] = []
    shown = (
        [] if key is None else [(b"apca-api-key-id", key.id.encode()), (b"apca-api-secret-key", key.secret.encode())]
    )
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": urlencode(query).encode(),
        "headers": shown,
    }

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, _nothing, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Called(sent[0]["status"], headers, json.loads(body) if body.startswith((b"{", b"[")) else body)


async def ask(path: str, **query: Any) -> Any:
    """Send one request to a fresh desk and return the body of its good answer."""
    called = await call(desk(), path, **query)
    assert called.status == 200, called.body
    return called.body


@contextlib.asynccontextmanager
async def serving(desk: DataDesk) -> AsyncIterator[str]:
    """Serve on a free port of this machine; give the address."""
    async with served(Starlette(routes=[*data_routes(desk)])) as url:
        yield url


async def _nothing() -> Message:
    return {"type": "http.request", "body": b""}
