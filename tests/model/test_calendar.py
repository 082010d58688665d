"""When New York trades: holidays, early closes, changes of the clock, nights, weekends, and to the nanosecond."""

from datetime import date, datetime
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.model.calendar import Phase, StockCalendar, session_of
from trader.model.time import DAY, HOUR, MINUTE, NEW_YORK, ts_of

CALENDAR = StockCalendar()


def new_york(text: str) -> int:
    return ts_of(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK))


@pytest.mark.parametrize(
    ("when", "phase"),
    [
        ("2026-11-16T03:59", "overnight"), ("2026-11-16T04:00", "pre"), ("2026-11-16T09:29", "pre"),
        ("2026-11-16T09:30", "core"), ("2026-11-16T15:59", "core"), ("2026-11-16T16:00", "post"),
        ("2026-11-16T19:59", "post"), ("2026-11-16T20:00", "overnight"), ("2026-11-17T01:00", "overnight"),
    ],
)  # fmt: skip
def test_an_ordinary_day_runs_through_its_sessions(when: str, phase: Phase) -> None:
    assert CALENDAR.phase(new_york(when)) == phase


@pytest.mark.parametrize(
    ("when", "phase"),
    [
        ("2026-11-20T19:59", "post"), ("2026-11-20T20:00", "closed"), ("2026-11-21T12:00", "closed"),
        ("2026-11-22T19:59", "closed"), ("2026-11-22T20:00", "overnight"), ("2026-11-23T04:00", "pre"),
    ],
)  # fmt: skip
def test_a_weekend_is_closed_from_friday_to_sunday_evening(when: str, phase: Phase) -> None:
    assert CALENDAR.phase(new_york(when)) == phase


@pytest.mark.parametrize(
    ("when", "phase"),
    [
        ("2026-11-25T20:00", "closed"), ("2026-11-26T11:00", "closed"), ("2026-11-26T20:00", "overnight"),
        ("2026-11-27T12:59", "core"), ("2026-11-27T13:00", "post"), ("2026-11-27T16:59", "post"),
        ("2026-11-27T17:00", "closed"), ("2026-11-27T21:00", "closed"),
    ],
)  # fmt: skip
def test_thanksgiving_has_no_night_before_it_and_the_friday_after_closes_early(when: str, phase: Phase) -> None:
    assert CALENDAR.phase(new_york(when)) == phase


def test_a_session_begins_at_its_first_nanosecond_and_ends_before_the_next_one() -> None:
    opening = new_york("2026-11-16T09:30")
    assert [CALENDAR.phase(opening - 1), CALENDAR.phase(opening)] == ["pre", "core"]
    assert [CALENDAR.is_open(opening - 1), CALENDAR.is_open(opening)] == [False, True]


@pytest.mark.parametrize("day", ["2026-03-06", "2026-03-09", "2026-10-30", "2026-11-02"])
def test_the_opening_is_half_past_nine_on_either_side_of_a_change_of_the_clock(day: str) -> None:
    assert CALENDAR.phase(new_york(f"{day}T09:30") - 1) == "pre"
    assert CALENDAR.phase(new_york(f"{day}T09:30")) == "core"
    assert CALENDAR.session_close(new_york(f"{day}T12:00"), is_extended=False) == new_york(f"{day}T16:00")


@pytest.mark.parametrize("sunday", ["2026-03-08", "2026-11-01"])
def test_the_night_after_a_change_of_the_clock_begins_at_eight_in_the_evening(sunday: str) -> None:
    evening = new_york(f"{sunday}T20:00")
    assert [CALENDAR.phase(evening - 1), CALENDAR.phase(evening)] == ["closed", "overnight"]


def test_a_trading_day_ends_with_its_close_and_from_then_on_the_next_one_counts() -> None:
    early = new_york("2026-11-27T13:00")
    assert CALENDAR.session_close(early - 1, is_extended=False) == early
    assert CALENDAR.session_close(early, is_extended=False) == new_york("2026-11-30T16:00")
    assert CALENDAR.session_close(early, is_extended=True) == new_york("2026-11-27T17:00")
    assert CALENDAR.session_close(new_york("2026-11-29T21:00"), is_extended=True) == new_york("2026-11-30T20:00")


def test_the_next_opening_and_close_are_strictly_later() -> None:
    opening = new_york("2026-11-25T09:30")
    assert CALENDAR.next_open(opening - 1) == opening
    assert CALENDAR.next_open(opening) == new_york("2026-11-27T09:30")
    assert CALENDAR.next_close(opening) == new_york("2026-11-25T16:00")
    assert CALENDAR.next_close(new_york("2026-11-25T16:00")) == new_york("2026-11-27T13:00")


def test_sessions_list_trading_days_with_both_ends() -> None:
    found = CALENDAR.sessions(date(2026, 11, 25), date(2026, 11, 30))
    assert [session.day.day for session in found] == [25, 27, 30]
    friday = found[1]
    assert friday.pre_open == new_york("2026-11-27T04:00")
    assert (friday.open, friday.close) == (new_york("2026-11-27T09:30"), new_york("2026-11-27T13:00"))
    assert friday.post_close == new_york("2026-11-27T17:00")
    assert CALENDAR.sessions(date(2026, 11, 30), date(2026, 11, 25)) == []


def test_sessions_of_years_that_are_kept_apart_join_without_a_seam() -> None:
    days = [session.day for session in CALENDAR.sessions(date(2015, 12, 30), date(2016, 1, 5))]
    assert days == [date(2015, 12, 30), date(2015, 12, 31), date(2016, 1, 4), date(2016, 1, 5)]
    eve = new_york("2015-12-31T20:30")
    assert CALENDAR.phase(eve) == "closed"
    assert CALENDAR.next_open(eve) == new_york("2016-01-04T09:30")
    assert CALENDAR.phase(new_york("2016-01-03T23:00")) == "overnight"


def test_minutes_of_a_day_are_counted_from_midnight_utc() -> None:
    monday = new_york("2026-11-16T12:00") // DAY
    assert session_of(monday) == (14 * 60 + 30, 21 * 60)
    assert session_of(new_york("2026-11-27T12:00") // DAY) == (14 * 60 + 30, 18 * 60)
    assert session_of(new_york("2026-07-06T12:00") // DAY) == (13 * 60 + 30, 20 * 60)
    assert session_of(monday - 1) is None
    assert session_of(new_york("2026-12-25T12:00") // DAY) is None


@given(st.integers(min_value=new_york("2014-06-01T00:00"), max_value=new_york("2030-01-01T00:00")))
def test_what_is_remembered_never_differs_from_what_is_looked_up(now: int) -> None:
    for at in (now, now + MINUTE, now - HOUR, now + 3 * DAY):
        assert CALENDAR.phase(at) == StockCalendar().phase(at)
    following = CALENDAR.next_open(now)
    assert now < following
    assert CALENDAR.phase(following) == "core"
    assert CALENDAR.phase(CALENDAR.next_close(now)) == "post"
    assert CALENDAR.phase(CALENDAR.session_close(now, is_extended=True)) in {"closed", "overnight"}


def test_asking_within_one_session_is_cheap_enough_to_ask_for_every_tick() -> None:
    noon = new_york("2026-11-16T12:00")
    CALENDAR.phase(noon)
    begin = process_time()
    for ts in range(noon, noon + 50_000):
        CALENDAR.phase(ts)
    assert process_time() - begin < 0.5  # ten microseconds each; it takes some hundred nanoseconds
