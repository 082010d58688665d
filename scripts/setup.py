"""Set up .venv from a hash-pinned lock: ``setup.py run`` for running, ``setup.py dev`` for the tests too.

Started by ``setup.sh``, which asks first whether there is anything to do. The rules:

- One set-up at a time: a second call waits for the first and then finds its work done.
- What was interrupted is never trusted: ``.venv/.setup/unfinished`` stands from before the first step until after the
  last, and where it is found, .venv is made anew. A changed lock is installed over what is there, so that plug-ins
  people have added stay.
- Only files whose hashes the lock knows are installed, and nothing is built but the project itself, with the pinned
  tools of the lock. Where files come from is the machine's own setting; neither this program nor the lock names a host.
"""

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "scripts" / "locks"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".setup"
UNFINISHED = STAMP / "unfinished"
IS_NEW_ENOUGH = "import sys; sys.exit(sys.version_info < (3, 11))"


class SetupError(Exception):
    """The set-up cannot go on; the message says what to do."""


def main(level: str) -> int:
    """Set up for ``level`` (run or dev) unless another call has just done so; return the exit code."""
    try:
        with _only_one() as lock:
            level = "dev" if (STAMP / "dev.txt").exists() else level
            if not _is_ready(level):
                Setup(level, lock).work()
    except KeyboardInterrupt:
        _say("set-up interrupted; the next call starts it again")
        return 130
    except PermissionError as error:
        _say(f"set-up failed: this user may not write {error.filename}; .venv is made inside the checkout")
        return 1
    except (SetupError, OSError) as error:
        _say(f"set-up failed: {error}")
        return 1
    return 0


class Setup:
    """One set-up, by uv where there is one, else by this Python's own venv and pip."""

    def __init__(self, level: str, lock: int) -> None:
        """Take the level and the descriptor of the lock that is held."""
        self.level = level
        self.lock = lock
        self.uv = shutil.which("uv")
        self.environment = {
            **os.environ,
            "DEBIAN_FRONTEND": "noninteractive",
            "PIP_USER": "0",  # some set this to guard their system; in a virtual environment pip refuses it
        }
        if self.uv and not _succeeds([self.uv, "python", "find", sys.executable]):
            self.environment["UV_NO_CACHE"] = "1"  # a home that cannot be written: uv would give up, pip does not

    def work(self) -> None:
        """Do all of it; an exception leaves the mark ``unfinished``."""
        started = time.monotonic()
        inputs = _inputs(self.level)  # read before the work: a file edited meanwhile must not pass for installed
        self._remove_unusable()
        _say(f"setting up .venv (once) with Python {sys.version.split()[0]} and {'uv' if self.uv else 'pip'}")
        if not self.uv and not PYTHON.exists():
            self._need_ensurepip()
        STAMP.mkdir(parents=True, exist_ok=True)
        UNFINISHED.touch()
        if not PYTHON.exists():
            self._make_venv()
        self._install()
        for name, content in inputs.items():
            (STAMP / name).write_bytes(content)
        UNFINISHED.unlink()
        _say(f"set up in {time.monotonic() - started:.1f} s")

    def _remove_unusable(self) -> None:
        """Remove a .venv that was left half made, was moved here, or whose Python is gone or too old."""
        if not VENV.exists() and not VENV.is_symlink():
            return
        probe = IS_NEW_ENOUGH if self.uv else f"import pip; {IS_NEW_ENOUGH}"
        place = STAMP / "root"
        is_moved = place.exists() and place.read_bytes() != _inputs(self.level)["root"]
        if not UNFINISHED.exists() and not is_moved and _succeeds([PYTHON, "-c", probe]):
            return
        _say("removing the .venv that is here: it is unfinished or cannot be used")
        if VENV.is_symlink():
            VENV.unlink()
            return
        PYTHON.unlink(missing_ok=True)  # first, so that a removal cut short leaves nothing that looks usable
        shutil.rmtree(VENV)

    def _make_venv(self) -> None:
        if self.uv:
            # The folder is there already: it holds the mark of an unfinished set-up.
            command: list[str | Path] = [
                self.uv,
                "venv",
                "--quiet",
                "--allow-existing",
                "--python",
                sys.executable,
                VENV,
            ]
        else:
            command = [sys.executable, "-m", "venv", VENV]
        self._run(command, "no virtual environment could be made (the reason is above)")

    def _need_ensurepip(self) -> None:
        """Install the package in which Debian and its kin keep ``ensurepip``, or say how."""
        if importlib.util.find_spec("ensurepip"):
            return
        if not shutil.which("apt-get"):
            raise SetupError("this Python has no ensurepip; install it, or uv, or set TRADER_PYTHON to another Python")
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        by_hand = f"run this, then the same command again:\n\n    apt-get update && apt-get install -y {package}\n"
        if os.geteuid() != 0:
            by_hand = by_hand.replace("apt-get", "sudo apt-get")
            raise SetupError(f"Python's venv comes in a package of its own here; {by_hand}")
        _say(f"installing {package}, in which Python's venv comes here")
        failure = f"apt-get could not install {package}; {by_hand}"
        self._run(["apt-get", "update", "-qq"], failure)
        self._run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package], failure)

    def _install(self) -> None:
        """Install what the lock names, then the project itself, editable."""
        installer: list[str | Path] = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        if self.uv:
            installer = [self.uv, "pip", "install", "--python", PYTHON]
        lock = LOCKS / f"{self.level}.txt"
        _say(f"installing {lock.read_text().count('==')} packages; nothing is downloaded after this")
        self._run(
            [*installer, "--quiet", "--require-hashes", "--only-binary", ":all:", "-r", lock],
            f"the packages of {lock.relative_to(ROOT)} could not be installed (the reason is above). "
            "Is this machine online? The same command starts over",
        )
        self._run(
            [*installer, "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--editable", ROOT],
            "the project itself could not be installed (the reason is above)",
        )

    def _run(self, command: Sequence[str | Path], failure: str) -> None:
        """Run ``command``, its words to stderr; raise ``SetupError(failure)`` unless it succeeds.

        It inherits the lock: should this program be killed, the next one still waits for what it had started.
        """
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            pass_fds=[self.lock],
            env=self.environment,
        )
        if done.returncode:
            raise SetupError(failure)


def _inputs(level: str) -> dict[str, bytes]:
    """Return what a finished set-up depends on; ``setup.sh`` compares the copies kept of it."""
    return {
        "pyproject.toml": (ROOT / "pyproject.toml").read_bytes(),
        f"{level}.txt": (LOCKS / f"{level}.txt").read_bytes(),
        "root": f"{ROOT}\n".encode(),  # a virtual environment cannot be moved
    }


def _is_ready(level: str) -> bool:
    if UNFINISHED.exists() or not PYTHON.exists():
        return False
    kept = {path.name: path.read_bytes() for path in STAMP.glob("*")}
    return all(kept.get(name) == content for name, content in _inputs(level).items())


def _succeeds(command: Sequence[str | Path]) -> bool:
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


@contextmanager
def _only_one() -> Iterator[int]:
    """Hold the one lock of this checkout (on this very file), given back by the system however the process ends."""
    with Path(__file__).open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another set-up of this checkout is at work; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def _say(text: str) -> None:
    print(f"trader: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
