"""Builders of the desk's words, so that a test names only what it is about."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from trader.access.sim.exchange import SimExchange
from trader.access.sim.fills import VenueRules
from trader.engine.engine import Engine, Step
from trader.engine.sandbox import SandboxSpec
from trader.model.commands import SubmitOrder
from trader.model.events import Event, OrderFilled
from trader.model.inputs import History, Input, Opened, Reported, Ticks, TimerFired
from trader.model.instruments import instrument_of
from trader.model.signals import Signals, Target
from trader.model.ticks import Bar
from trader.model.time import MINUTE, parse_time
from trader.risk.limits import Limits

T0 = parse_time("2026-01-05T14:30:00")  # a Monday, the New York opening


def bar(symbol: str = "SPY", minute: int = 1, *, close: float = 100.0, **parts: float) -> Bar:
    """Return a minute bar that ends ``minute`` minutes after T0; open, high, low default to what the close allows."""
    first = parts.get("open", close)
    high = parts.get("high", max(first, close))
    low = parts.get("low", min(first, close))
    return Bar(symbol, T0 + minute * MINUTE, first, high, low, close, parts.get("volume", 1000.0))


class Scripted:
    """A strategy that says what a function of its bar says."""

    def __init__(self, say: Callable[[Bar], Signals], warmup: int = 1) -> None:
        self._say = say
        self.warmup = warmup
        self.seen: list[Bar] = []

    def on_bar(self, bar: Bar, ctx: Any) -> Signals:
        self.seen.append(bar)
        return self._say(bar)


def always(fraction: float) -> Scripted:
    return Scripted(lambda bar: Target(bar.symbol, fraction))


def by_minute(wishes: dict[int, float]) -> Scripted:
    """Want a fraction at the close of given minutes after T0, nothing else at the others."""

    def say(bar: Bar) -> Signals:
        minute = (bar.ts - T0) // MINUTE
        return Target(bar.symbol, wishes[minute]) if minute in wishes else None

    return Scripted(say)


def spec(strategy: Any, *tickers: str, name: str = "one", cash: str = "10000", **settings: Any) -> SandboxSpec:
    """Return a sandbox of ``tickers`` (SPY by default) without limits but those given, warm from its first bar."""
    limits = {key: settings.pop(key) for key in tuple(settings) if key in Limits.__struct_fields__}
    limits = {key: Decimal(value) if isinstance(value, str) else value for key, value in limits.items()}
    return SandboxSpec(
        name,
        strategy,
        tuple(instrument_of(ticker) for ticker in tickers or ("SPY",)),
        Decimal(cash),
        Limits(**{"max_position_size": Decimal(1), **limits}),
        **{"min_warmup_bars": 1, **settings},
    )


class Rehearsal:
    """An engine and a simulated venue driven as the shells drive them: reports before bars, timers in between."""

    def __init__(self, *specs: SandboxSpec, rules: VenueRules | None = None, book_id: str = "t") -> None:
        self.engine = Engine(specs, book_id=book_id)
        instruments = {symbol: listing.instrument for symbol, listing in self.engine.listings.items()}
        self.venue = SimExchange(rules or VenueRules(has_fees=False), instruments)
        self.events: list[Event] = []
        self.take(Opened(T0))

    def take(self, message: Input) -> Step:
        step = self.engine.handle(message)
        self.events += step.events
        self.handled(message, step)
        for command in step.commands:
            if isinstance(command, SubmitOrder):
                self.venue.submit(command.approved, command.crossed)
            else:
                self.venue.cancel(command.order_id, command.ts)
        self.settle(message.ts)
        return step

    def handled(self, message: Input, step: Step) -> None:
        """Learn of a step before anything is done because of it; others may want to."""

    def settle(self, ts: int) -> None:
        while reports := self.venue.reports():
            for report in reports:
                self.take(Reported(ts, report))

    def learn(self, *bars: Bar) -> None:
        for one in bars:
            self.take(History(one.ts, [one]))

    def minute(self, *ticks: Any) -> None:
        """One batch as a feed gives it, then the timer that closes the minute if bars are missing."""
        ts = max(tick.ts for tick in ticks)
        self.timers(ts)
        self.venue.observe(ticks)
        self.settle(ts)
        self.take(Ticks(ts, ticks))
        self.timers(ts + 3_000_000_000)

    def timers(self, upto: int) -> None:
        while (due := self.engine.next_timer()) is not None and due <= upto:
            self.take(TimerFired(due))

    def closes(self, *closes: float, symbol: str = "SPY", start: int = 1) -> None:
        for number, close in enumerate(closes):
            self.minute(bar(symbol, start + number, close=close))

    @property
    def fills(self) -> list[OrderFilled]:
        return [event for event in self.events if isinstance(event, OrderFilled)]

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def book(self, name: str = "one") -> Any:
        return self.engine.desk.ledger.books[name]


def minutes_of(bars: Sequence[Bar]) -> list[int]:
    return [(one.ts - T0) // MINUTE for one in bars]
