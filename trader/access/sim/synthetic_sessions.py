"""When New York trades: regular sessions of XNYS by UTC day, holidays and early closes included."""

import warnings
from datetime import date
from functools import lru_cache

from trader.model.time import DAY, MINUTE, utc

# A calendar takes as long to build for a year as for a generation.
_BLOCK_YEARS = 32


def session_of(day: int) -> tuple[int, int] | None:
    """Return a day's first and last-plus-one minute of trading, counted from UTC midnight; None when New York rests.

    ``day`` counts from 1970-01-01. A regular session never crosses midnight UTC.
    """
    return _sessions(utc(day * DAY).year // _BLOCK_YEARS).get(day)


@lru_cache(maxsize=4)
def _sessions(block: int) -> dict[int, tuple[int, int]]:
    with warnings.catch_warnings():
        # The calendar library uses what pandas is about to retire; that is no news for who runs a market.
        warnings.simplefilter("ignore")
        import exchange_calendars  # type: ignore[import-untyped]

        first, last = date(block * _BLOCK_YEARS, 1, 1), date(block * _BLOCK_YEARS + _BLOCK_YEARS - 1, 12, 31)
        calendar = exchange_calendars.get_calendar("XNYS", start=first.isoformat(), end=last.isoformat())
    opens, closes = calendar.opens_nanos.tolist(), calendar.closes_nanos.tolist()
    return {
        begin // DAY: (begin % DAY // MINUTE, end % DAY // MINUTE) for begin, end in zip(opens, closes, strict=True)
    }
