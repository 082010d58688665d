"""How much a price moves in a day: the forecast of a symbol's volatility, and the ways to measure it."""

import msgspec


class Volatility(msgspec.Struct, frozen=True, gc=False):
    """What everybody is told of one symbol's volatility, so that nobody sizes by a figure of its own.

    ``asof`` is the end of the newest day in it (ns UTC). ``sigma_*`` are standard deviations of simple returns:
    ``sigma_day`` of a day, ``sigma_annual`` of a year (``annualiser`` × the day's), ``sigma_price`` of a day in price
    units; ``fast`` and ``slow`` are what it is blended of, and ``vol_ratio`` is it over ``slow``.
    """

    asof: int
    sigma_day: float
    sigma_annual: float
    annualiser: float
    sigma_price: float
    sigma_fast: float
    sigma_slow: float
    vol_ratio: float
    days: int
    method: str
    parameters: str
    is_stale: bool
    number: int
