"""What the gate costs with every control on, beside the plain gate, and what it costs the desk.

26 strategies trade 100 symbols each; a third of the positions is held. An order is checked and its reservation is
taken, as the desk does it: sums anew, the gate, the event in the books. The plain gate has a sandbox's own limits only
and runs beside it, minute by minute, so that both see the same machine. Nothing is asserted here.
"""

import gc
import statistics
import sys
import time
from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from trader.access.sim.exchange import SimExchange
from trader.access.sim.fills import VenueRules
from trader.config import Config, links_of, parse
from trader.director import Director
from trader.engine.engine import Engine
from trader.engine.sandbox import SandboxSpec, Slot
from trader.model.commands import SubmitOrder
from trader.model.events import OrderCreated, OrderMoved
from trader.model.inputs import DailyBars, Opened, Reported, Ticks
from trader.model.instruments import instrument_of
from trader.model.orders import Approved, Denied, OrderIntent, OrderStatus, Reason, Side, Urgency, order_id_of
from trader.model.signals import Signals, Target
from trader.model.ticks import Bar, Quote
from trader.model.time import DAY, MINUTE
from trader.model.views import Question, Standing
from trader.risk.rules import Rules
from trader.risk.tiers import BY_URGENCY
from trader.strategies import Context, MomentumStrategy

STRATEGIES, SYMBOLS, DAYS = 26, 100, 300
ORDERS = 160 * STRATEGIES  # of one measurement
WARM_UP = 10 * STRATEGIES  # orders that are not counted
DESK_SIZES = (26, 74, 1000)
DESK_BARS = 150_000
T0 = 1_767_623_400 * 1_000_000_000  # 2026-01-05 14:30 UTC, the opening in New York
NAMES = [f"S{number}" for number in range(90)] + [f"C{number}/USD" for number in range(10)]

# Every control is on, and wide enough to let the orders through.
RISK = {
    "account": {
        "max_position": {"soft": 0.8, "hard": 0.9}, "max_position_value": 1e9, "max_gross": {"soft": 4, "hard": 5},
        "max_net": 5, "max_leverage": 5, "max_equity_multiple": 6, "max_sector": 3, "max_category": 4, "max_class": 5,
        "max_class_of": {"crypto": 2}, "max_positions": 100, "max_budget": 1e9, "min_cash_buffer": 0.01,
        "min_equity": 1000,
    },
    "orders": {
        "all": {
            "max_intent_age_s": 60, "max_price_move": 0.1, "price_collar": 0.1, "max_mark_age_s": 600,
            "max_price_jump": 0.5, "max_spread": {"soft": 0.05, "hard": 0.1}, "min_depth": 100, "max_order_qty": 1e6,
            "max_order_value": 1e6, "max_volume_share": 0.1, "max_depth_share": 0.9, "max_impact": 0.05,
            "close_only": ["Sat-Sun"],
        },
        "stock": {"sessions": ["core", "post"], "close_only_before_close_min": 5},
    },
    "groups": {
        f"g{number}": {
            "strategies": [f"s{one}" for one in range(STRATEGIES) if one % 4 == number], "max_group_gross": 5,
            "max_net": 5, "max_position": 1, "max_positions": 100,
        }
        for number in range(4)
    },
    "symbols": {"S1": {"max_position": 0.5}},
    "sectors": {f"sector{number}": NAMES[number:90:10] for number in range(10)},
    "categories": {"coins": NAMES[90:], "shares": NAMES[:90]},
    "restricted": ["ZZZ"],
    "allowed": NAMES,
    "authorized": {f"s{number}": NAMES for number in range(STRATEGIES)},
    "ladder": {"daily_loss": 0.5, "weekly_loss": 0.6, "monthly_loss": 0.7, "drawdown": 0.8},
    "regime": {},
    "conduct": {
        "max_orders_per_second": 10_000, "max_orders_per_minute": 10_000, "max_daily_orders": 1_000_000,
        "max_daily_cancels": 1_000_000, "max_open_orders": 5000, "max_cancel_ratio": 1, "max_rejects": 1000,
        "max_error_rate": 1, "max_open_orders_per_symbol": 100, "price_walk": 0.5, "intraday_margin": 1,
    },
    "var": {"max_var": 0.5, "max_es": 0.6},
}  # fmt: skip
OWN_RISK = {
    "max_position_size": 0.5, "max_daily_trades": 1_000_000, "max_daily_loss": 90_000, "max_position_value": 1e7,
    "max_gross": 2, "max_net": 2, "max_positions": 100, "max_budget": 1e7, "max_order_qty": 1e6,
    "max_order_value": 1e7,
    "conduct": {
        "duplicate": 1, "price_walk": 0.5, "max_size_ratio": 100, "max_repeats": 1000, "loss_streak": 1000,
        "cooldown": 1, "max_orders_per_second": 10_000, "max_orders_per_minute": 10_000,
        "max_daily_orders": 1_000_000, "max_open_orders": 1000,
    },
}  # fmt: skip
FILTERS = [{"name": "volatility", "max_ann": 5}, {"name": "max-positions", "max-long-positions": 100}]


