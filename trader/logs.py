"""Log lines: what they look like on a terminal, as JSON, and how they leave without ever holding up trading.

Lines are handed to a thread that writes them, through a bounded queue: a log disk that hangs, or a reader of a pipe
that stopped reading, costs one short wait and then lines (counted and told), never a bar.
"""

import os
import queue
import threading
from collections.abc import Callable, MutableMapping
from typing import Any, Literal

import structlog

Format = Literal["auto", "console", "json"]
Render = Callable[[dict[str, Any]], str]

# About ten seconds of a very busy desk; a line is some 200 bytes, so the queue holds 2 MB at most.
QUEUE_LINES = 10_000
FLUSH_TIMEOUT_S = 0.5
# A replay at full speed makes lines faster than a disk takes them: then the desk waits for the disk, which moves.
# A disk that takes nothing for so long hangs, and is waited for no more until it does.
STUCK_AFTER_S = 0.5
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}


class LineWriter:
    """Writes lines to a file descriptor from its own thread; waits for one that hangs only once, and shortly."""

    def __init__(self, fd: int) -> None:
        """Begin writing to ``fd``, which the caller keeps open."""
        self._fd = fd
        self._lines: queue.Queue[str | threading.Event | None] = queue.Queue(QUEUE_LINES)
        self.dropped = 0
        self._is_stuck = False
        self._thread = threading.Thread(target=self._write, name="log-writer", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Hand a line over, or drop and count it when the queue is full and its other end does not move."""
        try:
            self._lines.put(line, block=not self._is_stuck, timeout=STUCK_AFTER_S)
        except queue.Full:
            self._is_stuck = True
            self.dropped += 1

    def flush(self) -> bool:
        """Write what is queued, for twice :data:`FLUSH_TIMEOUT_S` at most; tell whether all of it went out."""
        is_written = threading.Event()
        try:
            self._lines.put(is_written, block=not self._is_stuck, timeout=FLUSH_TIMEOUT_S)
        except queue.Full:
            self._is_stuck = True
            return False
        self._is_stuck = not is_written.wait(FLUSH_TIMEOUT_S)
        return not self._is_stuck

    def close(self) -> bool:
        """Flush and end the thread; tell whether both succeeded."""
        if self._is_stuck or not self.flush():
            return False
        self._lines.put(None)
        self._thread.join()
        return True

    def _write(self) -> None:
        reported = 0
        while (line := self._lines.get()) is not None:
            if isinstance(line, threading.Event):
                line.set()
                continue
            if self.dropped > reported:
                reported, lost = self.dropped, self.dropped - reported
                line = f"{lost} log lines were dropped: whoever reads this log is too slow\n{line}"
            try:
                _write_all(self._fd, f"{line}\n".encode(errors="replace"))
                self._is_stuck = False
            except OSError:  # closed pipe, full disk: there is nobody left to tell
                self.dropped += 1


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


class _Sink:
    """The end of structlog's chain: one line, rendered for each destination that wants its level."""

    def __init__(self, outputs: list[tuple[int, Render, LineWriter]]) -> None:
        self._outputs = outputs

    def msg(self, **values: Any) -> None:  # noqa: ANN401 - a log line's values are of any kind
        level = _LEVELS[values["level"]]
        for least, render, writer in self._outputs:
            if level >= least:
                writer.put(render(values))

    debug = info = warning = error = critical = msg


def configure(outputs: list[tuple[str, Render, LineWriter]], *, mode: str, now: Callable[[], int]) -> None:
    """Send every log line to ``outputs``, each a (least level, renderer, writer); ``now`` is the desk's time (ns UTC).

    Every line carries ``mode`` (SIM, PAPER or LIVE) and ``ts``.
    """

    def stamp(_: object, __: str, values: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        values.setdefault("ts", now())
        values["mode"] = mode
        return values

    sink = _Sink([(_LEVELS[least], render, writer) for least, render, writer in outputs])
    structlog.configure(
        processors=[structlog.processors.add_log_level, stamp, lambda _, __, values: ((), dict(values))],
        wrapper_class=structlog.make_filtering_bound_logger(min((_LEVELS[o[0]] for o in outputs), default=50)),
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=False,
    )
