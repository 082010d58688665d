"""The journal in a file keeps what every journal keeps."""

from pathlib import Path

import apsw
import pytest

from tests.contracts.journal import Alter, JournalContract, MakeJournal
from trader.store.sqlite import open_journal


@pytest.fixture
def make_journal(tmp_path: Path) -> MakeJournal:
    return lambda: open_journal(tmp_path / "journal")


@pytest.fixture
def alter(tmp_path: Path) -> Alter:
    def execute(statement: str) -> None:
        with apsw.Connection(str(tmp_path / "journal")) as database:
            database.execute(statement.format(events="events"))
        database.close()

    return execute


class TestSqliteJournal(JournalContract):
    pass
