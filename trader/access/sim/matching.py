"""The life of orders at the simulated venue: they arrive, meet the market, end, and take their group along. Pure.

An order is ``accepted`` while its session is closed, else ``pending_new``; it is ``new`` once it can be matched. A
cancel takes the venue's latency too (``pending_cancel`` meanwhile), and an order may fill until then. Whatever happens
to an order is told by a trade update. Market and orders know no clock: time is what :meth:`Matching.advance` says.
"""

import heapq
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from trader.access.sim.accounts import Account
from trader.access.sim.book import Market, at, meets_bar, meets_quote, prices_of
from trader.access.sim.execution import execute
from trader.access.sim.fills import VenueRules, first_part
from trader.access.sim.venue_orders import (
    ENDED,
    Ending,
    Event,
    Sessions,
    Status,
    TradeUpdate,
    VenueAsset,
    VenueOrder,
)  # fmt: skip
from trader.access.sim.working import Working
from trader.model.calendar import Phase
from trader.model.money import EXACT, NANO, ZERO, divide, floor_to
from trader.model.ticks import Bar, Tick, Trade
from trader.model.time import DAY, MINUTE

_AT_ONCE = frozenset({"ioc", "fok", "opg"})
_STAMPS: dict[Ending, str] = {
    "canceled": "canceled_at", "expired": "expired_at", "rejected": "failed_at", "replaced": "replaced_at",
}  # fmt: skip


