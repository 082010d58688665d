"""Virtual time: order, waits that cost nothing, and a process that ends between two steps."""

import asyncio

import pytest

from trader.model.time import SECOND
from trader.storm.timeline import Stalled, Timeline, VirtualLoop


def nothing() -> None:
    """Look at nothing between two steps."""


def test_what_is_planned_for_one_moment_happens_in_the_order_of_planning() -> None:
    timeline, seen = Timeline(), list[str]()
    timeline.at(2, seen.append, "c")
    timeline.at(1, seen.append, "a")
    timeline.at(1, seen.append, "b")
    timeline.run(2, nothing)
    assert (seen, timeline.now) == (["a", "b", "c"], 2)


def test_what_was_called_off_does_not_happen() -> None:
    timeline, seen = Timeline(), list[str]()
    VirtualLoop(timeline).call_later(1, seen.append, "a").cancel()
    timeline.run(5 * SECOND, nothing)
    assert (seen, timeline.now) == ([], 5 * SECOND)


def test_a_day_of_sleep_takes_no_time_and_events_time_outs_and_tasks_work_in_it() -> None:
    timeline, seen = Timeline(), list[tuple[str, float]]()
    loop = VirtualLoop(timeline)
    loop.enter()
    bell = asyncio.Event()

    async def waits() -> None:
        try:
            async with asyncio.timeout(3600):
                await bell.wait()
        except TimeoutError:
            seen.append(("gave up", loop.time()))
        await bell.wait()
        seen.append(("heard", loop.time()))

    async def rings() -> None:
        await asyncio.sleep(86_400)
        bell.set()

    loop.create_task(waits())
    loop.create_task(rings())
    timeline.run(100_000 * SECOND, nothing)
    loop.kill()
    assert seen == [("gave up", 3600.0), ("heard", 86_400.0)]


def test_a_dead_process_does_nothing_more_and_what_the_world_planned_goes_on() -> None:
    timeline, seen = Timeline(), list[str]()
    loop = VirtualLoop(timeline)
    loop.enter()

    async def process() -> None:
        try:
            await asyncio.sleep(5)
            seen.append("process")
        finally:
            loop.create_task(asyncio.sleep(1))  # a goodbye that nobody hears

    loop.create_task(process())
    timeline.at(3 * SECOND, loop.kill)
    timeline.at(6 * SECOND, seen.append, "world")
    timeline.run(10 * SECOND, nothing)
    assert seen == ["world"]


def test_a_process_that_spins_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trader.storm.timeline.MOST_STEPS", 1000)
    timeline = Timeline()
    loop = VirtualLoop(timeline)
    loop.enter()

    async def spins() -> None:
        while loop.is_running():  # noqa: ASYNC110 -- it is to spin
            await asyncio.sleep(0)

    loop.create_task(spins())
    with pytest.raises(Stalled, match=r"1000 steps by 0\.000 s"):
        timeline.run(SECOND, nothing)
    loop.kill()
