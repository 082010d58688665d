"""A configuration whose strategies trade often enough to meet every rule of the books on recorded bars."""

from typing import Any


def lively_config() -> dict[str, Any]:
    """Return some fifty strategies of all kinds, at every bar size, with tight limits, over stocks and crypto."""
    sandboxes = [*single_funds(), *portfolios(), *larger_bars(), *crypto(), *tight_days(), *shorts()]
    fills = {"fill": "next_open", "slippage_bps": 0, "fees": "alpaca", "latency_ms": 0, "partial_fills": False}
    return {"strategies": sandboxes, "broker": {"simulated": fills}}


def single_funds() -> list[dict[str, Any]]:
    """Trade one fund each, with stops and targets that a quiet week still reaches."""
    stops = {"stop_loss_pct": 0.004, "take_profit_pct": 0.006}
    moves = [("UVXY", 5), ("SQQQ", 9), ("TQQQ", 12), ("XOP", 15), ("GDXJ", 20), ("SPY", 30)]
    swings = [("IVV", 20), ("TLT", 26), ("XLE", 15), ("KRE", 32), ("AGG", 40)]
    indices = [("EWZ", 7), ("IBB", 14), ("XBI", 9), ("SLV", 5), ("UNG", 14)]
    still = ["AGG", "MUB", "XLF"]  # the first closes of each are equal
    blends = [("QQQ", 10), ("FXI", 7), ("DIA", 10), ("HYG", 5), ("MSFT", 8)]
    return [
        *(strategy("momentum", [t], {"lookback_period": n, "momentum_threshold": 0.0021}, **stops) for t, n in moves),
        *(strategy("mean_reversion", [t], {"lookback_period": n, "entry_threshold": 1.73}, **stops) for t, n in swings),
        *(
            strategy("rsi", [t], {"rsi_period": n, "rsi_oversold": 33, "rsi_overbought": 68}, **stops)
            for t, n in indices
        ),
        strategy("rsi", still, {"rsi_period": 3}, name="still", min_warmup_bars=1, max_position_size=0.3),
        strategy("adaptive", ["FXE"], EQUAL_VOLUMES, name="equal volumes", min_warmup_bars=3),
        *(strategy("adaptive", [t], {"short_window": n, "long_window": 3 * n}, **stops) for t, n in blends),
    ]


def portfolios() -> list[dict[str, Any]]:
    """Share one purse among several tickers, so that what the first reserves is missing for the next."""
    sectors = ["XLK", "XLE", "XLF", "XLV", "XLU", "XLY"]
    tech = ["AAPL", "MSFT", "AMZN", "TSLA", "MU", "NVDA"]
    quick = {"lookback_period": 6, "momentum_threshold": 0.0011}
    return [
        strategy("momentum", sectors, quick, name="sectors", max_position_size=0.37),
        strategy("adaptive", tech, {}, name="tech", max_position_size=0.4, stop_loss_pct=0.003),
        strategy("rsi", ["BAC", "JPM", "V", "BK", "DFS"], {"rsi_period": 6}, name="banks", max_position_size=0.5),
        strategy("mean_reversion", ["SPY", "QQQ", "AAPL"], {}, name="whole purse", max_position_size=1.0),
        strategy("momentum", ["AAPL", "IBM", "SPY"], quick, name="lean", max_position_size=1.0),
    ]


def larger_bars() -> list[dict[str, Any]]:
    """Decide on bars that are built from minutes, while stops watch every minute."""
    stops = {"stop_loss_pct": 0.003, "take_profit_pct": 0.004}
    move = {"lookback_period": 3, "momentum_threshold": 0.0013}
    sparse = ["UGA", "PPLT", "QQQ"]  # the first two trade in one minute of four, and seldom in the last of a bar
    return [
        strategy("momentum", sparse, move, bar="5Min", name="sparse", max_position_size=0.6, min_warmup_bars=4),
        strategy("momentum", ["UVXY", "XOP", "AAPL"], move, bar="5Min", max_position_size=0.45, **stops),
        strategy(
            "adaptive", ["SPY", "UGA"], {"short_window": 3, "long_window": 9, "rsi_period": 5}, bar="5Min", **stops
        ),
        strategy("mean_reversion", ["AAPL", "FXE"], {"lookback_period": 10}, bar="15Min", min_warmup_bars=12, **stops),
        strategy("rsi", ["AAPL", "SPY"], {"rsi_period": 5}, bar="1Hour", min_warmup_bars=1, max_position_size=0.5),
        strategy("momentum", ["AAPL", "BTC/USD"], move, bar="1Hour", min_warmup_bars=5, **stops),
        strategy(
            "momentum", ["AAPL"], {"lookback_period": 2, "momentum_threshold": 0.004}, bar="1Day", min_warmup_bars=4
        ),
    ]


