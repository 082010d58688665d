"""``trader ls``: what can be named, what it takes, and where it comes from."""

import json
from pathlib import Path

import pytest

from trader.cli import main
from trader.config import STRATEGY_TYPES, parsing
from trader.director import FILTERS
from trader.registry import Registry
from trader.strategies import STRATEGIES

PLUGIN = """
from dataclasses import field
from trader.strategies import Strategy

class Fade(Strategy):
    '''Sell what has risen.

    And buy it back.
    '''
    bars: int
    levels: list[float] = field(default_factory=list)
    label: str = "fade"

    def on_bar(self, bar, ctx):
        return None
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a package installed whose one strategy works and whose other does not."""
    metadata = tmp_path / "acme-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    points = "fade = ls_acme:Fade\nbroken = ls_acme_broken:Any\n"
    (metadata / "entry_points.txt").write_text(f"[trader.strategies]\n{points}")
    (tmp_path / "ls_acme.py").write_text(PLUGIN)
    (tmp_path / "ls_acme_broken.py").write_text("import ls_acme_missing\n")
    monkeypatch.syspath_prepend(tmp_path)
    fresh = Registry("strategy", "trader.strategies", STRATEGIES)
    monkeypatch.setattr("trader.config.STRATEGY_TYPES", fresh)
    monkeypatch.setattr(parsing, "STRATEGY_TYPES", fresh)


def test_every_built_in_strategy_is_listed_with_its_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "strategies"]) == 0
    shown = capsys.readouterr().out
    assert all(f"{name}  (built in)\n" in shown for name in STRATEGIES)
    assert "  lookback_period=20 momentum_threshold=0.02\n" in shown
    assert "  Long when the close rose by the threshold over the lookback" in shown


def test_json_lists_the_same_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "strategies", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["strategies"]}
    assert list(rows) == STRATEGY_TYPES.names()
    assert rows["momentum"]["parameters"] == [
        {"name": "lookback_period", "type": "int", "default": 20},
        {"name": "momentum_threshold", "type": "float", "default": 0.02},
    ]
    assert (rows["momentum"]["origin"], rows["momentum"]["error"]) == ("built in", None)


@pytest.mark.usefixtures("plugins")
def test_an_installed_strategy_is_listed_and_a_broken_one_with_its_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "strategies"]) == 0
    shown = capsys.readouterr().out
    assert "fade  (ls_acme:Fade (package acme))\n  Sell what has risen.\n  bars levels" in shown
    assert "broken  (ls_acme_broken:Any (package acme))\n  cannot be loaded: strategy 'broken'" in shown
    assert "No module named 'ls_acme_missing'" in shown
    assert "adaptive  (built in)" in shown


@pytest.mark.usefixtures("plugins")
def test_json_lists_a_broken_strategy_with_its_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "strategies", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["strategies"]}
    assert rows["fade"]["error"] is None
    assert rows["fade"]["parameters"][0] == {"name": "bars", "type": "int", "default": None}
    assert rows["broken"]["parameters"] == []
    assert "No module named 'ls_acme_missing'" in rows["broken"]["error"]


def test_every_filter_is_listed_with_its_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "filters"]) == 0
    shown = capsys.readouterr().out
    assert all(f"{name}  (built in)\n" in shown for name in FILTERS)
    assert "nil  (built in)\n  Lets everything pass.\n\n" in shown
    assert "  blocked_days=Friday block_friday\n" in shown
    assert "  max_frac=0.2 max_fracs max_count max_counts on_excess=trim categories\n" in shown


def test_types_of_parameters_are_told_in_plain_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "filters", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["filters"]}
    types = {one["name"]: one["type"] for name in ("weekday", "category", "var") for one in rows[name]["parameters"]}
    assert (types["blocked_days"], types["block_friday"], types["max_count"]) == ("tuple", "bool | null", "int | null")
    assert (types["categories"], types["method"]) == ("dict", "'parametric' | 'historical'")
