"""What runs when no file is given."""

from decimal import Decimal

from trader.config.parsing import parse
from trader.config.sections import Config


def default_config() -> Config:
    """Return the five strategies that run when no file is given."""
    return parse({"strategies": _DEFAULTS})


_DEFAULTS: list[dict[str, object]] = [
    {"name": "SPY_Adaptive", "strategy_type": "adaptive", "tickers": ["SPY"]},
    {"name": "QQQ_Momentum", "strategy_type": "momentum", "tickers": ["QQQ"]},
    {"name": "IWM_RSI", "strategy_type": "rsi", "tickers": ["IWM"]},
    {
        "name": "Tech_Basket",
        "strategy_type": "mean_reversion",
        "tickers": ["AAPL", "MSFT", "GOOGL", "AMZN"],
        "risk_config": {"max_position_size": Decimal("0.24")},
    },
    {"name": "BTC_Momentum", "strategy_type": "momentum", "tickers": ["BTC/USD"]},
]
