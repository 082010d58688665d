"""The market of one run, and the strategies that trade in it: all of it follows from the seed."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from zlib import crc32

from trader.engine.sandbox import SandboxSpec
from trader.model.instruments import Instrument, instrument_of
from trader.model.orders import Urgency
from trader.model.signals import Target
from trader.model.ticks import Bar, Quote
from trader.model.time import MINUTE, SECOND
from trader.risk.limits import Limits
from trader.storm.weather import Weather

if TYPE_CHECKING:
    from trader.strategies.base import Context  # its package loads every strategy there is, and their libraries

STEP: Final = 5 * SECOND  # between two looks at what the market does
HISTORY: Final = 3  # minutes before the start, for warm-up
STRATEGIES: Final = ("long", "both", "coin", "mixed")
CAPITAL: Final = Decimal(20_000)  # of each
_LARGEST = Decimal("0.95")  # of it, in one symbol
_MANY, _FEW = 1e6, (1.0, 40.0)  # offered at a price
_SPREAD, _MOVE = 0.0002, 0.0008  # of the price
_FIRST = {"AAA": 50.0, "BBB": 200.0, "CCC/USD": 1_000.0}

_WHOLE, _PARTS = instrument_of("AAA", fractionable=False), instrument_of("BBB")
_SHARES = instrument_of("BBB", fractionable=False)  # as who may short has it
_COIN = instrument_of("CCC/USD")
INSTRUMENTS: Final[dict[str, Instrument]] = {one.symbol: one for one in (_WHOLE, _PARTS, _COIN)}
_URGENCIES = (Urgency.IMMEDIATE, *Urgency)  # most are checked on the newest sums
_WISHES = (1, 1, 1, -1, -1, 0, 0, None)  # long, short, flat, nothing


class StrategyBroke(Exception):
    """What a strategy of the storm raises."""


class Whim:
    """A strategy whose every answer follows from the bar, its own name and the seed: often long, short or flat."""

    warmup = 1

    def __init__(self, name: str, seed: int, *, quiet_from: int, chance_of_error: float) -> None:
        """Say nothing about bars that end from ``quiet_from`` on."""
        self._salt = f"{name}/{seed}/".encode()
        self._quiet_from = quiet_from
        self._errors = round(chance_of_error * 10_000)

    def on_bar(self, bar: Bar, ctx: "Context") -> Target | None:
        """Answer one bar."""
        if bar.ts > self._quiet_from:
            return None
        drawn = crc32(self._salt + f"{bar.symbol}{bar.ts}".encode())
        if drawn % 10_000 < self._errors:
            raise StrategyBroke(bar.symbol)
        sign = _WISHES[drawn // 10_000 % len(_WISHES)]
        share = 0.3 + drawn // 80_000 % 100 / 150
        urgency = _URGENCIES[drawn // 8_000_000 % len(_URGENCIES)]
        return None if sign is None else Target(bar.symbol, sign * share, urgency=urgency)


def specs(seed: int, *, quiet_from: int, chance_of_error: float) -> list[SandboxSpec]:
    """Return four sandboxes: a long-only one, one that shorts too, one whose days are UTC's, one with both."""

    def spec(name: str, *instruments: Instrument, limits: Limits) -> SandboxSpec:
        whim = Whim(name, seed, quiet_from=quiet_from, chance_of_error=chance_of_error)
        return SandboxSpec(name, whim, instruments, CAPITAL, limits, min_warmup_bars=1)

    return [
        spec("long", _WHOLE, _PARTS, limits=Limits(_LARGEST, stop_loss=Decimal("0.002"))),
        spec("both", _WHOLE, _SHARES, limits=Limits(_LARGEST, allow_short=True, max_daily_trades=12)),
        spec("coin", _COIN, limits=Limits(_LARGEST, max_daily_loss=Decimal(40))),
        spec("mixed", _COIN, _WHOLE, limits=Limits(_LARGEST, max_daily_loss=Decimal(60))),
    ]


class Market:
    """Prices that walk at random; a bar is what its minute's steps were."""

    def __init__(self, weather: Weather, start: int) -> None:
        """Know the minutes before ``start``, a whole minute."""
        self._weather = weather
        self._prices = dict(_FIRST)
        self._open: dict[str, list[float]] = {}
        self.bars: list[list[Bar]] = []  # of each minute that ended
        for number in range(HISTORY):
            self.walk()
            self.walk()
            self.close(start - (HISTORY - 1 - number) * MINUTE)

    def walk(self) -> None:
        """Move every price."""
        uniform = self._weather.uniform
        for symbol, before in self._prices.items():
            price = self._prices[symbol] = round(before * (1 + uniform(-_MOVE, _MOVE)), 2)
            self._open.setdefault(symbol, []).append(price)

    def quotes(self, ts: int) -> Sequence[Quote]:
        """Return what is offered now in some of the symbols."""
        weather = self._weather
        offered = []
        for symbol, price in self._prices.items():
            if weather.below(2):
                continue
            size = round(weather.uniform(*_FEW)) if weather.strikes("fill.partial") else _MANY
            half = round(price * _SPREAD, 2)
            offered.append(Quote(symbol, ts, round(price - half, 2), size, round(price + half, 2), size))
        return offered

    def close(self, ts: int) -> list[Bar]:
        """End the minute that ends at ``ts``."""
        bars = [
            Bar(symbol, ts, seen[0], max(seen), min(seen), seen[-1], 100.0 * len(seen))
            for symbol, seen in self._open.items()
        ]
        self._open.clear()
        self.bars.append(bars)
        return bars
