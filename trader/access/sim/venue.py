"""A venue that behaves like Alpaca: what may be asked of its accounts, and what may be done to them. Pure.

It knows no clock and no chance: every call carries ``now``, which never runs backwards, and whatever looks random is
drawn from an order's id, which follows from its account and client order id alone. What happens to an order is told by
trade updates; the answer to a request is the order as it stood when the request was taken, or a refusal.
"""

from decimal import Decimal

import msgspec

from trader.access.sim.accounts import Account, AccountRules
from trader.access.sim.allowance import Claim, intent_of
from trader.access.sim.book import Market
from trader.access.sim.execution import Done, id_of
from trader.access.sim.intake import Seen, changed, claim_of, order_of
from trader.access.sim.matching import Matching
from trader.access.sim.restatement import restated, restatement_refusal, split_of
from trader.access.sim.venue_classes import exits_refusal, leg_orders, sorted_out
from trader.access.sim.venue_orders import (
    ENDED,
    Activity,
    Ending,
    OrderRequest,
    Refusal,
    Replacement,
    TradeUpdate,
    VenueAsset,
    VenueOrder,
)  # fmt: skip
from trader.access.sim.venue_rules import invalid, not_found, refusal_of, unprocessable
from trader.access.sim.working import Group, Working
from trader.model.money import NANO, ZERO, floor_to
from trader.model.time import DAY

GTC_LIFE = 90 * DAY  # Alpaca ends "good till canceled" orders after 90 days ("Orders at Alpaca", read 2026-11)


