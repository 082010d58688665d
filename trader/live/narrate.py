"""Domain events as log lines: the one place where an event becomes a line, named after what happened."""

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
from trader.model.orders import OrderStatus

log = structlog.get_logger()

COMPARING = "reconciliation"  # the cause under which entries wait for the first comparison with the account


class Narrator:
    """Turns events into log lines; a refusal that repeats, ours or the venue's, is said once a day."""

    def __init__(self) -> None:
        """Begin having said nothing."""
        self._refused: set[tuple[str, str, str]] = set()

    def narrate(self, event: Event) -> None:
        """Write one line for one event."""
        level, name = _LINES[type(event)]
        values = msgspec.structs.asdict(event)
        if isinstance(event, OrderCreated):
            values = msgspec.structs.asdict(event.approved.intent) | {
                "order_id": event.approved.order_id,
                "reserved": event.approved.reserved,
            }
        elif isinstance(event, OrderDenied):
            intent = event.denied.intent
            values = {key: getattr(intent, key) for key in ("ts", "strategy", "symbol", "side", "qty")} | {
                key: getattr(event.denied, key) for key in ("rule", "limit", "value")
            }
            level = self._once_a_day("info", (intent.strategy, intent.symbol, event.denied.rule))
        elif isinstance(event, BooksOpened):
            values = {"ts": event.ts, "bytes": len(event.state)}
        elif isinstance(event, BooksCreated):
            level = level if event.account else "debug"  # of a made-up market they say nothing
            values = {"ts": event.ts, "book_id": event.book_id, "account": f"…{event.account[-3:]}", "cash": event.cash}
        elif isinstance(event, EntriesHeld):
            level = "info" if event.cause == COMPARING else level  # every start begins so
        elif isinstance(event, DayStarted):
            self._refused = {key for key in self._refused if key[0] != event.strategy}
        elif isinstance(event, OrderMoved) and event.status in {OrderStatus.REJECTED, OrderStatus.EXPIRED}:
            level = self._once_a_day("warning", (event.strategy, event.symbol, event.text))
        elif isinstance(event, OrderMoved) and event.status is OrderStatus.ABSENT:
            level = "warning"
        getattr(log, level)(name, **values)

    def _once_a_day(self, level: str, key: tuple[str, str, str]) -> str:
        """Return ``level`` for what was not said since the strategy's day began; what repeats is whispered."""
        level = "debug" if key in self._refused else level
        self._refused.add(key)
        return level


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
