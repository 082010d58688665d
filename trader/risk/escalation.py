"""What follows when a limit is broken by what is held or was lost: a table from (kind, level) to an action.

    alert          people are told
    tighten        the scope's limits are multiplied by the ladder's factor
    reduce_only    nothing is opened in the scope, and what would open something is called off
    force_reduce   likewise, and the largest positions are closed until the limit is met
    halt_strategy  every strategy of the scope is halted
    halt_desk      all of them are

What is halted stays so until a person resumes it; the rest ends with its flag.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from trader.model.events import FlagRaised
from trader.model.time import iso


class Action(StrEnum):
    """What follows a flag."""

    ALERT = "alert"
    TIGHTEN = "tighten"
    REDUCE_ONLY = "reduce_only"
    FORCE_REDUCE = "force_reduce"
    HALT_STRATEGY = "halt_strategy"
    HALT_DESK = "halt_desk"


NAV: Final = "nav"  # the kind of flag that is raised when nothing is left
REGIME: Final = "regime"  # the kind of flag under which limits are tighter because the market is wild

_CLOSING: Final = frozenset(Action) - {Action.ALERT, Action.TIGHTEN}

DEFAULTS: Final[Mapping[str, Action]] = {
    "daily_loss": Action.REDUCE_ONLY,
    "weekly_loss": Action.TIGHTEN,
    "monthly_loss": Action.HALT_DESK,
    "drawdown": Action.HALT_DESK,
    "min_equity": Action.REDUCE_ONLY,
    NAV: Action.HALT_DESK,
}


class Escalation(msgspec.Struct, frozen=True, omit_defaults=True):
    """What settings put in the place of the defaults: by kind, then by level (``soft``, ``hard``)."""

    actions: Mapping[str, Mapping[str, Action]] = {}

    def action_of(self, kind: str, level: str, scope: str = "account") -> Action:
        """Return what follows; without a word in settings a soft level is an alert, and so is a limit that drifted.

        What would halt the desk for the whole account halts a group's strategies, or one, for its own loss.
        """
        default = DEFAULTS.get(kind, Action.ALERT) if level == "hard" else Action.ALERT
        if default == Action.HALT_DESK and scope != "account":
            default = Action.HALT_STRATEGY
        return self.actions.get(kind, {}).get(level, default)


def resume_of(scope: str) -> str:
    """Return the command with which a person lifts what is latched on a scope."""
    of, _, name = scope.partition(" ")
    return f"`trader resume {name}`" if of == "strategy" else "`trader resume`"


def end_of(flag: FlagRaised) -> str:
    """Say what ends a flag."""
    if not flag.until:
        return f"it ends once {flag.kind} is known to be within its limit"
    by_time = f"at {iso(flag.until)}, or " if flag.until > 0 else ""
    return f"it ends {by_time}with {resume_of(flag.scope)}"


def closing(flags: Mapping[str, FlagRaised], scopes: Collection[str]) -> FlagRaised | None:
    """Return the first flag on one of ``scopes`` under which nothing may be opened, None if there is no such."""
    return next((flag for flag in flags.values() if flag.action in _CLOSING and flag.scope in scopes), None)
