"""The tape: what is written is read, and whatever is not as it was written is named by its place."""

import os
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from tests.build import T0, bar
from trader.errors import ConfigError, DataError
from trader.model.events import BarLate, BooksOpened, Event, OrderFilled, TargetSet
from trader.model.inputs import (
    ActivityReported,
    Backfilled,
    Control,
    DailyBars,
    ExternalReported,
    Held,
    History,
    Input,
    Mismatched,
    Opened,
    OrderReleased,
    OverrideAgreed,
    OverrideAsked,
    Reconciled,
    Released,
    Reported,
    Revised,
    Settled,
    Split,
    Ticks,
    TimerFired,
)
from trader.model.orders import ExecutionReport, OrderStatus, Reason, Side
from trader.model.ticks import Quote, Trade
from trader.store import tape
from trader.store.tape import Entry, Head, TapeReader, TapeWriter, packed

HEAD = Head(version="1", python="3", settings=b"{}", is_alpaca=True, book_id="sim", grace=5, ledger=b"\x00\xff")
REPORT = ExecutionReport("o", OrderStatus.FILLED, T0, "x1", Decimal("1E+2"), Decimal("0.10"), fee=Decimal("-0"))
FILL = OrderFilled(
    T0, "one", "SPY", Side.BUY, Decimal("1.50"), Decimal("2E-8"), Decimal(0), "USD", "o", "x1", Decimal("1.0"),
    Reason.SIGNAL, OrderStatus.FILLED, Decimal("-0.0"), opened=True,
)  # fmt: skip

RECORDED: list[tuple[Input, list[Event] | None]] = [
    (Opened(T0, "123", Decimal("1000.00"), {"SPY": Decimal(-1), "AAPL": Decimal("0.5")}, "digest"), []),
    (History(T0, [bar(), bar("BTC/USD", 2)]), [BarLate(T0, "SPY", T0)]),
    (Ticks(T0, [bar(), Quote("SPY", T0, 0.1, 1, 0.3, 2), Trade("SPY", T0, 5e-324, 1e308)]), [FILL, FILL]),
    (Backfilled(T0, [bar()]), []),
    (Revised(T0, [bar()]), []),
    (Held(T0, "halt AAPL", ("AAPL",), "why ☂"), []),
    (Released(T0, "halt AAPL"), []),
    (Split(T0, "SPY", Decimal(10), T0 - 1), []),
    (TimerFired(T0), [TargetSet(T0, "one", "SPY", 0.1 + 0.2, Reason.FLATTENED, is_leaving=False)]),
    (Reported(T0, REPORT), [BooksOpened(T0, bytes(range(256)))]),
    (ExternalReported(T0, "SPY", Side.SELL, REPORT), []),
    (ActivityReported(T0, "a", "DIV", "SPY", Decimal("1.10")), []),
    (Reconciled(T0, T0 - 1), []),
    (Mismatched(T0, "SPY", Decimal(1), Decimal(2), "why"), []),
    (Settled(T0, "SPY", "cli", Decimal(-1)), []),
    (OrderReleased(T0, "o", "cli"), []),
    (DailyBars(T0, [bar(), bar("BTC/USD", 2)]), []),
    (OverrideAsked(T0, "one", "SPY", Side.BUY, Decimal("1.50"), "cooldown", "why", T0 + 1, "ann"), []),
    (OverrideAgreed(T0, 1, "bob"), []),
    (Control(T0, "halt", "", "cli"), None),
]


def write(path: Path, *, recorded: list[tuple[Input, list[Event] | None]] = RECORDED) -> Path:
    writer = TapeWriter(path, HEAD)
    for message, events in recorded:
        writer.write(message, events)
    writer.close()
    return path


def read(path: Path) -> tuple[list[Entry], str]:
    with TapeReader(path) as reader:
        assert reader.head == HEAD
        return list(reader), reader.flaw


def is_beginning(entries: list[Entry]) -> bool:
    written = [(message, packed(events)) for message, events in RECORDED[: len(entries)]]
    return [(entry.message, bytes(entry.events)) for entry in entries] == written


def test_every_kind_of_input_comes_back_with_its_events_byte_for_byte(tmp_path: Path) -> None:
    assert {type(message) for message, _ in RECORDED} == set(Input.__args__)
    entries, flaw = read(write(tmp_path / "t"))
    assert flaw == ""
    assert len(entries) == len(RECORDED)
    assert is_beginning(entries)
    assert [str(vars_) for vars_ in _decimals(entries)] == [str(vars_) for vars_ in _decimals(RECORDED)]


