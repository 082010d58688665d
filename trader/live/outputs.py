"""Where log lines go: standard error, and a file in the state folder."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from trader import logs
from trader.errors import ConfigError
from trader.live.lines import as_console, as_json
from trader.live.options import RunOptions

log = structlog.get_logger()


class Outputs:
    """The log's destinations for the length of one run; a program that configured structlog itself keeps its own."""

    def __init__(self, options: RunOptions, *, mode: str, now: Callable[[], int]) -> None:
        """Open the destinations. Raises ConfigError when the state folder cannot be written."""
        if options.state_dir is not None:
            with _refused(options.state_dir):
                options.state_dir.mkdir(parents=True, exist_ok=True)
        self._screen: logs.LineWriter | None = None
        self._file: logs.LineWriter | None = None
        self._fd: int | None = None
        self._is_ours = not structlog.is_configured()
        if not self._is_ours:
            return
        outputs: list[tuple[str, logs.Render, logs.LineWriter]] = []
        if sys.stderr is not None and (fd := _fileno()) is not None:
            wants_console = options.log_format == "console" or (options.log_format == "auto" and os.isatty(fd))
            self._screen = logs.LineWriter(fd)
            outputs.append(
                ("debug" if options.verbose else "info", as_console if wants_console else as_json, self._screen)
            )
        if options.state_dir is not None:
            with _refused(options.state_dir):
                self._fd = os.open(options.state_dir / "log.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._file = logs.LineWriter(self._fd)
            outputs.append(("debug", as_json, self._file))
        logs.configure(outputs, mode=mode, now=now)

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Write what is queued, then let go of everything; say so if the file did not take all of it."""
        if self._file is not None:
            is_written = self._file.close()
            if lost := self._file.dropped:
                log.error(
                    "log.incomplete", lost_lines=lost, why="the disk of the state folder was full or did not answer"
                )
            if self._fd is not None and is_written:  # a writer that hangs still holds its file
                os.close(self._fd)
        if self._screen is not None:
            self._screen.close()
        if self._is_ours:
            structlog.reset_defaults()

    def flush(self) -> None:
        """Write what is queued, so that what is printed next comes after it."""
        for writer in (self._file, self._screen):
            if writer is not None:
                writer.flush()


@contextmanager
def _refused(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"--state-dir {folder}: {error.strerror}; name a folder you may write") from error


def _fileno() -> int | None:
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError):  # replaced by an object without a file, as test runners do
        return None
