"""A desk that is killed again and again: real processes, one account, one state folder, signal 9 at chosen moments."""

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import msgspec

from tests.stories.judging import differences, unowned
from tests.stories.markets import WISHES
from tests.stories.programs import OURS
from tests.stories.served import SLOW_S, Served
from trader.model.events import Event
from trader.model.time import MINUTE
from trader.store.sqlite import open_journal

ROOT = Path(__file__).parents[2]
KILLED = -signal.SIGKILL
SETTLED = 4 * MINUTE  # of the market's: what the last life had on its way has arrived
_LOOK_EVERY_S = 0.01


class Strike(msgspec.Struct, frozen=True):
    """A signal that a process sends itself at the ``nth`` passage of a point of :mod:`tests.stories.nursery`.

    With ``since`` those passages count that come when this other point was passed.
    """

    point: str
    when: str = "before"
    nth: int = 1
    since: str = ""
    number: int = signal.SIGKILL


class Kill(msgspec.Struct, frozen=True):
    """How one life ends.

    By a strike of its own, or from outside: when the venue has taken its ``at_order``-th order, or after some seconds.
    ``stop_first``: where it is asked to stop, so that it dies while it stops. ``disk_s``: how long its disk takes for
    each commit; what does not wait for the disk is far ahead of it then.
    """

    strike: Strike | None = None
    at_order: int | None = None
    after_s: float | None = None
    stop_first: Strike | None = None
    disk_s: float = 0.0

    def __str__(self) -> str:
        if self.strike is not None:
            since = f" since {self.strike.since}" if self.strike.since else ""
            return f"{self.strike.when} {self.strike.point} #{self.strike.nth}{since}"
        return f"order {self.at_order} taken" if self.at_order is not None else f"after {self.after_s:.2f} s"


def before(point: str, nth: int = 1, *, since: str = "") -> Kill:
    """Kill when a point is reached."""
    return Kill(Strike(point, "before", nth, since))


def after(point: str, nth: int = 1, *, since: str = "") -> Kill:
    """Kill when a point was passed."""
    return Kill(Strike(point, "after", nth, since))


def stopping(kill: Kill) -> Kill:
    """Kill while it stops in order, which it is asked to when it has heard of an order of its own."""
    return msgspec.structs.replace(kill, stop_first=Strike("report.booked", "after", number=signal.SIGINT))


class Child:
    """One process that the nursery made."""

    def __init__(self, pid: int, log: Path, told: "queue.Queue[str]") -> None:
        """Know its process id, and where its exit code will be told."""
        self.pid = pid
        self.log = log
        self._told = told
        self._code: int | None = None

    def wait(self, within_s: float = SLOW_S) -> int | None:
        """Return the exit code, None while it lives on."""
        if self._code is None:
            with suppress(queue.Empty):
                self._code = int(self._told.get(timeout=within_s))
        return self._code

    def end(self, number: int) -> int:
        """Send a signal, and return the exit code."""
        if self.wait(0.001) is None:
            os.kill(self.pid, number)
        code = self.wait()
        assert code is not None, f"process {self.pid} did not end after signal {number}:\n{self.said()[-4000:]}"
        return code

    def said(self) -> str:
        """Return what it wrote so far."""
        return self.log.read_text(errors="replace")

    def until(self, words: str, *, within_s: float = SLOW_S) -> None:
        """Wait until its log has some words."""
        wait_until(lambda: words in self.said() or self.wait(0.001) is not None, within_s=within_s)
        assert words in self.said(), f"it ended, or waited, without saying {words!r}:\n{self.said()[-4000:]}"


class Nursery:
    """The program that forks them; one child lives at a time."""

    def __enter__(self) -> Self:
        own = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        command = [sys.executable, "-m", "tests.stories.nursery"]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._program = subprocess.Popen(command, cwd=ROOT, env={**own, "PYTHONPATH": str(ROOT)}, **pipes)
        self._told: queue.Queue[str] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, name="nursery")
        self._listener.start()
        self._child: Child | None = None
        self._is_ready = False
        return self

    def __exit__(self, *_: object) -> None:
        self._end_child()
        assert self._program.stdin
        self._program.stdin.close()
        self._program.wait()
        self._listener.join()
        assert self._program.stdout
        self._program.stdout.close()

    def start(self, arguments: Sequence[str], *, env: Mapping[str, str], log: Path, kill: Kill | None = None) -> Child:
        """Fork a `trader` in the folder of its log; the one before it is over by then."""
        self._end_child()
        if not self._is_ready:  # waited for here: several get ready side by side
            self._is_ready = self._told.get(timeout=SLOW_S) == "ready"
        kill = kill or Kill()
        strikes = [one for one in (kill.stop_first, kill.strike) if one is not None]
        order = {
            "arguments": arguments,
            "cwd": str(log.parent),
            "env": {"HOME": str(log.parent), "TZ": "UTC", "TRADER_DEBUG": "1", **env},
            "log": str(log),
            "strikes": [msgspec.structs.asdict(one) for one in strikes],
            "disk_s": kill.disk_s,
        }
        log.touch()
        assert self._program.stdin
        self._program.stdin.write(json.dumps(order) + "\n")
        self._program.stdin.flush()
        self._child = Child(int(self._told.get(timeout=SLOW_S)), log, self._told)
        return self._child

    def _end_child(self) -> None:
        if self._child is not None and self._child.wait(0.001) is None:
            self._child.end(signal.SIGKILL)

    def _listen(self) -> None:
        assert self._program.stdout
        for line in self._program.stdout:
            self._told.put(line.strip())


