"""Requests are counted per account and minute of market time."""

from trader.exchange.rest_limits import RateLimit
from trader.model.time import MINUTE, SECOND

T0 = 1000 * MINUTE


class Clock:
    def __init__(self) -> None:
        self.ts = T0

    def __call__(self) -> int:
        return self.ts


def test_the_headers_count_down_and_say_when_the_count_begins_anew() -> None:
    limit = RateLimit(2, Clock())
    first, second = limit.take("a"), limit.take("a")
    assert (first.remaining, second.remaining) == (1, 0)
    assert dict(second.headers()) == {
        b"x-ratelimit-limit": b"2",
        b"x-ratelimit-remaining": b"0",
        b"x-ratelimit-reset": b"%d" % ((T0 + MINUTE) // SECOND),
    }


def test_one_request_too_many_is_over_until_the_next_minute() -> None:
    clock = Clock()
    limit = RateLimit(1, clock)
    assert [limit.take("a").is_over for _ in range(3)] == [False, True, True]
    clock.ts += MINUTE
    assert [limit.take("a").is_over for _ in range(2)] == [False, True]


def test_accounts_do_not_use_up_each_other_s_requests() -> None:
    limit = RateLimit(1, Clock())
    assert [limit.take(account).is_over for account in "aba"] == [False, False, True]
