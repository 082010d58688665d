"""The journal in PostgreSQL: a real server, and what it does when it is ended, full, or not fit for it."""

import asyncio
import itertools
import select
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")

from tests.contracts.journal import Alter, JournalContract, MakeJournal, recovered
from tests.store.events import order, step, steps
from tests.store.postgres_server import PostgresServer
from tests.stories.exchange import rehearse
from trader.books.ledger import Ledger
from trader.cli import main
from trader.errors import ConfigError, JournalCorrupt, JournalFull, NotDurable, StoreError
from trader.model.signals import Signals, Target
from trader.model.ticks import Bar
from trader.store.journal import Journal
from trader.store.postgres import open_postgres
from trader.store.sqlite import open_journal
from trader.strategies import Context, Strategy

_numbers = itertools.count(1)


@pytest.fixture
def schema(postgres: PostgresServer) -> str:
    name = f"account{next(_numbers)}"
    postgres.execute(f"CREATE SCHEMA {name}")
    return name


@pytest.fixture
def make_journal(postgres: PostgresServer, schema: str) -> MakeJournal:
    return lambda: open_postgres(postgres.url(schema))


@pytest.fixture
def alter(postgres: PostgresServer, schema: str) -> Alter:
    def execute(statement: str) -> None:
        postgres.execute(statement.format(events="trader_events"), schema=schema)

    return execute


class TestPostgresJournal(JournalContract):
    pass


@pytest.fixture
def journal(make_journal: MakeJournal) -> Iterator[Journal]:
    """Give an open journal with three records."""
    with closing(make_journal()) as journal:
        assert recovered(journal) == []
        journal.write(steps(3))
        yield journal


def test_both_kinds_of_journal_have_the_same_records_and_hashes(journal: Journal, tmp_path: Path) -> None:
    with closing(open_journal(tmp_path / "journal")) as other:
        recovered(other)
        other.write(steps(3))
        assert other.verify() == journal.verify()


def test_a_lost_connection_makes_nothing_durable_and_nothing_is_tried_again(
    journal: Journal, postgres: PostgresServer, make_journal: MakeJournal
) -> None:
    _end_sessions(postgres)
    with pytest.raises(NotDurable, match="records may not be in the data base: terminating connection"):
        journal.write([step(4)])
    with pytest.raises(NotDurable, match="takes nothing any more, since the server failed"):
        journal.write([step(4)])
    with closing(make_journal()) as following:
        assert recovered(following) == [event for events in steps(3) for event in events]


def _end_sessions(postgres: PostgresServer) -> None:
    ended = postgres.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE application_name LIKE 'trader, %' AND pid <> pg_backend_pid()"
    )
    assert ended == [(True,)]


def test_a_connection_that_is_lost_while_nothing_happens_is_noticed_at_rest(
    journal: Journal, postgres: PostgresServer
) -> None:
    journal.rest()
    _end_sessions(postgres)
    with pytest.raises(NotDurable):
        journal.rest()
    journal.rest()  # it was told


def test_every_acknowledged_record_is_there_after_the_server_crashed(
    journal: Journal, postgres: PostgresServer, make_journal: MakeJournal
) -> None:
    acknowledged = [journal.last]
    is_busy = threading.Event()

    def write() -> None:
        while True:
            try:
                acknowledged.append(journal.write([order(number) for number in range(20)]))
            except NotDurable:
                return
            if len(acknowledged) > 50:
                is_busy.set()

    writer = threading.Thread(target=write)
    writer.start()
    is_busy.wait()
    postgres.crash()
    writer.join()
    postgres.start()
    with closing(make_journal()) as following:
        recovered(following)
        assert acknowledged[-1] <= following.last <= acknowledged[-1] + 20
        assert following.write([step(1)]) == following.last


def test_a_full_disk_leaves_the_journal_as_it_was_and_alive(
    journal: Journal, postgres: PostgresServer, schema: str
) -> None:
    postgres.execute(
        "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF NEW.number = 5 THEN RAISE 'no room' USING ERRCODE = 'disk_full'; END IF; RETURN NEW; END $$",
        schema=schema,
    )
    postgres.execute(
        "CREATE TRIGGER fill BEFORE INSERT ON trader_events FOR EACH ROW EXECUTE FUNCTION fill()", schema=schema
    )
    with pytest.raises(JournalFull, match="the server has no room for more records"):
        journal.write([step(4), step(5)])
    assert journal.last == 3
    assert not journal.release_ballast()
    postgres.execute("DROP TRIGGER fill ON trader_events", schema=schema)
    assert journal.write([step(4), step(5)]) == 5


def test_a_writer_that_is_not_the_only_one_stops(journal: Journal, postgres: PostgresServer, schema: str) -> None:
    postgres.execute("INSERT INTO trader_events VALUES (4, '', '')", schema=schema)
    with pytest.raises(NotDurable, match="duplicate key"):
        journal.write([step(4)])


def test_no_journal_is_made_where_none_may_be(postgres: PostgresServer, schema: str) -> None:
    with pytest.raises(ConfigError, match=rf"schema {schema}:\n  there is no journal"):
        open_postgres(postgres.url(schema), is_new_allowed=False)
    assert postgres.execute("SELECT to_regclass('trader_events')", schema=schema) == [(None,)]


def test_a_table_of_somebody_else_is_left_alone(postgres: PostgresServer, schema: str) -> None:
    postgres.execute("CREATE TABLE trader_events (number bigint)", schema=schema)
    with pytest.raises(JournalCorrupt, match="has a table trader_events that is no journal of trader"):
        open_postgres(postgres.url(schema))


