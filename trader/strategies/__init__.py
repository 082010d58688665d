"""L2, "what should I do?": strategies, the indicators they read, and what every strategy must be.

Each strategy is one small typed class in a file of its own; :mod:`~trader.strategies.base` shows how to write one.
Reading a decision: a strategy says what it wants to hold, the sandbox turns that into an order. It never learns about
orders, money or other strategies, reads no clock, and does the same on the same bars.

*Why targets and not buy and sell:* a wish can be repeated on every bar and after a restart without harm.
*Why streaming indicators and not arrays recomputed per bar:* a thousand sandboxes share one core, and one definition
serves live trading and backtests to the bit. Declined: hooks for orders and fills, which tie a view to its execution.

May import: model.
"""

from trader.strategies.adaptive import AdaptiveStrategy
from trader.strategies.base import Context, PerSymbol, Strategy
from trader.strategies.mean_reversion import MeanReversionStrategy
from trader.strategies.momentum import MomentumStrategy
from trader.strategies.rsi import RsiStrategy

STRATEGIES: dict[str, type[Strategy]] = {
    "adaptive": AdaptiveStrategy,
    "momentum": MomentumStrategy,
    "mean_reversion": MeanReversionStrategy,
    "rsi": RsiStrategy,
}

__all__ = [
    "STRATEGIES",
    "AdaptiveStrategy",
    "Context",
    "MeanReversionStrategy",
    "MomentumStrategy",
    "PerSymbol",
    "RsiStrategy",
    "Strategy",
]
