"""The counters of conduct as a fold of events: called by the ledger only, so a restart finds them as they were."""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

from trader.books.book import CROSSED, OrderRecord
from trader.model.conduct import GIVEN_UP, LAST_LOOK, RECENT, Conduct, SlotTally, StrategyTally, SymbolTally, Tally
from trader.model.events import (
    DayStarted,
    Event,
    OrderFilled,
    OrderMoved,
    OverrideGranted,
    OverrideProposed,
    OverrideUsed,
    StateSet,
)
from trader.model.money import EXACT, ZERO
from trader.model.orders import TERMINAL, Approved, Denied, OrderIntent, OrderStatus, Side, TradingState
from trader.model.time import MINUTE

REPEATED: Final = "max_repeats"  # the rule after whose refusal a person decides

MESSAGES_KEPT: Final = 10_000  # of a minute; no limit on messages is higher
_PRUNED_FROM: Final = 64  # messages: fewer are not worth looking which of them are old


_BUY, _OPEN = Side.BUY, OrderStatus.OPEN  # an enumeration's members are slow to look up


def begin(orders: Iterable[OrderRecord] = ()) -> Conduct:
    """Return the counters of books that had none: ``orders`` of them that are under way are counted."""
    conduct = Conduct(Tally())
    for record in orders:
        if record.status not in TERMINAL:
            _count_open(conduct, record.approved.intent, 1)
    return conduct


def sent(conduct: Conduct, approved: Approved) -> None:
    """Count an order at once, before any answer."""
    intent, account = approved.intent, conduct.account
    ts, symbol = intent.ts, intent.symbol
    own = _count_open(conduct, intent, 1)
    tally = own.tally
    tally.orders += 1
    account.orders += 1
    _note(tally.messages, ts)
    _note(account.messages, ts)
    if intent.reduces:
        return
    slot = own.slots.get(symbol) or own.slots.setdefault(symbol, SlotTally())
    slot.entries = slot.entries + 1 if ts - slot.entered_at <= RECENT else 1
    slot.entered_at = ts
    if intent.side is _BUY:
        slot.bought = intent
    else:
        slot.sold = intent
    own.entries += 1
    if approved.reserved > own.largest:  # noqa: PLR1730 - a call is slow, and this is in each order's way
        own.largest = approved.reserved


def moved(conduct: Conduct, event: OrderMoved) -> None:
    """Count a cancel or a refusal of the broker's; an order that is accepted ends a row of them."""
    status, own, account = event.status, _of(conduct, event.strategy).tally, conduct.account
    if status is _OPEN:
        own.rejects_in_row = account.rejects_in_row = 0
    elif status is OrderStatus.PENDING_CANCEL:
        for tally in (own, account):
            tally.cancels += 1
            _note(tally.messages, event.ts)
    elif status is OrderStatus.REJECTED and not event.text.startswith((LAST_LOOK, GIVEN_UP)):
        for tally in (own, account):
            tally.rejects += 1
            tally.rejects_in_row += 1


def ended(conduct: Conduct, intent: OrderIntent) -> None:
    """Count an order as no longer under way."""
    _count_open(conduct, intent, -1)


def filled(conduct: Conduct, event: OrderFilled, *, is_flat: bool) -> None:
    """Count an execution; ``is_flat``: nothing is held after it, so the trade is won or lost."""
    ts, symbol, own = event.ts, event.symbol, _of(conduct, event.strategy)
    own.tally.rejects_in_row = conduct.account.rejects_in_row = 0
    if not event.execution_id.startswith(CROSSED):  # sandboxes among themselves move no price
        tally = conduct.symbols.get(symbol) or conduct.symbols.setdefault(symbol, SymbolTally())
        price, period = event.price, ts // RECENT
        if period > tally.period:
            _begin_period(tally, period)
        if event.side is _BUY:
            if tally.lowest is None or price < tally.lowest:
                tally.lowest = price
        elif tally.highest is None or price > tally.highest:
            tally.highest = price
    if not event.realized and not is_flat:
        return
    slot = own.slots.get(symbol) or own.slots.setdefault(symbol, SlotTally())
    slot.earned = EXACT.add(slot.earned, event.realized) if slot.earned else event.realized
    if is_flat:
        if slot.earned < ZERO:
            own.losses, own.lost_at = own.losses + 1, ts
        else:
            own.losses = 0
        slot.earned, slot.left_at = ZERO, ts


