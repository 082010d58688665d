"""The keys of a settings file that say how a strategy, and the account, may behave."""

from typing import Annotated, ClassVar

from pydantic import Field

from trader.books.conduct import MESSAGES_KEPT
from trader.config.bounds import Count, Float, Levels, Share, Wait, bound_of
from trader.config.fields import Section
from trader.risk.conduct import ConductOfAccount, ConductOfOne

_LONGEST_PAUSE_S = 2_592_000  # thirty days


class Rate(Count):
    """The most orders and cancels within a time, in whole numbers; the books remember no more of one minute."""

    most: ClassVar[float] = MESSAGES_KEPT


class _Conduct(Section):
    max_orders_per_second: Rate | None = None
    """Orders and cancels in one second, after which nothing is opened for a moment."""
    max_orders_per_minute: Rate | None = None
    """Orders and cancels in one minute."""
    max_daily_orders: Count | None = None
    """Orders of a trading day, entries and exits counted."""
    max_daily_cancels: Count | None = None
    """Orders of a trading day that were called off."""
    max_open_orders: Count | None = None
    """Orders under way at the same time."""
    max_cancel_ratio: Share | None = None
    """Cancels as a part of the day's orders, from the twentieth order on."""
    max_rejects: Count | None = None
    """Orders that the broker refused in a row; an accepted one, or `trader resume`, ends it."""
    max_error_rate: Share | None = None
    """Refused orders as a part of the day's orders, from the twentieth order on."""
    price_walk: Share | None = None
    """Part of the price by which own executions of five minutes, all strategies' together, may have moved it."""


class StrategyConduct(_Conduct):
    """How one strategy may behave; exits always pass."""

    duplicate: Wait | None = None
    """Seconds before the same order (symbol, side, quantity and price) may be sent again."""
    max_size_ratio: Levels | None = None
    """Value of an order as a multiple of the strategy's largest of this day and the last, from its tenth entry on."""
    max_repeats: Count | None = None
    """Entries into one symbol, each within five minutes of the last, until `trader resume NAME` allows more."""
    loss_streak: Count | None = None
    """Losing trades in a row after which nothing is opened for loss_streak_pause_s."""
    loss_streak_pause_s: Annotated[float, Field(ge=1, le=_LONGEST_PAUSE_S), Float] = 3600.0
    """Seconds of the pause after a streak of losses."""
    cooldown: Wait | None = None
    """Seconds after an exit in which its symbol is not entered again."""

    def conduct(self) -> ConductOfOne:
        """Return them as the gate has them."""
        own = {name: bound_of(getattr(self, name)) for name in _BOUNDS_OF_ONE}
        return ConductOfOne(**own, loss_streak_pause_s=self.loss_streak_pause_s)


class AccountConduct(_Conduct):
    """How all strategies together may behave; exits always pass."""

    max_open_orders_per_symbol: Count | None = None
    """Orders of one symbol under way at the same time."""
    intraday_margin: Share | None = None
    """Part of the equity, crypto apart, that the broker may demand as maintenance margin for stocks."""

    def conduct(self) -> ConductOfAccount:
        """Return them as the gate has them."""
        return ConductOfAccount(**{name: bound_of(getattr(self, name)) for name in ConductOfAccount.__struct_fields__})


_BOUNDS_OF_ONE = [name for name in ConductOfOne.__struct_fields__ if name != "loss_streak_pause_s"]
