"""How far a journal had been acknowledged: a few bytes beside it, written after each commit and never synced.

They outlive the process, as everything does that the kernel was given, and they may not outlive a power cut. But where
they are, the commit they tell of was synced before: when the journal ends earlier, its end was damaged, and is not
merely what a power cut left unfinished. SQLite would drop it in silence.
"""

import hashlib
import struct
from pathlib import Path
from typing import Final, NamedTuple

import apsw

SUFFIX: Final = ".mark"

_FORM: Final = struct.Struct(">Q32s8s")  # number, hash, check: within one sector, so it is there whole or not at all
_READ: Final = apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY
_WRITE: Final = apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE


class Mark(NamedTuple):
    """The last record that was acknowledged."""

    number: int
    hash: bytes


class Watermark:
    """The mark of one journal. It goes through SQLite's file layer, so that whatever holds the journal holds it."""

    def __init__(self, journal: Path, vfs: str | None = None) -> None:
        """Name it; nothing is opened yet."""
        self._name = f"{journal}{SUFFIX}"
        self._vfs = vfs or ""
        self._file: apsw.VFSFile | None = None

    def read(self) -> Mark | None:
        """Return the mark; None where there is none, or only some bytes of it."""
        try:
            file = apsw.VFSFile(self._vfs, self._name, [_READ, 0])
        except apsw.CantOpenError:
            return None
        try:
            data = file.xRead(_FORM.size, 0) if file.xFileSize() >= _FORM.size else bytes(_FORM.size)
        finally:
            file.xClose()
        number, digest, check = _FORM.unpack(data)
        return Mark(number, digest) if check == _check(number, digest) else None

    def write(self, number: int, digest: bytes) -> None:
        """Move the mark. Where that fails the old one stays, which is true as well."""
        try:
            self._file = self._file or apsw.VFSFile(self._vfs, self._name, [_WRITE, 0])
            self._file.xWrite(_FORM.pack(number, digest, _check(number, digest)), 0)
        except apsw.Error:
            self.close()

    def close(self) -> None:
        """Let go of the file; a second time does nothing."""
        if self._file:
            self._file.xClose()
            self._file = None


def _check(number: int, digest: bytes) -> bytes:
    return hashlib.sha256(number.to_bytes(8) + digest).digest()[:8]
