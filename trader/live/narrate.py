"""Domain events as log lines: the one place where an event becomes a line, named after what happened."""

from typing import Any

import msgspec
import structlog

from trader.model.events import (
    AccountReconciled,
    BarLate,
    BarRefused,
    BarRevised,
    BarsBackfilled,
    BooksCreated,
    BooksOpened,
    CapitalChanged,
    CashBooked,
    DailyLossReached,
    DayStarted,
    EntriesHeld,
    EntriesReleased,
    Event,
    ExternalFilled,
    ExternalReversed,
    FillReversed,
    FlagCleared,
    FlagRaised,
    IntentTrimmed,
    OrderCreated,
    OrderDenied,
    OrderFilled,
    OrderMoved,
    OverrideGranted,
    OverrideProposed,
    OverrideUsed,
    PeakReached,
    PeriodStarted,
    PositionSplit,
    ReportIgnored,
    SandboxOpened,
    SandboxWarmed,
    SessionStarted,
    StateSet,
    StrategyFailed,
    SymbolLocked,
    SymbolUnlocked,
    TargetSet,
)
from trader.model.orders import OrderIntent, OrderStatus
from trader.risk.escalation import Action

log = structlog.get_logger()

COMPARING = "reconciliation"  # the cause under which entries wait for the first comparison with the account


class Narrator:
    """Turns events into log lines; what repeats, a refusal of ours or the venue's, a trim, is said once a day."""

    def __init__(self) -> None:
        """Begin having said nothing."""
        self._said: set[tuple[str, ...]] = set()  # the strategy first, empty where it is nobody's

    def narrate(self, event: Event) -> None:
        """Write one line for one event."""
        level, name = _LINES[type(event)]
        if isinstance(event, DayStarted):
            self._said = {key for key in self._said if key[0] not in {"", event.strategy}}
        elif isinstance(event, EntriesHeld):
            level = "info" if event.cause == COMPARING else level  # every start begins so
        elif isinstance(event, BooksCreated):
            level = level if event.account else "debug"  # of a made-up market they say nothing
        elif isinstance(event, OrderMoved) and event.status is OrderStatus.ABSENT:
            level = "warning"
        elif isinstance(event, OrderMoved) and event.status in {OrderStatus.REJECTED, OrderStatus.EXPIRED}:
            level = self._once_a_day("warning", event.strategy, event.symbol, event.text)
        elif isinstance(event, OrderDenied):
            level = self._once_a_day(level, *_of(event.denied.intent), event.denied.rule)
        elif isinstance(event, IntentTrimmed):
            level = self._once_a_day(level, event.strategy, event.symbol, event.filter, "" if event.kept else "0")
        elif isinstance(event, FlagRaised | FlagCleared):
            is_alert = isinstance(event, FlagCleared) or event.action == Action.ALERT
            once = type(event).__name__, event.scope, event.kind, event.level
            level = self._once_a_day("info", "", *once) if is_alert else level
        getattr(log, level)(name, **_values_of(event))

    def _once_a_day(self, level: str, *key: str) -> str:
        """Return ``level`` for what was not said since the strategy's day began; what repeats is whispered."""
        level = "debug" if key in self._said else level
        self._said.add(key)
        return level


def _of(intent: OrderIntent) -> tuple[str, str]:
    return intent.strategy, intent.symbol


def _values_of(event: Event) -> dict[str, Any]:
    """Return what a line shows of an event: flat, and no more than people look for."""
    match event:
        case OrderCreated(approved=approved):
            order = {"order_id": approved.order_id, "reserved": approved.reserved}
            return msgspec.structs.asdict(approved.intent) | order
        case OrderDenied(denied=denied):
            values = {key: getattr(denied.intent, key) for key in ("ts", "strategy", "symbol", "side", "qty")}
            return values | {key: getattr(denied, key) for key in ("rule", "limit", "value", "scope", "hint")}
        case OverrideProposed() | OverrideGranted():
            return {"ts": event.ts} | msgspec.structs.asdict(event.override)
        case BooksOpened():
            return {"ts": event.ts, "bytes": len(event.state)}
        case BooksCreated():
            account = f"…{event.account[-3:]}"
            return {"ts": event.ts, "book_id": event.book_id, "account": account, "cash": event.cash}
    values = msgspec.structs.asdict(event)
    if isinstance(event, FlagRaised | FlagCleared):
        values["threshold"] = values.pop("level")  # a line has a level of its own
    return values


_LINES: dict[type[Event], tuple[str, str]] = {
    OrderFilled: ("info", "order.filled"),
    OrderCreated: ("debug", "order.created"),
    OrderMoved: ("debug", "order.moved"),
    OrderDenied: ("info", "order.denied"),
    SandboxOpened: ("debug", "sandbox.opened"),
    SandboxWarmed: ("info", "warmup.completed"),
    DayStarted: ("debug", "day.started"),
    DailyLossReached: ("warning", "loss.reached"),
    StrategyFailed: ("error", "strategy.failed"),
    EntriesHeld: ("warning", "entries.held"),
    EntriesReleased: ("info", "entries.released"),
    FillReversed: ("warning", "fill.reversed"),
    PositionSplit: ("warning", "position.split"),
    BarLate: ("warning", "bar.late"),
    BarsBackfilled: ("info", "bars.backfilled"),
    BarRevised: ("debug", "bar.revised"),
    BarRefused: ("warning", "bar.refused"),
    ReportIgnored: ("warning", "report.ignored"),
    IntentTrimmed: ("info", "intent.trimmed"),
    FlagRaised: ("warning", "flag.raised"),
    FlagCleared: ("info", "flag.cleared"),
    OverrideProposed: ("warning", "override.proposed"),
    OverrideGranted: ("warning", "override.granted"),
    OverrideUsed: ("warning", "override.used"),
    PeriodStarted: ("debug", "period.started"),
    PeakReached: ("debug", "peak.reached"),
    BooksCreated: ("info", "books.created"),
    BooksOpened: ("debug", "books.saved"),
    SessionStarted: ("debug", "session.started"),
    CapitalChanged: ("warning", "capital.changed"),
    TargetSet: ("debug", "target.set"),
    StateSet: ("warning", "state.set"),
    SymbolLocked: ("error", "symbol.locked"),
    SymbolUnlocked: ("warning", "symbol.unlocked"),
    ExternalFilled: ("info", "external.filled"),
    ExternalReversed: ("warning", "external.reversed"),
    CashBooked: ("info", "cash.booked"),
    AccountReconciled: ("debug", "account.reconciled"),
}
