"""Receipts: whoever hands the desk an input may wait until what it made true is durable."""

import asyncio
from collections.abc import Callable, Sequence

from trader.model.events import Event
from trader.model.inputs import Input


class Receipts:
    """Inputs that somebody waits for, from their delivery to the commit of their events."""

    def __init__(self, put: Callable[[Input], object]) -> None:
        """Hand inputs on by ``put``, which may handle them at once; what it raises is no answer but the desk's end."""
        self._put = put
        self._waiting: dict[int, tuple[Input, asyncio.Future[Sequence[Event]]]] = {}
        self._failure: Exception | None = None

    async def deliver(self, message: Input) -> Sequence[Event]:
        """Hand an input to the desk and return its events when they are durable; who stops waiting recalls nothing.

        What cannot become durable any more is not handed over: what failed is raised.
        """
        if self._failure is not None:
            raise self._failure
        future: asyncio.Future[Sequence[Event]] = asyncio.get_running_loop().create_future()
        self._waiting[id(message)] = message, future  # kept, so that no other object has its id
        try:
            self._put(message)
            return await future
        finally:
            del self._waiting[id(message)]

    def waits_for(self, message: Input) -> bool:
        """Tell whether somebody waits for this very object."""
        return id(message) in self._waiting

    def settle(self, message: Input, events: Sequence[Event]) -> None:
        """Tell whoever waits for this very object, if anybody does, that its events are durable."""
        _, future = self._waiting.get(id(message), (None, None))
        if future is not None and not future.done():
            future.set_result(events)

    def fail(self, error: Exception) -> None:
        """Tell everybody who waits, or comes later, that nothing more becomes durable."""
        self._failure = error
        for _, future in self._waiting.values():
            if not future.done():
                future.set_exception(error)
