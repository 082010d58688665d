"""A run is recorded, and its decisions are made again: the whole way, by the program and over Alpaca's wire."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.build import T0
from tests.stories.exchange import rehearse
from tests.stories.programs import SLOW, Program
from tests.tapes import lively, own_strategy
from trader.cli import main
from trader.live.replay import replay
from trader.model.inputs import Held, Released, Reported
from trader.store.tape import TapeReader

BOUGHT = "return Target(bar.symbol, 0.5)"
BOUGHT_LESS = "return Target(bar.symbol, 0.25)"


def config_file(folder: Path, *strategies: dict[str, Any]) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps({"strategies": strategies}))
    return path


def test_a_run_is_replayed_to_the_same_events_and_what_was_changed_since_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # a class is written more than once within a second
    tape = tmp_path / "t"
    config = config_file(tmp_path, lively("Steady", "BTC/USD", "SPY"), own_strategy(tmp_path, BOUGHT, name="Mine"))
    with Program("run", "--config", config, "--tape", tape, "--speed", "max", "--for", "1h", cwd=tmp_path) as program:
        code, _, log = program.end()
    assert code == 0, log
    with Program("replay", tape, cwd=tmp_path) as program:
        code, said, log = program.end()
    assert (code, said.splitlines()[1:]) == (0, ["the same events as then, byte for byte"]), log

    own_strategy(tmp_path, BOUGHT_LESS)
    assert main(["replay", "--json", str(tape)]) == 8
    found = json.loads(capsys.readouterr().out)["difference"]
    assert found["strategy"] == "Mine"
    assert found["ts"] > T0

    own_strategy(tmp_path, BOUGHT)
    whole = tape.read_bytes()
    tape.write_bytes(whole[: len(whole) - 100])
    assert main(["replay", str(tape)]) == 8
    *_, verdict, flaw = capsys.readouterr().out.splitlines()
    assert verdict == "the same events as then, byte for byte"
    assert flaw.startswith("the tape is not whole: after input ")
    assert "at byte " in flaw

    tape.write_bytes(whole.replace(b"trader tape 1 ", b"trader tape 2 ", 1))
    assert main(["replay", str(tape)]) == 3
    assert "t: is a tape of format 2, written by trader " in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_a_killed_process_leaves_a_tape_of_all_but_its_last_second(tmp_path: Path) -> None:
    config = config_file(tmp_path, lively("Steady", "BTC/USD", "SPY"))
    with Program("run", "--config", config, "--tape", "t", "--speed", "1200", "--for", "1h", cwd=tmp_path) as program:
        program.until("order.filled")
        known = (tmp_path / "t").stat().st_size
        while (tmp_path / "t").stat().st_size == known:  # it writes once a second
            program.until('"order.filled"')
        program.process.kill()
        assert program.process.wait(SLOW) != 0
    verdict = replay(tmp_path / "t")
    assert verdict.difference is None
    assert verdict.inputs > 10
    assert "the file is cut off, or whoever wrote it was killed" in verdict.flaw


SEVERAL = [
    lively("one", "SPY"),
    lively("two", "SPY", "QQQ"),
    lively("coins", "BTC/USD", "ETH/USD"),
    lively("five", "IWM", bar="5Min", min_warmup_bars=3),
]
FAULTS: list[dict[str, Any]] = [
    {"kind": "drop", "at": "+3m", "socket": "stock"},
    {"kind": "drop", "at": "+5m", "socket": "trading"},
    {"kind": "too_many_requests", "at": "+4m", "count": 2},
]


async def test_a_run_on_alpacas_wire_with_holes_in_it_is_replayed_to_the_same_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t"
    await rehearse(SEVERAL, minutes=8, monkeypatch=monkeypatch, faults=FAULTS, tape=path, state_dir=tmp_path)
    verdict = replay(path)
    assert (verdict.difference, verdict.flaw, verdict.failure) == (None, "", "")
    assert verdict.events > 10
    with TapeReader(path) as tape:
        kinds = {type(entry.message) for entry in tape}
    assert {Reported, Held, Released} <= kinds
