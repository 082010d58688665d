"""How strategies may run beside each other, given what the filters must see.

Apart (``parallel``) each strategy meets the market alone: nobody knows what the others hold, so a filter that asks for
holdings or equity cannot be used. Together (``sequential``) all decide minute by minute over one portfolio. The live
desk is always sequential; backtests choose.
"""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import NoReturn

from trader.director.filter import Filter
from trader.errors import ModeError
from trader.model.money import EXACT, ZERO, share_of
from trader.model.views import Holding, PortfolioView


class ExecutionMode(StrEnum):
    """Together, apart, or whichever the filters allow, apart if they do."""

    AUTO = "auto"
    PARALLEL = "parallel"
    SEQUENTIAL = "sequential"


def mode_of(asked: ExecutionMode, filters: Sequence[tuple[str, Filter]]) -> ExecutionMode:
    """Return ``parallel`` or ``sequential`` for these named filters.

    Raises:
        ModeError: parallel is asked for, and some of the filters need the portfolio.
    """
    needing = list(dict.fromkeys(name for name, each in filters if each.needs_portfolio))
    if asked is ExecutionMode.AUTO:
        return ExecutionMode.SEQUENTIAL if needing else ExecutionMode.PARALLEL
    if asked is ExecutionMode.PARALLEL and needing:
        raise ModeError(
            f"cannot use parallel mode with filters: [{', '.join(needing)}]",
            "remove --execution-mode=parallel or use only parallel-safe filters",
        )
    return asked


def split_capital(capital: Decimal, units: Sequence[Decimal]) -> list[Decimal]:
    """Divide ``capital`` among runs in proportion to their units, each rounded down to a picodollar."""
    whole = ZERO
    for unit in units:
        whole = EXACT.add(whole, unit)
    return [share_of(capital, unit, whole) for unit in units]


class MarketView:
    """A portfolio view without the portfolio: what a filter may see where strategies run apart."""

    def __init__(self, view: PortfolioView) -> None:
        """Let only the market of ``view`` through."""
        self.ts, self.mark, self.instrument, self.stop_of = view.ts, view.mark, view.instrument, view.stop_of
        self.highs, self.lows, self.closes, self.ends = view.highs, view.lows, view.closes, view.ends
        self._view = view

    @property
    def equity(self) -> float:
        """Refuse. Raises ModeError."""
        _refuse()

    @property
    def holdings(self) -> Sequence[Holding]:
        """Refuse. Raises ModeError."""
        _refuse()

    def equity_of(self, strategy: str) -> float:
        """Refuse. Raises ModeError."""
        _refuse()


class OwnView(MarketView):
    """One strategy's part of a portfolio as if it were all: what its own filters see."""

    def __init__(self, view: PortfolioView, strategy: str) -> None:
        """Show of ``view`` what belongs to ``strategy``."""
        super().__init__(view)
        self._strategy = strategy

    @property
    def equity(self) -> float:
        """Return the strategy's cash plus its positions at their marks."""
        return self._view.equity_of(self._strategy)

    @property
    def holdings(self) -> Sequence[Holding]:
        """Return what the strategy holds or has on its way."""
        return [holding for holding in self._view.holdings if holding.strategy == self._strategy]

    def equity_of(self, strategy: str) -> float:
        """Return a strategy's cash plus its positions at their marks."""
        return self._view.equity_of(strategy)


def _refuse() -> NoReturn:
    raise ModeError("Portfolio query not available in parallel execution mode")
