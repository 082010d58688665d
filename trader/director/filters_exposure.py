"""Filters that bound all positions together, shared out in rank order: counts, groups, value at risk, risk budget.

What is held counts with everything on its way; so does what an earlier intent of the same step was let pass. Money is
a fraction of the equity of all strategies, or of the one whose own filter it is.
"""

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from math import isnan, nan
from typing import Annotated, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, field_validator

from trader.director.filter import LISTED, BatchFilter, Cut, at_most, unknown
from trader.director.filters_simple import MOST_DAYS
from trader.director.filters_sizing import Days, Positive, average_true_range
from trader.model.instruments import AssetClass
from trader.model.orders import OrderIntent, Side
from trader.model.tail import LONGEST_HORIZON, var_historical, var_parametric
from trader.model.time import DAY
from trader.model.views import Floats, Holding, PortfolioView

Fraction = Annotated[float, Field(gt=0, le=10)]  # of equity; more than ten times it is no limit but a slip
Count = Annotated[int, Field(ge=0)]
OnExcess = Literal["trim", "reject"]

UNKNOWN = "unknown"  # the category of what has none
FEWEST_RETURNS = 20  # days of gains from which a value at risk means anything
_MET = 1.0 + 1e-9  # a limit is met, not broken, where floats cannot tell
_TOO_FEW = f"fewer than {FEWEST_RETURNS} daily returns that all positions have"
_TAKEN = "open, on their way or ahead of it"  # positions: what was let pass before in this step may come to nothing
_HALVINGS = 40  # of an order, down to a millionth of a millionth


class MaxPositionsFilter(BatchFilter):
    """Drops what would open one position too many; adding to an open one does not count."""

    max_long_positions: Count = 10
    """Most long positions of all strategies together."""
    max_short_positions: Count = 10
    """Most short positions of all strategies together."""

    def apply_all(self, intents: Sequence[OrderIntent], view: PortfolioView) -> Sequence[Cut | None]:
        """Let pass until the places are taken."""
        places = {Side.BUY: self.max_long_positions, Side.SELL: self.max_short_positions}
        taken: dict[Side, set[tuple[str, str]]] = {side: set() for side in places}
        for holding in view.holdings:
            taken[Side.BUY if holding.qty > 0 else Side.SELL].add(_key(holding))
        cuts: list[Cut | None] = []
        for intent in intents:
            side, word = intent.side, "long" if intent.side is Side.BUY else "short"
            if _key(intent) in taken[side] or len(taken[side]) < places[side]:
                taken[side].add(_key(intent))
                cuts.append(None)
            else:
                cuts.append(Cut(0.0, f"{places[side]} {word} positions", f"{len(taken[side])} {_TAKEN}"))
        return cuts


class GroupFilter(BatchFilter):
    """Bounds the dollars and the positions of each group of symbols; longs and shorts add up."""

    # Described in their annotations, because docstrings below attributes are not inherited.
    max_frac: Annotated[Fraction, Field(description="Most dollars in a group, as a fraction of equity.")] = 0.20
    max_fracs: Annotated[dict[str, Fraction], Field(description="By name of the group, where it is another.")] = Field(
        default_factory=dict
    )
    max_count: Annotated[Count | None, Field(description="Most positions in a group; null: any number.")] = None
    max_counts: Annotated[dict[str, Count], Field(description="By name of the group, where it is another.")] = Field(
        default_factory=dict
    )
    on_excess: Annotated[OnExcess, Field(description="Whether what goes beyond is trimmed, or dropped.")] = "trim"

    def apply_all(self, intents: Sequence[OrderIntent], view: PortfolioView) -> Sequence[Cut | None]:
        """Let pass what fits into each group."""
        equity = view.equity
        used: defaultdict[str, float] = defaultdict(float)
        places: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        for holding in view.holdings:
            group = self.group_of(holding.symbol, holding.asset_class)
            used[group] += abs(holding.qty * holding.mark)
            places[group].add(_key(holding))
        cuts: list[Cut | None] = []
        for intent in intents:
            group = self.group_of(intent.symbol, view.instrument(intent.strategy, intent.symbol).asset_class)
            cut = self._beyond_count(group, intent, places[group])
            if cut is None:
                room = self.max_fracs.get(group, self.max_frac) * equity - used[group]
                cut = self._beyond_frac(group, intent, used=used[group], room=room)
            passed = _passed(intent, cut)
            if passed:
                used[group] += passed * float(intent.decision_price)
                places[group].add(_key(intent))
            cuts.append(cut)
        return cuts

    @abstractmethod
    def group_of(self, symbol: str, asset_class: AssetClass) -> str:
        """Return the name of a symbol's group."""

    def _beyond_count(self, group: str, intent: OrderIntent, taken: set[tuple[str, str]]) -> Cut | None:
        most = self.max_counts.get(group, self.max_count)
        if most is None or _key(intent) in taken or len(taken) < most:
            return None
        return Cut(0.0, f"{most} positions in {group}", f"{len(taken)} {_TAKEN}")

    def _beyond_frac(self, group: str, intent: OrderIntent, *, used: float, room: float) -> Cut | None:
        frac, price = self.max_fracs.get(group, self.max_frac), float(intent.decision_price)
        wanted = float(intent.qty) * price
        limit = f"{frac:g} of equity in {group}, ${room + used:,.2f}"
        return _within(room, wanted, price=price, limit=limit, value=f"${used + wanted:,.2f}", on_excess=self.on_excess)


