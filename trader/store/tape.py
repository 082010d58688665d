"""The tape: every input of a run with the events it made, so that the run's decisions can be made again, exactly.

A file is one line (``trader tape FORMAT VERSION``) and then blocks: a beginning of fixed size with its own checksum,
and a body with one. The first block holds the :class:`Head`, then come inputs, deflated; the last one says why the tape
ends. So a torn end, a flipped byte and a block that is missing are told apart and named by their place.

Inputs are encoded where they are handled (about 2 µs each, measured with five bars in one) and compressed and written
by a thread; what waits for the disk is bounded. Nothing is synced: this is a record for people, the journal is the one
for money. Where the disk refuses or does not keep up, the tape ends and says so; the desk does not wait for it.

*Why zlib:* a tick is 134 bytes of MessagePack, and 35 deflated at level 1, a hundred MB a second.
"""

import itertools
import os
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from struct import Struct
from typing import Final, Self

import msgspec
import structlog

from trader.errors import ConfigError, DataError
from trader.model.events import Event
from trader.model.inputs import Input

log = structlog.get_logger()

FORMAT: Final = 1  # raised whenever what a tape of before says would be read as something else
BLOCK_BYTES: Final = 65_536  # larger blocks hardly compress better
FLUSH_S: Final = 1.0  # so much of the end is not in the tape of a process that is killed
MOST_WAITING: Final = 32 * 2**20  # bytes for a disk that is behind: 240,000 ticks, minutes of a busy market
CLOSE_S: Final = 5.0  # how long the end of a run waits for a disk that hangs

_MAGIC: Final = b"trader tape "
_LONGEST_LINE: Final = 64  # bytes, more than any version needs
_BEGIN: Final = Struct(">cIQII")  # kind, size of the body, number of its first input, how many, checksum of the body
_SUM: Final = Struct(">I")  # checksum of the beginning
_HEAD, _INPUTS, _END = b"H", b"I", b"E"
_DONE: Final = ""  # the reason of a tape that ends because the run does


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine is rebuilt from. ``settings`` is a settings file (JSON), ``ledger`` a snapshot, empty for none.

    ``objects`` names the strategies that a program gave as ready objects, which no tape can hold.
    """

    version: str
    python: str
    settings: bytes
    is_alpaca: bool
    book_id: str
    grace: int
    ledger: bytes = b""
    objects: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One input, and the events that it made as :func:`packed` gives them: of None, where the desk failed at it."""

    message: Input
    events: msgspec.Raw


_ENCODER: Final = msgspec.msgpack.Encoder()
_HEADS: Final = msgspec.msgpack.Decoder(Head)
_ENTRIES: Final = msgspec.msgpack.Decoder(list[Entry])
_ENDS: Final = msgspec.msgpack.Decoder(str)
_LIST: Final = Struct(">BI")  # how MessagePack begins a list
_LIST_32: Final = 0xDD


def packed(events: Sequence[Event] | None) -> bytes:
    """Return events as a tape holds them."""
    return _ENCODER.encode(events)


class TapeWriter:
    """Writes a tape from its own thread; who records waits for nothing but the encoding."""

    def __init__(self, path: Path, head: Head) -> None:
        """Begin a tape at ``path``; one that is there is kept beside it, as ``path.1`` or the next number.

        Raises:
            ConfigError: it cannot be written, or something is there that is no tape.
        """
        self._path = path
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._waiting = bytearray()
        self._count = 0  # inputs among what waits
        self._number = 1  # of the next input that goes to the file
        self._why: str | None = None  # the tape ends: for this reason
        try:
            _keep_earlier(path)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with ExitStack() as unless_begun:
                self._file = unless_begun.enter_context(open(fd, "wb", buffering=0))  # noqa: PTH123 -- mode 0600
                self._file.write(b"%b%d %b\n" % (_MAGIC, FORMAT, head.version.encode()))
                self._put(_HEAD, _ENCODER.encode(head))
                unless_begun.pop_all()
        except OSError as error:
            raise ConfigError(
                f"--tape {path}: cannot be written ({error.strerror}); name a file in a folder you may write"
            ) from error
        self._thread = threading.Thread(target=self._run, name="tape", daemon=True)
        self._thread.start()

    def write(self, message: Input, events: Sequence[Event] | None) -> None:
        """Record one input and what it made, None where the desk failed at it; nothing once the tape has ended."""
        if self._why is not None:
            return
        why = None
        with self._lock:
            size = len(self._waiting)
            try:
                _ENCODER.encode_into((message, events), self._waiting, -1)
                self._count += 1
            except (TypeError, ValueError, OverflowError) as error:  # trading goes on
                del self._waiting[size:]
                why = f"an input cannot be recorded: {error}"
            if len(self._waiting) > MOST_WAITING:
                why = "the disk does not keep up"
        if why is not None:
            self._why = why
            self._tell(why)
        if why is not None or len(self._waiting) >= BLOCK_BYTES:
            self._wake.set()

    def close(self) -> None:
        """Write what waits, then the end."""
        with self._lock:
            if self._why is None:
                self._why = _DONE
        self._wake.set()
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            self._tell("the disk does not answer")

    def _run(self) -> None:
        try:
            why = None
            while why is None:
                self._wake.wait(FLUSH_S)
                self._wake.clear()
                why = self._flush()
            self._put(_END, _ENCODER.encode(why))
        except OSError as error:
            self._why = error.strerror or str(error)
            self._waiting, self._count = bytearray(), 0
            self._tell(self._why)
        finally:
            with suppress(OSError):
                self._file.close()

    def _flush(self) -> str | None:
        """Write what waits as one block; return why nothing comes after it, None while something may."""
        with self._lock:
            waiting, self._waiting = self._waiting, bytearray()
            count, self._count = self._count, 0
            why = self._why
        if count:
            self._put(_INPUTS, zlib.compress(waiting, 1), count)
        return why

    def _put(self, kind: bytes, body: bytes, count: int = 0) -> None:
        begin = _BEGIN.pack(kind, len(body), self._number, count, zlib.crc32(body))
        data = memoryview(begin + _SUM.pack(zlib.crc32(begin)) + body)
        while data:
            data = data[self._file.write(data) :]
        self._number += count

    def _tell(self, why: str) -> None:
        log.warning("tape.ended", path=str(self._path), inputs=self._number - 1 + self._count, why=why)


