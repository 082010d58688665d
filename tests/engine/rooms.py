"""A rehearsal of a desk that is watched: with rules, and again from its books."""

from collections.abc import Sequence
from typing import Any

from tests.build import T0, Rehearsal
from trader.access.sim.exchange import SimExchange
from trader.access.sim.fills import VenueRules
from trader.engine.engine import Engine
from trader.engine.sandbox import SandboxSpec
from trader.model.events import Event, FlagRaised
from trader.model.inputs import Opened
from trader.risk.bounds import Bound
from trader.risk.escalation import Action, Escalation
from trader.risk.ladder import Ladder, Rungs
from trader.risk.rules import Rules


class Watched(Rehearsal):
    """A desk with ``rules``; given ``books``, one that goes on where those events end."""

    def __init__(self, rules: Rules, *specs: SandboxSpec, books: Sequence[Event] = (), at: int = T0) -> None:
        self.engine = Engine(specs, book_id="t", rules=rules)
        self.engine.desk.ledger.recover(books)
        instruments = {symbol: listing.instrument for symbol, listing in self.engine.listings.items()}
        self.venue = SimExchange(VenueRules(has_fees=False), instruments)
        self.events: list[Event] = []
        self.take(Opened(at))

    @property
    def flags(self) -> list[FlagRaised]:
        return list(self.engine.desk.ledger.account.flags.values())

    @property
    def flagged(self) -> list[tuple[str, str, str, str]]:
        return [(flag.scope, flag.kind, flag.level, flag.action) for flag in self.flags]


def ladder(scope: str = "account", *, actions: dict[str, dict[str, Action]] | None = None, **losses: Any) -> Rules:
    """Return rules with one scope's rungs; a number is a hard limit."""
    rungs = {kind: bound if isinstance(bound, Bound) else Bound(bound) for kind, bound in losses.items()}
    return Rules(ladder=Ladder({scope: Rungs(**rungs)}), escalation=Escalation(actions or {}))
