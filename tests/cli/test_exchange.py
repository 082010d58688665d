"""``trader exchange``: prints where it listens, serves until it is interrupted, and says what it served."""

import json
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.commands import PROGRAM, run
from trader.cli import main

SLOWEST_S = 60


@contextmanager
def serving(*words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*PROGRAM, "exchange", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_one_line_of_json_tells_where_and_with_which_keys() -> None:
    with serving("--speed", "60", "--keys", "2", "--cash", "2500.50") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert [key.keys() for key in told["keys"]] == [{"account", "id", "secret"}] * 2
        assert told["start"] == "2026-01-05T14:25:00Z"
        key = told["keys"][1]
        headers = {"APCA-API-KEY-ID": key["id"], "APCA-API-SECRET-KEY": key["secret"]}
        request = urllib.request.Request(f"{told['base_url']}/v2/account", headers=headers)  # noqa: S310 -- our own
        with urllib.request.urlopen(request, timeout=SLOWEST_S) as answer:  # noqa: S310 -- as above
            assert json.load(answer)["cash"] == "2500.5"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SLOWEST_S)
    assert process.returncode == 0
    assert not out
    assert err.startswith("served 1 request, 0 orders, ")


def test_exports_are_what_a_shell_evaluates() -> None:
    with serving("--env", "--symbols", "NEWCO") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        process.terminate()
        process.communicate(timeout=SLOWEST_S)
    assert process.returncode == 0
    assert [line.partition("=")[0] for line in lines] == [
        "export APCA_API_BASE_URL",
        "export APCA_API_DATA_URL",
        "export APCA_API_STREAM_URL",
        "export APCA_API_KEY_ID",
        "export APCA_API_SECRET_KEY",
    ]
    assert lines[2].startswith("export APCA_API_STREAM_URL=ws://127.0.0.1:")


def test_recorded_bars_are_replayed_from_their_beginning(tmp_path: Path) -> None:
    data = tmp_path / "SPY.csv"
    rows = [f"2024-01-02T15:{minute:02}:00Z,10,12,9,11,100" for minute in range(30)]
    data.write_text("\n".join(["timestamp,open,high,low,close,volume", *rows]))
    with serving("--feed", "replay", "--data", str(data), "--speed", "60") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["start"] == "2024-01-02T15:00:00Z"
        process.terminate()
        process.communicate(timeout=SLOWEST_S)


def test_a_replay_that_begins_after_its_data_is_an_error(tmp_path: Path) -> None:
    data = tmp_path / "SPY.csv"
    data.write_text("timestamp,open,high,low,close,volume\n2024-01-02T15:00:00Z,10,12,9,11,100\n")
    done = run("exchange", "--feed", "replay", "--data", str(data), "--start", "2025-01-01")
    assert done.returncode == 3
    assert "start earlier" in done.stderr


def test_a_port_in_use_is_an_error_that_says_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run("exchange", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "Address already in use; choose another one with --port" in done.stderr
    assert not done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--feed", "replay"), "name files or folders with --data"),
        (("--data", "bars.csv"), "--data is what --feed replay replays"),
        (("--symbols", "SPY,btc"), "'btc' is no symbol; write stocks like SPY and coins like BTC/USD"),
        (("--speed", "0"), "0<x<=10000"),
        (("--cash", "lots"), "give dollars, such as 100000 or 2500.50"),
        (("--cash", "1.234"), "give dollars"),
        (("--start", "noon"), "write it like 2019-12-16T14:30"),
        (("--keys", "0"), "1<=x<=100"),
    ],
)
def test_what_cannot_be_is_a_mistake_of_usage(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["exchange", *words]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
