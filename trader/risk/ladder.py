"""The ladder of losses: what may be lost in a day, a week, a month and from the peak before something follows."""

from collections.abc import Mapping
from typing import Final

import msgspec

WEEKLY_FACTOR: Final = 0.5  # what limits are multiplied by after a bad week


class Rung(msgspec.Struct, frozen=True, gc=False):
    """One loss that is too much, as a positive fraction of the equity it is measured from; a level may be missing."""

    soft: float | None = None
    hard: float | None = None


NO_RUNG: Final = Rung()


class Rungs(msgspec.Struct, frozen=True):
    """What one scope may lose since its day, week or month began, and from its highest equity."""

    daily_loss: Rung = NO_RUNG
    weekly_loss: Rung = NO_RUNG
    monthly_loss: Rung = NO_RUNG
    drawdown: Rung = NO_RUNG


class Ladder(msgspec.Struct, frozen=True):
    """The rungs of each scope, written ``account``, ``group NAME`` or ``strategy NAME``; the default has none.

    ``weekly_factor`` is what the account's limits are multiplied by while a flag with the action ``tighten`` stands.
    """

    scopes: Mapping[str, Rungs] = {}
    weekly_factor: float = WEEKLY_FACTOR
