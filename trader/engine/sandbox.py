"""A sandbox: one strategy's world. It holds no logic but reading: the desk trades, the engine feeds."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

import msgspec

from trader.engine.states import tightest
from trader.model.instruments import Instrument
from trader.model.money import EXACT, ZERO, decimal_of
from trader.model.orders import Reason, TradingState, Urgency
from trader.risk.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from trader.books.book import AccountBook, Book, OrderRecord
    from trader.books.positions import Position
    from trader.engine.market import Floats, Listing, Series
    from trader.model.signals import Signals
    from trader.model.ticks import Bar
    from trader.strategies.base import Context


class Decides(Protocol):
    """What the engine needs of a strategy; :class:`trader.strategies.base.Strategy` is it."""

    @property
    def warmup(self) -> int:
        """Return how many bars of a ticker its indicators need."""

    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        """Answer one closed bar."""


class SandboxSpec(msgspec.Struct, frozen=True):
    """Everything a sandbox is made of. ``bar_minutes`` is the length of the bars its strategy decides on."""

    name: str
    strategy: Decides
    instruments: tuple[Instrument, ...]
    cash: Decimal
    limits: Limits
    min_warmup_bars: int = 50
    bar_minutes: int = 1
    flatten_on_loss: bool = True
    flatten_on_error: bool = True

    @property
    def warm_at(self) -> int:
        """Return the number of the first bar of a ticker that may be decided on, counting from 1."""
        return max(self.min_warmup_bars, self.strategy.warmup)


class Slot:
    """One ticker in one sandbox: where market data, wish, order and position of the pair meet."""

    __slots__ = (
        "absent", "ceiling", "context", "floor", "held", "instrument", "is_leaving", "is_part", "is_warm", "listing",
        "on_bar", "order", "position", "rank", "reason", "sandbox", "series", "symbol", "target", "unsettled",
        "urgency", "warm_at",
    )  # fmt: skip

    def __init__(
        self, sandbox: Sandbox, instrument: Instrument, *, listing: Listing, series: Series, rank: int
    ) -> None:
        """Begin flat, cold and without a wish."""
        self.sandbox = sandbox
        self.instrument = instrument  # the sandbox's own: it may trade whole shares where another trades fractions
        self.listing = listing
        self.series = series
        self.rank = rank  # place in config order, then in listed order
        self.symbol = instrument.symbol
        self.context = sandbox.context
        self.on_bar: Callable[[Bar, Context], Signals] = sandbox.spec.strategy.on_bar
        self.warm_at = sandbox.spec.warm_at
        self.is_warm = False
        self.position: Position
        self.held = 0.0  # the position's quantity as a float, for the checks of every bar
        self.order: OrderRecord | None = None
        self.absent: OrderRecord | None = None  # an entry that never showed up, and may still
        self.is_part = False  # what is on its way, or waits, is not all: the rest follows
        self.target = 0.0
        self.urgency = Urgency.IMMEDIATE  # of the newest target
        self.reason = Reason.SIGNAL  # why an exit is wanted; openings are always the strategy's
        self.is_leaving = False  # the host wants out, whatever the strategy thinks, until all is flat
        self.unsettled = False  # the target is not reached and nothing in flight will reach it
        self.floor = -math.inf  # a low at or under it, or a high at or over the ceiling, ends the position
        self.ceiling = math.inf


class Sandbox:
    """One strategy with its slots and its book."""

    __slots__ = (
        "account", "book", "cash", "context", "has_failed", "is_warm", "loss_floor", "proposed", "rank", "slots", "spec"
    )  # fmt: skip

    def __init__(self, spec: SandboxSpec, *, rank: int, moment: Moment) -> None:
        """Begin without slots; the book comes when it is opened."""
        self.spec = spec
        self.rank = rank
        self.slots: dict[str, Slot] = {}
        self.context = SandboxContext(self, moment)
        self.book: Book
        self.account: AccountBook
        self.cash = 0.0  # the book's cash as a float, for the checks of every bar
        self.proposed = ZERO  # dollars that openings of this step would reserve, before the Director has seen them
        self.loss_floor = -math.inf  # equity at or under it is worth an exact look at the day's loss
        self.is_warm = False
        self.has_failed = False  # its strategy did, in this process

    def equity(self) -> Decimal:
        """Return cash plus positions at their marks, exactly."""
        worth = self.book.cash
        for slot in self.slots.values():
            if slot.position.qty:
                worth = EXACT.add(worth, EXACT.multiply(slot.position.qty, decimal_of(slot.listing.mark)))
        return worth

    @property
    def trading_state(self) -> TradingState:
        """Return what it may do: the tighter of its own state and the whole desk's."""
        return tightest(self.book.state, self.account.state)

    @property
    def state(self) -> str:
        """Return what it does: halted, paused, warming, reduce_only (the day's loss is reached) or active."""
        if self.trading_state is not TradingState.ACTIVE:
            return str(self.trading_state)
        if not self.is_warm:
            return "warming"
        return "reduce_only" if self.book.loss_reached else "active"


class Moment:
    """The desk's time, shared by every context: the end of the newest closed minute (ns UTC)."""

    __slots__ = ("ts",)

    def __init__(self) -> None:
        """Begin before all time."""
        self.ts = 0


class SandboxContext:
    """A strategy's only door: the time, its own windows, its own book. Arrays are read-only views, newest last."""

    __slots__ = ("_moment", "_sandbox")

    def __init__(self, sandbox: Sandbox, moment: Moment) -> None:
        """Look at ``sandbox``."""
        self._sandbox = sandbox
        self._moment = moment

    @property
    def now(self) -> int:
        """Return the end of the newest closed minute (ns UTC)."""
        return self._moment.ts

    def opens(self, symbol: str, n: int) -> Floats:
        """Return the newest ``n`` opens, shape (≤ n,)."""
        return self._sandbox.slots[symbol].series.window.column(0, n)

    def highs(self, symbol: str, n: int) -> Floats:
        """Return the newest ``n`` highs, shape (≤ n,)."""
        return self._sandbox.slots[symbol].series.window.column(1, n)

    def lows(self, symbol: str, n: int) -> Floats:
        """Return the newest ``n`` lows, shape (≤ n,)."""
        return self._sandbox.slots[symbol].series.window.column(2, n)

    def closes(self, symbol: str, n: int) -> Floats:
        """Return the newest ``n`` closes, shape (≤ n,)."""
        return self._sandbox.slots[symbol].series.window.column(3, n)

    def volumes(self, symbol: str, n: int) -> Floats:
        """Return the newest ``n`` volumes, shape (≤ n,)."""
        return self._sandbox.slots[symbol].series.window.column(4, n)

    def position(self, symbol: str) -> float:
        """Return the signed quantity held of ``symbol``."""
        return self._sandbox.slots[symbol].held

    @property
    def cash(self) -> float:
        """Return the cash of the sandbox's book in dollars."""
        return self._sandbox.cash

    @property
    def equity(self) -> float:
        """Return cash plus positions at their marks, in dollars."""
        slots = self._sandbox.slots.values()
        return self._sandbox.cash + sum(slot.held * slot.listing.mark for slot in slots if slot.held)
