"""What becomes a tick, and why the rest does not."""

from collections import Counter
from math import inf, nan
from typing import Any

import pytest

from tests.access.alpaca.messages import NS, minute_bar, quote, trade
from trader.access.alpaca.ticks import ticks_of
from trader.access.alpaca.wire import MSGPACK, Unknown
from trader.access.alpaca.wire_data import (
    BarMessage,
    DailyBarMessage,
    OrderbookMessage,
    SuccessMessage,
    TradeMessage,
    UpdatedBarMessage,
)
from trader.model.ticks import Bar, Quote, Trade
from trader.model.time import MINUTE

START = NS // MINUTE * MINUTE


def test_messages_become_ticks_in_their_order() -> None:
    refused: Counter[str] = Counter()
    ticks = ticks_of([quote(), trade(), minute_bar()], refused)
    assert ticks == [
        Quote("SPIP", NS, 25.41, 35, 25.43, 35),
        Trade("AAPL", NS, 177.79, 90),
        Bar("AAPL", START + MINUTE, 10.0, 12.0, 9.0, 11.0, 5.0),
    ]
    assert not refused


def test_bar_is_stamped_with_its_end_also_when_revised() -> None:
    (first,) = ticks_of([minute_bar(BarMessage)], Counter())
    assert first.ts == START + MINUTE
    assert ticks_of([minute_bar(UpdatedBarMessage)], Counter()) == [first]


def test_bar_without_trades_is_a_bar() -> None:
    assert len(ticks_of([minute_bar(volume=0.0)], Counter())) == 1


def test_what_is_no_tick_is_passed_over() -> None:
    refused: Counter[str] = Counter()
    others = [SuccessMessage("connected"), minute_bar(DailyBarMessage), OrderbookMessage("BTC/USD", "")]
    assert ticks_of(others, refused) == []
    assert not refused


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (trade(price=nan), "not_a_number"),
        (trade(price=inf), "not_a_number"),
        (trade(price=0.0), "price_not_positive"),
        (trade(price=-1.0), "price_not_positive"),
        (trade(price=1e-10), "price_out_of_range"),
        (trade(price=1e10), "price_out_of_range"),
        (trade(ns=0), "bad_time"),
        (trade(ns=2**63), "bad_time"),
        (TradeMessage("A", 1.0, -1.0, MSGPACK.stamp(NS)), "negative_size"),
        (TradeMessage("A", 1.0, nan, MSGPACK.stamp(NS)), "not_a_number"),
        (TradeMessage("A", 1.0, 1.0, "today"), "bad_time"),
        (quote(bid=0.0), "one_sided_quote"),
        (quote(ask=0.0), "one_sided_quote"),
        (quote(bid=0.0, ask=nan), "not_a_number"),
        (quote(bid=-1.0), "price_not_positive"),
        (quote(bid=1e10), "price_out_of_range"),
        (quote(bid_size=-1.0), "negative_size"),
        (quote(bid_size=inf), "not_a_number"),
        (quote(ns=0), "bad_time"),
        (minute_bar(open=nan), "not_a_number"),
        (minute_bar(low=0.0), "price_not_positive"),
        (minute_bar(high=1e10), "price_out_of_range"),
        (minute_bar(volume=-1.0), "negative_size"),
        (minute_bar(volume=nan), "not_a_number"),
        (minute_bar(high=8.0), "high_below_low"),
        (minute_bar(open=13.0), "outside_range"),
        (minute_bar(close=8.0), "outside_range"),
        (minute_bar(ns=START + 1), "off_minute"),
        (minute_bar(ns=0), "bad_time"),
        (Unknown("n", "no such kind", b"{}"), "unknown_message"),
    ],
)
def test_what_no_market_says_is_refused_by_its_reason(message: Any, reason: str) -> None:
    refused: Counter[str] = Counter()
    assert ticks_of([message, trade()], refused) == [Trade("AAPL", NS, 177.79, 90)]
    assert refused == {reason: 1}
