"""The inbox: what comes in the order it came, timers between, and an end."""

import asyncio
from collections.abc import Sequence

from trader.live.clock import MarketClock, WallClock
from trader.live.inbox import Inbox
from trader.model.inputs import Input, Released, Ticks, TimerFired

T = 1_000_000_000_000


def clock() -> MarketClock:
    made = MarketClock(T, 1.0)
    made.begin()
    return made


async def taken(inbox: Inbox, market: MarketClock, count: int, wakings: Sequence[int] = ()) -> list[Input]:
    due = list(wakings)
    found: list[Input] = []
    async with asyncio.timeout(5):
        async for message in inbox.inputs(market, lambda: due[0] if due else None):
            found.append(message)
            if isinstance(message, TimerFired):
                due.pop(0)
            if len(found) == count:
                market.stop()
    return found


async def test_inputs_come_in_the_order_they_were_put_and_before_what_the_source_has() -> None:
    inbox, market = Inbox(), clock()
    waiting: list[Input] = [Ticks(T, ())]

    def source(now: int) -> list[Input]:
        taken, waiting[:] = [*waiting], []
        return taken

    inbox.listen(source)
    inbox.put(Released(T, "a"))
    inbox.put(Released(T, "b"))
    assert await taken(inbox, market, 3) == [Released(T, "a"), Released(T, "b"), Ticks(T, ())]


async def test_a_timer_that_is_due_comes_before_the_input_and_the_desk_is_asked_again() -> None:
    inbox, market = Inbox(), clock()
    inbox.put(Released(T + 5, "a"))
    assert await taken(inbox, market, 3, [T + 1, T + 5]) == [TimerFired(T + 1), TimerFired(T + 5), Released(T + 5, "a")]


async def test_a_ring_wakes_a_desk_that_waits_for_nothing() -> None:
    inbox, market = Inbox(), clock()
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: loop.call_soon(inbox.put, Released(T, "late")))
    assert await taken(inbox, market, 1) == [Released(T, "late")]


async def test_a_timer_wakes_a_desk_without_any_input() -> None:
    market = clock()
    due = market.now() + 20_000_000
    assert await taken(Inbox(), market, 1, [due]) == [TimerFired(due)]
    assert market.now() >= due


async def test_the_end_of_the_run_ends_the_inputs() -> None:
    market = WallClock()
    async with asyncio.timeout(5):
        assert [one async for one in Inbox().inputs(market, lambda: None, end=market.now() + 20_000_000)] == []
