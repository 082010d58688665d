"""What the desk is connected to during a run: a market, a broker, and the clock of both."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Protocol

from trader.access.ports import BrokerAdapter
from trader.books.ledger import Ledger
from trader.live.clock import MarketClock
from trader.live.desk_view import AccountReading
from trader.model.inputs import Input, Opened
from trader.model.ticks import Bar


class World(Protocol):
    """One market and one broker; the coordinator opens it, learns its history, takes its inputs, and closes it."""

    @property
    def mode(self) -> str:
        """Return SIM, PAPER or LIVE: whose money moves."""

    @property
    def broker(self) -> BrokerAdapter:
        """Return where approved orders go."""

    @property
    def clock(self) -> MarketClock:
        """Return the market's time, and what ends every wait."""

    def describe(self) -> str:
        """Return one line for people: what market this is."""

    async def open(self, ledger: Ledger) -> Opened:
        """Connect and check; return what opens the desk, whose ``ledger`` has recovered, or is empty.

        Raises:
            TraderError: nothing can be traded; the text says why.
        """

    def history(self, depth: Mapping[str, int]) -> AsyncIterator[Sequence[Bar]]:
        """Yield the minute bars before the first live one, oldest first, one minute a batch.

        ``depth`` asks for at least so many newest bars per symbol, where there are as many.
        """

    def inputs(self, wake: Callable[[], int | None]) -> AsyncGenerator[Input, None]:
        """Yield what happens, and the wakings that the desk asks for by ``wake``, earliest first."""

    def settle(self) -> AsyncGenerator[Input, None]:
        """Withdraw what is still open and yield what becomes of it, for a bounded time."""

    def account(self) -> AccountReading | None:
        """Return what the broker's account holds, as it was read last; None where there is none."""

    def fail(self, error: Exception) -> None:
        """End the inputs with ``error``."""

    async def close(self) -> None:
        """Let go of everything, in order."""