def crypto() -> list[dict[str, Any]]:
    """Pay fees, in coin or in dollars, and count days in UTC where nothing but crypto is traded."""
    stops = {"stop_loss_pct": 0.006, "take_profit_pct": 0.008}
    return [
        strategy("momentum", ["BTC/USD"], {"lookback_period": 10, "momentum_threshold": 0.003}, **stops),
        strategy("rsi", ["ETH/USD", "LTC/USD"], {}, name="coins", max_position_size=0.5, max_daily_trades=9, **stops),
        strategy("mean_reversion", ["BTC/USD", "SPY"], {}, name="mixed", max_position_size=0.5, max_daily_trades=11),
        strategy("adaptive", ["BTC/USD", "ETH/USD"], {}, name="small", initial_cash=31.0, max_position_size=0.9),
        strategy("momentum", ["BTC/USD", "LTC/USD", "ETH/USD"], OVERDRAWN, name="overdrawn", max_position_size=1.0),
    ]


def tight_days() -> list[dict[str, Any]]:
    """Reach the limits of a day."""
    move = {"lookback_period": 4, "momentum_threshold": 0.0009}
    return [
        strategy("momentum", ["AAPL", "TSLA"], move, name="few trades", max_daily_trades=7),
        strategy("momentum", ["UVXY", "SVXY"], move, name="flatten", max_daily_loss=41.5, max_position_size=0.5),
        strategy("momentum", ["UVXY", "AAPL"], move, name="hold", max_daily_loss=37.5, on_daily_loss="hold"),
        strategy("momentum", ["TSLA"], move, name="exactly the loss", max_daily_loss=25.836143),
        strategy(
            "momentum", ["TSLA", "UGA", "PPLT"], EAGER, name="late entry", max_daily_loss=29.0, max_position_size=0.33
        ),
        strategy(
            "momentum", ["MU", "UGA", "AMT"], EAGER, name="later entry", max_daily_loss=24.0, max_position_size=0.33
        ),
        strategy("adaptive", ["AAPL"], {}, name="late", max_daily_loss=25.0, max_daily_trades=21),
        strategy("rsi", ["ETH/USD", "BTC/USD"], {"rsi_period": 5}, name="coin loss", max_daily_loss=83.0),
    ]


def shorts() -> list[dict[str, Any]]:
    """Sell short, turn from one side to the other, and be stopped above."""
    stops = {"stop_loss_pct": 0.003, "take_profit_pct": 0.004, "allow_short": True}
    move = {"lookback_period": 7, "momentum_threshold": 0.0017}
    return [
        strategy("momentum", ["GDX", "OIH"], move, name="short moves", max_position_size=0.5, **stops),
        strategy("mean_reversion", ["AAPL", "QQQ"], {}, name="short swings", max_position_size=0.5, **stops),
        strategy("rsi", ["NVDA", "MU"], {"rsi_period": 8}, name="short index", max_position_size=0.45, **stops),
        strategy("adaptive", ["SPY", "TZA"], {}, name="short blend", max_position_size=0.5, **stops),
        strategy("momentum", ["AAPL"], move, name="short 5 minutes", bar="5Min", max_daily_loss=60.0, allow_short=True),
    ]


def strategy(kind: str, tickers: list[str], params: dict[str, Any], **changes: object) -> dict[str, Any]:
    """Describe one strategy; what is not one of its own fields is a risk limit."""
    own = {"name": f"{kind} {' '.join(tickers)} {changes.get('bar', '1Min')}", "initial_cash": 10000.0}
    own |= {key: changes.pop(key) for key in OWN_FIELDS & changes.keys()}
    risk = {"max_position_size": 0.95} | changes
    return own | {"strategy_type": kind, "strategy_params": params, "tickers": tickers, "risk_config": risk}


# So quick that entries of sparse tickers still wait for a bar when the day's loss is reached.
EAGER = {"lookback_period": 5, "momentum_threshold": 0.0003}
# Averages of two: a volume that repeats the one before is not above them.
EQUAL_VOLUMES = {"short_window": 1, "long_window": 2, "rsi_period": 2}
# An order of the last minute of 2017 fills at the first price of 2018, two thirds higher.
OVERDRAWN = {"lookback_period": 7, "momentum_threshold": 0.003}
OWN_FIELDS = {"name", "initial_cash", "min_warmup_bars", "bar", "allow_short", "on_daily_loss"}
