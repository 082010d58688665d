"""Limits that name nothing, contradict one another, or can never be reached."""

from typing import Any

import pytest

from tests.config.entries import entry
from trader.config import parse
from trader.errors import ConfigError


def problems(risk: Any, *own: Any) -> list[tuple[str, str]]:
    strategies = [entry(name=name, risk_config=one) for name, one in zip(("one", "two"), own or ({}, {}), strict=True)]
    try:
        parse({"strategies": strategies, "risk": risk})
    except ConfigError as error:
        return [(problem.path, problem.message) for problem in error.problems]
    return []


CONFLICTS: dict[str, tuple[Any, str, str]] = {
    "a group of a strategy that is none": (
        {"groups": {"g": {"strategies": ["on"]}}}, "risk.groups.g.strategies[0]",
        "no strategy is called 'on'; did you mean 'one'?",
    ),
    "a strategy twice in a group": (
        {"groups": {"g": {"strategies": ["one", "one"]}}}, "risk.groups.g.strategies[1]", "'one' is named twice",
    ),
    "an authorisation of nobody": ({"authorized": {"three": []}}, "risk.authorized.three", "there are one, two"),
    "losses of a strategy that is none": (
        {"ladder": {"strategies": {"x": {}}}}, "risk.ladder.strategies.x", "no strategy is called 'x'",
    ),
    "losses of a group that is none": (
        {"ladder": {"groups": {"g": {}}}}, "risk.ladder.groups.g", "no group is called 'g'; there is none",
    ),
    "a sector that is none": (
        {"sectors": {"energy": []}, "account": {"max_sector_of": {"enrgy": 1}}}, "risk.account.max_sector_of.enrgy",
        "no sector is called 'enrgy'; did you mean 'energy'?",
    ),
    "a category that is none": (
        {"account": {"max_category_of": {"a": 1}}}, "risk.account.max_category_of.a", "no category is called 'a'",
    ),
    "a symbol in two sectors": (
        {"sectors": {"a": ["SPY"], "b": ["QQQ", "SPY"]}}, "risk.sectors.b[1]", "SPY is in 'a' too",
    ),
    "allowed and restricted": ({"allowed": ["SPY"], "restricted": ["SPY"]}, "risk.allowed[0]", "in restricted too"),
    "authorized and restricted": (
        {"authorized": {"one": ["SPY"]}, "restricted": ["SPY"]}, "risk.authorized.one[0]", "in restricted too",
    ),
    "authorized and not allowed": (
        {"authorized": {"one": ["SPY"]}, "allowed": ["QQQ"]}, "risk.authorized.one[0]", "not in allowed",
    ),
    "a position beyond all of them": (
        {"account": {"max_position": 2, "max_gross": 1}}, "risk.account.max_position", "conflicts with max_gross: 2",
    ),
    "a net beyond the gross": ({"account": {"max_net": 2, "max_gross": 1}}, "risk.account.max_net", "lower it"),
    "a group's position beyond all of them": (
        {"groups": {"g": {"strategies": ["one"], "max_position": 2, "max_group_gross": 1}}},
        "risk.groups.g.max_position", "conflicts with max_group_gross",
    ),
    "a symbol's position beyond all of them": (
        {"account": {"max_gross": 1}, "symbols": {"SPY": {"max_position": 2}}}, "risk.symbols.SPY.max_position",
        "conflicts with risk.account.max_gross",
    ),
    "a day worse than a week": (
        {"ladder": {"daily_loss": 0.2, "weekly_loss": 0.1}}, "risk.ladder.daily_loss", "conflicts with weekly_loss",
    ),
    "a strategy's week worse than its month": (
        {"ladder": {"strategies": {"one": {"weekly_loss": 0.2, "monthly_loss": 0.1}}}},
        "risk.ladder.strategies.one.weekly_loss", "conflicts with monthly_loss",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CONFLICTS)
def test_a_conflict_is_said_with_its_place_and_what_to_do(case: str) -> None:
    risk, place, message = CONFLICTS[case]
    found = problems(risk)
    assert [path for path, _ in found] == [place]
    assert message in found[0][1]


def test_budgets_may_not_add_up_to_more_than_the_accounts() -> None:
    own = {"max_budget": 600}
    assert problems({"account": {"max_budget": 1200}}, own, own) == []
    ((path, message),) = problems({"account": {"max_budget": 1000}}, own, own)
    assert path == "risk.account.max_budget"
    assert "add up to $1200.00" in message


def test_a_strategys_own_limits_may_conflict_too() -> None:
    found = problems({}, {"max_order_value": 500, "max_position_value": 400}, {"max_net": 2, "max_gross": 1})
    assert [path for path, _ in found] == [
        "strategies[0].risk_config.max_order_value", "strategies[1].risk_config.max_net",
    ]  # fmt: skip


def test_all_of_them_are_said_at_once() -> None:
    risk = {"account": {"max_net": 2, "max_gross": 1, "max_sector_of": {"x": 1}}, "authorized": {"y": []}}
    assert {path for path, _ in problems(risk)} == {
        "risk.account.max_net", "risk.account.max_sector_of.x", "risk.authorized.y",
    }  # fmt: skip


def test_limits_that_agree_are_no_conflict() -> None:
    risk = {
        "account": {"max_position": 0.5, "max_gross": 1, "max_sector": {"soft": 2, "hard": 3}, "max_leverage": 2},
        "groups": {"g": {"strategies": ["one", "two"], "max_group_gross": 1}},
        "ladder": {"daily_loss": 0.05, "weekly_loss": 0.05, "groups": {"g": {"drawdown": 0.1}}},
        "sectors": {"tech": ["QQQ"]},
    }
    assert [path for path, _ in problems(risk)] == ["risk.account.max_sector"]
