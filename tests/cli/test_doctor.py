"""``trader doctor`` as a shell starts it: a new user's mistakes, each with what to do next, never a traceback."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import run
from tests.live.alpaca_server import KEYS, SECRET, AlpacaServer, serving
from trader.cli.doctor import WIDTH
from trader.live.checkup import REMOTE


@pytest.fixture(autouse=True)
def _no_keys_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the keys and addresses of whoever runs the tests out of them."""
    for name in [*os.environ]:
        if name.startswith(("APCA_", "ALPACA_")) or name == "CREDENTIALS_DIRECTORY":
            monkeypatch.delenv(name)


@pytest.fixture
def alpaca() -> Iterator[AlpacaServer]:
    with serving() as server:
        yield server


def doctor(*words: str, **env: str) -> tuple[int, str]:
    """Run it and return exit code and table, which has no traceback, no secret, and fits a terminal."""
    done = run("doctor", *words, cwd=None, **env)
    assert done.stderr == ""
    assert SECRET not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= WIDTH or "--json" in words
    return done.returncode, done.stdout


def test_a_new_machine_is_ready_for_the_simulated_market_and_is_told_how_to_get_further() -> None:
    code, said = doctor()
    assert code == 0
    assert said.splitlines()[-1] == "Ready: without keys `trader run` trades a simulated market."
    assert 'export APCA_API_KEY_ID="your_key"' in said
    assert "skip others        needs keys: trading_api, account" in said


def test_good_keys_are_ready_for_paper(alpaca: AlpacaServer) -> None:
    code, said = doctor(**alpaca.env)
    assert (code, said.splitlines()[-1]) == (0, "Ready for paper trading.")


def test_wrong_keys_are_to_be_mended(alpaca: AlpacaServer) -> None:
    code, said = doctor(**alpaca.env | {"APCA_API_KEY_ID": "PKANOTHERKEY0000"})
    assert (code, said.splitlines()[-1]) == (8, "To be mended first: trading_api.")
    assert "refused PK…0000" in said


def test_nobody_at_the_address_is_to_be_mended() -> None:
    with serving() as gone:
        env = gone.env
    code, said = doctor(**env)
    assert (code, said.splitlines()[-1]) == (8, "To be mended first: trading_api.")
    assert "Connection refused" in said


def test_plain_http_to_another_machine_is_refused_before_anything_is_sent() -> None:
    code, said = doctor(**KEYS, APCA_API_BASE_URL="http://192.0.2.1")
    assert (code, said.splitlines()[-1]) == (8, "To be mended first: endpoints.")
    assert "must begin with https://" in said


def test_json_is_one_object_with_every_check(alpaca: AlpacaServer, tmp_path: Path) -> None:
    alpaca.answers["/v2/assets/SPY"] = (200, {"symbol": "SPY", "status": "inactive", "tradable": False})
    file = tmp_path / "my.json"
    file.write_text(json.dumps({"strategies": [{"name": "A", "strategy_type": "rsi", "tickers": ["SPY"]}]}))
    code, said = doctor("--json", "--config", str(file), **alpaca.env)
    answer = json.loads(said)
    assert code == 8
    assert (answer["ok"], answer["mode"]) == (False, "paper")
    assert set(answer["checks"][0]) == {"name", "status", "message", "remedy"}
    names = [check["name"] for check in answer["checks"]]
    assert names[-len(REMOTE) :] == [*REMOTE]
    (failed,) = [check for check in answer["checks"] if check["status"] == "fail"]
    assert failed == {
        "name": "tickers",
        "status": "fail",
        "message": "strategies[0].tickers[0]: SPY is not traded at Alpaca (inactive, tradable: false)",
        "remedy": "take it out",
    }
