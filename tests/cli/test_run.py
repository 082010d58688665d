"""``trader run``: filters on the command line."""

import json
from pathlib import Path

import pytest

from trader.cli import main

Capture = pytest.CaptureFixture[str]
QUIET = ["--feed", "synthetic", "--speed", "max", "--for", "2m"]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give settings whose strategy buys at once, and whose filters let nothing pass."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "buys_at_once.py").write_text(
        "from trader.model.signals import Target\nfrom trader.strategies import Strategy\n\n"
        "class Buys(Strategy):\n    def on_bar(self, bar, ctx):\n        return Target(bar.symbol, 1.0)\n"
    )
    nothing = {"name": "max-positions", "max-long-positions": 0}
    one = {"name": "One", "strategy_type": "buys_at_once:Buys", "tickers": ["BTC/USD"], "filters": [nothing]}
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"strategies": [one], "filters": [nothing]}))
    return str(file)


def trades_of(capsys: Capture) -> int:
    (one,) = json.loads(capsys.readouterr().out)["strategies"]
    return int(one["trades"])


def test_the_filters_of_the_settings_are_asked(settings: str, capsys: Capture) -> None:
    assert main(["run", "--config", settings, *QUIET, "--json"]) == 0
    assert trades_of(capsys) == 0


def test_a_filter_on_the_command_line_takes_the_place_of_all_in_the_settings(settings: str, capsys: Capture) -> None:
    assert main(["run", "--config", settings, *QUIET, "--json", "--filter", "nil"]) == 0
    assert trades_of(capsys) == 1


def test_what_cannot_be_is_told_in_the_words_of_the_option(capsys: Capture) -> None:
    words = ["--filter", "max-positions", "--filter-inputs", "max-long=3,max-short-positions=x"]
    assert main(["run", *QUIET, *words]) == 3
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        "error: --filter max-positions: max_short_positions: must be a whole number, got 'x'",
        "--filter max-positions: max_long: unknown parameter; did you mean 'max_long_positions'?",
    ]
