"""``trader replay``: the same, or the first difference, or how far the tape goes."""

import json
from pathlib import Path

import pytest

from tests.tapes import lively, own_strategy, record
from trader import __version__
from trader.cli import main
from trader.model.time import iso
from trader.store.tape import TapeReader

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder whose modules can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)  # a class is written twice within a second
    return tmp_path


async def test_a_run_that_is_the_same_is_two_lines_and_exit_0(tmp_path: Path, capsys: Capture) -> None:
    await record(path := tmp_path / "t", lively("one", "SPY"), minutes=10)
    capsys.readouterr()
    assert main(["replay", str(path)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert second == "the same events as then, byte for byte"
    assert " inputs and " in first
    assert first.endswith(" events from 2026-01-05T14:30:00Z to 2026-01-05T14:40:00Z")


async def test_a_difference_is_shown_with_input_time_strategy_and_both_events(folder: Path, capsys: Capture) -> None:
    await record(path := folder / "t", own_strategy(folder, "return Target(bar.symbol, 0.5)"), minutes=5)
    own_strategy(folder, "return Target(bar.symbol, 0.25)")
    capsys.readouterr()
    assert main(["replay", str(path)]) == 8
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("input ")
    assert lines[1].endswith(" (Ticks) of 2026-01-05T14:31:00Z: event 1 is not the same")
    assert lines[2] == "  strategy  Own"
    assert lines[3].startswith('  recorded  {"type": "')
    assert lines[4].startswith('  replayed  {"type": "')
    assert "0.5" in lines[3]
    assert "0.25" in lines[4]


async def test_json_answers_with_one_object_whatever_strategies_print(folder: Path, capsys: Capture) -> None:
    await record(path := folder / "t", own_strategy(folder, "print('hello')"), minutes=5)
    own_strategy(folder, "print('hello'); return Target(bar.symbol, 0.25)")
    capsys.readouterr()
    assert main(["replay", "--json", str(path)]) == 8
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert said.err.startswith("hello\n")
    assert (answer["same"], answer["whole"], answer["flaw"], answer["failure"]) == (False, True, None, None)
    assert (answer["recorded_by"], answer["replayed_by"]) == (__version__, __version__)
    found = answer["difference"]
    assert (found["strategy"], found["kind"], found["place"], found["recorded"]) == ("Own", "Ticks", 1, None)
    assert found["replayed"]["strategy"] == "Own"
    assert iso(found["ts"]) == "2026-01-05T14:31:00Z"


async def test_a_tape_cut_short_says_after_which_input_and_the_rest_of_it_was_compared(
    tmp_path: Path, capsys: Capture
) -> None:
    await record(path := tmp_path / "t", lively("one", "SPY"), minutes=10)
    with TapeReader(path) as tape:
        count = len(list(tape))
    path.write_bytes(path.read_bytes()[:-1])
    capsys.readouterr()
    assert main(["replay", str(path)]) == 8
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "the same events as then, byte for byte"
    assert lines[2].startswith(f"the tape is not whole: after input {count}, at byte ")


async def test_how_the_desk_failed_is_said(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("books do not balance")

    monkeypatch.setattr("trader.engine.desk.Desk.report", fail)
    with pytest.raises(AssertionError):
        await record(path := tmp_path / "t", lively("one", "SPY"))
    capsys.readouterr()
    assert main(["replay", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "the same events as then, byte for byte",
        "the last input ended the run, then and now: AssertionError: books do not balance",
    ]


async def test_another_version_is_said_beside_the_verdict(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr("trader.live.replay.__version__", "0.0.9")
        await record(path := tmp_path / "t", lively("one", "SPY"), minutes=2)
    capsys.readouterr()
    assert main(["replay", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"recorded by trader 0.0.9, replayed by {__version__}"


def test_what_is_no_tape_is_told_with_exit_code_3(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "x").write_text("{}")
    assert main(["replay", str(tmp_path / "x")]) == 3
    assert capsys.readouterr().err == f"error: {tmp_path}/x: is no tape; name one of trader run --tape\n"
