"""Times on the wire, exact to the nanosecond: MessagePack's timestamp extension and RFC 3339 text.

A message keeps its time as it stood in the frame and :func:`ns_of` reads it when somebody asks: quotes that a newer one
replaces are never asked. No datetime takes part in the fraction, because it stops at microseconds.
Source: MessagePack specification, "Timestamp extension type"; RFC 3339, section 5.6.
"""

import re
from functools import lru_cache

from msgspec.msgpack import Ext

from trader.model.time import MINUTE, SECOND, parse_time

Stamp = Ext | str

_EXTENSION = -1
_SECONDS_BITS = 34  # the 8-byte form: 30 bits of nanoseconds, 34 bits of seconds
_SECONDS_MASK = (1 << _SECONDS_BITS) - 1
_SHORT_FORM, _COMMON_FORM, _LONG_FORM = 4, 8, 12  # bytes
_LONGEST_SECOND = 60  # RFC 3339 allows a leap second

_TEXT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)


def ns_of(stamp: Stamp) -> int:
    """Read a time of the wire as nanoseconds UTC. Raises ValueError when it is none."""
    if isinstance(stamp, str):
        return _parse(stamp)
    data = bytes(stamp.data)
    if stamp.code != _EXTENSION:
        raise ValueError(f"extension type {stamp.code} is no timestamp")
    number = int.from_bytes(data, "big")
    if len(data) == _COMMON_FORM:
        seconds, fraction = number & _SECONDS_MASK, number >> _SECONDS_BITS
    elif len(data) == _SHORT_FORM:
        seconds, fraction = number, 0
    elif len(data) == _LONG_FORM:
        seconds, fraction = int.from_bytes(data[4:], "big", signed=True), number >> 64
    else:
        raise ValueError(f"a timestamp has 4, 8 or 12 bytes, not {len(data)}")
    if fraction >= SECOND:
        raise ValueError(f"{fraction} nanoseconds are a second or more")
    return seconds * SECOND + fraction


def extension(ns: int) -> Ext:
    """Write a time as MessagePack's extension type −1, in the shortest of its three forms."""
    seconds, fraction = divmod(ns, SECOND)
    if not 0 <= seconds <= _SECONDS_MASK:
        return Ext(_EXTENSION, fraction.to_bytes(4, "big") + seconds.to_bytes(8, "big", signed=True))
    if fraction or seconds >> 32:
        return Ext(_EXTENSION, (fraction << _SECONDS_BITS | seconds).to_bytes(_COMMON_FORM, "big"))
    return Ext(_EXTENSION, seconds.to_bytes(_SHORT_FORM, "big"))


def _parse(text: str) -> int:
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no RFC 3339 time")
    minute, second, fraction, sign, hours, minutes = found.groups()
    if int(second) > _LONGEST_SECOND:
        raise ValueError(f"{text[:40]!r} has no such second")
    ns = _minute_ns(minute) + int(second) * SECOND
    if fraction:
        ns += int(fraction[:9].ljust(9, "0"))
    if sign:
        offset = (int(hours) * 60 + int(minutes)) * MINUTE
        ns += offset if sign == "-" else -offset
    return ns


@lru_cache(maxsize=1024)  # messages of one minute follow each other
def _minute_ns(text: str) -> int:
    return parse_time(text)
