"""Runs of a whole desk over one recorded hour of funds, under rules and filters of a test's choosing."""

import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
from structlog.testing import capture_logs

from trader.config import parse
from trader.live import build
from trader.live.narrate import Narrator
from trader.live.options import RunOptions
from trader.model.commands import SubmitOrder
from trader.model.events import Event, FlagRaised, IntentTrimmed, OrderCreated, OrderDenied, OrderFilled
from trader.model.inputs import History, Input
from trader.model.signals import Signals, Target
from trader.model.ticks import Bar
from trader.model.time import HOUR
from trader.strategies import Context, Strategy

DATA = Path(os.environ.get("TRADER_SHARED", Path(__file__).parents[3] / "shared")) / "data"
MINUTES = DATA / "us_1min" / "etf_2019-12.parquet"
DAYS = DATA / "daily" / "lean_us_to_2021.parquet"
SYMBOLS = ("SPY", "QQQ", "IWM", "EEM", "USO")


class Bars(NamedTuple):
    """Files of recorded bars."""

    minutes: Path
    days: Path | None


class Flip(Strategy):
    """In on one bar, out on the next: the same order again and again."""

    def __post_init__(self) -> None:
        """Count the bars of each ticker."""
        self.bars: dict[str, int] = {}

    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        """Turn round."""
        self.bars[bar.symbol] = self.bars.get(bar.symbol, 0) + 1
        return Target(bar.symbol, float(self.bars[bar.symbol] % 2))


def recorded(folder: Path, symbols: Sequence[str] = SYMBOLS, *, day: str = "2019-12-18", of: Path = MINUTES) -> Bars:
    """Cut two hours of minutes, and two years of days before them, out of the recorded files."""
    year = int(day[:4])
    cuts = {
        "minutes": (of, f"ts >= '{day}T14:30:00Z' and ts < '{day}T16:30:00Z'"),
        "days": (DAYS, f"ts >= '{year - 2}-01-01' and ts < '{day}'"),
    }
    for name, (path, when) in cuts.items():
        chosen = f"select * from read_parquet('{path}') where symbol in {tuple(symbols)} and {when} order by ts, symbol"  # noqa: S608 -- ours
        duckdb.sql(f"copy ({chosen}) to '{folder / name}.parquet' (format parquet)")
    return Bars(folder / "minutes.parquet", folder / "days.parquet")


def strategies() -> list[dict[str, Any]]:
    """Return three strategies that trade often: one turns at every bar, two follow prices, one of them short too."""
    quick = {"lookback_period": 3, "momentum_threshold": 0.0002}
    return [
        {"name": "flip", "strategy_type": "tests.stories.guarded:Flip", "tickers": ["USO"], "min_warmup_bars": 1,
         "initial_cash": 1000.0, "fractionable": False, "risk_config": {"max_position_size": 0.95}},
        {"name": "quick", "strategy_type": "momentum", "strategy_params": quick, "tickers": list(SYMBOLS),
         "min_warmup_bars": 4, "initial_cash": 20000.0, "risk_config": {"max_position_size": 0.3}},
        {"name": "both ways", "strategy_type": "momentum", "strategy_params": quick, "tickers": ["IWM", "EEM", "USO"],
         "min_warmup_bars": 4, "initial_cash": 20000.0, "allow_short": True, "risk_config": {"max_position_size": 0.4}},
    ]  # fmt: skip


class Run:
    """What one run did: its events, and the lines of its log."""

    def __init__(self, events: Sequence[Event], lines: Sequence[Mapping[str, Any]]) -> None:
        """Keep both."""
        self.events = events
        self.lines = lines

    def of(self, kind: type[Any]) -> list[Any]:
        """Return the events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def fills(self) -> list[OrderFilled]:
        """Return its fills as they came."""
        return self.of(OrderFilled)

    @property
    def openings(self) -> list[OrderCreated]:
        """Return the orders that opened something."""
        return [event for event in self.of(OrderCreated) if not event.approved.intent.reduces]

    def orders(self, since: int = 0, until: int = 2**63) -> list[tuple[Any, ...]]:
        """Return what was ordered: when, for whom, what."""
        intents = [event.approved.intent for event in self.of(OrderCreated)]
        return [order_of(one) for one in intents if since <= one.ts < until]

    def denied(self, rule: str) -> list[OrderDenied]:
        """Return what a rule refused."""
        return [event for event in self.of(OrderDenied) if event.denied.rule == rule]

    def trimmed(self, name: str) -> list[IntentTrimmed]:
        """Return what a filter took."""
        return [event for event in self.of(IntentTrimmed) if event.filter == name]

    def flags(self, kind: str) -> list[FlagRaised]:
        """Return the flags of a kind."""
        return [event for event in self.of(FlagRaised) if event.kind == kind]


def order_of(intent: Any) -> tuple[int, str, str, str, Decimal]:
    """Return an order as two runs are compared by: when, whose, what, which way, how much."""
    return intent.ts, intent.strategy, intent.symbol, str(intent.side), intent.qty


async def run(settings: Mapping[str, Any], bars: Bars, *, hours: float = 1.0) -> Run:
    """Trade an hour under ``settings``, with everything that a run of the command line has but its process."""
    config = parse({"strategies": strategies(), **settings})
    daily = () if bars.days is None else (bars.days,)
    duration = round(hours * HOUR)
    options = RunOptions(feed="replay", data=(bars.minutes,), daily=daily, speed=None, duration=duration, report="none")
    engine = build.desk(config, build.Stopwatch(), book_id="t", is_alpaca=False)
    world = build.world(options, config, engine, None)
    events: list[Event] = []
    narrator = Narrator()

    def take(message: Input) -> None:
        step = engine.handle(message)
        events.extend(step.events)
        for command in step.commands:
            if isinstance(command, SubmitOrder):
                world.broker.submit(command.approved, command.crossed)
            else:
                world.broker.cancel(command.order_id, command.ts)
        for event in step.events:
            narrator.narrate(event)

    with capture_logs() as lines:
        take(await world.open(engine.desk.ledger))
        async for bars_of_a_minute in world.history(build.depth_of(engine)):
            take(History(world.clock.now(), bars_of_a_minute))
        async for message in world.inputs(engine.next_timer):
            take(message)
        await world.close()
    return Run(events, lines)


def merged(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings laid over one another, sections into sections; a strategy's go to the one of its name."""
    result: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            known = result.get(key)
            is_section = isinstance(known, dict) and isinstance(value, Mapping)
            result[key] = merged(known, value) if is_section and known is not None else value
    return result


def of_strategy(name: str, **settings: Any) -> dict[str, Any]:
    """Return settings in which one of the strategies has more in its risk_config, or of its own."""
    own = {key: settings.pop(key) for key in ("filters", "on_daily_loss") if key in settings}
    return {
        "strategies": [
            one | own | {"risk_config": one["risk_config"] | settings} if one["name"] == name else one
            for one in strategies()
        ]
    }
