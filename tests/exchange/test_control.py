"""The control port, and every kind of fault through it as real clients meet it. One exchange serves all tests.

Each test has an account of its own, so that no session of one stands in the way of another.
"""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import count
from math import isnan
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
import requests
from alpaca.trading.client import TradingClient
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from tests.exchange.exchanges import HASTY, OPENING, SLOWEST_S, Client, auth, data_client, exchange, reader
from tests.waiting import until
from trader.access.sim.fills import VenueRules
from trader.exchange import control
from trader.exchange.keys import Key
from trader.exchange.local import LocalExchange
from trader.model.time import MINUTE, SECOND, parse_time

pytestmark = pytest.mark.asyncio(loop_scope="module")

RULES = VenueRules(fill="next_quote", latency_ns=SECOND // 100)
ACCOUNTS = 40


class User:
    """The owner of one account: his requests, his streams, and the faults that he asks for."""

    def __init__(self, at: LocalExchange, number: int) -> None:
        self.at = at
        self.number = number
        self.key: Key = tuple(at.keys.values())[number]
        self.clients: list[Client] = []

    async def fault(self, kind: str, **fields: object) -> Any:
        """Let a fault happen now; return its row of the log."""
        (row,) = (await self.control("POST", "/_faults", json={"kind": kind, **fields})).json()
        return row

    async def control(self, method: str, path: str, **given: Any) -> requests.Response:
        """Ask the control port."""
        return await asyncio.to_thread(requests.request, method, self.at.base_url + path, timeout=SLOWEST_S, **given)

    async def truth(self) -> Any:
        """Return the books of this account."""
        return (await self.control("GET", "/_truth")).json()["accounts"][self.key.account]

    async def ask(self, method: str, path: str, **given: Any) -> requests.Response:
        """Ask the trading API, as this account."""
        headers = {"APCA-API-KEY-ID": self.key.id, "APCA-API-SECRET-KEY": self.key.secret}
        return await self.control(method, path, headers=headers, **given)

    async def order(self, client_order_id: str, **fields: object) -> requests.Response:
        """Send an order: a share of SPY at a price that is never met, unless said otherwise."""
        usual = {"symbol": "SPY", "side": "buy", "qty": "1", "type": "limit", "time_in_force": "gtc"}
        given = usual | {"limit_price": "300", "client_order_id": client_order_id} | fields
        return await self.ask("POST", "/v2/orders", json={name: one for name, one in given.items() if one is not None})

    async def bought(self, client_order_id: str, **fields: object) -> None:
        """Buy at the market and wait for the fill."""
        answer = await self.order(client_order_id, **({"type": "market", "limit_price": None} | fields))
        assert answer.status_code == 200, answer.text
        books = self.at.venue.accounts[self.key.account]
        await until(lambda: books.orders[answer.json()["id"]].status == "filled")

    async def status(self, client_order_id: str) -> str:
        """Return how an order stands, as alpaca-py sees it."""
        client = TradingClient(self.key.id, self.key.secret, url_override=self.at.base_url, raw_data=True)
        order = await asyncio.to_thread(client.get_order_by_client_id, client_order_id)
        assert isinstance(order, dict)
        return str(order["status"])

    async def reader(self, path: str = "/v2/iex", **channels: list[str]) -> Client:
        """Connect to a data socket and subscribe."""
        return self.kept(await reader(self.at, path, account=self.number, **channels))

    async def listener(self) -> Client:
        """Connect to the order stream."""
        client = self.kept(Client(await connect(f"{self.at.stream_url}/stream", compression=None), msgspec.json))
        keys = {"key_id": self.key.id, "secret_key": self.key.secret}
        await client.reply({"action": "authenticate", "data": keys})
        await client.reply({"action": "listen", "data": {"streams": ["trade_updates"]}})
        return client

    def kept(self, client: Client) -> Client:
        """Note a client, to be closed in the end."""
        self.clients.append(client)
        return client


async def event(client: Client, *, passing: frozenset[str] = frozenset()) -> tuple[str, str]:
    """Return the next update's event and client order id, of an event that is not to be passed over."""
    while True:
        update = (await client.receive())["data"]
        if update["event"] not in passing:
            return update["event"], update["order"]["client_order_id"]


QUIET = frozenset({"pending_new", "accepted"})


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def at() -> AsyncIterator[LocalExchange]:
    """Run an exchange on which a minute takes a second, shortly after the opening."""
    options = {"start": OPENING + MINUTE, "speed": 60.0, "accounts": ACCOUNTS, "lines": HASTY, "venue": RULES}
    async with exchange(**options) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def user(at: LocalExchange, numbers: "count[int]") -> AsyncIterator[User]:
    """Open the account of one test."""
    one = User(at, next(numbers))
    yield one
    for client in one.clients:
        await client.close()


@pytest.fixture(scope="module")
def numbers() -> "count[int]":
    return count()


# The port


async def test_faults_are_taken_singly_as_a_list_and_as_a_script_and_all_are_listed(user: User) -> None:
    before = len(user.at.faults.log)
    one = {"kind": "missing_update", "at": "2030-01-01T00:00:00Z"}
    for data in (one, [one, one], {"seed": 3, "faults": [one]}):
        answer = await user.control("POST", "/_faults", json=data)
        assert answer.status_code == 200
    listed = (await user.control("GET", "/_faults")).json()[before:]
    assert [(row["state"], row["due"], row["fault"]["kind"]) for row in listed] == [
        ("pending", "2030-01-01T00:00:00Z", "missing_update")
    ] * 4


async def test_what_is_wrong_with_faults_is_answered_with_every_place(user: User) -> None:
    answer = await user.control("POST", "/_faults", json=[{"kind": "drp"}, {"kind": "mute", "for": 3}])
    assert answer.status_code == 400
    problems = answer.json()["problems"]
    assert [problem["path"] for problem in problems] == ["[0].kind", "[1].for"]
    assert problems[1]["message"] == "must be a length of time such as 30s or 2m, got 3"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "not JSON"),
        (b'"\xff"', "not JSON"),
        (b"[" * 50_000, "nested too deeply"),
        (b" " * (control.LARGEST_BODY + 1), "larger than 1 MB"),
    ],
)
async def test_what_is_no_json_is_told(user: User, body: bytes, told: str) -> None:
    answer = await user.control("POST", "/_faults", data=body)
    assert answer.status_code == 400
    assert answer.json()["problems"][0]["message"].startswith(told)


