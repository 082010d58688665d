"""What a bar and an order cost on the desk, beside the floor that no Python program on this machine gets under.

Absolute figures belong to the machine and the minute; read the ratios. Nothing is asserted here.
"""

import cProfile
import gc
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import talib.stream

from trader.access.sim.exchange import SimExchange
from trader.access.sim.feed import ReplayFeed
from trader.access.sim.fills import VenueRules
from trader.books.ledger import Ledger
from trader.director.grid import MinuteGrid
from trader.engine.engine import Engine, Step
from trader.engine.market import WINDOW_BARS, Window
from trader.engine.portfolio import Portfolio
from trader.engine.sandbox import SandboxSpec
from trader.model.commands import SubmitOrder
from trader.model.events import OrderCreated, SandboxOpened
from trader.model.inputs import Opened, Reported, Ticks
from trader.model.instruments import instrument_of
from trader.model.orders import Approved, ExecutionReport, OrderIntent, OrderStatus, Reason, Side, TradingState
from trader.model.signals import Signals, Target
from trader.model.ticks import Bar
from trader.model.time import MINUTE
from trader.model.views import Market, Question, Standing
from trader.risk.gate import Gate
from trader.risk.limits import Limits
from trader.risk.rules import Rules
from trader.strategies import Context, MomentumStrategy

SYMBOLS = 74
SIZES = (10, 74, 1000)
SANDBOX_BARS = 400_000  # of one measurement
T0 = 1_576_506_600 * 1_000_000_000  # 2019-12-16 14:30 UTC
VOLATILITY = 0.0008  # a minute's standard deviation, lively for an ETF
LIMITS = Limits(Decimal("0.95"), 50, Decimal(500), Decimal("0.02"), Decimal("0.04"))


class Desk:
    """An engine and a simulated venue, driven as the shells drive them."""

    def __init__(self, specs: Sequence[SandboxSpec]) -> None:
        self.engine = Engine(specs, book_id="bench")
        self.venue = SimExchange(VenueRules(), {s: one.instrument for s, one in self.engine.listings.items()})
        self.fills = 0
        self.carry_out(self.engine.handle(Opened(T0)))

    def minute(self, batch: Ticks) -> None:
        """Take one minute: fills first, then the desk."""
        self.venue.observe(batch.ticks)
        self.settle(batch.ts)
        self.carry_out(self.engine.handle(batch))
        self.settle(batch.ts)

    def play(self, batches: Sequence[Ticks]) -> None:
        """Take minute after minute."""
        for batch in batches:
            self.minute(batch)

    def settle(self, ts: int) -> None:
        """Book what the venue reports."""
        while reports := self.venue.reports():
            for report in reports:
                self.fills += bool(report.execution_id)
                self.carry_out(self.engine.handle(Reported(ts, report)))

    def carry_out(self, step: Step) -> None:
        """Give the desk's commands to the venue."""
        for command in step.commands:
            if isinstance(command, SubmitOrder):
                self.venue.submit(command.approved)
            else:
                self.venue.cancel(command.order_id, command.ts)


class Flip:
    """In at one bar, out at the next: an order each bar."""

    warmup = 1

    def __init__(self) -> None:
        self.turn = 0.0

    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        """Turn around."""
        self.turn = 1.0 - self.turn
        return Target(bar.symbol, self.turn)


def momentum_desk(sandboxes: int, threshold: float) -> Desk:
    """Return a desk of momentum strategies, every limit set, spread over the symbols."""
    symbols = names(sandboxes)
    return Desk(
        [
            SandboxSpec(
                f"s{number}",
                MomentumStrategy(momentum_threshold=threshold),
                (instrument_of(symbols[number % len(symbols)]),),
                Decimal(10_000),
                LIMITS,
            )
            for number in range(sandboxes)
        ]
    )


def names(sandboxes: int) -> list[str]:
    """Return the symbols that so many sandboxes trade."""
    return [f"S{number}" for number in range(min(sandboxes, SYMBOLS))]


def tape(symbols: Sequence[str], minutes: int) -> list[Ticks]:
    """Return seeded random walks, one batch a minute."""
    steps = np.random.default_rng(1).normal(0, VOLATILITY, (minutes + 1, len(symbols)))
    prices = (100 * np.exp(np.cumsum(steps, axis=0))).round(2)
    batches = []
    for minute in range(1, minutes + 1):
        ts = T0 + minute * MINUTE
        before, after = prices[minute - 1].tolist(), prices[minute].tolist()
        batches.append(
            Ticks(
                ts,
                [Bar(s, ts, o, max(o, c), min(o, c), c, 1e4) for s, o, c in zip(symbols, before, after, strict=True)],
            )
        )
    return batches


