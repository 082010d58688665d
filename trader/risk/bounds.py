"""A limit with its two levels, and what is said when one is broken."""

from typing import Final, Literal

import msgspec

Level = Literal["soft", "hard"]

# Exposures are floats: what is over a limit by less than this, relatively, meets it.
TOLERANCE: Final = 1e-9


class Bound(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Beyond ``soft`` it is told, beyond ``hard`` an opening is refused; None where there is no such level.

    Of a rule named ``min_…`` "beyond" is below, of any other above. What meets a level exactly is within it.
    """

    hard: float | None = None
    soft: float | None = None

    def __bool__(self) -> bool:
        """Tell whether there is a limit at all."""
        return self.hard is not None or self.soft is not None

    def broken(self, value: float, tightness: float = 1.0) -> Level | None:
        """Return the highest level that ``value`` is above; NaN is above any. The levels are divided by tightness."""
        if self.hard is not None and not value <= _room(self.hard / tightness):
            return "hard"
        if self.soft is not None and not value <= _room(self.soft / tightness):
            return "soft"
        return None

    def fallen_below(self, value: float) -> Level | None:
        """Return the highest level that ``value`` is below; NaN is below any."""
        if self.hard is not None and not value >= -_room(-self.hard):
            return "hard"
        if self.soft is not None and not value >= -_room(-self.soft):
            return "soft"
        return None

    def at(self, level: Level) -> float:
        """Return the limit of a level that is set."""
        limit = self.hard if level == "hard" else self.soft
        assert limit is not None, f"{self} has no {level} level"
        return limit


NONE: Final = Bound()


class Breach(msgspec.Struct, frozen=True):
    """A rule that an opening would break: refused at the ``hard`` level, only told of at the ``soft`` one.

    ``scope`` is ``order``, ``symbol SPY``, ``strategy NAME``, ``group NAME`` or ``account``; ``hint`` is how to change
    the limit. ``is_passing``: it passes by itself, so the order is asked for again.
    """

    rule: str
    scope: str
    limit: str
    value: str
    level: Level = "hard"
    hint: str = ""
    is_passing: bool = False


def _room(limit: float) -> float:
    return limit + abs(limit) * TOLERANCE
