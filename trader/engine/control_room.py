"""The control room: beside the order path, never in it. Once a minute it looks at the books, raises flags and acts.

Orders never wait for it: the gate reads the flags that stand. A flag is an event, so it outlives the process, and so
does what it is latched to. What a flag leads to is the escalation's word (:mod:`trader.risk.escalation`).
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from math import isnan, nan
from operator import le
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np

from trader.books.book import flag_key
from trader.books.monitor import ACCOUNT, ControlRoomFigures, Held, Monitor
from trader.engine.desk import Desk
from trader.engine.loads import Loads
from trader.engine.losses import Losses
from trader.engine.market import Listing
from trader.engine.restraints import Restraints
from trader.engine.sandbox import Sandbox, Slot
from trader.model.events import CapitalChanged, Event, FlagCleared, FlagRaised, SandboxOpened, StateSet
from trader.model.inputs import Control
from trader.model.money import EXACT, ZERO
from trader.model.orders import Reason, TradingState
from trader.model.time import HOUR, MINUTE, NEW_YORK
from trader.risk.bounds import Bound, Breach
from trader.risk.escalation import NAV, REGIME, Action, closing
from trader.risk.gauges import MEASURED_KINDS
from trader.risk.ladder import BY_A_PERSON, LOSSES, end_of, latched_until
from trader.risk.regime import Tightness, next_tightness, tightness_of
from trader.risk.rings import bucket_of
from trader.risk.rules import Rules

if TYPE_CHECKING:
    from decimal import Decimal

    from trader.model.views import Floats

NAME: Final = "control room"  # by whom it halts
_SURELY: Final = 0.9  # of the leeway that is reckoned with
_WIDEST: Final = 1.1  # an ask over a bid; a wider quote is nobody's offer
_QUOTE_FRESH: Final = MINUTE  # a quote that is older than the newest price by more tells nothing of a way out


def is_needed(desk: Desk, rules: Rules) -> bool:
    """Tell whether there is anything to watch: a rule, a limit that may be told of, a flag, a measure that stands."""
    limits = [value for sandbox in desk.sandboxes.values() for value in msgspec.structs.astuple(sandbox.spec.limits)]
    has_bounds, account = any(isinstance(value, Bound) and value for value in limits), desk.ledger.account
    return rules != Rules() or has_bounds or bool(account.flags or account.bases or account.peaks)


class Seen(NamedTuple):
    """What was seen in one look: the books, and the listings and marks of ``held.symbols``."""

    held: Held
    listings: list[Listing]
    marks: list[float]


_Range = tuple[Sequence[float], Sequence[float]]  # the lowest and the highest


class ControlRoom:
    """Watches one desk whose books are open."""

    def __init__(self, desk: Desk, listings: Mapping[str, Listing], rules: Rules, restraints: Restraints) -> None:
        """Go on from the flags that stand in the books; capital that came or went in this step is no profit."""
        self._desk = desk
        self._listings = listings
        self._rules = rules
        self._restraints = restraints
        self._account = desk.ledger.account
        is_crypto = all(row.instrument.asset_class == "crypto" for row in listings.values())
        self._zone = None if is_crypto else NEW_YORK
        self.monitor = Monitor(desk.portfolio, desk.ledger, {name: of.strategies for name, of in rules.groups.items()})
        self._losses = Losses(rules.ladder, self.monitor.place, account=self._account, emit=desk.emit, zone=self._zone)
        self._loads = Loads(desk, listings, rules, self.monitor.owner)
        self._losses.shift(desk.now, self._flows(desk.events))
        self._hour = -1  # of the newest measure of the market
        self._known: tuple[object, ...] = ()
        self._seen = self._see()  # of the last look
        # What was looked at last, and within what it may be now without crossing a limit; None: nobody has asked yet.
        self._weighed = np.zeros(0)
        self._gauged: Sequence[float] = ()
        self._shares: Sequence[Floats] = ()
        self._calm: _Range | None = None
        self._still: _Range | None = None

    def glance(self, ts: int) -> None:
        """Learn from a minute of history what all was worth when the periods ended that are over by now."""
        if not 0 < self._losses.next_end <= ts:
            self._desk.portfolio.move()  # a step of history has many minutes
            self._seen = self._see()

    def look(self, ts: int) -> None:
        """Compare books and market with the rules at the end of a minute; raise flags, clear them, act.

        As long as the books are those of the last look and no price has gone far, all is as it was.
        """
        content, before = ts - MINUTE, self._seen
        for flag in [flag for flag in self._account.flags.values() if 0 < flag.until <= content]:
            if flag.kind != REGIME:
                self._clear(ts, flag, "time")
        self._tighten(ts)
        if self._desk.warned:
            self._note(ts)
        is_same = self._known == (known := self._state()) and before.held.is_lasting
        if is_same:
            self._seen = before._replace(marks=[listing.mark for listing in before.listings])
        else:
            self._known, self._seen = known, self._see()
        if not is_same or content >= self._losses.next_end or not self._is_calm():
            self._weigh(ts, before)
        if not is_same or self._known != self._state() or not self._is_still(ts):
            self._gauge(ts)

    def resume(self, message: Control) -> None:
        """Lift what is latched on a strategy, or on all else: a person has looked at it. Its losses begin anew here."""
        name = message.strategy
        flags = [flag for flag in self._account.flags.values() if flag.until and flag.kind != REGIME]
        flags = [flag for flag in flags if _is_answered(flag.scope, name)]
        lifted = {(flag.scope, flag.kind) for flag in flags if flag.action != Action.ALERT}
        if not lifted:
            return
        for flag in flags:
            if (flag.scope, flag.kind) in lifted:
                self._clear(message.ts, flag, message.by)
        equities = self._equities(self._see())
        for scope in sorted({scope for scope, _ in lifted}):
            kinds = [kind for kind in LOSSES if (scope, kind) in lifted]
            self._losses.rebase(message.ts, scope, kinds, equities=equities)

    def is_closed(self, strategy: str) -> bool:
        """Tell whether a flag keeps a strategy from opening anything at all."""
        return bool(self._account.flags) and closing(self._account.flags, self._scopes_of(strategy)) is not None

    def figures(self, ts: int) -> ControlRoomFigures:
        """Return what is shown of the desk."""
        desk, rules = self._desk, self._rules
        desk.portfolio.sync()
        kinds = None, rules.sectors, rules.categories
        places = [{symbol: bucket_of(symbol, names) for symbol in self._listings} for names in kinds]
        marked = {symbol: max(row.newest, row.quoted) for symbol, row in self._listings.items()}
        tightness = tightness_of(self._account.flags, {ACCOUNT}, factor=rules.ladder.weekly_factor)
        tail = desk.tails.tail(desk.portfolio, ts)
        return self.monitor.figures(ts, places, marked=marked, tail=tail, tightness=tightness)

    # --- what is seen -------------------------------------------------------------------------------------------

    def _state(self) -> tuple[object, ...]:
        """Return what differs when anything but a price may have changed."""
        return self._desk.portfolio.booked, self._desk.ledger.orders_created, [*self._account.flags.values()]

    def _is_calm(self) -> bool:
        """Tell whether the equities that rungs are of are surely where no rung minds, as when last weighed."""
        (held, listings, marks), losses = self._seen, self._losses
        if losses.is_daily and any(listing.quote for listing in listings):
            return False
        if self._calm is None:
            self._calm = losses.span(self._weighed)
            self._shares = [of_scopes[losses.places] for of_scopes in self.monitor.shares(held)]
        cash, qty = self._shares
        return _are_within((cash + qty @ np.array(marks) if marks else cash).tolist(), self._calm)

    def _is_still(self, ts: int) -> bool:
        """Tell whether every mark is surely where no limit minds, as it was when last gauged."""
        flags, marks = self._account.flags, self._gauged
        if (marks or not ts % HOUR) and self._loads.is_older(ts):
            return False
        if self._still is None and all(flag.action != Action.FORCE_REDUCE for flag in flags.values()):
            part = _SURELY * min(self._loads.leeway(flags), 1.0)
            self._still = [mark * (1.0 - part) for mark in marks], [mark * (1.0 + part) for mark in marks]
        return self._still is not None and _are_within(self._seen.marks, self._still)

    def _see(self) -> "Seen":
        self._desk.portfolio.sync()
        held, symbols = self.monitor.held(), self._desk.portfolio.symbols
        listings = [self._listings[symbols[number]] for number in held.symbols.tolist()]
        return Seen(held, listings, [listing.mark for listing in listings])

    def _equities(self, seen: "Seen") -> "Floats":
        return self.monitor.equities(seen.held, np.array(seen.marks))

    def _weigh(self, ts: int, before: "Seen") -> None:
        """Compare what all is worth with the ladder; ``before`` is the last look."""
        content, equities = ts - MINUTE, self._equities(self._seen)
        cautious, last = partial(self._cautious, equities), partial(self._equities, before)
        broken = self._losses.look(content, equities, cautious=cautious, before=last)
        for rung, limit, value in broken:
            breach = Breach(rung.kind, rung.scope, limit, value, rung.level)
            self._raise(ts, breach, until=latched_until(rung.kind, content, self._zone))
        known = {(rung.scope, rung.kind, rung.level) for rung, _, _ in broken}
        for flag in [flag for flag in self._account.flags.values() if flag.kind in LOSSES]:
            is_told = flag.action == Action.ALERT and flag.until == BY_A_PERSON  # nothing waits for a person
            if is_told and (flag.scope, flag.kind, flag.level) not in known:
                self._clear(ts, flag, "measure")
        if equities[0] <= 0.0:
            self._raise(ts, Breach(NAV, ACCOUNT, "> $0", f"${equities[0]:.2f}"), until=BY_A_PERSON)
        self._weighed, self._calm = equities, None

    def _cautious(self, equities: "Floats") -> "Floats":
        """Return what all would be worth if it were sold at the bid and bought back at the ask, where that is known."""
        held, listings, marks = self._seen
        offers = [_offer(listing) for listing in listings]
        if not any(offers):
            return equities
        bids, asks = np.array([offer or (nan, nan) for offer in offers]).T
        return self.monitor.equities(held, np.array(marks), bids, asks)

    def _flows(self, events: Iterable[Event]) -> "dict[str, Decimal]":
        """Return the capital that came and went in ``events``, by scope."""
        flows: dict[str, Decimal] = {}
        for event in events:
            if isinstance(event, SandboxOpened | CapitalChanged):
                amount = event.cash if isinstance(event, SandboxOpened) else event.amount
                for scope in self._scopes_of(event.strategy):
                    flows[scope] = EXACT.add(flows.get(scope, ZERO), amount)
        return flows

    def _gauge(self, ts: int) -> None:
        """Compare what is held and on its way with every limit; what is not known raises nothing and clears nothing."""
        flags = self._account.flags
        self._desk.portfolio.sync()
        breaches, unknown = self._loads.read(ts, flags)
        for breach in breaches:
            self._raise(ts, breach)
        beyond = {(breach.scope, breach.rule, level) for breach in breaches for level in ("soft", breach.level)}
        for flag in [flag for flag in flags.values() if not flag.until and flag.kind != REGIME]:
            scope, kind = flag.scope, flag.kind
            if (scope, kind, flag.level) not in beyond and (scope, kind) not in unknown:
                self._clear(ts, flag, "measure")
        for flag in [flag for flag in flags.values() if flag.action == Action.FORCE_REDUCE]:
            self._reduce(ts, flag)
        self._gauged, self._still = self._seen.marks, None

    def _tighten(self, ts: int) -> None:
        """Take over how wild the market is: once an hour, for it is daily bars that tell, and until they do at once."""
        flag = self._account.flags.get(flag_key(ACCOUNT, REGIME, "hard"))
        if not self._rules.regime.is_on:
            if flag is not None:
                self._clear(ts, flag, "settings")
            return
        is_known = flag is None or flag.action == Action.TIGHTEN
        if self._hour == ts // HOUR and is_known:
            return
        self._hour = ts // HOUR
        regime, ratio = self._rules.regime, self._ratio()
        standing = Tightness(float(flag.value), flag.until) if flag is not None and is_known else None
        after = standing if isnan(ratio) else next_tightness(standing, ratio, ts, regime=regime)
        if isnan(ratio) and standing is None:
            self._set_regime(ts, Action.REDUCE_ONLY, "unknown: no symbol has enough days")
        elif after is None and flag is not None:
            self._clear(ts, flag, "measure")
        elif after is not None and after != standing:
            self._set_regime(ts, Action.TIGHTEN, f"{after.divisor:g}", until=after.until)

    def _set_regime(self, ts: int, action: Action, value: str, *, until: int = 0) -> None:
        flag = FlagRaised(ts, ACCOUNT, REGIME, "hard", action, f"1 to {self._rules.regime.max_ratio:g}", value, until)
        known = self._account.flags.get(flag_key(ACCOUNT, REGIME, "hard"))
        if known is None or (known.action, known.value, known.until) != (action, value, until):
            self._desk.emit(flag)

    def _ratio(self) -> float:
        """Return volatility now over its long average, of one symbol or as the median; NaN where no day tells."""
        chosen = self._rules.regime.symbol
        told = [row.dailies.broadcast() for symbol, row in self._listings.items() if chosen in {"", symbol}]
        ratios = [one.vol_ratio for one in told if one is not None and not isnan(one.vol_ratio)]
        return float(np.median(ratios)) if ratios else nan

    def _note(self, ts: int) -> None:
        """Raise the flags of soft limits that orders went beyond since the last look, and left all the same.

        Where nothing measures them again they stand until the day ends.
        """
        warned, self._desk.warned = self._desk.warned, []
        for name, breach in warned:
            is_measured = breach.rule in MEASURED_KINDS and breach.scope != "order"
            scope = f"strategy {name}" if breach.scope == "order" else breach.scope
            until = 0 if is_measured else end_of("day", ts, self._zone)
            self._raise(ts, msgspec.structs.replace(breach, scope=scope), until=until, passes=True)

    # --- what follows -------------------------------------------------------------------------------------------

    def _raise(self, ts: int, breach: Breach, *, until: int = 0, passes: bool = False) -> None:
        """Raise a flag that does not stand yet, or leads to something else by now, and do what its escalation says.

        ``passes``: what is on its way stays.
        """
        action = self._rules.escalation.action_of(breach.rule, breach.level, breach.scope)
        standing = self._account.flags.get(flag_key(breach.scope, breach.rule, breach.level))
        if standing is not None and standing.action == action:
            return
        flag = FlagRaised(ts, breach.scope, breach.rule, breach.level, action, breach.limit, breach.value, until)
        self._desk.emit(flag)
        slots = self._slots(flag.scope)
        if action in {Action.REDUCE_ONLY, Action.FORCE_REDUCE} and not passes:
            self._restraints.close_openings(slots, Reason.FORCE_REDUCED, ts=ts, flatten=False)
        elif action == Action.HALT_STRATEGY:
            for sandbox in dict.fromkeys(slot.sandbox for slot in slots):
                self._halt(ts, flag, sandbox)
        elif action == Action.HALT_DESK:
            self._halt(ts, flag, None)

    def _clear(self, ts: int, flag: FlagRaised, by: str) -> None:
        self._desk.emit(FlagCleared(ts, flag.scope, flag.kind, flag.level, by))

    def _halt(self, ts: int, flag: FlagRaised, sandbox: Sandbox | None) -> None:
        """Halt a strategy, or with None the desk; only a person's resume ends that."""
        name = "" if sandbox is None else sandbox.spec.name
        state = self._account.state if sandbox is None else sandbox.book.state
        if state is not TradingState.HALTED:
            why = f"{flag.kind} of {flag.scope}: {flag.value}, limit {flag.limit}"
            self._desk.emit(StateSet(ts, name, TradingState.HALTED, NAME, why))
        slots = self._slots(ACCOUNT) if sandbox is None else sandbox.slots.values()
        self._restraints.close_openings(slots, Reason.FORCE_REDUCED, ts=ts, flatten=False)

    def _reduce(self, ts: int, flag: FlagRaised) -> None:
        """Close the largest positions of a scope until its limit is met; where none can be met so, all of them."""
        slots = [slot for sandbox in self._desk.sandboxes.values() for slot in sandbox.slots.values()]
        gone = np.array([_is_ending(slot) for slot in slots])
        chosen = self._loads.surplus(flag, self._account.flags, gone, now=ts)
        for slot in self._slots(flag.scope) if chosen is None else [slots[rank] for rank in chosen]:
            if slot.held and not gone[slot.rank]:
                self._desk.leave(slot, Reason.FORCE_REDUCED, ts=ts, price=slot.listing.mark)

    def _scopes_of(self, strategy: str) -> list[str]:
        groups = [f"group {name}" for name, members in self.monitor.groups.items() if strategy in members]
        return [ACCOUNT, *groups, f"strategy {strategy}"]

    def _slots(self, scope: str) -> list[Slot]:
        """Return every ticker of a scope in rank order."""
        of, _, name = scope.partition(" ")
        if of == "symbol":
            return self._listings[name].slots if name in self._listings else []
        sandboxes = self._desk.sandboxes
        names = {"account": sandboxes, "strategy": [name], "group": self.monitor.groups.get(name, ())}.get(of, ())
        return [slot for one in names if one in sandboxes for slot in sandboxes[one].slots.values()]


def _are_within(values: Sequence[float], bounds: _Range) -> bool:
    return all(map(le, bounds[0], values)) and all(map(le, values, bounds[1]))


def _offer(listing: Listing) -> tuple[float, float] | None:
    """Return bid and ask as far as somebody means them: at night and at the open some stand that nobody would take."""
    quote = listing.quote
    if quote is None or quote.ts < listing.newest - _QUOTE_FRESH:
        return None
    return (quote.bid, quote.ask) if 0.0 < quote.bid <= quote.ask <= quote.bid * _WIDEST else None


def _is_ending(slot: Slot) -> bool:
    """Tell whether a position is on its way out."""
    return slot.is_leaving or (slot.order is not None and slot.order.approved.intent.reduces)


def _is_answered(scope: str, strategy: str) -> bool:
    """Tell whether a person's word to a strategy, or with an empty name to the desk, is about a scope."""
    return scope == f"strategy {strategy}" if strategy else not scope.startswith("strategy ")
