"""Receipts: who waits is told when it is durable, for the very input it delivered."""

import asyncio

import pytest

from trader.errors import NotDurable
from trader.live.receipts import Receipts
from trader.model.events import SandboxWarmed
from trader.model.inputs import Control, Input


def control() -> Control:
    return Control(1, "halt", "", "somebody")


async def test_a_delivery_ends_with_the_events_of_that_very_input() -> None:
    put: list[Input] = []
    receipts, equal_ones = Receipts(put.append), [control(), control()]
    first, second = [asyncio.ensure_future(receipts.deliver(one)) for one in equal_ones]
    await asyncio.sleep(0)
    receipts.settle(put[1], [SandboxWarmed(2, "two")])
    assert await second == [SandboxWarmed(2, "two")]
    assert not first.done()
    receipts.settle(put[0], [])
    assert await first == []


async def test_an_input_that_is_durable_at_once_is_no_wait() -> None:
    receipts = Receipts(lambda message: receipts.settle(message, []))
    assert await receipts.deliver(control()) == []


async def test_what_nobody_waits_for_is_settled_in_silence() -> None:
    put: list[Input] = []
    receipts = Receipts(put.append)
    waiting = asyncio.ensure_future(receipts.deliver(control()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    receipts.settle(put[0], [])
    receipts.settle(control(), [])


async def test_everybody_who_waits_learns_that_nothing_becomes_durable_any_more() -> None:
    receipts = Receipts(lambda message: None)  # noqa: ARG005 -- it goes nowhere
    waiting = [asyncio.ensure_future(receipts.deliver(control())) for _ in range(2)]
    await asyncio.sleep(0)
    receipts.fail(NotDurable("the disk failed"))
    for one in waiting:
        with pytest.raises(NotDurable):
            await one


async def test_who_comes_after_the_failure_learns_it_at_once() -> None:
    put: list[Input] = []
    receipts = Receipts(put.append)
    receipts.fail(NotDurable("the disk failed"))
    async with asyncio.timeout(1):
        with pytest.raises(NotDurable):
            await receipts.deliver(control())
    assert put == []  # what cannot become durable is not decided any more


async def test_what_the_desk_raises_is_the_end_of_the_wait() -> None:
    def put(message: Input) -> None:
        raise AssertionError(f"broken by {message}")

    receipts = Receipts(put)
    with pytest.raises(AssertionError):
        await receipts.deliver(control())
