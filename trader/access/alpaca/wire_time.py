"""Times on the wire, exact to the nanosecond: MessagePack's timestamp extension and RFC 3339 text.

A message keeps its time as it stood in the frame and :func:`ns_of` reads it when somebody asks: quotes that a newer one
replaces are never asked. No datetime takes part in the fraction, because it stops at microseconds.
Source: MessagePack specification, "Timestamp extension type"; RFC 3339, section 5.6.
"""

import re
import struct
from functools import lru_cache
from typing import Final

from msgspec.msgpack import Ext

from trader.model.time import MINUTE, SECOND, parse_time

Stamp = Ext | str

LAST: Final = 2**63 - 1 - MINUTE  # 64 bits hold the end of the bar that starts then

_EXTENSION = -1
_COMMON_FORM = struct.Struct(">Q")  # 30 bits of nanoseconds, then 34 bits of seconds
_unpack = _COMMON_FORM.unpack
_COMMON_SIZE = _COMMON_FORM.size
_SHORT_FORM = struct.Struct(">I")  # seconds
_SHORT_SIZE = _SHORT_FORM.size
_unpack_short = _SHORT_FORM.unpack
_LONG_FORM = struct.Struct(">Iq")  # nanoseconds, seconds
_SECONDS_BITS = 34
_SECONDS = (1 << _SECONDS_BITS) - 1
_LONGEST_SECOND = 60  # RFC 3339 allows a leap second

_TEXT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)


def ns_of(stamp: Stamp) -> int:
    """Read a time of the wire as nanoseconds UTC. Raises ValueError when it is none, or not within 1970 to 2262."""
    if isinstance(stamp, str):
        ns = _parse(stamp)
    elif stamp.code != _EXTENSION:
        raise ValueError(f"extension type {stamp.code} is no timestamp")
    elif (size := len(data := stamp.data)) == _COMMON_SIZE:  # type: ignore[arg-type]  # bytes, a bytearray or a memoryview
        both: int = _unpack(data)[0]
        fraction = both >> _SECONDS_BITS
        if fraction >= SECOND:
            raise ValueError(f"{fraction} nanoseconds are a second or more")
        ns = (both & _SECONDS) * SECOND + fraction
    elif size == _SHORT_SIZE:
        ns = _unpack_short(data)[0] * SECOND
    else:
        ns = _long_form(bytes(data))
    if 0 < ns <= LAST:
        return ns
    raise ValueError(f"{ns} ns is not within 1970 to 2262")


def ns_or(stamp: Stamp | None, otherwise: int) -> int:
    """Read a time of the wire; return ``otherwise`` where there is none that can be read."""
    try:
        return otherwise if stamp is None else ns_of(stamp)
    except ValueError:
        return otherwise


def extension(ns: int) -> Ext:
    """Write a time as MessagePack's extension type −1, in the shortest of its three forms."""
    seconds, fraction = divmod(ns, SECOND)
    if seconds >> _SECONDS_BITS:  # negative ones too
        return Ext(_EXTENSION, _LONG_FORM.pack(fraction, seconds))
    if fraction or seconds >> 32:
        return Ext(_EXTENSION, (fraction << _SECONDS_BITS | seconds).to_bytes(_COMMON_FORM.size, "big"))
    return Ext(_EXTENSION, _SHORT_FORM.pack(seconds))


def _long_form(data: bytes) -> int:
    if len(data) == _LONG_FORM.size:
        fraction, seconds = _LONG_FORM.unpack(data)
        if fraction < SECOND:
            return int(seconds * SECOND + fraction)
    raise ValueError(f"{data[:16]!r} is no timestamp of 4, 8 or 12 bytes")


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
