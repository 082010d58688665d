"""Losses over days and weeks against plain loops: what is measured from where, what breaks, and what stays broken."""

from datetime import date
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build import T0, bar, by_minute, spec
from tests.engine.rooms import Watched, ladder
from trader.model.time import DAY, MINUTE, NEW_YORK, utc
from trader.risk.bounds import Bound

LIMITS = {
    "daily_loss": (0.02, 0.04),
    "weekly_loss": (0.03, 0.06),
    "monthly_loss": (0.05, 0.10),
    "drawdown": (0.06, 0.12),
}
DAYS = st.lists(st.lists(st.integers(80, 120), min_size=1, max_size=3), min_size=1, max_size=12)
SHARES, CASH = 100, 200  # of 10,200 dollars, once 100 shares were bought at 100


def period_of(kind: str, ts: int) -> Any:
    day: date = utc(ts).astimezone(NEW_YORK).date()
    return {"daily_loss": day, "weekly_loss": day.isocalendar()[:2], "monthly_loss": (day.year, day.month)}.get(kind)


class Slow:
    """The ladder as its words say it, one minute after the other."""

    def __init__(self) -> None:
        self.bases: dict[str, tuple[Any, float]] = {}
        self.peak = 10_200.0
        self.last = 10_200.0
        self.broken: dict[tuple[str, str], Any] = {}

    def minute(self, ts: int, equity: float) -> set[tuple[str, str]]:
        began = ts - MINUTE
        for key, period in list(self.broken.items()):
            if key[0] in {"daily_loss", "weekly_loss"} and period != period_of(key[0], began):
                del self.broken[key]
        for kind in ("daily_loss", "weekly_loss", "monthly_loss"):
            if self.bases.get(kind, (None, 0.0))[0] != period_of(kind, began):
                self.bases[kind] = (period_of(kind, began), self.last)
        if equity > self.peak * (1 + 1e-4):
            self.peak = equity
        for kind, levels in LIMITS.items():
            base = self.peak if kind == "drawdown" else self.bases[kind][1]
            for level, limit in zip(("soft", "hard"), levels, strict=True):
                if equity - base * (1 - limit) <= base * 1e-9:
                    self.broken.setdefault((kind, level), period_of(kind, began))
                elif level == "soft" and kind in {"monthly_loss", "drawdown"}:  # only told: nobody has to end it
                    self.broken.pop((kind, level), None)
        self.last = equity
        return set(self.broken)


@given(DAYS, st.integers(0, 11))
@settings(max_examples=60, deadline=None)
def test_flags_are_those_of_plain_loops_over_days_and_a_restart(days: list[list[int]], restart: int) -> None:
    rules = ladder(**{kind: Bound(hard, soft) for kind, (soft, hard) in LIMITS.items()})  # type: ignore[arg-type]
    own = spec(by_minute({1: 1.0}), cash="10200")
    desk, slow = Watched(rules, own), Slow()
    desk.closes(100, 100)
    for minute in (1, 2):
        slow.minute(T0 + minute * MINUTE, 10_200)
    for number, prices in enumerate(days):
        if number == restart:
            last = desk.engine.listings["SPY"].mark
            own = spec(by_minute({}), cash="10200")
            desk = Watched(rules, own, books=desk.events, at=T0 + number * DAY + 5 * MINUTE)
            desk.engine.listings["SPY"].mark = last  # as history would tell
            desk.engine.desk.portfolio.move()
            assert desk.engine.room is not None
            desk.engine.room.glance(T0)
        for minute, price in enumerate(prices, 10):
            ts = T0 + number * DAY + minute * MINUTE
            desk.minute(bar(minute=number * 1440 + minute, close=price))
            expected = slow.minute(ts, CASH + SHARES * price)
            assert {(flag.kind, flag.level) for flag in desk.flags} == expected