class AssetClassFilter(GroupFilter):
    """Bounds the dollars and the positions of stocks and of crypto."""

    @field_validator("max_fracs", "max_counts")
    @classmethod
    def _known(cls, by_name: dict[str, float]) -> dict[str, float]:
        _named(by_name, get_args(AssetClass), "asset class")
        return by_name

    def group_of(self, symbol: str, asset_class: AssetClass) -> str:
        """Return the asset class."""
        return asset_class


class CategoryFilter(GroupFilter):
    """Bounds the dollars and the positions of each category of symbols, such as energy."""

    categories: dict[str, Annotated[tuple[str, ...], LISTED]] = Field(default_factory=dict)
    """Symbols by category, as in {"energy": ["XLE", "USO"]}; what is in none is in "unknown". By default those of the
    risk section."""

    def __post_init__(self) -> None:
        """Turn categories around. Raises ValueError where a symbol is none or has two, or a limit's is not there."""
        named = [(symbol, category) for category, symbols in self.categories.items() for symbol in symbols]
        self._category_of = dict(named)
        if small := [symbol for symbol in self._category_of if symbol != symbol.upper()]:
            raise ValueError(f"categories must have symbols like 'SPY' or 'BTC/USD', got {small[0]!r}")
        if twice := sorted({symbol for symbol, category in named if self._category_of[symbol] != category}):
            raise ValueError(f"categories must name each symbol once, got {', '.join(twice)} more than once")
        _named(self.max_fracs, (*self.categories, UNKNOWN), "category")
        _named(self.max_counts, (*self.categories, UNKNOWN), "category")

    def group_of(self, symbol: str, asset_class: AssetClass) -> str:
        """Return the category."""
        return self._category_of.get(symbol, UNKNOWN)


class VarFilter(BatchFilter):
    """Bounds what all positions may lose in ``horizon_days`` with some confidence; what lowers it always passes."""

    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    """Share of the days on which no more is lost."""
    horizon_days: Annotated[int, Field(ge=1, le=LONGEST_HORIZON)] = 1
    """Days over which it is lost."""
    lookback: Annotated[int, Field(ge=FEWEST_RETURNS, lt=MOST_DAYS)] = 250
    """Daily returns that are looked at, or as many as there are."""
    method: Literal["parametric", "historical"] = "parametric"
    """As if returns were normally distributed, or as they were."""
    max_frac: Fraction = 0.02
    """Most value at risk, as a fraction of equity."""
    on_excess: OnExcess = "trim"
    """Whether an intent that goes beyond is trimmed to what fits, or dropped."""

    def apply_all(self, intents: Sequence[OrderIntent], view: PortfolioView) -> Sequence[Cut | None]:
        """Let pass as long as today's positions, on each of the past days, would not have lost too much."""
        most = self.max_frac * view.equity
        limit = f"VaR({self.confidence:g}, {self.horizon_days}d) of {self.max_frac:g} of equity, ${most:,.2f}"
        symbols = [*(holding.symbol for holding in view.holdings), *(intent.symbol for intent in intents)]
        returns = _returns(view, dict.fromkeys(symbols), self.lookback)
        if isnan(most) or not returns or any(holding.symbol not in returns for holding in view.holdings):
            return [unknown(limit, _TOO_FEW)] * len(intents)
        gains = np.zeros(len(next(iter(returns.values()))))
        for holding in view.holdings:
            gains += holding.qty * holding.mark * returns[holding.symbol]
        cuts: list[Cut | None] = []
        for intent in intents:
            if intent.symbol not in returns:
                cuts.append(unknown(limit, _TOO_FEW))
                continue
            unit = intent.side.sign * float(intent.decision_price) * returns[intent.symbol]
            cuts.append(self._cut(gains, unit, qty=float(intent.qty), most=most, limit=limit))
            gains = gains + _passed(intent, cuts[-1]) * unit
        return cuts

    def _cut(self, gains: Floats, unit: Floats, *, qty: float, most: float, limit: str) -> Cut | None:
        before, after = self._var(gains), self._var(gains + qty * unit)
        if isnan(after):
            return unknown(limit, "a position without a mark")
        if after <= max(most * _MET, before):
            return None
        value = f"${after:,.2f}, from ${before:,.2f}"
        if self.on_excess == "reject" or before >= most:
            return Cut(0.0, limit, value)
        low, high = 0.0, qty
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if self._var(gains + middle * unit) <= most:
                low = middle
            else:
                high = middle
        return Cut(low, limit, value)

    def _var(self, gains: Floats) -> float:
        if self.method == "historical":
            return var_historical(gains, confidence=self.confidence, horizon=self.horizon_days)
        return var_parametric(float(gains.std(ddof=1)), confidence=self.confidence, horizon=self.horizon_days)


