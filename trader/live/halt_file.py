"""The file that halts: ``HALT`` in the state folder, made by any means, by any program, also while nothing runs.

While it is there the desk is halted. The halt is latched like any other: taking the file away resumes nothing.
"""

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from trader.live.state_folder import HALT

log = structlog.get_logger()

LOOK_EVERY_S = 0.5  # of real time: halted within a second of the file's being there
KEPT = 300  # characters of what it says: one line of the log


class HaltFile:
    """The file of one state folder."""

    def __init__(self, folder: Path) -> None:
        """Look into ``folder``, which need not exist."""
        self.path = folder / HALT

    def look(self) -> str | None:
        """Return what it says (one line, may be empty), or None where it surely is not there."""
        try:
            found = self.path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:  # a folder that cannot be read may hold one
            return f"{self.path} cannot be looked for: {error.strerror}"
        return self._text() if stat.S_ISREG(found.st_mode) else ""  # a pipe of that name would never end

    def write(self, why: str) -> bool:
        """Make it, with its folder; return whether it was not there before. Raises OSError."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return False
        with open(fd, "w", encoding="utf-8") as file:  # noqa: PTH123 -- it is open already
            file.write(f"{why}\n")
            file.flush()
            os.fsync(fd)  # it is a promise about the next start, whatever happens to the machine until then
        _sync_folder(self.path.parent)
        return True

    def _text(self) -> str:
        try:
            with self.path.open("rb") as file:
                return one_line(file.read(4 * KEPT).decode(errors="replace"))
        except OSError as error:
            return f"it cannot be read: {error.strerror}"


class HaltWatch:
    """Looks for the file for as long as the desk lives."""

    def __init__(
        self, file: HaltFile, *, is_halted: Callable[[], bool], halt: Callable[[str], Awaitable[object]]
    ) -> None:
        """Call ``halt`` with what the file says when it is there and the whole desk is not halted."""
        self._file = file
        self._is_halted = is_halted
        self._halt = halt

    async def look(self) -> None:
        """Look once, off the loop's thread: a disk that hangs delays a halt and nothing else."""
        why = await asyncio.to_thread(self._file.look)
        if why is not None and not self._is_halted():
            log.warning("halt_file.found", path=str(self._file.path), why=why)
            await self._halt(why)

    async def run(self) -> None:
        """Look until cancelled, whatever comes of it."""
        while True:
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 -- the next look may succeed, and none would be worse
                log.error("halt_file.unheeded", path=str(self._file.path), why=repr(error))  # noqa: TRY400
            await asyncio.sleep(LOOK_EVERY_S)


def one_line(text: str) -> str:
    """Return a person's text as it may stand in a log: one line, nothing that moves a terminal's cursor, bounded."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())[:KEPT]


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
