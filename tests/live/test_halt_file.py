"""The HALT file: there is a halt as long as it is there, and after it."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.waiting import until
from trader.live import halt_file
from trader.live.halt_file import HaltFile, HaltWatch, one_line


class Halts:
    """A desk that can be halted, and counts it."""

    def __init__(self) -> None:
        self.whys: list[str] = []
        self.is_halted = False

    async def halt(self, why: str) -> None:
        self.whys.append(why)
        self.is_halted = True


def watch(folder: Path, desk: Halts) -> HaltWatch:
    return HaltWatch(HaltFile(folder), is_halted=lambda: desk.is_halted, halt=desk.halt)


def test_a_folder_without_the_file_says_nothing(tmp_path: Path) -> None:
    assert HaltFile(tmp_path).look() is None
    assert HaltFile(tmp_path / "none").look() is None
    assert HaltFile(Path("/dev/null")).look() is None


def test_what_it_says_is_read_as_one_bounded_line(tmp_path: Path) -> None:
    (tmp_path / "HALT").write_text("the news\n\n\x1b[31m are bad " + "x" * 10_000)
    said = HaltFile(tmp_path).look()
    assert said is not None
    assert said.startswith("the news [31m are bad xxx")
    assert len(said) == halt_file.KEPT


@pytest.mark.parametrize("kind", ["empty", "folder", "pipe", "link to nowhere", "binary"])
def test_whatever_has_its_name_halts(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "HALT"
    match kind:
        case "empty":
            path.touch()
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "binary":
            path.write_bytes(b"\xff\xfe\x00")
        case _:
            path.symlink_to(tmp_path / "none")
    assert HaltFile(tmp_path).look() is not None


def test_it_is_written_once_for_its_owner_only(tmp_path: Path) -> None:
    file = HaltFile(tmp_path / "new" / "folder")
    assert file.write("first")
    assert not file.write("second")
    assert file.look() == "first"
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_looked_into_may_hold_one(tmp_path: Path) -> None:
    said = HaltFile(tmp_path / ("x" * 300)).look()
    assert said is not None
    assert "cannot be looked for" in said


async def test_the_desk_is_halted_with_what_the_file_says(tmp_path: Path) -> None:
    desk = Halts()
    looking = asyncio.create_task(watch(tmp_path, desk).run())
    (tmp_path / "HALT").write_text("bad news\n")
    await until(lambda: desk.whys)
    looking.cancel()
    assert desk.whys == ["bad news"]


async def test_a_look_that_fails_is_not_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(halt_file, "LOOK_EVERY_S", 0)
    tries: list[str] = []

    async def fail(why: str) -> None:
        tries.append(why)
        raise OSError("the journal's disk failed")

    (tmp_path / "HALT").touch()
    looking = asyncio.create_task(HaltWatch(HaltFile(tmp_path), is_halted=lambda: False, halt=fail).run())
    await until(lambda: len(tries) > 1)
    looking.cancel()


async def test_a_desk_that_is_halted_is_not_halted_again(tmp_path: Path) -> None:
    desk = Halts()
    (tmp_path / "HALT").touch()
    for _ in range(3):
        await watch(tmp_path, desk).look()
    assert desk.whys == [""]


async def test_taking_the_file_away_resumes_nothing_and_a_new_one_halts_again(tmp_path: Path) -> None:
    desk = Halts()
    (tmp_path / "HALT").touch()
    await watch(tmp_path, desk).look()
    (tmp_path / "HALT").unlink()
    await watch(tmp_path, desk).look()
    assert desk.is_halted
    desk.is_halted = False  # an operator resumed it
    (tmp_path / "HALT").write_text("again")
    await watch(tmp_path, desk).look()
    assert desk.whys == ["", "again"]


def test_it_is_looked_for_more_often_than_every_second() -> None:
    assert halt_file.LOOK_EVERY_S <= 1


@pytest.mark.parametrize(
    ("text", "kept"), [("  a \n b\t", "a b"), ("\x00\x1b]0;x\x07", "]0;x"), ("é–", "é–"), ("", "")]
)
def test_a_reason_is_one_printable_line(text: str, kept: str) -> None:
    assert one_line(text) == kept