class Desk:
    """One account's desk through all its lives: settings, state folder and exchange stay the same."""

    def __init__(
        self, nursery: Nursery, served: Served, folder: Path, strategies: Sequence[Mapping[str, Any]], *arguments: str
    ) -> None:
        """Write the settings down; nothing lives yet."""
        self.served = served
        self.folder = folder
        self.lives = 0
        self.state = folder / "state" / "trader" / "paper"
        self._nursery = nursery
        (folder / "desk.json").write_text(json.dumps({"strategies": [*strategies]}))
        speed = f"{served.exchange.options.speed:g}"
        self.arguments = ["run", "--config", "desk.json", "--speed", speed, "--log-format", "json", "-v", *arguments]
        self.env = {**served.variables(), "XDG_STATE_HOME": str(folder / "state")}

    def start(self, kill: Kill | None = None) -> Child:
        """Begin a life."""
        self.lives += 1
        log = self.folder / f"life-{self.lives:02}.log"
        return self._nursery.start(self.arguments, env=self.env, log=log, kill=kill)

    def tell(self, **wishes: float) -> None:
        """Tell the strategies that are told what they want."""
        new = self.folder / f"{WISHES}.new"
        new.write_text(json.dumps(wishes))
        new.rename(self.folder / WISHES)

    def until_held(self, **held: str) -> None:
        """Wait until the account holds this and nothing else, and no order is open; a symbol's first part names it."""

        def has() -> bool:
            truth = self.served.truth()
            is_quiet = all(order["status"] in {"filled", "canceled"} for order in truth["orders"])
            positions = {symbol.partition("/")[0]: one["qty"] for symbol, one in truth["positions"].items()}
            return is_quiet and positions == held

        wait_until(has)

    def begin(self, kill: Kill | None = None) -> Child:
        """Begin a life, and wait until it may trade."""
        child = self.start(kill)
        child.until('"event":"entries.released"')
        return child

    def die(self, kill: Kill, *, patience_s: float | None = None, once: Callable[[], object] | None = None) -> bool:
        """Live until a kill, and return whether it came by itself; what is not patient waits for it no longer.

        ``once`` is done when it may trade.
        """
        child = self.start(kill) if once is None else self.begin(kill)
        lasts_s = kill.after_s if kill.after_s is not None else patience_s
        try:
            if kill.at_order is not None:
                self.served.kill_at_order(child.pid, kill.at_order)
            if once is not None:
                once()
            code = child.wait(lasts_s or SLOW_S)
            if is_late := code is None and lasts_s is not None:
                code = child.end(signal.SIGKILL)
            if code is None:
                child.end(signal.SIGKILL)
        finally:
            self.served.spare()
        assert code == KILLED, f"{kill}: it ended with {code}, or not at all:\n{child.said()[-4000:]}"
        return not is_late or kill.after_s is not None

    def trade(self) -> None:
        """Live until it has traded for some minutes, then stop in order."""
        child = self.begin()
        until = self.served.now() + SETTLED
        wait_until(lambda: self.served.now() >= until or child.wait(0.001) is not None)
        self.stop(child)

    def stop(self, child: Child, *, code: int = 0) -> None:
        """Stop in order, with an exit code."""
        ended = child.end(signal.SIGINT)
        assert ended == code, f"it ended with {ended}:\n{child.said()[-4000:]}"

    def steps(self) -> list[list[Event]]:
        """Return what is in the journal, out of a copy: the next start finds it as the last end left it."""
        if not (self.state / "journal.sqlite").exists():
            return []
        with _copied(self.state, self.folder / "copy") as state:
            journal = open_journal(state / "journal.sqlite", is_new_allowed=False)
            try:
                return [record.events for record in journal.read()]
            finally:
                journal.close()


def wait_until(is_so: Callable[[], object], *, within_s: float = SLOW_S) -> None:
    """Look now and then whether something holds that another process brings about."""
    ends = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < ends, f"it did not come within {within_s:g} s"
        time.sleep(_LOOK_EVERY_S)


@contextmanager
def _copied(state: Path, copy: Path) -> Iterator[Path]:
    shutil.copytree(state, copy, ignore=shutil.ignore_patterns("*.sock", "*ballast*"))
    try:
        yield copy
    finally:
        shutil.rmtree(copy)


class Endured(msgspec.Struct):
    """What is left of a desk that was killed again and again, and then stopped in order."""

    problems: list[str]
    steps: list[list[Event]]
    kills: int
    reached: int
    orders: int
    executions: int


def endure(desk: Desk, kills: Sequence[Kill], *, patience_s: float | None = None) -> Endured:
    """Kill a desk at each of ``kills``, let it trade and end in order, and compare its books with the truth.

    After each kill every order that the venue knows must be in the journal as the dead process left it.
    """
    problems: list[str] = []
    reached = 0
    for kill in kills:
        reached += desk.die(kill, patience_s=patience_s)
        problems += [f"{kill}: {problem}" for problem in unowned(desk.steps(), desk.served.truth())]
    desk.trade()
    return judged(desk, problems, kills=len(kills), reached=reached)


def judged(desk: Desk, problems: Sequence[str], *, kills: int, reached: int) -> Endured:
    """Compare the books of a desk that has ended in order with the truth."""
    steps, truth = desk.steps(), desk.served.truth()
    problems = [*problems, *differences(steps, truth)]
    return Endured(problems, steps, kills, reached, len(truth["orders"]), len(truth["executions"]))
