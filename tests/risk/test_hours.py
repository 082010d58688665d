"""When openings may leave: sessions, times of the week, the minutes before a close."""

from typing import Any

from tests.risk.asking import NOW, ask, gate_of, refused, said
from trader.model.orders import Approved, Denied
from trader.model.time import HOUR, MINUTE, parse_time
from trader.risk.limits import OrderLimits
from trader.risk.rules import Rules


def of_stocks(**limits: Any) -> Rules:
    return Rules(orders={"stock": OrderLimits(**limits)})


def test_a_session_that_is_closed_passes_by_itself() -> None:
    rules = of_stocks(sessions=("core",))
    verdict = ask(gate_of(rules), now=NOW - 2 * HOUR)
    assert isinstance(verdict, Denied)
    assert verdict.is_passing
    assert said(verdict) == ("core", "pre")
    assert isinstance(ask(gate_of(rules)), Approved)
    assert isinstance(ask(gate_of(rules), symbol="BTC/USD", now=NOW - 2 * HOUR), Approved)


def test_minutes_before_the_close_are_those_of_a_short_day_too() -> None:
    gate = gate_of(of_stocks(close_only_before_close_min=15.0))
    friday = parse_time("2026-11-27T17:44")  # the day after Thanksgiving, which ends at 13:00 in New York
    assert isinstance(ask(gate, now=friday), Approved)
    assert refused(ask(gate, now=friday + MINUTE)) == ("close_only", "order")
    assert isinstance(ask(gate, now=NOW), Approved)


def test_coins_have_times_of_the_week_and_no_sessions() -> None:
    limits = OrderLimits(close_only=("Sat",), sessions=("core",), close_only_before_close_min=30.0)
    gate = gate_of(Rules(orders={"crypto": limits}))
    assert isinstance(ask(gate, symbol="BTC/USD", now=NOW - 2 * HOUR), Approved)
    assert refused(ask(gate, symbol="BTC/USD", now=parse_time("2026-11-28T12:00"))) == ("close_only", "order")


def test_a_close_is_that_of_the_day() -> None:
    gate = gate_of(of_stocks(close_only_before_close_min=15.0))
    for day in (0, 1, 2):
        monday = NOW + day * 24 * HOUR
        assert isinstance(ask(gate, now=monday), Approved)
        assert refused(ask(gate, now=monday + 6 * HOUR - 10 * MINUTE)) == ("close_only", "order")
