"""Seeded combinations of everything that goes wrong: in the end nothing is open and the books are the account's."""

from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pytest

from tests.access.alpaca.desks import SYMBOLS, Desk, desk
from tests.waiting import until
from trader.access.alpaca import submission
from trader.access.sim.venue_orders import ENDED, OrderRequest
from trader.exchange.rest_faults import FaultKind, RestFault
from trader.model.orders import TERMINAL, Side
from trader.model.time import SECOND

STEPS = 60
KINDS: tuple[FaultKind, ...] = ("status", "accepted", "lost", "late", "overtaken", "garbage")
STATUSES = (429, 500, 503, 504)


class Storm:
    """One desk and what happens to it, drawn from a seed."""

    def __init__(self, one: Desk, seed: int) -> None:
        self.one = one
        self.account = one.at.venue.accounts[one.at.key.account]
        self.draw = np.random.default_rng(seed)
        self.deeds: list[Callable[[], object]] = [
            self.buy, self.buy, self.buy, self.sell, self.sell, self.cancel, self.spoil_answers, self.spoil_answers,
            self.spoil_updates, self.drop, self.strike, self.restate, self.interfere,
        ]  # fmt: skip

    def number(self, below: int) -> int:
        return int(self.draw.integers(below))

    def step(self) -> None:
        self.deeds[self.number(len(self.deeds))]()
        self.one.at.flush()

    async def moment(self) -> None:
        """Let up to two seconds of the market's time pass."""
        clock = self.one.at.clock
        later = clock.now() + self.number(8) * SECOND * 3 // 10
        await until(lambda: clock.now() >= later)

    def buy(self) -> None:
        symbol = SYMBOLS[self.number(len(SYMBOLS))]
        self.one.order(symbol, "buy", "0.01" if "/" in symbol else str(1 + self.number(7)))

    def sell(self) -> None:
        symbol = SYMBOLS[self.number(len(SYMBOLS))]
        intents = [r.approved.intent for r in self.one.ledger.orders.values() if r.status not in TERMINAL]
        if (held := self.one.held().get(symbol)) and not any(
            intent.symbol == symbol and intent.side is Side.SELL for intent in intents
        ):
            self.one.order(symbol, "sell", str(held))

    def cancel(self) -> None:
        if working := self.one.broker.tracker.open():
            self.one.broker.cancel(working[self.number(len(working))].order_id, 0)

    def spoil_answers(self) -> None:
        match = ("", "POST", "GET", "DELETE")[self.number(4)]
        kind = KINDS[self.number(len(KINDS))]
        self.one.at.rest_faults.arm(RestFault(kind=kind, match=match, delay_s=0.1, status=STATUSES[self.number(4)]))

    def spoil_updates(self) -> None:
        hub = self.one.at.trading
        (hub.lose, hub.duplicate, hub.reorder)[self.number(3)](1 + self.number(3))

    def drop(self) -> None:
        if self.number(2):
            self.one.at.lines["trading"].drop()
        else:
            self.one.at.lines["trading"].mute(self.one.at.clock.now() + 10 * SECOND)

    def strike(self) -> None:
        if working := list(self.account.working):
            ending = ("canceled", "rejected", "expired")[self.number(3)]
            venue, now = self.one.at.venue, self.one.at.clock.now()
            venue.strike(self.account.name, working[self.number(len(working))], ending, now=now)  # type: ignore[arg-type]

    def restate(self) -> None:
        rows = [row for row in self.account.executions.values() if self.account.orders[row.order_id].status in ENDED]
        if rows:
            row = rows[self.number(len(rows))]
            venue, now = self.one.at.venue, self.one.at.clock.now()
            if self.number(2):
                venue.bust(self.account.name, row.execution_id, now=now)
            else:
                venue.correct(self.account.name, row.execution_id, price=(row.price or Decimal(1)) + 1, now=now)

    def interfere(self) -> None:
        """Buy by another hand."""
        self.one.at.venue.submit(
            self.account.name, OrderRequest("QQQ", Side.BUY, qty=Decimal(1)), now=self.one.at.clock.now()
        )


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_goes_wrong_together_the_books_are_the_accounts(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "SETTLED_REAL_S", 0.5)
    async with desk() as one:
        storm = Storm(one, seed)
        for _ in range(STEPS):
            storm.step()
            await storm.moment()
        one.at.rest_faults.armed.clear()
        await until(lambda: not one.broker.open_orders)
        await until(lambda: _agree(one))
        one.check()


def _agree(one: Desk) -> bool:
    try:
        one.check()
    except AssertionError:
        return False
    return True
