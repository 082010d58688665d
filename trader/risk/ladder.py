"""The ladder of losses: what may be lost in a day, a week, a month and from the peak before something follows.

A loss is a fraction of the equity it is measured from; a loss that equals its limit breaks it. Once broken, a rung
stays so until its period ends, whatever the equity does meanwhile; a month's and a drawdown's until a person resumes,
or where nothing followed but an alert, until it is made good.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from trader.model.time import ts_of, utc
from trader.risk.bounds import NONE, TOLERANCE, Bound

Period = Literal["day", "week", "month"]

PERIOD_OF: Final[dict[str, Period]] = {"daily_loss": "day", "weekly_loss": "week", "monthly_loss": "month"}
DRAWDOWN: Final = "drawdown"
LOSSES: Final = (*PERIOD_OF, DRAWDOWN)
BY_A_PERSON: Final = -1  # what only a person's word ends

WEEKLY_FACTOR: Final = 0.5  # what limits are multiplied by after a bad week


class Rungs(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one scope may lose since its day, week or month began, and from its highest equity."""

    daily_loss: Bound = NONE
    weekly_loss: Bound = NONE
    monthly_loss: Bound = NONE
    drawdown: Bound = NONE


class Ladder(msgspec.Struct, frozen=True, omit_defaults=True):
    """The rungs of each scope, written ``account``, ``group NAME`` or ``strategy NAME``; the default has none.

    ``weekly_factor`` is what limits are multiplied by while a flag whose action is ``tighten`` stands on their scope.
    """

    scopes: Mapping[str, Rungs] = {}
    weekly_factor: float = WEEKLY_FACTOR


def floor_of(base: float, loss: float) -> float:
    """Return the equity at or under which ``loss`` of ``base`` is reached; nothing is left to lose of nothing."""
    return base * (1.0 - loss) + base * TOLERANCE if base > 0.0 else float("inf")


def end_of(period: Period, ts: int, zone: ZoneInfo | None) -> int:
    """Return when the day, ISO week or month that ``ts`` lies in ends (ns UTC), at midnight in ``zone`` (None: UTC)."""
    local = utc(ts).astimezone(zone) if zone else utc(ts)
    first = local.date()
    if period == "day":
        after = first + timedelta(days=1)
    elif period == "week":
        after = first + timedelta(days=7 - first.weekday())
    else:
        after = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
    return ts_of(datetime(after.year, after.month, after.day, tzinfo=local.tzinfo))


def latched_until(kind: str, ts: int, zone: ZoneInfo | None) -> int:
    """Return when a broken rung ends by itself: with its day or week; a month's and a drawdown's never do."""
    return end_of(PERIOD_OF[kind], ts, zone) if kind in {"daily_loss", "weekly_loss"} else BY_A_PERSON
