"""A disk in memory that SQLite works on: it can fail at any operation, and remembers what a power cut would leave.

What was written to a file is safe when the file is synced. Of what was not, a power cut keeps any of the sectors, old
or new each; a write within one sector is there whole or not at all, a longer one may be torn within a sector. A file
that was deleted may be back until the next sync of any file, as on ext4, whose metadata are kept in order.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import apsw
import numpy as np

SECTOR = 512
_NAMES = count()

Image = dict[str, bytes]


@dataclass(frozen=True)
class Write:
    """Bytes that went to a place in a file."""

    name: str
    at: int
    data: bytes


@dataclass(frozen=True)
class Truncate:
    name: str
    size: int


@dataclass(frozen=True)
class Delete:
    name: str


@dataclass(frozen=True)
class Sync:
    name: str


@dataclass(frozen=True)
class Acknowledged:
    """No operation: the test had been told that everything up to this number is durable."""

    number: int


Operation = Write | Truncate | Delete | Sync | Acknowledged


@dataclass
class Failure:
    """The ``at``-th operation (from 1) of the kinds named fails; ``short`` writes half of the bytes before."""

    kinds: frozenset[str]
    at: int
    error: type[apsw.Error]
    short: bool = False
    seen: int = 0

    def strikes(self, kind: str) -> bool:
        self.seen += kind in self.kinds
        return kind in self.kinds and self.seen == self.at


class Disk(apsw.VFS):
    """A file layer for SQLite by the name :attr:`name`; ``close`` takes it away."""

    def __init__(self, image: Image | None = None) -> None:
        self.name = f"disk-{next(_NAMES)}"
        self.files = {name: bytearray(data) for name, data in (image or {}).items()}
        self.log: list[Operation] = []
        self.failure: Failure | None = None
        super().__init__(self.name, "")

    def close(self) -> None:
        self.unregister()

    def image(self) -> Image:
        """Return what a killed process leaves: everything."""
        return {name: bytes(data) for name, data in self.files.items()}

    def acknowledge(self, number: int) -> None:
        self.log.append(Acknowledged(number))

    def strike(self, kind: str) -> bool:
        return self.failure is not None and self.failure.strikes(kind)

    def raise_failure(self) -> None:
        assert self.failure is not None
        raise self.failure.error("a planned failure")

    def xOpen(self, name: Any, flags: list[int]) -> Any:  # noqa: N802 -- SQLite's names
        wanted = name.filename() if isinstance(name, apsw.URIFilename) else name
        if self.strike("open"):
            self.raise_failure()
        if wanted not in self.files:
            if not flags[0] & apsw.SQLITE_OPEN_CREATE:
                raise apsw.CantOpenError("no such file")
            self.files[wanted] = bytearray()
        flags[1] = flags[0]
        return OpenFile(self, wanted)

    def xDelete(self, name: str, syncdir: bool) -> None:  # noqa: N802
        if name not in self.files:
            raise apsw.IOError("no such file")
        del self.files[name]
        self.log.append(Delete(name))

    def xAccess(self, pathname: str, flags: int) -> bool:  # noqa: N802
        return pathname in self.files

    def xFullPathname(self, name: str) -> str:  # noqa: N802
        return name


class OpenFile:
    """One open file of a disk."""

    def __init__(self, disk: Disk, name: str) -> None:
        self.disk = disk
        self.name = name

    @property
    def data(self) -> bytearray:
        return self.disk.files[self.name]

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        if self.disk.strike("read"):
            self.disk.raise_failure()
        return bytes(self.data[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        fails = self.disk.strike("write")
        if fails and self.disk.failure and not self.disk.failure.short:
            self.disk.raise_failure()
        kept = bytes(data[: len(data) // 2]) if fails else bytes(data)
        self.disk.log.append(Write(self.name, offset, kept))
        put(self.data, offset, kept)
        if fails:
            self.disk.raise_failure()

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        if self.disk.strike("truncate"):
            self.disk.raise_failure()
        self.disk.log.append(Truncate(self.name, newsize))
        del self.data[newsize:]

    def xSync(self, flags: int) -> None:  # noqa: N802
        if self.disk.strike("sync"):
            self.disk.raise_failure()
        self.disk.log.append(Sync(self.name))

    def xFileSize(self) -> int:  # noqa: N802
        return len(self.data)

    def xClose(self) -> None:  # noqa: N802
        return

    def xLock(self, level: int) -> None:  # noqa: N802
        return

    def xUnlock(self, level: int) -> None:  # noqa: N802
        return

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        return False

    def xFileControl(self, op: int, ptr: int) -> bool:  # noqa: N802
        return False

    def xSectorSize(self) -> int:  # noqa: N802
        return SECTOR

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE


@dataclass
class PowerCut:
    """What is on the platter while a log of operations goes by; any moment's images can be drawn."""

    safe: dict[str, bytearray] = field(default_factory=dict)
    pending: dict[str, list[Write | Truncate]] = field(default_factory=dict)
    deleted: dict[str, bytearray] = field(default_factory=dict)
    acknowledged: int = 0

    def follow(self, operation: Operation) -> None:
        """Go on by one operation."""
        match operation:
            case Write(name=name) | Truncate(name=name):
                self.pending.setdefault(name, []).append(operation)
            case Sync(name=name):
                safe = self.safe.setdefault(name, bytearray())
                for one in self.pending.pop(name, []):
                    keep(safe, one)
                self.deleted.clear()
            case Delete(name=name):
                self.pending.pop(name, None)
                self.deleted[name] = self.safe.pop(name, bytearray())
            case Acknowledged(number=number):
                self.acknowledged = number

    def draw(self, rng: np.random.Generator, kept_frac: float) -> Image:
        """Return one image: each unsynced sector is there with probability ``kept_frac``."""
        image = {name: bytearray(data) for name, data in self.safe.items()}
        for name, data in self.deleted.items():
            if rng.random() < kept_frac:
                image.setdefault(name, bytearray(data))
        for name, operations in self.pending.items():
            data = image.setdefault(name, bytearray())
            for operation in operations:
                if isinstance(operation, Truncate) and rng.random() >= kept_frac:
                    break  # what came after it went to blocks that the file did not get
                for piece in torn(operation, rng, kept_frac):
                    keep(data, piece)
        return {name: bytes(data) for name, data in image.items()}


def torn(write: Write | Truncate, rng: np.random.Generator, kept_frac: float) -> Iterator[Write | Truncate]:
    """Give the pieces of an operation that reached the platter."""
    if isinstance(write, Truncate):
        yield write
        return
    at, end = write.at, write.at + len(write.data)
    is_long = at // SECTOR != (end - 1) // SECTOR
    while at < end:
        until = min(end, (at // SECTOR + 1) * SECTOR)
        if rng.random() < kept_frac:
            data = write.data[at - write.at : until - write.at]
            if is_long and rng.random() < 0.1:
                data = data[: int(rng.integers(len(data) + 1))]
            yield Write(write.name, at, data)
        at = until


def keep(data: bytearray, operation: Write | Truncate) -> None:
    if isinstance(operation, Truncate):
        del data[operation.size :]
    elif operation.data:
        put(data, operation.at, operation.data)


def put(data: bytearray, at: int, piece: bytes) -> None:
    if len(data) < at:
        data.extend(bytes(at - len(data)))
    data[at : at + len(piece)] = piece
