"""Times on the wire keep every nanosecond."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.msgpack import Ext

from trader.access.alpaca.wire_time import LAST, extension, ns_of, ns_or
from trader.model.time import HOUR, MINUTE, SECOND, iso


@given(st.integers(1, LAST))
def test_text_keeps_every_nanosecond(ns: int) -> None:
    assert ns_of(iso(ns)) == ns


@given(st.integers(1, LAST))
def test_extension_keeps_every_nanosecond(ns: int) -> None:
    assert ns_of(extension(ns)) == ns


@pytest.mark.parametrize(
    ("ns", "length"), [(1_700_000_000 * SECOND, 4), (1_700_000_000 * SECOND + 1, 8), (2**34 * SECOND, 12), (-1, 12)]
)
def test_extension_takes_the_shortest_form(ns: int, length: int) -> None:
    assert len(bytes(extension(ns).data)) == length


def test_where_no_time_can_be_read_another_one_stands() -> None:
    assert [ns_or(stamp, 7) for stamp in (None, "", "soon", iso(9))] == [7, 7, 7, 9]


def test_long_form_is_read() -> None:
    assert ns_of(Ext(-1, (7).to_bytes(4, "big") + (5).to_bytes(8, "big"))) == 5 * SECOND + 7


def test_extension_is_what_other_implementations_write() -> None:
    golden = bytes.fromhex("d7ff1d6f34546553f100")  # fixext 8: 123456789 ns << 34 | 1700000000 s
    assert msgspec.msgpack.encode(extension(1_700_000_000_123_456_789)) == golden
    assert ns_of(msgspec.msgpack.decode(golden, type=Ext)) == 1_700_000_000_123_456_789


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:00.1Z", 100_000_000),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01T00:00:00.0000000019Z", 1),  # finer than a nanosecond: cut
        ("1970-01-01T02:30:00+01:30", HOUR),
        ("1970-01-01T00:00:00-05:00", 5 * HOUR),
        ("1970-01-01T00:00:60Z", MINUTE),  # a leap second
    ],
)
def test_text_is_read_as_rfc_3339_means_it(text: str, ns: int) -> None:
    assert ns_of(text) == ns


@pytest.mark.parametrize(
    "stamp",
    [
        "",
        "yesterday",
        "2023-02-30T00:00:00Z",
        "2023-02-03T00:00:61Z",
        "2023-02-03T00:00:00",
        "2023-02-03 00:00:00Z",
        "2023-02-03T00:00:٠٠Z",
        "1969-12-31T23:59:59Z",
        "2262-04-12T00:00:00Z",
        Ext(5, b"1234"),
        Ext(-1, b"12345"),
        Ext(-1, b"\xff" * 8),
        Ext(-1, b"\xff" * 12),
        extension(0),
        extension(-1),
        extension(LAST + 1),
    ],
)
def test_what_is_no_time_is_refused(stamp: Ext | str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ns_of(stamp)
