"""Random orders, cancels, replacements, restatements, splits, quotes and bars: the venue's books hold after each step.

Beside the venue's own checks a tiny recount follows the trade updates alone, as a client would: his cash, his
positions, and the states each order went through.
"""

from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.access.sim.floor import DOLLARS, Floor, request_of
from tests.build import T0
from trader.access.sim.accounts import Position, position_of
from trader.access.sim.venue_orders import ENDED, OrderRequest, Refusal, Replacement, TradeUpdate, VenueOrder
from trader.model.orders import Side
from trader.model.ticks import Bar, Quote, Trade
from trader.model.time import HOUR, MINUTE, SECOND

SYMBOLS = st.sampled_from(["SPY", "ODD", "BTC/USD"])
STOCKS = st.sampled_from(["SPY", "ODD"])
CLASSES = st.sampled_from(["bracket", "oto-profit", "oto-loss", "oco", "oco"])
SIDES = st.sampled_from(["buy", "sell"])
QUANTITIES = st.sampled_from(["1", "5", "7", "12", "40", "7.25"])
PRICES = st.integers(min_value=90, max_value=110)
TIMES_IN_FORCE = st.sampled_from(["day", "gtc", "ioc", "fok", "opg", "cls"])
PARTS = st.sampled_from([None, 1, 2, 3])
TYPES = st.sampled_from(["market", "limit", "stop", "stop_limit", "trailing_stop"])
CRYPTO_FEE = Decimal("0.0025")


