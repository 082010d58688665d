"""When New York's stock market trades: sessions of XNYS with holidays and early closes. All times are ns UTC.

A trading day has a night before it, an early session, the core session, and a late session:

- overnight, 20:00 of the evening before to 04:00 in New York; so from Sunday evening to Friday morning,
- pre, 04:00 to 09:30,
- core, 09:30 to 16:00, or to 13:00 on days that close early,
- post, the four hours after the close: to 20:00, or to 17:00.

Source: Alpaca documentation "Orders at Alpaca" (extended hours), read 2026-11; days from exchange-calendars.
"""

import warnings
from bisect import bisect_right
from datetime import date
from functools import lru_cache
from typing import Literal, NamedTuple

from trader.model.time import DAY, HOUR, MINUTE, utc

Phase = Literal["closed", "pre", "core", "post", "overnight"]

_PHASES: tuple[Phase, ...] = ("closed", "overnight", "pre", "core", "post")
_PRE = 5 * HOUR + 30 * MINUTE
_POST = 4 * HOUR
_NIGHT = 8 * HOUR  # the clock is changed on Sunday mornings, never in the night before a trading day

# A calendar takes as long to build for a year as for a generation. Each block also knows the ends of its neighbours:
# no rest is longer than the month it looks beyond.
_BLOCK_YEARS = 32


class Session(NamedTuple):
    """One trading day: core from ``open`` to ``close``, early and late hours from ``pre_open`` to ``post_close``."""

    day: date
    pre_open: int
    open: int
    close: int
    post_close: int


class StockCalendar:
    """Answers when stocks trade, from 1970 on; the first question takes as long as building a generation of days."""

    def __init__(self) -> None:
        """Begin without having looked: what runs now is remembered, for market time rarely leaves its session."""
        self._span: tuple[int, int, Phase] = (0, 0, "closed")

    def phase(self, now: int) -> Phase:
        """Return which session runs; each begins at its first nanosecond and ends before the next one's."""
        begin, end, phase = self._span
        if begin <= now < end:
            return phase
        self._span = _span_of(now)
        return self._span[2]

    def is_open(self, now: int) -> bool:
        """Return whether the core session runs."""
        return self.phase(now) == "core"

    def next_open(self, now: int) -> int:
        """Return the first opening of a core session after ``now``."""
        block = _block(_number(utc(now).year))
        return block.sessions[bisect_right(block.opens, now)].open

    def next_close(self, now: int) -> int:
        """Return the first close of a core session after ``now``."""
        return self.session_close(now, is_extended=False)

    def session_close(self, now: int, *, is_extended: bool) -> int:
        """Return the end of the trading day that ``now`` belongs to: of its core session, or of its last extended one.

        At that end, and from then on, it is the next trading day's.
        """
        block = _block(_number(utc(now).year))
        ends = block.post_closes if is_extended else block.closes
        return ends[bisect_right(ends, now)]

    def sessions(self, first: date, last: date) -> list[Session]:
        """Return the trading days from ``first`` to ``last``, both included."""
        numbers = range(_number(first.year), _number(last.year) + 1)
        return [
            session
            for number in numbers
            for session in _block(number).sessions
            if first <= session.day <= last and _number(session.day.year) == number
        ]


def session_of(day: int) -> tuple[int, int] | None:
    """Return a day's first and last-plus-one minute of trading, counted from UTC midnight; None when New York rests.

    ``day`` counts from 1970-01-01. A core session never crosses midnight UTC.
    """
    midnight = day * DAY
    block = _block(_number(utc(midnight).year))
    session = block.sessions[bisect_right(block.opens, midnight)]
    if session.open >= midnight + DAY:
        return None
    return (session.open - midnight) // MINUTE, (session.close - midnight) // MINUTE


class _Block(NamedTuple):
    sessions: tuple[Session, ...]
    opens: list[int]
    closes: list[int]
    post_closes: list[int]


def _span_of(now: int) -> tuple[int, int, Phase]:
    """Return begin, end and phase of what runs at ``now``."""
    block = _block(_number(utc(now).year))
    index = bisect_right(block.post_closes, now)
    before, day = block.post_closes[index - 1], block.sessions[index]
    edges = (before, max(before, day.pre_open - _NIGHT), day.pre_open, day.open, day.close, day.post_close)
    phase = bisect_right(edges, now) - 1
    return edges[phase], edges[phase + 1], _PHASES[phase]


def _number(year: int) -> int:
    return year // _BLOCK_YEARS


@lru_cache(maxsize=4)
def _block(number: int) -> _Block:
    with warnings.catch_warnings():
        # The calendar library uses what pandas is about to retire; that is no news for who runs a market.
        warnings.simplefilter("ignore")
        import exchange_calendars  # type: ignore[import-untyped]

        year = number * _BLOCK_YEARS
        first, last = date(year - 1, 12, 1), date(year + _BLOCK_YEARS, 1, 31)
        calendar = exchange_calendars.get_calendar("XNYS", start=first.isoformat(), end=last.isoformat())
    opens, closes = calendar.opens_nanos.tolist(), calendar.closes_nanos.tolist()
    sessions = tuple(
        Session(utc(begin).date(), begin - _PRE, begin, end, end + _POST)
        for begin, end in zip(opens, closes, strict=True)
    )
    return _Block(sessions, opens, closes, [session.post_close for session in sessions])
