"""Executions out of the journal, newest first found: it is read backwards, a window of records at a time."""

from collections.abc import Sequence
from itertools import takewhile

from trader.books.book import CROSSED
from trader.live.control_messages import ListTrades, Trade, Trades
from trader.model.events import Event, FillReversed, OrderFilled
from trader.model.money import plain
from trader.model.time import iso
from trader.store.journal import Journal

WINDOW = 2000  # records: some 20 ms, for which the commits of a running desk wait
MOST_WINDOWS = 100  # in one answer; the next one goes on where it ends


class TradeSearch:
    """Looks for what ``wanted`` says; :meth:`step` until :attr:`is_done`, then :meth:`answer`."""

    def __init__(self, wanted: ListTrades) -> None:
        """Begin at the end of the journal, or before the record that ``wanted`` names."""
        self._wanted = wanted
        self._until = None if wanted.before is None else wanted.before - 1  # the newest record not looked at
        self._windows = 0
        self._found: list[Trade] = []  # oldest first

    @property
    def is_done(self) -> bool:
        """Tell whether there is enough, or nothing more, or this is enough work for one answer."""
        return self._until == 0 or len(self._found) >= self._wanted.limit or self._windows >= MOST_WINDOWS

    def step(self, journal: Journal) -> None:
        """Look at one window of records. Raises StoreError."""
        until = journal.last if self._until is None else min(self._until, journal.last)
        after = max(0, until - WINDOW)
        records = takewhile(lambda record: record.number <= until, journal.read(after))
        of_records = [(record.number, trades_of(record.events, strategy=self._wanted.strategy)) for record in records]
        self._until, self._windows = after, self._windows + 1
        for number, trades in reversed(of_records):
            if len(self._found) >= self._wanted.limit:
                self._until = number  # records are shown whole, so that the next answer begins with one
                return
            self._found[:0] = trades

    def answer(self) -> Trades:
        """Return what was found."""
        return Trades(self._found, self._until + 1 if self._until else None)


def trades_of(events: Sequence[Event], *, strategy: str = "") -> list[Trade]:
    """Return the executions among events, those of one strategy or of all, and those that were taken back."""
    return [
        _trade(event)
        for event in events
        if isinstance(event, OrderFilled | FillReversed) and strategy in {"", event.strategy}
    ]


def _trade(event: OrderFilled | FillReversed) -> Trade:
    return Trade(
        ts=iso(event.ts),
        strategy=event.strategy,
        symbol=event.symbol,
        side=event.side,
        qty=plain(event.qty),
        price=plain(event.price),
        fee=plain(event.fee),
        fee_asset=event.fee_asset,
        realized=plain(event.realized),
        reason=event.reason if isinstance(event, OrderFilled) else "",
        crossed=event.execution_id.startswith(CROSSED),
        reversed=isinstance(event, FillReversed),
        order_id=event.order_id,
        execution_id=event.execution_id,
    )
