"""What other hands do in our account: their orders are left alone, their executions told as external, each once. Pure.

So is what exceeds an order of ours, under the execution's name with :data:`EXCESS` behind it.
"""

from collections.abc import Sequence
from typing import Final

from trader.access.alpaca.executions import Booked, Executions, Fill, Told, parts_of
from trader.access.fees import RegulatoryFees, fee_of
from trader.books.ledger import Ledger
from trader.model.events import ExternalFilled
from trader.model.inputs import ExternalReported
from trader.model.instruments import instrument_of
from trader.model.money import EXACT, ZERO
from trader.model.orders import ExecutionReport, OrderStatus, Side

KEPT: Final = 10_000  # orders that are told apart from new ones
EXCESS: Final = "+over"
BEYOND: Final = "filled beyond its quantity"  # what is noted then, and at the end of why its symbol is locked


class Outside:
    """Orders that are not ours."""

    def __init__(self, regulatory: RegulatoryFees) -> None:
        """Know none."""
        self._regulatory = regulatory
        self._orders: dict[str, Executions | None] = {}  # by the venue's id; None: not to be counted
        self._reports: list[ExternalReported] = []
        self._booked: frozenset[str] = frozenset()  # in an earlier life
        self._undone: frozenset[str] = frozenset()  # likewise: the venue's ids of what was taken back

    def recall(self, ledger: Ledger) -> dict[str, ExternalFilled]:
        """Know what the books have of them; return what executions of ours brought beyond their orders, by name."""
        beyond: dict[str, ExternalFilled] = {}
        self._booked = frozenset(ledger.account.executions)
        self._undone = frozenset(
            parts_of(name)[0] for name, filled in ledger.account.executions.items() if filled is None
        )
        for name, filled in ledger.account.executions.items():
            if filled is not None and name.endswith(EXCESS):
                beyond[name.removesuffix(EXCESS)] = filled
            elif filled is not None:
                known = self._orders.setdefault(filled.order_id, Executions(filled.order_id))
                assert known is not None, "nothing else is known yet"
                known.restore(name, filled)
        return beyond

    def knows(self, venue_id: str) -> bool:
        """Tell whether an order was heard of."""
        return venue_id in self._orders

    def meet(self, venue_id: str, *, is_counted: bool = True) -> None:
        """Hear of an order; one that ``is_counted`` no more was ours, and what it brought is in the books."""
        if venue_id not in self._orders:
            self._of(venue_id)
            if not is_counted:
                self._orders[venue_id] = None

    def take(self, venue_id: str, symbol: str, side: str | None, told: Told, *, now: int) -> None:
        """Take an execution, or its reversal, as it was told."""
        executions = self._of(venue_id)
        if executions is None or side not in {"buy", "sell"} or executions.knows(told.venue_id):
            return
        if told.venue_id in self._undone or (told.kind == "trade_bust" and told.undoes in self._undone):
            return
        booked: Booked | None
        if told.kind == "fill" or told.undoes in self._undone:
            booked = executions.take(told)
        else:
            old = executions.find(told)
            if old is not None and not old.is_undone:
                executions.undo(old)
                self._tell(venue_id, symbol, Side(side), old, now=now, is_undone=True)
            booked = executions.correct(told, old) if old is not None and told.kind == "trade_correct" else None
        if booked is not None:
            self._tell(venue_id, symbol, Side(side), booked, now=now)

    def recover(self, first: Fill, fills: Sequence[Told], restated: Sequence[Told], *, now: int) -> None:
        """Take activities of the order that ``first`` is of: executions, and what was taken back or corrected."""
        executions = self._of(first.venue_order_id)
        if executions is None or first.side not in {"buy", "sell"}:
            return
        standing = [told for told in fills if told.venue_id not in self._undone]
        for booked in executions.recover(standing, restated, is_whole=False)[1]:
            self._tell(first.venue_order_id, first.symbol, Side(first.side), booked, now=now)
        for told in restated:
            self.take(first.venue_order_id, first.symbol, first.side, told, now=now)

    def exceed(
        self, venue_id: str, symbol: str, side: Side, booked: Booked, *, now: int, is_undone: bool = False
    ) -> bool:
        """Tell what an execution has beyond an order of ours; return False where it was told in an earlier life."""
        told = Told(
            f"{booked.name}{EXCESS}", ZERO, EXACT.subtract(booked.qty, booked.qty_told), booked.price, booked.ts
        )
        over = Booked(told.venue_id, told)
        return self._tell(venue_id, symbol, side, over, now=now, is_undone=is_undone)

    def reports(self) -> list[ExternalReported]:
        """Take what was told since the last call."""
        taken, self._reports = self._reports, []
        return taken

    def _of(self, venue_id: str) -> Executions | None:
        if venue_id not in self._orders:
            if len(self._orders) >= KEPT:
                del self._orders[next(iter(self._orders))]
            self._orders[venue_id] = Executions(venue_id)
        return self._orders[venue_id]

    def _tell(
        self, venue_id: str, symbol: str, side: Side, booked: Booked, *, now: int, is_undone: bool = False
    ) -> bool:
        if booked.name in self._booked and not is_undone:
            return False
        fee, asset = fee_of(
            side, booked.qty, price=booked.price, instrument=instrument_of(symbol), regulatory=self._regulatory
        )
        self._reports.append(ExternalReported(now, symbol, side, ExecutionReport(
            order_id=venue_id,
            status=OrderStatus.PARTIALLY_FILLED,
            ts=now if is_undone else booked.ts,
            execution_id=f"{booked.name}!bust" if is_undone else booked.name,
            qty=booked.qty,
            price=booked.price,
            fee=fee,
            fee_asset=asset,
            reverses=booked.name if is_undone else "",
        )))  # fmt: skip
        return True
