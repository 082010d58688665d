"""The doors of the desk: what a market-data feed and a broker must offer.

Every outcome of an order arrives as an :class:`~trader.model.orders.ExecutionReport`: one channel, no return values.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from trader.model.inputs import Ticks
from trader.model.money import ZERO
from trader.model.orders import Approved, ExecutionReport
from trader.model.ticks import Bar, Tick


class SimulatedFeed(Protocol):
    """A recorded or made-up market, which knows its own time: pulled by a backtest, paced by the live loop."""

    @property
    def start(self) -> int:
        """Return the market time (ns UTC) from which :meth:`ticks` delivers; history ends here."""

    @property
    def skipped(self) -> Mapping[str, int]:
        """Return how many rows were refused so far, by named reason."""

    @property
    def missing(self) -> Sequence[str]:
        """Return the wanted symbols that this market does not have."""

    def describe(self) -> str:
        """Return one line for people: what this market is."""

    def history(self, depth: Mapping[str, int]) -> Iterator[Sequence[Bar]]:
        """Yield the minute bars that ended at or before :attr:`start`, oldest first, one minute a batch.

        ``depth`` asks for at least so many newest bars per symbol, where there are as many.
        """

    def ticks(self) -> Generator[Ticks, None, None]:
        """Yield what happened after :attr:`start` in time order; all bars of one minute come in one batch.

        ``Ticks.ts`` is when the batch became knowable: for bars the end of their minute. Closing the generator lets go
        of what the feed holds.
        """


class BrokerAdapter(Protocol):
    """A venue that takes approved orders."""

    def submit(self, approved: Approved, crossed: Decimal = ZERO) -> None:
        """Send what of an order was not ``crossed`` between sandboxes; its outcome arrives as reports."""

    def cancel(self, order_id: str, ts: int) -> None:
        """Ask for a cancel; its outcome arrives as a report."""


class SimulatedBroker(BrokerAdapter, Protocol):
    """A venue inside this program, which sees the market that it is shown."""

    def observe(self, ticks: Sequence[Tick]) -> None:
        """Show the venue the market, before the desk sees it."""

    def reports(self) -> list[ExecutionReport]:
        """Take the reports that have arrived since the last call, oldest first."""
