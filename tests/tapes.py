"""Tapes of short runs on the synthetic market."""

import sys
from pathlib import Path
from typing import Any

from trader import MultiTraderCoordinator, RunOptions
from trader.books.ledger import Ledger
from trader.model.events import BooksOpened
from trader.model.time import MINUTE

LIVELY = {"lookback_period": 2, "momentum_threshold": 0.0002}


def lively(name: str, *tickers: str, **settings: Any) -> dict[str, Any]:
    """Return a strategy that trades nearly every minute."""
    entry = {"name": name, "strategy_type": "momentum", "strategy_params": LIVELY, "tickers": list(tickers)}
    return {**entry, "min_warmup_bars": 5, **settings}


def own_strategy(folder: Path, body: str, name: str = "Own", **settings: Any) -> dict[str, Any]:
    """Write a class with ``body`` as its on_bar, in the place of the one of before, and return its settings."""
    (folder / "my_own.py").write_text(
        "from trader.model.signals import Signals, Target\nfrom trader.model.ticks import Bar\n"
        "from trader.strategies import Context, Strategy\n\n\nclass Own(Strategy):\n"
        f"    def on_bar(self, bar: Bar, ctx: Context) -> Signals:\n        {body}\n"
    )
    sys.modules.pop("my_own", None)
    return {"name": name, "strategy_type": "my_own:Own", "tickers": ["SPY"], "min_warmup_bars": 1, **settings}


async def record(path: Path, *strategies: dict[str, Any], minutes: int = 60, books: Ledger | None = None) -> Ledger:
    """Run ``strategies`` on the synthetic market, going on with ``books``; keep a tape of it, return its books."""
    options = RunOptions(feed="synthetic", speed=None, duration=minutes * MINUTE, report="none", tape=path)
    coordinator = MultiTraderCoordinator(strategies, options=options)
    ledger = coordinator.engine.desk.ledger
    if books is not None:
        ledger.recover([BooksOpened(0, books.snapshot())])
    await coordinator.run()
    return ledger
