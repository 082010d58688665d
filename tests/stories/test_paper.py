"""`trader run` against `trader exchange` as a new user tries it: right once, then wrong in every way."""

import json
import os
import pty
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stories.programs import SLOW, Program, exchange, variables

SPEED = "240"
Told = dict[str, Any]


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """One exchange for all that it survives unchanged."""
    with exchange(tmp_path_factory.mktemp("exchange"), "--speed", SPEED) as (_, told):
        yield told


@pytest.fixture
def trader(tmp_path: Path) -> Iterator[Any]:
    """Start programs that are over with the test."""
    started: list[Program] = []

    def start(told: Told | None, *arguments: str | Path, is_other_user: bool = False, **more: Any) -> Program:
        env = {**(variables(told) if told else {}), **more.pop("env", {})}
        if is_other_user:  # with locks and a state folder of its own
            env["XDG_STATE_HOME"] = str(tmp_path / f"home{len(started)}")
        started.append(Program("run", "--log-format", "console", *arguments, cwd=tmp_path, env=env, **more))
        return started[-1]

    yield start
    for program in started:
        program.__exit__()


def strategy(folder: Path, *tickers: str) -> Path:
    """Write a config of one lively strategy."""
    return strategies(folder, {"tickers": tickers or ["SPY", "BTC/USD"]})


def strategies(folder: Path, *given: dict[str, Any]) -> Path:
    """Write a config of lively strategies."""
    usual: dict[str, Any] = {"strategy_type": "momentum", "tickers": ["SPY"], "min_warmup_bars": 5}
    usual |= {"strategy_params": {"lookback_period": 2, "momentum_threshold": 0.0002}, "initial_cash": 10_000}
    path = folder / "mine.json"
    entries = [{"name": f"s{number}", **usual, **settings} for number, settings in enumerate(given)]
    path.write_text(json.dumps({"strategies": entries}))
    return path


def control(told: Told, fault: dict[str, Any]) -> None:
    request = urllib.request.Request(told["control_url"], json.dumps(fault).encode(), method="POST")  # noqa: S310
    with urllib.request.urlopen(request, timeout=SLOW) as answer:  # noqa: S310 -- our own
        assert answer.status < 300


def said(program: Program, code: int, *words: str) -> tuple[str, str]:
    """See a program end with an exit code and words that help, without a traceback; return its output and its log."""
    ended, out, log = program.end()
    assert ended == code, log
    assert "Traceback" not in out + log
    assert "unexpected" not in log
    for word in words:
        assert word in log
    return out, log


# --- right ---------------------------------------------------------------------------------------------------------


def test_a_rehearsal_trades_and_ends_with_one_object_an_export_and_a_log(
    trader: Any, tmp_path: Path, market: Told
) -> None:
    files = ["--export-trades", "trades.jsonl", "--state-dir", "state"]
    program = trader(market, "--config", strategy(tmp_path), "--speed", SPEED, "--json", *files)
    program.until("Mode: PAPER (orders to a paper account, no money at risk)")
    program.until("🟢 BUY")
    program.process.send_signal(signal.SIGINT)
    summary = json.loads(said(program, 0)[0])
    assert summary["mode"] == "PAPER"
    first = json.loads((tmp_path / "trades.jsonl").read_text().splitlines()[0])
    assert first["side"] == "buy"
    log = (tmp_path / "state" / "log.jsonl").read_text()
    assert market["keys"][0]["secret"] not in log
    assert market["keys"][0]["id"] not in log


def test_on_a_weekend_it_says_when_the_market_opens_and_coins_trade(trader: Any, tmp_path: Path) -> None:
    with exchange(tmp_path, "--speed", SPEED, "--start", "2026-01-10T12:00") as (_, told):
        program = trader(told, "--config", strategy(tmp_path), "--speed", SPEED)
        program.until("the stock market opens on Monday 2026-01-12 14:30 UTC, in 2 days; until then SPY wait, BTC/USD")
        program.until("BUY")
        assert "BTC/USD" in program.seen.splitlines()[-1]
        program.process.terminate()
        said(program, 0)
        line = [told, "--config", strategy(tmp_path), "--speed", SPEED, "--for", "1s"]
        again = trader(*line)
        _, log = said(again, 0)
        assert "account already holds" not in log  # it is its own
        control(told, {"kind": "manual_order", "symbol": "BTC/USD", "qty": "0.5"})
        other = trader(*line, is_other_user=True)
        other.until("positions why=the account already holds")
        said(other, 0, "BTC/USD; no strategy owns that")


