"""Market-data sockets: every answer and refusal, who gets what, and every way a connection goes wrong."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.exchange.exchanges import HASTY, NIGHT, OPENING, auth, data_client, exchange, reader
from tests.waiting import until
from trader.access.alpaca.wire_data import DataMessage, StatusMessage
from trader.access.alpaca.wire_time import extension
from trader.exchange.data_hub import PATHS
from trader.exchange.data_messages import bar_message, quote_message, trade_message
from trader.exchange.data_session import FRAME_MESSAGES, Plan
from trader.exchange.lines import REAP_AFTER, LineRules
from trader.exchange.local import LocalExchange
from trader.model.ticks import Bar, Quote, Trade
from trader.model.time import MINUTE, SECOND, utc

WELCOME = {"T": "success", "msg": "authenticated"}
FAR = OPENING + 10_000 * MINUTE


@pytest.fixture
async def at() -> AsyncIterator[LocalExchange]:
    """Run an exchange whose market sleeps: data are what a test publishes."""
    async with exchange(start=NIGHT, speed=1.0, accounts=3, lines=HASTY) as running:
        yield running


def error(code: int, text: str) -> dict[str, Any]:
    return {"T": "error", "code": code, "msg": text}


def trade(symbol: str, price: float = 10.0) -> DataMessage:
    return trade_message(Trade(symbol, OPENING, price, 100.0))


def stocks(*symbols: str) -> list[DataMessage]:
    return [trade(symbol) for symbol in symbols]


def symbols(frame: list[dict[str, Any]]) -> list[str]:
    return [message["S"] for message in frame]


@pytest.mark.parametrize("is_json", [True, False])
async def test_acknowledges_the_whole_set_in_the_clients_encoding(at: LocalExchange, *, is_json: bool) -> None:
    client = await data_client(at, is_json=is_json)
    assert await client.ask(auth(at)) == WELCOME
    await client.ask({"action": "subscribe", "bars": ["SPY"], "trades": ["AAPL"]})
    ack = await client.ask({"action": "subscribe", "bars": ["QQQ"]})
    assert {channel: list(names) for channel, names in ack.items() if channel != "T"} == {
        "trades": ["AAPL"],
        "quotes": [],
        "bars": ["QQQ", "SPY"],
        "updatedBars": [],
        "dailyBars": [],
        "statuses": [],
        "lulds": [],
        "corrections": ["AAPL"],
        "cancelErrors": ["AAPL"],
    }
    ack = await client.ask({"action": "unsubscribe", "trades": ["AAPL"], "bars": ["SPY", "IWM"]})
    assert (list(ack["trades"]), list(ack["corrections"]), list(ack["bars"])) == ([], [], ["QQQ"])
    await client.close()


async def test_crypto_is_acknowledged_with_its_own_channels(at: LocalExchange) -> None:
    client = await reader(at, "/v1beta3/crypto/us")
    ack = await client.ask({"action": "subscribe", "trades": ["BTC/USD"]})
    assert ack.keys() == {"T", "trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars"}
    await client.close()


async def test_refuses_in_alpacas_words(at: LocalExchange) -> None:
    client = await data_client(at)
    assert await client.ask({"action": "subscribe", "bars": ["SPY"]}) == error(401, "not authenticated")
    assert await client.ask({"action": "dance"}) == error(400, "invalid syntax")
    assert await client.ask({"action": "auth", "key": "who", "secret": "knows"}) == error(402, "auth failed")
    assert await client.ask(auth(at) | {"secret": "wrong"}) == error(402, "auth failed")
    assert await client.ask(auth(at)) == WELCOME
    assert await client.ask(auth(at)) == error(403, "already authenticated")
    assert await client.ask({"action": "subscribe", "bars": ["BTC/USD"]}) == error(400, "invalid syntax")
    assert await client.ask({"action": "subscribe", "bars": 7}) == error(400, "invalid syntax")
    unknown = error(410, "invalid subscribe action for this feed")
    assert await client.ask({"action": "subscribe", "orderbooks": ["SPY"]}) == unknown
    await client.close()


@pytest.mark.parametrize("symbol", ["BTCUSD", "btc/usd", "BTC/", "BTC/USD/EUR", ""])
async def test_a_pair_of_another_shape_is_refused(at: LocalExchange, symbol: str) -> None:
    client = await reader(at, "/v1beta3/crypto/us")
    assert await client.ask({"action": "subscribe", "bars": [symbol]}) == error(400, "invalid syntax")
    await client.close()


async def test_keys_in_the_headers_need_no_request(at: LocalExchange) -> None:
    headers = {"APCA-API-KEY-ID": at.key.id, "APCA-API-SECRET-KEY": at.key.secret}
    client = await data_client(at, headers=headers)
    assert await client.receive() == [WELCOME]
    await client.close()


async def test_one_session_per_endpoint_and_account(at: LocalExchange) -> None:
    first = await reader(at, "/v2/iex")
    second = await data_client(at, "/v2/sip")
    assert await second.ask(auth(at)) == error(406, "connection limit exceeded")
    crypto, other = await reader(at, "/v1beta3/crypto/us"), await reader(at, account=1)
    await first.close()
    await until(lambda: len(at.lines["stock"].open) == 2)
    assert await second.ask(auth(at)) == WELCOME  # on the socket that was refused before
    for client in (second, crypto, other):
        await client.close()


async def test_an_occupied_endpoint_answers_406_until_its_time(at: LocalExchange) -> None:
    at.lines["stock"].occupy(FAR)
    client = await data_client(at)
    assert await client.ask(auth(at)) == error(406, "connection limit exceeded")
    at.lines["stock"].occupy(0)
    assert await client.ask(auth(at)) == WELCOME
    await client.close()


async def test_who_shows_no_keys_is_sent_away() -> None:
    async with exchange(speed=600.0, lines=HASTY) as at:
        client = await data_client(at)
        assert await client.receive() == [error(404, "auth timeout")]
        with pytest.raises(ConnectionClosed):
            await client.receive()


async def test_a_plans_limit_leaves_the_set_as_it_was() -> None:
    async with exchange(plan=Plan(symbol_limit=3, is_basic=True)) as at:
        client = await reader(at, bars=["A", "B"], trades=["A"])  # what comes with trades is not counted
        assert await client.ask({"action": "subscribe", "bars": ["C"]}) == error(405, "symbol limit exceeded")
        assert await client.ask({"action": "subscribe", "bars": ["*"]}) == error(405, "symbol limit exceeded")
        assert list((await client.ask({"action": "subscribe"}))["bars"]) == ["A", "B"]
        paid = await data_client(at, "/v2/sip")
        assert await paid.ask(auth(at)) == error(409, "insufficient subscription")
        await client.close()
        await paid.close()


async def test_each_gets_what_he_subscribed_to_in_his_encoding(at: LocalExchange) -> None:
    some, all_ = await reader(at, trades=["A", "B"]), await reader(at, account=1, trades=["*"])
    packed = await data_client(at, is_json=False)
    await packed.ask(auth(at, account=2))
    await packed.ask({"action": "subscribe", "trades": ["A", "B"], "bars": ["C"]})
    at.data.publish("stock", [*stocks("A", "C", "B"), bar_message(Bar("C", OPENING, 1, 2, 1, 2, 300))])
    assert symbols(await some.receive()) == ["A", "B"]
    assert symbols(await all_.receive()) == ["A", "C", "B"]
    frame = await packed.receive()
    assert [(message["T"], message["S"]) for message in frame] == [("t", "A"), ("t", "B"), ("b", "C")]
    assert frame[0]["t"] == utc(OPENING)  # of MessagePack's own kind of time
    assert next(iter(frame[0])) == "T"
    for client in (some, all_, packed):
        await client.close()


async def test_messages_have_the_keys_of_their_feed(at: LocalExchange) -> None:
    client = await reader(at, trades=["A"], quotes=["A"])
    crypto = await reader(at, "/v1beta3/crypto/us", trades=["A/USD"], quotes=["A/USD"])
    for feed, symbol in (("stock", "A"), ("crypto", "A/USD")):
        at.data.publish(feed, [trade(symbol), quote_message(Quote(symbol, OPENING, 1.5, 7.0, 1.6, 8.0))])
    sale, quote = await client.receive()
    assert sale == {
        "T": "t", "S": "A", "p": 10.0, "s": 100, "t": "2026-01-05T14:30:00Z",
        "i": OPENING // (15 * SECOND), "x": "V", "c": ["@"], "z": "B",
    }  # fmt: skip
    assert quote == {
        "T": "q", "S": "A", "bp": 1.5, "bs": 7, "ap": 1.6, "as": 8, "t": "2026-01-05T14:30:00Z",
        "bx": "V", "ax": "V", "c": ["R"], "z": "B",
    }  # fmt: skip
    assert [message.keys() for message in await crypto.receive()] == [
        {"T", "S", "p", "s", "t", "i", "tks"},
        {"T", "S", "bp", "bs", "ap", "as", "t"},
    ]
    await client.close()
    await crypto.close()


async def test_a_large_batch_is_cut_into_frames(at: LocalExchange) -> None:
    client = await reader(at, trades=["*"])
    at.data.publish("stock", stocks("A") * (FRAME_MESSAGES + 1))
    assert [len(await client.receive()) for _ in range(2)] == [FRAME_MESSAGES, 1]
    await client.close()


async def test_a_subscribe_in_pieces_is_put_together(at: LocalExchange) -> None:
    client = await reader(at)
    await client.socket.send(iter(['{"action":"subscribe",', '"bars":["A"]}', ""]))
    ((ack),) = await client.receive()
    assert list(ack["bars"]) == ["A"]
    await client.close()


async def test_a_request_without_end_is_cut_off(at: LocalExchange) -> None:
    client = await data_client(at)
    await client.socket.send("x" * (2**20 + 1))
    with pytest.raises(ConnectionClosed) as closed:
        await client.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


async def test_a_slow_client_is_told_so_and_sent_away() -> None:
    async with exchange(lines=LineRules(send_buffer=2**16)) as at:
        client = await reader(at, trades=["FAKE"])
        client.socket.transport.pause_reading()
        batch = stocks("FAKE") * FRAME_MESSAGES
        while at.data.wants("stock", batch[0]):
            at.data.publish("stock", batch)
        client.socket.transport.resume_reading()
        assert {message.get("code") for message in await client.rest()} == {None, 407}


async def test_an_unknown_path_is_not_found(at: LocalExchange) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await data_client(at, "/v2/nowhere")
    assert refused.value.response.status_code == 404


async def test_handshakes_are_refused_as_often_as_wanted(at: LocalExchange) -> None:
    at.lines["stock"].refuse_handshakes(2)
    for _ in range(2):
        with pytest.raises(InvalidStatus) as refused:
            await data_client(at)
        assert refused.value.response.status_code == 429
    await (await data_client(at)).close()


async def test_dropped_connections_end_without_goodbye(at: LocalExchange) -> None:
    client, crypto = await reader(at), await reader(at, "/v1beta3/crypto/us")
    at.lines["stock"].drop()
    with pytest.raises(ConnectionClosed) as closed:
        await client.receive()
    assert closed.value.rcvd is None
    assert (await crypto.ask({"action": "subscribe"}))["T"] == "subscription"
    await crypto.close()


async def test_a_mute_session_is_answered_but_gets_no_data(at: LocalExchange) -> None:
    client = await reader(at, trades=["A"])
    at.lines["stock"].mute(FAR)
    at.data.publish("stock", stocks("A"))
    assert (await client.ask({"action": "subscribe", "trades": ["B"]}))["T"] == "subscription"
    await (await client.socket.ping())
    at.lines["stock"].mute(0)
    at.data.publish("stock", stocks("B"))
    assert symbols(await client.receive()) == ["B"]
    await client.close()


async def test_a_slow_endpoint_sends_late_and_in_order(at: LocalExchange) -> None:
    client = await reader(at, trades=["*"])
    at.data.slow("stock", FAR, SECOND // 20)
    at.data.publish("stock", stocks("A"))
    at.data.slow("stock", 0, 0)
    at.data.publish("stock", stocks("B"))
    assert [symbols(await client.receive()) for _ in range(2)] == [["A"], ["B"]]
    await client.close()


async def test_a_half_open_connection_holds_its_place_until_it_is_reaped() -> None:
    async with exchange(speed=600.0, lines=HASTY) as at:
        client = await reader(at, trades=["A"])
        began = at.clock.now()
        at.lines["stock"].freeze(FAR)
        at.data.publish("stock", stocks("A"))
        second = await data_client(at)
        while (answer := await second.ask(auth(at))) != WELCOME:
            assert answer == error(406, "connection limit exceeded")
        assert at.clock.now() - began >= REAP_AFTER
        assert client.socket.state.name == "OPEN"  # nobody told the first one
        await second.close()
    assert await client.rest() == []


async def test_a_half_open_connection_goes_on_where_it_was_when_it_thaws(at: LocalExchange) -> None:
    client = await reader(at, trades=["A"])
    at.lines["stock"].freeze(at.clock.now() + SECOND // 20)
    at.data.publish("stock", stocks("A"))
    await client.send({"action": "subscribe", "trades": ["B"]})
    assert symbols(await client.receive()) == ["A"]
    (ack,) = await client.receive()
    assert list(ack["trades"]) == ["A", "B"]
    await client.close()


async def test_the_test_endpoint_shows_its_own_symbol_at_any_hour() -> None:
    async with exchange(start=NIGHT, speed=60.0) as at:
        client = await reader(at, "/v2/test", trades=["FAKEPACA"])
        sale = await client.of("t")
        assert sale["S"] == "FAKEPACA"
        assert sale["x"] == "V"
        assert sale["s"] >= 1
        await client.close()


async def test_a_client_that_answers_pings_is_never_reaped() -> None:
    async with exchange(speed=600.0, lines=HASTY) as at:
        client = await reader(at)
        await until(lambda: at.clock.now() - OPENING > 3 * REAP_AFTER)
        assert (await client.ask({"action": "subscribe"}))["T"] == "subscription"
        await client.close()


async def test_wants_tells_whether_a_message_would_be_read(at: LocalExchange) -> None:
    client = await reader(at, trades=["A"], statuses=["*"])
    assert at.data.wants("stock", trade("A"))
    assert not at.data.wants("stock", trade("B"))
    assert at.data.wants("stock", StatusMessage("Z", "H", stamp=extension(OPENING)))
    await client.close()
    await until(lambda: not at.lines["stock"].open)
    assert not at.data.wants("stock", trade("A"))


def test_every_endpoint_takes_its_own_symbols() -> None:
    assert {feed.name for feed in PATHS.values()} == {"stock", "crypto", "test"}
    assert PATHS["/v2/test"].symbol.fullmatch("FAKEPACA")


async def test_requests_of_any_shape_do_no_harm(at: LocalExchange) -> None:
    client = await reader(at)
    for request in (b"", b"null", b"[]", b'{"action":"subscribe","trades":[null]}', b"\xff\xfe", b"[" * 5000):
        await client.socket.send(request)
        assert await client.receive() == [error(400, "invalid syntax")]
    await client.close()
