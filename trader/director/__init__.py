"""Portfolio orchestration: all strategies on one grid of UTC minutes, in one fixed order, through one chain of filters.

``grid.py`` decides when a minute, and each longer bar built from minutes, is closed. ``chain.py`` is the Director: it
shows what a step would open to the filters, all of it together. ``filter.py`` says what a filter is, ``filters_*.py``
have them, and ``modes.py`` knows which of them let strategies run apart. May import ``trader.model`` only.

*Why* a grid: bars of one minute arrive one by one and in any order, and strategies share nothing but that minute. Who
decides first must not depend on whose bar came first, so bars are gathered and the whole minute is closed at once.

*Why* exits pass unseen: a filter is an opinion about what to open. Nothing may stand between a desk and less risk.
"""

from trader.director.chain import Director, Link
from trader.director.filter import BatchFilter, Cut, Filter, unknown
from trader.director.filters_exposure import (
    AssetClassFilter,
    CategoryFilter,
    MaxPositionsFilter,
    RiskBudgetFilter,
    VarFilter,
)
from trader.director.filters_simple import NilFilter, VolatilityFilter, WeekdayFilter
from trader.director.filters_sizing import AtrPositionSizeFilter, PositionSizeFilter

FILTERS: dict[str, type[Filter]] = {
    "nil": NilFilter,
    "weekday": WeekdayFilter,
    "volatility": VolatilityFilter,
    "position-size": PositionSizeFilter,
    "atr-position-size": AtrPositionSizeFilter,
    "max-positions": MaxPositionsFilter,
    "asset-class": AssetClassFilter,
    "category": CategoryFilter,
    "var": VarFilter,
    "risk-budget": RiskBudgetFilter,
}

__all__ = ["FILTERS", "BatchFilter", "Cut", "Director", "Filter", "Link", "unknown"]
