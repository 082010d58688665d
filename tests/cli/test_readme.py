"""What README.md shows to be copied, tried as it stands there."""

import json
import re
from pathlib import Path

from tests.cli.commands import run
from tests.conftest import ROOT


def test_the_strategy_shown_trades_when_copied(tmp_path: Path) -> None:
    (tmp_path / "my_strategies.py").write_text(_block("python", holding="class Breakout"))
    entry = {"name": "Copied", "strategy_type": "my_strategies:Breakout", "tickers": ["SPY"]}
    (tmp_path / "copied.json").write_text(json.dumps({"strategies": [entry]}))
    done = run("run", "--config", "copied.json", "--speed", "max", "--for", "2h", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (copied,) = json.loads(done.stdout)["strategies"]
    assert copied["state"] == "active", done.stderr
    assert copied["trades"] > 0


def test_the_settings_shown_can_be_run(tmp_path: Path) -> None:
    (tmp_path / "my.json").write_text(_block("json", holding='"strategies"'))
    done = run("check", "my.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def _block(language: str, *, holding: str) -> str:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", readme, re.DOTALL)
    return next(block for block in blocks if holding in block)