class TapeReader:
    """Reads a tape: ``head`` at once, then the inputs in their order until the tape ends, or is damaged."""

    def __init__(self, path: Path) -> None:
        """Open the tape at ``path``.

        Raises:
            DataError: it cannot be read, is no tape, has another format, or its head is damaged.
        """
        self.flaw = ""  # where and why the tape ends before the run did; known when all inputs were yielded
        self._path = path
        try:
            self._data = path.open("rb")
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}); name a tape of trader run --tape") from error
        try:
            self.head = self._read_head()
        except BaseException:
            self._data.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._data.close()

    def __iter__(self) -> Iterator[Entry]:
        """Yield every input up to the first flaw."""
        number = 1
        while True:
            at = self._data.tell()
            try:
                kind, count, body = self._block(number)
                if kind == _END:
                    break
                entries = _ENTRIES.decode(_LIST.pack(_LIST_32, count) + zlib.decompress(body))
            except (_FlawError, msgspec.MsgspecError) as flaw:
                what = flaw if isinstance(flaw, _FlawError) else f"this version does not know what it says ({flaw})"
                self.flaw = f"after input {number - 1:,}, at byte {at:,}: {what}"
                return
            yield from entries
            number += count
        if why := _ENDS.decode(body):
            self.flaw = f"after input {number - 1:,} it was given up: {why}"

    def _read_head(self) -> Head:
        words = self._data.readline(_LONGEST_LINE).removesuffix(b"\n").split(b" ")
        if len(words) != 4 or b" ".join(words[:2]) + b" " != _MAGIC:  # noqa: PLR2004 -- magic is two of them
            raise DataError(f"{self._path}: is no tape; name one of trader run --tape")
        number, version = (word.decode(errors="replace") for word in words[2:])
        if number != str(FORMAT):
            raise DataError(
                f"{self._path}: is a tape of format {number}, written by trader {version}; this version reads format"
                f" {FORMAT}; replay it with trader {version}"
            )
        try:
            kind, _, body = self._block(1)
            return _HEADS.decode(body if kind == _HEAD else b"")
        except (_FlawError, msgspec.MsgspecError) as flaw:
            raise DataError(f"{self._path}: its head is damaged, so nothing can be replayed: {flaw}") from None

    def _block(self, number: int) -> tuple[bytes, int, bytes]:
        """Return kind, inputs and body of the next block, which is to begin with input ``number``."""
        begin = self._take(_BEGIN.size + _SUM.size)
        kind, size, first, count, checksum = _BEGIN.unpack(begin[: _BEGIN.size])
        if _SUM.unpack(begin[_BEGIN.size :]) != (zlib.crc32(begin[: _BEGIN.size]),):
            raise _FlawError("a block's beginning is not what was written")
        body = self._take(size)
        if zlib.crc32(body) != checksum:
            raise _FlawError("a block is not what was written")
        if first != number:
            raise _FlawError(f"the next block is of input {first:,}: what was between is missing")
        return kind, count, body

    def _take(self, size: int) -> bytes:
        data = self._data.read(size)
        if len(data) < size:
            raise _FlawError(f"the file is cut off, or whoever wrote it was killed: {len(data):,} of {size:,} bytes")
        return data


class _FlawError(Exception):
    """What is wrong with a block."""


def _keep_earlier(path: Path) -> None:
    """Move a tape out of the way: a supervisor that restarts the program must not wipe out what led to that."""
    if not path.is_file() or not path.stat().st_size:
        return
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ConfigError(f"--tape {path}: something that is no tape is there; name a new file")
    numbered = (path.with_name(f"{path.name}.{number}") for number in itertools.count(1))
    path.rename(next(free for free in numbered if not free.exists()))