class Third:
    """Holds every third symbol, and wants no more."""

    warmup = 1

    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        """Want a part of the capital in it."""
        return Target(bar.symbol, 0.01) if NAMES.index(bar.symbol) % 3 == 0 else None


def settings(strategies: Sequence[dict[str, object]], *, is_guarded: bool) -> Config:
    """Return settings of strategies, with all of the risk section and filters, or none of it."""
    guards: dict[str, object] = {"risk": RISK, "filters": FILTERS} if is_guarded else {}
    return parse({"strategies": list(strategies), **guards})


def engine(config: Config, strategies: Sequence[object]) -> Engine:
    """Build a desk of such settings with other strategies in their place."""
    specs = [
        SandboxSpec(
            one.name, strategy, tuple(map(instrument_of, one.tickers)), one.initial_cash,  # type: ignore[arg-type]
            one.risk_config.limits(allow_short=False), min_warmup_bars=1,
        )
        for one, strategy in zip(config.strategies, strategies, strict=True)
    ]  # fmt: skip
    rules = config.risk.rules({one.name: one.risk_config for one in config.strategies})
    director = Director(links_of(config.filters)) if config.filters else None
    return Engine(specs, book_id="bench", rules=rules, director=director)


class Desk:
    """A desk and a simulated venue, driven as the shells drive them."""

    def __init__(self, engine: Engine, symbols: Sequence[str]) -> None:
        """Open the books with a past of daily bars."""
        self.engine = engine
        self.symbols = symbols
        self.venue = SimExchange(VenueRules(), {s: one.instrument for s, one in engine.listings.items()})
        self.carry_out(engine.handle(Opened(T0)))
        engine.handle(DailyBars(T0, past(symbols)))

    def carry_out(self, step: object) -> None:
        """Give the desk's commands to the venue."""
        for command in step.commands:  # type: ignore[attr-defined]
            if isinstance(command, SubmitOrder):
                self.venue.submit(command.approved, command.crossed)

    def minute(self, batch: Ticks) -> None:
        """Take one minute: fills first, then the desk."""
        self.venue.observe(batch.ticks)
        self.settle(batch.ts)
        self.carry_out(self.engine.handle(batch))
        self.settle(batch.ts)

    def settle(self, ts: int) -> None:
        """Book what the venue reports."""
        while reports := self.venue.reports():
            for report in reports:
                self.carry_out(self.engine.handle(Reported(ts, report)))


def past(symbols: Sequence[str]) -> list[Bar]:
    """Return seeded days of every symbol, up to the first day of the run."""
    steps = np.random.default_rng(2).normal(0, 0.01, (DAYS, len(symbols)))
    closes = 100 * np.exp(np.cumsum(steps, axis=0))
    midnight = T0 - T0 % DAY + 5 * 3600 * 1_000_000_000
    return [
        Bar(symbol, midnight - (DAYS - 1 - day) * DAY, close, close * 1.01, close * 0.99, close, 1e7)
        for day, row in enumerate(closes.tolist())
        for symbol, close in zip(symbols, row, strict=True)
    ]


