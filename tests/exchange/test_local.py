"""The exchange as a whole: one port, several accounts, an end that leaves nothing behind."""

import asyncio
import json
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.exchange.exchanges import OPENING, SLOWEST_S, data_client, exchange, reader
from tests.waiting import until
from trader.errors import ConfigError, EdgeError
from trader.exchange.clock import wall_clock
from trader.exchange.data_session import Plan
from trader.exchange.local import LocalExchange
from trader.model.time import MINUTE, parse_time


async def ask(at: LocalExchange, path: str, body: object = None, *, account: int = 0) -> Any:
    """Send a request over HTTP and return the decoded answer."""
    key = tuple(at.keys.values())[account]
    request = urllib.request.Request(  # noqa: S310 -- our own server
        at.base_url + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"APCA-API-KEY-ID": key.id, "APCA-API-SECRET-KEY": key.secret, "Connection": "close"},
    )

    def fetch() -> Any:
        with urllib.request.urlopen(request, timeout=SLOWEST_S) as answer:  # noqa: S310 -- as above
            return json.load(answer)

    return await asyncio.to_thread(fetch)


async def test_trading_history_and_control_share_one_port() -> None:
    async with exchange(start=OPENING + MINUTE) as at:
        assert (await ask(at, "/v2/clock"))["is_open"]
        assert "SPY" in (await ask(at, "/v2/stocks/bars/latest?symbols=SPY"))["bars"]
        assert await ask(at, "/_faults") == []
        assert (await ask(at, "/v2/account"))["cash"] == "100000"
        with pytest.raises(urllib.error.HTTPError):
            await ask(at, "/v2/nowhere")


async def test_each_key_opens_its_own_account() -> None:
    async with exchange(accounts=2) as at:
        await ask(
            at, "/v2/orders", {"symbol": "SPY", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
        )
        assert len(await ask(at, "/v2/orders?status=all")) == 1
        assert await ask(at, "/v2/orders?status=all", account=1) == []


def test_keys_follow_from_the_seed() -> None:
    assert exchange(seed=5).keys == exchange(seed=5).keys != exchange(seed=6).keys


async def test_a_fault_at_run_time_befalls_the_stream() -> None:
    async with exchange() as at:
        client = await reader(at)
        (planned,) = await ask(at, "/_faults", {"kind": "drop", "socket": "stock"})
        assert planned["state"] == "fired"
        with pytest.raises(ConnectionClosed):
            await client.receive()


async def test_a_script_of_faults_is_played_at_its_times(tmp_path: Path) -> None:
    script = tmp_path / "faults.json"
    script.write_text('[{"at": "+70s", "kind": "duplicate_bar", "symbol": "SPY"}]')
    async with exchange(faults=script, speed=600.0) as at:
        client = await reader(at, bars=["SPY"])
        bars = [await client.of("b") for _ in range(4)]
        assert len({bar["t"] for bar in bars}) == 3
        await client.close()


def test_a_script_that_is_none_is_refused_before_anything_runs(tmp_path: Path) -> None:
    script = tmp_path / "faults.json"
    script.write_text('[{"kind": "dorp"}]')
    with pytest.raises(ConfigError, match="drop"):
        exchange(faults=script)


async def test_a_split_shows_in_positions_history_and_stream() -> None:
    async with exchange(speed=600.0, start=OPENING + MINUTE) as at:
        client = await reader(at, bars=["SPY"])
        before = await client.of("b")
        await ask(at, "/_faults", {"kind": "split", "symbol": "SPY", "ratio": 4})
        while (after := (await client.of("b")))["c"] > before["c"] / 2:
            assert after["c"] == pytest.approx(before["c"], rel=0.1)
        latest = (await ask(at, "/v2/stocks/bars/latest?symbols=SPY"))["bars"]["SPY"]["c"]
        assert latest == pytest.approx(after["c"], rel=0.1)
        await client.close()


async def test_a_port_in_use_is_told_with_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EdgeError, match=f"port {port} .* choose another one with --port"):
            async with exchange(port=port):
                pass


async def test_its_end_says_goodbye_to_readers_and_cuts_who_does_not_read() -> None:
    async with exchange() as at:
        client, frozen = await reader(at), await data_client(at, "/v1beta3/crypto/us")
        at.lines["crypto"].freeze(OPENING * 2)
    with pytest.raises(ConnectionClosed) as closed:
        await client.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    assert await frozen.rest() == []


async def test_it_can_be_waited_for() -> None:
    stop = asyncio.Event()
    async with exchange() as at:
        waiting = asyncio.create_task(at.wait(stop))
        stop.set()
        await waiting


async def test_nonsense_on_the_wire_harms_nobody() -> None:
    async with exchange() as at:
        bad = await data_client(at)
        bad.socket.transport.write(b"\xff\xff\xff\xff")
        assert await bad.rest() == []
        assert bad.socket.close_code == 1002
        await until(lambda: not at.lines["stock"].open)
        client = await reader(at)
        assert (await client.ask({"action": "subscribe"}))["T"] == "subscription"
        await client.close()


def test_a_market_in_the_worlds_pace_begins_now_and_a_fast_one_before_an_opening() -> None:
    assert wall_clock() - exchange(start=None, speed=1.0).clock.start < MINUTE
    assert exchange(start=None, speed=2.0).clock.start == parse_time("2026-01-05T14:25")


async def test_a_basic_plan_and_a_limit_of_requests_are_those_asked_for() -> None:
    async with exchange(plan=Plan(is_basic=True), per_minute=1) as at:
        latest = "/v2/stocks/bars/latest?symbols=SPY"
        assert (await ask(at, f"{latest}&feed=iex"))["bars"]
        with pytest.raises(urllib.error.HTTPError, match="403") as recent:
            await ask(at, f"{latest}&feed=sip")
        assert recent.value.headers["x-ratelimit-limit"] == "200"
        recent.value.close()
        assert (await ask(at, "/v2/clock"))["is_open"]
        with pytest.raises(urllib.error.HTTPError, match="429") as refused:
            await ask(at, "/v2/clock")
        refused.value.close()
