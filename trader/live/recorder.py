"""Durable before done: events go to the journal, and what may happen because of them happens when they are on disk.

``record`` never waits. A thread of its own writes whatever has gathered since its last commit in one transaction, so
that a slow disk makes larger commits and not a longer queue; the loop is not held up by the disk at all.
"""

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar

import structlog

from trader.errors import JournalFull, NotDurable, StoreError
from trader.model.events import Event
from trader.store.journal import Journal

log = structlog.get_logger()

Then = Callable[[], None]
Result = TypeVar("Result")

MOST_WAITING = 20_000  # steps; a disk that is so far behind does not answer any more, and orders wait for it
CLOSE_WITHIN_S = 10.0  # for a disk that hangs when the run ends


class Recorder(Protocol):
    """Makes events durable, in the order they came."""

    def record(self, events: Sequence[Event], then: Then | None) -> None:
        """Write one step's events; call ``then`` on the loop's thread when they, and all before, are durable."""

    async def flush(self) -> None:
        """Wait until all that was recorded is durable and acted on, or surely will not be."""

    def on_journal(self, work: Callable[[Journal], Result]) -> Awaitable[Result]:
        """Run ``work`` on the journal between two commits."""

    async def close(self) -> None:
        """Write what is waiting, then let go."""


class NoJournal:
    """For a market that is made up: nothing of it is worth more than the process."""

    def record(self, events: Sequence[Event], then: Then | None) -> None:
        """Go on at once."""
        if then is not None:
            then()

    async def flush(self) -> None:
        """Do nothing: all is done."""

    async def on_journal(self, work: Callable[[Journal], Result]) -> Result:
        """Refuse. Raises StoreError."""
        raise StoreError("this run keeps no journal: its market is simulated")

    async def close(self) -> None:
        """Do nothing."""


class Committer:
    """Writes to a journal in a thread of its own."""

    def __init__(self, journal: Journal, *, fail: Callable[[Exception], None], full: Callable[[], None]) -> None:
        """Begin; ``full`` is called when the disk's last reserve is in use, ``fail`` when nothing more is durable."""
        self._journal = journal
        self._fail = fail
        self._full = full
        self._loop = asyncio.get_running_loop()
        self._waiting: queue.SimpleQueue[_Step | Callable[[], None] | None] = queue.SimpleQueue()
        self._failure: Exception | None = None  # set on the loop's thread
        self._asked: set[asyncio.Future[Any]] = set()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def record(self, events: Sequence[Event], then: Then | None) -> None:
        """Write one step's events; ``then`` is not called any more once something could not be written."""
        if self._failure is not None:
            return
        self._waiting.put(_Step(events, then))
        if self._waiting.qsize() > MOST_WAITING:
            self._lose(NotDurable(f"the disk of the journal does not answer: {MOST_WAITING:,} steps wait for it"))

    async def flush(self) -> None:
        """Wait until all that was recorded is durable and acted on, or surely will not be."""
        if self._failure is None:
            with suppress(StoreError):
                await self.on_journal(lambda _: None)

    async def on_journal(self, work: Callable[[Journal], Result]) -> Result:
        """Run ``work`` on the journal between two commits. Raises what it raises, StoreError where it is lost."""
        if self._failure is not None:
            raise self._failure
        answer: asyncio.Future[Result] = self._loop.create_future()
        self._asked.add(answer)
        answer.add_done_callback(self._asked.discard)

        def run() -> None:
            try:
                result = work(self._journal)
            except Exception as error:  # noqa: BLE001 -- whoever asked is told
                self._tell(_settle, answer, None, error)
            else:
                self._tell(_settle, answer, result, None)

        self._waiting.put(run)
        return await answer

    async def close(self) -> None:
        """Write what is waiting, and close the journal."""
        self._waiting.put(None)
        await self._loop.run_in_executor(None, self._thread.join, CLOSE_WITHIN_S)
        if self._thread.is_alive():
            log.error("journal.unfinished", why=f"its disk did not answer within {CLOSE_WITHIN_S:g} s")

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except Exception as error:  # noqa: BLE001 -- nothing after it may be believed, whatever it was
            self._tell(self._lose, error)
        try:
            self._journal.close()
        except Exception as error:  # noqa: BLE001 -- all that was acknowledged is on disk: the next start reads it
            log.error("journal.unfinished", why=str(error))  # noqa: TRY400 -- that tells enough

    def _turn(self) -> bool:
        """Do all that waits, in order; tell whether there is more to come."""
        if self._waiting.empty():
            self._journal.rest()
        taken = [self._waiting.get()]
        while not self._waiting.empty():
            taken.append(self._waiting.get_nowait())
        steps: list[_Step] = []
        for one in taken:
            if isinstance(one, _Step):
                steps.append(one)
                continue
            self._write(steps)
            steps = []
            if one is None:
                return False
            one()
        self._write(steps)
        return True

    def _write(self, steps: list["_Step"]) -> None:
        if not steps:
            return
        events = [step.events for step in steps]
        try:
            self._journal.write(events)
        except JournalFull:
            if not self._journal.release_ballast():
                raise
            self._journal.write(events)
            self._tell(self._full)
        if then := [step.then for step in steps if step.then is not None]:
            self._tell(self._go_on, then)

    def _go_on(self, then: list[Then]) -> None:
        for one in then:
            if self._failure is None:
                try:
                    one()
                except Exception as error:  # noqa: BLE001 -- whatever it is, nothing goes on as if it had been done
                    self._lose(error)

    def _lose(self, error: Exception) -> None:
        if self._failure is None:
            self._failure = error
            log.critical("journal.lost", why=str(error))
            for answer in self._asked:
                if not answer.done():  # those that were answered in this turn of the loop are among them still
                    answer.set_exception(NotDurable(f"the journal is lost: {error}"))
            self._fail(error)

    def _tell(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop is closed: nobody is left to be told
            return


class _Step:
    __slots__ = ("events", "then")

    def __init__(self, events: Sequence[Event], then: Then | None) -> None:
        self.events = events
        self.then = then


def _settle(answer: "asyncio.Future[Result]", result: Result, error: Exception | None) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)
