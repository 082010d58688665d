"""Market time: N times as fast as the wall clock, or as fast as the desk can, and always interruptible."""

import asyncio
import time

import pytest

from tests.build import T0
from trader.live.clock import MarketClock, WallClock
from trader.model.time import DAY, HOUR, SECOND


async def test_at_a_speed_a_wait_takes_its_part_of_real_time() -> None:
    clock = MarketClock(T0, 3600.0)
    assert clock.now() == T0
    clock.begin()
    began = time.monotonic()
    await clock.until(T0 + 180 * SECOND)
    assert time.monotonic() - began >= 0.05
    assert clock.now() >= T0 + 180 * SECOND


async def test_at_full_speed_time_is_what_was_waited_for() -> None:
    clock = MarketClock(T0, None)
    await clock.until(T0 + DAY)
    await clock.until(T0 + HOUR)
    assert clock.now() == T0 + DAY
    assert clock.pace == 1.0


async def test_at_full_speed_other_tasks_get_their_turn() -> None:
    clock = MarketClock(T0, None)
    heard = asyncio.Event()
    asyncio.get_running_loop().call_soon(heard.set)
    ts = T0
    while not heard.is_set():
        ts += SECOND
        await clock.until(ts)
    assert heard.is_set()


async def test_stopping_ends_a_wait_at_once_and_those_to_come() -> None:
    clock = MarketClock(T0, 1.0)
    clock.begin()
    asyncio.get_running_loop().call_later(0.01, clock.stop)
    began = time.monotonic()
    await clock.until(T0 + DAY)
    await clock.until(T0 + 2 * DAY)
    assert time.monotonic() - began < 5
    assert clock.is_stopped


def test_a_machine_whose_clock_is_set_while_a_desk_runs_moves_no_market_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = WallClock()
    clock.begin(T0)
    before = clock.now()
    monkeypatch.setattr("time.time_ns", lambda: T0 + 67 * SECOND)
    assert 0 <= clock.now() - before < SECOND
    assert T0 <= before < T0 + SECOND