class Venue(Matching):
    """Accounts that may be asked to trade, and the hand of the venue itself."""

    def open_account(self, name: str, cash: Decimal, rules: AccountRules | None = None) -> Account:
        """Open an account of its own orders, positions and dollars."""
        assert name not in self.accounts, f"account {name} is open"
        account = Account(name, cash, rules or AccountRules(), price_of=lambda symbol: self.markets[symbol].price)
        self.accounts[name] = account
        return account

    def submit(self, account: str, request: OrderRequest, *, now: int) -> VenueOrder | Refusal:
        """Take an order; quantities are cut to nine decimals, as Alpaca does without a word."""
        self.advance(now)
        request = sorted_out(request)
        if request.qty is not None:
            request = msgspec.structs.replace(request, qty=floor_to(request.qty, NANO))
        books = self.accounts[account]
        claim = self._claim(books, request)
        if isinstance(claim, Refusal):
            return claim
        order = self._order(books, request, claim)
        exits = leg_orders(order, request)
        if not exits:
            return self._send(self._working(books, order, claim.unit))
        working = self._working(books, msgspec.structs.replace(order, legs=tuple(leg.id for leg in exits)), claim.unit)
        legs = [self._working(books, leg) for leg in exits]
        is_exit = request.order_class == "oco"
        Group(None if is_exit else working, [working, *legs] if is_exit else legs)
        return self._send(working, legs=legs)

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
        old = books.working[order_id]
        claim = self._claim_of_exit(books, request, old) if old.is_leg else self._claim(books, request, old=old)
        if isinstance(claim, Refusal):
            return claim
        return self._instead(books, old, self._order(books, request, claim), claim.unit)

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

    def bust(self, account: str, execution_id: str, *, now: int) -> TradeUpdate | Refusal:
        """Take an execution back, with its fee; open orders that the position does not cover any more end."""
        self.advance(now)
        books = self.accounts[account]
        return restatement_refusal(books, execution_id) or self._restate(books, execution_id, None)

    def correct(
        self, account: str, execution_id: str, *, price: Decimal | None = None, qty: Decimal | None = None, now: int
    ) -> TradeUpdate | Refusal:
        """Put another price, quantity, or both in the place of an execution's; None leaves it."""
        self.advance(now)
        books = self.accounts[account]
        refusal = restatement_refusal(books, execution_id, price=price, qty=qty)
        if refusal is not None:
            return refusal
        old = books.executions[execution_id]
        price = price or old.price
        assert price is not None
        return self._restate(
            books, execution_id, Done(id_of(execution_id, "correct"), qty or old.qty, price, execution_id)
        )

    def split(self, symbol: str, ratio: Decimal, *, now: int) -> None:
        """Split a stock into ``ratio`` new shares per old one (below one: a reverse split); its open orders end."""
        assert ratio > ZERO, f"{ratio} new shares per old one"
        self.advance(now)
        for working in tuple(self._books[symbol].values()):
            if working.order.status not in ENDED:
                self._end(working, "canceled")
        self.markets[symbol].split(ratio)
        for books in self.accounts.values():
            if books.qty(symbol):
                books.book([split_of(books, symbol, ratio, self._now)])

    def pay(self, account: str, row: Activity) -> None:
        """Enter money that moves without a trade: a dividend, interest, a fee, a deposit."""
        self.advance(row.ts)
        self.accounts[account].book([row])

    def set_asset(self, asset: VenueAsset) -> None:
        """List a symbol, or change what is allowed with it; orders that are there stay."""
        symbol = asset.instrument.symbol
        self.assets[symbol] = asset
        self.markets.setdefault(symbol, Market())
        self._books.setdefault(symbol, {})

    def _claim(self, books: Account, request: OrderRequest, *, old: Working | None = None) -> Claim | Refusal:
        """Return what an order would take, or the refusal that meets it."""
        asset = self.assets.get(request.symbol)
        close = self._sessions.session_close(self._now, is_extended=False)
        refusal = refusal_of(request, asset, now=self._now, close=close)
        if refusal is not None:
            return refusal
        assert asset is not None
        market = self.markets[request.symbol]
        reference = market.reference(request.side, self._phase(asset, self._now))
        seen = Seen(reference, market.price, self._rules.price_away_frac)
        claim = claim_of(books, request, asset, seen, replaces=old.order.id if old else "")
        if old is None or old.group is None or isinstance(claim, Refusal):
            return claim
        return self._exits_refusal(old, request) or claim

    def _claim_of_exit(self, books: Account, request: OrderRequest, old: Working) -> Claim | Refusal:
        """Return what another price of an exit takes: nothing, for it keeps the shares of the old one."""
        close = self._sessions.session_close(self._now, is_extended=False)
        refusal = refusal_of(request, old.asset, now=self._now, close=close)
        if refusal is None and request.client_order_id in books.by_client_id:
            refusal = invalid("client_order_id must be unique")
        assert request.qty is not None
        refusal = refusal or self._exits_refusal(old, request)
        return refusal or Claim(old.order.position_intent, request.qty, ZERO, ZERO, old.order.id)

    def _exits_refusal(self, old: Working, request: OrderRequest) -> Refusal | None:
        """Return why the exits of a group do not go with each other, or the market, once an order of it is replaced."""
        group = old.group
        assert group is not None
        profit, stop = None, None
        for leg in group.open_legs():
            order = request if leg is old else leg.order
            if order.type == "limit":
                profit = order.limit_price
            else:
                stop = order.stop_price
        entry = request if old is group.entry else group.entry.order if group.entry else None
        base = entry.limit_price if entry is not None and not group.is_released else None
        side = group.legs[0].order.side
        return exits_refusal(side, profit, stop, bases=(base or self.markets[request.symbol].price,))

    def _order(self, books: Account, request: OrderRequest, claim: Claim) -> VenueOrder:
        expires_at = self._expiry(self.assets[request.symbol], request)
        return order_of(books, request, claim, now=self._now, expires_at=expires_at)

    def _working(self, books: Account, order: VenueOrder, unit: Decimal = ZERO) -> Working:
        self._sequence += 1
        arrival = self._now + self._rules.latency_ns
        working = Working(books.name, order, self.assets[order.symbol], sequence=self._sequence, arrival=arrival)
        working.unit = unit
        return working

    def _instead(self, books: Account, old: Working, order: VenueOrder, unit: Decimal) -> VenueOrder:
        """End an order and begin the one that replaces it, in its group and in its state."""
        before = old.order
        self._end(old, "replaced", replaced_by=order.id)
        order = msgspec.structs.replace(
            order, order_class=before.order_class, legs=before.legs, parent=before.parent, replaces=before.id
        )
        working = self._working(books, order, unit)
        if old.group is not None:
            old.group.swap(old, working)
        if before.status != "held":
            return self._send(working)
        self._hold(working)
        return working.order

    def _restate(self, books: Account, execution_id: str, new: Done | None) -> TradeUpdate:
        old = books.executions[execution_id]
        working = books.working.get(old.order_id)
        asset = self.assets[old.symbol]
        update = restated(books, execution_id, new, asset=asset, rules=self._rules, ts=self._now)
        self._updates.append(update)
        if working is not None:
            working.order = update.order
            if working.order.status in ENDED:
                self._forget(working)
            self._follow(working)
        self._uncover(books, old.symbol)
        return update

    def _uncover(self, books: Account, symbol: str) -> None:
        """End the open orders that do not fit a position which has changed, the newest first."""
        for working in tuple(reversed(books.working.values())):
            order, group = working.order, working.group
            if order.symbol != symbol or order.status in ENDED or (working.is_leg and group and not group.is_released):
                continue
            position = books.qty(symbol)
            is_fit = intent_of(order.side, position) == order.position_intent
            is_short = books.available(symbol) < ZERO and working.keeps(position.copy_abs())
            if not is_fit or is_short:
                self._end(working, "canceled")

    def _expiry(self, asset: VenueAsset, request: OrderRequest) -> int:
        if asset.is_crypto or request.time_in_force == "gtc":
            return self._now + GTC_LIFE
        return self._sessions.session_close(self._now, is_extended=request.extended_hours)
