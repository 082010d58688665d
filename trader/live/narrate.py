"""Domain events as log lines: the one place where an event becomes a line, named after what happened."""

from typing import Any

import msgspec
import structlog

from trader.model import events
from trader.model.events import Event, FlagCleared, FlagRaised, OrderMoved
from trader.model.orders import OrderIntent, OrderStatus
from trader.risk.escalation import Action, end_of

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
        if isinstance(event, events.DayStarted):
            self._said = {key for key in self._said if key[0] not in {"", event.strategy}}
        elif isinstance(event, events.EntriesHeld):
            level = "info" if event.cause == COMPARING else level  # every start begins so
        elif isinstance(event, events.BooksCreated):
            level = level if event.account else "debug"  # of a made-up market they say nothing
        elif isinstance(event, OrderMoved) and event.status is OrderStatus.ABSENT:
            level = "warning"
        elif isinstance(event, OrderMoved) and event.status in {OrderStatus.REJECTED, OrderStatus.EXPIRED}:
            level = self._once_a_day("warning", event.strategy, event.symbol, event.text)
        elif isinstance(event, events.OrderDenied):
            level = self._once_a_day(level, *_of(event.denied.intent), event.denied.rule)
        elif isinstance(event, events.IntentTrimmed):
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
        case events.OrderCreated(approved=approved):
            order = {"order_id": approved.order_id, "reserved": approved.reserved}
            return msgspec.structs.asdict(approved.intent) | order
        case events.OrderDenied(denied=denied):
            values = {key: getattr(denied.intent, key) for key in ("ts", "strategy", "symbol", "side", "qty")}
            return values | {key: getattr(denied, key) for key in ("rule", "limit", "value", "scope", "hint")}
        case events.OverrideProposed() | events.OverrideGranted():
            return {"ts": event.ts} | msgspec.structs.asdict(event.override)
        case events.BooksOpened():
            return {"ts": event.ts, "bytes": len(event.state)}
        case events.BooksCreated():
            account = f"…{event.account[-3:]}"
            return {"ts": event.ts, "book_id": event.book_id, "account": account, "cash": event.cash}
    values = msgspec.structs.asdict(event)
    if isinstance(event, FlagRaised | FlagCleared):
        values["threshold"] = values.pop("level")  # a line has a level of its own
    if isinstance(event, FlagRaised):
        values["ends"] = end_of(event)
    return values


_LINES: dict[type[Event], tuple[str, str]] = {
    events.OrderFilled: ("info", "order.filled"),
    events.OrderCreated: ("debug", "order.created"),
    OrderMoved: ("debug", "order.moved"),
    events.OrderDenied: ("info", "order.denied"),
    events.SandboxOpened: ("debug", "sandbox.opened"),
    events.SandboxWarmed: ("info", "warmup.completed"),
    events.DayStarted: ("debug", "day.started"),
    events.DailyLossReached: ("warning", "loss.reached"),
    events.StrategyFailed: ("error", "strategy.failed"),
    events.EntriesHeld: ("warning", "entries.held"),
    events.EntriesReleased: ("info", "entries.released"),
    events.FillReversed: ("warning", "fill.reversed"),
    events.PositionSplit: ("warning", "position.split"),
    events.BarLate: ("warning", "bar.late"),
    events.BarsBackfilled: ("info", "bars.backfilled"),
    events.BarRevised: ("debug", "bar.revised"),
    events.BarRefused: ("warning", "bar.refused"),
    events.ReportIgnored: ("warning", "report.ignored"),
    events.IntentTrimmed: ("info", "intent.trimmed"),
    FlagRaised: ("warning", "flag.raised"),
    FlagCleared: ("info", "flag.cleared"),
    events.OverrideProposed: ("warning", "override.proposed"),
    events.OverrideGranted: ("warning", "override.granted"),
    events.OverrideUsed: ("warning", "override.used"),
    events.PeriodStarted: ("debug", "period.started"),
    events.PeakReached: ("debug", "peak.reached"),
    events.BooksCreated: ("info", "books.created"),
    events.BooksOpened: ("debug", "books.saved"),
    events.SessionStarted: ("debug", "session.started"),
    events.CapitalChanged: ("warning", "capital.changed"),
    events.TargetSet: ("debug", "target.set"),
    events.StateSet: ("warning", "state.set"),
    events.SymbolLocked: ("error", "symbol.locked"),
    events.SymbolUnlocked: ("warning", "symbol.unlocked"),
    events.ExternalFilled: ("info", "external.filled"),
    events.ExternalReversed: ("warning", "external.reversed"),
    events.CashBooked: ("info", "cash.booked"),
    events.AccountReconciled: ("debug", "account.reconciled"),
}