def test_a_journal_of_a_newer_version_is_refused(
    make_journal: MakeJournal, postgres: PostgresServer, schema: str
) -> None:
    make_journal().close()
    postgres.execute("COMMENT ON TABLE trader_events IS 'trader journal, format 99'", schema=schema)
    with pytest.raises(ConfigError, match="a newer version of trader wrote it"):
        make_journal()


def test_a_server_that_loses_what_it_acknowledged_is_refused(postgres: PostgresServer, schema: str) -> None:
    def turn(state: str) -> None:
        postgres.execute(f"ALTER SYSTEM SET fsync TO {state}")
        postgres.execute("SELECT pg_reload_conf()")
        while postgres.execute("SHOW fsync") != [(state,)]:
            pass

    turn("off")
    try:
        with pytest.raises(ConfigError, match="the server runs with fsync off"):
            open_postgres(postgres.url(schema))
    finally:
        turn("on")


def test_what_is_set_for_the_user_makes_the_journal_neither_lose_nor_leave(
    postgres: PostgresServer, schema: str
) -> None:
    for name, value in {
        "synchronous_commit": "off",
        "idle_session_timeout": "20ms",
        "statement_timeout": "20ms",
    }.items():
        postgres.execute(f"ALTER ROLE trader SET {name} TO '{value}'")
    try:
        with closing(open_postgres(postgres.url(schema))) as journal:
            recovered(journal)
            own: Any = journal._db  # noqa: SLF001 -- nobody else can see what is set in a session
            assert own.execute("SHOW synchronous_commit").fetchone() == ("on",)
            own.execute("SELECT pg_sleep(0.05)")
            postgres.execute("SET statement_timeout TO 0; SELECT pg_sleep(0.1)")
            assert journal.write(steps(3)) == 3
    finally:
        postgres.execute("ALTER ROLE trader RESET ALL")


def test_a_server_that_is_not_there_is_said_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be reached") as caught:
        open_postgres(f"postgresql://trader:secret@/books?host={tmp_path}")
    assert str(caught.value).startswith(f"postgresql://{tmp_path}/books: cannot be reached (")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["postgresql://trader:secret@host:port:5/books?x", "postgresql://[secret", "mysql://u:secret@h/d", "secret", ""],
)
def test_an_address_that_is_none_is_said_without_the_password(address: str) -> None:
    with pytest.raises(ConfigError, match="address cannot be read: write it as") as caught:
        open_postgres(address)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("address", ["postgresql:/x", "postgres:books"])
def test_an_address_without_its_slashes_is_no_file(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="address cannot be read: write it as"):
        open_journal(address)
    assert not list(tmp_path.iterdir())


def test_the_verbs_that_look_at_journals_take_an_address(
    journal: Journal, postgres: PostgresServer, schema: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = postgres.url(schema)
    journal.close()
    assert main(["journal", "verify", address]) == 0
    assert capsys.readouterr().out.startswith("postgresql:///postgres: 3 records, each as it was written")
    assert main(["journal", "backup", str(tmp_path / "copy"), address]) == 0
    assert main(["trades", "--state-dir", str(tmp_path / "none"), "--journal", address]) == 0
    assert capsys.readouterr().out.endswith("no trades\n")


def test_without_its_library_the_way_to_get_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "trader.store.postgres")
    with pytest.raises(ConfigError, match=r"a journal in PostgreSQL needs psycopg .*pip install 'psycopg\[binary\]'"):
        import_module("trader.store.postgres")


class Pooler:
    """Stands before the server as a pooler does: who connects is given another process's number."""

    def __init__(self, folder: Path, server: Path) -> None:
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / ".s.PGSQL.5432"))
        self._listening.listen()
        self._behind = socket.socket(socket.AF_UNIX)
        self._behind.connect(str(server / ".s.PGSQL.5432"))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with self._listening, self._behind, self._listening.accept()[0] as client:
            others = {client: self._behind, self._behind: client}
            while True:
                for source in select.select([*others], [], [])[0]:
                    if not (data := source.recv(65_536)):
                        return
                    key = data.find(b"K\x00\x00\x00\x0c") if source is self._behind else -1
                    if key >= 0:
                        data = data[: key + 5] + bytes(4) + data[key + 9 :]
                    others[source].sendall(data)

    def join(self) -> None:
        self._thread.join()


def test_a_pooler_is_refused_because_no_lock_holds_through_it(postgres: PostgresServer, schema: str) -> None:
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as folder:
        pooler = Pooler(Path(folder), postgres.folder)
        url = postgres.url(schema).replace(str(postgres.folder), folder)
        with pytest.raises(ConfigError, match="a pooler stands before the server"):
            open_postgres(url)
        pooler.join()


class Holder(Strategy):
    """Buys and keeps."""

    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        return Target(bar.symbol, 0.4)


def holder() -> dict[str, Any]:
    return {"name": "holder", "strategy": Holder(), "tickers": ["BTC/USD", "ETH/USD"], "min_warmup_bars": 1}


async def test_a_run_keeps_its_books_there_and_ends_when_the_server_does(
    postgres: PostgresServer, schema: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    url = postgres.url(schema)
    open_postgres(url).close()  # there is a table to look at
    run = rehearse([holder()], minutes=100, monkeypatch=monkeypatch, state_dir=tmp_path / "s", journal=url)
    running = asyncio.ensure_future(run)
    filled = "SELECT 1 FROM trader_events WHERE position('OrderFilled'::bytea IN body) > 0"
    while not await asyncio.to_thread(postgres.execute, filled, schema=schema):
        assert not running.done()
    await asyncio.to_thread(postgres.crash)
    try:
        with pytest.raises(NotDurable, match="records may not be in the data base"):
            await running
    finally:
        postgres.start()
    with closing(open_journal(url)) as journal:
        ledger = Ledger.fold(journal.recover())
    assert ledger.books["holder"].fills > 0
