"""The error tree: leaves are chosen by what the caller does next.

TraderError
├── ConfigError        tell the person, with the place in the file; exit 3
│   ├── DataError      a data file that cannot be read as bars; exit 3
│   ├── CredentialsError   keys that are missing, malformed or of the other kind; exit 4
│   ├── JournalLocked  another process holds these books; exit 3
│   ├── ModeError      strategies that run apart where filters need them together, with a hint; exit 3
│   └── ReconcileError the account remembers what these books do not: a person decides; exit 3
├── StoreError         the disk; exit 1
│   ├── JournalCorrupt records that are not what was written: stop, a person looks; exit 4
│   └── NotDurable     a commit failed: no command leaves
│       └── JournalFull    for want of room: it may be tried again when there is some
└── EdgeError          something outside us; the shell decides; exit 1
    ├── Unavailable    surely not done: may be tried again, later; exit 5
    ├── Refused        surely not done, and the other side says why: trying again would not help
    ├── OutcomeUnknown may be done: ask, never repeat; exit 5
    └── WireError      bytes we do not understand: keep the frame, count it, alarm

Dropped, Denied, Rejected and Canceled are values, not exceptions.
A broken invariant is an ``AssertionError`` and ends the process.
"""

from dataclasses import dataclass
from typing import Final

LOST: Final = 5  # exit code: feed or broker cannot be had, or are lost for good


class TraderError(Exception):
    """Anything this program says to a person instead of a traceback."""

    exit_code = 1


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a setting: where it stands, what is wrong, what to do about it."""

    path: str
    message: str

    def __str__(self) -> str:
        """Render as ``path: message``; the path may be empty for a whole file."""
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigError(TraderError):
    """Settings that cannot be run: every problem at once, each with its path."""

    exit_code = 3

    def __init__(self, problems: list[Problem] | str, *, source: str = "") -> None:
        """Keep the problems and the name of the file they stand in (empty for a program's own)."""
        self.problems = [Problem("", problems)] if isinstance(problems, str) else list(problems)
        self.source = source
        super().__init__(str(self))

    def __str__(self) -> str:
        """Render one problem a line, under the file's name when there is one."""
        lines = [str(problem) for problem in self.problems]
        if not self.source:
            return "\n".join(lines)
        return "\n".join([f"{self.source}:", *(f"  {line}" for line in lines)])


class DataError(ConfigError):
    """A data file that is missing, unreadable or lacks a column."""


class CredentialsError(ConfigError):
    """API keys that are missing, malformed, refused, or of the other kind; never shows a secret."""

    exit_code = 4


class JournalLocked(ConfigError):
    """Another process holds the journal or the account: the text says which."""


class ModeError(ConfigError):
    """A way of running strategies that is not possible with what they are run with; ``hint`` says what is."""

    def __init__(self, what: str, hint: str = "") -> None:
        """Say what is wrong, and under it what would go."""
        self.hint = hint
        super().__init__(f"{what}\nHint: {hint}" if hint else what)


class ReconcileError(ConfigError):
    """Books and broker disagree in a way that nobody but a person can settle, such as books that are too old."""


class StoreError(TraderError):
    """The disk, or the data base, did not do what it should."""


class JournalCorrupt(StoreError):
    """A journal whose records are not what was written; nothing of it is trusted."""

    exit_code = 4


class NotDurable(StoreError):
    """Records may not be on disk. The journal takes no more; what is there is read again at the next start."""


class JournalFull(NotDurable):
    """There was no room for records, and none of them was written; they may be written again when there is."""


class EdgeError(TraderError):
    """Something outside this program did not do what it should."""


class Unavailable(EdgeError):
    """A request that surely did nothing: it never left, or was turned away for now. It may be made again."""

    exit_code = LOST


class Refused(EdgeError):
    """A request that surely did nothing: the other side said no, with a status, its own code (0: none) and a text.

    Status 0: it was not even asked.
    """

    def __init__(self, status: int, code: int, message: str) -> None:
        """Keep what was said, for whoever tells refusals apart."""
        self.status = status
        self.code = code
        self.message = message
        super().__init__(f"{message} (HTTP {status}{f', code {code}' if code else ''})" if status else message)


class OutcomeUnknown(EdgeError):
    """A request that left and was not answered in a way that tells: it may be done. Ask, never repeat."""

    exit_code = LOST


class WireError(EdgeError):
    """Bytes that are no message of the protocol; ``frame`` keeps their beginning and ``size`` says how many they were.

    Pass no frame where it may hold a secret.
    """

    KEPT = 1024  # enough to see what it is, little enough to log

    def __init__(self, why: str, frame: bytes | str = b"") -> None:
        """Keep a bounded copy: the frame itself may be a view of a buffer, or a megabyte."""
        whole = frame.encode(errors="backslashreplace") if isinstance(frame, str) else frame
        self.why = why
        self.size = len(whole)
        self.frame = bytes(whole[: self.KEPT])
        super().__init__(f"{why} (a frame of {self.size} bytes, beginning {self.frame[:80]!r})" if whole else why)
