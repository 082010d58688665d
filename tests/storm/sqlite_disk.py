"""The real journal in the storm: SQLite on a disk in memory, of which a crash leaves what a power cut leaves."""

import hashlib
from pathlib import Path

import numpy as np

from tests.store.disk import Disk, Image, PowerCut
from trader.store.sqlite import SqliteJournal

PATH = Path("/nowhere/journal")  # on disks in memory only


class SqliteDisk:
    """A :class:`~trader.storm.disk.Storage` with a real journal; each crash keeps some of what was not synced."""

    def __init__(self, seed: int) -> None:
        self.crashes = 0
        self._rng = np.random.default_rng(seed)
        self._image: Image = {}
        self._disk = Disk()
        self._journal: SqliteJournal | None = None

    def open(self) -> SqliteJournal:
        self._journal = SqliteJournal(PATH, vfs=self._disk.name)
        return self._journal

    def crash(self) -> None:
        """Draw what is left of what this life wrote; what was there before it is safe."""
        self.crashes += 1
        cut = PowerCut({name: bytearray(data) for name, data in self._image.items()})
        for operation in self._disk.log:
            cut.follow(operation)
        self.close()
        self._image = cut.draw(self._rng, self._rng.random())
        self._disk = Disk(self._image)

    def digest(self) -> str:
        return hashlib.sha256(bytes(self._disk.files[str(PATH)])).hexdigest()

    def close(self) -> None:
        """Let go of the disk."""
        if self._journal is not None:
            self._journal.close()
        self._disk.close()
