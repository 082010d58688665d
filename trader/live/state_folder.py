"""Where a desk's state lies: one folder for each account, with the same names in it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from trader.errors import ConfigError

SOCKET = "control.sock"
HALT = "HALT"
JOURNAL = "journal.sqlite"

# What the kernel takes as a socket's address, less a byte for its end: 108 on Linux, 104 elsewhere.
LONGEST_ADDRESS = 100
_OPEN_FILES = Path("/proc/self/fd")


def default_folder(env: Mapping[str, str], *, is_live: bool) -> Path:
    """Return the folder of a run that names none: ``$XDG_STATE_HOME/trader/paper``, or ``…/live``."""
    given = env.get("XDG_STATE_HOME", "")
    root = Path(given) if given.startswith("/") else Path("~/.local/state").expanduser()
    return root / "trader" / ("live" if is_live else "paper")


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """Give an address of ``path`` that a socket takes, however long the path is, for the length of a ``with``.

    Raises:
        ConfigError: it is too long, and this machine has no short way to a folder.
        FileNotFoundError: there is no such folder.
    """
    if len(os.fsencode(path)) <= LONGEST_ADDRESS:
        yield str(path)
        return
    if not _OPEN_FILES.is_dir():
        raise ConfigError(
            f"{path.parent}: a path of more than {LONGEST_ADDRESS - len(path.name) - 1} bytes is too long for a socket;"
            " name a shorter folder with --state-dir"
        )
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield str(_OPEN_FILES / str(folder) / path.name)
    finally:
        os.close(folder)