def _decimals(rows: object) -> Iterator[Decimal]:
    """Yield the quantities of the reports among the inputs: equal decimals may still be written differently."""
    for row in rows:  # type: ignore[attr-defined]
        message = row.message if isinstance(row, Entry) else row[0]
        if isinstance(message, Reported):
            yield from (message.report.qty, message.report.price, message.report.fee)


def test_a_tape_is_written_in_blocks_and_read_across_them(tmp_path: Path) -> None:
    many: list[tuple[Input, list[Event] | None]] = [(Ticks(T0 + n, [bar()] * 20), []) for n in range(2_000)]
    path = write(tmp_path / "t", recorded=many)
    entries, flaw = read(path)
    assert flaw == ""
    assert [entry.message for entry in entries] == [message for message, _ in many]
    assert path.stat().st_size < 2_000_000  # 40,000 ticks, which are all alike


def test_a_byte_changed_anywhere_is_named_and_nothing_after_it_is_believed(tmp_path: Path) -> None:
    path = write(tmp_path / "t")
    whole = path.read_bytes()
    first_line = whole.index(b"\n") + 1
    version = range(first_line - 1 - len(HEAD.version), first_line - 1)  # for people; the head has it again
    for at in set(range(len(whole))) - set(version):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])
        try:
            entries, flaw = read(path)
        except DataError as error:
            assert str(path) in str(error)  # noqa: PT017 -- one loop over every byte
            continue
        assert "at byte" in flaw, at
        assert is_beginning(entries)


def test_a_tape_cut_off_anywhere_says_after_which_input_and_at_which_byte(tmp_path: Path) -> None:
    path = write(tmp_path / "t")
    whole = path.read_bytes()
    told = set()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        try:
            entries, flaw = read(path)
        except DataError as error:
            assert str(path) in str(error)  # noqa: PT017 -- one loop over every length
            continue
        assert is_beginning(entries)
        assert flaw.startswith(f"after input {len(entries)}, at byte ")
        assert "the file is cut off, or whoever wrote it was killed" in flaw
        told.add(len(entries))
    assert told == {0, len(RECORDED)}  # all of them stand in one block


def test_a_block_that_is_missing_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape, "FLUSH_S", 0.001)
    path, other = tmp_path / "t", tmp_path / "other"
    sizes = []
    writer = TapeWriter(path, HEAD)
    for message, events in RECORDED[:3]:
        sizes.append(path.stat().st_size)
        writer.write(message, events)
        _wait(lambda: path.stat().st_size > sizes[-1])
    writer.close()
    whole = path.read_bytes()
    other.write_bytes(whole[: sizes[1]] + whole[sizes[2] :])
    entries, flaw = read(other)
    assert is_beginning(entries)
    assert flaw == f"after input 1, at byte {sizes[1]:,}: the next block is of input 3: what was between is missing"


def _wait(condition: Callable[[], bool]) -> None:
    turn = threading.Event()
    for _ in range(5_000):
        if condition():
            return
        turn.wait(0.001)
    raise TimeoutError


def test_a_process_that_is_killed_leaves_what_it_had_a_second_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tape, "FLUSH_S", 0.001)
    path, image = tmp_path / "t", tmp_path / "image"
    writer = TapeWriter(path, HEAD)
    began = path.stat().st_size
    writer.write(*RECORDED[0])
    _wait(lambda: path.stat().st_size > began)
    image.write_bytes(path.read_bytes())
    writer.close()
    entries, flaw = read(image)
    assert len(entries) == 1
    assert flaw == (
        f"after input 1, at byte {image.stat().st_size:,}: the file is cut off, or whoever wrote it was killed:"
        " 0 of 25 bytes"
    )


def test_a_tape_of_another_format_says_which_version_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(b"trader tape 7 9.1.0\nwhatever comes")
    with pytest.raises(DataError) as caught:
        TapeReader(path)
    assert str(caught.value) == (
        f"{path}: is a tape of format 7, written by trader 9.1.0; this version reads format 1; replay it with trader"
        " 9.1.0"
    )


@pytest.mark.parametrize("content", [b"", b"trader tape", b"{}\n", b"\x00" * 1000, b"trader tape 1 2 3\n"])
def test_what_is_no_tape_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"t: is no tape; name one of trader run --tape"):
        TapeReader(path)


