"""Times of the week on New York's clock."""

import pytest

from trader.model.time import MINUTE, parse_time
from trader.risk.windows import Windows, window_of


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("15:45-16:00", ["2026-11-23T20:45", "2026-11-24T20:59"], ["2026-11-23T20:44", "2026-11-23T21:00"]),
        ("15:45-16:00", ["2026-07-20T19:45"], ["2026-07-20T20:45"]),  # in summer New York is four hours behind
        ("Fri 15:00-24:00", ["2026-11-27T20:00", "2026-11-28T04:59"], ["2026-11-26T20:00", "2026-11-28T05:00"]),
        ("Sat-Sun", ["2026-11-28T05:00", "2026-11-30T04:59"], ["2026-11-28T04:59", "2026-11-30T05:00"]),
        ("Sun-Mon", ["2026-11-29T12:00", "2026-11-30T12:00"], ["2026-12-01T12:00"]),
        ("Wed", ["2026-11-25T12:00"], ["2026-11-26T12:00"]),
    ],
)
def test_a_time_of_the_week_covers_what_it_says(text: str, inside: list[str], outside: list[str]) -> None:
    windows = Windows((text,))
    assert [windows.covering(parse_time(time)) for time in inside] == [text] * len(inside)
    assert [windows.covering(parse_time(time)) for time in outside] == [""] * len(outside)


def test_within_a_minute_the_answer_is_remembered() -> None:
    windows, now = Windows(("Mon",)), parse_time("2026-11-23T20:45")
    assert windows.covering(now) == windows.covering(now + MINUTE - 1) == "Mon"


@pytest.mark.parametrize(
    "text", ["", " ", "Fry", "Mon-Fry", "9:30-10:00", "16:00-15:00", "10:00-10:00", "10:60-11:00", "23:00-25:00", "now"]
)
def test_what_is_no_time_of_the_week_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(ValueError, match=r"no time|no day|must begin before"):
        window_of(text)
