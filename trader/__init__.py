"""Run many trading strategies on one broker account.

In a program::

    from trader import MultiTraderCoordinator, RiskConfig
    from trader.strategies import AdaptiveStrategy

    strategies = [{"name": "Mine", "strategy": AdaptiveStrategy(short_window=10), "tickers": ["SPY"]}]
    summary = await MultiTraderCoordinator(strategies).run()

The names are loaded when they are first used, so that ``trader --help`` answers at once.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trader.config import RiskConfig, StrategyConfig
    from trader.live.coordinator import MultiTraderCoordinator
    from trader.live.options import RunOptions

__version__ = "0.1.0"
__all__ = ["MultiTraderCoordinator", "RiskConfig", "RunOptions", "StrategyConfig", "__version__"]

_HOMES = {
    "MultiTraderCoordinator": "trader.live.coordinator",
    "RiskConfig": "trader.config",
    "RunOptions": "trader.live.options",
    "StrategyConfig": "trader.config",
}


def __getattr__(name: str) -> object:
    """Import a public name from its home."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'trader' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
