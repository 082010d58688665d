"""Whatever a client sends, he gets an answer in Alpaca's manner, and the books stay sound."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.exchange.desks import Floor

NUMBERS = st.one_of(
    st.integers(-5, 500),
    st.floats(0, 1e6),
    st.decimals(0, 1000, places=4).map(str),
    st.sampled_from(["", "1e-9", "x", "9" * 15, f"1.{'1' * 23}"]),
)
ODD: st.SearchStrategy[Any] = st.one_of(st.none(), st.booleans(), st.text(max_size=5), st.lists(st.integers()))
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "symbol": st.sampled_from(["SPY", "AAPL", "GME", "BTC/USD", "BTCUSD", "NONE"]),
    "qty": NUMBERS,
    "notional": NUMBERS,
    "side": st.sampled_from(["buy", "sell"]),
    "type": st.sampled_from(["market", "limit", "stop", "stop_limit", "trailing_stop"]),
    "time_in_force": st.sampled_from(["day", "gtc", "ioc", "fok", "opg", "cls"]),
    "limit_price": st.one_of(NUMBERS, st.sampled_from([199, 200, 449.9, 450.1, 90_000])),
    "stop_price": NUMBERS,
    "trail_price": NUMBERS,
    "trail_percent": NUMBERS,
    "extended_hours": st.sampled_from([True, False, "True"]),
    "order_class": st.sampled_from(["", "simple", "bracket", "oco", "oto", "mleg"]),
    "take_profit": st.fixed_dictionaries({}, optional={"limit_price": NUMBERS}),
    "stop_loss": st.fixed_dictionaries({}, optional={"stop_price": NUMBERS, "limit_price": NUMBERS}),
    "position_intent": st.sampled_from(["buy_to_open", "sell_to_close"]),
}
USUAL = ("symbol", "qty", "side", "type", "time_in_force")
BODIES = st.one_of(
    st.fixed_dictionaries({name: FIELDS[name] for name in USUAL}, optional={"limit_price": FIELDS["limit_price"]}),
    st.fixed_dictionaries({}, optional=FIELDS),
    st.fixed_dictionaries({}, optional={name: st.one_of(values, ODD) for name, values in FIELDS.items()}),
)
QUERIES = st.dictionaries(
    st.sampled_from(["qty", "percentage", "status", "limit", "after", "page_size", "page_token", "period", "start"]),
    st.text(max_size=6),
    max_size=2,
)
READS = [
    "orders",
    "positions",
    "positions/SPY",
    "account/activities",
    "assets",
    "calendar",
]


@settings(max_examples=12)
@given(st.lists(BODIES, min_size=1, max_size=8), QUERIES, st.data())
def test_any_order_is_answered_and_the_books_stay_sound(bodies: list[Any], query: dict[str, str], data: Any) -> None:
    async def trade() -> None:
        floor = Floor()
        ids = []
        for body in bodies:
            answer = await floor.call("POST", "/v2/orders", json=body)
            assert answer.status in {200, 403, 422}, (body, answer)
            assert ("id" in answer.body) == (answer.status == 200)
            ids += [answer.body["id"]] if answer.status == 200 else []
        for order_id in ids:
            change = data.draw(st.dictionaries(st.sampled_from(["qty", "limit_price", "stop_price", "trail"]), NUMBERS))
            assert (await floor.call("PATCH", f"/v2/orders/{order_id}", json=change)).status in {200, 403, 422}
        for path in READS:
            assert (await floor.call("GET", f"/v2/{path}", **query)).status in {200, 404, 422}
        closed = await floor.call("DELETE", "/v2/positions/SPY", **query)
        assert closed.status in {200, 403, 404, 422}
        floor.venue.check()
        assert (await floor.call("DELETE", "/v2/orders")).status == 207
        floor.venue.check()

    asyncio.run(trade())
