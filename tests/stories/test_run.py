"""`trader run` as a person meets it: a real process, real signals, real pipes, real files."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.build import T0
from tests.stories.programs import Program
from trader.model.time import MINUTE, iso

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc or /dev/full, which only Linux has")


@pytest.fixture
def trader(tmp_path: Path) -> Iterator[Any]:
    started: list[Program] = []

    def start(*arguments: str | Path, **settings: Any) -> Program:
        started.append(Program(*arguments, cwd=tmp_path, **settings))
        return started[-1]

    yield start
    for program in started:
        program.__exit__()


def strategy_file(folder: Path, body: str) -> Path:
    """Write a config that runs a class `Mine` with ``body`` as its on_bar on SPY, and a well-behaved sibling."""
    (folder / "mine.py").write_text(
        "from trader.model.signals import Signals, Target\nfrom trader.model.ticks import Bar\n"
        "from trader.strategies import Context, Strategy\n\n\nclass Mine(Strategy):\n"
        f"    def on_bar(self, bar: Bar, ctx: Context) -> Signals:\n        {body}\n"
    )
    config = folder / "config.json"
    good = {"name": "Good", "strategy_type": "momentum", "tickers": ["BTC/USD"], "min_warmup_bars": 1}
    good["strategy_params"] = {"lookback_period": 2, "momentum_threshold": 0.0001}
    bad = {"name": "Bad", "strategy_type": "mine:Mine", "tickers": ["SPY"], "min_warmup_bars": 1}
    config.write_text(json.dumps({"strategies": [bad, good]}))
    return config


def bars_file(folder: Path, rows: list[str]) -> Path:
    path = folder / "bars.csv"
    path.write_text("\n".join(["symbol,ts,open,high,low,close,volume", *rows]) + "\n")
    return path


def bar_row(number: int, close: float = 100.0, **changes: object) -> str:
    row = {"symbol": "SPY", "ts": iso(T0 + number * MINUTE), "o": close, "h": close, "l": close, "c": close, "v": 1}
    return ",".join(str(value) for value in {**row, **changes}.values())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_in_order_with_the_summary_on_stdout_and_exit_0(trader: Any, number: int) -> None:
    program = trader("run", "--log-format", "console")
    program.until("TRADING ACTIVE")
    program.process.send_signal(number)
    code, out, log = program.end()
    assert code == 0
    assert "TOTAL PnL ACROSS ALL STRATEGIES" in out
    assert out.count("\n[") == 5
    assert "Traceback" not in out + log
    assert all(" SIM [" in line for line in log.splitlines())


def test_a_second_signal_ends_at_once_even_where_a_strategy_hangs(trader: Any, tmp_path: Path) -> None:
    config = strategy_file(tmp_path, "print('hanging', flush=True)\n        while True: pass")
    program = trader("run", "--config", config)
    assert program.process.stdout.readline() == "hanging\n"
    program.process.send_signal(signal.SIGINT)
    while program.process.poll() is None:
        program.process.send_signal(signal.SIGINT)
    assert program.end()[0] == 130


def test_the_first_trade_is_seen_within_thirty_seconds_of_the_default_run(trader: Any) -> None:
    program = trader("run", "--for", "30s", "--speed", "max", "--log-format", "console")
    assert program.end()[0] == 0
    program = trader("run", "--for", "30m", "--speed", "max", "--log-format", "console")  # 30 s at the default speed
    code, _, log = program.end()
    assert code == 0
    assert "🟢 BUY" in log


def test_json_is_the_only_thing_on_stdout_and_money_in_it_is_text(trader: Any) -> None:
    code, out, log = trader("run", "--for", "1d", "--speed", "max", "--json").end()
    assert code == 0
    summary = json.loads(out)
    assert list(summary) == ["mode", "strategies", "total_pnl"]
    assert summary["mode"] == "SIM"
    first = summary["strategies"][0]
    wanted = {
        "name", "state", "initial_cash", "available_cash", "total_value", "pnl", "pnl_pct",
        "daily_trades", "trades", "active_positions", "positions",
    }  # fmt: skip
    assert wanted <= set(first)
    assert all(isinstance(first[key], str) for key in ("initial_cash", "available_cash", "total_value", "pnl"))
    assert all(json.loads(line)["mode"] == "SIM" for line in log.splitlines())


def test_equal_seeds_give_equal_exports_and_another_seed_another(trader: Any, tmp_path: Path) -> None:
    for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        run = trader("run", "--for", "2d", "--speed", "max", "--seed", seed, "--export-trades", tmp_path / name)
        assert run.end()[0] == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != (tmp_path / "c").read_bytes()
    assert (tmp_path / "a").stat().st_size > 1000


def test_a_raising_strategy_is_halted_by_name_and_its_sibling_trades_on(trader: Any, tmp_path: Path) -> None:
    config = strategy_file(tmp_path, "raise ValueError('no idea')")
    state = tmp_path / "state"
    run = trader(
        "run", "--config", config, "--for", "1h", "--speed", "max", "--log-format", "console", "--state-dir", state
    )
    code, out, log = run.end()
    assert code == 0
    (line,) = [line for line in log.splitlines() if "failed" in line]
    assert "[Bad] ✗ Strategy failed on SPY: ValueError: no idea" in line
    assert "HALTED" in line
    assert "[Good] 🟢 BUY" in log
    assert "State: halted" in out
    assert "Traceback" not in out + log
    assert "Traceback (most recent call last)" in (state / "log.jsonl").read_text()


def test_a_slow_strategy_is_warned_about_by_name(trader: Any, tmp_path: Path) -> None:
    config = strategy_file(tmp_path, "sum(range(30_000_000))")
    _, _, log = trader("run", "--config", config, "--for", "1m", "--speed", "max", "--log-format", "console").end()
    assert "[Bad] strategy.slow symbol=SPY took_ms=" in log


def test_a_log_that_nobody_reads_does_not_stop_trading(trader: Any, tmp_path: Path) -> None:
    config = strategy_file(tmp_path, "return Target(bar.symbol, float(bar.close > ctx.closes(bar.symbol, 2)[0]))")
    reader, writer = os.pipe()
    try:
        run = trader("run", "--config", config, "--for", "14d", "--speed", "max", "-v", stderr=writer)
        code, out, _ = run.end()
    finally:
        os.close(reader)
        os.close(writer)
    assert code == 0
    assert "TOTAL PnL" in out


def test_a_closed_stdout_costs_the_summary_and_nothing_else(trader: Any) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    run = trader("run", "--for", "1h", "--speed", "max", "--log-format", "console", stdout=writer)
    os.close(writer)
    _, _, log = run.end()
    assert "summary.unwritten" in log
    assert "Traceback" not in log


def test_a_replay_says_what_it_left_out_and_why(trader: Any, tmp_path: Path) -> None:
    rows = [bar_row(0), bar_row(1), bar_row(1), bar_row(2, c="nan"), bar_row(3, h=1), bar_row(4, c=-1), bar_row(5)]
    config = strategy_file(tmp_path, "return Target(bar.symbol, 1.0)")
    run = trader(
        "run", "--config", config, "--feed", "replay", "--data", bars_file(tmp_path, rows), "--log-format", "console"
    )
    code, _, log = run.end()
    assert code == 0
    (line,) = [line for line in log.splitlines() if "rows.skipped" in line]
    for reason in ("duplicate=1", "not_a_number=1", "high_below_low=1", "price_not_positive=1"):
        assert reason in line
    assert "data.missing symbols=BTC/USD" in log


def test_several_files_may_follow_one_data_option(trader: Any, tmp_path: Path) -> None:
    config = strategy_file(tmp_path, "return None")
    one = bars_file(tmp_path, [bar_row(number) for number in range(5)])
    two = tmp_path / "more.csv"
    two.write_text(one.read_text().replace("SPY", "BTC/USD"))
    code, _, log = trader("run", "--config", config, "--feed", "replay", "--data", one, two, "--speed", "max").end()
    assert code == 0
    assert "data.missing" not in log


MISTAKES: dict[str, tuple[list[str], int, list[str]]] = {
    "no such config": (["--config", "nope.json"], 3, ["nope.json", "no such file"]),
    "a config where data belong": (["my.json"], 2, ["unexpected argument 'my.json'", "--config my.json"]),
    "no such data": (["--feed", "replay", "--data", "nope.parquet"], 3, ["nope.parquet"]),
    "replay without data": (["--feed", "replay"], 3, ["--data"]),
    "data without replay": (["--data", "x.csv"], 3, ["--feed replay"]),
    "a wrong feed": (["--feed", "alpacca"], 2, ["'synthetic', 'replay', 'alpaca'"]),
    "no keys": (["--feed", "alpaca"], 4, ["Missing Alpaca API credentials"]),
    "no speed": (["--speed", "fast"], 2, ["'fast' is no speed", "max"]),
    "speed zero": (["--speed", "0"], 2, ["above 0"]),
    "no duration": (["--for", "soon"], 2, ["'soon' is not a duration", "15m"]),
    "no time": (["--start", "monday"], 2, ["'monday' is not a time", "2019-12-16T14:30"]),
    "live": (["--live"], 4, ["Missing Alpaca API credentials"]),
    "a typo": (["--sped", "1"], 2, ["--speed"]),
    "an export nowhere": (
        ["--export-trades", "no/such/folder/x", "--for", "1m", "--speed", "max"],
        3,
        ["no/such/folder/x"],
    ),
    "a state folder that is a file": (
        ["--state-dir", "/dev/null/x", "--for", "1m", "--speed", "max"],
        3,
        ["--state-dir"],
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_told_in_one_breath_with_what_to_do(trader: Any, case: str) -> None:
    arguments, expected, words = MISTAKES[case]
    code, out, log = trader("run", *arguments).end()
    assert code == expected
    assert "Traceback" not in out + log
    for word in words:
        assert word in log


@linux
def test_a_signal_during_the_start_ends_it_quietly(trader: Any) -> None:
    program = trader("run", "--speed", "1")
    while not Path(f"/proc/{program.process.pid}/status").exists():
        pass
    # the handlers stand before anything heavy is imported; wait until Python has them
    while not _catches_sigterm(program.process.pid):
        assert program.process.poll() is None
    program.process.send_signal(signal.SIGTERM)
    code, out, log = program.end()
    assert code == 0
    assert "Traceback" not in out + log


def _catches_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def test_what_a_strategy_prints_does_not_spoil_the_json(trader: Any, tmp_path: Path) -> None:
    config = strategy_file(tmp_path, "print('hello from the strategy')")
    code, out, log = trader("run", "--config", config, "--for", "5m", "--speed", "max", "--json").end()
    assert code == 0
    assert json.loads(out)["mode"] == "SIM"
    assert "hello from the strategy" in log


def test_a_stop_during_a_long_warm_up_is_heard(trader: Any, tmp_path: Path) -> None:
    config = tmp_path / "long.json"
    tickers = ["BTC/USD", "ETH/USD", "SOL/USD", "LTC/USD"]
    one = {"name": "Long", "strategy_type": "momentum", "tickers": tickers, "bar": "1Day", "min_warmup_bars": 400}
    config.write_text(json.dumps({"strategies": [one]}))
    program = trader("run", "--config", config, "--log-format", "console")
    program.until("Asset Type")
    program.process.send_signal(signal.SIGINT)
    code, out, _ = program.end()
    assert code == 0
    assert "State: warming" in out


@linux
def test_a_full_disk_of_the_state_folder_is_told_on_the_screen(trader: Any, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").symlink_to("/dev/full")
    run = trader("run", "--for", "1h", "--speed", "max", "--log-format", "console", "--state-dir", tmp_path)
    code, out, log = run.end()
    assert code == 0
    assert "log.incomplete lost_lines=" in log
    assert "TOTAL PnL" in out
