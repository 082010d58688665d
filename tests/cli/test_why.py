"""`trader why` against a real desk on a real socket, and against the journal that it left."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tests.build import T0, always, by_minute, spec
from tests.live.controlled import controlled
from trader.cli import main
from trader.cli.why import MOST
from trader.live.control_messages import MOST_DECISIONS
from trader.model.events import FlagRaised, IntentTrimmed
from trader.model.orders import Side

Say = Callable[..., Awaitable[tuple[int, str, str]]]
TRADED = """\
Momentum: active
  SPY: holds 0, wants 100 % of its equity, mark 104

2026-01-05 14:31:00  warm (every ticker has its first bars)

2026-01-05 14:31:00  SPY, wants 100 % of its equity, buy 98.0392 at 100 (signal): filled
    14:31:00  ordered 98.0392 as t.Momentum.1.554138f2
    14:31:00  open
    14:31:00  filled 98.0392 at 101

2026-01-05 14:32:00  SPY, wants 0 % of its equity, sell 98.0392 at 101 (signal): filled
    14:32:00  ordered 98.0392 as t.Momentum.2.580db5c3
    14:32:00  open
    14:32:00  filled 98.0392 at 102, realized 98.0392

"""


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Give a function that asks why of the desk of ``tmp_path`` and returns (exit code, output, errors)."""

    async def run(*words: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(main, ["why", "--state-dir", str(tmp_path), *words])
        return code, *capsys.readouterr()

    return run


def trades(name: str = "Momentum") -> object:
    return spec(by_minute({1: 1.0, 2: 0.0, 4: 1.0, 5: 1.0}), name=name, max_daily_trades=2)


async def test_a_strategy_is_explained_from_its_first_bar_to_what_refuses_it_now(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path, trades()) as desk:  # type: ignore[arg-type]
        desk.closes(100, 101, 102, 103, 104)
        code, out, err = await say("Momentum")
    assert (code, err) == (0, "")
    assert out.startswith(TRADED)
    refusal = out.removeprefix(TRADED).splitlines()
    assert refusal[0].endswith(": denied by max_daily_trades ×2, the last at 2026-01-05 14:35:00")
    assert "denied by max_daily_trades" in refusal[1]
    assert "limit 2, value 2" in refusal[1]


async def test_what_filters_took_and_what_stands_against_it_is_said_with_its_numbers(tmp_path: Path, say: Say) -> None:
    trim = IntentTrimmed(T0, "two", "SPY", Side.BUY, Decimal(10), Decimal(4), "volatility", "0.2", "0.31")
    gone = IntentTrimmed(T0, "two", "SPY", Side.BUY, Decimal(4), Decimal(0), "max-positions", "3", "4")
    async with controlled(tmp_path, spec(always(0.5), name="two", min_warmup_bars=9)) as desk:
        desk.journal.write([[trim, gone]])
        flag = FlagRaised(T0, "strategy two", "drawdown", "hard", "reduce_only", "10 %", "12 %")
        desk.engine.desk.ledger.apply(flag)
        desk.closes(100)
        _, out, _ = await say("two", "SPY")
    assert out.splitlines() == [
        "two: warming",
        "  flag drawdown of strategy two: limit 10 %, value 12 % (hard, reduce_only), since 2026-01-05 14:30:00",
        "  SPY: holds 0, wants 0 % of its equity, mark 100, no entry now: it has 1 of the 9 bars that it needs first",
        "",
        "2026-01-05 14:30:00  SPY, buy 10: dropped by max-positions",
        "    14:30:00  volatility let 4 of 10 pass: limit 0.2, value 0.31",
        "    14:30:00  max-positions let 0 of 4 pass: limit 3, value 4",
    ]


async def test_the_journal_of_a_desk_that_has_ended_tells_the_same(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path, trades()) as desk:  # type: ignore[arg-type]
        desk.closes(100, 101, 102, 103, 104)
        _, running, _ = await say("Momentum", "SPY", "--json", "--last", "2")
    code, ended, err = await say("Momentum", "SPY", "--json", "--last", "2")
    assert (code, err) == (0, "")
    assert json.loads(ended) == {**json.loads(running), "symbols": []}
    assert len(json.loads(ended)["decisions"]) == 2


async def test_a_strategy_that_wanted_nothing_is_told_as_such(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path, spec(by_minute({}), name="two", min_warmup_bars=9)):
        _, out, _ = await say("two")
    assert "no decision is known" in out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("Momentun",), "error: no strategy is called 'Momentun'; did you mean 'Momentum'?\n"),
        (("Momentum", "SPX"), "error: Momentum does not trade 'SPX'; did you mean 'SPY'?\n"),
        (("Momentum", "GLD"), "error: Momentum does not trade 'GLD'; it trades SPY\n"),
    ],
)
async def test_what_nobody_trades_is_a_mistake_with_a_hint(
    tmp_path: Path, say: Say, words: tuple[str, ...], why: str
) -> None:
    async with controlled(tmp_path, trades()):  # type: ignore[arg-type]
        code, out, err = await say(*words)
    assert (code, out, err) == (2, "", why)


async def test_without_a_desk_a_misspelt_name_is_a_mistake_too(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path, trades()):  # type: ignore[arg-type]
        pass
    assert await say("Momentun") == (2, "", "error: no strategy is called 'Momentun'; did you mean 'Momentum'?\n")


async def test_a_folder_without_books_says_which_ones_can_be_named(say: Say) -> None:
    code, _, err = await say("Momentum")
    assert code == 3
    assert "no trader runs with" in err
    assert "it holds no journal" in err
    assert "those of a simulated market end with it" in err


def test_the_command_lines_bound_is_the_desks() -> None:
    assert MOST == MOST_DECISIONS
