"""Controls of the order itself: allowed at the limit, told beyond soft, refused beyond hard and where nobody knows."""

from decimal import Decimal
from math import nan
from typing import Any

import pytest

from tests.risk.asking import NOW, OPEN_MIND, Book, ask, gate_of, refused, said, warned
from trader.model.orders import Approved, Denied
from trader.model.time import HOUR, MINUTE, SECOND
from trader.risk.bounds import Bound
from trader.risk.limits import Limits, OrderLimits
from trader.risk.rules import Rules

QUOTED = {"bid": 99.0, "ask": 101.0, "bid_size": 50.0, "ask_size": 40.0, "quoted_at": NOW}

# The key, its code, its levels, and what of the order or the market is at, beyond soft, beyond hard, and not known.
LEVELS: dict[str, tuple[str, Bound, dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any] | None]] = {
    "max_intent_age_s": (
        "stale_intent", Bound(4, soft=2), {"ts": NOW - 2 * SECOND}, {"ts": NOW - 3 * SECOND},
        {"ts": NOW - 5 * SECOND}, None,
    ),
    "max_price_move": (
        "price_moved", Bound(0.5, soft=0.25), {"mark": 125.0}, {"mark": 140.0}, {"mark": 49.0}, {"mark": nan},
    ),
    "price_collar": (
        "price_collar", Bound(0.5, soft=0.25), {**QUOTED, "ask": 125.0}, {**QUOTED, "ask": 130.0},
        {**QUOTED, "ask": 151.0}, {"mark": nan},
    ),
    "max_mark_age_s": (
        "stale_mark", Bound(60, soft=30), {"marked_at": NOW - 30 * SECOND}, {"marked_at": NOW - 31 * SECOND},
        {"marked_at": NOW - 61 * SECOND}, {"marked_at": 0},
    ),
    "max_price_jump": (
        "price_jump", Bound(0.5, soft=0.25), {"before": 80.0}, {"before": 75.0}, {"before": 50.0}, {"before": nan},
    ),
    "max_spread": (
        "max_spread", Bound(0.04, soft=0.02), QUOTED, {**QUOTED, "ask": 102.0}, {**QUOTED, "ask": 109.0}, {},
    ),
    "min_depth": (
        "min_depth", Bound(2020, soft=4040), QUOTED, {**QUOTED, "ask_size": 39.0}, {**QUOTED, "ask_size": 19.0}, {},
    ),
    "max_order_qty": ("max_order_qty", Bound(12, soft=10), {}, {"qty": Decimal(11)}, {"qty": Decimal(13)}, None),
    "max_order_value": (
        "max_order_value", Bound(1200, soft=1000), {}, {"qty": Decimal(11)}, {"qty": Decimal(13)}, None,
    ),
    "max_volume_share": (
        "max_volume_share", Bound(0.2, soft=0.1), {"volume_day": 100.0}, {"volume_day": 90.0}, {"volume_day": 40.0},
        {"volume_day": nan},
    ),
    "max_depth_share": (
        "max_depth_share", Bound(0.5, soft=0.25), QUOTED, {**QUOTED, "ask_size": 30.0}, {**QUOTED, "ask_size": 19.0},
        {**QUOTED, "ask_size": nan},
    ),
    "max_impact": (
        "max_impact", Bound(0.02, soft=0.01), {"sigma_day": 0.1, "volume_day": 1000.0},
        {"sigma_day": 0.11, "volume_day": 1000.0}, {"sigma_day": 0.3, "volume_day": 1000.0}, {"sigma_day": 0.1},
    ),
}  # fmt: skip


def of_stocks(**limits: Any) -> Rules:
    return Rules(orders={"stock": OrderLimits(**limits)})


@pytest.mark.parametrize("key", LEVELS)
def test_what_meets_the_soft_level_passes_in_silence(key: str) -> None:
    _, bound, within, *_ = LEVELS[key]
    gate = gate_of(of_stocks(**{key: bound}))
    assert isinstance(ask(gate, **within), Approved)
    assert warned(gate) == []


@pytest.mark.parametrize("key", LEVELS)
def test_what_is_beyond_the_soft_level_passes_and_is_told(key: str) -> None:
    code, bound, _, beyond, *_ = LEVELS[key]
    gate = gate_of(of_stocks(**{key: bound}))
    assert isinstance(ask(gate, **beyond), Approved)
    assert warned(gate) == [(code, "order")]


@pytest.mark.parametrize("key", LEVELS)
def test_what_is_beyond_the_hard_level_is_refused(key: str) -> None:
    code, bound, _, _, beyond, _ = LEVELS[key]
    gate = gate_of(of_stocks(**{key: bound}))
    verdict = ask(gate, **beyond)
    assert refused(verdict) == (code, "order")
    assert isinstance(verdict, Denied)
    assert f"risk.orders.stock.{key}" in verdict.hint


@pytest.mark.parametrize("key", [key for key, row in LEVELS.items() if row[-1] is not None])
@pytest.mark.parametrize("bound", [Bound(1e9), Bound(soft=1e9)])
def test_what_is_not_known_is_refused(key: str, bound: Bound) -> None:
    code, *_, unknown = LEVELS[key]
    verdict = ask(gate_of(of_stocks(**{key: bound})), **(unknown or {}))
    assert refused(verdict) == (code, "order")
    assert said(verdict)[1].startswith("unknown: no ")


