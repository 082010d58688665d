"""The checks of market data: the newest bar by request, and one connection of the stream."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final, Literal

from trader.access.alpaca.backoff import Backoff
from trader.access.alpaca.connection import Connection, Endpoint, StreamRefused
from trader.access.alpaca.protocol import DataProtocol
from trader.access.alpaca.stream_events import Authenticated, Event, Postponed, ReconnectWanted, Stopped
from trader.access.alpaca.wire import MSGPACK
from trader.access.alpaca.wire_data import Auth
from trader.access.alpaca.wire_time import ns_of
from trader.config.credentials import Credentials
from trader.errors import Refused
from trader.live.answers import Reads
from trader.live.checks import Check
from trader.model.time import MINUTE, utc

STREAM_WITHIN_S: Final = 15.0  # name, TCP, TLS, handshake, keys


async def newest_bar(reads: Reads, tickers: Sequence[str], feed: Literal["iex", "sip"]) -> Check:
    """Ask for the newest bar of the first stock, with the feed that will stream. Raises EdgeError."""
    stock = next((ticker for ticker in tickers if "/" not in ticker), "" if tickers else "SPY")
    if not stock:
        return Check("data_api", "skip", "no stock among the tickers; crypto data need no plan")
    try:
        answer: Any = await reads.get("/stocks/bars/latest", {"symbols": stock, "feed": feed})
    except Refused as error:
        if error.status != HTTPStatus.FORBIDDEN:
            raise
        remedy = "use --data-feed iex, which is free, or subscribe to sip at Alpaca" if feed == "sip" else ""
        return Check("data_api", "fail", f"feed {feed}: {error}", remedy)
    try:
        ended = ns_of(answer["bars"][stock]["t"]) + MINUTE
    except (TypeError, KeyError, ValueError, AttributeError):  # AttributeError: the time is no text
        return Check("data_api", "warn", f"no bar of {stock} ({feed})", "check that it trades on this feed")
    return Check("data_api", "ok", f"newest bar of {stock} ({feed}): {utc(ended):%Y-%m-%d %H:%M} UTC")


async def stream_opens(url: str, credentials: Credentials) -> Check:
    """Connect once, show the keys, and go again."""
    loop = asyncio.get_running_loop()
    heard: asyncio.Future[Event] = loop.create_future()

    def take(event: Event) -> None:
        if not heard.done() and isinstance(event, Authenticated | Postponed | ReconnectWanted | Stopped):
            heard.set_result(event)

    def make() -> DataProtocol:
        auth = Auth(credentials.key_id, credentials.secret.get_secret_value())
        return DataProtocol(MSGPACK, auth, mute_after=MINUTE)

    endpoint = Endpoint("data stream", url, {"Content-Type": MSGPACK.content_type})
    connection = Connection(endpoint, make, take, backoff=Backoff(lambda: 0.0))
    running = asyncio.create_task(connection.run())
    began = time.monotonic()
    try:
        async with asyncio.timeout(STREAM_WITHIN_S):
            event = await heard
    except TimeoutError:
        return Check("stream", "fail", f"{url} did not answer within {STREAM_WITHIN_S:g} s", "check network and proxy")
    finally:
        connection.stop()
        with suppress(StreamRefused):
            await running
    return _said(url, event, time.monotonic() - began)


def _said(url: str, event: Event, took_s: float) -> Check:
    if isinstance(event, Authenticated):
        return Check("stream", "ok", f"{url} took the keys ({took_s:.1f} s)")
    if isinstance(event, Postponed):
        remedy = "stop the other program (or another trader with these keys); after a crash its place is free in 90 s"
        return Check("stream", "warn", f"{url}: another connection holds the only place (406)", remedy)
    if isinstance(event, Stopped):
        what, _, remedy = str(StreamRefused(url, event.code, event.text)).partition(". ")
        return Check("stream", "fail", what, remedy)
    assert isinstance(event, ReconnectWanted), event
    return Check("stream", "fail", f"{url}: {event.text}", "check network and proxy, then try again")
