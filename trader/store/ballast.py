"""Room that is kept for the last records of a full disk: a file beside the journal that can be deleted."""

import os
from itertools import repeat
from pathlib import Path
from typing import Final

SIZE: Final = 16 * 1024 * 1024  # some 20,000 records: enough to leave every position and say so
_PIECE: Final = bytes(1024 * 1024)


def keep(journal: Path) -> bool:
    """Make the ballast of a journal where it is missing; return whether there is one now."""
    path = _beside(journal)
    try:
        room = os.statvfs(journal.parent)
        if not path.exists() and room.f_bavail * room.f_frsize < 2 * SIZE:
            return False
        if not path.exists() or path.stat().st_size < SIZE:
            with open(path, "wb", opener=_private) as file:
                file.writelines(repeat(_PIECE, SIZE // len(_PIECE)))
                file.flush()
                os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)  # half of it would only take what little room is left
        return False
    return True


def release(journal: Path) -> bool:
    """Delete the ballast of a journal; return whether there was one."""
    try:
        _beside(journal).unlink()
    except OSError:
        return False
    return True


def _beside(journal: Path) -> Path:
    return journal.with_name(journal.name + ".ballast")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
