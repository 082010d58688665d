"""Where every sandbox stands: the one source of the figures that people and programs are shown."""

from decimal import Decimal

import msgspec

from trader.books.monitor import ControlRoomFigures
from trader.engine.engine import Engine
from trader.engine.sandbox import Sandbox
from trader.model.money import EXACT, ZERO, decimal_of, divide


class PositionSummary(msgspec.Struct, frozen=True):
    """One open position; ``value`` is the signed quantity times the mark."""

    symbol: str
    qty: Decimal
    avg_price: Decimal
    mark: Decimal
    value: Decimal


class StrategySummary(msgspec.Struct, frozen=True):
    """One sandbox. ``trades`` counts executions, ``daily_trades`` the orders approved in its current day.

    ``denials`` are openings refused by a rule or dropped by a filter, ``trims`` those that a filter made smaller.
    """

    name: str
    state: str
    initial_cash: Decimal
    available_cash: Decimal
    total_value: Decimal
    pnl: Decimal
    pnl_pct: float
    daily_trades: int
    trades: int
    active_positions: int
    positions: list[PositionSummary]
    open_orders: int
    denials: dict[str, int]
    trims: dict[str, int]


class Summary(msgspec.Struct, frozen=True, omit_defaults=True):
    """Every sandbox and the sum of their profits and losses, in dollars; ``risk`` is there where limits are watched."""

    mode: str
    strategies: list[StrategySummary]
    total_pnl: Decimal
    risk: ControlRoomFigures | None = None


def summarize(engine: Engine, mode: str) -> Summary:
    """Take stock at the newest marks; of a desk that was never opened there is nothing to tell."""
    if not engine.is_open:
        return Summary(mode, [], ZERO)
    strategies = [_strategy(sandbox, _state(engine, sandbox)) for sandbox in engine.sandboxes]
    total = ZERO
    for strategy in strategies:
        total = EXACT.add(total, strategy.pnl)
    return Summary(mode, strategies, total, None if engine.room is None else engine.room.figures(engine.desk.now))


def _state(engine: Engine, sandbox: Sandbox) -> str:
    """Return what a sandbox does; under a flag it reduces only, as after its day's loss."""
    is_closed = sandbox.state == "active" and engine.room is not None and engine.room.is_closed(sandbox.spec.name)
    return "reduce_only" if is_closed else sandbox.state


def _strategy(sandbox: Sandbox, state: str) -> StrategySummary:
    book = sandbox.book
    positions = []
    worth = book.cash
    for slot in sandbox.slots.values():
        if slot.position.qty:
            mark = decimal_of(slot.listing.mark)
            value = EXACT.multiply(slot.position.qty, mark)
            worth = EXACT.add(worth, value)
            positions.append(PositionSummary(slot.symbol, slot.position.qty, slot.position.avg_price, mark, value))
    assert worth == sandbox.equity(), f"{book.strategy}: cash and positions differ from the total value"
    pnl = EXACT.subtract(worth, book.opening_cash)
    return StrategySummary(
        name=book.strategy,
        state=state,
        initial_cash=book.opening_cash,
        available_cash=book.free_cash,
        total_value=worth,
        pnl=pnl,
        pnl_pct=round(float(divide(pnl, book.opening_cash)) * 100, 6),
        daily_trades=book.daily_trades,
        trades=book.fills,
        active_positions=len(positions),
        positions=positions,
        open_orders=sum(slot.order is not None for slot in sandbox.slots.values()),
        denials=dict(sorted(book.denials.items())),
        trims=dict(sorted(book.trims.items())),
    )
