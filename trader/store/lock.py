"""One process at a time: a file that is locked as long as its holder lives, and says who that is."""

import fcntl
import os
import re
import sys
from pathlib import Path
from typing import Self

from trader.errors import JournalLocked
from trader.model.time import iso

_SHOWN = 200  # characters of a holder's command line
_SECRET = re.compile(r"(?<=//)[^/@\s]+(?=@)|(?<=password=)[^&\s]+")  # in the address of a data base


class Lock:
    """A lock on a name in the file system (``flock``): it goes with its process, however that ends.

    The file stays when the lock is gone: to delete it would let two processes lock two files of one name.
    """

    def __init__(self, path: Path) -> None:
        """Name the file; its folder must exist."""
        self.path = path
        self._file: int | None = None

    def acquire(self, purpose: str) -> Self:
        """Take the lock for what ``purpose`` says, such as ``the journal``.

        Raises:
            JournalLocked: somebody has it; the text says who, and since when.
        """
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = holder_of(self.path)
            os.close(file)
            raise JournalLocked(f"{purpose} is in use by {holder}; stop that one first ({self.path})") from None
        self._file = file
        self._sign()
        return self

    def release(self) -> None:
        """Let go; a second time does nothing."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _sign(self) -> None:
        """Leave word of who holds it, and, as the file's own time, since when; a full disk is no reason to fail."""
        assert self._file is not None
        command = _SECRET.sub("…", " ".join(sys.orig_argv))[:_SHOWN]
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n{command}\n".encode(errors="replace"), 0)
        except OSError:
            return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def holder_of(path: Path) -> str:
    """Say who wrote a lock file last: process, command and time."""
    try:
        number, command = path.read_text(encoding="utf-8", errors="replace").split("\n")[:2]
        since = iso(path.stat().st_mtime_ns // 1_000_000_000 * 1_000_000_000)
    except (OSError, ValueError):
        return "another process"
    return f"process {number} ({command}), since {since}"
