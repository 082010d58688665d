"""A program that forks `trader` processes which kill themselves: at the n-th passage of a named point, with signal 9.

Importing what `trader run` needs takes a second of work; here it is done once, and every child begins with it. A child
is a process like any other: its own memory, its own threads, its own end. Nothing of this is in the program itself: the
points are functions that are wrapped in the child, after the fork.

One JSON object a line comes in and describes a child; its process id goes out, and its exit code when it has ended
(below zero: the signal that ended it).
"""

import gc
import importlib
import inspect
import json
import os
import sys
import time
from collections.abc import Callable
from functools import wraps
from itertools import count
from typing import Any, Final

from trader.model.calendar import StockCalendar
from trader.model.time import parse_time

IMPORTED: Final = (
    "trader.cli.run",
    "trader.live.coordinator",
    "trader.live.alpaca",
    "trader.store.sqlite",
    "trader.strategies.momentum",
    "tests.stories.scheduled",
    "alpaca.trading.client",
    "difflib",
    "encodings.utf_8_sig",
    "uvloop",
)

ON_THE_LINE_S: Final = 1.0  # an order that is not found after that is not there: on this machine none is on its way

# Where a process may end, by the function that is about to be called, or has just returned.
POINTS: Final = {
    # the journal is made, opened, checked
    "journal.made": "trader.store.sqlite_file:create",
    "journal.opened": "trader.live.recover:open_journal",
    "ballast.kept": "trader.store.ballast:keep",
    "books.recovered": "trader.books.ledger:Ledger.recover",
    "event.applied": "trader.books.ledger:Ledger.apply",
    # the account is asked, the desk opens, history is shown
    "account.admitted": "trader.live.alpaca:admit",
    "broker.started": "trader.access.alpaca.broker:AlpacaBroker.start",
    "account.read": "trader.access.alpaca.restoring:Restoring.begin",
    "gap.read": "trader.access.alpaca.restoring:Restoring.catch_up",
    "world.opened": "trader.live.alpaca:AlpacaWorld.open",
    "history.shown": "trader.engine.engine:Engine._on_history",
    # an input, its events, what is done because of them
    "input.handled": "trader.engine.engine:Engine.handle",
    "order.decided": "trader.engine.desk:Desk._send",
    "step.recorded": "trader.live.recorder:Committer.record",
    "journal.written": "trader.store.sqlite:SqliteJournal.write",
    "rows.committed": "trader.store.sqlite:SqliteJournal._commit",
    "mark.written": "trader.store.watermark:Watermark.write",
    "commands.released": "trader.live.recorder:Committer._go_on",
    "order.submitted": "trader.access.alpaca.broker:AlpacaBroker.submit",
    # the wire
    "order.posted": "trader.access.alpaca.rest:RestDesk.post",
    "order.deleted": "trader.access.alpaca.rest:RestDesk.delete",
    "answer.taken": "trader.access.alpaca.tracker:OrderTracker.looked_up",
    "update.taken": "trader.access.alpaca.tracker:OrderTracker.update",
    "report.booked": "trader.engine.desk:Desk.report",
    # the day, the end
    "books.saved": "trader.engine.engine:BooksOpened",
    "stop.asked": "trader.access.alpaca.broker:AlpacaBroker.cancel_open",
    "recorder.closed": "trader.live.recorder:Committer.close",
    "journal.closed": "trader.store.sqlite:SqliteJournal.close",
    "world.closed": "trader.live.alpaca:AlpacaWorld.close",
}


def main() -> None:
    """Fork a child for every line until there are no more."""
    for name in IMPORTED:
        importlib.import_module(name)
    vars(importlib.import_module("trader.access.alpaca.submission"))["SETTLED_REAL_S"] = ON_THE_LINE_S
    StockCalendar().next_open(parse_time("2026-01-05"))  # built for a generation around it
    gc.collect()
    gc.freeze()  # what is shared with the children stays shared
    _say("ready")
    while line := sys.stdin.readline():
        order = json.loads(line)
        child = os.fork()
        if not child:
            _live(order)
        _say(str(child))
        _, status = os.waitpid(child, 0)
        _say(str(os.waitstatus_to_exitcode(status)))
    os._exit(0)  # nothing of it needs an end in order


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _live(order: dict[str, Any]) -> None:
    """Be a `trader` process: its files, its variables, its folder, its points."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    output = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    if order["disk_s"]:
        _wrap("rows.committed", lambda now: time.sleep(order["disk_s"]) if now == "before" else None)
    passed: set[str] = set()
    for strike in order["strikes"]:
        arm(passed, **strike)
    from trader.cli import main as trader

    sys.argv = ["trader", *order["arguments"]]
    code = trader(order["arguments"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def arm(passed: set[str], point: str, when: str, nth: int, *, number: int, since: str) -> None:
    """Send this process signal ``number`` at the ``nth`` passage, from 1, of a point: ``before`` or ``after`` it.

    Only passages count that come when the point ``since`` was passed before; ``passed`` holds those that were.
    """
    passages = count(1)

    def strike(now: str) -> None:
        if now == when and (not since or since in passed) and next(passages) == nth:
            os.kill(os.getpid(), number)

    if since:
        _wrap(since, lambda _: passed.add(since))
    _wrap(point, strike)


def _wrap(point: str, pass_by: Callable[[str], None]) -> None:
    module_name, _, path = POINTS[point].partition(":")
    owner: Any = importlib.import_module(module_name)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    setattr(owner, name, _wrapped(getattr(owner, name), pass_by))


def _wrapped(function: Callable[..., Any], pass_by: Callable[[str], None]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def later(*arguments: Any, **named: Any) -> Any:
            pass_by("before")
            answer = await function(*arguments, **named)
            pass_by("after")
            return answer

        return later

    @wraps(function)
    def at_once(*arguments: Any, **named: Any) -> Any:
        pass_by("before")
        answer = function(*arguments, **named)
        pass_by("after")
        return answer

    return at_once


if __name__ == "__main__":
    main()
