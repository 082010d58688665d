"""An exception for one order: asked for by one person with a reason, agreed to by another, for a limited time.

Only rules about the shape, the price and the frequency of an order can be overridden, by name. What protects the money
(states, cash, exposure, losses), what the venue or the law forbids, and what nobody could compute never is.
"""

from typing import Final

from trader.model.conduct import Conduct, Override
from trader.model.events import OverrideUsed
from trader.model.money import ZERO
from trader.model.time import HOUR, MINUTE
from trader.model.views import Question
from trader.risk.bounds import Breach

UNCOMPUTED: Final = ("unknown", "error")  # how the value of a breach begins where there is none
LONGEST: Final = HOUR  # after that the market is another one, and so would be the decision

OVERRIDABLE: Final = (
    "price_collar", "price_moved", "price_jump", "max_spread", "min_depth", "max_order_qty", "max_order_value",
    "max_volume_share", "max_depth_share", "max_impact", "duplicate", "price_walk", "max_size_ratio",
    "max_daily_orders", "max_daily_cancels", "max_open_orders", "max_open_orders_per_symbol",
    "max_cancel_ratio", "loss_streak", "cooldown",
)  # fmt: skip


def objection_to(override: Override, now: int) -> str:
    """Say why an override cannot be asked for at ``now``; nothing where it can."""
    if override.rule not in OVERRIDABLE:
        return f"{override.rule!r} is never overridden; those that can be are {', '.join(OVERRIDABLE)}"
    if not override.why.strip():
        return "an override is documented: say why"
    if override.qty <= ZERO:
        return f"the quantity must be > 0, got {override.qty}"
    if not now < override.until <= now + LONGEST:
        return f"it must end within {LONGEST // MINUTE} minutes"
    return ""


def is_another(by: str, person: str) -> bool:
    """Tell whether two callers, written ``alice (pid 4711)``, are two people; nobody is none."""
    names = {by.partition(" (pid ")[0], person.partition(" (pid ")[0]}
    return len(names) > 1 and "" not in names


class Overrides:
    """The exceptions that stand, as the gate asks for them."""

    def __init__(self, conduct: Conduct) -> None:
        """Look into ``conduct`` whenever asked."""
        self.used: list[OverrideUsed] = []  # by the newest answer of the gate
        self._conduct = conduct

    def lifts(self, question: Question, breach: Breach) -> bool:
        """Tell whether an opening may pass a rule all the same, and note it."""
        if breach.value.startswith(UNCOMPUTED):
            return False
        for one in self._conduct.overrides.values():
            if one.rule == breach.rule and _is_for(one, question):
                if all(used.number != one.number for used in self.used):  # a strategy and the account may both have it
                    self.used.append(OverrideUsed(
                        question.intent.ts, one.number, question.order_id, breach.rule, breach.limit, breach.value
                    ))  # fmt: skip
                return True
        return False


def _is_for(override: Override, question: Question) -> bool:
    intent = question.intent
    is_same = (override.strategy, override.symbol, override.side) == (intent.strategy, intent.symbol, intent.side)
    return is_same and bool(override.approved_by) and intent.qty <= override.qty and question.now < override.until
