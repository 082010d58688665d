"""``trader new``: what it writes runs as written."""

import json
import sys
from pathlib import Path

import pytest

from tests.cli.commands import run, start
from trader.cli import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_it_writes_three_files_and_says_what_to_do_next(folder: Path, capsys: Capture) -> None:
    assert main(["new", "strategy", "mean_cross"]) == 0
    assert names(folder) == ["mean_cross.json", "mean_cross.py", "test_mean_cross.py"]
    _, _, after = capsys.readouterr().out.partition("Next:\n")
    commands = [line.strip() for line in after.splitlines()]
    assert len(commands) == 3
    assert commands[0].endswith(" check mean_cross.json")
    assert commands[1].endswith(" run --config mean_cross.json")
    assert commands[2].endswith(" -m pytest test_mean_cross.py")


@pytest.mark.parametrize(
    ("name", "module", "cls"),
    [
        ("mean_cross", "mean_cross", "MeanCrossStrategy"),
        ("MeanCross", "mean_cross", "MeanCrossStrategy"),
        ("mean-cross", "mean_cross", "MeanCrossStrategy"),
        ("fade2", "fade2", "Fade2Strategy"),
        ("RSIFade", "rsi_fade", "RSIFadeStrategy"),
        ("MyStrategy", "my_strategy", "MyStrategy"),
    ],
)
def test_a_name_may_be_written_either_way(folder: Path, name: str, module: str, cls: str) -> None:
    assert main(["new", "strategy", name]) == 0
    settings = json.loads((folder / f"{module}.json").read_text())["strategies"][0]
    assert settings["strategy_type"] == f"{module}:{cls}"
    assert f"class {cls}(Strategy):" in (folder / f"{module}.py").read_text()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a b", "is not a name"),
        ("2fast", "is not a name"),
        ("été", "is not a name"),
        ("../up", "is not a name"),
        ("x" * 51, "is not a name"),
        ("", "is not a name"),
        ("class", "means something else"),
        ("test_me", "means something else"),
        ("strategy", "means something else"),
        ("json", "is installed already"),
        ("numpy", "is installed already"),
    ],
)
def test_a_name_that_could_not_be_imported_is_refused(folder: Path, capsys: Capture, name: str, said: str) -> None:
    assert main(["new", "strategy", name]) == 2
    assert said in capsys.readouterr().err
    assert names(folder) == []


def test_no_file_is_ever_replaced(folder: Path, capsys: Capture) -> None:
    (folder / "mean_cross.json").write_text("mine")
    assert main(["new", "strategy", "mean_cross"]) == 2
    assert "there is mean_cross.json already" in capsys.readouterr().err
    assert names(folder) == ["mean_cross.json"]
    assert (folder / "mean_cross.json").read_text() == "mine"


def test_it_writes_to_another_folder_and_says_how_to_get_there(folder: Path, capsys: Capture) -> None:
    assert main(["new", "strategy", "mean_cross", "--dir", "my own/sub"]) == 0
    assert names(folder / "my own" / "sub") == ["mean_cross.json", "mean_cross.py", "test_mean_cross.py"]
    assert "  cd 'my own/sub' && " in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_told(folder: Path, capsys: Capture) -> None:
    (folder / "file").write_text("")
    assert main(["new", "strategy", "mean_cross", "--dir", "file/sub"]) == 1
    assert capsys.readouterr().err == "Error: Could not open file 'file/sub': Not a directory\n"


def test_what_it_writes_passes_its_own_tests_and_check(folder: Path) -> None:
    assert run("new", "strategy", "mean_cross", cwd=folder).returncode == 0
    checked = run("check", "mean_cross.json", cwd=folder)
    assert (checked.returncode, checked.stderr) == (0, "")
    tested = start([sys.executable, "-m", "pytest", "-q", "test_mean_cross.py"], cwd=folder)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "4 passed" in tested.stdout


def test_what_it_writes_trades_on_the_synthetic_market(folder: Path) -> None:
    assert run("new", "strategy", "mean_cross", cwd=folder).returncode == 0
    ran = run("run", "--config", "mean_cross.json", "--speed", "max", "--for", "2h", "--json", cwd=folder)
    assert ran.returncode == 0, ran.stderr
    (result,) = json.loads(ran.stdout)["strategies"]
    assert result["name"] == "MeanCross"
    assert result["trades"] > 0


def test_a_filter_of_ones_own_passes_its_own_tests_and_runs(folder: Path) -> None:
    assert run("new", "filter", "max_order", cwd=folder).returncode == 0
    assert names(folder) == ["max_order.json", "max_order.py", "test_max_order.py"]
    assert "class MaxOrderFilter(Filter):" in (folder / "max_order.py").read_text()
    tested = start([sys.executable, "-m", "pytest", "-q", "test_max_order.py"], cwd=folder)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "3 passed" in tested.stdout
    ran = run("run", "--config", "max_order.json", "--speed", "max", "--for", "2h", "--json", cwd=folder)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("name", ["filter", "Filter"])
def test_a_filter_is_not_called_as_what_it_is_made_of(folder: Path, capsys: Capture, name: str) -> None:
    assert main(["new", "filter", name]) == 2
    assert "means something else" in capsys.readouterr().err
    assert names(folder) == []
