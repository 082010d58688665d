"""``trader check``: a line for each strategy, or everything that is wrong."""

import json
from pathlib import Path

import pytest

from tests.conftest import ROOT
from trader.cli import main

Capture = pytest.CaptureFixture[str]


def write(folder: Path, **changes: object) -> str:
    entry = {"name": "A", "strategy_type": "momentum", "tickers": ["SPY", "QQQ"], "initial_cash": 2500.5, **changes}
    file = folder / "my.json"
    file.write_text(json.dumps({"strategies": [entry]}))
    return str(file)


def test_a_good_file_is_one_line_for_each_strategy(capsys: Capture) -> None:
    assert main(["check", str(ROOT / "configs" / "multi_trader_simple.json")]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "SPY_Adaptive  adaptive  SPY      $10,000.00  warm-up 50 × 1Min",
        "QQQ_Momentum  momentum  QQQ      $10,000.00  warm-up 50 × 1Min",
        "BTC_Momentum  momentum  BTC/USD  $10,000.00  warm-up 50 × 1Min",
    ]
    assert said.err == ""


def test_doubts_are_notes_that_leave_the_answer_alone(tmp_path: Path, capsys: Capture) -> None:
    assert main(["check", write(tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.out == "A  momentum  SPY QQQ  $2,500.50  warm-up 50 × 1Min\n"
    assert said.err.startswith("note: strategies[0].risk_config.max_position_size: at 0.95 of equity each")


def test_a_bad_file_is_told_on_stderr_with_exit_code_3(tmp_path: Path, capsys: Capture) -> None:
    file = write(tmp_path, bar="2Min", tickers=["spy"])
    assert main(["check", file]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"error: {file}:\n  strategies[0].tickers[0]: must be")
    assert "\n  strategies[0].bar: must be one of" in said.err


def test_a_missing_file_is_told_in_one_line(tmp_path: Path, capsys: Capture) -> None:
    assert main(["check", str(tmp_path / "x.json")]) == 3
    assert capsys.readouterr().err == f"error: {tmp_path}/x.json: no such file\n"


def test_json_answers_with_the_settings_in_full(tmp_path: Path, capsys: Capture) -> None:
    assert main(["check", "--json", write(tmp_path)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is True
    assert answer["problems"] == []
    assert [note["path"] for note in answer["notes"]] == ["strategies[0].risk_config.max_position_size"]
    assert answer["strategies"][0]["initial_cash"] == "2500.5"
    assert answer["strategies"][0]["risk_config"]["max_position_size"] == "0.95"


def test_json_answers_with_the_problems_too(tmp_path: Path, capsys: Capture) -> None:
    file = write(tmp_path, initial_cash=0)
    assert main(["check", "--json", file]) == 3
    said = capsys.readouterr()
    problem = {"path": "strategies[0].initial_cash", "message": "must be > 0, got 0"}
    assert json.loads(said.out) == {"file": file, "ok": False, "strategies": [], "problems": [problem], "notes": []}
    assert said.err == ""
