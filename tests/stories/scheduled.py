"""Strategies that trade by the clock, or on command: a run of them can be repeated."""

import json
from pathlib import Path
from typing import Annotated

from pydantic import Field

from trader.model.signals import Signals, Target
from trader.model.ticks import Bar
from trader.model.time import MINUTE
from trader.strategies import Context, Strategy


class Scheduled(Strategy):
    """Wants one fraction after the other, each for ``minutes``, over and over."""

    minutes: Annotated[int, Field(ge=1)]
    fractions: list[float]

    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        """Look at the minute."""
        block = bar.ts // MINUTE // self.minutes
        return Target(bar.symbol, self.fractions[block % len(self.fractions)])


class Told(Strategy):
    """Wants what a file in the current folder says now: what becomes of it hangs on no moment."""

    file: str
    who: str

    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        """Look into the file."""
        wishes = json.loads(Path(self.file).read_text())
        return Target(bar.symbol, wishes[self.who])
