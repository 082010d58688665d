"""Whether a value at risk was what it claims: were its exceptions as many as they should be, and not in a row?"""

from math import erfc, log, sqrt
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from trader.model.tail import Floats, z_of

Light = Literal["green", "yellow", "red"]

_YELLOW: Final = 5  # exceptions in 250 days at 0.99; likewise the next
_RED: Final = 10
TRIAL_DAYS: Final = 250


class Coverage(msgspec.Struct, frozen=True):
    """Days on which the loss was above the value at risk, out of ``days``; the p values are of two tests.

    ``kupiec`` asks whether they are too many or too few, ``christoffersen`` whether they follow each other. ``light``
    is that of Basel; None unless it is asked of 250 days at 0.99.
    """

    days: int
    exceptions: int
    expected: float
    kupiec: float
    christoffersen: float
    light: Light | None


def coverage_of(exceptions: NDArray[np.bool_], *, confidence: float) -> Coverage:
    """Judge a row of days, True where the loss was above the value at risk, oldest first."""
    days, count = len(exceptions), int(exceptions.sum())
    is_basel = days == TRIAL_DAYS and abs(confidence - 0.99) < 1e-9  # noqa: PLR2004 -- Basel's own
    light: Light = "red" if count >= _RED else "yellow" if count >= _YELLOW else "green"
    return Coverage(
        days,
        count,
        days * (1.0 - confidence),
        p_of(kupiec(days, count, confidence=confidence)),
        p_of(christoffersen(exceptions)),
        light if is_basel else None,
    )


def kupiec(days: int, exceptions: int, *, confidence: float) -> float:
    """Return the likelihood ratio of as many exceptions against as many as there should be; ~ χ²(1).

    Source: Kupiec, Techniques for verifying the accuracy of risk measurement models (1995), proportion of failures.
    """
    p, rate = 1.0 - confidence, exceptions / days
    return 2.0 * (_likelihood(days, exceptions, rate) - _likelihood(days, exceptions, p))


def christoffersen(exceptions: NDArray[np.bool_]) -> float:
    """Return the likelihood ratio of an exception's depending on the day before; ~ χ²(1), 0 of fewer than two days.

    Source: Christoffersen, Evaluating interval forecasts (1998), test of independence.
    """
    if len(exceptions) < 2:  # noqa: PLR2004
        return 0.0
    before, after = exceptions[:-1], exceptions[1:]
    quiet, stormy = after[~before], after[before]
    apart = sum(_likelihood(len(part), int(part.sum()), part.mean()) for part in (quiet, stormy) if len(part))
    return 2.0 * (apart - _likelihood(len(after), int(after.sum()), float(after.mean())))


def p_of(ratio: float) -> float:
    """Return how likely a likelihood ratio as large is where nothing is wrong: the tail of χ²(1)."""
    return erfc(sqrt(max(0.0, ratio) / 2.0))


def rolling_exceptions(gains: Floats, *, window: int, confidence: float) -> NDArray[np.bool_]:
    """Return on which days a loss was above the parametric value at risk of the ``window`` days before it."""
    seen = np.lib.stride_tricks.sliding_window_view(gains[:-1], window)
    return np.asarray(-gains[window:] > z_of(confidence) * seen.std(axis=1, ddof=1))


def _likelihood(days: int, exceptions: int, p: float) -> float:
    """Return the logarithm of a binomial likelihood; 0 × log 0 is 0."""
    quiet = days - exceptions
    return (quiet * log(1.0 - p) if quiet else 0.0) + (exceptions * log(p) if exceptions else 0.0)