class RiskBudgetFilter(BatchFilter):
    """Bounds what a position, and all together, would lose if every stop were hit; without a stop k × ATR is lost."""

    per_trade: Annotated[float, Field(gt=0, le=1)] = 0.01
    """Most that one position may lose, as a fraction of equity."""
    total: Annotated[float, Field(gt=0, le=1, validate_default=True)] = 0.06
    """Most that all of them may lose, as a fraction of equity."""
    atr_n: Days = 20
    """Days of the average true range."""
    k: Positive = 2.0
    """Average true ranges that are lost where there is no stop."""
    on_excess: OnExcess = "reject"
    """Whether an intent that goes beyond is trimmed to what fits, or dropped."""

    @field_validator("total")
    @classmethod
    def _above_each(cls, total: float, info: ValidationInfo) -> float:
        if total < info.data.get("per_trade", 0.0):
            raise ValueError(f"must be at least per_trade, which is {info.data['per_trade']:g}; got {total:g}")
        return total

    def apply_all(self, intents: Sequence[OrderIntent], view: PortfolioView) -> Sequence[Cut | None]:
        """Let pass what its own budget and the common one leave room for.

        Source: Trading Blox, "Total Risk Limiter".
        """
        equity = view.equity
        at_risk: defaultdict[tuple[str, str], float] = defaultdict(float)
        for holding in view.holdings:
            at_risk[_key(holding)] += abs(holding.qty) * self._unit(view, holding, stop=holding.stop)
        cuts: list[Cut | None] = []
        for intent in intents:
            unit = self._unit(view, intent, stop=view.stop_of(intent.strategy))
            cut = self._cut(intent, unit, equity=equity, mine=at_risk[_key(intent)], all_of_them=sum(at_risk.values()))
            if passed := _passed(intent, cut):
                at_risk[_key(intent)] += unit * passed
            cuts.append(cut)
        return cuts

    def _cut(self, intent: OrderIntent, unit: float, *, equity: float, mine: float, all_of_them: float) -> Cut | None:
        wanted = float(intent.qty) * unit
        bounds = [(self.per_trade, mine, "on one position"), (self.total, all_of_them, "on all positions")]
        cuts = [
            _within(
                frac * equity - risked,
                wanted,
                price=unit,
                limit=f"{frac:g} of equity at risk {what}, ${frac * equity:,.2f}",
                value=f"${risked + wanted:,.2f}",
                on_excess=self.on_excess,
            )
            for frac, risked, what in bounds
        ]
        return min((cut for cut in cuts if cut is not None), key=lambda cut: cut.qty, default=None)

    def _unit(self, view: PortfolioView, of: Holding | OrderIntent, *, stop: float) -> float:
        """Return the dollars that one share or coin would lose."""
        if isnan(stop):
            return self.k * average_true_range(view, of.symbol, self.atr_n)
        return stop * (of.mark if isinstance(of, Holding) else float(of.decision_price))


def _within(room: float, wanted: float, *, price: float, limit: str, value: str, on_excess: OnExcess) -> Cut | None:
    """Return the cut of what would take ``wanted`` dollars out of ``room``, at ``price`` dollars a unit."""
    if isnan(room) or isnan(wanted):
        return unknown(limit, "no mark, equity or history yet")
    if wanted <= room * _MET:
        return None
    return Cut(0.0, limit, value) if on_excess == "reject" else at_most(room / price if price else nan, limit, value)


def _passed(intent: OrderIntent, cut: Cut | None) -> float:
    return float(intent.qty) if cut is None else min(cut.qty, float(intent.qty))


def _named(by_name: Mapping[str, float], known: Sequence[str], what: str) -> None:
    if strange := [name for name in by_name if name not in known]:
        raise ValueError(f"must name a known {what}, got {', '.join(map(repr, strange))}; known: {', '.join(known)}")


def _key(of: Holding | OrderIntent) -> tuple[str, str]:
    return of.strategy, of.symbol


def _returns(view: PortfolioView, symbols: Iterable[str], lookback: int) -> dict[str, Floats]:
    """Return each symbol's daily returns on the newest days that all of them have.

    A symbol with too few days is left out; without enough common ones all are.
    """
    reach = min(2 * lookback, MOST_DAYS)  # days without a weekend reach further back than a market's that rests
    closes = {symbol: each for symbol in symbols if len(each := view.closes(symbol, reach)) > FEWEST_RETURNS}
    ends = {symbol: view.ends(symbol, reach) for symbol in closes}
    calendars = {each.tobytes(): each // DAY for each in ends.values()}  # few symbols have one of their own
    common = reduce(_common, calendars.values()) if calendars else np.empty(0, dtype=np.int64)
    if len(common) <= FEWEST_RETURNS:
        return {}
    places = {calendar: np.isin(days, common) for calendar, days in calendars.items()}
    table = np.array([each[places[ends[symbol].tobytes()]][-lookback - 1 :] for symbol, each in closes.items()])
    return dict(zip(closes, np.diff(table) / table[:, :-1], strict=True))


def _common(some: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.intersect1d(some, others, assume_unique=True)
