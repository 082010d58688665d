"""``scripts/traders/run_multi_trader.py``: the guide's command lines, from any folder and by any Python."""

import json
import shutil
import sys
from pathlib import Path

from tests.cli.commands import start
from tests.conftest import ROOT

PROGRAM = ROOT / "scripts" / "traders" / "run_multi_trader.py"


def test_a_settings_file_is_run(tmp_path: Path) -> None:
    config = str(ROOT / "configs" / "multi_trader_simple.json")
    words = ["--config", config, "--speed", "max", "--for", "5m", "--json"]
    done = start([sys.executable, str(PROGRAM), *words], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [row["name"] for row in json.loads(done.stdout)["strategies"]] == [
        "SPY_Adaptive",
        "QQQ_Momentum",
        "BTC_Momentum",
    ]


def test_live_without_keys_says_how_to_set_them(tmp_path: Path) -> None:
    done = start([sys.executable, str(PROGRAM), "--live"], cwd=tmp_path)
    assert done.returncode == 4
    assert "Missing Alpaca API credentials" in done.stderr


def test_a_python_without_the_packages_hands_over_to_scripts_trader(tmp_path: Path) -> None:
    """-S and -I leave out site-packages, as in a Python that has none of the packages."""
    traders = tmp_path / "scripts" / "traders"
    traders.mkdir(parents=True)
    program = Path(shutil.copy(PROGRAM, traders))
    stand_in = tmp_path / "scripts" / "trader"
    stand_in.write_text('#!/bin/sh\necho "$@"\n')
    stand_in.chmod(0o755)
    words = ["--config", "my file.json", "--live"]
    done = start([sys.executable, "-I", "-S", str(program), *words], cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "run --config my file.json --live\n")
