"""Where log lines go: standard error, and a file in the state folder."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from trader import logs
from trader.errors import ConfigError
from trader.live.build import RunOptions
from trader.live.lines import as_console, as_json


class Outputs:
    """The log's destinations for the length of one run; a program that configured structlog itself keeps its own."""

    def __init__(self, options: RunOptions, *, mode: str, now: Callable[[], int]) -> None:
        """Open the destinations. Raises ConfigError when the state folder cannot be written."""
        self._writers: list[logs.LineWriter] = []
        self._fd: int | None = None
        self._is_ours = not structlog.is_configured()
        outputs: list[tuple[str, logs.Render, logs.LineWriter]] = []
        if sys.stderr is not None and (fd := _fileno()) is not None:
            wants_console = options.log_format == "console" or (options.log_format == "auto" and os.isatty(fd))
            render = as_console if wants_console else as_json
            outputs.append(("debug" if options.verbose else "info", render, self._writer(fd)))
        if options.state_dir is not None:
            outputs.append(("debug", as_json, self._writer(self._open(options.state_dir))))
        if self._is_ours:
            logs.configure(outputs, mode=mode, now=now)

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Write what is queued, then let go of everything."""
        is_written = [writer.close() for writer in self._writers]
        if self._fd is not None and is_written[-1]:  # a writer that hangs still holds its file
            os.close(self._fd)
        if self._is_ours:
            structlog.reset_defaults()

    def flush(self) -> None:
        """Write what is queued, so that what is printed next comes after it."""
        for writer in self._writers:
            writer.flush()

    def _writer(self, fd: int) -> logs.LineWriter:
        writer = logs.LineWriter(fd)
        self._writers.append(writer)
        return writer

    def _open(self, folder: Path) -> int:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(folder / "log.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise ConfigError(f"--state-dir {folder}: {error.strerror}; name a folder you may write") from error
        return self._fd


def _fileno() -> int | None:
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError):  # replaced by an object without a file, as test runners do
        return None
