"""The ladder of losses: what a period is, when a loss is reached, and until when it stays so."""

import pytest

from trader.model.time import NEW_YORK, iso, parse_time
from trader.risk.ladder import BY_A_PERSON, end_of, floor_of, latched_until

WEDNESDAY = parse_time("2026-11-25T15:00")


@pytest.mark.parametrize(
    ("period", "ends", "ends_in_utc"),
    [
        ("day", "2026-11-26T05:00:00Z", "2026-11-26T00:00:00Z"),
        ("week", "2026-11-30T05:00:00Z", "2026-11-30T00:00:00Z"),
        ("month", "2026-12-01T05:00:00Z", "2026-12-01T00:00:00Z"),
    ],
)
def test_periods_end_at_midnight_of_the_accounts_calendar(period: str, ends: str, ends_in_utc: str) -> None:
    assert iso(end_of(period, WEDNESDAY, NEW_YORK)) == ends  # type: ignore[arg-type]
    assert iso(end_of(period, WEDNESDAY, None)) == ends_in_utc  # type: ignore[arg-type]


def test_a_midnight_belongs_to_the_period_that_begins() -> None:
    monday = parse_time("2026-11-30T05:00")
    assert iso(end_of("day", monday - 1, NEW_YORK)) == "2026-11-30T05:00:00Z"
    assert iso(end_of("day", monday, NEW_YORK)) == "2026-12-01T05:00:00Z"
    assert iso(end_of("week", monday, NEW_YORK)) == "2026-12-07T05:00:00Z"


def test_a_day_on_which_the_clock_is_changed_is_longer() -> None:
    sunday = parse_time("2026-11-01T04:00")  # midnight in summer time
    assert end_of("day", sunday, NEW_YORK) - sunday == parse_time("1970-01-02T01:00")


def test_december_ends_with_the_year() -> None:
    assert iso(end_of("month", parse_time("2026-12-31T12:00"), None)) == "2027-01-01T00:00:00Z"


def test_a_loss_that_equals_its_limit_has_reached_it() -> None:
    assert floor_of(100_000.0, 0.03) >= 97_000.0
    assert floor_of(100_000.0, 0.03) < 97_000.01


def test_of_nothing_there_is_nothing_left_to_lose() -> None:
    assert floor_of(0.0, 0.03) == float("inf")


@pytest.mark.parametrize("kind", ["monthly_loss", "drawdown"])
def test_a_month_and_a_drawdown_wait_for_a_person(kind: str) -> None:
    assert latched_until(kind, WEDNESDAY, None) == BY_A_PERSON


def test_a_day_and_a_week_end_by_themselves() -> None:
    assert latched_until("daily_loss", WEDNESDAY, None) == parse_time("2026-11-26")
    assert latched_until("weekly_loss", WEDNESDAY, None) == parse_time("2026-11-30")
