"""Filters that bound how large one position may become: position-size and atr-position-size.

A quantity here is a position's, so what the strategy has of the symbol already is taken off. Sizes come from the equity
of all strategies, or of the one whose own filter it is; they only ever shrink what the strategy's own sizing asked for.
"""

from math import nan, sqrt
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from trader.director.filter import Cut, Filter, at_most, unknown
from trader.director.filters_simple import DAYS_A_YEAR, MOST_DAYS, close_to_close
from trader.model.money import plain
from trader.model.orders import OrderIntent
from trader.model.views import PortfolioView

Positive = Annotated[float, Field(gt=0)]
Days = Annotated[int, Field(ge=2, lt=MOST_DAYS)]


class PositionSizeFilter(Filter):
    """Bounds a position: to a fixed size, to equal dollars for each, or to equal volatility for each."""

    mode: Literal["fixed", "risk-parity", "equal-weight"] = "fixed"
    """How the size comes about."""
    size: Positive | None = None
    """Of mode fixed: shares or coins of an order."""
    notional: Positive | None = None
    """Of mode fixed, in place of size: dollars of an order."""
    target_vol_ann: Positive = 0.20
    """Of mode risk-parity: annual volatility of all positions together, as a fraction of equity, were they to move as
    one."""
    cap: Positive | None = None
    """Of mode risk-parity: most dollars of a position, as a fraction of equity; null: no bound."""
    max_positions: Annotated[int, Field(ge=1)] | None = None
    """Among how many positions equity is shared; null, with risk-parity only: those that are open, and this one."""
    lookback: Days = 20
    """Of mode risk-parity: daily returns whose standard deviation is taken."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.mode == "fixed" and (self.size is None) == (self.notional is None):
            raise ValueError("mode 'fixed' needs size (shares or coins) or notional (dollars), one of the two")
        if self.mode != "fixed" and not (self.size is None and self.notional is None):
            raise ValueError(f"mode {self.mode!r} takes no size and no notional; leave them out, or use mode 'fixed'")
        if self.mode == "equal-weight" and self.max_positions is None:
            raise ValueError("mode 'equal-weight' needs max_positions: among how many equity is shared")
        return self

    @property
    def needs_portfolio(self) -> bool:
        """Tell whether the size depends on equity."""
        return self.mode != "fixed"

    def apply(self, intent: OrderIntent, view: PortfolioView) -> Cut | None:
        """Return the bound of its mode."""
        price = float(intent.decision_price)
        if self.size is not None:
            return at_most(self.size, f"{self.size:g} an order", f"{plain(intent.qty)} asked for")
        if self.notional is not None:
            limit = f"${self.notional:,.2f} an order"
            return at_most(self.notional / price, limit, f"${float(intent.qty) * price:,.2f} asked for")
        equity = view.equity
        if self.mode == "equal-weight":
            assert self.max_positions is not None, "checked when it was made"
            limit = f"1/{self.max_positions} of ${equity:,.2f}"
            return _position(equity / (self.max_positions * price), limit, intent, view=view)
        return self._at_risk_parity(intent, view, equity=equity)

    def _at_risk_parity(self, intent: OrderIntent, view: PortfolioView, *, equity: float) -> Cut:
        asset_class = view.instrument(intent.strategy, intent.symbol).asset_class
        price, slots = float(intent.decision_price), self.max_positions or _slots(intent, view)
        daily = close_to_close(view.closes(intent.symbol, self.lookback + 1), self.lookback)
        volatility = daily * sqrt(DAYS_A_YEAR[asset_class])
        limit = f"1/{slots} of {self.target_vol_ann:.4g} volatility on ${equity:,.2f}"
        if not volatility > 0.0:
            return unknown(limit, f"a volatility of {self.lookback} daily returns")
        qty = equity * self.target_vol_ann / slots / (volatility * price)
        if self.cap is not None and self.cap * equity / price < qty:
            return _position(self.cap * equity / price, f"{self.cap:g} of ${equity:,.2f}", intent, view=view)
        return _position(qty, f"{limit} at {volatility:.4g} a year", intent, view=view)


class AtrPositionSizeFilter(Filter):
    """Bounds a position so that a move of ``k`` average true ranges against it costs a share of equity."""

    risk: Annotated[float, Field(gt=0, le=1)] = 0.01
    """What such a move may cost, as a fraction of equity."""
    risk_usd: Positive | None = None
    """What it may cost in dollars, in place of risk."""
    atr_n: Days = 20
    """Days of the average true range."""
    k: Positive = 2.0
    """Average true ranges of such a move."""
    max_notional: Positive | None = None
    """Most dollars of a position; null: no bound."""

    def apply(self, intent: OrderIntent, view: PortfolioView) -> Cut | None:
        """Return risk over k × ATR.

        Source: Faith, Way of the Turtle (2007), appendix: the unit, with k = 1.
        """
        budget = self.risk * view.equity if self.risk_usd is None else self.risk_usd
        limit = f"${budget:,.2f} at risk over {self.k:g} × ATR({self.atr_n})"
        atr = average_true_range(view, intent.symbol, self.atr_n)
        if not atr > 0.0:
            return unknown(limit, f"a range of {self.atr_n} days")
        qty = budget / (self.k * atr)
        if self.max_notional is not None and self.max_notional / float(intent.decision_price) < qty:
            most, limit = self.max_notional, f"${self.max_notional:,.2f} a position"
            return _position(most / float(intent.decision_price), limit, intent, view=view)
        return _position(qty, f"{limit} of ${atr:,.4g}", intent, view=view)


def average_true_range(view: PortfolioView, symbol: str, n: int) -> float:
    """Return the mean of the newest ``n`` daily true ranges, in dollars; NaN where there are fewer."""
    highs, lows, closes = view.highs(symbol, n), view.lows(symbol, n), view.closes(symbol, n + 1)
    if len(closes) <= n or len(highs) < n:
        return nan
    before = closes[:-1]
    return float((np.maximum(highs, before) - np.minimum(lows, before)).mean())


def _position(qty: float, limit: str, intent: OrderIntent, *, view: PortfolioView) -> Cut:
    """Return what is missing of a position of ``qty``."""
    held = sum(
        abs(holding.qty)
        for holding in view.holdings
        if (holding.strategy, holding.symbol) == (intent.strategy, intent.symbol)
    )
    return at_most(qty - held, limit, f"{plain(intent.qty)} asked for" + (f", {held:g} held" if held else ""))


def _slots(intent: OrderIntent, view: PortfolioView) -> int:
    """Count the open positions, and this one."""
    return len({(holding.strategy, holding.symbol) for holding in view.holdings} | {(intent.strategy, intent.symbol)})
