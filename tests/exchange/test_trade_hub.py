"""The order stream: who may listen, what he hears, and every way of hearing it wrong."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.exchange.exchanges import HASTY, NIGHT, Client, exchange
from tests.waiting import until
from trader.access.sim.venue_orders import OrderRequest, VenueOrder
from trader.exchange.lines import REAP_AFTER
from trader.exchange.local import LocalExchange
from trader.model.orders import Side
from trader.model.time import SECOND

LISTENING = {"stream": "listening", "data": {"streams": ["trade_updates"]}}


@pytest.fixture
async def at() -> AsyncIterator[LocalExchange]:
    """Run an exchange at night: an order for a stock is taken, and waits."""
    async with exchange(start=NIGHT, speed=1.0, accounts=2, lines=HASTY) as running:
        yield running


async def trade_client(at: LocalExchange) -> Client:
    return Client(await connect(f"{at.stream_url}/stream", compression=None), msgspec.json)


async def listener(at: LocalExchange, account: int = 0) -> Client:
    client = await trade_client(at)
    assert (await client.reply(keys(at, account)))["data"]["status"] == "authorized"
    assert await client.reply(listen("trade_updates")) == LISTENING
    return client


def keys(at: LocalExchange, account: int = 0) -> dict[str, Any]:
    key = tuple(at.keys.values())[account]
    return {"action": "authenticate", "data": {"key_id": key.id, "secret_key": key.secret}}


def listen(*streams: str) -> dict[str, Any]:
    return {"action": "listen", "data": {"streams": streams}}


def order(at: LocalExchange, client_order_id: str, account: int = 0) -> str:
    """Send an order that waits for the opening and tell the stream; return its id."""
    request = OrderRequest("SPY", Side.BUY, qty=Decimal(1), client_order_id=client_order_id)
    sent = at.venue.submit(tuple(at.keys.values())[account].account, request, now=at.clock.now())
    assert isinstance(sent, VenueOrder)
    at.flush()
    return sent.id


async def heard(client: Client, count: int) -> list[str]:
    """Return the client order ids of so many updates."""
    return [(await client.receive())["data"]["order"]["client_order_id"] for _ in range(count)]


async def test_an_update_has_the_whole_order_and_a_time(at: LocalExchange) -> None:
    client = await listener(at)
    number = order(at, "first")
    update = await client.receive()
    assert update["stream"] == "trade_updates"
    assert update["data"]["event"] == "accepted"
    assert update["data"]["timestamp"]
    assert (update["data"]["order"]["id"], update["data"]["order"]["qty"]) == (number, "1")
    assert "filled_at" in update["data"]["order"]
    await client.close()


async def test_frames_are_binary(at: LocalExchange) -> None:
    client = await listener(at)
    order(at, "first")
    assert isinstance(await client.socket.recv(), bytes)
    await client.close()


async def test_both_forms_of_showing_keys_are_taken(at: LocalExchange) -> None:
    client = await trade_client(at)
    answer = await client.reply({"action": "auth", "key": at.key.id, "secret": at.key.secret})
    assert answer == {"stream": "authorization", "data": {"status": "authorized", "action": "auth", "message": ""}}
    answer = await client.reply(keys(at))
    assert (answer["data"]["status"], answer["data"]["action"]) == ("authorized", "authenticate")
    await client.close()


async def test_wrong_keys_and_no_keys_are_not_authorized(at: LocalExchange) -> None:
    client = await trade_client(at)
    refused = {"status": "unauthorized", "action": "listen", "message": ""}
    assert await client.reply(listen("trade_updates")) == {"stream": "authorization", "data": refused}
    answer = await client.reply({"action": "auth", "key": at.key.id, "secret": "wrong"})
    assert answer["data"]["status"] == "unauthorized"
    await client.socket.send("{")  # no request, and no answer
    order(at, "unheard")
    assert (await client.reply(keys(at)))["data"]["status"] == "authorized"
    await client.close()


async def test_streams_that_there_are_not_are_left_out_and_an_empty_list_ends_all(at: LocalExchange) -> None:
    client = await listener(at)
    assert await client.reply(listen("trade_updates", "weather")) == LISTENING
    assert await client.reply(listen()) == {"stream": "listening", "data": {"streams": []}}
    order(at, "unheard")
    assert await client.reply(listen("trade_updates")) == LISTENING
    order(at, "heard")
    assert await heard(client, 1) == ["heard"]
    await client.close()


async def test_each_account_hears_of_its_own_orders_on_all_its_sockets(at: LocalExchange) -> None:
    first, again, other = await listener(at), await listener(at), await listener(at, account=1)
    order(at, "mine")
    order(at, "yours", account=1)
    assert await heard(first, 1) == await heard(again, 1) == ["mine"]
    assert await heard(other, 1) == ["yours"]
    for client in (first, again, other):
        await client.close()


async def test_sockets_of_an_account_may_be_limited() -> None:
    async with exchange(trade_sessions=1) as at:
        first, second = await listener(at), await trade_client(at)
        answer = await second.reply(keys(at))
        assert (answer["data"]["status"], answer["data"]["message"]) == ("unauthorized", "connection limit exceeded")
        await first.close()
        await until(lambda: len(at.lines["trading"].open) == 1)
        assert (await second.reply(keys(at)))["data"]["status"] == "authorized"
        await second.close()


async def test_updates_are_lost_doubled_and_reordered_as_often_as_wanted(at: LocalExchange) -> None:
    client = await listener(at)
    at.trading.lose(1)
    for name in ("lost", "a"):
        order(at, name)
    at.trading.duplicate(1)
    for name in ("b", "c"):
        order(at, name)
    at.trading.reorder(2)
    for name in ("d", "e", "f", "g"):
        order(at, name)
    assert await heard(client, 8) == ["a", "b", "b", "c", "f", "d", "e", "g"]
    await client.close()


async def test_an_update_to_be_overtaken_does_not_wait_for_ever() -> None:
    async with exchange(start=NIGHT, speed=60.0) as at:
        client = await listener(at)
        at.trading.reorder(1)
        order(at, "only")
        assert await heard(client, 1) == ["only"]
        await client.close()


async def test_a_mute_socket_answers_and_loses_updates(at: LocalExchange) -> None:
    client = await listener(at)
    at.lines["trading"].mute(at.clock.now() + 1000 * SECOND)
    order(at, "unheard")
    assert await client.reply(listen("trade_updates")) == LISTENING
    at.lines["trading"].mute(0)
    order(at, "heard")
    assert await heard(client, 1) == ["heard"]
    await client.close()


async def test_a_half_open_socket_is_given_up_without_a_word() -> None:
    async with exchange(start=NIGHT, speed=600.0, lines=HASTY) as at:
        client = await listener(at)
        at.lines["trading"].freeze(at.clock.now() + 1000 * REAP_AFTER)
        order(at, "unheard")
        await until(lambda: not at.lines["trading"].open)
        assert client.socket.state.name == "OPEN"
    assert await client.rest() == []


async def test_a_drop_ends_every_socket(at: LocalExchange) -> None:
    client = await listener(at)
    at.lines["trading"].drop()
    with pytest.raises(ConnectionClosed) as closed:
        await client.receive()
    assert closed.value.rcvd is None


async def test_handshakes_are_refused_as_often_as_wanted(at: LocalExchange) -> None:
    at.lines["trading"].refuse_handshakes(1)
    with pytest.raises(InvalidStatus) as refused:
        await trade_client(at)
    assert refused.value.response.status_code == 429
    await (await trade_client(at)).close()


async def test_who_never_shows_keys_is_sent_away() -> None:
    async with exchange(speed=600.0, lines=HASTY) as at:
        client = await trade_client(at)
        async with asyncio.timeout(10):
            assert await client.rest() == []