def seconds(work: Callable[[], object]) -> float:
    """Return how long a piece of work takes."""
    gc.collect()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def floor_rate() -> float:
    """Sandbox-bars a second of a bare loop: one dictionary lookup a bar and the indicator of each listener."""
    symbols = names(1000)
    listeners = {
        s: [talib.stream.ROCP(np.arange(1.0, 22.0), 20).update for _ in range(1000 // SYMBOLS)] for s in symbols
    }
    bars = [bar for batch in tape(symbols, 400) for bar in batch.ticks]

    def loop() -> None:
        for bar in bars:
            close = bar.close  # type: ignore[union-attr]
            for update in listeners[bar.symbol]:
                update(close)

    return len(bars) * (1000 // SYMBOLS) / seconds(loop)


def throughput(sandboxes: int, threshold: float) -> tuple[float, float]:
    """Return sandbox-bars a second, and fills per thousand of them, after a warm-up that is not counted."""
    minutes = SANDBOX_BARS // sandboxes
    batches = tape(names(sandboxes), minutes + 60)
    desk = momentum_desk(sandboxes, threshold)
    desk.play(batches[:60])
    desk.fills = 0
    rate = minutes * sandboxes / seconds(lambda: desk.play(batches[60:]))
    return rate, desk.fills / (minutes * sandboxes) * 1000


def kib_per_sandbox(sandboxes: int) -> float:
    """Return the memory that a desk of so many sandboxes takes, measured in a process of its own."""
    out = subprocess.run(
        [sys.executable, __file__, "--memory", str(sandboxes)], capture_output=True, text=True, check=True
    )
    return float(out.stdout)


def memory(sandboxes: int) -> float:
    """Return the KiB a sandbox adds to this process after an hour of bars."""
    batches = tape(names(sandboxes), 60)
    before = resident_kib()
    desk = momentum_desk(sandboxes, 0.02)
    desk.play(batches)
    return (resident_kib() - before) / sandboxes


def resident_kib() -> float:
    """Return this process's resident memory."""
    gc.collect()
    with Path("/proc/self/status").open(encoding="ascii") as status:
        return float(next(line for line in status if line.startswith("VmRSS")).split()[1])


def ns_each(work: Callable[[int], object], times: int) -> float:
    """Return the median over five rounds of the nanoseconds one call takes, the loop's own cost included."""
    rounds = []
    for _ in range(5):
        began = time.perf_counter_ns()
        for number in range(times):
            work(number)
        rounds.append((time.perf_counter_ns() - began) / times)
    return statistics.median(rounds)


def split(desk: Desk) -> list[tuple[str, float, float]]:
    """Return the parts as (name, nanoseconds each, how often per sandbox-bar at 1,000 sandboxes on 74 symbols)."""
    bars = [bar for batch in tape(["S0"], 20_000) for bar in batch.ticks if isinstance(bar, Bar)]
    window, strategy, grid = Window(WINDOW_BARS), MomentumStrategy(), MinuteGrid(1)
    context, listings = desk.engine.sandboxes[0].context, desk.engine.listings

    def route(number: int) -> None:
        grid.closed = 0  # the same minutes are routed in every round
        grid.add(bars[number])
        for bar in grid.close():
            listings[bar.symbol]

    parts: list[tuple[str, Callable[[int], object], float]] = [
        ("route", route, SYMBOLS / 1000),
        ("window", lambda number: window.append(bars[number]), SYMBOLS / 1000),
        ("strategy", lambda number: strategy.on_bar(bars[number], context), 1.0),
    ]
    return [
        ("decode", decode_ns(), SYMBOLS / 1000),
        *((name, ns_each(work, len(bars)), often) for name, work, often in parts),
    ]


def decode_ns() -> float:
    """Return what a bar costs from a row of a Parquet file to the batch that the desk is handed, all in."""
    symbols, minutes = names(1000), 2000
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        path = Path(folder) / "bars.parquet"
        connection.execute(
            """CREATE TABLE bars AS SELECT 'S' || s AS symbol, make_timestamp(? + m * 60000000) AS ts,
            100.25 AS open, 101.5 AS high, 99.75 AS low, 100.5 AS close, 1000 AS volume
            FROM range(?) x(s), range(?) y(m)""",
            [T0 // 1000, SYMBOLS, minutes],
        )
        connection.table("bars").to_parquet(str(path))
        began = time.perf_counter_ns()
        bars = sum(len(batch.ticks) for batch in ReplayFeed([path], symbols).ticks())
        return (time.perf_counter_ns() - began) / bars


def gate_ns() -> float:
    """Return what one check of the gate costs."""
    intent = OrderIntent(
        "a", "SPY", Side.BUY, Decimal("95.1234"), Decimal("100.12"), reduces=False, reason=Reason.SIGNAL, ts=0
    )
    standing = Standing(
        Decimal(10_000), Decimal(10_000), Decimal(10_100), Decimal(0), 0, loss_reached=False, state=TradingState.ACTIVE
    )
    gate = Gate(Rules(), {"a": LIMITS}, exposures=Portfolio(Ledger(), (), {}), flags={})
    question = Question(intent, "o", instrument_of("SPY"), standing, Market(), 0)
    return ns_each(lambda _: gate.check(question), 5000)


def books_ns() -> float:
    """Return what one order costs the ledger: created, read, filled."""
    ledger = Ledger()
    ledger.apply(SandboxOpened(0, "a", Decimal(10_000)))

    def order(number: int) -> None:
        side = Side.SELL if number % 2 else Side.BUY
        intent = OrderIntent(
            "a", "SPY", side, Decimal(10), Decimal("100.12"), reduces=False, reason=Reason.SIGNAL, ts=0
        )
        order_id = f"o{len(ledger.orders)}-{number}"
        ledger.apply(OrderCreated(0, Approved(order_id, intent, Decimal(1020))))
        done = ExecutionReport(order_id, OrderStatus.FILLED, 1, order_id, Decimal(10), Decimal("100.12"))
        ledger.apply(ledger.read(1, done))

    return ns_each(order, 1000)


def round_trip_us() -> float:
    """Return the microseconds of signal, sizing, gate, order, venue, fill and books, the bar's own cost taken off."""
    batches = tape(["S0"], 4001)
    desk = Desk(
        [
            SandboxSpec(
                "flip", Flip(), (instrument_of("S0"),), Decimal(10_000), Limits(Decimal("0.95")), min_warmup_bars=1
            )
        ]
    )
    idle = Desk(
        [
            SandboxSpec(
                "idle", MomentumStrategy(momentum_threshold=0.99), (instrument_of("S0"),), Decimal(10_000), LIMITS
            )
        ]
    )
    return (seconds(lambda: desk.play(batches)) - seconds(lambda: idle.play(batches))) / desk.fills * 1e6


def main() -> None:
    """Print everything."""
    if sys.argv[1:2] == ["--memory"]:
        print(memory(int(sys.argv[2])))
        return
    floor = floor_rate()
    print(f"floor: dictionary routing and the indicator alone      {floor:>12,.0f} sandbox-bars/s")
    print("\nsandboxes symbols threshold   sandbox-bars/s  of floor    ns each  fills/1000  KiB/sandbox")
    for threshold in (0.02, 0.005):
        for sandboxes in SIZES:
            rate, fills = throughput(sandboxes, threshold)
            print(
                f"{sandboxes:>9,} {min(sandboxes, SYMBOLS):>7} {threshold:>9} {rate:>16,.0f} {rate / floor:>9.0%}"
                f" {1e9 / rate:>10.0f} {fills:>11.2f} {kib_per_sandbox(sandboxes):>12.1f}"
            )
    print("\npart of one sandbox-bar at 1,000 sandboxes on 74 symbols (each part measured alone)")
    desk = momentum_desk(1000, 0.02)
    whole = 1e9 / throughput(1000, 0.02)[0]
    parts = split(desk)
    for name, ns, often in parts:
        print(f"  {name:<9} {ns:>7.0f} ns x {often:>5.3f} = {ns * often:>6.0f} ns")
    rest = whole - sum(ns * often for name, ns, often in parts if name != "decode")  # it came before this clock ran
    print(f"  rest      {'':>17} {rest:>6.0f} ns  (the minute's loop, stops, the day's loss)")
    print(f"part of one order\n  gate  {gate_ns() / 1000:>6.1f} us\n  books {books_ns() / 1000:>6.1f} us")
    print(f"  whole {round_trip_us():>6.1f} us  (signal, sizing, gate, order, venue, fill, books; no disk)")
    profile()


def profile() -> None:
    """Print where the time of a trading desk goes."""
    desk = momentum_desk(1000, 0.005)
    batches = tape(names(1000), 200)
    profiler = cProfile.Profile()
    profiler.enable()
    desk.play(batches)
    profiler.disable()
    print("\nwhere the time goes (1,000 sandboxes, threshold 0.005; the profiler inflates small calls)")
    pstats.Stats(profiler).sort_stats("tottime").print_stats(14)


if __name__ == "__main__":
    main()
