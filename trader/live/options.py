"""How one run goes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from trader.config import FilterConfig
from trader.config.risk_sections import RiskSection
from trader.logs import Format


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How one run goes; what it trades stands in the strategies.

    ``feed`` is Alpaca where there are keys and synthetic elsewhere, unless it is named; likewise ``broker``.
    ``speed`` is market time over real time, None as fast as the desk can, and by default what fits the feed: 60 for the
    synthetic market, None for a replay, the wall clock for Alpaca. ``duration`` is in nanoseconds of real time at a
    speed and of market time without one; ``start`` is market time (ns UTC), None the feed's own. ``yes_live`` is the
    account's number, without which no real money is traded; where it is absent ``ask`` shows a person the question.
    ``journal`` is a file or the address of a data base, by default a file in the state folder; only what is traded at a
    broker has one. ``filters`` are what the openings of all strategies pass. ``daily`` are files of daily bars
    from before a replay's minutes.
    """

    feed: Literal["auto", "synthetic", "replay", "alpaca"] = "auto"
    broker: Literal["auto", "simulated", "alpaca"] = "auto"
    yes_live: str | None = None
    ask: Callable[[str], str] | None = None
    allow_overallocation: bool = False
    data: tuple[Path, ...] = ()
    daily: tuple[Path, ...] = ()
    speed: float | Literal["auto"] | None = "auto"
    duration: int | None = None
    seed: int = 1
    start: int | None = None
    report: Literal["text", "json", "none"] = "text"
    log_format: Format = "auto"
    verbose: bool = False
    export_trades: Path | None = None
    state_dir: Path | None = None
    journal: str | None = None
    accept_looser: bool = False
    tape: Path | None = None
    filters: Sequence[FilterConfig | Mapping[str, object]] = ()
    risk: RiskSection = RiskSection()
