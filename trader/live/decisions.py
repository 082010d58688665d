"""From bar to order, or to why there is none: events of one strategy put together again, decision by decision. Pure.

A decision is what was wanted of one symbol at one moment: the target, what the filters took of the intent, the gate's
refusal or the order, and whatever became of that. Decisions that ended alike one after the other, as those of a wish
that is refused at every bar, are told as one.
"""

from collections.abc import Iterable, Sequence

import msgspec

from trader.books.book import CROSSED
from trader.model.events import (
    DailyLossReached,
    Event,
    FillReversed,
    FlagCleared,
    FlagRaised,
    IntentTrimmed,
    OrderCreated,
    OrderDenied,
    OrderFilled,
    OrderMoved,
    OverrideUsed,
    SandboxWarmed,
    StateSet,
    StrategyFailed,
    TargetSet,
)
from trader.model.money import decimal_of, plain
from trader.model.orders import Denied, OrderIntent
from trader.model.time import iso
from trader.risk.escalation import Action


class Link(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that happened. ``what`` says which figures go with it; those that do not are left out.

    ``trimmed``: the filter ``rule`` let only ``kept`` of ``qty`` pass. ``denied``: the gate's ``rule``, of ``scope``,
    with a ``hint`` how to change it. ``overridden``: a rule that the order was let pass. ``ordered``: ``qty`` under
    ``order_id``. ``filled`` and ``reversed``: ``qty`` at ``price``. Else the status that an order moved to, or what
    befell the strategy: ``halted``, ``failed``, ``flag`` and the like.
    """

    ts: str
    what: str
    rule: str = ""
    limit: str = ""
    value: str = ""
    scope: str = ""
    hint: str = ""
    qty: str = ""
    kept: str = ""
    price: str = ""
    realized: str = ""
    order_id: str = ""
    is_crossed: bool = False
    text: str = ""


class Decision(msgspec.Struct, omit_defaults=True):
    """What was wanted of ``symbol`` at ``ts``, and what came of it; without a symbol: what befell the strategy.

    ``target`` is the wish, a fraction of the strategy's equity; ``side``, ``qty`` and ``price`` are what it made of it
    at that bar's close. It came ``times`` times, the last one at ``until``, and the links are of that one.
    """

    ts: str
    symbol: str
    target: str = ""
    reason: str = ""
    side: str = ""
    qty: str = ""
    price: str = ""
    outcome: str = ""
    times: int = 1
    until: str = ""
    links: list[Link] = []


class Topic(msgspec.Struct, frozen=True):
    """Whose decisions are asked for: of one symbol, or of all.

    ``groups`` and ``symbols`` are the strategy's, for flags of those; without ``symbols`` they are not known.
    """

    strategy: str
    symbol: str = ""
    groups: frozenset[str] = frozenset()
    symbols: frozenset[str] = frozenset()

    def covers(self, event: Event) -> bool:
        """Tell whether an event belongs to it."""
        subject = _subject(event)
        if subject is None:
            return False
        strategy, symbol, group = subject
        if strategy not in {"", self.strategy} or (group and group not in self.groups):
            return False
        return not symbol or (self.symbol in {"", symbol} and (not self.symbols or symbol in self.symbols))


def decisions_of(events: Iterable[Event], topic: Topic) -> list[Decision]:
    """Return the decisions that these events tell of, oldest first; of an order whose making they lack, nothing."""
    chains = _Chains()
    for event in events:
        if topic.covers(event):
            chains.take(event)
    return _folded(chains.made)


class _Chains:
    """Decisions in the making."""

    def __init__(self) -> None:
        self.made: list[Decision] = []
        self._newest: dict[str, Decision] = {}  # by symbol
        self._at: dict[str, int] = {}
        self._by_order: dict[str, Decision] = {}
        self._wishes: dict[str, TargetSet] = {}
        self._overrides: dict[str, Link] = {}  # by the order that is made next
        self._flags: set[tuple[str, str, str]] = set()  # that were told

    def take(self, event: Event) -> None:
        match event:
            case TargetSet():
                self._wishes[event.symbol] = event
                self._wish(self._of(event.symbol, event.ts), event)
            case IntentTrimmed():
                decision = self._of(event.symbol, event.ts, event.side)
                decision.qty = decision.qty or plain(event.qty)
                decision.links.append(_trimmed(event))
            case OrderDenied(denied=denied):
                self._meant(denied.intent).links.append(_denied(event.ts, denied))
            case OrderCreated(approved=approved):
                decision = self._by_order[approved.order_id] = self._meant(approved.intent)
                if (override := self._overrides.pop(approved.order_id, None)) is not None:
                    decision.links.append(override)
                qty = plain(approved.intent.qty)
                decision.links.append(Link(iso(event.ts), "ordered", qty=qty, order_id=approved.order_id))
            case OverrideUsed():
                self._overrides[event.order_id] = Link(
                    iso(event.ts), "overridden", rule=event.rule, limit=event.limit, value=event.value,
                    text=f"override {event.number}",
                )  # fmt: skip
            case OrderMoved() | OrderFilled() | FillReversed():
                if (known := self._by_order.get(event.order_id)) is not None:
                    known.links.append(_moved(event))
            case _:
                self._befall(event)

    def _befall(self, event: Event) -> None:
        """Note what happened to the strategy as a whole; a flag that only tells has changed nothing."""
        if isinstance(event, FlagRaised | FlagCleared):
            flag = event.scope, event.kind, event.level
            if isinstance(event, FlagRaised) and event.action != Action.ALERT:
                self._flags.add(flag)
            elif isinstance(event, FlagRaised) or flag not in self._flags:
                return
        link = _befell(event)
        self.made.append(Decision(link.ts, "", outcome=link.what, links=[link]))

    def _of(self, symbol: str, ts: int, side: str = "") -> Decision:
        """Return the decision of a moment; who gets out and in again at once on the other side decides twice."""
        decision = self._newest.get(symbol)
        if decision is None or self._at[symbol] != ts or (side and decision.side not in {"", side}):
            self._at[symbol] = ts
            decision = self._newest[symbol] = Decision(iso(ts), symbol)
            self.made.append(decision)
            if (wish := self._wishes.get(symbol)) is not None:
                self._wish(decision, wish)
        decision.side = decision.side or side
        return decision

    def _meant(self, intent: OrderIntent) -> Decision:
        decision = self._of(intent.symbol, intent.ts, intent.side)
        decision.qty, decision.price = decision.qty or plain(intent.qty), plain(intent.decision_price)
        decision.reason = intent.reason
        return decision

    @staticmethod
    def _wish(decision: Decision, wish: TargetSet) -> None:
        decision.target, decision.reason = plain(decimal_of(wish.fraction)), wish.reason


def _folded(decisions: Sequence[Decision]) -> list[Decision]:
    """Say how each ended, and tell those that ended alike as one."""
    told: list[Decision] = []
    newest: dict[str, Decision] = {}
    for decision in decisions:
        decision.outcome = decision.outcome or _outcome(decision.links)
        before = newest.get(decision.symbol)
        if before is not None and decision.symbol and _signature(before) == _signature(decision):
            before.times, before.until, before.links = before.times + 1, decision.ts, decision.links
            before.qty, before.price = decision.qty, decision.price
        else:
            newest[decision.symbol] = decision
            told.append(decision)
    return told


def _signature(decision: Decision) -> object:
    """Return what two decisions have in common that are told as one; one that made an order is like no other."""
    if any(link.order_id for link in decision.links):
        return id(decision)
    return decision.target, decision.side, [(link.what, link.rule, link.scope) for link in decision.links]


def _outcome(links: Sequence[Link]) -> str:
    if not links:
        return "nothing was due"
    last = links[-1]
    if last.what == "denied":
        return f"denied by {last.rule}"
    if last.what == "trimmed" and last.kept == "0":
        return f"dropped by {last.rule}"
    return f"{last.what}: {last.text}" if last.text else last.what


def _trimmed(event: IntentTrimmed) -> Link:
    return Link(
        iso(event.ts), "trimmed", rule=event.filter, limit=event.limit, value=event.value,
        qty=plain(event.qty), kept=plain(event.kept),
    )  # fmt: skip


def _denied(ts: int, denied: Denied) -> Link:
    return Link(
        iso(ts), "denied", rule=denied.rule, limit=denied.limit, value=denied.value, scope=denied.scope,
        hint=denied.hint, qty=plain(denied.intent.qty),
    )  # fmt: skip


def _moved(event: OrderMoved | OrderFilled | FillReversed) -> Link:
    if isinstance(event, OrderMoved):
        return Link(iso(event.ts), event.status, order_id=event.order_id, text=event.text)
    is_opening = isinstance(event, OrderFilled) and event.opened
    return Link(
        iso(event.ts), "filled" if isinstance(event, OrderFilled) else "reversed", qty=plain(event.qty),
        price=plain(event.price), realized="" if is_opening else plain(event.realized), order_id=event.order_id,
        is_crossed=event.execution_id.startswith(CROSSED),
    )  # fmt: skip


def _befell(event: Event) -> Link:
    """Tell what happened to a strategy as a whole, or to all."""
    ts = iso(event.ts)
    match event:
        case StateSet():
            return Link(ts, event.state, scope=_whose(event.strategy), text=f"by {event.by}: {event.why}".rstrip(": "))
        case StrategyFailed():
            return Link(ts, "failed", text=event.error)
        case DailyLossReached():
            limit, loss = plain(event.limit), plain(event.loss)
            return Link(ts, "loss reached", rule="max_daily_loss", limit=f"${limit}", value=f"${loss}")
        case FlagRaised():
            return flag_link(event)
        case FlagCleared():
            return Link(ts, "flag cleared", rule=event.kind, scope=event.scope, text=f"{event.level}, by {event.by}")
        case _:
            return Link(ts, "warm", text="every ticker has its first bars")


def flag_link(event: FlagRaised) -> Link:
    """Tell of a flag and what follows from it."""
    return Link(
        iso(event.ts), "flag", rule=event.kind, limit=event.limit, value=event.value, scope=event.scope,
        text=f"{event.level}, {event.action}",
    )  # fmt: skip


def _whose(strategy: str) -> str:
    return f"strategy {strategy}" if strategy else "account"


_TOLD = (
    TargetSet | IntentTrimmed | OrderDenied | OverrideUsed | OrderCreated | OrderMoved | OrderFilled | FillReversed
    | StateSet | StrategyFailed | DailyLossReached | SandboxWarmed | FlagRaised | FlagCleared
)  # fmt: skip


def _subject(event: Event) -> tuple[str, str, str] | None:
    """Return whose an event is: strategy, symbol and group, each empty where it is about all of them."""
    if not isinstance(event, _TOLD):
        return None
    if isinstance(event, FlagRaised | FlagCleared):
        kind, _, name = event.scope.partition(" ")
        strategy, symbol, group = (name if kind == one else "" for one in ("strategy", "symbol", "group"))
        return strategy, symbol, group
    about: object = event
    if isinstance(event, OrderDenied | OrderCreated):
        about = event.denied.intent if isinstance(event, OrderDenied) else event.approved.intent
    is_whole = isinstance(event, StrategyFailed)  # at whichever symbol it did
    return getattr(about, "strategy", ""), "" if is_whole else getattr(about, "symbol", ""), ""


def owner_of(event: Event) -> str | None:
    """Return the strategy an event is about, empty for all of them; None where no decision tells of it."""
    subject = _subject(event)
    return None if subject is None else subject[0]
