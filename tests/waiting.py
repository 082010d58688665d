"""How a test waits for what other tasks bring about: never for a time, always for a condition."""

import asyncio
from collections.abc import Callable

GUARD_S = 30.0  # far beyond what anything takes, on a machine under load too: a test that hangs fails by its own name


async def until(is_so: Callable[[], object]) -> None:
    """Let the loop turn until a condition holds."""
    async with asyncio.timeout(GUARD_S):
        while not is_so():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.001)
