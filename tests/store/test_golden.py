"""Journals of every format there was are read as they were meant, for ever."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.store.golden_journals import books_of, events_of, figures, lines
from trader.books.ledger import Ledger
from trader.store.journal import FORMAT, Journal
from trader.store.sqlite import open_journal

FORMATS = range(1, FORMAT + 1)


@contextmanager
def copied(path: Path, folder: Path) -> Iterator[Journal]:
    """Open a copy, so that the original stays as it is."""
    with closing(open_journal(shutil.copy(path, folder), is_new_allowed=False)) as journal:
        yield journal


@pytest.mark.parametrize("number", FORMATS)
def test_every_kind_of_event_means_what_it_meant(number: int, tmp_path: Path) -> None:
    path, said = events_of(number)
    with copied(path, tmp_path) as journal:
        found = list(lines(journal))
    meant = [json.loads(line) for line in said.read_text(encoding="utf-8").splitlines()]
    assert len(found) == len(meant)
    for now, then in zip(found, meant, strict=True):
        assert_holds(now, then)


@pytest.mark.parametrize("number", FORMATS)
def test_books_come_to_what_they_came_to(number: int, tmp_path: Path) -> None:
    path, said = books_of(number)
    meant = json.loads(said.read_text(encoding="utf-8"))
    with copied(path, tmp_path) as journal:
        assert figures(Ledger.fold(journal.recover())) == meant
    assert meant["orders"] >= 4


def test_the_whole_of_a_journal_comes_to_the_same_as_what_follows_its_snapshot(tmp_path: Path) -> None:
    path, _ = books_of(FORMAT)
    with copied(path, tmp_path) as journal:
        from_snapshot = Ledger.fold(journal.recover())
        whole = Ledger.fold(event for record in journal.read() for event in record.events)
    from_snapshot.conduct = whole.conduct  # the program that wrote the snapshot did not count it
    assert whole.digest() == from_snapshot.digest()


def assert_holds(now: Any, then: Any) -> None:
    """Assert that everything said then is said now; a field that came later may be beside it."""
    if isinstance(then, dict) and isinstance(now, dict):
        for name, value in then.items():
            assert_holds(now[name], value)
    elif isinstance(then, list):
        assert len(now) == len(then)
        for one_now, one_then in zip(now, then, strict=True):
            assert_holds(one_now, one_then)
    else:
        assert now == then
