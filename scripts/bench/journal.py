"""What durability costs, and how long a start takes: the journal under the recorder, and the fold of what it holds.

Absolute figures belong to the machine, its disk and the minute; a virtual disk's sync proves nothing about power.
Nothing is asserted here.
"""

import asyncio
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from trader.books.ledger import Ledger
from trader.live.recorder import Committer
from trader.model.events import BooksCreated, BooksOpened, Event, OrderCreated, SandboxOpened
from trader.model.orders import Approved, ExecutionReport, OrderIntent, OrderStatus, Reason, Side, order_id_of
from trader.model.time import DAY, SECOND
from trader.store.sqlite import SqliteJournal, open_journal

T0 = 1_576_506_600 * SECOND  # 2019-12-16 14:30 UTC
STRATEGIES = 26
SYMBOLS = ("SPY", "QQQ", "IWM", "GLD", "TLT")
EVENTS = 1_000_000
ALONE = 3_000  # durable orders, one after the other
TOGETHER = 50_000
BEHIND = 5_000  # events since the day's snapshot
WAITERS = (1, 10, 100, 1_000)

Step = list[Event]


def main() -> None:
    """Print every figure; ``--quick`` recovers a tenth of the events."""
    events = EVENTS // 10 if "--quick" in sys.argv else EVENTS
    with tempfile.TemporaryDirectory(prefix="trader-bench-", dir=os.environ.get("TRADER_BENCH_DIR")) as folder:
        disk = Path(folder)
        print(f"journal in {folder}")
        measure_sync(disk)
        asyncio.run(measure_orders(disk / "orders"))
        measure_recovery(disk / "books", events)


# --- writing --------------------------------------------------------------------------------------------------------


def measure_sync(folder: Path) -> None:
    """Print the floor: 4 KiB appended and synced, without anything of ours."""
    taken = []
    with (folder / "floor").open("wb", buffering=0) as file:
        for _ in range(ALONE):
            began = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - began)
    print(f"{'4 KiB appended and synced':<42}{percentiles(taken)}")


async def measure_orders(path: Path) -> None:
    """Print what a durable order takes, alone and in groups, and how long the loop waits meanwhile."""
    committer = Committer(opened(path), fail=give_up, full=lambda: None)
    orders = order_steps()
    taken = []
    for step in itertools.islice(orders, ALONE):
        began = time.perf_counter()
        await durable(committer, step)
        taken.append(time.perf_counter() - began)
    print(f"{'one order, awaited':<42}{percentiles(taken)}")
    for waiters in WAITERS:
        steps = list(itertools.islice(orders, min(TOGETHER, 2_000 * waiters)))
        lags, rate = await asyncio.gather(loop_lags(stop := asyncio.Event()), group(committer, steps, waiters, stop))
        print(f"{f'{waiters:,} orders at a time':<42}{rate:>9,.0f}/s    loop late {percentiles(lags)}")
    await committer.close()


async def group(committer: Committer, steps: Sequence[Step], waiters: int, stop: asyncio.Event) -> float:
    """Keep ``waiters`` orders waiting for the disk; return orders a second."""
    remaining = iter(steps)

    async def one_after_the_other() -> None:
        for step in remaining:
            await durable(committer, step)

    began = time.perf_counter()
    await asyncio.gather(*(one_after_the_other() for _ in range(waiters)))
    stop.set()
    return len(steps) / (time.perf_counter() - began)


async def loop_lags(stop: asyncio.Event) -> list[float]:
    """Return by how much the loop was late for a millisecond's sleep, again and again until ``stop``."""
    lags = []
    while not stop.is_set():
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        lags.append(max(0.0, time.perf_counter() - began - 0.001))
    return lags


