"""Kill -9 at every point that matters, on real processes: nothing is done twice, nothing is lost, the books go on.

``scripts/kills`` does the same for as long as you like, at points and moments of chance.
"""

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.stories.judging import fold, holdings, trades, unowned
from tests.stories.killing import (
    KILLED,
    Desk,
    Endured,
    Kill,
    Nursery,
    after,
    before,
    endure,
    judged,
    stopping,
)
from tests.stories.markets import COIN, OPENING, STOCK, flipping, lively, scheduled, steady, told
from tests.stories.served import Served
from trader.exchange.local import ExchangeOptions
from trader.model.calendar import StockCalendar
from trader.model.events import BooksOpened, SessionStarted
from trader.model.time import DAY, MINUTE

LANES = 3  # desks that are killed side by side: half of the time each of them waits for its market
SPEED = 240.0
SLOW_DISK_S = 0.05  # for a commit

CREATION = [
    before("journal.made"),
    after("journal.made"),
    after("journal.opened"),
    before("ballast.kept"),
    before("books.recovered"),
    after("account.admitted"),
    after("account.read"),
    after("broker.started"),
    before("journal.written"),
    before("rows.committed"),
    after("rows.committed"),
    after("journal.written"),
]
ORDERS = [
    before("step.recorded", since="order.decided"),
    before("rows.committed", since="order.decided"),
    Kill(at_order=1, disk_s=SLOW_DISK_S),
    after("order.posted"),
    before("answer.taken"),
    after("answer.taken"),
    after("rows.committed", since="order.decided"),  # from here on entries may be in the journal that never left
    before("commands.released", since="order.decided"),
]
REPORTS = [
    before("update.taken"),
    after("update.taken", 2),
    before("report.booked", 2),
    after("report.booked", 2),
    before("journal.written", since="report.booked"),
    after("mark.written", since="report.booked"),
    Kill(at_order=2, disk_s=SLOW_DISK_S),
    before("order.posted"),
]
RECOVERY = [
    Kill(at_order=2),
    after("books.recovered"),
    before("account.admitted"),
    before("broker.started"),
    after("account.read"),
    before("gap.read"),
    after("gap.read"),
    after("world.opened"),
    before("journal.written"),
    after("journal.written"),
    before("history.shown"),
    after("history.shown"),
]
STOPPING = [
    stopping(before("stop.asked")),
    stopping(after("stop.asked")),
    stopping(before("world.closed")),
    stopping(before("recorder.closed")),
    stopping(before("journal.closed")),
    stopping(after("journal.closed")),
]
MIDNIGHT = [
    before("books.saved"),
    after("books.saved"),
    before("rows.committed", since="books.saved"),
    after("report.booked", 4, since="books.saved"),  # of an order that was made on the new day: the day is durable
]


def at_random(seed: int, count: int) -> list[Kill]:
    """Return kills from outside at moments of chance, from the middle of a start on."""
    return [Kill(after_s=float(moment)) for moment in np.random.default_rng(seed).uniform(0.2, 1.6, count)]


class Phase(NamedTuple):
    """What each strategy wants, and what the account holds when they have it."""

    wishes: dict[str, float]
    held: dict[str, str]


# Market orders only, at prices that never move: what comes of it is the same whenever it happens.
PHASES = [
    Phase({"long": 0.5, "short": 0.0, "coin": 0.0}, {"SPY": "100"}),
    Phase({"long": 0.5, "short": -0.25, "coin": 0.0}, {"SPY": "50"}),
    Phase({"long": 0.5, "short": -0.25, "coin": 0.5}, {"SPY": "50", "BTC": "0.1995"}),
    Phase({"long": 0.0, "short": -0.25, "coin": 0.5}, {"SPY": "-50", "BTC": "0.1995"}),  # in two orders
    Phase({"long": 0.0, "short": -0.25, "coin": 0.0}, {"SPY": "-50"}),
    Phase({"long": 0.0, "short": 0.0, "coin": 0.0}, {}),
]
COMMANDED = [told("long", STOCK), told("short", STOCK, allow_short=True), told("coin", COIN)]
PHASED = [
    Kill(at_order=1),
    before("report.booked", since="order.decided"),
    before("rows.committed", since="order.decided"),
    Kill(at_order=2),
    after("answer.taken", since="order.decided"),
    before("order.posted"),  # an exit: it is sent again, once it is sure that it never arrived
]
MIDNIGHT_UTC = OPENING - OPENING % DAY
AROUND_MIDNIGHT = [scheduled("coin", COIN, [0.5, 0.0], minutes=1)]


