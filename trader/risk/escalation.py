"""What follows when a limit is broken by what is held or was lost: a table from (kind, level) to an action."""

from collections.abc import Mapping

import msgspec


class Escalation(msgspec.Struct, frozen=True):
    """What settings put in the place of the defaults: by kind, then by level (``soft``, ``hard``)."""

    actions: Mapping[str, Mapping[str, str]] = {}