# --- keys and modes --------------------------------------------------------------------------------------------------

WRONG_KEYS: dict[str, tuple[dict[str, str | None], list[str], int, list[str]]] = {
    "id": ({"ID": "PKNOBODYNOBODYNOBOD1"}, [], 4, ["refused PK…BOD1 (from the environment)", "trader exchange --env"]),
    "secret": ({"SECRET": "nonsensenonsense"}, [], 4, ["refused PK…", "trader exchange --env"]),
    "swapped": ({"ID": "secret", "SECRET": "id"}, [], 4, ["look swapped"]),
    "half": ({"SECRET": None}, [], 4, ["APCA_API_SECRET_KEY: is missing", "set both or neither"]),
    "live key": ({"ID": "AKLIVELIVELIVELIVE99"}, [], 4, ["AK…VE99", "is a live key, but this is paper trading"]),
    "paper key": ({}, ["--live"], 4, ["is a paper key, but --live was given"]),
    "no flag": ({}, ["--yes-live", "1"], 2, ["add --live, or leave it out"]),
    "none": ({"ID": None, "SECRET": None}, ["--feed", "alpaca"], 4, ["Missing Alpaca API credentials", "are free"]),
}


def test_wrong_keys_are_told_with_what_to_do(trader: Any, market: Told) -> None:
    right = variables(market)
    names = {"ID": "APCA_API_KEY_ID", "SECRET": "APCA_API_SECRET_KEY"}
    values = {"id": right[names["ID"]], "secret": right[names["SECRET"]]}
    programs = []
    for changes, arguments, _, _ in WRONG_KEYS.values():
        changed = {names[name]: values.get(value or "", value) for name, value in changes.items()}
        env = {name: value for name, value in (right | changed).items() if value is not None}
        programs.append(trader(None, "--speed", SPEED, *arguments, env=env, is_other_user=True))
    for program, (_, _, code, words) in zip(programs, WRONG_KEYS.values(), strict=True):
        _, log = said(program, code, *words)
        assert values["secret"][-4:] not in log


def test_real_money_takes_the_accounts_number(trader: Any, tmp_path: Path) -> None:
    with exchange(tmp_path, "--speed", SPEED, "--live-keys") as (_, told):
        (number,) = [key["account"] for key in told["keys"]]
        line = [told, "--config", strategy(tmp_path), "--speed", SPEED, "--for", "1s", "--live"]
        said(trader(*line), 3, "there is no terminal to ask at; add --yes-live NUMBER")
        said(trader(*line, "--yes-live", "123"), 3, "'123', is not the number of the account", "nothing was started")
        said(trader(*line, "--yes-live", number), 0, "Mode: LIVE (REAL MONEY)", " LIVE [INFO] ")
        for typed, code, words in ((number, 0, "LIVE [INFO] feed.subscribed"), ("yes", 3, "'yes', is not the number")):
            ours, theirs = pty.openpty()
            try:
                program = trader(*line, stdin=theirs)
                os.write(ours, f"{typed}\n".encode())
                out, log = said(program, code, words)
                assert "will trade REAL MONEY in the account that ends in …001" in out + log
            finally:
                os.close(ours)
                os.close(theirs)


# --- tickers and capital ---------------------------------------------------------------------------------------------

UNFIT: list[tuple[dict[str, Any], str]] = [
    ({"tickers": ["SPYY"]}, "strategies[0].tickers[0]: Alpaca knows no 'SPYY'"),
    ({"tickers": ["AAPL"]}, "strategies[1].tickers[0]: AAPL is not traded at Alpaca (active, tradable: false); take"),
    ({"tickers": ["MSFT"], "allow_short": True}, "MSFT cannot be sold short now (not shortable); set allow_short"),
    ({"tickers": ["NVDA"]}, "NVDA is traded in whole shares only; set fractionable to false in 's3'"),
    (
        {"tickers": ["SPY"], "initial_cash": 90_000},
        "lower initial_cash by $30,000.00 in all, or insist with --allow-ov",
    ),
]
MISSPELT = ["BTCUSD", "btc/usd"]


