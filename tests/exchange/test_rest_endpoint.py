"""What all requests share: keys, the limit, faults, the log, and what is told before it is answered."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message

from tests.exchange.desks import FIRST, OTHER, Floor
from trader.exchange.request_log import Asked
from trader.exchange.rest_endpoint import LARGEST_BODY
from trader.exchange.rest_faults import RestFault
from trader.model.time import MINUTE

LIMIT: dict[str, Any] = {"type": "limit", "limit_price": 400}


async def test_a_request_without_keys_meets_a_page_and_one_with_wrong_keys_a_message() -> None:
    floor = Floor()
    without = await floor.call("GET", "/v2/account", key=None)
    assert (without.status, without.headers["content-type"]) == (401, "text/html; charset=UTF-8")
    wrong = await floor.call("GET", "/v2/account", key=type(FIRST)(FIRST.id, OTHER.secret, "first"))
    assert (wrong.status, wrong.body) == (401, {"message": "unauthorized."})


async def test_every_account_sees_its_own_orders_only() -> None:
    floor = Floor()
    order = (await floor.order(**LIMIT)).body
    assert (await floor.call("GET", f"/v2/orders/{order['id']}", key=OTHER)).status == 404
    assert (await floor.call("GET", "/v2/orders", key=OTHER)).body == []


async def test_the_limit_is_told_and_ends_with_the_minute() -> None:
    floor = Floor(per_minute=2)
    answers = [await floor.call("GET", "/v2/clock") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
    assert answers[2].body == {"code": 42910000, "message": "rate limit exceeded"}
    assert (await floor.call("GET", "/v2/clock", key=OTHER)).status == 200
    floor.now += MINUTE
    assert (await floor.call("GET", "/v2/clock")).status == 200


async def test_what_the_venue_did_is_told_before_it_is_answered() -> None:
    floor = Floor()
    answer = await floor.order()
    assert answer.body["status"] == "pending_new"
    assert [update.event for update in floor.told] == ["pending_new", "new", "fill"]


async def test_a_fault_of_status_leaves_the_request_undone() -> None:
    floor = Floor()
    floor.desk.faults.arm(RestFault(kind="status", status=500, match="POST /v2/orders"))
    answer = await floor.order(client_order_id="a")
    assert (answer.status, answer.body["code"]) == (500, 50010000)
    assert not floor.venue.accounts["first"].orders
    assert (await floor.order(client_order_id="a")).status == 200
    assert floor.desk.log.by_client_id == {"a": Asked(2, [500, 200])}


@pytest.mark.parametrize(("kind", "status"), [("accepted", 504), ("garbage", 200)])
async def test_a_spoilt_answer_hides_an_order_that_was_taken(kind: Any, status: int) -> None:
    floor = Floor()
    floor.desk.faults.arm(RestFault(kind=kind))
    answer = await floor.order(client_order_id="a")
    assert answer.status == status
    assert "pending_new" not in str(answer.body)
    assert "a" in floor.venue.accounts["first"].by_client_id


async def test_a_late_answer_is_to_a_request_that_was_done_at_once() -> None:
    floor = Floor()
    floor.desk.faults.arm(RestFault(kind="late", delay_s=0.05))
    asking = asyncio.create_task(floor.order())
    await asyncio.wait_for(floor.has_told.wait(), 30)
    assert not asking.done()
    assert (await asking).body["status"] == "pending_new"


async def test_an_overtaken_answer_comes_when_its_order_has_ended() -> None:
    floor = Floor()
    floor.desk.faults.arm(RestFault(kind="overtaken", delay_s=600, count=2))
    asking = asyncio.create_task(floor.order(**LIMIT))
    await asyncio.wait_for(floor.has_told.wait(), 30)
    assert not asking.done()
    floor.quote("SPY", 399)
    assert (await asking).body["status"] == "pending_new"
    assert floor.told[-1].event == "fill"
    assert (await floor.call("GET", "/v2/clock")).status == 200  # it is about no order: nothing to wait for


async def test_an_answer_that_nothing_overtakes_comes_all_the_same() -> None:
    floor = Floor()
    floor.desk.faults.arm(RestFault(kind="overtaken", delay_s=0.01))
    assert (await floor.order(**LIMIT)).status == 200


async def test_a_body_that_is_no_order_s_is_not_read_to_its_end() -> None:
    floor = Floor()
    answer = await floor.call("POST", "/v2/orders", json=b" " * (LARGEST_BODY + 1))
    assert answer.status == 413


async def test_a_body_may_come_in_parts_and_a_client_may_leave_before_its_end() -> None:
    floor = Floor()
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    def asked(*messages: Message) -> Any:
        parts = iter(messages)

        async def receive() -> Message:
            return next(parts)

        return floor.app(scope, receive, send)

    shown = [(b"apca-api-key-id", FIRST.id.encode()), (b"apca-api-secret-key", FIRST.secret.encode())]
    scope = {"type": "http", "method": "POST", "path": "/v2/orders", "query_string": b"", "headers": shown}
    begun = {"type": "http.request", "body": b'{"symbol": ', "more_body": True}
    await asked(begun, {"type": "http.disconnect"})
    assert not sent
    await asked(begun, {"type": "http.request", "body": b'"NONE"}'})
    assert sent[0]["status"] == 422


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"\xff", b"[" * 5000])
async def test_what_is_no_json_object_is_400(body: bytes) -> None:
    answer = await Floor().call("POST", "/v2/orders", json=body)
    assert (answer.status, answer.body["code"]) == (400, 40010000)


async def test_requests_are_counted_by_path_and_method() -> None:
    floor = Floor()
    order = (await floor.order(**LIMIT)).body
    await floor.call("GET", f"/v2/orders/{order['id']}")
    await floor.call("HEAD", "/v2/clock")
    assert floor.desk.log.totals == {"POST /v2/orders": 1, "GET /v2/orders/{order_id}": 1, "HEAD /v2/clock": 1}


async def test_a_request_over_the_limit_uses_up_no_fault() -> None:
    floor = Floor(per_minute=1)
    await floor.call("GET", "/v2/clock")
    floor.desk.faults.arm(RestFault(kind="status", status=500))
    assert (await floor.call("GET", "/v2/clock")).status == 429
    floor.now += MINUTE
    assert (await floor.call("GET", "/v2/clock")).status == 500
