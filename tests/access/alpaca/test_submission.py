"""One order against a server that says what a test wants: how often it is asked, and what the desk hears."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from tests.access.alpaca.http_server import Request, Server, says, server
from tests.waiting import until
from trader.access.alpaca import submission as module
from trader.access.alpaca.calls import AccountCalls
from trader.access.alpaca.lookups import Lookups
from trader.access.alpaca.rest import RestDesk
from trader.access.alpaca.submission import Submission
from trader.access.alpaca.tracked import Tracked
from trader.access.alpaca.tracker import OrderTracker
from trader.model.instruments import instrument_of
from trader.model.orders import Approved, ExecutionReport, OrderIntent, OrderStatus, Reason, Side
from trader.model.time import MINUTE, SECOND

PACE = 600.0  # market seconds in a second: what waits for minutes takes a fraction of one

NOT_FOUND = (404, {"code": 40410000, "message": "order not found"})
WASH = (403, {"code": 40310000, "message": "potential wash trade detected. use complex orders"})
FORBIDDEN = (403, {"code": 40310000, "message": "account is not allowed to trade now"})
DUPLICATE = (422, {"code": 40010001, "message": "client_order_id must be unique"})
BUSY = (429, {"code": 42910000, "message": "rate limit exceeded"})
BROKEN = (503, {"code": 50310000, "message": "come back later"})


def order(client_id: str = "t-1", status: str = "new", filled: str = "0", **fields: Any) -> tuple[int, dict[str, Any]]:
    body = {"id": f"v-{client_id}", "client_order_id": client_id, "symbol": "SPY", "status": status}
    return 200, {**body, "filled_qty": filled, **fields}


class Line:
    """A submission and its server; ``script`` gives the answers by method, the last of each repeated."""

    def __init__(self, there: Server, script: dict[str, list[Any]]) -> None:
        self.there = there
        self.script = script
        self.reports: list[ExecutionReport] = []
        there.answer = self.answer
        self.tracker = OrderTracker()
        now = _clock()
        self.rest = RestDesk(there.url, "k", "s")
        self.calls = AccountCalls(self.rest, now=now, pace=PACE)
        self.is_confirmed = True
        lookups = Lookups(self.calls, self.tracker, self.reports.extend)
        instruments = {"SPY": instrument_of("SPY"), "GLD": instrument_of("GLD", fractionable=False)}
        self.why_not = ""  # what the last look says
        self.submission = Submission(
            lookups, instruments, is_confirmed=lambda: self.is_confirmed, look=lambda *_: self.why_not
        )

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        answers = self.script["LIST" if request.target.startswith("/v2/orders?") else request.method]
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        await says(status, body)(request, writer)

    def watch(
        self, order_id: str = "t-1", symbol: str = "SPY", side: str = "buy", qty: str = "3", crossed: str = "0"
    ) -> Tracked:
        now = self.calls.now()
        intent = OrderIntent(
            "one", symbol, Side(side), Decimal(qty), Decimal(1), reduces=side == "sell", reason=Reason.SIGNAL, ts=now
        )
        return self.tracker.watch(Approved(order_id, intent), self.calls.now(), Decimal(crossed))

    async def send(self, *given: str) -> Tracked:
        tracked = self.watch(*given)
        await self.submission.send(tracked)
        return tracked

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.there.asked]

    @property
    def statuses(self) -> list[OrderStatus]:
        return [report.status for report in self.reports]


@asynccontextmanager
async def line(**script: list[Any]) -> AsyncIterator[Line]:
    async with server(says()) as there:
        one = Line(there, {"POST": [order()], "GET": [order()], "LIST": [(200, [])], "DELETE": [(204, None)], **script})
        try:
            async with asyncio.timeout(30):
                yield one
        finally:
            one.calls.close()


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLED_REAL_S", 0.0)


async def test_an_order_is_written_as_alpaca_wants_it() -> None:
    async with line() as one:
        await one.send("t-1", "SPY", "buy", "1.50000000019")
        one.script["POST"] = [order("t-2", symbol="BTC/USD")]
        await one.send("t-2", "BTC/USD", "sell", "0.000000001")
        bodies = [request.json for request in one.there.asked]
    assert bodies[0] == {
        "symbol": "SPY",
        "side": "buy",
        "type": "market",
        "time_in_force": "day",
        "qty": "1.5",
        "client_order_id": "t-1",
    }
    assert (bodies[1]["time_in_force"], bodies[1]["qty"]) == ("gtc", "0.000000001")
    assert one.statuses == [OrderStatus.OPEN, OrderStatus.OPEN]


async def test_what_is_bought_in_whole_shares_is_sold_to_the_last_part_of_one() -> None:
    async with line(POST=[order(symbol="GLD")], GET=[order(symbol="GLD")]) as one:
        await one.send("t-1", "GLD", "buy", "14.5")
        await one.send("t-2", "GLD", "sell", "14.2848")
        assert [request.json["qty"] for request in one.there.asked if request.method == "POST"][:2] == ["14", "14.2848"]


async def test_less_than_can_be_traded_is_never_sent() -> None:
    async with line() as one:
        await one.send("t-1", "SPY", "buy", "0.0000000001")
        assert one.methods == []
        assert one.reports[0].text == "0.0000000001 SPY is less than can be traded"


async def test_a_duplicate_id_means_that_it_arrived() -> None:
    async with line(POST=[DUPLICATE]) as one:
        tracked = await one.send()
        assert one.methods == ["POST", "GET"]
        assert (tracked.status, tracked.venue_id) == (OrderStatus.OPEN, "v-t-1")


async def test_an_older_order_of_the_same_id_is_not_taken_for_this_one() -> None:
    async with line(POST=[DUPLICATE], GET=[order(created_at="1970-01-01T00:00:00.5Z")]) as one:
        intent = OrderIntent(
            "one", "SPY", Side.BUY, Decimal(1), Decimal(1), reduces=False, reason=Reason.SIGNAL, ts=20 * MINUTE
        )
        await one.submission.send(one.tracker.watch(Approved("t-1", intent), one.calls.now()))
        assert one.statuses == [OrderStatus.REJECTED]
        assert "another order of this id" in one.reports[0].text


@pytest.mark.parametrize("answer", [BROKEN, (200, {}), (200, order("t-7")[1]), (200, None)])
async def test_an_answer_that_tells_nothing_is_followed_by_questions_only(answer: Any) -> None:
    async with line(POST=[answer], GET=[NOT_FOUND, BROKEN, order()]) as one:
        tracked = await one.send()
        assert one.methods == ["POST", "GET", "GET", "GET"]
        assert tracked.status is OrderStatus.OPEN


async def test_an_entry_found_nowhere_for_a_minute_is_absent() -> None:
    async with line(POST=[BROKEN], GET=[NOT_FOUND]) as one:
        began = one.calls.now()
        await one.send()
        assert one.calls.now() - began >= module.SETTLED
        assert one.methods.count("POST") == 1
        lists = [request.target for request in one.there.asked if "status=" in request.target]
        assert one.methods.count("GET") >= module.NOT_FOUND + len(lists)
        assert ["open" in target for target in lists] == [True, False], "open orders and recent ones were asked for too"
        assert one.statuses == [OrderStatus.ABSENT]


async def test_an_order_that_only_a_list_shows_is_found() -> None:
    async with line(POST=[BROKEN], GET=[NOT_FOUND], LIST=[(200, [order()[1]])]) as one:
        await one.send()
        assert one.statuses == [OrderStatus.OPEN]


async def test_while_the_stream_may_miss_something_nothing_is_absent() -> None:
    async with line(POST=[BROKEN], GET=[NOT_FOUND]) as one:
        one.is_confirmed = False
        sending = asyncio.ensure_future(one.send())
        await until(lambda: one.calls.now() > 2 * module.SETTLED and len(one.methods) > 2 * module.NOT_FOUND)
        assert one.statuses == []
        one.is_confirmed = True
        await sending
        assert one.statuses == [OrderStatus.ABSENT]


async def test_an_exit_in_doubt_that_is_not_wanted_any_more_is_absent_and_not_sent_again() -> None:
    async with line(POST=[BROKEN], GET=[NOT_FOUND]) as one:
        tracked = one.watch(side="sell")
        sending = asyncio.ensure_future(one.submission.send(tracked))
        await until(lambda: "GET" in one.methods)
        canceling = asyncio.ensure_future(one.submission.cancel(tracked))
        await sending
        assert (one.methods.count("POST"), one.statuses) == (1, [OrderStatus.ABSENT])
        canceling.cancel()


async def test_an_order_of_an_earlier_life_is_looked_up_before_anything_is_sent() -> None:
    async with line(GET=[NOT_FOUND]) as one:
        for order_id, side in (("t-1", "buy"), ("t-2", "sell")):
            tracked = one.watch(order_id, side=side)
            tracked.is_restored = True
            one.script["POST"] = [order(order_id)]
            await one.submission.resume(tracked)
        assert one.statuses == [OrderStatus.ABSENT, OrderStatus.OPEN]
        assert [request.json["client_order_id"] for request in one.there.asked if request.body] == ["t-2"]


async def test_an_old_exit_of_an_earlier_life_is_not_sent_any_more() -> None:
    async with line(GET=[NOT_FOUND]) as one:
        tracked = one.watch(side="sell")
        tracked.is_restored = True
        await until(lambda: one.calls.now() - tracked.approved.intent.ts > module.EXIT_FRESH)
        await one.submission.resume(tracked)
        assert "POST" not in one.methods
        assert one.statuses == [OrderStatus.REJECTED]


async def test_an_exit_found_nowhere_for_a_minute_is_sent_again_under_its_id() -> None:
    async with line(POST=[BROKEN, order()], GET=[NOT_FOUND]) as one:
        tracked = await one.send("t-1", "SPY", "sell")
        posts = [request.json["client_order_id"] for request in one.there.asked if request.method == "POST"]
        assert posts == ["t-1", "t-1"]
        assert tracked.status is OrderStatus.OPEN


async def test_an_exit_in_doubt_that_is_refused_meanwhile_makes_no_room_for_another_one() -> None:
    async with line(POST=[BROKEN, FORBIDDEN, order()], GET=[NOT_FOUND]) as one:
        tracked = await one.send("t-1", "SPY", "sell")
        assert one.methods.count("POST") == 3
        assert one.statuses == [OrderStatus.OPEN]
        assert tracked.status is OrderStatus.OPEN


async def test_what_was_crossed_between_sandboxes_is_not_sent_and_the_rest_is_all_of_the_order() -> None:
    async with line(POST=[order(status="filled", filled="1")]) as one:
        tracked = one.watch(crossed="2")
        await one.submission.send(tracked)
        assert one.there.asked[0].json["qty"] == "1"
        assert tracked.room == Decimal(1)


async def test_an_entry_that_is_refused_is_not_tried_again() -> None:
    async with line(POST=[WASH]) as one:
        await one.send()
        assert one.methods == ["POST"]
        assert one.statuses == [OrderStatus.REJECTED]
        assert "wash trade" in one.reports[0].text


async def test_a_blocked_exit_leaves_when_the_order_that_blocks_it_has_ended() -> None:
    async with line() as one:
        await one.send()
        one.script["POST"] = [WASH, order("t-2")]
        leaving = asyncio.ensure_future(one.send("t-2", "SPY", "sell"))
        await until(lambda: one.submission.retried)
        one.submission.note_end("SPY")
        assert (await leaving).status is OrderStatus.OPEN
        assert one.methods == ["POST"] * 3


async def test_an_exit_that_nothing_of_ours_blocks_is_told_loudly_after_a_while() -> None:
    async with line(POST=[WASH]) as one:
        await one.send("t-1", "SPY", "sell")
        assert one.statuses == [OrderStatus.REJECTED]
        assert len(one.methods) > 1


async def test_a_request_too_many_is_made_again() -> None:
    async with line(POST=[BUSY, order()]) as one:
        tracked = await one.send()
        assert (tracked.status, one.calls.throttled, one.methods) == (OrderStatus.OPEN, 1, ["POST", "POST"])


async def test_an_entry_nobody_takes_is_dropped_when_its_price_is_old() -> None:
    async with line() as one:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        one.rest.base_url = f"http://127.0.0.1:{port}"
        tracked = await one.send()
        assert (tracked.status, one.methods) == (OrderStatus.REJECTED, [])
        assert one.reports[0].text.startswith("not sent: ")
        assert one.submission.retried > 1


async def test_what_the_last_look_refuses_is_rejected_and_never_asked_for() -> None:
    async with line() as one:
        one.why_not = "last look: the desk is halted"
        await one.send()
        assert one.methods == []
        assert [(report.status, report.text) for report in one.reports] == [(OrderStatus.REJECTED, one.why_not)]


async def test_the_last_look_is_taken_again_before_every_try() -> None:
    async with line(POST=[BUSY, order()]) as one:
        sending = asyncio.ensure_future(one.send())
        await until(lambda: one.submission.retried)
        one.why_not = "last look: the desk is halted"
        await sending
        assert one.methods == ["POST"]
        assert one.reports[-1].text == one.why_not


async def test_a_cancel_before_anything_was_sent_sends_nothing() -> None:
    async with line() as one:
        tracked = one.watch()
        canceling = asyncio.ensure_future(one.submission.cancel(tracked))
        await asyncio.sleep(0)
        await one.submission.send(tracked)
        await canceling
        assert (one.statuses, one.methods) == ([OrderStatus.CANCELED], [])


async def test_a_cancel_is_repeated_until_it_is_heard() -> None:
    async with line(DELETE=[BROKEN, BUSY, (204, None)]) as one:
        tracked = await one.send()
        await one.submission.cancel(tracked)
        assert one.methods == ["POST", "DELETE", "DELETE", "DELETE"]


async def test_a_cancel_that_comes_too_late_asks_what_the_order_has_become() -> None:
    async with line(DELETE=[(422, {"code": 42210000, "message": 'order is already in "expired" state'})]) as one:
        tracked = await one.send()
        one.script["GET"] = [order(status="expired")]
        await one.submission.cancel(tracked)
        assert one.statuses == [OrderStatus.OPEN, OrderStatus.EXPIRED]
        await one.submission.cancel(tracked)
        assert one.methods == ["POST", "DELETE", "GET"], "an order that has ended is left alone"


def _clock() -> Callable[[], int]:
    loop = asyncio.get_running_loop()
    return lambda: round(loop.time() * PACE * SECOND)
