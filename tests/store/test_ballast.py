"""Room for the last records: made once, given up once, and never half of it."""

from pathlib import Path

import pytest

from trader.store import ballast


def test_it_takes_the_room_that_it_keeps(tmp_path: Path) -> None:
    assert ballast.keep(tmp_path / "journal")
    found = (tmp_path / "journal.ballast").stat()
    assert found.st_size == ballast.SIZE
    assert found.st_blocks * 512 >= ballast.SIZE


def test_it_is_made_once(tmp_path: Path) -> None:
    assert ballast.keep(tmp_path / "journal")
    before = (tmp_path / "journal.ballast").stat().st_mtime_ns
    assert ballast.keep(tmp_path / "journal")
    assert (tmp_path / "journal.ballast").stat().st_mtime_ns == before


def test_one_that_was_cut_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "journal.ballast").write_bytes(b"short")
    assert ballast.keep(tmp_path / "journal")
    assert (tmp_path / "journal.ballast").stat().st_size == ballast.SIZE


def test_it_is_given_up_once(tmp_path: Path) -> None:
    assert ballast.keep(tmp_path / "journal")
    assert [ballast.release(tmp_path / "journal") for _ in range(2)] == [True, False]


def test_half_of_it_is_not_kept_on_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert not ballast.keep(tmp_path / "journal")
    assert list(tmp_path.iterdir()) == []


def test_there_is_none_where_there_is_no_folder(tmp_path: Path) -> None:
    assert not ballast.keep(tmp_path / "nowhere" / "journal")
