"""Why a strategy did what it did, or did not: how it stands now, and its newest decisions from where they are kept.

They are in the journal, which is read backwards a window at a time; a run without one keeps its newest events here.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import takewhile
from typing import Final

import msgspec

from trader.books.ledger import Ledger
from trader.engine.engine import Engine
from trader.engine.sandbox import Slot
from trader.live.control_messages import AskWhy
from trader.live.decisions import Decision, Link, Topic, decisions_of, flag_link, owner_of
from trader.live.trade_list import MOST_WINDOWS, WINDOW
from trader.model.events import Event
from trader.model.money import plain
from trader.model.time import iso
from trader.risk.escalation import Action
from trader.store.journal import Journal

MOST_EVENTS: Final = 20_000  # of one answer: some 20 ms of work, and more decisions than anybody reads
KEPT: Final = 40_000  # events of a run without a journal, shared out evenly: some 20 MB
KEPT_EACH: Final = 2_000  # of one strategy at most: a day's
KEPT_AT_LEAST: Final = 50  # of each: some bars' of a strategy that trades many symbols


class SymbolNow(msgspec.Struct, frozen=True):
    """How a symbol stands: ``target`` is a fraction of the strategy's equity; ``waits`` is what no entry passes now."""

    symbol: str
    held: str
    target: str
    mark: str
    order: str
    waits: str


class Why(msgspec.Struct, frozen=True):
    """How a strategy stands, what restrains it, and its newest decisions, the oldest first.

    Without a running desk nothing is known of symbols; ``is_cut`` tells that not all that is kept was looked at.
    """

    strategy: str
    state: str
    restraints: list[Link]
    symbols: list[SymbolNow]
    decisions: list[Decision]
    is_cut: bool = False


class Memory:
    """The newest events of every strategy, in a run that has no journal."""

    def __init__(self, strategies: int) -> None:
        """Share the room between so many."""
        self._each = max(KEPT_AT_LEAST, min(KEPT_EACH, KEPT // max(1, strategies)))
        self._kept: dict[str, deque[tuple[int, Event]]] = {}
        self._count = 0

    def note(self, events: Iterable[Event]) -> None:
        """Keep what decisions are told from."""
        for event in events:
            if (owner := owner_of(event)) is not None:
                if owner not in self._kept:
                    self._kept[owner] = deque(maxlen=self._each)
                self._count += 1
                self._kept[owner].append((self._count, event))

    def decisions(self, topic: Topic) -> list[Decision]:
        """Return what is still known of a topic."""
        own = merge(self._kept.get(topic.strategy, ()), self._kept.get("", ()), key=lambda kept: kept[0])
        return decisions_of((event for _, event in own), topic)


class WhySearch:
    """Looks for the newest ``limit`` decisions; :meth:`step` until :attr:`is_done`."""

    def __init__(self, topic: Topic, limit: int) -> None:
        """Begin at the end of the journal."""
        self.found: list[Decision] = []
        self._topic = topic
        self._limit = limit
        self._events: list[Event] = []  # oldest first
        self._until: int | None = None
        self._windows = 0

    @property
    def is_done(self) -> bool:
        """Tell whether there is enough, or nothing more, or this is enough work for one answer."""
        is_enough = len(self.found) > self._limit  # the oldest may lack what came before it
        return self._until == 0 or is_enough or self._windows >= MOST_WINDOWS or len(self._events) >= MOST_EVENTS

    @property
    def is_cut(self) -> bool:
        """Tell whether there may be more of what was asked for."""
        return self._until != 0 and len(self.found) < self._limit

    def step(self, journal: Journal) -> None:
        """Look at one window of records. Raises StoreError."""
        until = journal.last if self._until is None else self._until
        after = max(0, until - WINDOW)
        records = takewhile(lambda record: record.number <= until, journal.read(after))
        self._events[:0] = [event for record in records for event in record.events if self._topic.covers(event)]
        self._until, self._windows = after, self._windows + 1
        self.found = decisions_of(self._events, self._topic)


def topic_of(wanted: AskWhy, engine: Engine | None = None) -> Topic:
    """Return whose decisions are meant; what the strategy trades, and in which groups it is, a running desk knows."""
    if engine is None:
        return Topic(wanted.strategy, wanted.symbol)
    groups = (name for name, group in engine.rules.groups.items() if wanted.strategy in group.strategies)
    symbols = engine.desk.sandboxes[wanted.strategy].slots
    return Topic(wanted.strategy, wanted.symbol, frozenset(groups), frozenset(symbols))


def standing(engine: Engine, topic: Topic) -> Why:
    """Return how a strategy of a running desk stands, without decisions."""
    desk = engine.desk
    sandbox = desk.sandboxes[topic.strategy]
    slots = [slot for slot in sandbox.slots.values() if topic.symbol in {"", slot.symbol}]
    return Why(
        topic.strategy, sandbox.state, _restraints(desk.ledger, topic), [_now(engine, slot) for slot in slots], []
    )


def standing_of(ledger: Ledger, topic: Topic) -> Why:
    """Return how a strategy stands by its books, where no desk runs."""
    book = ledger.books[topic.strategy]
    return Why(topic.strategy, book.state, _restraints(ledger, topic), [], [])


def answer(why: Why, decisions: Sequence[Decision], limit: int, *, is_cut: bool = False) -> Why:
    """Return how it stands with the newest decisions."""
    return msgspec.structs.replace(why, decisions=list(decisions)[-limit:], is_cut=is_cut)


def _restraints(ledger: Ledger, topic: Topic) -> list[Link]:
    account, book = ledger.account, ledger.books[topic.strategy]
    flags = [flag for flag in account.flags.values() if flag.action != Action.ALERT and topic.covers(flag)]
    found = [flag_link(flag) for flag in flags]
    found += [
        Link("", state, scope=scope)
        for scope, state in (("account", account.state), (f"strategy {topic.strategy}", book.state))
        if state != "active"
    ]
    if book.loss_reached:
        found.append(Link(iso(book.day_ts), "loss reached", rule="max_daily_loss", scope=f"strategy {topic.strategy}"))
    found += [
        Link(iso(lock.ts), "locked", scope=f"symbol {symbol}", text=lock.why)
        for symbol, lock in account.locks.items()
        if topic.symbol in {"", symbol}
    ]
    return found


def _now(engine: Engine, slot: Slot) -> SymbolNow:
    order, holds = slot.order, engine.desk.holds.why(slot.symbol)
    return SymbolNow(
        symbol=slot.symbol,
        held=plain(slot.position.qty),
        target=f"{slot.target:g}",
        mark=f"{slot.listing.mark:.10g}",
        order="" if order is None else f"{order.approved.order_id} {order.status}",
        waits="; ".join(_waits(slot, holds)),
    )


def _waits(slot: Slot, holds: str) -> Iterator[str]:
    if not slot.is_warm:
        yield f"it has {slot.series.count} of the {slot.warm_at} bars that it needs first"
    if holds:
        yield holds
    if slot.absent is not None:
        yield f"order {slot.absent.approved.order_id} never showed up and still may"