def tape(symbols: Sequence[str], minutes: int, volatility: float = 0.0008) -> list[Ticks]:
    """Return seeded random walks, one batch a minute."""
    steps = np.random.default_rng(1).normal(0, volatility, (minutes + 1, len(symbols)))
    prices = (100 * np.exp(np.cumsum(steps, axis=0))).round(2).tolist()
    return [
        Ticks(
            T0 + minute * MINUTE,
            [
                Bar(s, T0 + minute * MINUTE, o, max(o, c), min(o, c), c, 1e4)
                for s, o, c in zip(symbols, prices[minute - 1], prices[minute], strict=True)
            ],
        )
        for minute in range(1, minutes + 1)
    ]


def busy_desk(*, is_guarded: bool) -> Desk:
    """Return 26 strategies on 100 symbols that hold a third of their positions, at quotes of the moment."""
    strategies = [
        {"name": f"s{number}", "strategy_type": "momentum", "tickers": NAMES, "initial_cash": 1_000_000}
        | ({"risk_config": OWN_RISK} if is_guarded else {"risk_config": {"max_position_size": 0.5}})
        for number in range(STRATEGIES)
    ]
    desk = Desk(engine(settings(strategies, is_guarded=is_guarded), [Third() for _ in strategies]), NAMES)
    for batch in tape(NAMES, 3):
        desk.minute(batch)
    quotes = [Quote(s, T0 + 4 * MINUTE, 99.99, 1e4, 100.01, 1e4) for s in NAMES]
    desk.engine.handle(Ticks(T0 + 4 * MINUTE, quotes))
    return desk


class Asked:
    """One desk whose gate is asked order by order, each taken back before the next."""

    def __init__(self, desk: Desk, urgency: Urgency) -> None:
        """Ask for entries of what is not held."""
        self.desk = desk.engine.desk
        self.now = self.desk.now
        slots = [slot for sandbox in self.desk.sandboxes.values() for slot in sandbox.slots.values()]
        self.slots = [slot for slot in slots if not slot.held]
        self.urgency = urgency
        self.refused: dict[str, int] = {}
        self._open: list[tuple[Slot, str]] = []

    def one(self, number: int) -> int:
        """Check one order and take its reservation; return the nanoseconds that took."""
        slot = self.slots[number * 7919 % len(self.slots)]
        desk = self.desk
        if number % STRATEGIES == 0:
            self._begin_minute()
        question = self._question(slot, number)
        began = time.perf_counter_ns()
        verdict = desk.gate.check(question)
        if isinstance(verdict, Approved):
            desk.emit(OrderCreated(self.now, verdict))
        took = time.perf_counter_ns() - began
        if isinstance(verdict, Denied):
            self.refused[verdict.rule] = self.refused.get(verdict.rule, 0) + 1
        else:
            self._open.append((slot, question.order_id))
        desk.events.clear()
        return took

    def _begin_minute(self) -> None:
        """Take back the orders of the last minute, as the control room sees; then every price moves."""
        for slot, order_id in self._open:
            name, symbol = slot.sandbox.spec.name, slot.symbol
            self.desk.emit(OrderMoved(self.now, name, symbol, order_id, OrderStatus.CANCELED, ""))
        self._open.clear()
        self.desk.portfolio.sync()
        self.now += MINUTE
        for listing in {slot.listing for slot in self.slots}:
            listing.quoted = self.now
        self.desk.portfolio.move()

    def _question(self, slot: Slot, number: int) -> Question:
        book = slot.sandbox.book
        qty, price = Decimal(1 + number % 50), Decimal(str(round(slot.listing.mark, 2)))
        intent = OrderIntent(
            slot.sandbox.spec.name, slot.symbol, Side.BUY, qty, price,
            reduces=False, reason=Reason.SIGNAL, ts=self.now, urgency=self.urgency,
        )  # fmt: skip
        standing = Standing(
            book.cash, book.free_cash, slot.sandbox.equity(), slot.position.qty, book.daily_trades,
            book.loss_reached, slot.sandbox.trading_state, "", slot.is_warm,
        )  # fmt: skip
        order_id = order_id_of("bench", number + 1, intent)
        return Question(intent, order_id, slot.instrument, standing, slot.listing.market(), self.now)


