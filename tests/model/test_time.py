"""Time as integers: exact conversions, durations as people write them, midnights over daylight saving."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.model.time import (
    DAY,
    HOUR,
    MINUTE,
    NEW_YORK,
    SECOND,
    iso,
    midnight_after,
    parse_duration,
    parse_time,
    ts_of,
    utc,
)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("30", 30 * SECOND),
        ("1.5", 1_500_000_000),
        ("90s", 90 * SECOND),
        ("15m", 15 * MINUTE),
        ("15min", 15 * MINUTE),
        ("1h30m", 90 * MINUTE),
        ("2d", 2 * DAY),
        ("1w", 7 * DAY),
        ("250ms", SECOND // 4),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, ns: int) -> None:
    assert parse_duration(text) == ns


@pytest.mark.parametrize("text", ["", "soon", "1h30", "-5s", "0", "5 s", "h", "1.2.3"])
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write it like 30s, 15m, 1h30m or 2d"):
        parse_duration(text)


def test_times_without_an_offset_are_utc() -> None:
    assert parse_time("2019-12-16T14:30") == parse_time("2019-12-16T09:30-05:00") == 1_576_506_600 * SECOND
    with pytest.raises(ValueError, match="'monday' is not a time"):
        parse_time("monday")


@given(st.integers(0, 4 * 10**18))
def test_iso_reads_back_to_the_microsecond(ts: int) -> None:
    assert parse_time(iso(ts // 1000 * 1000).replace("Z", "+00:00")) == ts_of(utc(ts)) == ts // 1000 * 1000


def test_iso_shows_a_fraction_only_where_there_is_one() -> None:
    assert iso(SECOND) == "1970-01-01T00:00:01Z"
    assert iso(SECOND + 1) == "1970-01-01T00:00:01.000000001Z"


@pytest.mark.parametrize(
    ("before", "after", "hours"),
    [
        ("2024-03-10T04:59", "2024-03-10T05:00", 0),
        ("2024-03-10T05:00", "2024-03-11T04:00", 23),  # the day that daylight saving shortens
        ("2024-11-03T04:00", "2024-11-04T05:00", 25),
    ],
)
def test_midnight_in_new_york_follows_daylight_saving(before: str, after: str, hours: int) -> None:
    assert midnight_after(parse_time(before), NEW_YORK) == parse_time(after)
    if hours:
        assert parse_time(after) - parse_time(before) == hours * HOUR


def test_midnight_is_strictly_after() -> None:
    assert midnight_after(parse_time("2024-01-01"), None) == parse_time("2024-01-02")
