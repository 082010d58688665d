"""The daily bars that a desk begins with, where a limit or a filter may look at them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from trader.capital.dailies import LONGEST_REST
from trader.engine.engine import Engine
from trader.model.inputs import DailyBars
from trader.model.ticks import Bar
from trader.risk.rules import Rules

log = structlog.get_logger()

COUNT: Final = 500  # trading days, two years: what a forecast of volatility and a value at risk by history look back

# Bars of one input: ten thousand are two MB on a tape, which bounds what waits for its disk.
_AT_ONCE: Final = 10_000


def are_wanted(desk: Engine) -> bool:
    """Tell whether anything on the desk may look at days; where nothing does, nothing is fetched or made up."""
    return desk.rules != Rules() or desk.desk.openings.is_directed


class Days(NamedTuple):
    """Daily bars from before a run, and what is to be told of them as soon as there is a log."""

    bars: Sequence[Bar] = ()
    lacking: Sequence[str] = ()  # symbols that they do not help
    skipped: int = 0  # rows that cannot be bars
    are_none: bool = False

    def tell(self) -> None:
        """Say what is missing."""
        if self.lacking:
            symbols = " ".join(self.lacking)
            log.warning("days.missing", symbols=symbols, why="the files have none of the two weeks before")
        if self.skipped:
            log.warning("rows.skipped", daily=self.skipped)
        if self.are_none:
            log.info("days.missing", why="limits and filters that look at days know none before these; see --daily")


NO_DAYS: Final = Days()


def recorded(paths: Sequence[Path], symbols: Sequence[str], *, before: int) -> Days:
    """Read files of daily bars up to ``before`` (ns UTC).

    Raises:
        DataError: a file cannot be read, or is no file of daily bars.
    """
    if not paths:
        return Days(are_none=True)
    from trader.access.sim.daily_files import read_days

    found = read_days(paths, symbols, before=before)
    newest = {bar.symbol: bar.ts for bar in found.bars}
    old = [symbol for symbol, end in newest.items() if before - end > LONGEST_REST]
    return Days(found.bars, sorted({*found.missing, *old}), found.skipped)


def inputs(bars: Sequence[Bar], ts: int) -> Iterator[DailyBars]:
    """Yield bars as the desk takes them, at ``ts``."""
    for begin in range(0, len(bars), _AT_ONCE):
        yield DailyBars(ts, bars[begin : begin + _AT_ONCE])
