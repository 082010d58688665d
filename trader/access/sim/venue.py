"""A venue that behaves like Alpaca: accounts, orders in Alpaca's words, matching, refusals. Pure.

It knows no clock and no chance: every call carries ``now``, which never runs backwards, and whatever looks random is
drawn from an order's id, which follows from its account and client order id alone. What happens to an order is told by
trade updates; the answer to a request is the order as it stood when the request was taken, or a refusal.

An order is ``accepted`` while its session is closed, else ``pending_new``; it is ``new`` once it can be matched. A
cancel takes the venue's latency too (``pending_cancel`` meanwhile), and an order may fill until then.
"""

import heapq
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from trader.access.sim.accounts import Account, AccountRules
from trader.access.sim.allowance import Claim
from trader.access.sim.book import Market, Working, at, meets_bar, meets_quote, prices_of
from trader.access.sim.execution import execute
from trader.access.sim.fills import VenueRules, first_part
from trader.access.sim.intake import Seen, changed, claim_of, next_id, order_of
from trader.access.sim.venue_orders import (
    ENDED,
    Ending,
    Event,
    OrderRequest,
    Refusal,
    Replacement,
    Sessions,
    Status,
    TradeUpdate,
    VenueAsset,
    VenueOrder,
)  # fmt: skip
from trader.access.sim.venue_rules import not_found, refusal_of, unprocessable
from trader.model.calendar import Phase
from trader.model.money import NANO, ZERO, divide, floor_to
from trader.model.ticks import Bar, Tick, Trade
from trader.model.time import DAY, MINUTE

GTC_LIFE = 90 * DAY  # Alpaca ends "good till canceled" orders after 90 days ("Orders at Alpaca", read 2026-11)
_AT_ONCE = frozenset({"ioc", "fok", "opg"})
_STAMPS: dict[Ending, str] = {
    "canceled": "canceled_at", "expired": "expired_at", "rejected": "failed_at", "replaced": "replaced_at",
}  # fmt: skip