class Matching:
    """Open orders of all accounts and one market for all of them, matched price before time."""

    def __init__(
        self, assets: Mapping[str, VenueAsset], *, sessions: Sessions, rules: VenueRules, has_sizes: bool = False
    ) -> None:
        """Begin without accounts; with ``has_sizes`` an order gets no more than the quote it meets offers."""
        self.assets = dict(assets)
        self.accounts: dict[str, Account] = {}
        self.markets = {symbol: Market() for symbol in assets}
        self._sessions = sessions
        self._rules = rules
        self._has_sizes = has_sizes
        self._books: dict[str, dict[str, Working]] = {symbol: {} for symbol in assets}
        self._agenda: list[tuple[int, int, Working]] = []
        self._entries = 0
        self._sequence = 0
        self._waiting: dict[str, Working] = {}
        self._updates: list[TradeUpdate] = []
        self._now = 0

    def set_halted(self, symbol: str, *, is_halted: bool) -> None:
        """Stop or resume matching in one symbol; orders are taken and canceled all the same."""
        self.markets[symbol].is_halted = is_halted

    def observe(self, ticks: Sequence[Tick], *, now: int) -> None:
        """Let orders meet the market. What fills within a bar is told, and stamped, when the bar has ended."""
        for tick in ticks:
            market = self.markets.get(tick.symbol)
            if market is not None:
                begin = tick.ts - MINUTE if isinstance(tick, Bar) else tick.ts
                self.advance(begin)
                self._meet(tick, market, begin)
        self.advance(now)

    def advance(self, now: int) -> None:
        """Let time pass: orders arrive, are canceled, expire, and wake up with their session."""
        while self._agenda and self._agenda[0][0] <= now:
            due, _, working = heapq.heappop(self._agenda)
            self._now = max(self._now, due)
            if working.order.status not in ENDED:
                self._do(working, due)
        self._now = max(self._now, now)
        if self._waiting:
            self._wake(self._sessions.phase(self._now))

    def updates(self) -> list[TradeUpdate]:
        """Take the trade updates made since the last call, oldest first."""
        taken, self._updates = self._updates, []
        return taken

    def check(self) -> None:
        """Assert that every account's books explain themselves and that the book holds the open orders, no others."""
        resting = {order_id for book in self._books.values() for order_id in book}
        assert resting == {order_id for books in self.accounts.values() for order_id in books.working}
        for books in self.accounts.values():
            books.check()
        for working in (one for book in self._books.values() for one in book.values() if one.group is not None):
            _check_leg(working)

    def _enter(self, working: Working) -> None:
        """Enter a new order into the books of the market and of its account."""
        order = working.order
        books = self.accounts[working.account]
        self._books[order.symbol][order.id] = books.working[order.id] = working
        books.by_client_id[order.client_order_id] = order.id
        assert order.expires_at is not None
        self._schedule(order.expires_at, working)

    def _hold(self, working: Working) -> None:
        """Begin the life of an exit that nobody sees yet."""
        self._enter(working)
        self._tell(working, "held", status="held")
        assert working.group is not None
        working.is_live = working.group.is_released

    def _send(self, working: Working, *, legs: Sequence[Working] = ()) -> VenueOrder:
        """Begin the life of a new order, and of its legs; return it as it stands before anything happens to it."""
        self._enter(working)
        is_waiting = not self._admits(working, self._phase(working.asset, self._now))
        status: Literal["accepted", "pending_new"] = "accepted" if is_waiting else "pending_new"
        self._tell(working, status, status=status)
        taken = working.order
        for leg in legs:
            self._hold(leg)
        if is_waiting:
            self._waiting[working.order.id] = working
        elif self._rules.latency_ns:
            self._schedule(working.arrival, working)
        else:
            self._go_live(working)
        return taken

    def _schedule(self, due: int, working: Working) -> None:
        self._entries += 1
        heapq.heappush(self._agenda, (due, self._entries, working))

    def _do(self, working: Working, due: int) -> None:
        """Do what is due for an open order: its cancel, its end, or else its arrival."""
        expires_at = working.order.expires_at
        if working.cancel_at is not None and working.cancel_at <= due:
            self._end(working, "canceled")
        elif expires_at is not None and expires_at <= due:
            self._close(working)
        else:
            self._go_live(working)

    def _wake(self, phase: Phase) -> None:
        """Let the orders that waited for this session go to the market, oldest first."""
        for working in tuple(self._waiting.values()):
            if working.order.id in self._waiting and self._admits(working, phase):
                del self._waiting[working.order.id]
                self._go_live(working)

    def _close(self, working: Working) -> None:
        """End an order with its day; one for the closing auction gets the last price first, if it may."""
        market = self.markets[working.order.symbol]
        if working.order.time_in_force != "cls":
            self._end(working, "expired")
            return
        if working.is_live and market.price is not None and not market.is_halted:
            price = at(working, market.price, self._rules)
            if price is not None:
                self._fill(working, working.left, price)
        if working.order.status not in ENDED:
            self._end(working, "canceled")

    def _go_live(self, working: Working) -> None:
        """Let an order meet the market: at once if a quote of this session stands, else with the next tick."""
        working.is_live = True
        if not working.is_in_reserve:
            is_leaving = working.order.status == "pending_cancel"
            self._tell(working, "new", status="pending_cancel" if is_leaving else "new")
        market = self.markets[working.order.symbol]
        if market.is_halted or working.order.time_in_force == "cls":
            return
        if self._is_quoted(working.asset, market, self._now):
            self._offer(working, market, meets_quote(working, market, self._rules))

    def _is_quoted(self, asset: VenueAsset, market: Market, now: int) -> bool:
        """Return whether the standing quote is of this very session: yesterday's or the morning's fills nobody."""
        then = market.quoted_at
        return then is not None and now - then < DAY // 2 and self._phase(asset, then) == self._phase(asset, now)

    def _meet(self, tick: Tick, market: Market, begin: int) -> None:
        book = self._books[tick.symbol]
        if not market.take(tick) or not book or market.is_halted:
            return
        asset = self.assets[tick.symbol]
        if isinstance(tick, Trade) and not self._is_quoted(asset, market, tick.ts):
            return
        self._now = max(self._now, tick.ts)
        phase = self._phase(asset, begin)
        prices = prices_of(tick) if isinstance(tick, Bar) else None
        there = [one for one in book.values() if self._is_there(one, begin, phase)]
        for working in sorted(there, key=lambda one: one.priority):
            if working.order.status not in ENDED:  # by an order of its group
                rules = self._rules
                price = meets_quote(working, market, rules) if prices is None else meets_bar(working, prices, rules)
                self._offer(working, market, price)

    def _is_there(self, working: Working, begin: int, phase: Phase) -> bool:
        is_at_market = working.is_live and working.arrival <= begin and working.order.time_in_force != "cls"
        return is_at_market and self._admits(working, phase)

    def _offer(self, working: Working, market: Market, price: Decimal | None) -> None:
        """Fill what may be filled at ``price``; an order that is for now or never then ends."""
        books = self.accounts[working.account]
        if working.order is not books.orders[working.order.id]:  # a trailing stop moved
            books.keep(working.order)
        if working.order.status == "held" and working.is_elected:
            self._tell(working, "new", status="new")
        qty = self._fillable(working, market, price) if price is not None else ZERO
        if qty and price is not None:
            self._fill(working, qty, price)
        if working.order.status not in ENDED and working.order.time_in_force in _AT_ONCE and working.is_elected:
            self._end(working, "canceled")

    def _fillable(self, working: Working, market: Market, price: Decimal) -> Decimal:
        order = working.order
        if order.notional is not None:
            qty = floor_to(divide(order.notional, price), NANO)
            position = self.accounts[working.account].qty(order.symbol)
            return qty if working.is_opening else min(qty, position.copy_abs())
        left = working.left
        if self._rules.has_partial_fills and not order.filled_qty and order.time_in_force != "fok":
            left = first_part(order.id, left, instrument=working.asset.instrument)
        if not self._has_sizes or market.quoted_at is None:
            return left
        offered = floor_to(market.size(order.side), working.asset.instrument.qty_increment)
        if order.time_in_force == "fok" and offered < left:
            return ZERO
        left = min(left, offered)
        market.use(order.side, left)
        return left

    def _fill(self, working: Working, qty: Decimal, price: Decimal) -> None:
        books = self.accounts[working.account]
        self._updates.append(execute(working, qty, price, books=books, rules=self._rules, ts=self._now))
        if working.order.status in ENDED:
            self._forget(working)
        self._follow(working)

    def _follow(self, working: Working) -> None:
        """Let the group of an order follow what happened to it."""
        group = working.group
        if group is None or working.order.status == "replaced":
            return
        if working is group.entry and working.order.status == "filled":
            group.is_released = True
            for leg in group.open_legs():
                if leg.order.status not in ENDED:  # by the one before it
                    leg.arrival = self._now
                    self._go_live(leg)
        elif working.order.status in ENDED:
            while others := group.others(working):  # each that ends takes the rest along
                self._end(others[0], "expired" if working.order.status == "expired" else "canceled")
        elif working.is_leg:
            self._share(working, group.others(working))

    def _share(self, leg: Working, others: Sequence[Working]) -> None:
        """Let the exits beside one that has filled in part have no more to fill than it has left."""
        for other in others:
            qty = EXACT.add(other.order.filled_qty, leg.left)
            if qty != other.order.qty:
                other.order = msgspec.structs.replace(other.order, qty=qty)
                self._tell(other, "restated", status=other.order.status)

    def _end(self, working: Working, status: Ending, *, replaced_by: str | None = None) -> None:
        """End an order with what it has."""
        stamps = {_STAMPS[status]: self._now, "replaced_by": replaced_by}
        working.order = msgspec.structs.replace(working.order, **stamps)
        self._tell(working, status, status=status)
        self._forget(working)
        self._follow(working)

    def _forget(self, working: Working) -> None:
        del self._books[working.order.symbol][working.order.id]
        self._waiting.pop(working.order.id, None)

    def _tell(self, working: Working, event: Event, *, status: Status) -> None:
        working.order = msgspec.structs.replace(working.order, status=status, updated_at=self._now)
        self.accounts[working.account].keep(working.order)
        self._updates.append(TradeUpdate(working.account, event, working.order, self._now))

    def _phase(self, asset: VenueAsset, ts: int) -> Phase:
        return "core" if asset.is_crypto else self._sessions.phase(ts)

    def _admits(self, working: Working, phase: Phase) -> bool:
        return phase == "core" or (working.order.extended_hours and phase != "closed")


def _check_leg(working: Working) -> None:
    group = working.group
    assert group is not None
    if working.is_leg:
        assert group.is_released or not working.is_live, f"{working.order.id} is let go before its entry"
        assert len({leg.left for leg in group.open_legs()}) == 1, f"{working.order.id}: exits differ in what is left"
