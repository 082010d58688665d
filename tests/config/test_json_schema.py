"""The schema agrees with the reader: what it lets pass loads, what it refuses does not."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.config.entries import entry
from tests.conftest import ROOT
from trader.config import advice, default_config, parse, schema
from trader.errors import ConfigError

CONFIGS = sorted((ROOT / "configs").glob("*.json"))
SCHEMA = json.loads(json.dumps(schema()))  # as an editor reads it
ANNOTATIONS = {"title", "description", "default", "$defs", "$schema"}
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "number": (int, float),
    "integer": (int,),
}


def is_valid(value: Any, rule: dict[str, Any]) -> bool:
    """Check ``value`` by the keywords our schema uses; an unknown one is a mistake of the schema."""
    if "if" in rule:
        return not is_valid(value, rule["if"]) or is_valid(value, rule["then"])
    if "additionalProperties" in rule and isinstance(value, dict) and rule["additionalProperties"] is False:
        rule = {**rule, "additionalProperties": rule["properties"].keys()}
    elif isinstance(rule.get("additionalProperties"), dict):  # an object of names: what each of them may have
        below = value.values() if isinstance(value, dict) else ()
        return all(is_valid(one, rule["additionalProperties"]) for one in below) and is_valid(
            value, {key: part for key, part in rule.items() if key != "additionalProperties"}
        )
    return all(CHECKS[keyword](value, rule[keyword]) for keyword in rule.keys() - ANNOTATIONS)


def _is_of_type(value: Any, name: str) -> bool:
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def _is_number(value: Any) -> bool:
    return _is_of_type(value, "number")


CHECKS: dict[str, Callable[[Any, Any], bool]] = {
    "type": _is_of_type,
    "$ref": lambda value, path: is_valid(value, SCHEMA["$defs"][path.removeprefix("#/$defs/")]),
    "anyOf": lambda value, options: any(is_valid(value, option) for option in options),
    "allOf": lambda value, options: all(is_valid(value, option) for option in options),
    "enum": lambda value, allowed: value in allowed,
    "const": lambda value, wanted: bool(value == wanted),
    "properties": lambda value, rules: (
        not isinstance(value, dict) or all(is_valid(value[key], rules[key]) for key in rules.keys() & value.keys())
    ),
    "required": lambda value, keys: not isinstance(value, dict) or all(key in value for key in keys),
    "additionalProperties": lambda value, known: known is True or not isinstance(value, dict) or value.keys() <= known,
    "items": lambda value, rule: not isinstance(value, list) or all(is_valid(below, rule) for below in value),
    "minItems": lambda value, least: not isinstance(value, list) or len(value) >= least,
    "propertyNames": lambda value, rule: not isinstance(value, dict) or all(is_valid(key, rule) for key in value),
    "maxProperties": lambda value, most: not isinstance(value, dict) or len(value) <= most,
    "maxItems": lambda value, most: not isinstance(value, list) or len(value) <= most,
    "pattern": lambda value, pattern: not isinstance(value, str) or re.search(pattern, value) is not None,
    "minLength": lambda value, least: not isinstance(value, str) or len(value) >= least,
    "maxLength": lambda value, most: not isinstance(value, str) or len(value) <= most,
    "minimum": lambda value, least: not _is_number(value) or bool(value >= least),
    "maximum": lambda value, most: not _is_number(value) or bool(value <= most),
    "exclusiveMinimum": lambda value, bound: not _is_number(value) or bool(value > bound),
    "exclusiveMaximum": lambda value, bound: not _is_number(value) or bool(value < bound),
}


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_the_examples_are_valid(file: Any) -> None:
    assert is_valid(json.loads(file.read_text()), SCHEMA)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"strategy_type": "my_file:MyStrategy", "strategy_params": {"anything": [1]}},
        {"risk_config": {"max_daily_trades": None, "stop_loss_pct": 0.05}},
        {"bar": "1Day", "initial_cash": 5},
        {"filters": [{"name": "weekday", "blocked-days": ["Fri"], "block_friday": None}]},
        {"filters": [{"name": "category", "categories": {"energy": ["XLE"]}, "max-fracs": {"energy": 0.3}}]},
        {"filters": [{"name": "my_file:MyFilter", "anything": 1}, {"name": "nil"}]},
    ],
)
def test_what_may_be_written_is_valid(changes: dict[str, Any]) -> None:
    assert is_valid({"strategies": [entry(**changes)]}, SCHEMA)


@pytest.mark.parametrize(
    "risk",
    [
        {"var": {"max_stress": 0.2, "stress": ["pandemic", {"name": "rates", "shocks": {"TLT": -0.1}}]}},
        {"escalation": {"max_gross": {"hard": "force_reduce"}}, "ladder": {"daily_loss": 0.1}},
        {"account": {"max_class_of": {"crypto": {"soft": 0.1}}}, "tiers": {"low": "relaxed"}},
    ],
)
def test_limits_that_may_be_written_are_valid(risk: dict[str, Any]) -> None:
    data = {"strategies": [entry()], "risk": risk}
    assert is_valid(data, SCHEMA)
    parse(data)


@pytest.mark.parametrize(
    "risk",
    [
        {"var": {"stress": ["pandemi"]}},
        {"escalation": {"max_gros": {"hard": "halt_desk"}}},
        {"account": {"max_class_of": {"bonds": 0.1}}},
        {"account": {"max_positions": 0}},
    ],
)
def test_limits_that_are_refused_are_invalid(risk: dict[str, Any]) -> None:
    data = {"strategies": [entry()], "risk": risk}
    assert not is_valid(data, SCHEMA)
    with pytest.raises(ConfigError):
        parse(data)


@pytest.mark.parametrize(
    "changes",
    [
        {"strategy_type": "momentun"},
        {"strategy_type": "momentum", "strategy_params": {"lokback_period": 5}},
        {"strategy_type": "momentum", "strategy_params": {"lookback_period": 0}},
        {"initial_cash": 0},
        {"initial_cash": "5"},
        {"risk_config": {"max_position_size": 1.5}},
        {"risk_config": {"max_daily_trades": 0}},
        {"tickers": []},
        {"tickerz": ["SPY"]},
        {"strategy": "adaptive"},
        {"bar": "2Min"},
        {"name": ""},
        {"filters": [{"name": "nill"}]},
        {"filters": [{"blocked-days": ["Fri"]}]},
        {"filters": [{"name": "max-positions", "max-long": 3}]},
        {"filters": [{"name": "var", "confidence": 2}]},
        {"filters": [{"name": "category", "max_fracs": {"energy": "much"}}]},
    ],
)
def test_what_is_refused_is_invalid(changes: dict[str, Any]) -> None:
    data = {"strategies": [entry(**changes)]}
    assert not is_valid(data, SCHEMA)
    with pytest.raises(ConfigError):
        parse(data)


def test_every_setting_says_what_it_means() -> None:
    sections = [SCHEMA, *SCHEMA["$defs"].values()]
    rules = [(key, rule) for section in sections for key, rule in section.get("properties", {}).items()]
    assert [key for key, rule in rules if not {"description", "$ref"} & rule.keys()] == []


def test_defaults_are_numbers_as_in_a_file() -> None:
    assert SCHEMA["properties"]["broker"]["default"]["simulated"]["slippage_bps"] == 0
    assert SCHEMA["$defs"]["StrategyConfig"]["properties"]["initial_cash"]["default"] == 10000


def test_the_default_strategies_are_the_guides_and_raise_no_doubt() -> None:
    config = default_config()
    traded = [settings.tickers for settings in config.strategies]
    assert traded == [("SPY",), ("QQQ",), ("IWM",), ("AAPL", "MSFT", "GOOGL", "AMZN"), ("BTC/USD",)]
    kinds = [config.strategies[index].strategy_type for index in (0, 1, 2, 4)]
    assert kinds == ["adaptive", "momentum", "rsi", "momentum"]
    assert advice(config) == []