class Venue:
    """Accounts and one market for all of them, matched price before time."""

    def __init__(
        self, assets: Mapping[str, VenueAsset], *, sessions: Sessions, rules: VenueRules, has_sizes: bool = False
    ) -> None:
        """Begin without accounts; with ``has_sizes`` an order gets no more than the quote it meets offers."""
        self.assets = assets
        self.accounts: dict[str, Account] = {}
        self.markets = {symbol: Market() for symbol in assets}
        self._sessions = sessions
        self._rules = rules
        self._has_sizes = has_sizes
        self._books: dict[str, dict[str, Working]] = {symbol: {} for symbol in assets}
        self._agenda: list[tuple[int, int, Working]] = []
        self._entries = 0
        self._waiting: dict[str, Working] = {}
        self._updates: list[TradeUpdate] = []
        self._sequence = 0
        self._now = 0

    def open_account(self, name: str, cash: Decimal, rules: AccountRules | None = None) -> Account:
        """Open an account of its own orders, positions and dollars."""
        assert name not in self.accounts, f"account {name} is open"
        account = Account(name, cash, rules or AccountRules(), price_of=lambda symbol: self.markets[symbol].price)
        self.accounts[name] = account
        return account

    def submit(self, account: str, request: OrderRequest, *, now: int) -> VenueOrder | Refusal:
        """Take an order; quantities are cut to nine decimals, as Alpaca does without a word."""
        self.advance(now)
        if request.qty is not None:
            request = msgspec.structs.replace(request, qty=floor_to(request.qty, NANO))
        books = self.accounts[account]
        claim = self._claim(books, request)
        return claim if isinstance(claim, Refusal) else self._place(books, request, claim)

    def replace(self, account: str, order_id: str, change: Replacement, *, now: int) -> VenueOrder | Refusal:
        """Put a new order in the place of an open one: of what is left of it, or of the quantity asked for."""
        self.advance(now)
        books = self.accounts[account]
        order = books.orders.get(order_id)
        if order is None:
            return not_found(order_id)
        request = changed(order, change)
        if isinstance(request, Refusal):
            return request
        claim = self._claim(books, request, replaces=order_id)
        if isinstance(claim, Refusal):
            return claim
        self._end(books.working[order_id], "replaced", replaced_by=next_id(books, request))
        return self._place(books, request, claim)

    def cancel(self, account: str, order_id: str, *, now: int) -> VenueOrder | Refusal:
        """Cancel what has not filled by the time the request has arrived; canceling a canceled order is harmless."""
        self.advance(now)
        books = self.accounts[account]
        order = books.orders.get(order_id)
        if order is None:
            return not_found(order_id)
        if order.status == "canceled":
            return order
        if order.status in ENDED:
            return unprocessable(f'order is already in "{order.status}" state')
        if order.status == "pending_cancel":
            return unprocessable("order pending cancel")
        working = books.working[order_id]
        working.order = msgspec.structs.replace(order, cancel_requested_at=self._now)
        if not self._rules.latency_ns:
            self._end(working, "canceled")
            return books.orders[order_id]
        working.cancel_at = self._now + self._rules.latency_ns
        self._schedule(working.cancel_at, working)
        self._tell(working, "pending_cancel", status="pending_cancel")
        return working.order

    def cancel_all(self, account: str, *, now: int) -> list[VenueOrder]:
        """Cancel every open order of an account that is not being canceled yet, oldest first."""
        self.advance(now)
        open_ids = [key for key, one in self.accounts[account].working.items() if one.order.status != "pending_cancel"]
        answers = [self.cancel(account, order_id, now=now) for order_id in open_ids]
        return [answer for answer in answers if isinstance(answer, VenueOrder)]

    def strike(self, account: str, order_id: str, status: Ending, *, now: int) -> VenueOrder | Refusal:
        """End an open order unasked, as venues do: ``canceled`` or ``rejected`` after it was taken."""
        self.advance(now)
        working = self.accounts[account].working.get(order_id)
        if working is None:
            return not_found(order_id)
        self._end(working, status)
        return working.order

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

    def _claim(self, books: Account, request: OrderRequest, *, replaces: str = "") -> Claim | Refusal:
        """Return what an order would take, or the refusal that meets it."""
        asset = self.assets.get(request.symbol)
        close = self._sessions.session_close(self._now, is_extended=False)
        refusal = refusal_of(request, asset, now=self._now, close=close)
        if refusal is not None:
            return refusal
        assert asset is not None
        market = self.markets[request.symbol]
        reference = market.reference(request.side, self._phase(asset, self._now))
        return claim_of(books, request, asset, Seen(reference, market.price), replaces=replaces)

    def _place(self, books: Account, request: OrderRequest, claim: Claim) -> VenueOrder:
        asset, now = self.assets[request.symbol], self._now
        order = order_of(books, request, claim, now=now, expires_at=self._expiry(asset, request))
        self._sequence += 1
        working = Working(books.name, order, asset, sequence=self._sequence, arrival=now + self._rules.latency_ns)
        working.unit = claim.unit
        self._books[order.symbol][order.id] = books.working[order.id] = working
        books.by_client_id[order.client_order_id] = order.id
        return self._send(working)

    def _send(self, working: Working) -> VenueOrder:
        """Begin the life of a new order; return it as it stands before anything else happens to it."""
        assert working.order.expires_at is not None
        self._schedule(working.order.expires_at, working)
        if not self._admits(working, self._phase(working.asset, self._now)):
            self._waiting[working.order.id] = working
            self._tell(working, "accepted", status="accepted")
            return working.order
        self._tell(working, "pending_new", status="pending_new")
        taken = working.order
        if self._rules.latency_ns:
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
            if self._admits(working, phase):
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
        for working in sorted(book.values(), key=lambda one: one.priority):
            is_there = working.is_live and working.arrival <= begin and self._admits(working, phase)
            if is_there and working.order.time_in_force != "cls":
                rules = self._rules
                price = meets_quote(working, market, rules) if prices is None else meets_bar(working, prices, rules)
                self._offer(working, market, price)

    def _offer(self, working: Working, market: Market, price: Decimal | None) -> None:
        """Fill what may be filled at ``price``; an order that is for now or never then ends."""
        books = self.accounts[working.account]
        if working.order is not books.orders[working.order.id]:  # a trailing stop moved
            books.keep(working.order)
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

    def _end(self, working: Working, status: Ending, *, replaced_by: str | None = None) -> None:
        """End an order with what it has."""
        stamps = {_STAMPS[status]: self._now, "replaced_by": replaced_by}
        working.order = msgspec.structs.replace(working.order, **stamps)
        self._tell(working, status, status=status)
        self._forget(working)

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

    def _expiry(self, asset: VenueAsset, request: OrderRequest) -> int:
        if asset.is_crypto or request.time_in_force == "gtc":
            return self._now + GTC_LIFE
        return self._sessions.session_close(self._now, is_extended=request.extended_hours)
