"""How many requests a minute an account may send: whole minutes of market time, counted per account.

Source: Alpaca, 200 a minute for trading and for free market data, 10,000 for paid data; three headers tell how many are
left and when the count begins anew (seconds since 1970). Where Alpaca's minute begins is not known.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from trader.model.time import MINUTE, SECOND

TRADING_PER_MINUTE: Final = 200
DATA_PER_MINUTE: Final = 10_000
BASIC_DATA_PER_MINUTE: Final = 200


class Quota(NamedTuple):
    """What one request leaves: ``is_over`` when it was one too many; ``reset`` in ns UTC."""

    limit: int
    remaining: int
    reset: int
    is_over: bool

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Tell it as Alpaca does."""
        return [
            (b"x-ratelimit-limit", b"%d" % self.limit),
            (b"x-ratelimit-remaining", b"%d" % self.remaining),
            (b"x-ratelimit-reset", b"%d" % (self.reset // SECOND)),
        ]


class RateLimit:
    """A count per account and minute; it may be changed while it runs."""

    def __init__(self, per_minute: int, now: Callable[[], int]) -> None:
        """Allow ``per_minute`` requests in each minute of ``now``'s time."""
        self.per_minute = per_minute
        self._now = now
        self._minute = 0
        self._used: dict[str, int] = {}  # of this minute, so there are no more of them than accounts

    def take(self, account: str) -> Quota:
        """Count one request; one that is too many takes nothing."""
        minute = self._now() // MINUTE
        if minute != self._minute:
            self._minute = minute
            self._used.clear()
        used = self._used.get(account, 0)
        is_over = used >= self.per_minute
        self._used[account] = used + (not is_over)
        return Quota(self.per_minute, max(0, self.per_minute - used - 1), (minute + 1) * MINUTE, is_over)
