"""Times of the week, on New York's clock, in which nothing is opened."""

import re
from typing import Final

from trader.model.time import MINUTE, NEW_YORK, utc

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY_MINUTES = 1440
_FORM = re.compile(r"(?:(?P<first>[A-Z][a-z]{2})(?:-(?P<last>[A-Z][a-z]{2}))?)?\s*(?P<time>\d\d:\d\d-\d\d:\d\d)?")
_EXAMPLES = "write it like '15:45-16:00', 'Fri 15:00-24:00' or 'Sat-Sun'"

Window = tuple[frozenset[int], int, int]  # days (Monday is 0), first minute of the day, first minute after


class Windows:
    """Some times of the week; asks the zone's clock once a minute at most."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        """Take the times as :func:`window_of` reads them."""
        self._windows = [(text, *window_of(text)) for text in texts]
        self._minute = -1
        self._found = ""

    def covering(self, now: int) -> str:
        """Return the first of the times that ``now`` (ns UTC) is in, as it was written; empty where it is in none."""
        if (minute := now // MINUTE) != self._minute:
            self._minute, self._found = minute, self._at(now)
        return self._found

    def _at(self, now: int) -> str:
        local = utc(now).astimezone(NEW_YORK)
        day, minute = local.weekday(), 60 * local.hour + local.minute
        return next((text for text, days, begin, end in self._windows if day in days and begin <= minute < end), "")


def window_of(text: str) -> Window:
    """Read a day, a range of days, a range of times, or days and times.

    Raises:
        ValueError: it is none of these.
    """
    found = _FORM.fullmatch(text)
    if not text.strip() or found is None:
        raise ValueError(f"{text!r} is no time of the week; {_EXAMPLES}")
    begin, end = _minutes(found["time"], text)
    return _days(found["first"], found["last"], text), begin, end


def _days(first: str | None, last: str | None, text: str) -> frozenset[int]:
    if first is None:
        return frozenset(range(len(DAYS)))
    for name in (first, last or first):
        if name not in DAYS:
            raise ValueError(f"{name!r} in {text!r} is no day; one of {', '.join(DAYS)}")
    begin, end = DAYS.index(first), DAYS.index(last or first)
    return frozenset((begin + number) % len(DAYS) for number in range((end - begin) % len(DAYS) + 1))


def _minutes(time: str | None, text: str) -> tuple[int, int]:
    if time is None:
        return 0, _DAY_MINUTES
    begin, end = (60 * int(part[:2]) + int(part[3:]) for part in time.split("-"))
    if not begin < end <= _DAY_MINUTES or any(int(part[3:]) >= 60 for part in time.split("-")):  # noqa: PLR2004 -- minutes
        raise ValueError(f"{time!r} in {text!r} must begin before it ends, within one day (24:00 is its end)")
    return begin, end