def denied(conduct: Conduct, what: Denied) -> None:
    """Remember that a strategy repeated itself too often: time alone does not mend it."""
    if what.rule == REPEATED:
        _of(conduct, what.intent.strategy).is_spent = True


def day_started(conduct: Conduct, event: DayStarted) -> None:
    """Begin a strategy's day; the account's is the sum of them."""
    strategy, account = _of(conduct, event.strategy), conduct.account
    if strategy.largest:
        strategy.largest, strategy.largest_before = ZERO, strategy.largest
    own = strategy.tally
    account.orders, account.cancels = account.orders - own.orders, account.cancels - own.cancels
    account.rejects -= own.rejects
    own.orders = own.cancels = own.rejects = 0


def state_set(conduct: Conduct, event: StateSet) -> None:
    """Begin anew what only a person may, by letting a strategy, or the whole desk, trade."""
    if event.state is not TradingState.ACTIVE:
        return
    if not event.strategy:
        conduct.account.rejects_in_row = 0
    for name in [event.strategy] if event.strategy else conduct.strategies:
        own = _of(conduct, name)
        own.tally.rejects_in_row = own.losses = 0
        own.is_spent = False
        for slot in own.slots.values():
            slot.entries = 0


def waits_for_a_person(conduct: Conduct, strategy: str) -> bool:
    """Tell whether letting a strategy, or with an empty name the whole desk, trade would begin anything anew."""
    own = [one for name, one in conduct.strategies.items() if strategy in {"", name}]
    is_refused = not strategy and conduct.account.rejects_in_row > 0
    return is_refused or any(one.tally.rejects_in_row or one.is_spent or one.losses for one in own)


def overridden(conduct: Conduct, event: Event) -> None:
    """Keep an override that was asked for or granted until it is used; the next one sweeps out what has expired."""
    match event:
        case OverrideProposed(override=override):
            kept = {number: one for number, one in conduct.overrides.items() if one.until > event.ts}
            conduct.overrides = {**kept, override.number: override}
            conduct.overrides_made = override.number
        case OverrideGranted(override=override):
            conduct.overrides[override.number] = override
        case OverrideUsed():
            conduct.overrides.pop(event.number)
        case _:
            pass


def _count_open(conduct: Conduct, intent: OrderIntent, by: int) -> StrategyTally:
    own, symbol = _of(conduct, intent.strategy), intent.symbol
    of_symbol = conduct.symbols.get(symbol) or conduct.symbols.setdefault(symbol, SymbolTally())
    own.tally.open_orders += by
    conduct.account.open_orders += by
    of_symbol.open_orders += by
    return own


def _of(conduct: Conduct, strategy: str) -> StrategyTally:
    return conduct.strategies.get(strategy) or conduct.strategies.setdefault(strategy, StrategyTally(Tally()))


def _note(messages: list[int], ts: int) -> None:
    """Add a time; one that is older than the last counts as that."""
    messages.append(messages[-1] if messages and messages[-1] > ts else ts)
    if len(messages) > _PRUNED_FROM and (messages[0] <= messages[-1] - MINUTE or len(messages) > MESSAGES_KEPT):
        del messages[: max(bisect_right(messages, messages[-1] - MINUTE), len(messages) - MESSAGES_KEPT)]


def _begin_period(tally: SymbolTally, period: int) -> None:
    is_next = period == tally.period + 1
    tally.lowest_before = tally.lowest if is_next else None
    tally.highest_before = tally.highest if is_next else None
    tally.period, tally.lowest, tally.highest = period, None, None
