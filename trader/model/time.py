"""Time as integers: ``ts`` is always nanoseconds since 1970-01-01 UTC. Nothing here reads a clock."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

NEW_YORK = ZoneInfo("America/New_York")

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min|m|h|d|w)")
_UNIT_NS = {"ms": SECOND // 1000, "s": SECOND, "m": MINUTE, "min": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Stamped(msgspec.Struct, frozen=True, tag=True):
    """What happens at a time, ``ts`` in nanoseconds UTC: an input or an event."""

    ts: int


def ts_of(when: datetime) -> int:
    """Convert an aware datetime to nanoseconds UTC, exactly (a float of seconds would lose the last digits)."""
    delta = when - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds * 1000


def utc(ts: int) -> datetime:
    """Convert nanoseconds to an aware UTC datetime, cut to microseconds."""
    return _EPOCH + timedelta(microseconds=ts // 1000)


def iso(ts: int) -> str:
    """Render as ISO 8601 in UTC: ``2019-12-16T14:31:00Z``, with a fraction only where there is one."""
    whole, fraction = divmod(ts, SECOND)
    text = utc(whole * SECOND).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{fraction:09d}".rstrip("0") + "Z" if fraction else f"{text}Z"


def parse_time(text: str) -> int:
    """Read an ISO date or time; without an offset it is UTC. Raises ValueError saying what is allowed."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        msg = f"{text!r} is not a time; write it like 2019-12-16T14:30 (UTC) or 2019-12-16T09:30-05:00"
        raise ValueError(msg) from None
    return ts_of(when if when.tzinfo else when.replace(tzinfo=UTC))


def parse_duration(text: str) -> int:
    """Read ``90s``, ``15m``, ``1h30m``, ``2d`` (a number alone is seconds) as nanoseconds.

    Raises:
        ValueError: it is none of these, or not above zero.
    """
    parts = _DURATION.findall(text) if not text.replace(".", "", 1).isdigit() else [(text, "s")]
    total = sum(round(float(number) * _UNIT_NS[unit]) for number, unit in parts)
    if "".join(map("".join, parts)) not in {text, f"{text}s"} or total <= 0:
        raise ValueError(f"{text!r} is not a duration; write it like 30s, 15m, 1h30m or 2d")
    return total


def midnight_after(ts: int, zone: ZoneInfo | None) -> int:
    """Return the first midnight strictly after ``ts`` in ``zone`` (None: UTC), as nanoseconds UTC."""
    if zone is None:
        return (ts // DAY + 1) * DAY
    local = utc(ts).astimezone(zone)
    following = local.date() + timedelta(days=1)
    return ts_of(datetime(following.year, following.month, following.day, tzinfo=zone))