@pytest.mark.parametrize("key", LEVELS)
def test_a_reduction_passes_whatever_is_beyond_or_unknown(key: str) -> None:
    _, bound, _, _, beyond, _ = LEVELS[key]
    gate = gate_of(of_stocks(**{key: bound}))
    out = {"reduces": True, "side": "sell", "position": Decimal(13), "mark": nan, "marked_at": 0}
    assert isinstance(ask(gate, **{**beyond, **out}), Approved)


def test_a_class_without_limits_has_none() -> None:
    assert isinstance(ask(gate_of(of_stocks(max_order_qty=Bound(1))), symbol="BTC/USD"), Approved)


def test_a_sale_meets_the_bid() -> None:
    gate = gate_of(of_stocks(max_depth_share=Bound(0.2)))
    assert isinstance(ask(gate, side="sell", **QUOTED), Approved)
    assert refused(ask(gate, **QUOTED)) == ("max_depth_share", "order")


def test_without_a_quote_the_collar_is_about_the_price_the_order_was_decided_at() -> None:
    gate = gate_of(of_stocks(price_collar=Bound(0.05)))
    assert isinstance(ask(gate, mark=104.0), Approved)
    assert refused(ask(gate, mark=110.0)) == ("price_collar", "order")


def test_impact_is_the_square_root_law_with_a_coefficient() -> None:
    limits = {"max_impact": Bound(0.01), "impact_coefficient": 0.67}
    market = {"sigma_day": 0.1, "volume_day": 1000.0}
    assert isinstance(ask(gate_of(of_stocks(**limits)), "22", **market), Approved)  # 0.67 × 0.1 × √0.022
    assert refused(ask(gate_of(of_stocks(**limits)), "23", **market)) == ("max_impact", "order")


def test_a_strategy_has_its_own_largest_order() -> None:
    own = {"one": Limits(Decimal(100), max_order_qty=Bound(5), max_order_value=Bound(300))}
    assert refused(ask(gate_of(limits=own), "6")) == ("max_order_qty", "order")
    assert refused(ask(gate_of(limits=own), "4")) == ("max_order_value", "order")
    assert isinstance(ask(gate_of(limits=own), "3"), Approved)
    assert isinstance(ask(gate_of(limits=own), "6", strategy="two"), Approved)


WATCHED = of_stocks(max_order_qty=Bound(1e9))


@pytest.mark.parametrize(
    ("rules", "order", "rule"),
    [
        (of_stocks(order_types=()), {}, "order_type"),
        (of_stocks(max_decimals=2), {"qty": Decimal("10.125")}, "max_decimals"),
        (WATCHED, {"side": "sell", "symbol": "BTC/USD"}, "crypto_short"),
        (WATCHED, {"side": "sell", "qty": Decimal("1.5")}, "fractional_short"),
        (WATCHED, {"side": "sell", "position": Decimal(3)}, "crosses_zero"),
        (WATCHED, {"position": Decimal(-3)}, "crosses_zero"),
        (of_stocks(sessions=("pre",)), {}, "session_closed"),
        (of_stocks(close_only=("Mon 10:00-10:30",)), {}, "close_only"),
        (of_stocks(close_only_before_close_min=5.0), {"now": NOW + 6 * HOUR - 4 * MINUTE}, "close_only"),
    ],
)
def test_what_the_venue_or_the_hour_forbids_is_refused_and_says_what_to_do(
    rules: Rules, order: dict[str, Any], rule: str
) -> None:
    verdict = ask(gate_of(rules), **order)
    assert isinstance(verdict, Denied)
    assert verdict.rule == rule
    assert verdict.hint
    assert said(verdict) != ("", "")


def test_zeros_at_the_end_of_a_quantity_are_no_decimals() -> None:
    assert isinstance(ask(gate_of(of_stocks(max_decimals=2)), "10.12000"), Approved)


def test_a_fraction_is_sold_where_the_account_has_it() -> None:
    book = Book({"one": {"SPY": 0.0}, "two": {"SPY": 1.5}})
    assert isinstance(ask(gate_of(WATCHED, book), "1.5", side="sell"), Approved)
    assert refused(ask(gate_of(WATCHED, book), "1.6", side="sell")) == ("fractional_short", "order")


def test_no_order_takes_the_account_through_zero() -> None:
    book = Book({"one": {"SPY": 0.0}, "two": {"SPY": 15.0}})
    assert isinstance(ask(gate_of(WATCHED, book), "15", side="sell"), Approved)
    verdict = ask(gate_of(WATCHED, book), "16", side="sell")
    assert refused(verdict) == ("crosses_zero", "account")
    assert isinstance(verdict, Denied)
    assert verdict.is_passing


def test_rules_of_two_strategies_do_not_mix() -> None:
    own = {"one": OPEN_MIND, "two": Limits(Decimal(100), max_order_qty=Bound(5))}
    gate = gate_of(limits=own)
    assert isinstance(ask(gate, "6"), Approved)
    assert refused(ask(gate, "6", strategy="two")) == ("max_order_qty", "order")
