"""Orders as they are read: one, the open ones, all since a time, page by page; what is not ours is left alone."""

import pytest

from tests.access.alpaca.test_restoring import reader
from trader.access.alpaca import lookups as module
from trader.access.sim.venue_orders import OrderRequest
from trader.errors import Unavailable
from trader.exchange.rest_faults import RestFault
from trader.model.orders import OrderStatus, Side


async def test_an_order_is_found_by_our_id_and_then_by_the_venues() -> None:
    async with reader() as one:
        tracked = one.watch("t-1", "SPY", "buy", "3")
        assert not await one.lookups.one(tracked)
        await one.traded("SPY", qty="3", client_id="t-1")
        assert await one.lookups.one(tracked)
        assert (tracked.status, tracked.venue_end) == (OrderStatus.OPEN, OrderStatus.FILLED)
        assert await one.lookups.one(tracked)
        assert one.at.log.totals["GET /v2/orders/{order_id}"] == 1


async def test_no_answer_is_no_absence() -> None:
    async with reader() as one:
        tracked = one.watch("t-1", "SPY", "buy", "3")
        one.at.rest_faults.arm(RestFault(kind="status", match="GET /v2/orders", status=503))
        with pytest.raises(Unavailable):
            await one.lookups.one(tracked)


async def test_another_order_of_our_id_ends_ours_as_rejected() -> None:
    async with reader() as one:
        tracked = one.watch("t-1", "SPY", "buy", "3")
        await one.traded("SPY", qty="2", client_id="t-1")
        assert await one.lookups.one(tracked)
        assert tracked.status is OrderStatus.REJECTED
        assert "another order of this id" in one.reports[-1].text


async def test_lists_show_ours_and_meet_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    async with reader() as one:
        since = one.calls.now() - 1
        tracked = one.watch("t-1", "SPY", "buy", "3")
        others = [await one.traded("QQQ", qty="1") for _ in range(4)]
        one.at.venue.set_halted("SPY", is_halted=True)
        request = OrderRequest("SPY", Side.BUY, qty=tracked.ordered, client_order_id="t-1")
        one.at.venue.submit(one.at.key.account, request, now=one.at.clock.now())
        await one.lookups.open()
        assert tracked.status is OrderStatus.OPEN
        assert not any(one.tracker.is_known(other.id) for other in others)
        await one.lookups.since(since)
        assert all(one.tracker.is_known(other.id) for other in others)


async def test_a_stranger_is_met_and_one_that_is_nowhere_is_passed_over() -> None:
    async with reader() as one:
        other = await one.traded("QQQ", qty="1")
        await one.lookups.stranger("00000000-0000-0000-0000-000000000000")
        await one.lookups.stranger(other.id)
        assert one.tracker.is_known(other.id)