async def test_the_truth_holds_what_was_asked_and_what_became_of_it(user: User) -> None:
    await user.bought("truth-1")
    await user.order("truth-2")
    books = await user.truth()
    assert [order["client_order_id"] for order in books["orders"]] == ["truth-1", "truth-2"]
    assert books["orders"][0]["status"] == "filled"
    assert books["orders"][1]["status"] in {"pending_new", "new"}
    (execution,) = books["executions"]
    assert books["positions"]["SPY"]["qty"] == "1"
    assert Decimal(books["cash"]) == 100_000 - Decimal(execution["price"])
    requests_ = (await user.control("GET", "/_truth")).json()["requests"]
    assert requests_["by_client_id"]["truth-1"] == {"posts": 1, "statuses": [200]}
    assert requests_["totals"]["POST /v2/orders"] >= 2


async def test_a_script_runs_from_the_start_of_an_exchange(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    drawn = {"kind": "random", "count": 5, "between": ["+1s", "+2s"], "kinds": ["missing_update"]}
    path.write_bytes(msgspec.json.encode({"seed": 1, "faults": [drawn, {"kind": "drop"}]}))
    async with exchange(faults=path) as at:
        await until(lambda: all(planned.state == "fired" for planned in at.faults.log))
        assert len(at.faults.log) == 6


# Connections


async def test_drop_cuts_without_a_goodbye(user: User) -> None:
    client = await user.reader(quotes=["SPY"])
    await user.fault("drop")
    await client.rest()
    with pytest.raises(ConnectionClosedError):  # and not the one of a connection that was closed
        await client.receive()


async def test_half_open_answers_no_ping_until_it_is_over(user: User) -> None:
    client = await user.listener()
    await user.fault("half_open", socket="trading", **{"for": "20s"})
    frozen_until = user.at.clock.now() + 19 * SECOND
    await (await client.socket.ping())
    assert user.at.clock.now() >= frozen_until


async def test_mute_sends_no_data_and_answers_pings(user: User) -> None:
    client = await user.reader("/v1beta3/crypto/us", quotes=["BTC/USD"])
    row = await user.fault("mute", socket="crypto", **{"for": "60s"})
    muted_until = parse_time(row["fired_at"]) + 60 * SECOND
    await (await client.socket.ping())
    assert user.at.clock.now() < muted_until
    while True:
        (quote, *_) = await client.receive()
        if parse_time(quote["t"]) > parse_time(row["fired_at"]):
            assert parse_time(quote["t"]) >= muted_until - SECOND
            return


async def test_slow_sends_everything_late(user: User) -> None:
    client = await user.reader(quotes=["SPY"])
    row = await user.fault("slow", delay="20s", **{"for": "60s"})
    while True:
        (quote, *_) = await client.receive()
        if parse_time(quote["t"]) > parse_time(row["fired_at"]):
            assert user.at.clock.now() - parse_time(quote["t"]) >= 20 * SECOND
            return


async def test_connection_limit_refuses_new_sessions_until_it_is_over(user: User) -> None:
    row = await user.fault("connection_limit", **{"for": "60s"})
    refused = user.kept(await data_client(user.at))
    keys = auth(user.at, account=user.number)
    assert await refused.ask(keys) == {"T": "error", "code": 406, "msg": "connection limit exceeded"}
    await until(lambda: user.at.clock.now() > parse_time(row["fired_at"]) + 60 * SECOND)
    await user.reader(bars=["SPY"])


@pytest.mark.parametrize("socket", ["stock", "trading"])
async def test_too_many_requests_refuses_handshakes(user: User, socket: str) -> None:
    await user.fault("too_many_requests", socket=socket)
    path = {"stock": "/v2/iex", "trading": "/stream"}[socket]
    with pytest.raises(InvalidStatus, match="429"):
        await connect(user.at.stream_url + path)
    user.kept(Client(await connect(user.at.stream_url + path), msgspec.json))


# Answers


async def test_rest_status_refuses_before_anything_is_done(user: User) -> None:
    await user.fault("rest_status", status=500)
    assert (await user.order("never")).status_code == 500
    assert (await user.truth())["orders"] == []
    assert (await user.order("now")).status_code == 200


async def test_accepted_then_504_has_done_what_it_seems_to_refuse(user: User) -> None:
    await user.fault("accepted_then_504")
    assert (await user.order("done")).status_code == 504
    assert await user.status("done") in {"new", "pending_new"}
    asked = (await user.control("GET", "/_truth")).json()["requests"]["by_client_id"]
    assert asked["done"] == {"posts": 1, "statuses": [504]}


async def test_answer_lost_has_done_what_it_never_answers(user: User) -> None:
    await user.fault("answer_lost")
    with pytest.raises(requests.ConnectionError):
        await user.order("done")
    assert len((await user.truth())["orders"]) == 1


async def test_answer_late_answers_later_than_the_stream(user: User) -> None:
    client = await user.listener()
    await user.fault("answer_late", delay="500ms")
    answering = asyncio.create_task(user.order("late"))
    assert await event(client) == ("pending_new", "late")
    assert not answering.done()
    assert (await answering).status_code == 200


async def test_garbage_answer_is_no_json(user: User) -> None:
    await user.fault("garbage_answer")
    answer = await user.order("done")
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert len((await user.truth())["orders"]) == 1


async def test_fill_before_answer_answers_when_all_is_over(user: User) -> None:
    client = await user.listener()
    await user.fault("fill_before_answer", delay="10s")
    answer = await user.order("fast", type="market", limit_price=None)
    assert answer.json()["status"] == "pending_new"
    assert (await user.truth())["orders"][0]["status"] == "filled"
    assert await event(client, passing=QUIET | {"new", "partial_fill"}) == ("fill", "fast")


# Updates


async def test_updates_are_sent_twice_out_of_order_or_not_at_all(user: User) -> None:
    client = await user.listener()
    await user.fault("duplicate_update")
    await user.order("a")
    assert [await event(client) for _ in range(3)] == [("pending_new", "a"), ("pending_new", "a"), ("new", "a")]
    await user.fault("reorder_updates")
    await user.order("b")
    assert [await event(client) for _ in range(2)] == [("new", "b"), ("pending_new", "b")]
    await user.fault("missing_update")
    await user.order("c")
    assert await event(client) == ("new", "c")


# Orders and executions


async def test_orders_end_unasked(user: User) -> None:
    client = await user.listener()
    for kind, status in (("unsolicited_cancel", "canceled"), ("reject_after_accept", "rejected")):
        await user.order(kind)
        row = await user.fault(kind, account=user.key.account)
        assert (row["state"], row["on"]) == ("fired", f"order {kind} of {user.key.account}")
        assert await event(client, passing=QUIET | {"new"}) == (status, kind)
        assert await user.status(kind) == status


async def test_executions_are_corrected_and_taken_back(user: User) -> None:
    client = await user.listener()
    await user.bought("done")
    mine = {"account": user.key.account}
    await user.fault("correct_execution", **mine)
    assert await event(client, passing=QUIET | {"new", "partial_fill", "fill"}) == ("trade_correct", "done")
    await user.fault("bust", **mine)
    assert await event(client) == ("trade_bust", "done")
    assert (await user.ask("GET", "/v2/positions")).json() == []
    books = await user.truth()
    assert [execution["stands"] for execution in books["executions"]] == [False, False]
    assert books["cash"] == "100000"


async def test_a_manual_order_is_in_the_account_and_on_its_stream(user: User) -> None:
    client = await user.listener()
    row = await user.fault("manual_order", account=user.key.account, symbol="SPY", qty=2)
    _, name = await event(client, passing=QUIET | {"new", "partial_fill"})
    assert row["on"].endswith(name)
    (position,) = (await user.ask("GET", "/v2/positions")).json()
    assert (position["symbol"], position["qty"]) == ("SPY", "2")


# The market


async def test_a_halted_stock_is_told_and_fills_nothing_until_it_resumes(user: User) -> None:
    client = await user.reader(statuses=["IWM"])
    await user.fault("halt", symbol="IWM")
    (status,) = await client.receive()
    assert (status["T"], status["S"], status["sc"]) == ("s", "IWM", "2")
    await user.order("waits", symbol="IWM", type="market", limit_price=None)
    now = user.at.clock.now()
    await until(lambda: user.at.clock.now() > now + 30 * SECOND)
    assert await user.status("waits") == "new"
    await user.fault("resume", symbol="IWM")
    (status,) = await client.receive()
    assert (status["T"], status["S"], status["sc"]) == ("s", "IWM", "3")
    books = user.at.venue.accounts[user.key.account]
    await until(lambda: not books.working)


async def test_a_symbol_may_not_be_traded_any_more(user: User) -> None:
    await user.fault("asset", symbol="DIA", tradable=False)
    answer = await user.order("no", symbol="DIA")
    assert (answer.status_code, answer.json()["message"]) == (403, 'asset "DIA" is not tradable')
    assert (await user.ask("GET", "/v2/assets/DIA")).json()["tradable"] is False


async def test_a_split_doubles_the_position_and_halves_the_market(user: User) -> None:
    client = await user.reader(bars=["QQQ"])
    await user.bought("before", symbol="QQQ", qty="3")
    row = await user.fault("split", symbol="QQQ")
    (position,) = (await user.ask("GET", "/v2/positions")).json()
    assert position["qty"] == "6"
    ts = parse_time(row["fired_at"])
    while True:
        bar = await client.of("b")
        if parse_time(bar["t"]) + MINUTE > ts:
            break
    assert bar["c"] == pytest.approx(float(position["avg_entry_price"]), rel=0.05)
    history = await user.ask("GET", "/v2/stocks/QQQ/bars", params={"timeframe": "1Min", "start": bar["t"]})
    assert history.json()["bars"][0]["c"] == bar["c"]
    assert Decimal((await user.truth())["equity"]) == pytest.approx(100_000, abs=100)


async def test_bars_are_bad_late_doubled_or_corrected(user: User) -> None:
    client = user.kept(await data_client(user.at, is_json=False))
    await client.ask(auth(user.at, account=user.number))
    symbols = ["AAPL", "AMZN", "MSFT", "SPY"]
    await client.ask({"action": "subscribe", "bars": symbols, "updatedBars": symbols})
    await user.fault("bad_bar", symbol="AAPL", flaw="not_a_number")
    await user.fault("duplicate_bar", symbol="AMZN")
    await user.fault("corrected_bar", symbol="MSFT", factor=1.5, delay="10s")
    row = await user.fault("late_bar", symbol="SPY", delay="90s")
    came: dict[str, list[Any]] = {symbol: [] for symbol in symbols}
    while len(came["SPY"]) < 2:
        for message in await client.receive():
            came[message["S"]].append(message)
    assert isnan(came["AAPL"][0]["c"])
    assert came["AMZN"][0] == came["AMZN"][1]
    wrong, right = came["MSFT"][:2]
    assert (wrong["T"], right["T"], wrong["t"]) == ("b", "u", right["t"])
    assert wrong["c"] == pytest.approx(right["c"] * 1.5)
    next_, late = came["SPY"]
    assert late["t"] < next_["t"]
    assert user.at.faults.log[row["number"]].hits == ["SPY"]


async def test_prints_are_corrected_and_canceled(user: User) -> None:
    client = await user.reader(trades=["SPY"])
    await user.fault("trade_correction", symbol="SPY", factor=2)
    wrong, correction = await client.of("t"), await client.of("c")
    assert (correction["oi"], correction["op"]) == (wrong["i"], wrong["p"])
    assert correction["cp"] == pytest.approx(wrong["p"] / 2)
    await user.fault("trade_correction", symbol="SPY", action="cancel", factor=2)
    cancel = await client.of("x")
    assert cancel["p"] == pytest.approx(correction["cp"] * 2, rel=0.01)
