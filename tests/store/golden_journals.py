"""Journals that are kept for ever, one of each format: every later program must read them as they were meant.

``python -m tests.store.golden_journals`` makes those of a new format; what is there is never made anew. ``events`` has
one event of every kind, with its fields beside it as JSON; ``books`` is a desk's trading, with what it came to.
"""

import types
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Final, get_args, get_origin

import msgspec

from tests.build import Rehearsal, bar, by_minute, spec
from trader.books.ledger import Ledger
from trader.model.events import BooksOpened, Event
from trader.model.money import plain
from trader.store.ballast import release
from trader.store.journal import FORMAT, Journal
from trader.store.sqlite import open_journal

FOLDER: Final = Path(__file__).parent / "golden"

_SAMPLES: Final[dict[Any, Any]] = {
    int: 1_767_623_400_123_456_789,
    bool: True,
    float: 0.1,
    bytes: b"\x00\xff",
    Decimal: Decimal("-12345678901234567890.123456789"),
}


def events_of(number: int) -> tuple[Path, Path]:
    """Return the journal with every kind of event of a format, and what is in it."""
    return FOLDER / f"format-{number}-events.sqlite", FOLDER / f"format-{number}-events.jsonl"


def books_of(number: int) -> tuple[Path, Path]:
    """Return the journal of a desk's trading, and what its books came to."""
    return FOLDER / f"format-{number}-books.sqlite", FOLDER / f"format-{number}-books.json"


def lines(journal: Journal) -> Iterator[Any]:
    """Give the records of a journal as JSON has them."""
    for record in journal.read():
        yield msgspec.to_builtins(record)


def figures(ledger: Ledger) -> dict[str, Any]:
    """Return what books came to, without anything that depends on how a ledger is made."""
    return {
        "cash": plain(ledger.cash()),
        "holdings": {symbol: plain(qty) for symbol, qty in sorted(ledger.holdings().items())},
        "orders": ledger.orders_created,
        "realized": {name: plain(book.realized) for name, book in sorted(ledger.books.items())},
        "fills": {name: book.fills for name, book in sorted(ledger.books.items())},
    }


def make() -> None:
    """Make the journals of the present format."""
    FOLDER.mkdir(exist_ok=True)
    journal, said = events_of(FORMAT)
    assert not journal.exists(), f"{journal} is kept as it is"
    with closing(_new(journal)) as made:
        made.write([[sample(kind, kind.__name__)] for kind in get_args(Event)])
        said.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines(made)))
    journal, said = books_of(FORMAT)
    with closing(_new(journal)) as made:
        said.write_bytes(msgspec.json.format(msgspec.json.encode(figures(_trade(made)))) + b"\n")
    for beside in (*FOLDER.glob("*.ballast"), *FOLDER.glob("*.lock"), *FOLDER.glob("*.mark")):
        beside.unlink()


def sample(kind: Any, name: str) -> Any:
    """Return a value of a field's type that is told from others."""
    parts = [part for part in get_args(kind) if part not in {..., types.NoneType}]
    if kind in _SAMPLES:
        return _SAMPLES[kind]
    if kind is str:
        return f"{name} – Ω"
    if get_origin(kind) is dict:
        return {sample(parts[0], name): sample(parts[1], name)}
    if get_origin(kind) is tuple:
        return (sample(parts[0], name), sample(parts[0], f"{name} again"))
    return sample(parts[0], name) if parts else _sample_of_class(kind)


def _sample_of_class(kind: Any) -> Any:
    if issubclass(kind, Enum):
        return list(kind)[-1]
    return kind(**{field.name: sample(field.type, field.name) for field in msgspec.structs.fields(kind)})


def _new(path: Path) -> Journal:
    journal = open_journal(path)
    assert not list(journal.recover())
    release(path)
    return journal


def _trade(journal: Journal) -> Ledger:
    """Let two strategies trade one symbol for some minutes, with a snapshot in between; return their books."""
    up_and_down = spec(by_minute({1: 0.5, 4: 0.0, 6: 0.25}), name="Momentum")
    down_and_up = spec(by_minute({2: 0.5, 5: 0.0}), name="Adaptive")
    desk, written = Rehearsal(up_and_down, down_and_up, book_id="golden"), 0
    for minute in range(1, 9):
        desk.minute(bar(minute=minute, close=100 + 1.25 * minute))
        journal.write([[event] for event in desk.events[written:]])
        written = len(desk.events)
        if minute == 4:
            journal.write([[BooksOpened(desk.events[-1].ts, desk.engine.desk.ledger.snapshot())]])
    return desk.engine.desk.ledger


if __name__ == "__main__":
    make()
