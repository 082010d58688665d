"""The waits between connections."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.access.alpaca.backoff import Backoff
from trader.model.time import SECOND


@pytest.mark.parametrize(
    ("chance", "seconds"),
    [(0.0, [1, 2, 4, 8, 16, 32, 64, 90, 90]), (1.0, [1.5, 3, 6, 12, 24, 48, 96, 135, 135])],
)
def test_waits_double_until_they_outlast_a_dead_session(chance: float, seconds: list[float]) -> None:
    backoff = Backoff(lambda: chance)
    assert [backoff.next_delay() / SECOND for _ in seconds] == seconds


@given(st.lists(st.floats(0, 1), min_size=9, max_size=9))
def test_each_wait_is_at_least_the_schedule_s_and_at_most_half_more(chances: list[float]) -> None:
    backoff = Backoff(iter(chances).__next__)
    for seconds in (1, 2, 4, 8, 16, 32, 64, 90, 90):
        assert seconds * SECOND <= backoff.next_delay() <= seconds * SECOND * 3 // 2


def test_good_connection_begins_anew() -> None:
    backoff = Backoff(lambda: 0.0)
    backoff.next_delay()
    backoff.next_delay()
    backoff.reset()
    assert backoff.next_delay() == SECOND


def test_session_that_holds_the_place_is_outlasted() -> None:
    backoff = Backoff(lambda: 0.0)
    backoff.outlast_session()
    assert [backoff.next_delay() // SECOND for _ in range(2)] == [90, 90]
