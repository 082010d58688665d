"""``trader risk``, against a real socket and against books that were left."""

import asyncio
import csv
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.build import T0, always, bar, spec
from tests.live.controlled import ControlledDesk, controlled
from tests.live.test_risk_view import days
from trader.cli import main
from trader.model.inputs import DailyBars
from trader.model.time import DAY, iso

Say = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Give a function that runs `trader risk` on the desk of ``tmp_path``."""

    async def run(*words: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(main, ["risk", "--state-dir", str(tmp_path), *words])
        return code, *capsys.readouterr()

    return run


def invested(desk: ControlledDesk, count: int = 300) -> None:
    """Let Momentum hold half of its 10,000 dollars in SPY, whose newest days are known."""
    desk.take(DailyBars(T0, days(count=count)))
    desk.minute(bar(minute=1))
    desk.minute(bar(minute=2))


async def test_the_report_shows_tails_parts_stresses_and_how_well_it_fits(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path) as desk:
        invested(desk)
        code, out, err = await say()
    assert (code, err) == (0, "")
    assert "equity $20,000.00, 299 past days in common" in out
    for told in (
        "parametric", "historical", "cornish-fisher", "limits: parametric, with what is on its way", "SPY",
        "$5,000.00", "Momentum", "financial-crisis  -$2,838.77  -14.19%  2007-10-09 to 2009-03-09", "worst-week",
        "the likeliest way to lose 10%", "stocks", "How well it fits is not known",
    ):  # fmt: skip
        assert told in out


async def test_a_stress_is_shown_position_by_position(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path) as desk:
        invested(desk)
        code, out, _ = await say("--stress", "october-2008")
        by_program = await say("--stress", "october-2008", "--json")
    assert code == 0
    assert out.splitlines()[0] == "october-2008 (2008-10-15): -$451.75, -2.26% of the equity"
    assert "SPY       $5,000.00  -9.0%  -$451.75  named" in out
    assert json.loads(by_program[1])["gain"] == pytest.approx(-451.75)


async def test_a_stress_is_read_out_of_a_file(tmp_path: Path, say: Say) -> None:
    path = tmp_path / "fear.json"
    path.write_text('{"name": "fear", "shocks": {"all": -0.3}}')
    async with controlled(tmp_path) as desk:
        invested(desk)
        code, out, _ = await say("--stress", str(path))
        path.write_text('{"since": "2025-11-03", "until": "2025-11-28"}')
        replayed = await say("--stress", str(path), "--json")
        path.write_text('{"shocks": {}}')
        refused = await say("--stress", str(path))
        missing = await say("--stress", str(tmp_path / "fera.json"))
    assert (code, out.splitlines()[0]) == (0, "fear: -$1,500.00, -7.50% of the equity")
    assert json.loads(replayed[1])["lines"][0]["basis"] == "named"
    assert refused[0] == 3
    assert "moves nothing" in refused[2]
    assert missing[0] == 3
    assert "did you mean 'fear.json'?" in missing[2]


async def test_a_misspelt_stress_is_a_mistake_of_usage_with_a_hint(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path):
        code, _, err = await say("--stress", "pandemik")
    assert (code, err) == (2, "error: no stress is called 'pandemik'; did you mean 'pandemic'?\n")


async def test_what_is_held_is_stressed_though_no_past_day_is_known(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path) as desk:
        desk.minute(bar(minute=1))
        desk.minute(bar(minute=2))
        code, out, _ = await say()
    assert code == 0
    assert "a desk reads past days where its settings have limits or filters" in out
    assert "financial-crisis  -$2,838.77" in out
    assert "SPY: left out of every tail, for too few of its days are known" in out


async def test_a_figure_that_would_leave_something_out_is_a_question_mark(tmp_path: Path, say: Say) -> None:
    both = spec(always(0.4), "SPY", "QQQ", name="Momentum")
    async with controlled(tmp_path, both) as desk:
        desk.take(DailyBars(T0, days()))
        for minute in (1, 2):
            desk.minute(bar(minute=minute), bar("QQQ", minute))
        _, out, _ = await say()
    assert re.search(r"limits: parametric, with what is on its way  95.0% +\? +\? +\? +\?\n", out)
    assert re.search(r"Momentum +\?\n", out)
    assert "QQQ: left out of every tail" in out


async def test_two_years_of_days_show_how_well_it_fits(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path) as desk:
        invested(desk, count=500)
        _, out, _ = await say()
    assert "Of 250 days " in out
    assert "Basel's light is green" in out


async def test_a_desk_that_holds_nothing_says_so(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path):
        code, out, _ = await say()
    assert (code, out.splitlines()[1]) == (0, "Nothing is held.")


async def test_without_a_desk_daily_bars_are_asked_for_and_the_books_measured_with_them(
    tmp_path: Path, say: Say
) -> None:
    async with controlled(tmp_path) as desk:
        invested(desk)
    path = tmp_path / "spy.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["symbol", "ts", "open", "high", "low", "close", "volume"])
        for one in days():
            writer.writerow(["SPY", iso(one.ts - DAY // 2), *[one.close] * 4, 1000])
    without = await say()
    code, out, _ = await say("--daily", str(path))
    path.with_name("qqq.csv").write_text(path.read_text().replace("SPY", "QQQ"))
    unpriced = await say("--daily", str(path.with_name("qqq.csv")))
    stress = await say("--daily", str(path), "--stress", "worst-day", "--json")
    assert without[0] == 7
    assert "or give --daily FILE: the books know no prices" in without[2]
    assert code == 0
    assert out.startswith("no desk, ")
    assert "SPY" in out
    assert json.loads(stress[1])["lines"][0]["basis"] == "replayed"
    assert unpriced[0] == 0
    assert "Nothing is held." not in unpriced[1]
    assert "Of what is held nothing has a known price, and the equity is without it." in unpriced[1]
    assert "SPY: left out of everything, for it has no price yet" in unpriced[1]
