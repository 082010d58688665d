"""``trader journal``: what is in it, whether it is whole, and copies, while a desk runs and while none does."""

import asyncio
import json
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.build import bar
from tests.live.controlled import controlled
from tests.store.events import T0, order, snapshot, step
from trader.cli import main
from trader.live.state_folder import JOURNAL
from trader.store.sqlite import open_journal

Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Give a function that runs ``trader journal …`` and returns (exit code, output, errors)."""

    def run(*words: object) -> tuple[int, str, str]:
        code = main(["journal", *map(str, words)])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Give a journal with four records in a state folder."""
    path = tmp_path / "state" / JOURNAL
    with closing(open_journal(path)) as journal:
        assert not list(journal.recover())
        journal.write([step(1, 2), snapshot(2), order(3), step(4)])
    return path


def test_a_whole_journal_is_said_to_be_one(journal: Path, say: Say) -> None:
    code, out, err = say("verify", journal)
    assert (code, err) == (0, "")
    assert f"{journal}: 4 records, each as it was written" in out
    assert "from      2026-01-05T14:30:00.000000001Z" in out
    assert "snapshot  record 2" in out


def test_the_desks_own_journal_is_meant_where_none_is_named(journal: Path, say: Say) -> None:
    code, out, _ = say("verify", "--state-dir", journal.parent, "--json")
    answer = json.loads(out)
    assert (code, answer["journal"], answer["records"], answer["opened"]) == (0, str(journal), 4, 2)
    assert len(answer["hash"]) == 64


def test_a_journal_without_records_is_said_to_have_none(tmp_path: Path, say: Say) -> None:
    open_journal(tmp_path / "new").close()
    assert say("verify", tmp_path / "new") == (0, f"{tmp_path / 'new'}: no records\n", "")


def test_a_damaged_journal_is_named_with_its_record(journal: Path, say: Say) -> None:
    data = bytearray(journal.read_bytes())
    data[data.index(b"book1.momentum.3")] ^= 1
    journal.write_bytes(data)
    for verb in ("verify", "show", "export"):
        code, out, err = say(verb, journal)
        assert (code, out) == (4, "")
        assert f"{journal}: record 3 is not what was written" in err


def test_what_is_no_journal_is_told_and_left_alone(tmp_path: Path, say: Say) -> None:
    (tmp_path / "letter").write_text("Dear reader")
    code, _, err = say("verify", tmp_path / "letter")
    assert code == 4
    assert "letter: is no journal" in err
    assert [one.name for one in tmp_path.iterdir()] == ["letter"]


def test_a_journal_that_is_not_there_is_told(tmp_path: Path, say: Say) -> None:
    code, _, err = say("show", "--state-dir", tmp_path)
    assert code == 3
    assert err.startswith(f"error: {tmp_path / JOURNAL}:\n  there is no journal of this name; name one, or")


def test_a_folder_and_a_file_are_one_too_many(journal: Path, say: Say) -> None:
    code, _, err = say("verify", journal, "--state-dir", journal.parent)
    assert code == 2
    assert "give it or FILE, not both" in err


def test_the_last_records_are_shown_an_event_a_line(journal: Path, say: Say) -> None:
    code, out, _ = say("show", journal, "--limit", 2)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["3", "4"]
    assert "OrderCreated" in out
    assert '"order_id": "book1.momentum.3.0123abcd"' in out


def test_records_behind_a_number_are_shown(journal: Path, say: Say) -> None:
    _, out, _ = say("show", journal, "--after", 0, "--limit", 2)
    lines = [line.split()[:3] for line in out.splitlines()]
    assert [(number, kind) for number, _, kind in lines] == [
        ("1", "CashBooked"),
        ("1", "CashBooked"),
        ("2", "BooksOpened"),
        ("2", "CashBooked"),
    ]
    assert "state=(10 bytes)" in out


def test_every_record_is_exported_as_json(journal: Path, say: Say) -> None:
    code, out, _ = say("export", journal)
    records = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [record["number"] for record in records] == [1, 2, 3, 4]
    assert records[0]["ts"] == T0 + 1
    assert [event["type"] for event in records[0]["events"]] == ["CashBooked", "CashBooked"]
    assert records[3]["events"][0]["amount"] == "0.04"
    assert say("export", journal, "--after", 3)[1].splitlines() == out.splitlines()[3:]


def test_a_copy_is_made_and_checked(journal: Path, tmp_path: Path, say: Say) -> None:
    copy = tmp_path / "copy"
    code, out, _ = say("backup", copy, journal)
    assert code == 0
    assert f"{copy}: 4 records, each as it was written" in out
    assert say("export", copy)[1] == say("export", journal)[1]


def test_a_copy_overwrites_nothing(journal: Path, tmp_path: Path, say: Say) -> None:
    (tmp_path / "copy").write_text("a letter")
    code, _, err = say("backup", tmp_path / "copy", journal)
    assert code == 3
    assert "exists already; a backup overwrites nothing" in err
    assert (tmp_path / "copy").read_text() == "a letter"


def test_a_copy_to_a_folder_that_is_not_there_is_told(journal: Path, tmp_path: Path, say: Say) -> None:
    code, _, err = say("backup", tmp_path / "nowhere" / "copy", journal)
    assert code == 1
    assert "No such file or directory" in err


def test_a_copy_in_the_place_of_the_journal_goes_on_from_there(journal: Path, tmp_path: Path, say: Say) -> None:
    # Given a copy, and a journal that went on after it
    assert say("backup", tmp_path / "copy", journal)[0] == 0
    with closing(open_journal(journal)) as original:
        assert list(original.recover())
        original.write([step(5)])

    # When the copy is put in its place, the older state is noticed
    (tmp_path / "copy").replace(journal)
    code, _, err = say("verify", journal)
    assert code == 4
    assert "record 5 was acknowledged and is gone" in err
    assert "or it is an older copy (then delete that file too)" in err

    # Then a person who means it says so
    journal.with_name(f"{JOURNAL}.mark").unlink()
    assert say("verify", journal)[0] == 0


def test_who_has_a_journal_that_no_desk_has_is_told(journal: Path, say: Say) -> None:
    with closing(open_journal(journal)):
        code, _, err = say("verify", journal)
    assert code == 3
    assert f"the journal {journal} is in use by process {os.getpid()}" in err


@pytest.mark.parametrize("words", [("verify",), ("show",), ("export",)])
async def test_a_running_desk_is_asked_for_a_copy_to_look_at(tmp_path: Path, say: Say, words: tuple[str, ...]) -> None:
    async with controlled(tmp_path) as desk:
        desk.minute(bar(minute=1))
        code, out, err = await asyncio.to_thread(say, *words, "--state-dir", tmp_path)
        last = desk.journal.last
    assert (code, err) == (0, "")
    assert f"{last:,} records" in out or "OrderCreated" in out


async def test_a_running_desk_copies_its_journal(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path) as desk:
        desk.minute(bar(minute=1))
        code, out, _ = await asyncio.to_thread(say, "backup", tmp_path / "copy", "--state-dir", tmp_path, "--json")
        last = desk.journal.last
    assert (code, json.loads(out)["records"]) == (0, last)
