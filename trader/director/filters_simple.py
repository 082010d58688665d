"""Filters that say yes or no to one intent and need no portfolio: nil, weekday, volatility."""

from math import isnan, log, nan, sqrt
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from trader.director.filter import LISTED, Cut, Filter, unknown
from trader.model.calendar import StockCalendar
from trader.model.instruments import AssetClass
from trader.model.orders import OrderIntent
from trader.model.time import NEW_YORK, utc
from trader.model.views import Floats, PortfolioView

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DAYS_A_YEAR: Final[dict[AssetClass, float]] = {"stock": 256.0, "crypto": 365.0}  # 16 squared: weekday markets
MOST_DAYS: Final = 500  # of daily bars that the desk keeps
_CALMEST: Final[dict[AssetClass, float]] = {"stock": 0.40, "crypto": 1.20}
_SHORT: Final = 3  # letters of a short name

_CALENDAR: Final = StockCalendar()


def _weekday(name: str) -> str:
    """Return a weekday's full name of its full or short one, in whatever case."""
    for day in WEEKDAYS:
        if name.lower() in {day.lower(), day[:_SHORT].lower()}:
            return day
    raise ValueError(f"must be a weekday like Friday or Fri, got {name!r}; allowed: {', '.join(WEEKDAYS)}")


class NilFilter(Filter):
    """Lets everything pass."""

    needs_portfolio = False

    def apply(self, intent: OrderIntent, view: PortfolioView) -> Cut | None:
        """Take nothing away."""
        return None


class WeekdayFilter(Filter):
    """Drops what would be filled on a blocked weekday in the time zone of the instrument's exchange."""

    blocked_days: Annotated[tuple[Annotated[str, AfterValidator(_weekday)], ...], LISTED] = ("Friday",)
    """Full or short names."""
    block_friday: bool | None = None
    """Whether Friday is blocked too; null: as blocked_days say."""

    needs_portfolio = False

    def apply(self, intent: OrderIntent, view: PortfolioView) -> Cut | None:
        """Look at the day on which an order sent now is filled, which may not be today."""
        asset_class = view.instrument(intent.strategy, intent.symbol).asset_class
        day = fill_day(asset_class, view.ts)
        is_blocked = day in self.blocked_days
        if day == "Friday" and self.block_friday is not None:
            is_blocked = self.block_friday
        return Cut(0.0, f"nothing opened on {day}s", f"would fill on {day}") if is_blocked else None


class VolatilityFilter(Filter):
    """Drops what moves more, or less, than it should: by the annual standard deviation of its daily returns."""

    lookback: Annotated[int, Field(ge=2, lt=MOST_DAYS)] = 20
    """Daily returns that are looked at."""
    min_ann: Annotated[float, Field(ge=0)] = 0.0
    """Least annual volatility, as a fraction: 0.10 is 10 %."""
    max_ann: Annotated[float, Field(gt=0)] | None = None
    """Most annual volatility; null: 0.40 for stocks, 1.20 for crypto."""
    estimator: Literal["close-to-close", "parkinson"] = "close-to-close"
    """From closes, or from each day's high and low."""

    needs_portfolio = False

    @field_validator("max_ann")
    @classmethod
    def _above_least(cls, max_ann: float | None, info: ValidationInfo) -> float | None:
        if max_ann is not None and max_ann < info.data.get("min_ann", 0.0):
            raise ValueError(f"must be at least min_ann, which is {info.data['min_ann']:g}; got {max_ann:g}")
        return max_ann

    def apply(self, intent: OrderIntent, view: PortfolioView) -> Cut | None:
        """Let pass what lies within the bounds, both included."""
        asset_class = view.instrument(intent.strategy, intent.symbol).asset_class
        most = _CALMEST[asset_class] if self.max_ann is None else self.max_ann
        limit = f"annual volatility of {self.min_ann:.4g} to {most:.4g}"
        if self.estimator == "parkinson":
            highs, lows = view.highs(intent.symbol, self.lookback), view.lows(intent.symbol, self.lookback)
            daily = parkinson(highs, lows) if len(highs) == self.lookback else nan
        else:
            daily = close_to_close(view.closes(intent.symbol, self.lookback + 1), self.lookback)
        volatility = daily * sqrt(DAYS_A_YEAR[asset_class])
        if isnan(volatility):
            return unknown(limit, f"fewer than {self.lookback} daily returns")
        return None if self.min_ann <= volatility <= most else Cut(0.0, limit, f"{volatility:.4g}")


def fill_day(asset_class: AssetClass, ts: int) -> str:
    """Return the weekday, where it is traded, on which an order of ``ts`` (ns UTC) is filled.

    A stock's waits for the core session: after Thursday's close, or on its daily bar, it is Friday's.
    """
    if asset_class == "crypto":
        return WEEKDAYS[utc(ts).weekday()]
    when = ts if _CALENDAR.is_open(ts) else _CALENDAR.next_open(ts)
    return WEEKDAYS[utc(when).astimezone(NEW_YORK).weekday()]


def close_to_close(closes: Floats, lookback: int) -> float:
    """Return the standard deviation of the newest ``lookback`` daily returns, NaN where there are fewer."""
    if len(closes) <= lookback:
        return nan
    returns = np.diff(closes) / closes[:-1]
    return float(returns.std(ddof=1))


def parkinson(highs: Floats, lows: Floats) -> float:
    """Return a day's standard deviation from ranges.

    Source: Parkinson, The Extreme Value Method for Estimating the Variance of the Rate of Return (1980).
    """
    return sqrt(float((np.log(highs / lows) ** 2).mean()) / (4.0 * log(2.0)))
