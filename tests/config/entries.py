"""Builders of settings, so that a test names only what it is about."""

from typing import Any

import pytest

from trader.config import StrategyConfig, parse
from trader.errors import ConfigError


def entry(**changes: Any) -> dict[str, Any]:
    """Return the least a strategy needs, with changes."""
    return {"name": "A", "strategy_type": "adaptive", "tickers": ["SPY"], **changes}


def accepted(**changes: Any) -> StrategyConfig:
    """Return what becomes of a strategy with changes."""
    return parse({"strategies": [entry(**changes)]}).strategies[0]


def refusals(*entries: Any, **top: Any) -> list[str]:
    """Return everything that is said of settings that cannot be run."""
    with pytest.raises(ConfigError) as refused:
        parse({"strategies": list(entries), **top})
    return [str(problem) for problem in refused.value.problems]


def refusal(**changes: Any) -> str:
    """Return the one thing that is said of a strategy with changes, without its place in the list."""
    (line,) = refusals(entry(**changes))
    return line.removeprefix("strategies[0].")
