"""What leaves the process, arrives and happens at the venue: nothing that was not meant, nothing beyond the means."""

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from trader.access.sim.venue_orders import TradeUpdate
from trader.model.money import EXACT, ZERO
from trader.model.orders import TERMINAL, Side, digest_of
from trader.storm.promises import Acknowledged
from trader.storm.truth import EXTERNAL, owner_of

if TYPE_CHECKING:
    from trader.storm.exchange import Exchange

SLACK: Final = 1.06  # prices move between a decision and its fill, and a market order is valued at what it meets


class Passage:
    """Counts what the venue executed and may still execute for each strategy."""

    def __init__(self, exchange: "Exchange", known: Acknowledged) -> None:
        """Begin with an empty account."""
        self.sent_at: dict[str, int] = {}  # when an order left last, by id
        self.gross: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)  # by order: all the venue ever executed
        self.restated: set[str] = set()  # strategies whose past was changed: what they may hold is not known
        self.released: set[str] = set()  # absent orders whose day is over: they may arrive all the same
        self._exchange = exchange
        self._known = known
        self._touched: dict[str, None] = {}  # strategies to look at
        self._held: defaultdict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)  # by strategy and symbol
        self._cash: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)

    def posted(self, body: Mapping[str, str]) -> None:
        """See an order leave the process."""
        if (note := self._exchange.timeline.note) is not None:
            note(f"sent: {dict(body)}")
        order_id = body["client_order_id"]
        approved = self._known.orders.get(order_id)
        if approved is None:
            raise self._known.broken("I1", f"{order_id} leaves, and no durable record has it")
        intent = approved.intent
        if (body["symbol"], body["side"]) != (intent.symbol, intent.side.value):
            raise self._known.broken(
                "I2", f"{order_id} is {body['side']} {body['symbol']}, meant was {intent.side} {intent.symbol}"
            )
        if not order_id.endswith(digest_of(intent.symbol, intent.side, intent.qty)):
            raise self._known.broken("I2", f"{order_id} has the digest of another order")
        sent, crossed = Decimal(body["qty"]), self._known.books.orders[order_id].crossed
        if EXACT.add(sent, crossed) > intent.qty:
            raise self._known.broken("I5", f"{order_id}: {sent} sent and {crossed} crossed of {intent.qty}")
        if not intent.reduces and self._known.is_past(self._known.halted, intent.strategy):
            raise self._known.broken("I9", f"{order_id} leaves after {intent.strategy} was halted")
        now = self._exchange.timeline.now
        if self._known.called_off.get(order_id, now) < now:
            raise self._known.broken("I9", f"{order_id} leaves after it was called off")
        self.sent_at[order_id] = now
        self._check_exposure(intent.strategy)

    def arrived(self, body: Mapping[str, str]) -> None:
        """See an order arrive at the venue."""
        if (note := self._exchange.timeline.note) is not None:
            note(f"venue: {body['client_order_id']} arrives")
        order_id = body["client_order_id"]
        record = self._known.books.orders.get(order_id)
        is_new = order_id not in self._exchange.account.by_client_id and order_id not in self.released
        if is_new and record is not None and record.status in TERMINAL:
            raise self._known.broken("I3", f"{order_id} arrives, and the books have it as {record.status}")

    def told(self, update: TradeUpdate) -> None:
        """See what happened to an order at the venue."""
        if (note := self._exchange.timeline.note) is not None:
            order = update.order
            done = f"{order.filled_qty}/{order.qty}"
            note(f"venue: {update.event} {order.client_order_id} {order.side} {order.symbol} {done}")
        owner = owner_of(update.order, self._known.orders)
        if update.event in {"trade_bust", "trade_correct"}:
            self.restated.add(owner)
            if update.event == "trade_correct" and update.qty is not None:
                key = update.order.client_order_id
                self.gross[key] = EXACT.add(self.gross[key], update.qty)
        elif update.qty is not None and update.price is not None:
            self._executed(update, owner, update.qty, update.price)
        if owner != EXTERNAL:
            self._touched[owner] = None
        elif update.order.client_order_id.startswith("storm."):
            raise self._known.broken(
                "I1", f"{update.order.client_order_id} lives at the venue, and no durable record has it"
            )

    def look(self) -> None:
        """Look at what the strategies may come to hold, now that all that happened together was told."""
        touched, self._touched = self._touched, {}
        for strategy in touched:
            self._check_exposure(strategy)

    def _executed(self, update: TradeUpdate, owner: str, qty: Decimal, price: Decimal) -> None:
        order_id, key = update.order.client_order_id, (owner, update.order.symbol)
        self.gross[order_id] = EXACT.add(self.gross[order_id], qty)
        before = self._held[key]
        self.move(*key, EXACT.multiply(qty, update.order.side.sign), price)
        after = self._held[key]
        is_exit = owner != EXTERNAL and self._known.orders[order_id].intent.reduces
        if is_exit and before * after < 0 and owner not in self.restated:
            raise self._known.broken("I3", f"{order_id} turns {before} {update.order.symbol} of {owner} into {after}")

    def move(self, owner: str, symbol: str, qty: Decimal, price: Decimal) -> None:
        """Count what was bought, or sold below zero, for an owner."""
        self._held[owner, symbol] = EXACT.add(self._held[owner, symbol], qty)
        self._cash[owner] = EXACT.subtract(self._cash[owner], EXACT.multiply(qty, price))

    def _check_exposure(self, strategy: str) -> None:
        """Compare the worst that the orders of a strategy may come to with what it has."""
        book, alive = self._known.books.books.get(strategy), self._alive(strategy)
        if book is None or strategy in self.restated:
            return
        markets = self._exchange.venue.markets
        free = equity = float(book.opening_cash) + float(self._cash[strategy])
        worst = 0.0
        for symbol, (buys, sells) in alive.items():
            held, price = self._held[strategy, symbol], float(markets[symbol].price or ZERO)
            worst = max(worst, float(max((held + buys).copy_abs(), (held - sells).copy_abs())) * price)
            free -= float(buys) * price
            equity += float(held) * price
        if worst > equity * SLACK or free < equity * (1 - SLACK):
            raise self._known.broken(
                "I3", f"{strategy} has ${equity:.2f}, may come to hold ${worst:.2f} of a symbol and ${free:.2f} of cash"
            )

    def _alive(self, strategy: str) -> dict[str, tuple[Decimal, Decimal]]:
        """Return what may still be bought and sold, by symbol: at the venue, and on its way there."""
        alive = {symbol: [ZERO, ZERO] for owner, symbol in self._held if owner == strategy}
        working = self._exchange.account.working.values()
        orders: list[tuple[str, Decimal | None]] = [(one.order.client_order_id, one.left) for one in working]
        orders += [(order_id, None) for order_id in self._exchange.on_way]
        for order_id, left in orders:
            approved = self._known.orders.get(order_id)
            if approved is None or approved.intent.strategy != strategy:
                continue
            if left is None and order_id in self._exchange.account.by_client_id:
                continue  # it would be refused: the venue has one of this id
            record, intent = self._known.books.orders[order_id], approved.intent
            is_reserved = bool(record.reserved) or intent.reduces
            if (record.status in TERMINAL or not is_reserved) and strategy not in self.restated:
                raise self._known.broken(
                    "I3", f"{order_id} is {record.status}, ${record.reserved} reserved, and may be filled"
                )
            sums = alive.setdefault(intent.symbol, [ZERO, ZERO])
            place = 0 if intent.side is Side.BUY else 1
            sent = EXACT.subtract(intent.qty, record.crossed)
            sums[place] = EXACT.add(sums[place], sent if left is None else left)
        return {symbol: (buys, sells) for symbol, (buys, sells) in alive.items()}
