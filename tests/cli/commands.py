"""The program as a shell starts it."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

PROGRAM = [sys.executable, "-m", "trader"]


def run(*words: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run ``trader`` with ``words``."""
    return start([*PROGRAM, *words], cwd=cwd, **env)


def run_line(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell, in which ``trader`` is the program."""
    return start(["bash", "-c", f'trader() {{ {shlex.join(PROGRAM)} "$@"; }}; {line}'])


def start(command: list[str], *, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command that finds this checkout's package, installed or not."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), **env}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
