"""The PMS: what every strategy, group and the account are worth, what they carry and what they have lost.

Beside the order path, never in it. The figures of each minute are arrays; what people are shown is made of them when
somebody asks. Only strategies' own money and positions count: what other hands do in the account moves no figure but
those of symbols.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from trader.books.ledger import Ledger
from trader.model.events import FlagRaised
from trader.model.views import Exposures

if TYPE_CHECKING:
    from trader.model.views import Floats

ACCOUNT = "account"


class Exposure(msgspec.Struct, frozen=True):
    """The value of positions in dollars: of all without their signs, and what is left when shorts are taken off."""

    gross: float
    net: float


class ScopeFigures(msgspec.Struct, frozen=True):
    """One strategy, a group or the account, in dollars at the newest marks.

    ``losses`` are fractions of the equity when the day, week or month began, or of the highest (``drawdown``); positive
    is a loss. There are those that a limit was set for.
    """

    scope: str
    equity: float
    pnl: float
    realized: float
    unrealized: float
    gross: float
    net: float
    positions: int
    losses: dict[str, float]


class ControlRoomFigures(msgspec.Struct, frozen=True):
    """The desk at the end of a minute, all in dollars: the one source of what is shown of it.

    ``largest`` is the symbol with the most at stake and its part of the equity. ``stale`` are seconds since the newest
    price of what is held, by symbol; ``locked`` the symbols about which books and broker disagree; ``reconciled_until``
    ns UTC. ``tightness`` is what the account's limits are divided by.
    """

    ts: int
    account: ScopeFigures
    groups: list[ScopeFigures]
    strategies: list[ScopeFigures]
    unallocated: float
    by_symbol: dict[str, Exposure]
    by_class: dict[str, Exposure]
    by_sector: dict[str, Exposure]
    by_category: dict[str, Exposure]
    largest: tuple[str, float]
    stale: dict[str, float]
    locked: list[str]
    reconciled_until: int
    flags: list[FlagRaised]
    tightness: float = 1.0


class Monitor:
    """Sums up one desk by scope: the account first, then groups, then strategies."""

    def __init__(self, exposures: Exposures, ledger: Ledger, groups: Mapping[str, Sequence[str]]) -> None:
        """Watch ``exposures``; ``groups`` are strategies by name of the group.

        Books of strategies that are no longer traded count for the account, at what their positions have cost.
        """
        self.groups = groups
        names = exposures.strategies
        self.scopes = (
            ACCOUNT,
            *(f"group {name}" for name in groups),
            *(f"strategy {name}" for name in names),
        )
        self.place: Mapping[str, int] = {scope: place for place, scope in enumerate(self.scopes)}
        self._exposures = exposures
        self._ledger = ledger
        self._retired = sum(
            float(book.cash) + sum(float(position.cost) for position in book.positions.values())
            for name, book in ledger.books.items()
            if name not in exposures.rank
        )
        self.owner = np.zeros(len(exposures.held), dtype=np.intp)  # of each slot: the strategy's place among them
        for name, part in exposures.slots_of.items():
            self.owner[part] = exposures.rank[name]
        self.members = np.zeros((len(groups), len(names)))  # 1 where a strategy belongs to a group
        for place, members in enumerate(groups.values()):
            self.members[place, [exposures.rank[name] for name in members if name in exposures.rank]] = 1.0

    def equities(self, bids: "Floats | None" = None, asks: "Floats | None" = None) -> "Floats":
        """Return cash plus positions of every scope, at the marks or at what an exit brings.

        ``bids`` and ``asks`` are of symbols, shape (n,). Where one is NaN, or better than the mark, the mark counts.
        """
        seen = self._exposures
        held, of = seen.held, seen.symbol_of
        prices = seen.marks[of]
        if bids is not None and asks is not None:
            prices = np.where(held > 0.0, np.fmin(prices, bids[of]), np.fmax(prices, asks[of]))
        worth = np.where(held == 0.0, 0.0, held * prices)
        equities = self.by_scope(seen.cash + self._of_strategies(worth))
        equities[0] += self._retired
        return equities

    def by_scope(self, of_strategies: "Floats") -> "Floats":
        """Return the sums of a value of each strategy: of all, of each group, and the values themselves."""
        return np.concatenate(((of_strategies.sum(),), self.members @ of_strategies, of_strategies))

    def _of_strategies(self, of_slots: "Floats") -> "Floats":
        return np.bincount(self.owner, of_slots, len(self._exposures.strategies)).astype(np.float64, copy=False)
