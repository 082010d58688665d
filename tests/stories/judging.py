"""What a journal adds up to against what is true on the exchange: every difference, as text."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from trader.books.ledger import Ledger
from trader.model.events import BooksOpened, Event, OrderCreated, SessionStarted
from trader.model.money import EXACT, ZERO, plain
from trader.model.orders import TERMINAL

Truth = Mapping[str, Any]
Steps = Sequence[Sequence[Event]]
Executed = dict[str, list[tuple[Decimal, Decimal]]]  # (quantity, price) by client order id


def fold(steps: Steps) -> Ledger:
    """Return the books that a journal adds up to, from its first record on."""
    return Ledger.fold(event for step in steps for event in step)


def differences(steps: Steps, truth: Truth) -> list[str]:
    """Compare the books of a desk that has ended in order with the account it traded."""
    ledger = fold(steps)
    ours = f"{ledger.account.book_id}."
    return [
        *unowned(steps, truth),
        *misremembered(steps),
        *_executions(ledger, truth, ours),
        *_positions(ledger, truth),
        *_cash(ledger, truth),
        *_open_orders(ledger, truth, ours),
        *_ids(truth, ours),
    ]


def unowned(steps: Steps, truth: Truth) -> Iterator[str]:
    """Find orders of the desk's at the venue that its journal does not know: they left before they were durable."""
    created = {e.approved.order_id for step in steps for e in step if isinstance(e, OrderCreated)}
    book_id = next((event.book_id for step in steps for event in step if hasattr(event, "book_id")), None)
    for order in truth["orders"]:
        name = order["client_order_id"]
        is_ours = book_id is None or name.startswith(f"{book_id}.")
        if is_ours and name.count(".") == 3 and name not in created:
            yield f"{name} is at the venue and in no journal"


def misremembered(steps: Steps) -> Iterator[str]:
    """Hold every digest and snapshot that a process wrote down against the events before it."""
    ledger = Ledger()
    for number, step in enumerate(steps, 1):
        for event in step:
            if isinstance(event, SessionStarted) and event.digest != ledger.digest():
                yield f"record {number}: a start found other books than the journal adds up to"
            if isinstance(event, BooksOpened) and event.state != ledger.snapshot():
                yield f"record {number}: the day's snapshot is not what the journal adds up to"
            ledger.apply(event)


def holdings(ledger: Ledger) -> dict[str, dict[str, str]]:
    """Return each sandbox's cash, profit and positions, as text: what two runs of one schedule have in common."""
    return {
        name: {
            "cash": plain(book.cash),
            "realized": plain(book.realized),
            "fees": plain(book.fees),
            **{symbol: plain(one.qty) for symbol, one in sorted(book.positions.items()) if one.qty},
        }
        for name, book in ledger.books.items()
    }


def trades(ledger: Ledger) -> dict[str, list[tuple[str, str, str, str]]]:
    """Return (symbol, side, quantity, price) of what each sandbox traded, in its order, executions of one order added.

    Executions of one order stand at one price where the market has only one.
    """
    found: dict[str, list[tuple[str, str, str, str]]] = {name: [] for name in ledger.books}
    for record in ledger.orders.values():
        intent = record.approved.intent
        prices = {plain(one.price) for one in record.executions.values() if one is not None}
        if record.filled:
            row = intent.symbol, intent.side.value, plain(record.filled), "/".join(sorted(prices))
            found[intent.strategy].append(row)
    return found


def counters(ledger: Ledger) -> dict[str, tuple[int, bool, str, str]]:
    """Return what no restart may reset: the day's orders, its loss, its start, and every halt."""
    found = {
        name: (book.daily_trades, book.loss_reached, plain(book.day_equity), str(book.state))
        for name, book in ledger.books.items()
    }
    return {**found, "": (0, False, "", str(ledger.account.state))}


def _executions(ledger: Ledger, truth: Truth, ours: str) -> Iterator[str]:
    """Every execution of the venue's stands once with the order that it was of, at its price; nothing else does."""
    real: Executed = defaultdict(list)
    for row in truth["executions"]:
        if row["stands"]:
            real[row["client_order_id"]].append((Decimal(row["qty"]), Decimal(row["price"])))
    for name, record in ledger.orders.items():
        booked = [
            (one.qty, one.price)
            for key, one in record.executions.items()
            if one is not None and not key.startswith("x:")
        ]
        if sorted(booked) != sorted(real.pop(name, [])):
            yield f"{name}: booked {shown(booked)}, the venue says otherwise"
    external = [one for one in ledger.account.executions.values() if one is not None]
    booked = [(one.qty, one.price) for one in external]
    others = [row for name, rows in real.items() if not name.startswith(ours) for row in rows]
    if Counter(booked) != Counter(others):
        yield f"external: booked {shown(booked)}, other hands traded {shown(others)}"
    for name in real:
        if name.startswith(ours):
            yield f"{name}: executed at the venue {shown(real[name])}, in no book"


def _positions(ledger: Ledger, truth: Truth) -> Iterator[str]:
    held = ledger.holdings()
    real = {symbol: Decimal(one["qty"]) for symbol, one in truth["positions"].items()}
    for symbol in sorted(held.keys() | real.keys()):
        if held.get(symbol, ZERO) != real.get(symbol, ZERO):
            ours, theirs = plain(held.get(symbol, ZERO)), plain(real.get(symbol, ZERO))
            yield f"{symbol}: sandboxes and others hold {ours}, the account {theirs}"


def _cash(ledger: Ledger, truth: Truth) -> Iterator[str]:
    real = Decimal(truth["cash"])
    if ledger.cash() != real:
        left = plain(EXACT.subtract(ledger.cash(), real))
        yield f"cash: the books have {plain(ledger.cash())}, the account {plain(real)}: {left} too much"


def _open_orders(ledger: Ledger, truth: Truth, ours: str) -> Iterator[str]:
    ended = {"filled", "canceled", "expired", "rejected", "replaced"}
    for order in truth["orders"]:
        name = order["client_order_id"]
        if not name.startswith(ours) or order["status"] in ended:
            continue
        record = ledger.orders.get(name)
        if record is None or record.status in TERMINAL:
            yield f"{name} is open at the venue, and over in the books"


def _ids(truth: Truth, ours: str) -> Iterator[str]:
    taken = Counter(order["client_order_id"] for order in truth["orders"])
    for name, times in taken.items():
        if times > 1:
            yield f"{name}: {times} orders of one id"
    for name, asked in truth["requests"]["by_client_id"].items():
        if name.startswith(ours) and asked["statuses"].count(200) > 1:
            yield f"{name}: taken more than once: {asked['statuses']}"


def shown(rows: Sequence[tuple[Decimal, Decimal]]) -> str:
    """Write executions for people."""
    return ", ".join(f"{plain(qty)} at {plain(price)}" for qty, price in sorted(rows)) or "nothing"