class VenueMachine(RuleBasedStateMachine):
    """Two accounts trade three symbols around 100 dollars."""

    @initialize(latency=st.sampled_from([0, SECOND]), has_sizes=st.booleans(), has_quotes=st.booleans())
    def open(self, latency: int, *, has_sizes: bool, has_quotes: bool) -> None:
        self.floor = Floor(has_fees=True, has_partial_fills=True, latency_ns=latency, has_sizes=has_sizes)
        self.floor.venue.open_account("b", Decimal(5000))
        self.has_quotes = has_quotes
        self.cash = {"a": DOLLARS, "b": Decimal(5000)}
        self.positions: dict[tuple[str, str], Decimal] = {}
        self.last: dict[str, TradeUpdate] = {}
        self.executions: dict[str, tuple[Decimal, Decimal]] = {}
        self.ids: set[str] = set()
        self.seen = 0
        for symbol in ("SPY", "ODD", "BTC/USD"):
            self.tick(Bar(symbol, T0 + MINUTE, 100.0, 100.0, 100.0, 100.0, 100.0))

    @rule(
        account=st.sampled_from("ab"), symbol=SYMBOLS, side=SIDES, kind=TYPES, tif=TIMES_IN_FORCE, qty=QUANTITIES,
        apart=st.integers(min_value=-3, max_value=6), in_dollars=st.booleans(),
    )  # fmt: skip
    def send(self, account: str, symbol: str, side: str, **how: Any) -> None:
        """Send an order that is sound in itself most of the time; whether the account allows it is another matter."""
        is_coin, kind = symbol == "BTC/USD", how["kind"]
        away = how["apart"] if side == "buy" else -how["apart"]
        market = round(self.floor.venue.markets[symbol].price or 100)
        fields: dict[str, Any] = {
            "type": "market",
            "time_in_force": "gtc" if is_coin else how["tif"],
            "qty": how["qty"],
        }
        if kind == "limit" or (is_coin and kind in {"stop", "trailing_stop"}):
            is_extended = how["tif"] in {"day", "gtc"}
            fields |= {"type": "limit", "limit_price": market - away, "extended_hours": is_extended}
        elif kind == "stop":
            fields |= {"type": kind, "stop_price": market + away, "time_in_force": "gtc"}
        elif kind == "stop_limit":
            fields |= {"type": kind, "stop_price": market + away, "limit_price": market + 2, "time_in_force": "gtc"}
        elif kind == "trailing_stop":
            fields |= {"type": kind, "trail_percent" if away % 2 else "trail_price": 2, "time_in_force": "day"}
        elif how["in_dollars"]:
            fields |= {"notional": "555.5", "qty": None, "time_in_force": "gtc" if is_coin else "day"}
        self.floor.venue.submit(account, request_of(symbol, side, **fields), now=self.floor.now)

    @rule(
        account=st.sampled_from("ab"), symbol=STOCKS, side=SIDES, qty=st.sampled_from(["5", "40"]), kind=CLASSES,
        apart=st.integers(min_value=1, max_value=4), has_limit=st.booleans(), is_gtc=st.booleans(),
    )  # fmt: skip
    def send_with_exits(self, account: str, symbol: str, side: str, **how: Any) -> None:
        """Send an order of a class, its exits on either side of the market."""
        market, away, kind = int(self.floor.venue.markets[symbol].price or 100), how["apart"], how["kind"]
        if kind == "oco":
            held = self.floor.venue.accounts[account].qty(symbol)
            side = "buy" if held < 0 else "sell"
            how["qty"] = held.copy_abs().quantize(Decimal(1), "ROUND_FLOOR") or 1
        up = 1 if (side == "buy") != (kind == "oco") else -1
        fields: dict[str, Any] = {"order_class": kind[:3] if kind != "bracket" else kind, "qty": how["qty"]}
        fields["time_in_force"] = "gtc" if how["is_gtc"] else "day"
        if kind != "oto-loss":
            fields["profit"] = market + up * away
        if kind != "oto-profit":
            fields["loss"] = market - up * away
            fields["loss_limit"] = market - up * 2 * away if how["has_limit"] else None
        if kind == "oco":
            fields["type"] = "limit"
        elif how["has_limit"]:
            fields |= {"type": "limit", "limit_price": market}
        self.floor.venue.submit(account, request_of(symbol, side, **fields), now=self.floor.now)

    @rule(account=st.sampled_from("ab"), number=st.integers(0, 50), price=st.sampled_from([None, 90, 101]), part=PARTS)
    def restate(self, account: str, number: int, price: int | None, part: int | None) -> None:
        """Take an execution back, or correct its price, or its quantity."""
        books = self.floor.venue.accounts[account]
        standing = list(books.executions.items())
        if not standing:
            return
        execution_id, row = standing[number % len(standing)]
        if price is None and part is None:
            self.floor.venue.bust(account, execution_id, now=self.floor.now)
            return
        qty = (row.qty / part).quantize(Decimal("1e-9"), "ROUND_FLOOR") if part else None
        given = Decimal(price) if price else None
        self.floor.venue.correct(account, execution_id, price=given, qty=qty, now=self.floor.now)

    @rule(symbol=STOCKS, ratio=st.sampled_from(["2", "0.1", "1.5"]))
    def split(self, symbol: str, ratio: str) -> None:
        """Split a stock, and back again: prices stay around a hundred dollars, and equity where it is."""
        self.catch_up()
        before = {name: books.equity for name, books in self.floor.venue.accounts.items()}
        self.floor.venue.split(symbol, Decimal(ratio), now=self.floor.now)
        for name, books in self.floor.venue.accounts.items():
            assert abs(books.equity - before[name]) < Decimal("0.001")
            self.positions[name, symbol] = books.qty(symbol)

    @rule(account=st.sampled_from("ab"), number=st.integers(min_value=0, max_value=2), part=st.integers(1, 3))
    def close(self, account: str, number: int, part: int) -> None:
        positions = list(self.floor.venue.accounts[account].positions.items())
        if positions:
            symbol, position = positions[number % len(positions)]
            side = Side.SELL if position.qty > 0 else Side.BUY
            qty = (position.qty.copy_abs() / part).quantize(Decimal("1e-9"), "ROUND_FLOOR")
            tif = "gtc" if symbol == "BTC/USD" else "day"
            self.floor.venue.submit(account, OrderRequest(symbol, side, "market", tif, qty), now=self.floor.now)

    @rule(number=st.integers(min_value=0, max_value=50))
    def cancel(self, number: int) -> None:
        orders = self.orders()
        if orders and number % 2:
            account, order = orders[number % len(orders)]
            answer = self.floor.venue.cancel(account, order.id, now=self.floor.now)
            assert isinstance(answer, Refusal) == (
                order.status in ENDED | {"pending_cancel"} and order.status != "canceled"
            )

    @rule(number=st.integers(min_value=0, max_value=50), qty=st.sampled_from([None, "3"]), price=PRICES)
    def replace(self, number: int, qty: str | None, price: int) -> None:
        orders = self.orders()
        if orders:
            account, order = orders[number % len(orders)]
            change = Replacement(
                qty=Decimal(qty) if qty else None,
                limit_price=Decimal(price) if order.limit_price is not None else None,
                trail=Decimal(1) if order.type == "trailing_stop" else None,
            )
            self.floor.venue.replace(account, order.id, change, now=self.floor.now)

    @rule(account=st.sampled_from("ab"))
    def cancel_all(self, account: str) -> None:
        self.floor.venue.cancel_all(account, now=self.floor.now)

    @rule(symbol=SYMBOLS, is_halted=st.booleans())
    def halt(self, symbol: str, *, is_halted: bool) -> None:
        self.floor.venue.set_halted(symbol, is_halted=is_halted)

    @rule(
        symbol=SYMBOLS, price=PRICES, spread=st.sampled_from([0.0, 0.01, 1.5]), size=st.sampled_from([0.5, 3.0, 500.0])
    )
    def quote(self, symbol: str, price: int, spread: float, size: float) -> None:
        if self.has_quotes:
            self.tick(Quote(symbol, self.floor.now + SECOND, price - spread, size, price + spread, size))

    @rule(symbol=SYMBOLS, price=PRICES)
    def trade(self, symbol: str, price: int) -> None:
        if self.has_quotes:
            self.tick(Trade(symbol, self.floor.now + SECOND, float(price), 1.0))

    @rule(symbol=SYMBOLS, prices=st.lists(PRICES, min_size=4, max_size=4))
    def bar(self, symbol: str, prices: list[int]) -> None:
        end = T0 + ((self.floor.now - T0) // MINUTE + 2) * MINUTE
        first, last = float(prices[0]), float(prices[1])
        self.tick(Bar(symbol, end, first, float(max(prices)), float(min(prices)), last, 100.0))

    @rule(hours=st.sampled_from([1, 1, 1, 3, 20]))
    def wait(self, hours: int) -> None:
        self.floor.now += hours * HOUR
        self.floor.venue.advance(self.floor.now)

    @invariant()
    def the_venue_explains_itself(self) -> None:
        self.floor.venue.check()

    @invariant()
    def the_ledger_alone_gives_the_same_positions_and_costs(self) -> None:
        for books in self.floor.venue.accounts.values():
            assert len({row.id for row in books.activities}) == len(books.activities)
            for symbol in ("SPY", "ODD", "BTC/USD"):
                assert position_of(books.activities, symbol) == books.positions.get(symbol, Position())

    @invariant()
    def the_updates_alone_give_the_same_cash_and_positions(self) -> None:
        self.catch_up()
        for name, books in self.floor.venue.accounts.items():
            assert books.cash == self.cash[name]
            held = {symbol: qty for (owner, symbol), qty in self.positions.items() if owner == name and qty}
            assert held == {symbol: position.qty for symbol, position in books.positions.items()}

    @invariant()
    def the_newest_update_of_an_order_is_the_order(self) -> None:
        self.catch_up()
        for _, order in self.orders():
            told = self.last[order.id].order
            same = (told.status, told.filled_qty, told.qty, told.limit_price)
            assert same == (order.status, order.filled_qty, order.qty, order.limit_price)

    def catch_up(self) -> None:
        self.floor.look()
        for update in self.floor.told[self.seen :]:
            self.follow(update)
        self.seen = len(self.floor.told)

    def follow(self, update: TradeUpdate) -> None:
        """Count one update: an ended order says nothing more, quantities add up, time does not run back."""
        before = self.last.get(update.order.id)
        self.last[update.order.id] = update
        already = Decimal(0)
        is_restated = bool(update.previous_execution_id)
        assert update.execution_id not in self.ids
        self.ids |= {update.execution_id} - {""}
        if before is not None:
            assert before.order.status not in ENDED or (is_restated and update.order.status == before.order.status)
            assert before.ts <= update.ts
            already = before.order.filled_qty
        if is_restated:
            self.take_back(update)
            return
        if not update.execution_id:
            assert update.order.filled_qty == already
            return
        assert update.qty is not None
        assert update.price is not None
        assert update.order.filled_qty == already + update.qty
        self.count(update, update.qty, update.price)
        assert update.position_qty == self.positions[update.account, update.order.symbol]
        self.executions[update.execution_id] = (update.qty, update.price)
        if update.order.limit_price is not None:
            is_buy = update.order.side is Side.BUY
            assert (update.price <= update.order.limit_price) if is_buy else (update.price >= update.order.limit_price)

    def take_back(self, update: TradeUpdate) -> None:
        """Count an execution back, and what stands in its place."""
        qty, price = self.executions.pop(update.previous_execution_id)
        self.count(update, qty, price, sign=-1)
        if update.event == "trade_correct":
            assert update.qty is not None
            assert update.price is not None
            self.count(update, update.qty, update.price)
            self.executions[update.execution_id] = (update.qty, update.price)
        assert update.position_qty == self.positions[update.account, update.order.symbol]

    def count(self, update: TradeUpdate, qty: Decimal, price: Decimal, sign: int = 1) -> None:
        order, key = update.order, (update.account, update.order.symbol)
        is_coin = order.asset_class == "crypto"
        received = qty if order.side is Side.BUY else qty * price
        fee = (received * CRYPTO_FEE).quantize(Decimal("1e-9"), "ROUND_CEILING") if is_coin else Decimal(0)
        if order.side is Side.BUY:
            self.cash[update.account] -= sign * qty * price
            self.positions[key] = self.positions.get(key, Decimal(0)) + sign * (qty - fee)
        else:
            self.cash[update.account] += sign * (qty * price - fee)
            self.positions[key] = self.positions.get(key, Decimal(0)) - sign * qty

    def orders(self) -> list[tuple[str, VenueOrder]]:
        return [(name, order) for name, books in self.floor.venue.accounts.items() for order in books.orders.values()]

    def tick(self, tick: Bar | Quote | Trade) -> None:
        self.floor.now = max(self.floor.now, tick.ts)
        self.floor.venue.observe([tick], now=self.floor.now)


VenueMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestVenue = VenueMachine.TestCase
