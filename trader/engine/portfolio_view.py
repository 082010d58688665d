"""All strategies of the desk as one portfolio, as the Director's filters see it."""

from collections.abc import Mapping, Sequence
from math import nan
from typing import TYPE_CHECKING

from trader.engine.market import Listing
from trader.engine.portfolio import Portfolio
from trader.engine.sandbox import Sandbox, Slot
from trader.model.instruments import Instrument
from trader.model.views import Holding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from trader.model.views import Floats


class DirectorsView:
    """:class:`trader.model.views.PortfolioView` of one step."""

    def __init__(
        self, portfolio: Portfolio, sandboxes: Mapping[str, Sandbox], listings: Mapping[str, Listing], *, ts: int
    ) -> None:
        """Look at the books as they are now; ``ts`` is the minute that is decided on."""
        portfolio.sync()
        self.ts = ts
        self.holdings: Sequence[Holding] = [
            _holding(portfolio, slot)
            for sandbox in sandboxes.values()
            for slot in sandbox.slots.values()
            if portfolio.held[slot.rank] or portfolio.held_buys[slot.rank] or portfolio.held_sells[slot.rank]
        ]
        self._portfolio = portfolio
        self._sandboxes = sandboxes
        self._listings = listings

    @property
    def equity(self) -> float:
        """Return the cash of all strategies plus their positions at their marks."""
        return self._portfolio.equity

    def equity_of(self, strategy: str) -> float:
        """Return one strategy's cash plus positions at their marks."""
        return self._portfolio.equity_of(strategy)

    def mark(self, symbol: str) -> float:
        """Return the price a symbol is valued at."""
        return self._listings[symbol].mark

    def instrument(self, strategy: str, symbol: str) -> Instrument:
        """Return what a strategy may trade of a symbol."""
        return self._sandboxes[strategy].slots[symbol].instrument

    def stop_of(self, strategy: str) -> float:
        """Return a strategy's stop as a fraction of the entry price, NaN without one."""
        stop = self._sandboxes[strategy].spec.limits.stop_loss
        return nan if stop is None else float(stop)

    def highs(self, symbol: str, n: int) -> "Floats":
        """Return the newest daily highs."""
        return self._listings[symbol].dailies.highs(n)

    def lows(self, symbol: str, n: int) -> "Floats":
        """Return the newest daily lows."""
        return self._listings[symbol].dailies.lows(n)

    def closes(self, symbol: str, n: int) -> "Floats":
        """Return the newest daily closes."""
        return self._listings[symbol].dailies.closes(n)

    def ends(self, symbol: str, n: int) -> "NDArray[np.int64]":
        """Return when those days ended."""
        return self._listings[symbol].dailies.ends[-n:]


def _holding(portfolio: Portfolio, slot: Slot) -> Holding:
    """Return what a slot holds; what is on its way counts on the side where the position would be larger."""
    held, limits = float(portfolio.held[slot.rank]), slot.sandbox.spec.limits
    high, low = held + float(portfolio.held_buys[slot.rank]), held - float(portfolio.held_sells[slot.rank])
    qty = high if abs(high) >= abs(low) else low
    stop = nan if limits.stop_loss is None else float(limits.stop_loss)
    return Holding(slot.sandbox.spec.name, slot.symbol, slot.instrument.asset_class, qty, slot.listing.mark, stop)