def test_what_does_not_fit_the_account_is_told_at_once_before_anything_starts(trader: Any, tmp_path: Path) -> None:
    with exchange(tmp_path, "--speed", SPEED) as (_, told):
        control(told, {"kind": "asset", "symbol": "AAPL", "tradable": False})
        control(told, {"kind": "asset", "symbol": "MSFT", "shortable": False})
        control(told, {"kind": "asset", "symbol": "NVDA", "fractionable": False})
        unfit = strategies(tmp_path, *(settings for settings, _ in UNFIT))
        said(trader(told, "--config", unfit, "--speed", SPEED), 3, *(words for _, words in UNFIT))
        pairs = strategies(tmp_path, *({"tickers": [ticker]} for ticker in MISSPELT))
        wanted = [f"got {ticker!r}; did you mean 'BTC/USD'?" for ticker in MISSPELT]
        said(trader(told, "--config", pairs, "--speed", SPEED), 3, *wanted)
        rich = strategies(tmp_path, {"initial_cash": 200_000})
        insisting = trader(told, "--config", rich, "--speed", SPEED, "--for", "1s", "--allow-overallocation")
        said(insisting, 0, "stopped, total PnL")


# --- time ------------------------------------------------------------------------------------------------------------

TIMES = {
    "none": ([], "it has a time of its own; add --speed N to follow it"),
    "another": (["--speed", "30"], "times as fast as this machine's, not 30 times"),
    "max": (["--speed", "max"], "--speed max: only a local exchange's time can be followed at a speed"),
}


def test_another_time_than_the_exchanges_is_told(trader: Any, market: Told) -> None:
    programs = [trader(market, *arguments, is_other_user=True) for arguments, _ in TIMES.values()]
    only_keys = {name: value for name, value in variables(market).items() if not name.endswith("_URL")}
    programs.append(trader(None, "--speed", SPEED, env=only_keys))
    wanted = [words for _, words in TIMES.values()] + [f"--speed {SPEED}: only a local exchange's time"]
    for program, words in zip(programs, wanted, strict=True):
        said(program, 3, words)


# --- others on the line, and nobody ----------------------------------------------------------------------------------


def test_the_second_program_with_one_key_says_why_it_stops(trader: Any, tmp_path: Path, market: Told) -> None:
    config = strategy(tmp_path, "BTC/USD")
    first = trader(market, "--config", config, "--speed", SPEED)
    first.until("feed.subscribed")
    said(trader(market, "--config", config, "--speed", SPEED), 3, "is in use by process", "stop that one first")
    second = trader(market, "--config", config, "--speed", SPEED, is_other_user=True)  # nobody here can see the first
    second.until("another program with these keys holds the account's place; stop it, or wait")
    said(second, 5, "another program with these keys still holds", "Stop that program")
    first.process.terminate()
    said(first, 0)


def test_nobody_there_is_told_with_what_to_start(trader: Any, market: Told) -> None:
    gone = {"APCA_API_BASE_URL": "http://127.0.0.1:9"}
    said(trader(market, "--speed", SPEED, env=gone), 5, "Connection refused", "start `trader exchange` there")


def test_an_exchange_that_dies_is_waited_for_and_taken_up_again(trader: Any, tmp_path: Path) -> None:
    config = strategy(tmp_path, "BTC/USD")
    with exchange(tmp_path, "--speed", SPEED) as (server, told):
        program = trader(told, "--config", config, "--speed", SPEED)
        program.until("TRADING ACTIVE")
        server.process.kill()
        program.until("entries.held")
    with exchange(
        tmp_path, "--speed", SPEED, "--start", "2026-01-05T14:40", "--port", told["base_url"][-5:].strip(":")
    ):
        program.until("entries.released")
    program.until("stream.disconnected")
    program.process.terminate()
    said(program, 0)


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("Starting", signal.SIGINT),
        ("stream.connected", signal.SIGTERM),
        ("feed.subscribed", signal.SIGINT),
        ("TRADING ACTIVE", signal.SIGINT),
    ],
)
def test_a_stop_at_any_moment_ends_in_order(
    trader: Any, tmp_path: Path, market: Told, moment: str, number: int
) -> None:
    program = trader(market, "--config", strategy(tmp_path, "BTC/USD"), "--speed", SPEED, "--json")
    program.until(moment)
    program.process.send_signal(number)
    assert json.loads(said(program, 0)[0])["mode"] == "PAPER"
