"""The checks of market data: the newest bar by request, and one connection of the stream."""

import asyncio
import time
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final, Literal

from trader.access.alpaca.backoff import Backoff
from trader.access.alpaca.connection import Connection, Endpoint, StreamRefused
from trader.access.alpaca.history import History
from trader.access.alpaca.protocol import DataProtocol
from trader.access.alpaca.stream_events import Authenticated, Event, Postponed, ReconnectWanted, Stopped
from trader.access.alpaca.wire import MSGPACK
from trader.access.alpaca.wire_data import Auth
from trader.access.alpaca.wire_time import ns_of
from trader.config.credentials import Credentials
from trader.errors import Refused, Unavailable
from trader.live.answers import Reads
from trader.live.checks import Check
from trader.model.time import HOUR, MINUTE, utc

PAIR_WITHIN_S: Final = 10.0  # the history repeats what fails, and would go on for longer
STREAM_WITHIN_S: Final = 15.0  # name, TCP, TLS, handshake, keys


async def newest_of_stock(reads: Reads, stock: str, feed: Literal["iex", "sip"]) -> Check:
    """Ask for the newest bar of a stock, from the feed that will stream. Raises EdgeError."""
    try:
        answer: Any = await reads.get("/stocks/bars/latest", {"symbols": stock, "feed": feed})
    except Refused as error:
        if error.status != HTTPStatus.FORBIDDEN or feed == "iex":
            raise
        remedy = 'set broker.alpaca.feed to "iex", which is free, or subscribe to sip at Alpaca'
        return Check("data_api", "fail", f"feed {feed}: {error}", remedy)
    try:
        ended = ns_of(answer["bars"][stock]["t"]) + MINUTE
    except (TypeError, KeyError, ValueError, AttributeError):  # AttributeError: the time is no text
        ended = None
    return _newest(f"{stock} ({feed})", ended)


async def newest_of_pair(data_url: str, credentials: Credentials, pair: str, now: int) -> Check:
    """Ask for the last hours' bars of a crypto pair; ``now`` is the venue's time (ns UTC). Raises EdgeError."""
    keys = credentials.key_id, credentials.secret.get_secret_value()
    history = History(data_url, keys, feeds={"crypto": "us"})
    try:
        async with asyncio.timeout(PAIR_WITHIN_S):
            bars = (await history.bars([pair], since=now - 3 * HOUR, until=now))[pair]
    except TimeoutError:
        raise Unavailable(f"no bars of {pair} within {PAIR_WITHIN_S:g} s") from None
    finally:
        history.close()
    return _newest(pair, bars[-1].ts if bars else None)


def _newest(what: str, ended: int | None) -> Check:
    if ended is None:
        return Check("data_api", "warn", f"no bar of {what}", "check that it trades there")
    return Check("data_api", "ok", f"newest bar of {what}: {utc(ended):%Y-%m-%d %H:%M} UTC")


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
