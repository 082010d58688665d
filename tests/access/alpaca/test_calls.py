"""Requests in their turn, in a market time that runs sixty times as fast."""

import asyncio

import pytest

from tests.access.alpaca.http_server import says, server
from trader.access.alpaca.calls import AccountCalls
from trader.access.alpaca.limiter import PAUSE, WINDOW, Priority
from trader.access.alpaca.rest import RestDesk, Throttled
from trader.model.time import SECOND

PACE = 600.0


def calls_to(url: str) -> AccountCalls:
    loop = asyncio.get_running_loop()
    return AccountCalls(RestDesk(url, "k", "s"), now=lambda: round(loop.time() * PACE * SECOND), pace=PACE)


async def test_the_two_hundred_and_first_request_waits_for_the_first_to_be_a_minute_old() -> None:
    market = [0]
    async with server(says(200, {})) as there:
        calls = AccountCalls(RestDesk(there.url, "k", "s"), now=lambda: market[0], pace=1e6)
        for _ in range(10):
            await asyncio.gather(*(calls.delete("/orders/1") for _ in range(20)))
        last = asyncio.ensure_future(calls.delete("/orders/1"))
        market[0] = WINDOW - 1
        await calls.pause(SECOND)
        assert (len(there.asked), last.done()) == (200, False)
        market[0] = WINDOW
        await last
        assert len(there.asked) == 201
        calls.close()


async def test_one_request_too_many_makes_all_wait_a_little() -> None:
    async with server(says(429, {"message": "rate limit exceeded"})) as there:
        calls = calls_to(there.url)
        with pytest.raises(Throttled):
            await calls.get("/clock")
        throttled_at = calls.now()
        there.answer = says(200, {})
        await calls.delete("/orders/1")
        assert calls.now() - throttled_at >= PAUSE - SECOND
        assert calls.throttled == 1
        calls.close()


async def test_what_is_not_wanted_any_more_when_its_turn_comes_is_not_sent() -> None:
    def begin() -> None:
        raise KeyError("not wanted")

    async with server(says(200, {})) as there:
        calls = calls_to(there.url)
        with pytest.raises(KeyError):
            await calls.post("/orders", {}, priority=Priority.ENTRY, begin=begin)
        assert there.asked == []
        calls.close()


async def test_who_stops_waiting_leaves_the_queue() -> None:
    async with server(says(429, {})) as there:
        calls = calls_to(there.url)
        with pytest.raises(Throttled):
            await calls.get("/clock")
        waiting = asyncio.ensure_future(calls.get("/clock"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert len(there.asked) == 1
        calls.close()