def test_a_missing_tape_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x: cannot be read \(No such file or directory\); name a tape"):
        TapeReader(tmp_path / "x")


def test_a_place_that_cannot_be_written_is_told_before_the_run(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none" / "t", Path("/dev/full")):
        with pytest.raises(ConfigError, match=r"^--tape .*: cannot be written \(.*\); name a file in a folder you may"):
            TapeWriter(path, HEAD)


def test_tapes_of_before_are_kept_and_other_files_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "t"
    for count in (1, 2, 3):
        write(path, recorded=RECORDED[:count])
    assert [len(read(tmp_path / name)[0]) for name in ("t.1", "t.2", "t")] == [1, 2, 3]
    path.write_text("a letter")
    with pytest.raises(ConfigError, match=r"--tape .*/t: something that is no tape is there; name a new file"):
        TapeWriter(path, HEAD)
    assert path.read_text() == "a letter"


def test_a_tape_is_for_its_owner_only(tmp_path: Path) -> None:
    assert write(tmp_path / "t").stat().st_mode & 0o777 == 0o600


class Disk:
    """A pipe in the place of a file: a disk that takes what it is asked to take."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.writer = TapeWriter(path, HEAD)

    def take(self) -> bytes:
        """Read to the end."""
        os.set_blocking(self._fd, True)
        with open(self._fd, "rb") as file:  # noqa: PTH123 -- it is open
            return file.read()

    def fail(self) -> None:
        os.close(self._fd)


INCOMPRESSIBLE = np.random.default_rng(1).bytes(50_000)


def test_a_disk_that_does_not_keep_up_ends_the_tape_and_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tape, "MOST_WAITING", 500_000)
    disk, image = Disk(tmp_path / "pipe"), tmp_path / "image"
    with capture_logs() as logs:
        for _ in range(1_000):
            disk.writer.write(TimerFired(T0), [BooksOpened(T0, INCOMPRESSIBLE)])
        closing = threading.Thread(target=disk.writer.close)
        closing.start()
        image.write_bytes(disk.take())
        closing.join()
    entries, flaw = read(image)
    assert 10 <= len(entries) < 40
    assert flaw == f"after input {len(entries)} it was given up: the disk does not keep up"
    assert [(line["event"], line["why"]) for line in logs] == [("tape.ended", "the disk does not keep up")]


def test_a_disk_that_refuses_ends_the_tape_and_not_the_run(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "pipe")
    disk.fail()
    with capture_logs() as logs:
        for _ in range(10):
            disk.writer.write(TimerFired(T0), [BooksOpened(T0, INCOMPRESSIBLE)])
        disk.writer.close()
        disk.writer.write(TimerFired(T0), [])
    assert [(line["event"], line["why"], line["inputs"]) for line in logs] == [("tape.ended", "Broken pipe", 0)]


def test_a_disk_that_hangs_does_not_hold_up_the_end_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape, "CLOSE_S", 0.05)
    disk = Disk(tmp_path / "pipe")
    for _ in range(10):
        disk.writer.write(TimerFired(T0), [BooksOpened(T0, INCOMPRESSIBLE)])
    with capture_logs() as logs:
        disk.writer.close()
    assert [(line["event"], line["why"]) for line in logs] == [("tape.ended", "the disk does not answer")]
    disk.take()
    _wait(lambda: all(thread.name != "tape" for thread in threading.enumerate()))


def test_an_input_that_cannot_be_recorded_ends_the_tape_and_not_the_run(tmp_path: Path) -> None:
    path = tmp_path / "t"
    writer = TapeWriter(path, HEAD)
    writer.write(*RECORDED[0])
    with capture_logs() as logs:
        writer.write(Split(T0, "SPY", Decimal(2), 2**80), [])
        writer.write(*RECORDED[1])
        writer.close()
    entries, flaw = read(path)
    assert is_beginning(entries)
    assert flaw.startswith("after input 1 it was given up: an input cannot be recorded: ")
    assert [(line["event"], line["inputs"]) for line in logs] == [("tape.ended", 1)]


def test_words_this_version_does_not_know_are_named_by_their_place(
    tmp_path: Path,
) -> None:
    later: Any = "many"
    path = write(tmp_path / "t", recorded=[(Split(T0, "SPY", later, T0), [])])
    entries, flaw = read(path)
    assert entries == []
    assert flaw.startswith("after input 0, at byte ")
    assert "this version does not know what it says (Invalid decimal string" in flaw