def live(nursery: Nursery, folder: Path, kills: Sequence[Kill], market: ExchangeOptions, **more: Any) -> Endured:
    """Kill a desk whose strategies are always on the move."""
    with Served(market) as served:
        return endure(Desk(nursery, served, folder, more.get("strategies", flipping())), kills)


def obey(nursery: Nursery, folder: Path, kills: Sequence[Kill]) -> Endured:
    """Go through the phases, with a kill in each, and another one at its end; or without any."""
    problems: list[str] = []
    with Served(steady(folder, SPEED)) as served:
        desk = Desk(nursery, served, folder, COMMANDED)
        desk.tell(**dict.fromkeys(PHASES[0].wishes, 0.0))
        child = None if kills else desk.begin()
        for number, phase in enumerate(PHASES):
            tell = partial(desk.tell, **phase.wishes)
            if kills:
                if child is not None:
                    assert child.end(signal.SIGKILL) == KILLED
                desk.die(kills[number], once=tell)
                problems += unowned(desk.steps(), served.truth())
                child = desk.start()
            tell()
            desk.until_held(**phase.held)
        assert child is not None
        child.until('"event":"entries.released"')
        desk.stop(child)
        return judged(desk, problems, kills=max(0, 2 * len(kills) - 1), reached=len(kills))


SCENARIOS: dict[str, Callable[[Nursery, Path], Endured]] = {
    "orders": partial(live, kills=ORDERS, market=lively(SPEED)),
    "reports": partial(live, kills=REPORTS, market=lively(SPEED)),
    "phases": partial(obey, kills=PHASED),
    "whole": partial(obey, kills=[]),
    "recovery": partial(live, kills=RECOVERY, market=lively(SPEED)),
    "midnight": partial(
        live, kills=MIDNIGHT, market=lively(SPEED, start=MIDNIGHT_UTC - 10 * MINUTE), strategies=AROUND_MIDNIGHT
    ),
    "stopping": partial(live, kills=STOPPING, market=lively(SPEED)),
    "creation": partial(live, kills=CREATION, market=lively(SPEED)),
    "chance": partial(live, kills=at_random(1, 6), market=lively(SPEED)),
}


@pytest.fixture(scope="module")
def endured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Endured]]]:
    """Run all scenarios, some side by side; each test waits for its own."""
    folders = {name: tmp_path_factory.mktemp(name) for name in SCENARIOS}
    free: SimpleQueue[Nursery] = SimpleQueue()
    StockCalendar().next_open(OPENING)  # it is built with warnings caught, which two threads cannot do at once

    def run(name: str) -> Endured:
        nursery = free.get()
        try:
            return SCENARIOS[name](nursery, folders[name])
        finally:
            free.put(nursery)

    with ExitStack() as stack:
        for _ in range(LANES):
            free.put(stack.enter_context(Nursery()))
        lanes = stack.enter_context(ThreadPoolExecutor(LANES))
        yield {name: lanes.submit(run, name) for name in SCENARIOS}


Results = dict[str, Future[Endured]]


@pytest.mark.parametrize("name", SCENARIOS)
def test_after_every_kill_the_books_go_on_and_are_the_brokers(name: str, endured: Results) -> None:
    after_all = endured[name].result()
    assert after_all.problems == []
    assert after_all.executions > 0


def test_a_desk_that_was_killed_has_the_books_of_one_that_never_was(endured: Results) -> None:
    killed, whole = (fold(endured[name].result().steps) for name in ("phases", "whole"))
    assert trades(killed) == trades(whole)
    assert holdings(killed) == holdings(whole)
    assert trades(whole)["long"] == [
        (STOCK, "buy", "100", "100"), (STOCK, "sell", "50", "100"), (STOCK, "sell", "50", "100")
    ]  # fmt: skip


def test_a_day_that_began_begins_once_and_a_start_goes_on_from_its_snapshot(endured: Results) -> None:
    events = [event for step in endured["midnight"].result().steps for event in step]
    opened = [place for place, event in enumerate(events) if isinstance(event, BooksOpened)]
    assert len(opened) == 1
    assert any(isinstance(event, SessionStarted) for event in events[opened[0] :])


def test_there_are_forty_kills_at_the_least(endured: Results) -> None:
    assert sum(one.result().kills for one in endured.values()) >= 40
