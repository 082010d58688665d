"""Settings: what a file may say, its defaults and its bounds; read once, frozen from then on.

``sections.py`` has every key, ``parsing.py`` is the one door, ``findings.py`` says what is wrong in the words of the
file. The only place with defaults: below it arguments are plain and required. :func:`parse` reports everything that is
wrong at once, each with its place, and tries every strategy's parameters on its class, so that a run does not fail
later over what could be known before. Money is Decimal from the text of the file on: no binary float comes between.

*Why not pydantic-settings:* settings come from one file. The mode (paper or live) is never a setting, and secrets come
from the environment alone.
"""

from trader.config.defaults import default_config
from trader.config.doubts import advice
from trader.config.filter_sections import FILTER_TYPES, chain_of, links_of
from trader.config.json_schema import schema
from trader.config.parsing import STRATEGY_TYPES, load, make_strategy, parse
from trader.config.risk_sections import RiskConfig, RiskSection
from trader.config.sections import (
    AlpacaConfig,
    BrokerConfig,
    Config,
    FilterConfig,
    RegulatoryFeesConfig,
    SimulatedConfig,
    StrategyConfig,
)

__all__ = [
    "FILTER_TYPES",
    "STRATEGY_TYPES",
    "AlpacaConfig",
    "BrokerConfig",
    "Config",
    "FilterConfig",
    "RegulatoryFeesConfig",
    "RiskConfig",
    "RiskSection",
    "SimulatedConfig",
    "StrategyConfig",
    "advice",
    "chain_of",
    "default_config",
    "links_of",
    "load",
    "make_strategy",
    "parse",
    "schema",
]
