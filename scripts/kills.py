"""Kill running desks with signal 9 at points and moments of chance, and compare their books with the exchange's.

A round is one desk: it dies a dozen times, lives on, ends in order, and its journal is held against what is true at the
venue. Which kills and which faults come is drawn from the round's seed; when they come, is the machine's chance.
"""

import argparse
import logging
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

import msgspec
import numpy as np
import structlog

from tests.stories.killing import Desk, Endured, Kill, Nursery, Strike, endure, stopping
from tests.stories.markets import COIN, OPENING, STOCK, flipping, lively, scheduled
from tests.stories.nursery import POINTS
from tests.stories.served import Served
from trader.model.calendar import StockCalendar
from trader.model.time import DAY, MINUTE, SECOND

KILLS = 12  # of a round
PATIENCE_S = 3.0  # for a point that is rarely passed; then the kill comes from outside
SPEED = 240.0
NIGHTS, AT_A_MOMENT, AT_AN_ORDER, AT_THE_STOP, AFTER_A_DECISION = 0.2, 0.25, 0.15, 0.1, 0.4  # how often of all
DISKS_S = (0.0, 0.0, 0.02, 0.1)  # for a commit
NTH = (1, 1, 1, 2, 3, 5, 8)
STOP_POINTS = ("stop.asked", "world.closed", "recorder.closed", "journal.closed")
FAULTS = (
    "drop", "half_open", "mute", "slow", "too_many_requests", "rest_status", "accepted_then_504", "answer_lost",
    "answer_late", "garbage_answer", "fill_before_answer", "duplicate_update", "reorder_updates", "missing_update",
    "unsolicited_cancel", "reject_after_accept", "manual_order",
)  # fmt: skip
STRATEGIES = [
    *flipping(),
    scheduled("other", COIN, [0.0, 0.6], minutes=3),
    scheduled("slow", STOCK, [0.5, 0.0], minutes=5),
]
AROUND_MIDNIGHT = [scheduled(name, COIN, [0.5, 0.0], minutes=1 + number) for number, name in enumerate("abcd")]


class Round(msgspec.Struct):
    """What one seed came to."""

    seed: int
    folder: Path
    endured: Endured | None
    failure: str = ""


def main() -> int:
    """Kill as often as was asked, print what came of it, return 1 where anything differs."""
    given = _arguments()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # the exchanges'
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # requests that are cut off when an exchange ends
    began = time.monotonic()
    totals: Counter[str] = Counter()
    bad: list[Round] = []
    for done in _rounds(given.start, given.kills, lanes=given.lanes, faults=given.faults):
        problems = [done.failure] if done.endured is None else done.endured.problems
        if (endured := done.endured) is not None:
            totals += Counter(
                rounds=1,
                kills=endured.kills,
                reached=endured.reached,
                orders=endured.orders,
                executions=endured.executions,
            )
        totals += Counter("failed" if done.endured is None else _kind(problem) for problem in problems)
        if problems:
            bad.append(done)
            print(f"round {done.seed}, {done.folder}:", *problems, sep="\n  ", flush=True)
        else:
            shutil.rmtree(done.folder)
    took_s = time.monotonic() - began
    print(
        f"{totals['kills']} kills in {totals['rounds']} rounds ({totals['reached']} at a point or order of their own), "
        f"{totals['orders']} orders, {totals['executions']} executions: {totals['twice']} twice, {totals['lost']} lost,"
        f" {totals['different']} other differences, {totals['failed']} failures; {took_s:.0f} s"
    )
    return 1 if bad else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/kills", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--kills", type=int, default=500, metavar="N", help="how many at the least (default: 500)")
    parser.add_argument("--from", type=int, default=1, dest="start", metavar="SEED", help="of the first round")
    parser.add_argument("--lanes", type=int, default=2, metavar="N", help="desks side by side (default: 2)")
    parser.add_argument("--faults", type=int, default=2, metavar="N", help="of network and venue, a round (default: 2)")
    return parser.parse_args()


def _rounds(start: int, kills: int, *, lanes: int, faults: int) -> Iterator[Round]:
    """Run rounds side by side until there were ``kills``; yield each when it is over."""
    StockCalendar().next_open(OPENING)  # it is built with warnings caught, which two threads cannot do at once
    seeds = range(start, start + -(-kills // KILLS))
    with ExitStack() as stack:
        free: SimpleQueue[Nursery] = SimpleQueue()
        for _ in range(lanes):
            free.put(stack.enter_context(Nursery()))
        pool = stack.enter_context(ThreadPoolExecutor(lanes))
        for future in as_completed([pool.submit(_in_lane, free, seed, faults) for seed in seeds]):
            yield future.result()


def _in_lane(free: "SimpleQueue[Nursery]", seed: int, faults: int) -> Round:
    nursery = free.get()
    folder = Path(tempfile.mkdtemp(prefix=f"kills-{seed}-"))
    try:
        return Round(seed, folder, _round(nursery, folder, seed, faults))
    except Exception as error:  # noqa: BLE001 -- it is told with its seed, and the others go on
        return Round(seed, folder, None, f"{type(error).__name__}: {error}")
    finally:
        free.put(nursery)


def _round(nursery: Nursery, folder: Path, seed: int, faults: int) -> Endured:
    """Let one desk live, die and be compared."""
    chance = np.random.default_rng(seed)
    is_night = bool(chance.random() < NIGHTS)
    start = OPENING - OPENING % DAY - 10 * MINUTE if is_night else OPENING - MINUTE
    latency = int(chance.integers(0, 20)) * SECOND
    with Served(lively(SPEED, start=start, latency=latency)) as served:
        if faults:
            planned = {"kind": "random", "seed": seed, "count": faults, "kinds": [*FAULTS], "between": ["+2m", "+60m"]}
            served.plan(planned)
        desk = Desk(nursery, served, folder, AROUND_MIDNIGHT if is_night else STRATEGIES)
        kills = [msgspec.structs.replace(_kill(chance), disk_s=float(chance.choice(DISKS_S))) for _ in range(KILLS)]
        return endure(desk, kills, patience_s=PATIENCE_S)


def _kill(chance: np.random.Generator) -> Kill:
    """Draw how a life ends."""
    drawn = chance.random()
    if drawn < AT_A_MOMENT:
        return Kill(after_s=float(chance.uniform(0.1, PATIENCE_S)))
    if drawn < AT_A_MOMENT + AT_AN_ORDER:
        return Kill(at_order=int(chance.integers(1, 4)))
    when = str(chance.choice(["before", "after"]))
    if drawn < AT_A_MOMENT + AT_AN_ORDER + AT_THE_STOP:
        return stopping(Kill(Strike(str(chance.choice(STOP_POINTS)), when)))
    since = "order.decided" if chance.random() < AFTER_A_DECISION else ""
    return Kill(Strike(str(chance.choice([*POINTS])), when, int(chance.choice(NTH)), since))


def _kind(problem: str) -> str:
    if "more than once" in problem or "orders of one id" in problem:
        return "twice"
    if "in no book" in problem or "in no journal" in problem or "booked" in problem:
        return "lost"
    return "different"


if __name__ == "__main__":
    sys.exit(main())
