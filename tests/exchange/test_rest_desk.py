"""What the trading API knows about the time before."""

import pytest

from tests.exchange.desks import Floor
from trader.model.time import iso, parse_time


@pytest.mark.parametrize(
    ("now", "close"),
    [
        ("2026-01-05T14:30", "2026-01-02T21:00:00Z"),  # Monday's opening: Friday's close
        ("2026-01-05T21:00", "2026-01-05T21:00:00Z"),
        ("2001-09-17T13:00", "2001-09-10T20:00:00Z"),
    ],
)
def test_the_last_close_may_be_days_ago(now: str, close: str) -> None:
    assert iso(Floor().desk.last_close(parse_time(now))) == close
