"""What SQLite does not say of its write-ahead log: whether frames behind the end it found had been committed.

SQLite reads a log up to the first frame that is not whole, and forgets the rest. That is right for what a power cut
left unfinished: one transaction at most, because each is synced before the next begins. So where a frame was written
behind a commit, that commit had been synced, and if SQLite ended before it, a frame up to there is damaged.

Source: SQLite, "WAL-mode File Format", read 2026-11.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import apsw

SUFFIX: Final = "-wal"

_HEADER: Final = struct.Struct(">8I")  # magic, version, page size, checkpoints, two salts, two sums
_FRAME: Final = struct.Struct(">6I")  # page, pages of the file after a commit (0: none), two salts, two sums
_SUMMED: Final = 8  # bytes of a frame's own header that its sums cover
_MAGIC: Final = 0x377F0682  # and one more where the words that are summed have their high byte first
_WORD: Final = 0xFFFFFFFF

Sums = tuple[int, int]


class _Header(NamedTuple):
    page: int
    salts: tuple[int, int]
    sums: Sums
    order: str


class _Frame(NamedTuple):
    """A frame as it stands: the sums that it says it has, and its bytes."""

    is_commit: bool
    salts: tuple[int, int]
    said: Sums
    raw: bytes


def damage(journal: Path, ended: int, vfs: str | None = None) -> str:
    """Say what is wrong with a journal's log, of which SQLite read ``ended`` frames; empty for nothing."""
    flags = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_READONLY
    try:
        log = apsw.VFSFile(vfs or "", f"{journal}{SUFFIX}", [flags, 0])
    except apsw.CantOpenError:
        return ""
    try:
        return _damage(log, ended)
    finally:
        log.xClose()


def _damage(log: apsw.VFSFile, ended: int) -> str:
    if log.xFileSize() < _HEADER.size + _FRAME.size:
        return ""
    raw = log.xRead(_HEADER.size, 0)
    header = _header(raw)
    if header is None:
        return "its header is damaged" if any(raw) else ""
    frames = _frames(log, header, max(ended - 1, 0))
    seed = next(frames).said if ended else header.sums
    before: _Frame | None = None
    for number, frame in enumerate(frames, ended + 1):
        if before and before.is_commit and frame.salts == header.salts:
            made = _sums_of(before, seed, header.order)
            if frame.said in {_sums_of(frame, one, header.order) for one in (before.said, made)}:
                return f"frame {ended + 1} is damaged, and frame {number} was written after it"
        seed, before = before.said if before else seed, frame
    return ""


def _header(raw: bytes) -> _Header | None:
    magic, _, page, _, *rest = _HEADER.unpack(raw)
    order = ">" if magic & 1 else "<"
    sums = (rest[2], rest[3])
    if magic & ~1 != _MAGIC or _sums((0, 0), raw[:-8], order) != sums:
        return None
    return _Header(page, (rest[0], rest[1]), sums, order)


def _frames(log: apsw.VFSFile, header: _Header, after: int) -> Iterator[_Frame]:
    length = _FRAME.size + header.page
    for at in range(_HEADER.size + after * length, log.xFileSize() - length + 1, length):
        raw = log.xRead(length, at)
        _, pages, *rest = _FRAME.unpack_from(raw)
        yield _Frame(bool(pages), (rest[0], rest[1]), (rest[2], rest[3]), raw)


def _sums_of(frame: _Frame, seed: Sums, order: str) -> Sums:
    return _sums(seed, frame.raw[:_SUMMED] + frame.raw[_FRAME.size :], order)


def _sums(seed: Sums, data: bytes, order: str) -> Sums:
    first, second = seed
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for at in range(0, len(words), 2):
        first = (first + words[at] + second) & _WORD
        second = (second + words[at + 1] + first) & _WORD
    return first, second