def durable(committer: Committer, step: Step) -> "asyncio.Future[None]":
    """Return what is done when ``step`` is on disk."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    committer.record(step, lambda: done.set_result(None))
    return done


def give_up(error: Exception) -> None:
    """End the bench: nothing measured after a failure of the disk means anything."""
    sys.exit(str(error))


# --- recovery -------------------------------------------------------------------------------------------------------


def measure_recovery(path: Path, events: int) -> None:
    """Print how long a start takes that folds everything, and one that begins at a snapshot."""
    books, ledger = Trading(), Ledger()
    with closing(opened(path)) as journal:
        for batch in batches(books.steps(events), 1_000):
            journal.write(batch)
    print(f"\n{events:,} events in {events:,} records, {path.stat().st_size / 1e6:,.0f} MB")
    with closing(open_journal(path)) as journal:
        tell("every record checked", timed(journal.verify), events)
    with closing(open_journal(path)) as journal:
        tell("checked and folded", timed(lambda: ledger.recover(journal.recover())), events)
        assert ledger.digest() == books.ledger.digest()
        journal.write([[BooksOpened(books.ts, ledger.snapshot())]])
        for batch in batches(books.steps(BEHIND), 1_000):
            journal.write(batch)
    again = Ledger()
    with closing(open_journal(path)) as journal:
        took = timed(lambda: again.recover(journal.recover()))
    assert again.digest() == books.ledger.digest()
    tell(f"checked, and {BEHIND:,} folded behind a snapshot", took, events)


class Trading:
    """Strategies that go in and out of symbols: orders that open and fill, in books that are kept."""

    def __init__(self) -> None:
        """Open the books."""
        self.ts = T0
        self.ledger = Ledger()
        self.number = 0
        self._opening: list[Event] = [BooksCreated(T0, "bench", "", Decimal(10**8), {})]
        self._opening += [SandboxOpened(T0, f"Strategy{number}", Decimal(10**6)) for number in range(STRATEGIES)]

    def steps(self, events: int) -> Iterator[Step]:
        """Give ``events`` more steps of one event each, and book them."""
        for event in itertools.islice(self._events(), events):
            self.ledger.apply(event)
            yield [event]

    def _events(self) -> Iterator[Event]:
        opening, self._opening = self._opening, []
        yield from opening
        while True:
            self.number += 1
            self.ts += DAY // 5_000
            yield from self._order(self.number)

    def _order(self, number: int) -> Iterator[Event]:
        pair, is_exit = divmod(number - 1, 2)
        strategy, symbol = f"Strategy{pair % STRATEGIES}", SYMBOLS[pair % len(SYMBOLS)]
        price = Decimal(45_000 + number * 7919 % 2_000) / 100
        side = Side.SELL if is_exit else Side.BUY
        intent = OrderIntent(strategy, symbol, side, Decimal("12.5"), price, bool(is_exit), Reason.SIGNAL, self.ts)
        order_id = order_id_of("bench", number, intent)
        yield OrderCreated(self.ts, Approved(order_id, intent, Decimal(0) if is_exit else price * 13))
        for part, status in enumerate((OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED)):
            report = ExecutionReport(order_id, status, self.ts + part)
            if part:
                report = ExecutionReport(
                    order_id, status, self.ts + part, f"{order_id}-{part}", Decimal("6.25"), price, Decimal("0.02")
                )
            yield self.ledger.read(self.ts + part, report)


def order_steps() -> Iterator[Step]:
    """Give orders, each a step."""
    books = Trading()
    return (step for step in books.steps(10**9) if isinstance(step[0], OrderCreated))


# --- clock and paper ------------------------------------------------------------------------------------------------


def opened(path: Path) -> SqliteJournal:
    """Return a new journal, ready to be written to."""
    journal = open_journal(path)
    assert isinstance(journal, SqliteJournal)
    assert not list(journal.recover())
    return journal


def batches(steps: Iterator[Step], size: int) -> Iterator[list[Step]]:
    """Give steps in groups."""
    while batch := list(itertools.islice(steps, size)):
        yield batch


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that ``work`` takes, and those of the processor: on a busy machine they are fewer."""
    began, began_cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - began_cpu


def tell(what: str, took: tuple[float, float], events: int) -> None:
    """Print what was measured."""
    print(f"{what:<42}{took[0]:>9.2f} s{took[1]:>12.2f} s CPU{took[1] / events * 1e6:>10.2f} µs an event")


def percentiles(seconds: Sequence[float]) -> str:
    """Return the 50th and 99th percentile and the worst, in milliseconds."""
    ordered = sorted(seconds)
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * frac))] * 1000 for frac in (0.50, 0.99))
    return f"p50 {p50:.2f}  p99 {p99:.2f}  worst {ordered[-1] * 1000:.1f} ms"


if __name__ == "__main__":
    main()
