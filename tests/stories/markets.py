"""The exchanges and strategies of desks that are killed: one where everything moves, one where no price ever does."""

import csv
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from trader.access.sim.fills import VenueRules
from trader.exchange.local import ExchangeOptions
from trader.model.time import DAY, MINUTE, SECOND, iso, parse_time

OPENING = parse_time("2026-01-05T14:30")  # a Monday in New York
STOCK, COIN = "SPY", "BTC/USD"
WISHES = "wishes.json"  # in the folder of the desk
_FLAT = {STOCK: "100", COIN: "50000"}
_HOURS = 4  # of a steady market


def lively(speed: float, *, start: int = OPENING - MINUTE, latency: int = 4 * SECOND) -> ExchangeOptions:
    """Return a market whose orders are open for a while and fill in parts now and then."""
    venue = VenueRules(fill="next_quote", latency_ns=latency, has_partial_fills=True)
    return ExchangeOptions(
        speed=speed, start=start, cash=Decimal(100_000), venue=venue, is_small=True, symbols=(STOCK, COIN)
    )


def steady(folder: Path, speed: float) -> ExchangeOptions:
    """Return a market of bars that all look alike: what a wish earns there does not hang on the moment."""
    files = tuple(_write(folder / f"{symbol.replace('/', '-')}.csv", symbol) for symbol in _FLAT)
    venue = VenueRules(fill="next_open", latency_ns=SECOND)
    return ExchangeOptions(
        feed="replay", data=files, speed=speed, start=OPENING - MINUTE, cash=Decimal(100_000), venue=venue
    )


def flipping(minutes: int = 2) -> list[dict[str, Any]]:
    """Return three strategies that are always on the move; two of them in one symbol, on opposite sides."""
    return [
        scheduled("long", STOCK, [0.9, 0.0], minutes=minutes),
        scheduled("short", STOCK, [0.0, -0.4], minutes=minutes, allow_short=True),
        scheduled("coin", COIN, [0.5, 0.0], minutes=minutes),
    ]


def scheduled(name: str, ticker: str, fractions: Sequence[float], *, minutes: int, **settings: Any) -> dict[str, Any]:
    """Return the settings of a strategy that wants one fraction after the other."""
    return _entry(name, ticker, "Scheduled", {"minutes": minutes, "fractions": [*fractions]}, settings)


def told(name: str, ticker: str, **settings: Any) -> dict[str, Any]:
    """Return the settings of a strategy that wants what stands in :data:`WISHES`."""
    return _entry(name, ticker, "Told", {"file": WISHES, "who": name}, settings)


def _entry(name: str, ticker: str, kind: str, params: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "strategy_type": f"tests.stories.scheduled:{kind}",
        "strategy_params": params,
        "tickers": [ticker],
        "min_warmup_bars": 1,
        "initial_cash": 20_000,
        **settings,
    }


def _write(path: Path, symbol: str) -> Path:
    """Write a file of equal minute bars: today's, and some of the session before."""
    first = OPENING - 3 * DAY  # Friday's, so that there is a price before today's opening
    starts = [first + minute * MINUTE for minute in range(30)]
    begin = OPENING - (30 * MINUTE if symbol == COIN else 0)
    starts += range(begin, OPENING + _HOURS * 60 * MINUTE, MINUTE)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["symbol", "timestamp", "open", "high", "low", "close", "volume"])
        rows.writerows([symbol, iso(start), *[_FLAT[symbol]] * 4, "1000000"] for start in starts)
    return path
