"""The checks of this machine: Python, event loop, time zones, a folder that can be written, room on its disk."""

import os
import platform
import shutil
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from trader.config.files import shown
from trader.live.checks import Check
from trader.model.time import NEW_YORK

LOW_BYTES: Final = 1_000_000_000  # a day's log of a busy desk is a tenth of it
FULL_BYTES: Final = 100_000_000

_SUMMER, _SUMMER_OFFSET = datetime(2026, 7, 1, 12), timedelta(hours=-4)  # noqa: DTZ001 -- New York's own time


def machine_checks(state_dir: Path | None) -> list[Check]:
    """Return what this machine can do; nothing is left behind in ``state_dir``, nor is it made."""
    return [_python(), _event_loop(), _time_zones(), _state(state_dir), _disk(state_dir)]


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _event_loop() -> Check:
    try:
        import uvloop  # noqa: F401
    except ImportError:
        if sys.platform == "win32":
            return Check("event_loop", "ok", "asyncio's own; uvloop does not exist for Windows")
        remedy = "install uvloop (scripts/trader does it); everything works without it, slower"
        return Check("event_loop", "warn", "uvloop is missing", remedy)
    return Check("event_loop", "ok", "uvloop")


def _time_zones() -> Check:
    if NEW_YORK.utcoffset(_SUMMER) != _SUMMER_OFFSET:
        return Check("time_zones", "fail", "New York's summer time is not known", "install or renew the package tzdata")
    return Check("time_zones", "ok", "New York's are known")


def _state(state_dir: Path | None) -> Check:
    if state_dir is None:
        return Check("state_dir", "ok", "none given: nothing is kept; `--state-dir DIR` keeps the full log")
    folder = state_dir
    try:
        folder = _nearest(state_dir)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        remedy = "name a folder that this user may write, or change its owner"
        return Check("state_dir", "fail", f"{shown(folder)} cannot be written: {error.strerror}", remedy)
    will = "" if state_dir.exists() else ", and will be made"
    return Check("state_dir", "ok", f"{shown(state_dir)} can be written{will}")


def _disk(state_dir: Path | None) -> Check:
    try:
        folder = _nearest(state_dir or Path.cwd())
        free = shutil.disk_usage(folder).free
    except OSError as error:  # the folder we are in was deleted
        return Check("disk", "warn", f"cannot be looked at: {error.strerror}", "change to another folder")
    message = f"{free / 1e9:.1f} GB free at {shown(folder)}"
    if free >= LOW_BYTES:
        return Check("disk", "ok", message)
    remedy = "make room: when the disk is full, logs and results are lost"
    return Check("disk", "fail" if free < FULL_BYTES else "warn", message, remedy)


def _nearest(path: Path) -> Path:
    """Return the path, or what is the first above it that exists."""
    whole = path.absolute()
    # Path.exists raises where the folder above may not be searched.
    return next(folder for folder in (whole, *whole.parents) if os.path.exists(folder))  # noqa: PTH110
