"""Requests to the account, each in its turn: what :mod:`line` sends, :mod:`limiter` lets go, in market time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from trader.access.alpaca.limiter import Limiter, Priority, Ticket
from trader.access.alpaca.line import Requests
from trader.access.alpaca.rest import Body, Params, Throttled
from trader.model.time import SECOND

SHORTEST_WAIT_S: Final = 0.001  # a timer that fires a hair too early is set again, without spinning


class AccountCalls:
    """One account's requests; ``now`` is market time, ``pace`` market time over real time."""

    def __init__(self, rest: Requests, *, now: Callable[[], int], pace: float = 1.0) -> None:
        """Begin with a whole minute's requests to make."""
        self.rest = rest
        self.now = now
        self.pace = pace
        self.throttled = 0
        self._limiter = Limiter()
        self._turns: dict[Ticket, asyncio.Future[None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def get(self, path: str, params: Params | None = None, *, priority: Priority = Priority.READ) -> Any:  # noqa: ANN401
        """Read ``path`` in its turn. Raises as :class:`~trader.access.alpaca.rest.RestDesk` does."""
        await self._turn(priority)
        return await self._counted(self.rest.get(path, params))

    async def post(self, path: str, body: Body, *, priority: Priority, begin: Callable[[], None]) -> Any:  # noqa: ANN401
        """Send ``body`` in its turn. Raises as :class:`~trader.access.alpaca.rest.RestDesk` does.

        ``begin`` is called when the turn has come, right before sending, and may raise instead.
        """
        await self._turn(priority)
        begin()
        return await self._counted(self.rest.post(path, body))

    async def delete(self, path: str) -> Any:  # noqa: ANN401
        """Delete ``path``, before everybody else. Raises as :class:`~trader.access.alpaca.rest.RestDesk` does."""
        await self._turn(Priority.CANCEL)
        return await self._counted(self.rest.delete(path))

    async def pause(self, duration: int) -> None:
        """Let ``duration`` (ns of market time) pass."""
        await asyncio.sleep(duration / SECOND / self.pace)

    def close(self) -> None:
        """Let go of the threads and the timer."""
        if self._timer is not None:
            self._timer.cancel()
        self.rest.close()

    async def _turn(self, priority: Priority) -> None:
        ticket = self._limiter.ask(priority)
        turn = self._turns[ticket] = asyncio.get_running_loop().create_future()
        self._grant()
        try:
            await turn
        finally:
            self._turns.pop(ticket, None)
            self._limiter.withdraw(ticket)

    def _grant(self) -> None:
        for ticket in self._limiter.take(self.now()):
            turn = self._turns.get(ticket)
            if turn is not None and not turn.done():
                turn.set_result(None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._limiter.next_time()
        if due is not None:
            wait_s = max(SHORTEST_WAIT_S, (due - self.now()) / SECOND / self.pace)
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._grant)

    async def _counted(self, request: Awaitable[Any]) -> Any:  # noqa: ANN401
        try:
            return await request
        except Throttled:
            self.throttled += 1
            self._limiter.pause(self.now())
            raise
