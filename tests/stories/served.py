"""A local exchange in a thread and a loop of its own: programs trade on it while a test looks at it from plain code."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Self, TypeVar

from trader.exchange.fault_script import Known, script_of
from trader.exchange.local import ExchangeOptions, LocalExchange
from trader.exchange.truth import truth_of

Answer = TypeVar("Answer")

SLOW_S = 60.0  # what a machine under load may take for what takes no time


class Served:
    """Runs from entering to leaving its ``with``."""

    def __init__(self, options: ExchangeOptions) -> None:
        """Serve nothing yet."""
        self._options = options
        self._up: Future[LocalExchange] = Future()
        self._thread = threading.Thread(target=self._serve, name="exchange")
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self.exchange: LocalExchange

    def __enter__(self) -> Self:
        self._thread.start()
        self.exchange = self._up.result(SLOW_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Return what a function says on the exchange's own thread, between two of its doings."""
        answer: Future[Answer] = Future()

        def run() -> None:
            try:
                answer.set_result(question())
            except BaseException as error:  # noqa: BLE001 -- whoever asked is told
                answer.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return answer.result(SLOW_S)

    def variables(self) -> dict[str, str]:
        """Return the environment that leads a program here."""
        exchange = self.exchange
        return {
            "APCA_API_KEY_ID": exchange.key.id,
            "APCA_API_SECRET_KEY": exchange.key.secret,
            "APCA_API_BASE_URL": exchange.base_url,
            "APCA_API_DATA_URL": exchange.base_url,
            "APCA_API_STREAM_URL": exchange.stream_url,
        }

    def truth(self) -> dict[str, Any]:
        """Return what ``/_truth`` says of the first account, with what was asked beside it."""
        exchange = self.exchange
        found: dict[str, Any] = self.ask(lambda: truth_of(exchange.venue.accounts, exchange.log, now=self.now()))
        books = next(iter(found["accounts"].values()))
        return {**books, "requests": found["requests"]}

    def now(self) -> int:
        """Return the market's time."""
        return self.exchange.clock.now()

    def plan(self, *faults: dict[str, Any]) -> None:
        """Let faults happen, at once or at their times."""
        exchange = self.exchange
        known = Known(exchange.venue.assets, exchange.venue.accounts)

        def do() -> None:
            exchange.faults.add(script_of([*faults], known))
            exchange.faults.due(exchange.clock.now())

        self.ask(do)

    def kill_at_order(self, pid: int, nth: int) -> None:
        """End a process with signal 9 when the venue has taken its ``nth`` order from now: it never hears of it."""
        venue, taken = self.exchange.venue, 0
        submit = type(venue).submit

        def submitted(*arguments: Any, **named: Any) -> Any:
            nonlocal taken
            answer = submit(venue, *arguments, **named)
            taken += 1
            if taken == nth:
                os.kill(pid, signal.SIGKILL)
            return answer

        self.ask(lambda: setattr(venue, "submit", submitted))

    def spare(self) -> None:
        """Kill nobody any more."""
        self.ask(lambda: vars(self.exchange.venue).pop("submit", None))

    def _serve(self) -> None:
        with asyncio.Runner(debug=False) as runner:
            self._loop = runner.get_loop()
            try:
                runner.run(self._run())
            except BaseException as error:
                if self._up.done():
                    raise
                self._up.set_exception(error)

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        async with LocalExchange(self._options) as exchange:
            self._up.set_result(exchange)
            await exchange.wait(self._stop)
