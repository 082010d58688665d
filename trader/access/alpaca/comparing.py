"""Books and account beside each other: what three readings agree on is told, and never mended here. Pure.

A reading counts for a symbol when no order of ours in it is open and nothing was executed in it since the reading
before, by us or by others: lists of orders and of positions are of different instants. A symbol that differs by the
same quantity in :data:`AGREEING` such readings is Mismatched; one that was, and agrees as often, is Settled. So is one
locked for what exceeded an order, once none of that stands. Locks of another cause are left to a person.

Cash that differs is told in the log with what is known to explain it, and locks nothing.
"""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Final

import msgspec
import structlog

from trader.access.alpaca.outside import BEYOND, EXCESS
from trader.books.ledger import Ledger
from trader.model.events import SymbolLocked
from trader.model.inputs import Mismatched, Settled
from trader.model.money import EXACT, ZERO, plain
from trader.model.time import SECOND

log = structlog.get_logger()

CAUSE: Final = "reconciliation"
AGREEING: Final = 3
APART: Final = 10 * SECOND  # two readings at least so far apart are two: orders and positions differ for so long
DRIFTED: Final = f"{AGREEING} readings of the account agree"


class Reading(msgspec.Struct, frozen=True):
    """An account as it was read at ``ts``: signed quantities by symbol, in the desk's spelling, and dollars."""

    ts: int
    number: str
    cash: Decimal
    positions: Mapping[str, Decimal]


class Comparison:
    """Compares readings of one account with its books."""

    def __init__(self, ledger: Ledger) -> None:
        """Have no reading yet."""
        self.last: Reading | None = None
        self.residual = ZERO  # what the account has more than the books, in dollars, as last agreed on
        self._ledger = ledger
        self._doubts: dict[str, tuple[Decimal, int]] = {}  # by symbol: how it differs, and in how many readings
        self._cash = (ZERO, 0)

    @property
    def is_settled(self) -> bool:
        """Tell whether there was a reading, and every difference in it is told."""
        return self.last is not None and all(count >= AGREEING for _, count in self._doubts.values())

    @property
    def is_waited_for(self) -> bool:
        """Tell whether more readings are wanted soon: for a difference, or for a lock that may have lost its cause."""
        locks = (lock for lock in self._ledger.account.locks.values() if self._is_for_readings(lock))
        return not self.is_settled or any(lock.symbol not in self._doubts for lock in locks)

    def take(
        self,
        reading: Reading,
        *,
        moving: Collection[str],
        executed_at: Mapping[str, int],
        explained: Mapping[str, Decimal],
    ) -> list[Mismatched | Settled]:
        """Compare a reading; ``moving`` are symbols with open orders of ours, ``explained`` names parts of the cash.

        ``executed_at`` says when something was last executed, by symbol.
        """
        before = reading.ts if self.last is None else self.last.ts
        if self.last is not None and reading.ts - before < APART:
            return []
        self.last = reading
        booked, locks = self._ledger.holdings(), self._ledger.account.locks
        told: list[Mismatched | Settled] = []
        for symbol in sorted(booked.keys() | reading.positions.keys() | locks.keys()):
            if symbol in moving or executed_at.get(symbol, 0) >= before:
                self._doubts.pop(symbol, None)
                continue
            held, expected = reading.positions.get(symbol, ZERO), booked.get(symbol, ZERO)
            told += self._look(reading.ts, symbol, held, expected)
        if max(executed_at.values(), default=0) < before:
            self._look_at_cash(reading, explained)
        return told

    def _look(self, now: int, symbol: str, held: Decimal, expected: Decimal) -> list[Mismatched | Settled]:
        difference, lock = EXACT.subtract(held, expected), self._ledger.account.locks.get(symbol)
        if not difference and lock is None:
            self._doubts.pop(symbol, None)
            return []
        before, count = self._doubts.get(symbol, (difference, 0))
        count = count + 1 if before == difference else 1
        self._doubts[symbol] = (difference, count)
        if count < AGREEING or (lock is not None and not self._is_for_readings(lock)):
            return []
        if not difference:
            del self._doubts[symbol]
            return [Settled(now, symbol, CAUSE)]
        if lock is not None and (lock.held, lock.expected) == (held, expected):
            return []
        return [Mismatched(now, symbol, held, expected, DRIFTED)]

    def _is_for_readings(self, lock: SymbolLocked) -> bool:
        """Tell whether readings alone decide on a lock."""
        over = (one for name, one in self._ledger.account.executions.items() if name.endswith(EXCESS))
        is_over = any(one is not None and one.symbol == lock.symbol for one in over)
        return lock.why == DRIFTED or (lock.why.endswith(BEYOND) and not is_over)

    def _look_at_cash(self, reading: Reading, explained: Mapping[str, Decimal]) -> None:
        residual = EXACT.subtract(reading.cash, self._ledger.cash())
        before, count = self._cash
        self._cash = (residual, count + 1 if before == residual else 1)
        if self._cash[1] < AGREEING or residual == self.residual:
            return
        self.residual = residual
        known = {name: plain(amount) for name, amount in explained.items() if amount}
        log.warning("cash.compared", held=plain(reading.cash), residual=plain(residual), known=known)
