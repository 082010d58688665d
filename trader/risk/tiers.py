"""How fresh the state must be that an order's exposure is checked on, by its urgency.

Controls of the order itself look at the newest market and books in every tier, and what has changed in the books
counts at once in every tier. What may be old are the marks that positions are summed up at.
"""

from enum import StrEnum
from typing import Final

from trader.model.orders import Urgency
from trader.model.time import MINUTE, SECOND


class Tier(StrEnum):
    """How an order's exposure is checked."""

    REALTIME = "realtime"  # summed up for every order
    FAST = "fast"  # at marks of at most a tenth of a second ago
    STANDARD = "standard"  # at marks of the last seconds, beside the flags that the control room has raised
    RELAXED = "relaxed"  # at marks of the minute, for a whole batch


AGE_NS: Final[dict[Tier, int]] = {
    Tier.REALTIME: 0,
    Tier.FAST: SECOND // 10,
    Tier.STANDARD: 10 * SECOND,
    Tier.RELAXED: MINUTE,
}

BY_URGENCY: Final[dict[Urgency, Tier]] = {
    Urgency.IMMEDIATE: Tier.REALTIME,
    Urgency.HIGH: Tier.FAST,
    Urgency.MEDIUM: Tier.STANDARD,
    Urgency.LOW: Tier.RELAXED,
}