def measure() -> None:
    """Print what a check and its reservation cost, tier by tier, the plain gate beside it."""
    print(f"{STRATEGIES} strategies x {SYMBOLS} symbols, every control on; check and reservation, microseconds")
    print(f"prices move every {STRATEGIES} orders, a minute's; the first one after that adds everything up")
    print(
        f"{'':<12} {'median':>8} {'first':>8} {'p99':>8} {'max':>8}   plain: {'median':>6} {'p99':>8}   medians' ratio"
    )
    for urgency in Urgency:
        guarded = Asked(busy_desk(is_guarded=True), urgency)
        plain = Asked(busy_desk(is_guarded=False), urgency)
        gc.collect()
        gc.freeze()
        with_all, alone = list[int](), list[int]()
        for begin in range(0, ORDERS + WARM_UP, STRATEGIES):  # a minute here, the same minute there
            minute = range(begin, begin + STRATEGIES)
            with_all += map(guarded.one, minute)
            alone += map(plain.one, minute)
        first = statistics.median(with_all[WARM_UP::STRATEGIES]) / 1000
        with_all, alone = sorted(with_all[WARM_UP:]), sorted(alone[WARM_UP:])
        mid, floor = statistics.median(with_all) / 1000, statistics.median(alone) / 1000
        p99 = int(ORDERS * 0.99)
        print(
            f"{BY_URGENCY[urgency]:<12} {mid:>8.1f} {first:>8.1f} {with_all[p99] / 1000:>8.1f}"
            f" {with_all[-1] / 1000:>8.1f}          {floor:>6.1f} {alone[p99] / 1000:>8.1f} {mid / floor:>10.1f}"
        )
        if guarded.refused or plain.refused:
            print(f"  refused, so these are not what is asked for: {guarded.refused} {plain.refused}")
        gc.unfreeze()


def rate(size: int, guards: str) -> float:
    """Return sandbox-bars a second of momentum strategies on the first symbols, after an hour that is not counted.

    ``guards`` is what is on: nothing, ``gate`` (and the filters), or ``room`` (all of that and the control room).
    """
    symbols = NAMES[: min(size, 74)]
    strategies: list[dict[str, object]] = [
        {"name": f"s{number}", "strategy_type": "momentum", "tickers": [symbols[number % len(symbols)]]}
        for number in range(size)
    ]
    risk = {key: value for key, value in RISK.items() if key not in {"groups", "authorized", "allowed"}}
    more = {"risk": risk, "filters": FILTERS} if guards else {}
    config = parse({"strategies": strategies, **more})
    desk = Desk(engine(config, [MomentumStrategy(momentum_threshold=0.02) for _ in range(size)]), symbols)
    if guards == "gate":
        desk.engine.room = None
    batches = tape(symbols, 60 + DESK_BARS // size)
    for batch in batches[:60]:
        desk.minute(batch)
    gc.collect()
    began = time.perf_counter()
    for batch in batches[60:]:
        desk.minute(batch)
    return (len(batches) - 60) * size / (time.perf_counter() - began)


def throughput() -> None:
    """Print what of its sandbox-bars the desk keeps with gate and chain on, and with the control room beside them."""
    print("\nsandbox-bars/s, every control on: medians of three rounds, side by side")
    print(
        f"{'sandboxes':>9} {'plain desk':>12} {'gate and chain':>16} {'kept':>5} {'control room too':>18} {'kept':>5}"
    )
    for size in DESK_SIZES:
        rounds = [[rate(size, guards) for guards in ("", "gate", "room")] for _ in range(3)]
        plain, gate, room = (statistics.median(values) for values in zip(*rounds, strict=True))
        print(f"{size:>9,} {plain:>12,.0f} {gate:>16,.0f} {gate / plain:>5.0%} {room:>18,.0f} {room / plain:>5.0%}")


def main() -> None:
    """Print everything."""
    assert (
        settings([{"name": "s", "strategy_type": "rsi", "tickers": ["SPY"]}], is_guarded=False).risk.rules({})
        == Rules()
    )
    measure()
    if "--gate" not in sys.argv:
        throughput()


if __name__ == "__main__":
    main()
