"""What a desk may lose, asked of a running one and of books that were left."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from tests.build import T0, Rehearsal, always, bar, by_minute, spec
from tests.live.controlled import controlled, line_to
from trader.books.ledger import Ledger
from trader.engine.engine import Engine
from trader.live.control_messages import Declined
from trader.live.risk_view import AskStress, remembered, seen, symbols_of
from trader.model.events import AccountReconciled
from trader.model.inputs import DailyBars
from trader.model.ticks import Bar
from trader.model.time import DAY, NEW_YORK, iso, midnight_after
from trader.risk.stress import SCENARIOS


def days(symbol: str = "SPY", count: int = 300, *, seed: int = 1, until: int = T0) -> list[Bar]:
    """Return daily bars that end before ``until``, on every day of the week."""
    closes = 100.0 * np.cumprod(1.0 + np.random.default_rng(seed).normal(0.0, 0.01, count))
    ends = [
        midnight_after(until - number * DAY, NEW_YORK if symbol == "SPY" else None) for number in range(count, 0, -1)
    ]
    return [Bar(symbol, end, close, close, close, close, 1e6) for end, close in zip(ends, closes.tolist(), strict=True)]


@pytest.fixture
def desk() -> Rehearsal:
    """A desk whose strategy one holds half of its 10,000 dollars in SPY; two holds nothing."""
    desk = Rehearsal(spec(always(0.5), name="one"), spec(by_minute({}), "SPY", "BTC/USD", name="two"))
    desk.take(DailyBars(T0, [*days(), *days("BTC/USD", seed=2)]))
    desk.closes(100.0, 100.0)
    return desk


def test_a_desk_is_measured_at_its_marks_and_on_its_days(desk: Rehearsal) -> None:
    made = seen(desk.engine, mode="SIM", now=T0).report()
    assert (made.mode, made.ts, made.equity, made.days) == ("SIM", iso(T0), 20_000.0, 299)
    assert [(line.symbol, line.value) for line in made.positions] == [("SPY", 5_000.0)]
    assert made.strategies.keys() == {"one"}
    assert made.limit.var == pytest.approx(1.645 * 50.0, rel=0.2)


def test_an_order_on_its_way_is_in_what_limits_look_at() -> None:
    desk = Rehearsal(spec(always(0.5), name="one"))
    desk.take(DailyBars(T0, days()))
    desk.minute(bar(minute=1))
    made = seen(desk.engine, mode="SIM", now=T0).report()
    assert made.positions == []
    assert made.limit.var > 0.0


def test_a_stress_by_name_by_moves_and_by_days(desk: Rehearsal) -> None:
    now = seen(desk.engine, mode="SIM", now=T0)
    assert now.stress(AskStress("pandemic")).gain == pytest.approx(5_000.0 * SCENARIOS["pandemic"].shocks["SPY"])
    mine = now.stress(AskStress("mine", "as I fear", {"stocks": -0.1}))
    assert (mine.name, mine.title) == ("mine", "as I fear")
    assert mine.gain == pytest.approx(-500.0)
    first, last = days()[100], days()[110]
    since, until = (date.fromordinal(date(1970, 1, 1).toordinal() + one.ts // DAY - 1) for one in (first, last))
    replayed = now.stress(AskStress("then", since=since, until=until))
    assert replayed.gain == pytest.approx(5_000.0 * (last.close / first.close - 1.0))


def test_a_name_that_is_no_stress_and_days_that_nobody_knows_are_declined(desk: Rehearsal) -> None:
    now = seen(desk.engine, mode="SIM", now=T0)
    with pytest.raises(Declined, match="no stress is called 'pandemik'; did you mean 'pandemic'"):
        now.stress(AskStress("pandemik"))
    with pytest.raises(Declined, match="the days that are known begin with 2025-03-"):
        now.stress(AskStress("then", since=date(2020, 2, 19), until=date(2020, 3, 23)))
    empty = seen(Rehearsal(spec(always(0.5))).engine, mode="SIM", now=T0)
    with pytest.raises(Declined, match="no day is known"):
        empty.stress(AskStress("then", since=date(2020, 2, 19), until=date(2020, 3, 23)))


def test_a_desk_that_has_not_opened_says_so() -> None:
    with pytest.raises(Declined, match="only begun to start"):
        seen(Engine([spec(always(0.5))], book_id="t"), mode="SIM", now=T0)


def test_books_that_were_left_are_measured_at_the_newest_close(desk: Rehearsal) -> None:
    ledger, newest = desk.engine.desk.ledger, days()[-1]
    assert symbols_of(ledger) == ("SPY",)
    made = remembered(ledger, days()).report()
    assert [line.symbol for line in made.positions] == ["SPY"]
    assert made.positions[0].value == pytest.approx(50 * newest.close)
    assert made.equity == pytest.approx(15_000.0 + 50 * newest.close)
    assert (made.mode, made.ts) == ("no desk", iso(newest.ts))
    unknown = remembered(ledger, []).report()
    assert unknown.notes == ["SPY: left out of everything, for it has no price yet"]
    idle = Ledger.fold([AccountReconciled(T0, T0)])
    assert remembered(idle, []).report().ts == iso(T0)


async def test_the_socket_answers_risk_and_stress(tmp_path: Path) -> None:
    async with controlled(tmp_path) as desk, line_to(tmp_path) as line:
        desk.take(DailyBars(T0, days()))
        desk.minute(bar(minute=1))
        desk.minute(bar(minute=2))
        report = await line.ask("risk")
        stress = await line.ask("stress", name="october-2008")
        unknown = await line.ask("stress", name="nothing")
    assert report["result"]["positions"][0]["symbol"] == "SPY"
    assert stress["result"]["gain"] == pytest.approx(-0.09035 * 5_000.0)
    assert (unknown["ok"], unknown["error"]["code"]) == (False, "unknown_stress")
