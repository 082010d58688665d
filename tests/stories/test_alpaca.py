"""The daemon on Alpaca's wire, start to end: the local exchange in the same process, books compared at the end."""

from decimal import Decimal
from typing import Any

import pytest

from tests.stories.exchange import differences, rehearse


def lively(name: str, *tickers: str, **settings: Any) -> dict[str, Any]:
    """Return a strategy that trades nearly every minute."""
    return {
        "name": name,
        "strategy_type": "momentum",
        "strategy_params": {"lookback_period": 2, "momentum_threshold": 0.0002},
        "tickers": list(tickers),
        "min_warmup_bars": 5,
        "initial_cash": 10_000,
        **settings,
    }


SIX = [
    lively("one", "SPY"),
    lively("two", "SPY", "QQQ"),
    lively("basket", "AAPL", "MSFT", "NVDA", "XLF"),
    lively("coins", "BTC/USD", "ETH/USD"),
    lively("coin", "BTC/USD", initial_cash=3000),
    lively("five", "IWM", bar="5Min", min_warmup_bars=3),
]


async def test_every_fill_is_in_the_right_book_and_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    after = await rehearse(SIX, minutes=30, monkeypatch=monkeypatch)
    assert differences(after) == []
    assert after.warnings() == {}
    assert sum(book.fills for book in after.engine.desk.ledger.books.values()) > 50
    assert all(sandbox.is_warm for sandbox in after.engine.sandboxes)
    assert after.engine.desk.ledger.books["coin"].opening_cash == Decimal(3000)
