"""A desk at one moment in plain figures: what the oracle judges, and what the gate is built from to be asked the same.

Nothing here comes from ``trader``. Quantities and prices are fractions whose floats are exact, so that what the gate
compares in floats and the oracle in fractions is the same number; settings are those a person would write.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
NOW = 1_795_446_000 * SECOND  # 2026-11-23T15:00 UTC, a Monday morning in New York

ZERO = Fraction(0)


@dataclass(frozen=True)
class Bound:
    """A limit's two levels; None is none."""

    hard: Fraction | None = None
    soft: Fraction | None = None


@dataclass
class Symbol:
    """What is known of a market; None where nothing is, and 0 for a time."""

    name: str
    mark: Fraction | None
    step: Fraction = Fraction(1, 10_000)
    least: Fraction = Fraction(1)  # dollars of an order
    marked_at: int = NOW
    bid: Fraction | None = None
    ask: Fraction | None = None
    bid_size: Fraction | None = None
    ask_size: Fraction | None = None
    quoted_at: int = 0
    before: Fraction | None = None
    sigma_day: Fraction | None = None
    vol_ratio: Fraction | None = None
    volume_day: Fraction | None = None
    external: Fraction = ZERO

    @property
    def is_coin(self) -> bool:
        return "/" in self.name


@dataclass
class Sandbox:
    """One strategy's books; ``held``, ``buys`` and ``sells`` by symbol, all that it may trade.

    ``limits`` are by rule: bounds, and what always was a plain number.
    """

    name: str
    cash: Fraction
    held: dict[str, Fraction]
    buys: dict[str, Fraction] = field(default_factory=dict)
    sells: dict[str, Fraction] = field(default_factory=dict)
    reserved: Fraction = ZERO
    state: str = "active"
    why: str = ""  # no entry may leave for the order's symbol
    is_warm: bool = True
    trades: int = 0
    loss_reached: bool = False
    allow_short: bool = False
    limits: dict[str, Any] = field(default_factory=dict)


@dataclass
class Flag:
    scope: str
    kind: str
    level: str
    action: str
    value: str = ""


@dataclass
class Desk:
    """``risk`` is what the settings say of all of it, under the same keys; numbers are fractions, limits bounds."""

    symbols: dict[str, Symbol]
    sandboxes: dict[str, Sandbox]
    unallocated: Fraction = ZERO
    risk: dict[str, Any] = field(default_factory=dict)
    flags: list[Flag] = field(default_factory=list)
    now: int = NOW
    history: list[Any] = field(default_factory=list)  # of :class:`tests.risk.behaviour.Past`, the oldest first


@dataclass
class Order:
    strategy: str
    symbol: str
    is_buy: bool
    qty: Fraction
    price: Fraction
    reduces: bool = False
    urgency: str = "immediate"
    ts: int = NOW
