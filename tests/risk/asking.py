"""A gate over a small account of plain figures, asked about one order; a test names only what it is about."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from trader.model.events import FlagRaised
from trader.model.instruments import instrument_of
from trader.model.orders import Approved, Denied, OrderIntent, Reason, Side, TradingState
from trader.model.time import parse_time
from trader.model.views import Market, Question, Standing
from trader.risk.bounds import Breach
from trader.risk.gate import Gate
from trader.risk.limits import Limits
from trader.risk.rules import Rules

NOW = parse_time("2026-11-23T15:00")  # a Monday morning in New York
OPEN_MIND = Limits(Decimal(100), allow_short=True)

Held = Mapping[str, Mapping[str, float]]  # by strategy and symbol


class Book:
    """Exposures of strategies that trade all of the same symbols, at a mark of 100 each, with 10,000 dollars each."""

    def __init__(self, held: Held, *, buys: Held | None = None, sells: Held | None = None, **parts: Any) -> None:
        self.version = self.booked = 0
        self.strategies = tuple(held)
        self.symbols = tuple(dict.fromkeys(symbol for own in held.values() for symbol in own))
        self.index: Mapping[str, int] = {symbol: number for number, symbol in enumerate(self.symbols)}
        self.rank: Mapping[str, int] = {name: number for number, name in enumerate(self.strategies)}
        slots = [(name, symbol) for name in held for symbol in self.symbols]
        self.symbol_of = np.array([self.index[symbol] for _, symbol in slots], dtype=np.intp)
        n = len(self.symbols)
        self.slots_of: Mapping[str, slice] = {name: slice(n * rank, n * rank + n) for name, rank in self.rank.items()}
        self.held, self.held_buys, self.held_sells = (
            np.array([float(of.get(name, {}).get(symbol, 0.0)) for name, symbol in slots])
            for of in (held, buys or {}, sells or {})
        )
        self.net, self.buys, self.sells = (
            each.reshape(-1, n).sum(axis=0) for each in (self.held, self.held_buys, self.held_sells)
        )
        self.marks = np.array([float(parts.get("marks", {}).get(symbol, 100.0)) for symbol in self.symbols])
        self.cash = np.array([float(parts.get("cash", {}).get(name, 10_000.0)) for name in self.strategies])
        self.reserved = np.zeros(len(self.strategies))
        self.unallocated = float(parts.get("unallocated", 0.0))

    def sync(self) -> None:
        """Do nothing: what moves is set by the test."""


def gate_of(
    rules: Rules | None = None,
    book: Book | None = None,
    *,
    limits: Mapping[str, Limits] | None = None,
    flags: Mapping[str, FlagRaised] | None = None,
) -> Gate:
    """Return a gate of the strategies ``one`` and ``two``, who hold nothing of SPY, QQQ and BTC/USD by default."""
    flat = {"SPY": 0.0, "QQQ": 0.0, "BTC/USD": 0.0}
    book = book or Book({"one": flat, "two": flat})
    own = dict.fromkeys(book.strategies, OPEN_MIND) | dict(limits or {})
    return Gate(rules or Rules(), own, exposures=book, flags=flags or {})


def question(qty: str = "10", symbol: str = "SPY", side: str = "buy", strategy: str = "one", **parts: Any) -> Question:
    """Return a question about an order at 100 dollars; ``parts`` are of the intent, the market or the standing."""
    intent = OrderIntent(
        strategy, symbol, Side(side), Decimal(qty), Decimal(100), reduces=False, reason=Reason.SIGNAL, ts=NOW
    )
    standing = Standing(
        Decimal(10_000), Decimal(1_000_000), Decimal(10_000), Decimal(0), 0,
        loss_reached=False, state=TradingState.ACTIVE,
    )  # fmt: skip
    market = Market(mark=100.0, marked_at=NOW)
    return Question(
        _with(intent, parts), "o1", instrument_of(symbol), _with(standing, parts), _with(market, parts),
        parts.get("now", NOW),
    )  # fmt: skip


def ask(gate: Gate, *args: str, **parts: Any) -> Approved | Denied:
    """Ask a gate about an order as :func:`question` describes it."""
    return gate.check(question(*args, **parts))


def refused(verdict: Approved | Denied) -> tuple[str, str]:
    """Return rule and scope of a refusal, two empty texts for an approval."""
    return (verdict.rule, verdict.scope) if isinstance(verdict, Denied) else ("", "")


def warned(gate: Gate) -> list[tuple[str, str]]:
    """Return rule and scope of what the newest answer warned of."""
    return [(breach.rule, breach.scope) for breach in gate.warnings]


def said(breach: Denied | Breach | Approved) -> tuple[str, str]:
    """Return limit and value as people read them."""
    assert not isinstance(breach, Approved), "it was let pass"
    return breach.limit, breach.value


def _with(struct: Any, parts: Mapping[str, Any]) -> Any:
    return msgspec.structs.replace(struct, **{key: parts[key] for key in struct.__struct_fields__ if key in parts})
