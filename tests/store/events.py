"""Steps of events to journal, each told from every other."""

from decimal import Decimal

from trader.model.events import BooksOpened, CashBooked, Event, OrderCreated
from trader.model.orders import Approved, OrderIntent, Reason, Side
from trader.model.time import parse_time

T0 = parse_time("2026-01-05T14:30:00")  # as in tests.build, which imports the desk

Step = list[Event]


def step(number: int, events: int = 1) -> Step:
    """Return the ``number``-th step."""
    return [
        CashBooked(T0 + number, f"activity-{number}-{at}", "DIV", "", "SPY", Decimal(number) / 100)
        for at in range(events)
    ]


def steps(count: int, first: int = 1) -> list[Step]:
    return [step(number, 1 + number % 3) for number in range(first, first + count)]


def snapshot(number: int, size: int = 10) -> Step:
    return [BooksOpened(T0 + number, b"x" * size), *step(number)]


def order(number: int) -> Step:
    """Return a step as most are: an order."""
    intent = OrderIntent("momentum", "SPY", Side.BUY, Decimal("1.5"), Decimal("450.23"), False, Reason.SIGNAL, T0)
    return [OrderCreated(T0 + number, Approved(f"book1.momentum.{number}.0123abcd", intent, Decimal("675.35")))]
