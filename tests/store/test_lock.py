"""One process at a time, and whoever comes second is told who was first."""

import os
from pathlib import Path

import pytest

from trader.errors import JournalLocked
from trader.store.lock import Lock, holder_of


def test_the_second_is_told_who_has_it(tmp_path: Path) -> None:
    with Lock(tmp_path / "lock").acquire("the account of key PK1…"), pytest.raises(JournalLocked) as caught:
        Lock(tmp_path / "lock").acquire("the account of key PK1…")
    text = str(caught.value)
    assert text.startswith(f"the account of key PK1… is in use by process {os.getpid()} (")
    assert "stop that one first" in text
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "address", ["postgresql://me:geheim@host/books", "postgresql://host/b?password=geheim&user=me"]
)
def test_a_password_in_the_holders_command_is_told_to_nobody(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.orig_argv", ["trader", "run", "--journal", address, "--live"])
    with Lock(tmp_path / "lock").acquire("a test"):
        told = holder_of(tmp_path / "lock")
    assert "geheim" not in told
    assert "trader run --journal postgresql://" in told
    assert "--live)" in told


def test_who_lets_go_makes_room(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock").acquire("a test")
    lock.release()
    lock.release()
    with Lock(tmp_path / "lock").acquire("a test"):
        pass


def test_two_names_are_two_locks(tmp_path: Path) -> None:
    with Lock(tmp_path / "one").acquire("a test"), Lock(tmp_path / "two").acquire("a test"):
        pass


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    with Lock(tmp_path / "lock").acquire("a test"):
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "nonsense"])
def test_a_holder_that_left_no_word_is_another_process(tmp_path: Path, text: str) -> None:
    (tmp_path / "lock").write_text(text)
    assert holder_of(tmp_path / "lock") == "another process"


def test_a_lock_that_is_gone_was_another_process(tmp_path: Path) -> None:
    assert holder_of(tmp_path / "lock") == "another process"
