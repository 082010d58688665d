"""When openings of one asset class may leave: sessions, times of the week, the minutes before a close."""

from typing import Final

from trader.model.calendar import StockCalendar
from trader.model.instruments import AssetClass
from trader.model.time import DAY, MINUTE
from trader.risk.bounds import Breach
from trader.risk.checks import RESTART
from trader.risk.limits import OrderLimits
from trader.risk.windows import Windows

_HINT: Final = f"change risk.orders.{{}}.{{}} {RESTART}, or wait"


class Hours:
    """The hours of one class; answers are remembered for as long as they hold."""

    def __init__(self, limits: OrderLimits, asset_class: AssetClass) -> None:
        """Hold to what ``limits`` say of time; sessions and closes are stocks' only."""
        self._limits = limits
        self._asset_class = asset_class
        self._calendar = StockCalendar()
        self._windows = Windows(limits.close_only)
        self._closes_at = 0  # of the session that was looked at last
        self._answered: tuple[int, Breach | None] = (-1, None)  # the orders of one step ask at the same time
        is_timed = bool(limits.sessions or limits.close_only_before_close_min)
        self._is_timed = bool(limits.close_only) or (is_timed and asset_class == "stock")

    def broken(self, now: int) -> Breach | None:
        """Name what keeps an opening from leaving at ``now`` (ns UTC)."""
        if self._is_timed and self._answered[0] != now:
            self._answered = now, self._broken(now)
        return self._answered[1]

    def _broken(self, now: int) -> Breach | None:
        limits = self._limits
        if window := self._windows.covering(now):
            return self._closed("close_only", f"not {window}", "now (New York)")
        if self._asset_class != "stock":
            return None
        phase = self._calendar.phase(now)
        if limits.sessions and phase not in limits.sessions:
            hint = f"add '{phase}' to risk.orders.{self._asset_class}.sessions {RESTART}, or wait for the session"
            return Breach("session_closed", "order", ", ".join(limits.sessions), phase, hint=hint, is_passing=True)
        least = limits.close_only_before_close_min
        if least and phase == "core" and (left := self._left(now)) <= least:
            return self._closed("close_only_before_close_min", f"> {least:g} min to the close", f"{left:.3g} min")
        return None

    def _left(self, now: int) -> float:
        """Return the minutes to the close."""
        if not now < self._closes_at <= now + DAY:
            self._closes_at = self._calendar.next_close(now)
        return (self._closes_at - now) / MINUTE

    def _closed(self, key: str, limit: str, value: str) -> Breach:
        return Breach("close_only", "order", limit, value, hint=_HINT.format(self._asset_class, key))
