"""What the past days say of symbols together: their returns on the days that all of them have, and how they move."""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from trader.model.tail import Floats, covariance_of
from trader.model.time import DAY

FEWEST_DAYS: Final = 250  # with fewer a quantile of 0.99 rests on one or two days


class History(Protocol):
    """One symbol's days that have ended, newest last; ``ends`` (ns UTC) are when they did, shape (days,)."""

    ends: NDArray[np.int64]

    def closes(self, n: int) -> Floats:
        """Return the newest ``n`` daily closes, shape (≤ n,)."""

    @property
    def sigma_day(self) -> float:
        """Return the standard deviation of daily returns now, NaN while unknown."""


class Past(NamedTuple):
    """The days that ``n`` symbols have in common; ``returns`` and ``covariance`` are zero where a symbol has too few.

    Such a symbol stands alone: it counts by ``alone``, its own standard deviation, as if it fell whenever everything
    else does; NaN where even that is unknown. ``days`` are, for each row of returns, the number
    of the midnight that ended it, in days since 1970.
    """

    days: NDArray[np.int64]  # (days,)
    returns: Floats  # (days, n)
    covariance: Floats  # (n, n)
    alone: Floats  # (n,), 0 for a symbol whose returns are known
    is_known: NDArray[np.bool_]  # (n,)


def past_of(histories: Sequence[History], window: int) -> Past:
    """Return the newest ``window`` daily returns that symbols have in common.

    A symbol without :data:`FEWEST_DAYS` of them stands alone. A coin's return spans the days a stock does not trade.
    """
    count = len(histories)
    ends = [history.ends // DAY for history in histories]
    common, known = _common(ends)
    common = common[-window - 1 :]
    is_known = np.zeros(count, dtype=np.bool_)
    is_known[known] = True
    returns = np.zeros((max(0, len(common) - 1), count))
    for number in known:
        closes = histories[number].closes(len(ends[number]))[np.searchsorted(ends[number], common)]
        returns[:, number] = closes[1:] / closes[:-1] - 1.0
    alone = np.array([0.0 if is_known[number] else history.sigma_day for number, history in enumerate(histories)])
    covariance = covariance_of(returns) if known else np.zeros((count, count))
    return Past(common[1:], returns, covariance, alone, is_known)


def _common(days: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], list[int]]:
    """Return the days that symbols share, and which symbols; who would leave too few for the others is left out."""
    common, known = np.empty(0, dtype=np.int64), list[int]()
    for number in sorted(range(len(days)), key=lambda number: -len(days[number])):
        own = days[number]
        shared = own if not known or np.array_equal(own, common) else np.intersect1d(common, own, assume_unique=True)
        if len(shared) > FEWEST_DAYS:
            common = shared
            known.append(number)
    return common, known
