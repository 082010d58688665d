"""A desk as operators see it: read out of the engine's books, the broker's last reading and the journal."""

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from trader.books.ledger import Ledger
from trader.engine.engine import Engine
from trader.errors import StoreError
from trader.live.control_messages import (
    MOST_TRADES,
    AbsentOrder,
    AskWhy,
    ListTrades,
    Reconciliation,
    States,
    SymbolLine,
    Trade,
    Trades,
)
from trader.live.risk_view import Seen, seen
from trader.live.trade_list import TradeSearch, trades_of
from trader.live.why import Memory, Why, WhySearch, answer, standing, topic_of
from trader.model.conduct import Override
from trader.model.events import Event
from trader.model.money import EXACT, ZERO, plain
from trader.model.orders import OrderStatus, TradingState
from trader.model.time import iso
from trader.store.journal import Journal

# Runs a function on the journal between two commits.
OnJournal = Callable[[Callable[[Journal], None]], Awaitable[None]]

TRADED = "traded since the account was read"


class AccountReading(msgspec.Struct, frozen=True):
    """The account as it was read last, at ``ts``: signed quantities by symbol, without zeros, and dollars.

    Of what was ``traded`` since, it says nothing any more.
    """

    ts: int
    positions: Mapping[str, Decimal]
    cash: Decimal
    traded: Collection[str] = frozenset()


class DeskView:
    """One engine, read on the loop's thread between two inputs."""

    def __init__(
        self,
        engine: Engine,
        *,
        mode: str,
        now: Callable[[], int],
        account: Callable[[], AccountReading | None],
        journal: Journal | None,
        on_journal: OnJournal,
    ) -> None:
        """Look at ``engine``; ``account`` gives the broker's last reading, None where there is none.

        ``on_journal`` runs what reads ``journal`` between two commits; without a journal, the newest executions are
        kept here by :meth:`note`.
        """
        self._engine = engine
        self._mode = mode
        self._now = now
        self._account = account
        self._journal = journal
        self._on_journal = on_journal
        self._newest: deque[Trade] = deque(maxlen=MOST_TRADES)
        self._memory = Memory(len(engine.sandboxes))

    def now(self) -> int:
        """Return the desk's time (ns UTC)."""
        return self._now()

    def note(self, events: Sequence[Event]) -> None:
        """Keep executions and decisions of a run that has no journal."""
        if self._journal is None:
            self._newest += trades_of(events)
            self._memory.note(events)

    def states(self) -> States:
        """Return what everyone may do now."""
        ledger = self._engine.desk.ledger
        names = [sandbox.spec.name for sandbox in self._engine.sandboxes]
        strategies = {name: ledger.books[name].state.value for name in names if name in ledger.books}
        return States(self._mode, os.getpid(), ledger.account.state.value, strategies)

    @property
    def is_halted(self) -> bool:
        """Tell whether the whole desk is."""
        return self._engine.desk.ledger.account.state is TradingState.HALTED

    def reconciliation(self) -> Reconciliation:
        """Return books and account beside each other."""
        return compare(self._engine.desk.ledger, self._account(), mode=self._mode)

    async def trades(self, wanted: ListTrades) -> Trades:
        """Return executions out of the journal; commits go on between the windows that are read."""
        if self._journal is None:
            own = [trade for trade in self._newest if wanted.strategy in {"", trade.strategy}]
            return Trades(own[-wanted.limit :])
        search = TradeSearch(wanted)
        while not search.is_done:
            await self._on_journal(search.step)
        return search.answer()

    def symbols_of(self, strategy: str) -> Collection[str]:
        """Return what a strategy of this desk trades."""
        return self._engine.desk.sandboxes[strategy].slots

    async def why(self, wanted: AskWhy) -> Why:
        """Return how a strategy stands now, and its decisions out of the journal, or what is remembered of them."""
        topic = topic_of(wanted, self._engine)
        if self._journal is None:
            return answer(standing(self._engine, topic), self._memory.decisions(topic), wanted.limit)
        search = WhySearch(topic, wanted.limit)
        while not search.is_done:
            await self._on_journal(search.step)
        return answer(standing(self._engine, topic), search.found, wanted.limit, is_cut=search.is_cut)

    def seen(self) -> Seen:
        """Return what the desk's risk is measured of. Raises Declined."""
        return seen(self._engine, mode=self._mode, now=self._now())

    def overrides(self) -> Mapping[int, Override]:
        """Return the exceptions that were asked for or granted and not used, by number."""
        return self._engine.desk.ledger.conduct.overrides

    async def backup(self, path: Path) -> None:
        """Copy the journal while it is written. Raises OSError, or TraderError."""
        if self._journal is None:
            raise StoreError("this run keeps no journal: its market is simulated")
        await asyncio.to_thread(self._journal.backup, path)


def compare(ledger: Ledger, reading: AccountReading | None, *, mode: str) -> Reconciliation:
    """Set books and account beside each other, symbol by symbol, and the cash."""
    sandboxes = ZERO
    for book in ledger.books.values():
        sandboxes = EXACT.add(sandboxes, book.cash)
    return Reconciliation(
        mode=mode,
        read="" if reading is None else iso(reading.ts),
        symbols=_symbols(ledger, reading),
        cash_held=None if reading is None else plain(reading.cash),
        cash_sandboxes=plain(sandboxes),
        cash_unallocated=plain(ledger.account.cash),
        cash_difference=(
            None if reading is None or reading.traded else plain(EXACT.subtract(reading.cash, ledger.cash()))
        ),
        absent=_absent(ledger),
    )


def _symbols(ledger: Ledger, reading: AccountReading | None) -> list[SymbolLine]:
    """Return a line for each symbol that anybody holds or that is locked; a lock's figures are those it was made of."""
    expected, external, locks = ledger.holdings(), ledger.account.external, ledger.account.locks
    held, traded = ({}, frozenset()) if reading is None else (reading.positions, reading.traded)
    lines = []
    for symbol in sorted({*expected, *external, *held, *locks}):
        lock, own = locks.get(symbol), external.get(symbol, ZERO)
        booked = expected.get(symbol, ZERO)
        has = None if reading is None else held.get(symbol, ZERO)
        difference = None if has is None or symbol in traded else EXACT.subtract(has, booked)
        if lock is not None:
            difference = EXACT.subtract(lock.held, lock.expected)
            has = EXACT.add(booked, difference) if has is None else has
        lines.append(
            SymbolLine(
                symbol=symbol,
                held=None if has is None else plain(has),
                sandboxes=plain(EXACT.subtract(booked, own)),
                external=plain(own),
                difference=None if difference is None else plain(difference),
                locked=lock is not None,
                why=lock.why if lock is not None else TRADED if symbol in traded else "",
            )
        )
    return lines


def _absent(ledger: Ledger) -> list[AbsentOrder]:
    return [
        AbsentOrder(
            order_id=order_id,
            strategy=record.approved.intent.strategy,
            symbol=record.approved.intent.symbol,
            side=record.approved.intent.side,
            qty=plain(record.approved.intent.qty),
            reserved=plain(record.reserved),
        )
        for order_id, record in ledger.orders.items()
        if record.status is OrderStatus.ABSENT
    ]
