"""The simulated venue: takes approved market orders, watches the market, answers with execution reports. Pure.

``next_open`` fills at the open of the first bar that begins at or after the order's arrival; ``next_quote`` at the
first quote from then on, a buy at the ask, a sell at the bid; ``signal_price`` at the price the order was decided at,
at once, whatever the latency. Slippage makes each of them worse. An order waits as long as it takes, over the night
too, and a cancel that is late by the latency is carried out at the symbol's next tick.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from trader.access.sim.fills import VenueRules, fee_of, first_part, price_of
from trader.model.instruments import Instrument
from trader.model.money import EXACT, decimal_of
from trader.model.orders import Approved, ExecutionReport, OrderStatus, Side
from trader.model.ticks import Bar, Quote, Tick
from trader.model.time import MINUTE


class SimExchange:
    """A :class:`~trader.access.ports.BrokerAdapter` without a network, a clock or chance."""

    def __init__(self, rules: VenueRules, instruments: Mapping[str, Instrument]) -> None:
        """Begin without orders."""
        self._rules = rules
        self._instruments = instruments
        self._resting: dict[str, list[_Resting]] = {}
        self._by_id: dict[str, _Resting] = {}
        self._reports: list[ExecutionReport] = []
        self._executions = 0

    def submit(self, approved: Approved) -> None:
        """Take an order; it can fill from its time plus the latency on."""
        at_once = self._rules.fill == "signal_price"
        order = _Resting(approved, approved.intent.ts + (0 if at_once else self._rules.latency_ns))
        self._reports.append(ExecutionReport(approved.order_id, OrderStatus.OPEN, order.arrival))
        self._by_id[approved.order_id] = order
        self._resting.setdefault(approved.intent.symbol, []).append(order)
        if at_once:
            self._execute(order, order.arrival, reference=approved.intent.decision_price)

    def cancel(self, order_id: str, ts: int) -> None:
        """Cancel what has not filled by the time the request arrives; an order that is gone is left as it is."""
        order = self._by_id.get(order_id)
        if order is None:
            return
        order.cancel_at = ts + self._rules.latency_ns
        if not self._rules.latency_ns:
            self._end(order, ts)

    def observe(self, ticks: Sequence[Tick]) -> None:
        """Fill what the market fills."""
        if not self._resting:
            return
        for tick in ticks:
            orders = self._resting.get(tick.symbol)
            if orders is not None:
                self._match(tick, tuple(orders))

    def reports(self) -> list[ExecutionReport]:
        """Take the reports made since the last call, oldest first."""
        taken, self._reports = self._reports, []
        return taken

    def _match(self, tick: Tick, orders: Sequence["_Resting"]) -> None:
        ts = tick.ts - MINUTE if isinstance(tick, Bar) else tick.ts
        for order in orders:
            if order.cancel_at is not None and ts >= order.cancel_at:
                self._end(order, order.cancel_at)
            elif ts >= order.arrival:
                self._offer(order, tick, ts)

    def _offer(self, order: "_Resting", tick: Tick, ts: int) -> None:
        """Fill an order if this kind of tick is what it waits for."""
        if isinstance(tick, Bar) and self._rules.fill == "next_open":
            self._execute(order, ts, reference=decimal_of(tick.open))
        elif isinstance(tick, Quote) and self._rules.fill == "next_quote":
            far = tick.ask if order.approved.intent.side is Side.BUY else tick.bid
            self._execute(order, ts, reference=decimal_of(far))

    def _end(self, order: "_Resting", ts: int) -> None:
        self._forget(order)
        self._reports.append(ExecutionReport(order.approved.order_id, OrderStatus.CANCELED, ts))

    def _execute(self, order: "_Resting", ts: int, *, reference: Decimal) -> None:
        intent = order.approved.intent
        instrument = self._instruments[intent.symbol]
        price = price_of(reference, intent.side, rules=self._rules, instrument=instrument)
        qty = order.left
        if self._rules.has_partial_fills and qty == intent.qty:
            qty = first_part(order.approved.order_id, qty, instrument=instrument)
        order.left = EXACT.subtract(order.left, qty)
        fee, asset = fee_of(intent.side, qty, price=price, rules=self._rules, instrument=instrument)
        self._executions += 1
        status = OrderStatus.PARTIALLY_FILLED if order.left else OrderStatus.FILLED
        self._reports.append(
            ExecutionReport(
                order.approved.order_id, status, ts, f"sim-x{self._executions:06d}", qty, price, fee, asset
            )
        )  # fmt: skip
        if not order.left:
            self._forget(order)
        elif self._rules.fill == "signal_price":
            self._execute(order, ts, reference=reference)

    def _forget(self, order: "_Resting") -> None:
        del self._by_id[order.approved.order_id]
        symbol = order.approved.intent.symbol
        self._resting[symbol].remove(order)
        if not self._resting[symbol]:
            del self._resting[symbol]


class _Resting:
    __slots__ = ("approved", "arrival", "cancel_at", "left")

    def __init__(self, approved: Approved, arrival: int) -> None:
        self.approved = approved
        self.arrival = arrival
        self.left = approved.intent.qty
        self.cancel_at: int | None = None
