"""What a restart must not do, story by story: real processes on one account, most of them killed with signal 9."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.stories.judging import counters, differences, fold, holdings
from tests.stories.killing import KILLED, SETTLED, Child, Desk, Kill, Nursery, before, wait_until
from tests.stories.markets import COIN, STOCK, lively, scheduled, steady, told
from tests.stories.served import Served
from trader.model.events import DailyLossReached, ExternalFilled, OrderCreated, OrderFilled
from trader.model.money import plain
from trader.model.orders import TradingState
from trader.model.time import MINUTE

SPEED = 240.0
OPPOSITE = [told("long", STOCK), told("short", STOCK, allow_short=True)]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Give what forks the desks."""
    with Nursery() as one:
        yield one


@pytest.fixture(scope="module")
def other() -> Iterator[Nursery]:
    """Give what forks whatever is started beside a desk."""
    with Nursery() as one:
        yield one


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Serve a market whose prices never move, with a second account."""
    with Served(msgspec.structs.replace(steady(tmp_path, SPEED), accounts=2)) as one:
        yield one


def minutes_pass(desk: Desk, child: Child) -> None:
    """Let a desk live on for a while."""
    until = desk.served.now() + SETTLED
    wait_until(lambda: desk.served.now() >= until or child.wait(0.001) is not None)


def events_since(desk: Desk, place: int) -> list[Any]:
    """Return what was journaled after the first ``place`` records."""
    return [event for step in desk.steps()[place:] for event in step]


def same(desk: Desk) -> list[str]:
    """Compare books and account."""
    return differences(desk.steps(), desk.served.truth())


def beside(other: Nursery, desk: Desk, *arguments: str, **env: str) -> Child:
    """Start a program beside a desk, as somebody who has the same settings."""
    log = desk.folder / f"beside-{arguments[0]}.log"
    return other.start(arguments, env={**desk.env, **env}, log=log)


# --- positions and fills ---------------------------------------------------------------------------------------------


def test_opposite_positions_of_one_symbol_outlive_a_kill_and_nothing_is_traded_for_it(
    nursery: Nursery, served: Served, tmp_path: Path
) -> None:
    desk = Desk(nursery, served, tmp_path, OPPOSITE)
    desk.tell(long=0.5, short=-0.25)
    child = desk.begin()
    desk.until_held(SPY="50")
    wait_until(lambda: fold(desk.steps()).holdings().get(STOCK) == 50)
    assert child.end(signal.SIGKILL) == KILLED
    found, length = fold(desk.steps()), len(desk.steps())

    child = desk.begin()
    minutes_pass(desk, child)
    desk.stop(child)
    assert same(desk) == []
    assert holdings(fold(desk.steps())) == holdings(found)
    assert [plain(found.books[name].positions[STOCK].qty) for name in ("long", "short")] == ["100", "-50"]
    traded = [one for one in events_since(desk, length) if isinstance(one, OrderCreated | OrderFilled | ExternalFilled)]
    assert traded == []


def test_fills_while_nobody_was_there_are_their_strategys_at_the_next_start(nursery: Nursery, tmp_path: Path) -> None:
    with Served(lively(SPEED, latency=MINUTE)) as served:
        desk = Desk(nursery, served, tmp_path, [told("long", STOCK), told("coin", COIN)])
        desk.tell(long=0.5, coin=0.0)
        desk.die(Kill(at_order=1))
        wait_until(lambda: served.truth()["executions"])
        child = desk.begin()
        minutes_pass(desk, child)
        desk.stop(child)
        assert same(desk) == []
        executed = {row["execution_id"] for row in served.truth()["executions"]}
        (record,) = fold(desk.steps()).orders.values()
        assert record.approved.intent.strategy == "long"
        assert {name.partition("@")[0] for name in record.executions} == executed


def test_orders_of_another_hand_change_no_sandbox(nursery: Nursery, served: Served, tmp_path: Path) -> None:
    desk = Desk(nursery, served, tmp_path, OPPOSITE)
    desk.tell(long=0.5, short=-0.25)
    (account, _) = served.exchange.venue.accounts
    by_hand = {"kind": "manual_order", "symbol": STOCK, "qty": "3", "account": account}
    child = desk.begin()
    desk.until_held(SPY="50")
    served.plan(by_hand)  # while the desk looks
    desk.until_held(SPY="53")
    child.until('"event":"external.filled"')
    assert child.end(signal.SIGKILL) == KILLED
    served.plan(by_hand)  # and while it does not
    desk.until_held(SPY="56")
    child = desk.begin()
    minutes_pass(desk, child)
    desk.stop(child)
    assert same(desk) == []
    ledger = fold(desk.steps())
    assert {symbol: plain(qty) for symbol, qty in ledger.account.external.items()} == {STOCK: "6"}
    assert [plain(book.positions[STOCK].qty) for book in ledger.books.values()] == ["100", "-50"]


def test_an_order_whose_answer_was_lost_is_not_sent_again(nursery: Nursery, served: Served, tmp_path: Path) -> None:
    desk = Desk(nursery, served, tmp_path, OPPOSITE)
    desk.tell(long=0.5, short=0.0)
    served.plan({"kind": "answer_lost"})
    desk.die(before("answer.taken", since="order.posted"))  # it was asked about, and found
    child = desk.begin()
    desk.until_held(SPY="100")
    minutes_pass(desk, child)
    desk.stop(child)
    assert same(desk) == []
    (asked,) = served.truth()["requests"]["by_client_id"].values()
    assert asked["posts"] == 1


# --- journals and locks ----------------------------------------------------------------------------------------------


def test_a_journal_from_an_old_backup_trades_nothing_and_says_why(
    nursery: Nursery, served: Served, tmp_path: Path
) -> None:
    desk = Desk(nursery, served, tmp_path, OPPOSITE)
    desk.tell(long=0.5, short=0.0)
    child = desk.begin()
    desk.until_held(SPY="100")
    desk.stop(child)
    backup = tmp_path / "backup"
    shutil.copytree(desk.state, backup)
    desk.tell(long=0.0, short=0.0)
    child = desk.begin()
    desk.until_held()
    desk.stop(child)

    shutil.copy(backup / "journal.sqlite", desk.state)
    child = desk.start()
    assert child.wait() == 4
    assert "was acknowledged and is gone" in child.said()

    shutil.rmtree(desk.state)
    shutil.copytree(backup, desk.state)
    desk.tell(long=0.9, short=0.0)
    child = desk.start()
    assert child.wait() == 3
    assert "these books: they are older than the broker's memory" in child.said()
    assert "Traceback" not in child.said()
    assert len(served.truth()["orders"]) == 2


def test_a_second_desk_is_told_who_holds_account_and_journal(
    nursery: Nursery, other: Nursery, served: Served, tmp_path: Path
) -> None:
    desk = Desk(nursery, served, tmp_path, OPPOSITE)
    desk.tell(long=0.0, short=0.0)
    child = desk.begin()
    second = beside(other, desk, *desk.arguments, "--state-dir", "elsewhere")
    assert second.wait() == 3
    assert (
        f"the account of key PK…{desk.env['APCA_API_KEY_ID'][-4:]} is in use by process {child.pid} " in second.said()
    )
    strangers = [*served.exchange.keys.values()][1]
    theirs = {"APCA_API_KEY_ID": strangers.id, "APCA_API_SECRET_KEY": strangers.secret}
    third = beside(other, desk, *desk.arguments, **theirs)
    assert third.wait() == 3
    assert f"journal.sqlite is in use by process {child.pid} " in third.said()
    assert child.end(signal.SIGKILL) == KILLED
    desk.stop(desk.begin())  # the locks went with their process


# --- what no restart resets ------------------------------------------------------------------------------------------


def test_a_halt_outlives_the_process_and_is_its_exit_code(
    nursery: Nursery, other: Nursery, served: Served, tmp_path: Path
) -> None:
    desk = Desk(nursery, served, tmp_path, OPPOSITE)
    desk.tell(long=0.5, short=0.0)
    child = desk.begin()
    desk.until_held(SPY="100")
    assert beside(other, desk, "halt", "--why", "too wild").wait() == 0
    assert child.end(signal.SIGKILL) == KILLED
    desk.tell(long=0.5, short=-0.25)
    child = desk.begin()
    minutes_pass(desk, child)
    desk.stop(child, code=6)
    assert fold(desk.steps()).account.state is TradingState.HALTED
    assert len(served.truth()["orders"]) == 1
    desk.tell(long=0.0, short=-0.25)
    child = desk.begin()
    desk.until_held()  # what reduces passes
    assert beside(other, desk, "resume").wait() == 0
    desk.until_held(SPY="-50")
    desk.stop(child)
    assert same(desk) == []


def test_the_days_counters_and_its_loss_outlive_the_process(nursery: Nursery, tmp_path: Path) -> None:
    strategies = [
        scheduled("often", STOCK, [0.5, 0.0], minutes=1, risk_config={"max_daily_trades": 3}),
        scheduled("loser", COIN, [0.5, 0.0], minutes=1, risk_config={"max_daily_loss": 1}),
    ]
    with Served(lively(SPEED)) as served:
        desk = Desk(nursery, served, tmp_path, strategies)
        child = desk.begin()
        child.until('"rule":"max_daily_trades"')
        child.until('"event":"loss.reached"')
        minutes_pass(desk, child)
        assert child.end(signal.SIGKILL) == KILLED
        found, length = counters(fold(desk.steps())), len(desk.steps())
        assert found["often"][0] >= 3
        assert found["loser"][1]
        child = desk.begin()
        minutes_pass(desk, child)
        desk.stop(child)
        assert counters(fold(desk.steps())) == found
        assert not [one for one in events_since(desk, length) if isinstance(one, OrderCreated | DailyLossReached)]
        assert same(desk) == []
