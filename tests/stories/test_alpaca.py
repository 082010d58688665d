"""The daemon on Alpaca's wire, start to end: the local exchange in the same process, books compared at the end."""

from decimal import Decimal
from typing import Any

import pytest

from tests.stories.exchange import differences, rehearse
from trader.exchange.fault_kinds import KINDS
from trader.model.signals import Signals, Target
from trader.model.ticks import Bar
from trader.strategies import Context, Strategy


class Holder(Strategy):
    """Buys and keeps."""

    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        return Target(bar.symbol, 0.9)


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


SEVEN = [
    lively("one", "SPY"),
    lively("two", "SPY", "QQQ"),
    lively("basket", "AAPL", "MSFT", "NVDA", "XLF"),
    lively("coins", "BTC/USD", "ETH/USD"),
    lively("coin", "BTC/USD", initial_cash=3000),
    lively("five", "IWM", bar="5Min", min_warmup_bars=3),
    {"name": "holder", "strategy": Holder(), "tickers": ["DIA"], "min_warmup_bars": 2},
]


BUSY = {"feed.lagging", "bar.late"}  # what an accelerated market may show on a machine under load


async def test_every_fill_is_in_the_right_book_and_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    after = await rehearse(SEVEN, minutes=30, monkeypatch=monkeypatch)
    assert differences(after) == []
    assert set(after.warnings()) <= BUSY | {"entries.held"}
    held = [line["cause"] for line in after.log if line["event"] == "entries.held"]
    assert held == ["reconciliation"], "until books and account were compared"
    assert sum(book.fills for book in after.engine.desk.ledger.books.values()) > 50
    assert all(sandbox.is_warm for sandbox in after.engine.sandboxes)
    assert after.engine.desk.ledger.books["coin"].opening_cash == Decimal(3000)


@pytest.mark.parametrize("fill", ["next_open", "next_quote"])
async def test_simulated_fills_in_alpacas_market_leave_the_account_alone(
    fill: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"simulated": {"fill": fill}}
    after = await rehearse(SEVEN, minutes=12, monkeypatch=monkeypatch, broker="simulated", settings=settings)
    (account,) = after.exchange.venue.accounts.values()
    assert account.orders == {}
    assert sum(book.fills for book in after.engine.desk.ledger.books.values()) > 10
    assert after.mode == "SIM"


SOCKETS = ("stock", "crypto", "trading")
ALONE: dict[str, dict[str, Any]] = {
    **{f"drop {socket}": {"kind": "drop", "socket": socket} for socket in SOCKETS},
    **{f"half-open {socket}": {"kind": "half_open", "socket": socket, "for": "4m"} for socket in SOCKETS},
    **{f"mute {socket}": {"kind": "mute", "socket": socket, "for": "4m"} for socket in SOCKETS},
    "slow": {"kind": "slow", "for": "2m", "delay": "5s"},
    "connection limit": {"kind": "connection_limit", "for": "2m"},
    "too many requests": {"kind": "too_many_requests", "count": 2},
    "429 to an order": {"kind": "rest_status", "status": 429},
    "500 to an order": {"kind": "rest_status", "status": 500},
    "accepted, then 504": {"kind": "accepted_then_504", "count": 2},
    "answer lost": {"kind": "answer_lost", "count": 2},
    "answer late": {"kind": "answer_late", "delay": "60s"},
    "garbage answer": {"kind": "garbage_answer"},
    "fill before answer": {"kind": "fill_before_answer", "delay": "60s"},
    "duplicate update": {"kind": "duplicate_update", "count": 4},
    "reorder updates": {"kind": "reorder_updates", "count": 4},
    "missing update": {"kind": "missing_update", "count": 4},
    "unsolicited cancel": {"kind": "unsolicited_cancel"},
    "reject after accept": {"kind": "reject_after_accept"},
    "bust": {"kind": "bust"},
    "correct execution": {"kind": "correct_execution"},
    "manual order": {"kind": "manual_order", "symbol": "SPY", "qty": "3"},
    "dividend": {"kind": "money_moved", "type": "DIV", "symbol": "DIA", "amount": "3.25"},
    "deposit": {"kind": "money_moved", "type": "CSD", "amount": "500"},
    "bad bar": {"kind": "bad_bar", "symbol": "SPY"},
    "late bar": {"kind": "late_bar", "symbol": "SPY", "delay": "90s"},
    "duplicate bar": {"kind": "duplicate_bar", "symbol": "SPY", "count": 2},
    "corrected bar": {"kind": "corrected_bar", "symbol": "SPY"},
    "trade correction": {"kind": "trade_correction", "symbol": "SPY"},
    "trade cancel": {"kind": "trade_correction", "symbol": "SPY", "action": "cancel"},
    "halt": {"kind": "halt", "symbol": "SPY", "for": "3m"},
    "asset": {"kind": "asset", "symbol": "AAPL", "tradable": False},
    "split": {"kind": "split", "symbol": "DIA", "ratio": "4"},
}


RESTING = {"unsolicited cancel", "reject after accept"}  # they need an order that is open for a while


@pytest.mark.parametrize("name", ALONE)
async def test_after_each_fault_alone_the_books_are_the_servers_and_no_bar_is_missing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = {"at": "+5m", **ALONE[name]}
    latency_s = 5 if name in RESTING else 0
    after = await rehearse(SEVEN, minutes=14, faults=[fault], latency_s=latency_s, monkeypatch=monkeypatch)
    planned = after.exchange.faults.log[0]
    assert planned.state == "fired", planned
    assert differences(after) == []
    assert sum(book.fills for book in after.engine.desk.ledger.books.values()) > 20


MIXED = [str(kind) for kind in KINDS if kind not in {"asset", "resume"}]


@pytest.mark.parametrize("seed", range(4))
async def test_after_faults_in_a_seeded_mix_the_books_are_the_servers(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = await rehearse(SEVEN, minutes=30, faults=[mixed(seed)], seed=seed, monkeypatch=monkeypatch)
    assert differences(after) == []


def mixed(seed: int) -> dict[str, Any]:
    return {"kind": "random", "seed": seed, "count": 12, "between": ["+3m", "+20m"], "kinds": MIXED}
