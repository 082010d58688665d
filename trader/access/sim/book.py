"""How resting orders meet the market: election of stops, and the price an order gets. Pure.

A symbol is matched against the finest data it has had: quotes, else trades, else minute bars.

- Quotes and trades: a buy gets the ask, a sell the bid, as on Alpaca's paper venue; a limit order only if that is
  within its limit. Stops are elected by trades, or by the far side of the quote where there are no trades.
- Bars: an order that was there when the bar began gets the open if it may; a limit that the bar reached later gets its
  limit, a stop its stop price. Of what happened first within a bar only what is certain is assumed: a stop-limit whose
  limit lies on the other side of its stop is elected in one bar and filled in a later one, one that could be filled
  gets the worst price it allowed, and a trailing stop is moved by a bar's high only after its low was held against it.
"""

from decimal import Decimal
from typing import NamedTuple

import msgspec

from trader.access.sim.fills import VenueRules, price_of
from trader.access.sim.venue_orders import VenueOrder
from trader.access.sim.working import Working
from trader.model.calendar import Phase
from trader.model.money import EXACT, NANO, ZERO, decimal_of, divide, floor_to
from trader.model.orders import Side
from trader.model.ticks import Bar, Tick, Trade

_CENT = Decimal("0.01")
_TWO = Decimal(2)


class Market:
    """What the venue knows of one symbol's market now; sizes are what is left of the quote of ``quoted_at``."""

    __slots__ = ("ask", "ask_size", "bid", "bid_size", "has_quotes", "has_trades", "is_halted", "last", "quoted_at")

    def __init__(self) -> None:
        """Begin without a price."""
        self.bid: Decimal | None = None
        self.ask: Decimal | None = None
        self.bid_size = ZERO
        self.ask_size = ZERO
        self.last: Decimal | None = None
        self.quoted_at: int | None = None
        self.has_quotes = False
        self.has_trades = False
        self.is_halted = False

    def take(self, tick: Tick) -> bool:
        """Learn from a tick; say whether orders meet the market on it."""
        if isinstance(tick, Bar):
            if not self.has_trades:  # a bar comes when its minute is over; a trade may be newer than its close
                self.last = decimal_of(tick.close)
            return not (self.has_quotes or self.has_trades)
        if isinstance(tick, Trade):
            self.last, self.has_trades = decimal_of(tick.price), True
            if not self.has_quotes:
                self.quoted_at = tick.ts
                self._stand(tick.price, tick.price, bid_size=tick.size, ask_size=tick.size)
            return True
        self.has_quotes, self.quoted_at = True, tick.ts
        self._stand(tick.bid, tick.ask, bid_size=tick.bid_size, ask_size=tick.ask_size)
        return True

    def far(self, side: Side) -> Decimal | None:
        """Return the price an order of ``side`` meets, None where nobody quotes."""
        return self.ask if side is Side.BUY else self.bid

    def size(self, side: Side) -> Decimal:
        """Return how much of it is left."""
        return self.ask_size if side is Side.BUY else self.bid_size

    def use(self, side: Side, qty: Decimal) -> None:
        """Take ``qty`` out of the standing quote."""
        if side is Side.BUY:
            self.ask_size = EXACT.subtract(self.ask_size, qty)
        else:
            self.bid_size = EXACT.subtract(self.bid_size, qty)

    def split(self, ratio: Decimal) -> None:
        """Restate prices and sizes after a split into ``ratio`` new shares per old one."""
        self.bid, self.ask, self.last = (
            None if price is None else floor_to(divide(price, ratio), NANO) for price in (self.bid, self.ask, self.last)
        )
        self.bid_size, self.ask_size = EXACT.multiply(self.bid_size, ratio), EXACT.multiply(self.ask_size, ratio)

    def reference(self, side: Side, phase: Phase) -> Decimal | None:
        """Return the price a market order is valued at: far side in core, midpoint in extended hours, else the last.

        Source: Alpaca documentation "Orders at Alpaca", buying power, read 2026-11.
        """
        if phase == "closed" or self.far(side) is None:
            return self.price
        return self.far(side) if phase == "core" else self.midpoint

    @property
    def price(self) -> Decimal | None:
        """Return the price positions are valued at: the last trade or bar, else the quote's middle."""
        return self.last if self.last is not None else self.midpoint

    @property
    def midpoint(self) -> Decimal | None:
        """Return the middle of the quote, or its one side."""
        if self.bid is None or self.ask is None:
            return self.bid if self.ask is None else self.ask
        return divide(EXACT.add(self.bid, self.ask), _TWO)

    def _stand(self, bid: float, ask: float, *, bid_size: float, ask_size: float) -> None:
        self.bid = decimal_of(bid) if bid > 0 else None
        self.ask = decimal_of(ask) if ask > 0 else None
        self.bid_size, self.ask_size = decimal_of(bid_size), decimal_of(ask_size)


