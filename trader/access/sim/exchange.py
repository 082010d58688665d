"""The desk's simulated venue: takes approved market orders, watches the market, answers with execution reports. Pure.

Orders meet the market as at the venue that behaves like Alpaca (:mod:`~trader.access.sim.book`), and pay the same
slippage and fees; only sessions, refusals and an account are missing, for the desk's sandboxes have limits and money of
their own. ``next_open`` fills at the open of the first bar that begins at or after the order's arrival; ``next_quote``
at the first quote from then on, a buy at the ask, a sell at the bid; ``signal_price`` at the price the order was
decided at, at once, whatever the latency. An order waits as long as it takes, over the night too, and a cancel that is
late by the latency is carried out at the symbol's next tick.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from trader.access.sim.book import Market, at, meets_bar, meets_quote, prices_of
from trader.access.sim.fills import VenueRules, fee_of, first_part
from trader.access.sim.venue_orders import PositionIntent, VenueAsset, VenueOrder
from trader.access.sim.working import Working
from trader.model.instruments import Instrument
from trader.model.money import EXACT, ZERO
from trader.model.orders import Approved, ExecutionReport, OrderIntent, OrderStatus, Side
from trader.model.ticks import Bar, Quote, Tick
from trader.model.time import MINUTE


class SimExchange:
    """A :class:`~trader.access.ports.BrokerAdapter` without a network, a clock or chance."""

    def __init__(self, rules: VenueRules, instruments: Mapping[str, Instrument]) -> None:
        """Begin without orders."""
        self._rules = rules
        self._assets = {symbol: VenueAsset(instrument) for symbol, instrument in instruments.items()}
        self._market = Market()  # the quote at hand, of whichever symbol
        self._resting: dict[str, list[Working]] = {}
        self._by_id: dict[str, Working] = {}
        self._reports: list[ExecutionReport] = []
        self._executions = 0

    def submit(self, approved: Approved, crossed: Decimal = ZERO) -> None:
        """Take what of an order was not crossed; it can fill from its time plus the latency on."""
        at_once = self._rules.fill == "signal_price"
        intent = approved.intent
        arrival = intent.ts + (0 if at_once else self._rules.latency_ns)
        working = Working(
            intent.strategy, _order_of(approved, crossed), self._assets[intent.symbol], sequence=0, arrival=arrival
        )
        self._reports.append(ExecutionReport(approved.order_id, OrderStatus.OPEN, arrival))
        self._by_id[approved.order_id] = working
        self._resting.setdefault(intent.symbol, []).append(working)
        while at_once and working.left:
            self._fill(working, at(working, intent.decision_price, self._rules), arrival)

    def cancel(self, order_id: str, ts: int) -> None:
        """Cancel what has not filled by the time the request arrives; an order that is gone is left as it is."""
        working = self._by_id.get(order_id)
        if working is None:
            return
        working.cancel_at = ts + self._rules.latency_ns
        if not self._rules.latency_ns:
            self._end(working, ts)

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

    def _match(self, tick: Tick, orders: Sequence[Working]) -> None:
        ts = tick.ts - MINUTE if isinstance(tick, Bar) else tick.ts
        for working in orders:
            if working.cancel_at is not None and ts >= working.cancel_at:
                self._end(working, working.cancel_at)
            elif ts >= working.arrival:
                self._fill(working, self._price(working, tick), ts)

    def _price(self, working: Working, tick: Tick) -> Decimal | None:
        """Return the price an order gets, None if this kind of tick is not what it waits for."""
        if isinstance(tick, Bar) and self._rules.fill == "next_open":
            return meets_bar(working, prices_of(tick), self._rules)
        if isinstance(tick, Quote) and self._rules.fill == "next_quote":
            self._market.take(tick)
            return meets_quote(working, self._market, self._rules)
        return None

    def _end(self, working: Working, ts: int) -> None:
        self._forget(working)
        self._reports.append(ExecutionReport(working.order.id, OrderStatus.CANCELED, ts))

    def _fill(self, working: Working, price: Decimal | None, ts: int) -> None:
        if price is None:
            return
        order, rules, instrument, qty = working.order, self._rules, working.asset.instrument, working.left
        if rules.has_partial_fills and not order.filled_qty:
            qty = first_part(order.id, qty, instrument=instrument)
        working.order = msgspec.structs.replace(order, filled_qty=EXACT.add(order.filled_qty, qty))
        fee, asset = fee_of(order.side, qty, price=price, rules=rules, instrument=instrument)
        self._executions += 1
        status = OrderStatus.PARTIALLY_FILLED if working.left else OrderStatus.FILLED
        self._reports.append(
            ExecutionReport(order.id, status, ts, f"sim-x{self._executions:06d}", qty, price, fee, asset)
        )
        if not working.left:
            self._forget(working)

    def _forget(self, working: Working) -> None:
        symbol = working.order.symbol
        del self._by_id[working.order.id]
        self._resting[symbol].remove(working)
        if not self._resting[symbol]:
            del self._resting[symbol]


def _order_of(approved: Approved, crossed: Decimal) -> VenueOrder:
    intent = approved.intent
    return VenueOrder(
        id=approved.order_id,
        client_order_id=approved.order_id,
        symbol=intent.symbol,
        asset_class="crypto" if "/" in intent.symbol else "stock",
        side=intent.side,
        type="market",
        time_in_force="gtc",
        position_intent=_effect(intent),
        status="new",
        created_at=intent.ts,
        updated_at=intent.ts,
        submitted_at=intent.ts,
        qty=EXACT.subtract(intent.qty, crossed),
    )


def _effect(intent: OrderIntent) -> PositionIntent:
    if intent.reduces:
        return "buy_to_close" if intent.side is Side.BUY else "sell_to_close"
    return "buy_to_open" if intent.side is Side.BUY else "sell_to_open"
