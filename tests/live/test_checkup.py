"""The doctor's checks, against a server that answers like Alpaca and one that answers otherwise."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.access.alpaca.streams import StreamServer
from tests.live.alpaca_server import KEYS, AlpacaServer, serving
from trader.exchange.local import ExchangeOptions, LocalExchange
from trader.live import checkup_data, checkup_machine
from trader.live.checks import Check
from trader.live.checkup import REMOTE, CheckupOptions, examine

MACHINE = ["python", "event_loop", "time_zones", "state_dir", "disk"]
LOCAL = [*MACHINE, "settings", "credentials", "endpoints", "subscriptions"]


@pytest.fixture
def alpaca() -> Iterator[AlpacaServer]:
    with serving() as server:
        yield server


async def found(env: dict[str, str], **options: Any) -> dict[str, Check]:
    _, checks = await examine(CheckupOptions(**options), env)
    assert [check.name for check in checks][: len(LOCAL)] == LOCAL
    assert {check.name for check in checks} == {*LOCAL, *REMOTE}
    return {check.name: check for check in checks}


def statuses(checks: dict[str, Check], status: str) -> set[str]:
    return {name for name, check in checks.items() if check.status == status}


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def settings(folder: Path, *, broker: object = None, **changes: Any) -> Path:
    entry = {"name": "A", "strategy_type": "momentum", "tickers": ["SPY"], **changes}
    file = folder / "my.json"
    file.write_text(json.dumps({"strategies": [entry], "broker": broker or {}}))
    return file


async def test_a_good_account_is_ready(alpaca: AlpacaServer, tmp_path: Path) -> None:
    mode, _ = await examine(CheckupOptions(), alpaca.env)
    checks = await found(alpaca.env, state_dir=tmp_path)
    assert mode == "paper"
    assert statuses(checks, "fail") | statuses(checks, "warn") == set()
    assert statuses(checks, "skip") == {"stream"}
    assert checks["credentials"].message == "PK…EST1 from the environment"
    assert checks["account"].message == "…789 is ACTIVE, equity $100,000.00"
    assert checks["capital"].message == "$50,000.00 of the account's equity is given to the strategies"
    assert checks["tickers"].message == "8 known, and tradable as the strategies want"
    assert checks["market"].message == (
        "stocks are closed until 2026-11-23 14:30 UTC (09:30 in New York); crypto never is"
    )
    assert checks["data_api"].message == "newest bar of SPY (iex): 2026-11-20 21:00 UTC"
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("tickers", [["SPY", "BTC/USD"], ["BTC/USD"]])
async def test_the_local_exchange_is_an_account_that_is_ready(tmp_path: Path, tickers: list[str]) -> None:
    file = settings(tmp_path, tickers=tickers)
    async with LocalExchange(ExchangeOptions(symbols=("SPY", "BTC/USD"))) as exchange:
        env = {
            "APCA_API_KEY_ID": exchange.key.id,
            "APCA_API_SECRET_KEY": exchange.key.secret,
            "APCA_API_BASE_URL": exchange.base_url,
            "APCA_API_DATA_URL": exchange.base_url,
            "APCA_API_STREAM_URL": exchange.stream_url,
        }
        checks = await found(env, config=file, has_stream=True)
    assert statuses(checks, "ok") == {*LOCAL, *REMOTE}


async def test_without_keys_nobody_is_asked(alpaca: AlpacaServer) -> None:
    env = {name: value for name, value in alpaca.env.items() if name not in KEYS}
    checks = await found(env)
    assert statuses(checks, "fail") == set()
    assert statuses(checks, "skip") == {"credentials", *REMOTE}
    assert 'export APCA_API_KEY_ID="your_key"' in checks["credentials"].remedy
    assert alpaca.asked == []


async def test_live_without_keys_says_that_they_are_missing() -> None:
    mode, _ = await examine(CheckupOptions(is_live=True), {})
    checks = await found({}, is_live=True)
    assert mode == "live"
    assert checks["credentials"].status == "fail"
    assert checks["credentials"].message.startswith("Missing Alpaca API credentials")


@pytest.mark.parametrize(
    ("changes", "options", "failed"),
    [
        ({"APCA_API_KEY_ID": "AKLIVELIVE"}, {}, "credentials"),
        ({}, {"is_live": True}, "credentials"),
        ({"APCA_API_SECRET_KEY": ""}, {}, "credentials"),
        ({"APCA_API_KEY_ID": "your_key"}, {}, "credentials"),
        ({"APCA_API_BASE_URL": "https://api.alpaca.markets"}, {}, "endpoints"),
        ({"APCA_API_BASE_URL": "http://example.com"}, {}, "endpoints"),
    ],
)
async def test_what_does_not_fit_the_mode_is_told_before_anybody_is_asked(
    alpaca: AlpacaServer, changes: dict[str, str], options: dict[str, Any], failed: str
) -> None:
    checks = await found(alpaca.env | changes, **options)
    assert statuses(checks, "fail") == {failed}
    assert alpaca.asked == []


async def test_wrong_keys_are_told_with_what_to_look_at(alpaca: AlpacaServer) -> None:
    checks = await found(alpaca.env | {"APCA_API_SECRET_KEY": "anotherS3cr3t"})
    assert statuses(checks, "fail") == {"trading_api"}
    assert checks["trading_api"].message == f"{alpaca.url} refused PK…EST1 (from the environment)"
    assert "`trader exchange --env` prints" in checks["trading_api"].remedy


async def test_nobody_at_the_address_is_told_with_what_to_start() -> None:
    with serving() as gone:
        env = gone.env
    checks = await found(env)
    assert statuses(checks, "fail") == {"trading_api"}
    assert "Connection refused" in checks["trading_api"].message
    assert checks["trading_api"].remedy.startswith("start `trader exchange` there")


@pytest.mark.parametrize(
    ("status", "body", "remedy"),
    [
        (429, {"code": 42910000, "message": "rate limit exceeded"}, "wait a minute"),
        (503, None, "start `trader exchange` there"),
        (200, None, "start `trader exchange` there"),
        (422, {"code": 1, "message": "sign the agreement"}, "do what it says"),
    ],
)
async def test_other_answers_are_told_as_they_are(alpaca: AlpacaServer, status: int, body: Any, remedy: str) -> None:
    alpaca.answers["/v2/account"] = (status, body)
    checks = await found(alpaca.env)
    assert statuses(checks, "fail") == {"trading_api"}
    assert checks["trading_api"].remedy.startswith(remedy)


async def test_each_wrong_thing_about_the_account_is_a_check_of_its_own(alpaca: AlpacaServer, tmp_path: Path) -> None:
    alpaca.answers["/v2/account"] = (200, {"status": "ACTIVE", "equity": "5000", "trading_blocked": True})
    file = settings(tmp_path, tickers=["SPY", "OPUSD", "NOPE"])
    checks = await found(alpaca.env, config=file)
    assert statuses(checks, "fail") == {"account", "capital", "tickers"}
    assert checks["account"].message == "may not trade (trading_blocked)"
    assert checks["capital"].remedy.endswith("or insist with --allow-overallocation")
    assert checks["tickers"].message.splitlines() == [
        "strategies[0].tickers[1]: Alpaca knows no 'OPUSD'; did you mean 'OP/USD'?",
        "strategies[0].tickers[2]: Alpaca knows no 'NOPE'; correct it, or take it out",
    ]
    insisting = await found(alpaca.env, config=file, allow_overallocation=True)
    assert insisting["capital"].status == "ok"


async def test_settings_that_cannot_be_run_are_told_and_the_rest_is_checked(
    alpaca: AlpacaServer, tmp_path: Path
) -> None:
    checks = await found(alpaca.env, config=settings(tmp_path, tickers=["BTCUSD"]))
    assert statuses(checks, "fail") == {"settings"}
    assert "did you mean 'BTC/USD'?" in checks["settings"].message
    assert checks["account"].status == "ok"


async def test_more_tickers_than_the_free_plan_streams_are_a_doubt(tmp_path: Path) -> None:
    tickers = [f"S{number}" for number in range(31)]
    check = (await found({}, config=settings(tmp_path, tickers=[*tickers, "BTC/USD"])))["subscriptions"]
    assert (check.status, check.message) == ("warn", "stocks (iex) 31, crypto pairs 1, on a stream each")
    assert "broker.alpaca.symbol_limit" in check.remedy
    sip = settings(tmp_path, broker={"alpaca": {"feed": "sip"}}, tickers=tickers)
    assert (await found({}, config=sip))["subscriptions"].status == "ok"


async def test_a_market_of_another_time_is_told_with_speed(alpaca: AlpacaServer) -> None:
    alpaca.answers["/v2/clock"][1].update(timestamp="2026-01-05T14:30:00Z", is_open=True)
    checks = await found(alpaca.env)
    assert checks["clock"].status == "warn"
    assert checks["clock"].remedy.startswith("it has a time of its own; add --speed N")
    assert checks["market"].message.startswith("stocks are open until 2026-11-23 21:00 UTC (16:00 in New York)")


async def test_a_request_that_fails_alone_fails_its_own_check(alpaca: AlpacaServer) -> None:
    for path in ("/v2/clock", "/v2/assets", "/v2/stocks/bars/latest"):
        alpaca.answers[path] = (500, {"message": "internal"})
    checks = await found(alpaca.env)
    assert statuses(checks, "fail") == {"clock", "tickers", "data_api"}
    assert checks["account"].status == "ok"


async def test_a_feed_that_is_not_in_the_plan_is_told_with_the_one_that_is(
    alpaca: AlpacaServer, tmp_path: Path
) -> None:
    message = "subscription does not permit querying recent SIP data"
    alpaca.answers["/v2/stocks/bars/latest"] = (403, {"message": message})
    checks = await found(alpaca.env, config=settings(tmp_path, broker={"alpaca": {"feed": "sip"}}))
    assert message in checks["data_api"].message
    assert checks["data_api"].remedy.startswith('set broker.alpaca.feed to "iex", which is free')


@pytest.mark.parametrize("body", [{"bars": {}}, {"bars": None}, [], {"bars": {"SPY": {"t": 5}}}])
async def test_no_newest_bar_is_a_doubt(alpaca: AlpacaServer, body: Any) -> None:
    alpaca.answers["/v2/stocks/bars/latest"] = (200, body)
    assert (await found(alpaca.env))["data_api"].status == "warn"


async def test_addresses_on_this_machine_and_elsewhere_are_a_doubt(alpaca: AlpacaServer) -> None:
    alpaca.answers.clear()  # nobody but this server is to be asked
    env = {name: value for name, value in alpaca.env.items() if name != "APCA_API_STREAM_URL"}
    checks = await found(env)
    assert checks["endpoints"].status == "warn"
    assert checks["endpoints"].remedy.startswith("set all three of")


async def test_keys_in_files_that_others_may_read_are_a_doubt(alpaca: AlpacaServer, tmp_path: Path) -> None:
    env = {name: value for name, value in alpaca.env.items() if name not in KEYS}
    for name, value in KEYS.items():
        (tmp_path / name).write_text(value)
        (tmp_path / name).chmod(0o400)
    env["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    assert (await found(env))["credentials"].message == f"PK…EST1 from the files in {tmp_path}"
    (tmp_path / "APCA_API_SECRET_KEY").chmod(0o444)
    checks = await found(env)
    assert checks["credentials"].status == "warn"
    assert checks["credentials"].message == "other users may read APCA_API_SECRET_KEY"
    assert checks["account"].status == "ok"


async def test_one_stream_is_opened_when_asked_for(alpaca: AlpacaServer) -> None:
    async with StreamServer() as stream:
        env = alpaca.env | {"APCA_API_STREAM_URL": f"ws://127.0.0.1:{stream.port}"}
        check = (await found(env, has_stream=True))["stream"]
    assert check.status == "ok"
    assert "took the keys" in check.message


async def test_a_stream_that_nobody_serves_is_told(alpaca: AlpacaServer) -> None:
    check = (await found(alpaca.env, has_stream=True))["stream"]  # the server has no WebSocket
    assert check.status == "fail"
    assert "no connection: " in check.message


@pytest.mark.parametrize(
    ("code", "status", "remedy"),
    [(402, "fail", "Check APCA_API_KEY_ID and APCA_API_SECRET_KEY"), (406, "warn", "stop the other program")],
)
async def test_a_stream_that_refuses_is_told_with_what_to_do(
    alpaca: AlpacaServer, code: int, status: str, remedy: str
) -> None:
    async with StreamServer() as stream:
        stream.refused_keys = [code]
        env = alpaca.env | {"APCA_API_STREAM_URL": f"ws://127.0.0.1:{stream.port}"}
        check = (await found(env, has_stream=True))["stream"]
    assert check.status == status
    assert str(code) in check.message
    assert check.remedy.startswith(remedy)


async def test_a_stream_that_says_nothing_is_told(alpaca: AlpacaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup_data, "STREAM_WITHIN_S", 0.05)
    async with StreamServer() as stream:
        stream.is_deaf = True
        env = alpaca.env | {"APCA_API_STREAM_URL": f"ws://127.0.0.1:{stream.port}"}
        check = (await found(env, has_stream=True))["stream"]
    assert check.message == f"ws://127.0.0.1:{stream.port}/v2/iex did not answer within 0.05 s"


async def test_a_data_server_that_does_not_answer_for_pairs_is_told_in_time(
    alpaca: AlpacaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkup_data, "PAIR_WITHIN_S", 0.05)
    alpaca.answers["/v1beta3/crypto/us/bars"] = (500, {"message": "internal"})  # is asked for again, each time later
    checks = await found(alpaca.env, config=settings(tmp_path, tickers=["BTC/USD"]))
    assert "no bars of BTC/USD within 0.05 s" in checks["data_api"].message
    alpaca.answers["/v1beta3/crypto/us/bars"] = (200, {"bars": {}, "next_page_token": None})
    monkeypatch.undo()
    checks = await found(alpaca.env, config=settings(tmp_path, tickers=["BTC/USD"]))
    assert (checks["data_api"].status, checks["data_api"].message) == ("warn", "no bar of BTC/USD")


async def test_data_that_the_keys_do_not_open_are_told(alpaca: AlpacaServer) -> None:
    alpaca.answers["/v2/stocks/bars/latest"] = (403, {"message": "forbidden."})
    check = (await found(alpaca.env))["data_api"]
    assert (check.status, check.message) == ("fail", f"{alpaca.url}: forbidden. (HTTP 403)")


def test_without_uvloop_it_is_said_that_all_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert checkup_machine.machine_checks(None)[1].status == "warn"
    monkeypatch.setattr(sys, "platform", "win32")
    assert checkup_machine.machine_checks(None)[1].status == "ok"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    state = {check.name: check for check in checkup_machine.machine_checks(file / "state")}["state_dir"]
    assert state.status == "fail"
    assert state.message.startswith(f"{file} cannot be written")


def test_a_folder_that_is_still_to_be_made_is_not_made(tmp_path: Path) -> None:
    state = {check.name: check for check in checkup_machine.machine_checks(tmp_path / "a" / "b")}["state_dir"]
    assert state.message == f"{tmp_path}/a/b can be written, and will be made"
    assert names_in(tmp_path) == []


def test_a_disk_that_is_nearly_full_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup_machine, "LOW_BYTES", 1 << 80)
    assert checkup_machine.machine_checks(tmp_path)[-1].status == "warn"
    monkeypatch.setattr(checkup_machine, "FULL_BYTES", 1 << 80)
    assert checkup_machine.machine_checks(tmp_path)[-1].status == "fail"


def test_a_folder_that_was_deleted_under_us_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    checks = {check.name: check for check in checkup_machine.machine_checks(Path("state"))}
    assert (checks["state_dir"].status, checks["disk"].status) == ("fail", "warn")
    assert checks["disk"].message == "cannot be looked at: No such file or directory"