class Prices(NamedTuple):
    """A bar's prices as decimals."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


def prices_of(bar: Bar) -> Prices:
    """Return a bar's prices as decimals."""
    return Prices(decimal_of(bar.open), decimal_of(bar.high), decimal_of(bar.low), decimal_of(bar.close))


def meets_quote(working: Working, market: Market, rules: VenueRules) -> Decimal | None:
    """Return the price ``working`` gets from the standing quote, None if none; elects its stop if that is reached."""
    far = market.far(working.order.side)
    trigger = market.last if market.has_trades else far
    if not working.is_elected and trigger is not None:
        _raise_mark(working, trigger)
        if _is_reached(working, trigger):
            working.elect()
    if far is None or not working.is_elected:
        return None
    return at(working, far, rules)


def meets_bar(working: Working, bar: Prices, rules: VenueRules) -> Decimal | None:
    """Return the price ``working``, which was there when the bar began, gets within it, None if none."""
    if not working.is_elected:
        _raise_mark(working, bar.open)
        if not _is_reached(working, bar.open):
            return _elected_within(working, bar, rules)
        working.elect()
    price = at(working, bar.open, rules)
    if price is not None or working.order.time_in_force in {"ioc", "fok", "opg"}:
        return price
    best = bar.low if working.order.side is Side.BUY else bar.high
    return working.limit if _within(working, best) else None


def at(working: Working, price: Decimal, rules: VenueRules) -> Decimal | None:
    """Return the price ``working`` gets where the market stands at ``price``: slipped, or None beyond its limit."""
    if working.limit is None:
        return price_of(price, working.order.side, rules=rules, instrument=working.asset.instrument)
    return price if _within(working, price) else None


def _elected_within(working: Working, bar: Prices, rules: VenueRules) -> Decimal | None:
    """Elect a stop that the open did not reach, if the rest of the bar surely did."""
    side, stop = working.order.side, working.order.stop_price
    assert stop is not None
    adverse, kind = (bar.high if side is Side.BUY else bar.low), bar.low if side is Side.BUY else bar.high
    if not _is_reached(working, adverse):
        _raise_mark(working, kind)
        if not _is_reached(working, bar.close):
            return None
        stop = working.order.stop_price
        assert stop is not None
    working.elect()
    if working.order.type != "stop_limit":
        return at(working, stop, rules)
    if not _within(working, stop) or working.limit is None:
        return None
    return min(working.limit, adverse) if side is Side.BUY else max(working.limit, adverse)


def _raise_mark(working: Working, price: Decimal) -> None:
    """Let a trailing stop follow the market: the highest price for a sell, the lowest for a buy."""
    order = working.order
    if order.type != "trailing_stop":
        return
    is_buy = order.side is Side.BUY
    if order.hwm is not None and (price >= order.hwm if is_buy else price <= order.hwm):
        return
    working.order = msgspec.structs.replace(order, hwm=price, stop_price=trailing_stop(order, price))


def trailing_stop(order: VenueOrder, mark: Decimal) -> Decimal:
    """Return where a trailing stop stands when the best price so far is ``mark``."""
    trail = order.trail_price
    if trail is None:
        assert order.trail_percent is not None
        trail = EXACT.multiply(EXACT.multiply(mark, order.trail_percent), _CENT)
    return EXACT.add(mark, trail) if order.side is Side.BUY else EXACT.subtract(mark, trail)


def _is_reached(working: Working, price: Decimal) -> bool:
    stop = working.order.stop_price
    return stop is not None and (price >= stop if working.order.side is Side.BUY else price <= stop)


def _within(working: Working, price: Decimal) -> bool:
    return working.limit is None or (
        price <= working.limit if working.order.side is Side.BUY else price >= working.limit
    )
