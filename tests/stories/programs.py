"""`trader …` as real processes, with their real pipes; each is ended with its test whatever happens."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest

SLOW = 60  # seconds that a machine under load may take for what takes one
OURS = ("APCA_", "ALPACA_")  # variables that a developer's shell may hold


class Program:
    """One `trader …` process."""

    def __init__(
        self, *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, **settings: Any
    ) -> None:
        command = [sys.executable, "-m", "trader", *map(str, arguments)]
        settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings}
        own = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        environment = {**own, "PYTHONPATH": str(Path(__file__).parents[2]), **(env or {})}
        self.process = subprocess.Popen(command, cwd=cwd, text=True, env=environment, **settings)
        self.seen = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    def until(self, text: str) -> None:
        """Read the log up to a line with ``text``."""
        assert self.process.stderr
        guard = threading.Timer(SLOW, self.process.kill)  # a line that never comes ends with the pipe
        guard.start()
        try:
            for line in self.process.stderr:
                self.seen += line
                if text in line:
                    return
        finally:
            guard.cancel()
        pytest.fail(f"the program ended without saying {text!r}:\n{self.seen}")

    def end(self) -> tuple[int, str, str]:
        """Wait for the end; return exit code, standard output and the whole log."""
        out, err = self.process.communicate(timeout=SLOW)
        return self.process.returncode, out, self.seen + (err or "")


@contextmanager
def exchange(folder: Path, *arguments: str) -> Iterator[tuple[Program, dict[str, Any]]]:
    """Serve a local exchange; yield it and what it says of itself."""
    with Program("exchange", *arguments, cwd=folder, stderr=subprocess.DEVNULL) as program:
        assert program.process.stdout
        yield program, json.loads(program.process.stdout.readline())


def variables(told: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment that leads a program to an exchange."""
    key = told["keys"][0]
    return {
        "APCA_API_KEY_ID": key["id"],
        "APCA_API_SECRET_KEY": key["secret"],
        "APCA_API_BASE_URL": told["base_url"],
        "APCA_API_DATA_URL": told["data_url"],
        "APCA_API_STREAM_URL": told["stream_url"],
    }
