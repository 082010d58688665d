"""What the control socket can be asked: one table, from an operation's name to its arguments and what it does.

An operation that changes something becomes an input of the desk like any other. It is answered when the events it made
are durable and the desk's state shows it: who reads ``halted`` may rely on it that no opening follows.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from trader.engine.states import state_after
from trader.live.control_messages import (
    Accept,
    Act,
    Action,
    AskWhy,
    BackUp,
    Backup,
    Declined,
    Done,
    ListTrades,
    Nothing,
    Reconciliation,
    Release,
    States,
    SymbolLine,
    Trades,
    unknown_strategy,
)
from trader.live.desk_view import DeskView
from trader.live.halt_file import HaltFile, one_line
from trader.live.overriding import (
    AgreeOverride,
    AskOverride,
    OverrideLine,
    OverrideLines,
    agreed_of,
    asked_of,
    line_in,
    lines_of,
)
from trader.live.risk_view import AskStress
from trader.live.why import Why
from trader.model.events import Event
from trader.model.inputs import Control, Input, OrderReleased, Settled
from trader.model.orders import TradingState
from trader.registry import did_you_mean
from trader.risk.report import RiskReport, StressReport

CHANGE_WITHIN_S = 10.0  # a commit takes milliseconds; a disk that needs this long is told of, not waited for
COPY_WITHIN_S = 300.0  # a journal of gigabytes

Deliver = Callable[[Input], Awaitable[Sequence[Event]]]  # gives its events when they are durable


class Desk(NamedTuple):
    """What operations work on, and for whom."""

    deliver: Deliver
    view: DeskView
    halt_file: HaltFile
    by: str = ""


class Operation(NamedTuple):
    """One row of the table: ``run(desk, arguments)``."""

    takes: type[msgspec.Struct]
    run: Callable[[Desk, Any], Awaitable[msgspec.Struct]]
    within_s: float = CHANGE_WITHIN_S


async def act(desk: Desk, wanted: Act, *, action: Action) -> Done:
    """Halt, pause, resume or flatten, and see that it is so. Raises Declined."""
    view, name = desk.view, wanted.strategy
    if name:
        _check_name(name, view.states().strategies)
    if action == "resume" and await asyncio.to_thread(desk.halt_file.look) is not None:
        raise Declined("halt_file", f"{desk.halt_file.path} is there: remove it first, it halts for as long as it is")
    await desk.deliver(Control(view.now(), action, name, desk.by, one_line(wanted.why)))
    states = view.states()
    state = TradingState(states.strategies[name] if name else states.desk)
    if state_after(action, state) is not state:
        raise Declined("not_taken", f"the desk took {action} and is {state} all the same; its log says why")
    return Done(action, name, desk.by, states)


async def _states(desk: Desk, _: Nothing) -> States:
    return desk.view.states()


async def _reconciliation(desk: Desk, _: Nothing) -> Reconciliation:
    return desk.view.reconciliation()


async def _accept(desk: Desk, wanted: Accept) -> Done:
    difference = _difference_of(_locked(desk.view, wanted.symbol), wanted.difference)
    await desk.deliver(Settled(desk.view.now(), wanted.symbol, desk.by, difference))
    if wanted.symbol in {line.symbol for line in desk.view.reconciliation().symbols if line.locked}:
        raise Declined("not_taken", f"{wanted.symbol} is locked all the same: books and account differ again")
    return Done("accept", wanted.symbol, desk.by, desk.view.states())


async def _release(desk: Desk, wanted: Release) -> Done:
    absent = [order.order_id for order in desk.view.reconciliation().absent]
    if wanted.order_id not in absent:
        there = f"absent are {', '.join(absent)}" if absent else "no order is absent"
        raise Declined("not_absent", f"{wanted.order_id!r} is no order that the broker does not know; {there}")
    await desk.deliver(OrderReleased(desk.view.now(), wanted.order_id, desk.by))
    if wanted.order_id in {order.order_id for order in desk.view.reconciliation().absent}:
        raise Declined("not_taken", f"{wanted.order_id} is absent all the same; the desk's log says why")
    return Done("release", wanted.order_id, desk.by, desk.view.states())


async def _trades(desk: Desk, wanted: ListTrades) -> Trades:
    found = await desk.view.trades(wanted)
    if wanted.strategy and not found.trades and found.before is None:  # one of earlier days may have traded
        _check_name(wanted.strategy, desk.view.states().strategies)
    return found


async def _why(desk: Desk, wanted: AskWhy) -> Why:
    _check_name(wanted.strategy, desk.view.states().strategies)
    if wanted.symbol:
        _check_traded(desk.view, wanted.strategy, wanted.symbol)
    return await desk.view.why(wanted)


async def _override(desk: Desk, wanted: AskOverride) -> OverrideLine:
    _check_name(wanted.strategy, desk.view.states().strategies)
    _check_traded(desk.view, wanted.strategy, wanted.symbol)
    now = desk.view.now()
    return line_in(await desk.deliver(asked_of(wanted, desk.view.overrides(), by=desk.by, now=now)))


async def _agree(desk: Desk, wanted: AgreeOverride) -> OverrideLine:
    now = desk.view.now()
    return line_in(await desk.deliver(agreed_of(wanted, desk.view.overrides(), by=desk.by, now=now)))


async def _overrides(desk: Desk, _: Nothing) -> OverrideLines:
    return lines_of(desk.view.overrides(), desk.view.now())


async def _backup(desk: Desk, wanted: BackUp) -> Backup:
    path = Path(wanted.path)
    if not path.is_absolute():
        raise Declined("bad_path", f"{wanted.path!r} is not absolute: this program runs in another folder than yours")
    if await asyncio.to_thread(path.exists):
        raise Declined("bad_path", f"{path} is there already; name a new file")
    try:
        await desk.view.backup(path)
    except OSError as error:
        raise Declined("bad_path", f"{path} cannot be written: {error.strerror or error}") from error
    return Backup(str(path))


async def _risk(desk: Desk, _: Nothing) -> RiskReport:
    return await asyncio.to_thread(desk.view.seen().report)


async def _stress(desk: Desk, wanted: AskStress) -> StressReport:
    return desk.view.seen().stress(wanted)


OPERATIONS: Mapping[str, Operation] = {
    "states": Operation(Nothing, _states),
    "halt": Operation(Act, partial(act, action="halt")),
    "pause": Operation(Act, partial(act, action="pause")),
    "resume": Operation(Act, partial(act, action="resume")),
    "flatten": Operation(Act, partial(act, action="flatten")),
    "reconciliation": Operation(Nothing, _reconciliation),
    "accept": Operation(Accept, _accept),
    "release": Operation(Release, _release),
    "trades": Operation(ListTrades, _trades),
    "why": Operation(AskWhy, _why),
    "risk": Operation(Nothing, _risk),
    "stress": Operation(AskStress, _stress),
    "override": Operation(AskOverride, _override),
    "agree": Operation(AgreeOverride, _agree),
    "overrides": Operation(Nothing, _overrides),
    "backup": Operation(BackUp, _backup, COPY_WITHIN_S),
}


def _check_name(name: str, names: Mapping[str, str]) -> None:
    if name not in names:
        raise unknown_strategy(name, names)


def _check_traded(view: DeskView, strategy: str, symbol: str) -> None:
    traded = view.symbols_of(strategy)
    if symbol not in traded:
        hint = did_you_mean(symbol, traded) or f"; it trades {', '.join(traded)}"
        raise Declined("unknown_symbol", f"{strategy} does not trade {symbol!r}{hint}")


def _locked(view: DeskView, symbol: str) -> SymbolLine:
    lines = {line.symbol: line for line in view.reconciliation().symbols if line.locked}
    if symbol not in lines:
        there = f"locked are {', '.join(lines)}" if lines else "no symbol is locked"
        raise Declined("not_locked", f"{symbol!r} is not locked; {there}")
    return lines[symbol]


def _difference_of(line: SymbolLine, shown: str) -> Decimal:
    """Return what is to be booked; what a person decided about must be what is so now."""
    try:
        is_same = line.difference is not None and Decimal(shown) == Decimal(line.difference)
    except InvalidOperation:
        is_same = False
    if line.difference is None or not is_same:
        raise Declined("changed", f"the difference in {line.symbol} is {line.difference} now, not {shown}; look again")
    return Decimal(line.difference)
