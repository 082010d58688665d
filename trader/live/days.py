"""The daily bars that a desk begins with, where a limit or a filter may look at them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import structlog

from trader.engine.dailies import LONGEST_REST
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


def recorded(paths: Sequence[Path], symbols: Sequence[str], *, before: int) -> Sequence[Bar]:
    """Read files of daily bars up to ``before`` (ns UTC); say which symbols they do not help.

    Raises:
        DataError: a file cannot be read, or is no file of daily bars.
    """
    if not paths:
        return ()
    from trader.access.sim.daily_files import read_days

    found = read_days(paths, symbols, before=before)
    newest = {bar.symbol: bar.ts for bar in found.bars}
    old = [symbol for symbol, end in newest.items() if before - end > LONGEST_REST]
    if lacking := sorted({*found.missing, *old}):
        log.warning("days.missing", symbols=" ".join(lacking), why="the files have none of the two weeks before")
    if found.skipped:
        log.warning("rows.skipped", daily=found.skipped)
    return found.bars


def inputs(bars: Sequence[Bar], ts: int) -> Iterator[DailyBars]:
    """Yield bars as the desk takes them, at ``ts``."""
    for begin in range(0, len(bars), _AT_ONCE):
        yield DailyBars(ts, bars[begin : begin + _AT_ONCE])
