"""Virtual time: what is due happens in order, nothing waits, and one process's event loop lives in it.

Everything that happens is an :class:`Entry` of one :class:`Timeline`: what the world does stays when a process dies,
what the process's loop has planned dies with it. Between two entries a process may be killed: that is every await.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Final, TypeVar

from trader.model.time import SECOND

_T = TypeVar("_T")

MOST_STEPS: Final = 2_000_000  # of one run; more is a loop that spins without time passing


class Stalled(Exception):
    """Time does not pass any more: something calls itself for ever."""


class Entry:
    """Something that is to be done; what asyncio calls a handle."""

    __slots__ = ("args", "call", "context", "is_off", "owner")

    def __init__(
        self,
        call: Callable[..., object],
        args: tuple[Any, ...],
        context: Context | None = None,
        owner: "VirtualLoop | None" = None,
    ) -> None:
        """Belong to ``owner``, or to nobody: then it happens whatever dies."""
        self.is_off = False
        self.owner = owner
        self.call = call
        self.args = args
        self.context = context

    def cancel(self) -> None:
        """Do it no more."""
        self.is_off = True

    def cancelled(self) -> bool:
        """Return whether it is not to be done any more."""
        return self.is_off


class Timeline:
    """The order of everything in one run; ``now`` is ns since its beginning."""

    def __init__(self) -> None:
        """Begin at zero, with nothing to do."""
        self.now = 0
        self.steps = 0
        self.note: Callable[[str], None] | None = None  # who wants to read what happens
        self._due: list[tuple[int, int, Entry]] = []
        self._ready: deque[Entry] = deque()
        self._planned = 0

    def trace(self, write: Callable[[str], None]) -> None:
        """Write down what happens, with its time in seconds."""
        self.note = lambda what: write(f"{self.now / SECOND:10.6f}  {what}")

    def at(self, when: int, call: Callable[..., object], *args: object) -> None:
        """Plan something of the world; what lies in the past is done next."""
        self.plan(when, Entry(call, args))

    def after(self, delay: int, call: Callable[..., object], *args: object) -> None:
        """Plan something of the world ``delay`` ns from now."""
        self.plan(self.now + delay, Entry(call, args))

    def plan(self, when: int, entry: Entry) -> None:
        """Plan an entry for a time."""
        self._planned += 1
        heapq.heappush(self._due, (when, self._planned, entry))

    def soon(self, entry: Entry) -> None:
        """Plan an entry for this very moment, after what was planned for it before."""
        self._ready.append(entry)

    def run(self, until: int, between: Callable[[], object]) -> None:
        """Let time pass until ``until``; ``between`` is called after each thing that was done.

        Raises:
            Stalled: it takes more than :data:`MOST_STEPS`.
        """
        ready, due, pop = self._ready, self._due, heapq.heappop
        while ready or (due and due[0][0] <= until):
            if ready:
                entry = ready.popleft()
            else:
                when, _, entry = pop(due)
                self.now = max(self.now, when)
            if entry.is_off or (entry.owner is not None and entry.owner.is_dead):
                continue
            if entry.context is None:
                entry.call(*entry.args)
            else:
                entry.context.run(entry.call, *entry.args)
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise Stalled(f"{MOST_STEPS} steps by {self.now / SECOND:.3f} s")
            between()
        self.now = max(self.now, until)


class VirtualLoop:
    """The event loop of one process in a timeline; :meth:`kill` is the end of that process, without a goodbye.

    It has what asyncio's tasks, futures, events and time-outs ask a loop for, and no more.
    """

    def __init__(self, timeline: Timeline) -> None:
        """Begin with no task."""
        self.is_dead = False
        self._timeline = timeline
        self._tasks: dict[asyncio.Task[Any], None] = {}

    def enter(self) -> None:
        """Be the loop that runs, in the place of the one before."""
        asyncio._set_running_loop(self)  # type: ignore[arg-type]  # noqa: SLF001 -- what running a loop does

    def kill(self) -> None:
        """Let nothing of this process happen any more; what its tasks would still say goes nowhere."""
        self.is_dead = True
        for task in self._tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001 -- it is meant to end so
            while not task.done() and not _is_closed(task.get_coro()):
                pass
        self._tasks.clear()
        asyncio._set_running_loop(None)  # noqa: SLF001

    def time(self) -> float:
        """Return seconds of the timeline."""
        return self._timeline.now / SECOND

    def call_soon(self, callback: Callable[..., object], *args: object, context: Context | None = None) -> Entry:
        """Plan something for now."""
        entry = Entry(callback, args, context, self)
        self._timeline.soon(entry)
        return entry

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> Entry:
        """Plan something ``delay`` seconds from now."""
        entry = Entry(callback, args, context, self)
        self._timeline.plan(self._timeline.now + max(0, round(delay * SECOND)), entry)
        return entry

    def call_at(
        self, when: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> Entry:
        """Plan something for a time of :meth:`time`."""
        entry = Entry(callback, args, context, self)
        self._timeline.plan(round(when * SECOND), entry)
        return entry

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return asyncio.Future(loop=self)  # type: ignore[arg-type]

    def create_task(self, coro: Coroutine[Any, Any, _T], **options: Any) -> asyncio.Task[_T]:  # noqa: ANN401
        """Begin a task; a dead process begins none."""
        task = asyncio.Task(coro, loop=self, **options)  # type: ignore[arg-type]
        if self.is_dead:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001 -- nobody will run it
            coro.close()
            return task
        self._tasks[task] = None
        task.add_done_callback(self._forget)
        return task

    def get_debug(self) -> bool:
        """Return False: what asyncio would look for is looked for elsewhere."""
        return False

    def is_running(self) -> bool:
        """Return whether the process lives."""
        return not self.is_dead

    def is_closed(self) -> bool:
        """Return whether the process is dead."""
        return self.is_dead

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Ignore what nobody caught: whoever began a task looks at how it ended."""

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)


def _is_closed(coroutine: Any) -> bool:  # noqa: ANN401 -- typeshed knows several kinds
    """Close a coroutine; return False where it waits for something else instead."""
    try:
        coroutine.close()
    except RuntimeError:
        return False
    return True
