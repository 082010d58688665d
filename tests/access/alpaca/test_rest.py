"""Requests against a real server on loopback: what comes back, and what became of those that brought nothing back."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.access.alpaca.http_server import Answer, Request, Server, says, server
from trader.access.alpaca import rest
from trader.access.alpaca.rest import THREADS, RestDesk, Throttled
from trader.errors import OutcomeUnknown, Refused, Unavailable


@asynccontextmanager
async def desk_at(answer: Answer, *, deadline_s: float = 5.0) -> AsyncIterator[tuple[RestDesk, Server]]:
    async with server(answer) as there:
        desk = RestDesk(there.url, "PKTEST", "very secret", deadline_s=deadline_s)
        try:
            yield desk, there
        finally:
            desk.close()


async def test_a_request_goes_out_as_it_was_given_with_the_keys_in_its_headers() -> None:
    async with desk_at(says(200, {"id": "x", "qty": "1.5"})) as (desk, there):
        answer = await desk.post("/orders", {"qty": "0.000000001", "extended_hours": False})
    assert answer == {"id": "x", "qty": "1.5"}
    asked = there.asked[0]
    assert (asked.method, asked.target) == ("POST", "/v2/orders")
    assert asked.json == {"qty": "0.000000001", "extended_hours": False}
    assert (asked.headers["apca-api-key-id"], asked.headers["apca-api-secret-key"]) == ("PKTEST", "very secret")


async def test_parameters_stand_in_the_address_and_an_answer_without_a_body_is_none() -> None:
    async with desk_at(says(204)) as (desk, there):
        assert await desk.get("/orders:by_client_order_id", {"client_order_id": "a b"}) is None
        assert await desk.delete("/orders/1") is None
    assert [one.target for one in there.asked] == ["/v2/orders:by_client_order_id?client_order_id=a+b", "/v2/orders/1"]


async def test_connections_are_kept_and_never_more_than_the_threads() -> None:
    async with desk_at(says(200, [])) as (desk, there):
        await asyncio.gather(*(desk.get("/positions") for _ in range(3 * THREADS)))
        await desk.get("/positions")
        assert len(there.asked) == 3 * THREADS + 1
        assert there.connections <= THREADS


async def test_a_connection_that_was_idle_for_long_is_left_before_the_server_closes_it_under_an_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rest, "IDLE_S", 0.0)
    async with desk_at(says(200, [])) as (desk, there):
        await desk.get("/positions")
        await desk.get("/positions")
        assert there.connections == 2


def _page(status: int) -> Answer:
    return says(status, raw=b"<html>who are you</html>")


OUTCOMES: dict[str, tuple[Answer, type[Exception]]] = {
    "a refusal with Alpaca's code": (says(403, {"code": 40310000, "message": "no money"}), Refused),
    "bad keys, without a code": (says(401, {"message": "unauthorized."}), Refused),
    "missing keys, as a page": (_page(401), Refused),
    "something else's page": (_page(403), OutcomeUnknown),
    "one request too many": (says(429, {"code": 42910000, "message": "rate limit exceeded"}), Throttled),
    "an inner error": (says(500, {"code": 50010000, "message": "internal"}), OutcomeUnknown),
    "a gateway that gave up": (says(504, raw=b"<html>"), OutcomeUnknown),
    "a redirect": (says(302, headers="location: http://127.0.0.1:1/x\r\n"), OutcomeUnknown),
    "a success that is no JSON": (says(200, raw=b"<html>log in</html>"), OutcomeUnknown),
}


@pytest.mark.parametrize("case", OUTCOMES)
async def test_what_became_of_a_request_is_told_by_the_kind_of_error(case: str) -> None:
    answer, kind = OUTCOMES[case]
    async with desk_at(answer) as (desk, there):
        with pytest.raises(kind) as told:
            await desk.post("/orders", {})
        assert len(there.asked) == 1, "nothing is ever sent twice"
    assert "very secret" not in str(told.value)


async def test_a_refusal_keeps_status_code_and_text() -> None:
    async with desk_at(says(422, {"code": 40010001, "message": "client_order_id must be unique"})) as (desk, _):
        with pytest.raises(Refused) as told:
            await desk.post("/orders", {})
    assert (told.value.status, told.value.code) == (422, 40010001)
    assert str(told.value) == "client_order_id must be unique (HTTP 422, code 40010001)"


async def test_a_refused_connection_is_surely_not_done_and_says_so_plainly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    desk = RestDesk(f"http://127.0.0.1:{port}", "k", "s")
    with pytest.raises(Unavailable, match=r"^POST /orders: Connection refused$"):
        await desk.post("/orders", {})
    desk.close()


async def _cuts(request: Request, writer: asyncio.StreamWriter) -> None:
    raise ConnectionResetError


async def _cuts_midway(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\n{"id"')
    await writer.drain()
    raise ConnectionResetError


@pytest.mark.parametrize("answer", [_cuts, _cuts_midway])
async def test_a_line_cut_after_sending_leaves_the_outcome_open(answer: Answer) -> None:
    async with desk_at(answer) as (desk, there):
        with pytest.raises(OutcomeUnknown):
            await desk.post("/orders", {})
        assert len(there.asked) == 1


async def test_a_silent_server_costs_the_deadline_and_a_dripping_one_no_more() -> None:
    async def silent(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def dripping(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\n")
        await silent(request, writer)

    for answer in (silent, dripping):
        async with desk_at(answer, deadline_s=0.1) as (desk, there):
            with pytest.raises(OutcomeUnknown):
                await desk.get("/clock")
            there.answer = says(200, {"is_open": True})
            assert await desk.get("/clock") == {"is_open": True}, "the next request does not wait for the lost one"


async def test_closing_waits_for_nothing_and_leaves_no_thread() -> None:
    never: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def silent(request: Request, writer: asyncio.StreamWriter) -> None:
        await never

    async with desk_at(silent, deadline_s=0.2) as (desk, there):
        pending = asyncio.ensure_future(desk.get("/clock"))
        await there.came.wait()
        desk.close()
        with pytest.raises(OutcomeUnknown):
            await pending
        with pytest.raises(Unavailable, match="closed"):
            await desk.get("/clock")
    for thread in threading.enumerate():
        if thread.name == "alpaca rest":
            await asyncio.to_thread(thread.join, 5)
            assert not thread.is_alive()
