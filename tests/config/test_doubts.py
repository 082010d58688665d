"""What is allowed but probably not meant is said, and what is fine is not."""

from typing import Any

import pytest

from tests.config.entries import entry
from trader.config import advice, parse


def doubts(**changes: Any) -> list[str]:
    return [str(problem) for problem in advice(parse({"strategies": [entry(**changes)]}))]


def test_limits_by_sector_without_sectors_are_probably_not_meant() -> None:
    data = {"strategies": [entry()], "risk": {"profile": "framework"}}
    said = "risk.account.max_sector: risk.sectors has no ticker of these strategies, so all of them count as one"
    assert [str(problem) for problem in advice(parse(data))] == [said]
    assert advice(parse(data | {"risk": {"profile": "framework", "sectors": {"a": ["IWM"], "b": ["SPY"]}}})) == []


@pytest.mark.parametrize(
    ("risk", "said"),
    [
        ({"groups": {"g": {"strategies": ["A"]}}}, "groups.g: limits nothing: it has no limit, and no loss in"),
        ({"symbols": {"TSLA": {"max_position": 0.1}}}, "symbols.TSLA: limits nothing: nobody trades it"),
        ({"symbols": {"SPY": {}}}, "symbols.SPY: limits nothing: it has no limit"),
        ({"regime": {"symbol": "TSLA"}}, "regime.symbol: nobody trades it, so that its days are not known here"),
        ({"var": {"stress": ["pandemic"]}}, "var.stress: limits nothing without max_stress"),
        ({"escalation": {"max_gross": {"hard": "halt_desk"}}}, "escalation.max_gross.hard: nothing follows: no max_gr"),
        (
            {"account": {"max_gross": 1}, "escalation": {"max_gross": {"soft": "halt_desk"}}},
            "escalation.max_gross.soft: nothing follows: no max_gross with a soft level is set",
        ),
    ],
)
def test_what_has_no_effect_is_probably_not_meant(risk: dict[str, Any], said: str) -> None:
    (problem,) = advice(parse({"strategies": [entry()], "risk": risk}))
    assert str(problem).startswith(f"risk.{said}")


@pytest.mark.parametrize(
    "risk",
    [
        {"groups": {"g": {"strategies": ["A"]}}, "ladder": {"groups": {"g": {"daily_loss": 0.1}}}},
        {"profile": "level1", "escalation": {"max_gross": {"hard": "halt_desk"}, "drawdown": {"hard": "alert"}}},
        {"orders": {"all": {"max_mark_age_s": 9}}, "escalation": {"stale_mark": {"hard": "alert"}}},
        {"account": {"max_class_of": {"stock": 0.1}}, "escalation": {"max_class": {"hard": "reduce_only"}}},
    ],
)
def test_what_has_an_effect_is_no_doubt(risk: dict[str, Any]) -> None:
    assert advice(parse({"strategies": [entry()], "risk": risk})) == []


@pytest.mark.parametrize("risk", [{"restricted": ["SPY"]}, {"allowed": ["QQQ"]}, {"authorized": {"one": ["QQQ"]}}])
def test_a_ticker_that_nobody_lets_open_is_probably_not_meant(risk: dict[str, Any]) -> None:
    data = {"strategies": [entry(name="one", tickers=["SPY", "QQQ"], risk_config={"max_position_size": 0.5})]}
    (problem,) = advice(parse(data | {"risk": risk}))
    assert problem.path == "strategies[0].tickers"
    assert "lets nobody open SPY here" in problem.message


def test_an_ordinary_strategy_raises_no_doubt() -> None:
    assert doubts() == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"min_warmup_bars": 5}, "min_warmup_bars: 5 bars, but the strategy needs 30: it first decides on bar 30"),
        (
            {"tickers": ["SPY", "QQQ", "IWM"], "risk_config": {"max_position_size": 0.5}},
            "risk_config.max_position_size: at 0.5 of equity each, about 2 of 3 tickers can be held at a time",
        ),
        (
            {"initial_cash": 1000, "risk_config": {"max_daily_loss": 1000}},
            "risk_config.max_daily_loss: $1000 is all of the capital, $1000",
        ),
        (
            {"tickers": ["BTC/USD"], "initial_cash": 10},
            "initial_cash: no order of BTC/USD can reach the smallest the venue takes, $10",
        ),
    ],
)
def test_a_doubt_is_told_at_its_place(changes: dict[str, Any], said: str) -> None:
    assert doubts(**changes) == [f"strategies[0].{said}"]


def test_one_ticker_may_have_all_the_capital() -> None:
    assert doubts(risk_config={"max_position_size": 1}) == []


def test_fills_at_quotes_are_doubted_because_bars_have_none() -> None:
    config = parse({"strategies": [entry()], "broker": {"simulated": {"fill": "next_quote"}}})
    (doubt,) = advice(config)
    assert str(doubt) == "broker.simulated.fill: files of bars hold no quotes: a replay of them fills no order"
