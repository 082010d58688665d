"""Recompute every fill that a run over recorded minute bars must make, from the written rules alone.

Indicators are vectorised over whole columns; the books are a plain loop over minutes in exact Decimals. Strategies own
their money, so each is run alone. Nothing here may import `trader`: two programs that share a mistake agree.

A price or an indicator can lie on a threshold, where a program that computes in floats may see it on either side. Such
decisions are noted in `Book.near_ties`, so that a difference there is recognised for what it is.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_CEILING, Decimal, localcontext
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd

from tests.recorded.signals import DIGITS, FLAT, KEEP, NOISE, Decision, decisions, exact

RESERVE = Decimal("1.02")  # an approved entry sets aside its value at the close and 2 % more
TAKER_FEE, FEE_STEP = Decimal("0.0025"), Decimal("1e-9")


class Fill(NamedTuple):
    """One execution, in the fields that the export of a run must agree with."""

    ts: datetime
    strategy: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    decision_price: Decimal
    reason: str


class Order(NamedTuple):
    """A market order waiting for the open of its symbol's next bar."""

    signed_qty: Decimal
    decision_price: Decimal
    reason: str
    reserved: Decimal


class MinuteBar(NamedTuple):
    """One minute of one symbol, prices exact."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


def load_bars(paths: Sequence[Path]) -> dict[str, pd.DataFrame]:
    """Read recorded bars: symbol -> frame of minute (bar start, from 1970), open, high, low, close, volume."""
    query = (
        "select symbol, epoch_ns(ts) // 60000000000 as minute, open, high, low, close, volume"
        " from read_parquet($paths, union_by_name = true) order by symbol, minute"
    )
    frame = duckdb.execute(query, {"paths": [str(path) for path in paths]}).df()
    return {str(symbol): rows.reset_index(drop=True) for symbol, rows in frame.groupby("symbol")}


def recompute(
    config: Mapping[str, Any], bars: Mapping[str, pd.DataFrame], *, start: datetime | None = None
) -> list["Book"]:
    """Run every strategy of a configuration over the bars; those before `start` only warm up.

    Time ends with the last bar of all: a larger bar that is still open then is never decided on.
    """
    fees = config.get("broker", {}).get("simulated", {}).get("fees", "alpaca")
    used = {ticker for spec in config["strategies"] for ticker in spec["tickers"]} & bars.keys()
    end = max(int(bars[ticker]["minute"].iloc[-1]) for ticker in used) + 1
    span = range(0 if start is None else int(start.timestamp()) // 60, end)
    with localcontext(prec=DIGITS):
        return [run_strategy(spec, bars, has_fees=fees == "alpaca", span=span) for spec in config["strategies"]]


def run_strategy(spec: Mapping[str, Any], bars: Mapping[str, pd.DataFrame], *, has_fees: bool, span: range) -> "Book":
    """Run one strategy over the minutes of its tickers, in the order of steps that the rules give a minute."""
    tickers = [ticker for ticker in spec["tickers"] if ticker in bars]
    feed = {ticker: minute_bars(bars[ticker]) for ticker in tickers}
    plans = {ticker: decisions(spec, bars[ticker]) for ticker in tickers}
    book = Book(spec, has_fees=has_fees)
    minutes = set().union(*feed.values(), *plans.values())
    for minute in sorted(minute for minute in minutes if minute in span):
        now = {ticker: feed[ticker][minute] for ticker in tickers if minute in feed[ticker]}
        book.enter_minute(minute, has_content=bool(now))
        for ticker, bar in now.items():
            book.fill_at_open(ticker, bar)
        for ticker, bar in now.items():
            book.check_stops(ticker, bar)
        book.marks.update({ticker: bar.close for ticker, bar in now.items()})
        book.check_daily_loss()
        for ticker in tickers:
            if minute in plans[ticker]:
                book.decide(ticker, plans[ticker][minute])
    return book


@dataclass
class Book:
    """The money, positions, orders and limits of one strategy."""

    spec: Mapping[str, Any]
    has_fees: bool
    marks: dict[str, Decimal] = field(default_factory=dict)
    qty: dict[str, Decimal] = field(default_factory=dict)  # signed; no entry = flat
    entry_price: dict[str, Decimal] = field(default_factory=dict)  # nothing is ever added to, so the first fill's price
    orders: dict[str, Order] = field(default_factory=dict)
    reversals: dict[str, int] = field(default_factory=dict)  # side to enter once the opposite position is gone
    fills: list[Fill] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    near_ties: list[tuple[datetime, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.risk = self.spec.get("risk_config", {})
        self.initial_cash = self.cash = self.day_start = exact(self.spec.get("initial_cash", 10000.0))
        is_all_crypto = all(is_crypto(ticker) for ticker in self.spec["tickers"])
        self.zone = ZoneInfo("UTC" if is_all_crypto else "America/New_York")
        self.ts = datetime.fromtimestamp(0, UTC)
        self.day = date.min
        self.orders_today = 0
        self.is_stopped_for_the_day = False

    @property
    def equity(self) -> Decimal:
        return self.cash + sum((qty * self.marks[ticker] for ticker, qty in self.qty.items()), Decimal(0))

    @property
    def reserved(self) -> Decimal:
        return sum((order.reserved for order in self.orders.values()), Decimal(0))

    def enter_minute(self, minute: int, *, has_content: bool) -> None:
        """Move the clock; the first bar of a new day takes the day's opening equity at the marks before it."""
        self.ts = datetime.fromtimestamp(minute * 60, UTC)
        today = self.ts.astimezone(self.zone).date()
        if has_content and today != self.day:
            self.day, self.day_start, self.orders_today, self.is_stopped_for_the_day = today, self.equity, 0, False

    def fill_at_open(self, ticker: str, bar: MinuteBar) -> None:
        """Execute the waiting order, if any, at the open; crypto pays its fee in what is received."""
        order = self.orders.pop(ticker, None)
        if order is None:
            return
        qty, is_buy, fee = abs(order.signed_qty), order.signed_qty > 0, Decimal(0)
        is_charged = self.has_fees and is_crypto(ticker)
        is_paid_in_coin = is_charged and is_buy
        received, fee_asset = (qty, ticker.partition("/")[0]) if is_paid_in_coin else (qty * bar.open, "USD")
        if is_charged:
            fee = (received * TAKER_FEE).quantize(FEE_STEP, rounding=ROUND_CEILING)
        self.cash -= order.signed_qty * bar.open + (0 if is_paid_in_coin else fee)
        position = self.qty.get(ticker, Decimal(0)) + order.signed_qty - (fee if is_paid_in_coin else 0)
        if ticker not in self.qty:
            self.qty[ticker], self.entry_price[ticker] = position, bar.open
        else:
            assert position == 0, f"an exit of {ticker} left {position}"
            del self.qty[ticker], self.entry_price[ticker]
        name, side = self.spec["name"], "buy" if is_buy else "sell"
        self.fills.append(
            Fill(self.ts, name, ticker, side, qty, bar.open, fee, fee_asset, order.decision_price, order.reason)
        )

    def check_stops(self, ticker: str, bar: MinuteBar) -> None:
        """Exit when the bar's range touched the stop, which goes first, or the target."""
        if ticker not in self.qty or ticker in self.orders:
            return
        side = 1 if self.qty[ticker] > 0 else -1
        for rule, direction in (("stop_loss", -side), ("take_profit", side)):
            fraction = self.risk.get(f"{rule}_pct")
            if fraction is None:
                continue
            level = self.entry_price[ticker] * (1 + direction * exact(fraction))
            reached, further = (bar.high, max) if direction > 0 else (bar.low, min)
            self.note_near_tie(ticker, rule, is_near=abs(reached - level) < NOISE)
            if direction * reached >= direction * level:
                self.exit(ticker, further(bar.open, level), rule)
                return

    def check_daily_loss(self) -> None:
        """Open nothing for the day once its loss reaches the limit, waiting entries included; flatten unless held."""
        limit = self.risk.get("max_daily_loss")
        if limit is None or self.equity > self.day_start - exact(limit):
            return
        self.is_stopped_for_the_day = True
        self.orders = {ticker: order for ticker, order in self.orders.items() if ticker in self.qty}
        if self.spec.get("on_daily_loss", "flatten") == "flatten":
            for ticker in [ticker for ticker in self.qty if ticker not in self.orders]:
                self.exit(ticker, self.marks[ticker], "max_daily_loss")

    def decide(self, ticker: str, decision: Decision) -> None:
        """Bring the position towards what is wanted: first out of the wrong side, then into the right one."""
        position = self.qty.get(ticker, Decimal(0))
        side = (position > 0) - (position < 0)
        self.note_near_tie(ticker, "indicator", is_near=decision.near_tie)
        wanted = decision.wanted[1 + side]
        if wanted == KEEP and side == FLAT:
            wanted = self.reversals.pop(ticker, KEEP)
        elif wanted != KEEP:
            self.reversals.pop(ticker, None)
            if wanted * side < 0:
                self.reversals[ticker] = wanted
        if wanted in (KEEP, side) or ticker in self.orders:
            return
        if side != FLAT:
            self.exit(ticker, decision.close, "signal")
        else:
            self.enter(ticker, wanted, decision.close)

    def exit(self, ticker: str, price: Decimal, reason: str) -> None:
        """Send the whole position; exits always pass, and count."""
        self.orders_today += 1
        self.orders[ticker] = Order(-self.qty[ticker], price, reason, Decimal(0))

    def enter(self, ticker: str, side: int, close: Decimal) -> None:
        """Send an entry of the size that limits and free cash allow, or count why not."""
        share = exact(self.risk.get("max_position_size", 0.95))
        value = min(share * self.equity, (self.cash - self.reserved) / RESERVE)
        stock_step = Decimal("1e-4") if self.spec.get("fractionable", True) else Decimal(1)
        if side < 0:
            stock_step = Decimal(1)  # stocks are sold short in whole shares
        step, least = (Decimal("1e-9"), 10) if is_crypto(ticker) else (stock_step, 1)
        qty = value / close // step * step
        max_orders = self.risk.get("max_daily_trades")
        if self.is_stopped_for_the_day:
            self.refusals["max_daily_loss"] += 1
        elif max_orders is not None and self.orders_today >= max_orders:
            self.refusals["max_daily_trades"] += 1
        elif self.cash <= 0:
            self.refusals["cash"] += 1
        elif qty * close < least:
            self.refusals["min_notional"] += 1
        else:
            self.orders_today += 1
            self.orders[ticker] = Order(side * qty, close, "signal", qty * close * RESERVE)

    def note_near_tie(self, ticker: str, what: str, *, is_near: bool) -> None:
        """Remember a decision that float noise may turn."""
        if is_near:
            self.near_ties.append((self.ts, ticker, what))


def is_crypto(ticker: str) -> bool:
    """Tell pairs such as BTC/USD from stocks."""
    return "/" in ticker


def minute_bars(bars: pd.DataFrame) -> dict[int, MinuteBar]:
    """Index minute bars by their starting minute."""
    columns = ([exact(price) for price in bars[name].tolist()] for name in MinuteBar._fields)
    return dict(zip(bars["minute"].tolist(), map(MinuteBar, *columns), strict=True))
