"""The verbs that act on a running desk, against a real socket, a real journal and a real engine."""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import click
import pytest

from tests.build import T0, bar
from tests.cli.commands import PROGRAM, run
from tests.conftest import ROOT
from tests.live.controlled import ControlledDesk, controlled
from tests.waiting import GUARD_S, until
from trader.cli import control as shared
from trader.cli import main
from trader.live.control_client import is_running
from trader.live.desk_view import AccountReading
from trader.live.state_folder import HALT, JOURNAL, SOCKET
from trader.model.events import OrderFilled, OrderMoved, StateSet, SymbolLocked, SymbolUnlocked
from trader.model.inputs import Ticks
from trader.model.orders import OrderStatus, TradingState
from trader.model.time import MINUTE

Say = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Give a function that runs a verb on the desk of ``tmp_path`` and returns (exit code, output, errors)."""

    async def run(verb: str, *words: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(main, [verb, "--state-dir", str(tmp_path), *words])
        return code, *capsys.readouterr()

    return run


def locked(desk: ControlledDesk) -> None:
    """Let account and books disagree about SPY: two shares are missing."""
    desk.minute(bar(minute=1))
    desk.minute(bar(minute=2))
    desk.reading = AccountReading(T0, {"SPY": Decimal(48)}, Decimal(15_000))
    desk.engine.desk.ledger.apply(SymbolLocked(T0, "SPY", Decimal(48), Decimal(50), "three readings agree"))


def absent(desk: ControlledDesk) -> str:
    """Lose an order on its way to the broker, and return its id."""
    desk.engine.handle(Ticks(T0 + MINUTE, [bar(minute=1)]))
    ledger = desk.engine.desk.ledger
    (order_id,) = ledger.orders
    ledger.apply(OrderMoved(T0, "Momentum", "SPY", order_id, OrderStatus.ABSENT, "never heard of"))
    return order_id


# --- halt, pause, flatten, resume -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "words", "state", "told"),
    [
        ("halt", (), TradingState.HALTED, "halted: the whole desk."),
        ("pause", (), TradingState.PAUSED, "paused: the whole desk."),
        ("flatten", ("--yes",), TradingState.PAUSED, "flattening: the whole desk."),
    ],
)
async def test_the_whole_desk_is_stopped_and_told_how_to_go_on(
    tmp_path: Path, say: Say, verb: str, words: tuple[str, ...], state: TradingState, told: str
) -> None:
    async with controlled(tmp_path) as desk:
        code, out, _ = await say(verb, *words, "--why", "news")
        (event,) = desk.of(StateSet)[:1]
        resumed = await say("resume")
    assert (code, event.strategy, event.state, event.why) == (0, "", state, "news")
    assert out.startswith(told)
    assert "trader resume" in out
    assert resumed == (0, "resumed: the whole desk.\n", "")


async def test_one_strategy_is_halted_and_the_answer_can_be_read_by_a_program(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path):
        _, text, _ = await say("halt", "Momentum")
        code, out, err = await say("halt", "Momentum", "--json")
    answer = json.loads(out)
    assert (code, err) == (0, "")
    assert (answer["op"], answer["what"]) == ("halt", "Momentum")
    assert "until `trader resume Momentum`, after" in text
    assert answer["states"] == {
        "mode": "PAPER", "pid": os.getpid(), "desk": "active",
        "strategies": {"Momentum": "halted", "Adaptive": "active"},
    }  # fmt: skip


async def test_a_misspelt_strategy_is_a_mistake_of_usage_with_a_hint(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path):
        code, _, err = await say("halt", "momentun")
    assert (code, err) == (2, "error: no strategy is called 'momentun'; did you mean 'Momentum'?\n")


async def test_an_empty_name_means_nobody(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path) as desk:
        code, _, err = await say("halt", "")
        assert not desk.of(StateSet)
    assert code == 2
    assert "leave it out to mean the whole desk" in err


async def test_a_reason_that_would_be_cut_is_refused(tmp_path: Path, say: Say) -> None:
    code, _, err = await say("halt", "--why", "x" * 301)
    assert code == 2
    assert "--why has 301 characters" in err


async def test_resuming_the_desk_says_who_stays_halted(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path):
        await say("halt", "Momentum")
        await say("halt")
        desk_first = await say("resume")
        await say("pause")
        strategy_only = await say("resume", "Momentum")
    assert "Momentum is halted all the same; `trader resume Momentum` ends that." in desk_first[1]
    assert "The whole desk is paused all the same" in strategy_only[1]


async def test_resume_is_refused_while_the_halt_file_is_there(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path):
        await say("halt")
        (tmp_path / HALT).touch()
        code, out, err = await say("resume")
    assert (code, out) == (1, "")
    assert f"{tmp_path / HALT} is there: remove it first" in err


# --- without a desk -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [("pause",), ("resume",), ("flatten", "--yes"), ("reconcile",), ("halt", "Momentum")], ids=" ".join
)
async def test_without_a_desk_it_is_said_where_none_runs(tmp_path: Path, say: Say, words: tuple[str, ...]) -> None:
    code, out, err = await say(*words)
    assert (code, out) == (7, "")
    assert err.startswith(f"error: no trader runs with {tmp_path}, or it has only begun to: start it, or name another")
    assert not (tmp_path / HALT).exists()


async def test_a_halt_without_a_desk_is_left_for_the_next_start(tmp_path: Path, say: Say) -> None:
    code, out, _ = await say("halt", "--why", "bad news")
    assert code == 0
    assert "its next start begins halted" in out
    assert (tmp_path / HALT).read_text() == "bad news\n"
    again = await say("halt", "--json")
    assert again[0] == 0
    assert json.loads(again[1])["file"] == str(tmp_path / HALT)
    assert (tmp_path / HALT).read_text() == "bad news\n"


async def test_a_desk_that_does_not_answer_is_halted_by_the_file_and_not_said_to_be(
    tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    async with await asyncio.start_unix_server(leave, str(tmp_path / SOCKET)):
        code, out, _ = await say("halt")
    assert code == 7
    assert "ended before it answered" in out
    assert (tmp_path / HALT).exists()


async def test_a_misspelt_folder_gets_no_halt_that_nobody_would_ever_find(tmp_path: Path, say: Say) -> None:
    code = await asyncio.to_thread(main, ["halt", "--state-dir", str(tmp_path / "papr")])
    assert code == 2
    assert not (tmp_path / "papr").exists()


async def test_a_halt_that_can_be_left_nowhere_says_so(tmp_path: Path, say: Say) -> None:
    tmp_path.joinpath("file").touch()
    code = await asyncio.to_thread(main, ["halt", "--state-dir", str(tmp_path / "file")])
    assert code == 1


# --- which desk -----------------------------------------------------------------------------------------------------


async def test_the_desk_that_runs_is_meant_where_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    paper, live = tmp_path / "trader" / "paper", tmp_path / "trader" / "live"
    paper.mkdir(parents=True)
    live.mkdir()
    async with controlled(live) as desk:
        assert await asyncio.to_thread(main, ["halt"]) == 0
        assert desk.of(StateSet)
        async with controlled(paper):
            capsys.readouterr()
            assert await asyncio.to_thread(main, ["halt"]) == 2
    err = capsys.readouterr().err
    assert f"two desks run; add --state-dir {paper} or --state-dir {live}" in err


def test_without_a_desk_the_one_that_ran_is_meant_and_where_both_did_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    paper, live = tmp_path / "trader" / "paper", tmp_path / "trader" / "live"
    assert shared.folder_of(None) == paper
    live.mkdir(parents=True)
    assert shared.folder_of(None) == live
    paper.mkdir()
    with pytest.raises(click.UsageError, match="no desk runs, and a paper and a live one have run; add --state-dir"):
        shared.folder_of(None)


# --- asking ---------------------------------------------------------------------------------------------------------


async def test_flatten_of_everything_asks_and_where_it_cannot_it_refuses(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path) as desk:
        code, _, err = await say("flatten")
        assert not desk.of(StateSet)
        assert (await say("flatten", "Momentum"))[0] == 0
    assert code == 2
    assert "add --yes to say that it is meant" in err


@pytest.mark.parametrize(("typed", "is_done"), [(True, True), (False, False)])
def test_a_person_at_a_terminal_decides(
    typed: bool, is_done: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: "y" if typed else "n")
    if is_done:
        shared.confirm("Sure?", yes=False)
    else:
        with pytest.raises(click.Abort):
            shared.confirm("Sure?", yes=False)
        assert capsys.readouterr().err.endswith("nothing was done\n")


# --- reconcile ------------------------------------------------------------------------------------------------------


async def test_agreement_is_shown_as_a_table(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path) as desk:
        desk.minute(bar(minute=1))
        desk.minute(bar(minute=2))
        desk.reading = AccountReading(T0, {"SPY": Decimal(50)}, Decimal(15_000))
        code, out, _ = await say("reconcile")
    assert code == 0
    assert out == (
        "PAPER, account read 2026-01-05T14:30:00Z\n\n"
        "symbol  account  strategies  external  difference\n"
        "SPY          50          50         0           0\n\n"
        "cash  account $15000  strategies $15000  unallocated $0  difference $0\n"
    )


async def test_of_cash_that_differs_it_is_said_that_it_locks_nothing(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path) as desk:
        desk.reading = AccountReading(T0, {}, Decimal(1))
        _, out, _ = await say("reconcile")
    assert out.endswith("Cash that differs locks nothing; the log says what is known to explain it (cash.compared).\n")


async def test_a_locked_symbol_is_shown_with_its_way_out_and_freed_by_it(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path) as desk:
        locked(desk)
        _, shown, _ = await say("reconcile")
        unasked = await say("reconcile", "--accept", "SPY")
        code, out, _ = await say("reconcile", "--accept", "SPY", "--yes")
        (freed,) = desk.of(SymbolUnlocked)
        assert desk.engine.desk.ledger.account.external == {"SPY": Decimal(-2)}
    assert "LOCKED: three readings agree" in shown
    assert "trader reconcile --accept SPY" in shown
    assert unasked[0] == 2
    assert (code, out) == (0, "SPY is free again.\n")
    assert (freed.symbol, freed.adjusted) == ("SPY", Decimal(-2))
    assert "(pid " in freed.by


async def test_only_what_is_locked_can_be_accepted(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path) as desk:
        none = await say("reconcile", "--accept", "SPY", "--yes")
        locked(desk)
        other = await say("reconcile", "--accept", "AAPL", "--yes")
    assert none == (1, "", "error: 'SPY' is not locked; no symbol is locked\n")
    assert other == (1, "", "error: 'AAPL' is not locked; locked are SPY\n")


async def test_an_absent_order_is_shown_with_its_way_out_and_released_by_it(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path) as desk:
        order_id = absent(desk)
        _, shown, _ = await say("reconcile")
        code, out, _ = await say("reconcile", "--release", order_id, "--yes")
        assert desk.engine.desk.ledger.orders[order_id].status is OrderStatus.REJECTED
        again = await say("reconcile", "--release", order_id, "--yes")
    assert f"{order_id}  Momentum  buy  50  SPY  $5100" in shown
    assert f"trader reconcile --release {order_id}" in shown
    assert (code, out) == (0, f"{order_id} is released, its dollars too.\n")
    assert again[0] == 1
    assert "no order is absent" in again[2]


async def test_two_decisions_are_made_one_after_the_other(say: Say) -> None:
    code, _, err = await say("reconcile", "--accept", "SPY", "--release", "order")
    assert code == 2
    assert "two decisions" in err


# --- trades ---------------------------------------------------------------------------------------------------------


async def test_trades_are_listed_while_the_desk_runs_and_after(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path) as desk:
        desk.minute(bar(minute=1))
        desk.minute(bar(minute=2))
        (fill,) = desk.of(OrderFilled)
        running = await say("trades")
        as_json = await say("trades", "--json")
    after = await say("trades")
    assert running == after
    assert running[1] == (
        "time (UTC)           strategy  symbol  side  qty  price  fee  realized  why\n"
        "2026-01-05 14:31:00  Momentum  SPY     buy    50    100              0  signal\n"
    )
    (trade,) = json.loads(as_json[1])["trades"]
    assert (trade["execution_id"], trade["crossed"], trade["realized"]) == (fill.execution_id, False, "0")


async def test_trades_of_one_strategy_are_listed_and_an_unknown_one_is_told(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path) as desk:
        desk.minute(bar(minute=1))
        desk.minute(bar(minute=2))
        of_one = await say("trades", "Momentum")
        of_other = await say("trades", "Adaptive")
        of_nobody = await say("trades", "Adaptiv")
    assert "Momentum" in of_one[1]
    assert of_other == (0, "no trades of 'Adaptive'\n", "")
    assert of_nobody == (2, "", "error: no strategy is called 'Adaptiv'; did you mean 'Adaptive'?\n")


async def test_older_trades_are_asked_for_by_record(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path) as desk:
        fills = [_fill(number) for number in (1, 2)]
        desk.journal.write([[fill] for fill in fills])
        newest = await say("trades", "--limit", "1")
        before = newest[1].split()[-1]
        older = await say("trades", "--before", before)
    assert "crossed" in newest[1]
    assert f"older ones: --before {before}" in newest[1]
    assert "take profit" in older[1]


def _fill(number: int) -> OrderFilled:
    from trader.model.orders import Reason, Side

    return OrderFilled(
        T0 + number, "Momentum", "SPY", Side.SELL, Decimal(1), Decimal(100), Decimal("0.1"), "SPY", "order",
        f"x:{number}", Decimal(100), Reason.TAKE_PROFIT, OrderStatus.FILLED, Decimal(1), opened=False,
    )  # fmt: skip


async def test_where_nothing_was_ever_traded_is_said(tmp_path: Path, say: Say) -> None:
    code, _, err = await say("trades")
    assert code == 3
    assert err.startswith(f"error: no trader runs with {tmp_path}, and it holds no journal")
    assert not (tmp_path / JOURNAL).exists()


# --- a whole program ------------------------------------------------------------------------------------------------


async def test_a_program_that_runs_is_halted_from_another_one_and_ends_with_code_6(tmp_path: Path) -> None:
    words = ["run", "--feed", "synthetic", "--speed", "60", "--state-dir", str(tmp_path)]
    running = await asyncio.create_subprocess_exec(
        *PROGRAM, *words, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await until(lambda: is_running(tmp_path))
        done = await asyncio.to_thread(run, "halt", "--state-dir", str(tmp_path), "--why", "enough", cwd=ROOT)
        assert done.stdout.startswith("halted: the whole desk. Nothing opens until `trader resume`.\n")
    finally:
        running.send_signal(signal.SIGTERM)
        async with asyncio.timeout(GUARD_S):
            code = await running.wait()
    assert code == 6
    log = (tmp_path / "log.jsonl").read_text()
    assert '"event":"state.set","strategy":"","state":"halted"' in log
    assert '"why":"enough"' in log
