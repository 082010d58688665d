"""What a desk may lose, for whoever asks: its books and the days of its symbols, measured and stressed."""

from collections.abc import Mapping, Sequence
from datetime import date
from math import nan
from typing import Annotated, NamedTuple

import msgspec
import numpy as np

from trader.books.ledger import Ledger
from trader.capital.dailies import Dailies
from trader.engine.engine import Engine
from trader.live.control_messages import Declined
from trader.model.instruments import instrument_of
from trader.model.ticks import Bar
from trader.model.time import SECOND, iso, utc
from trader.registry import did_you_mean
from trader.risk.past import History, Past, past_of
from trader.risk.report import Book, RiskReport, StressReport, names_of, report, stress_named, stressed
from trader.risk.stress import Scenario, shocks_between
from trader.risk.value_at_risk import VarLimits, dollars

_EPOCH = date(1970, 1, 1)


class AskStress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ask what a stress does: one that has a name, or the moves that are given, or those between two days."""

    name: Annotated[str, msgspec.Meta(max_length=100)]
    title: Annotated[str, msgspec.Meta(max_length=200)] = ""
    shocks: dict[str, float] = {}
    since: date | None = None
    until: date | None = None
    completed: bool = True


class Seen(NamedTuple):
    """A desk at one moment: nothing of it changes any more, so it may be measured beside the desk."""

    book: Book
    histories: Mapping[str, History]
    past: Past
    terms: VarLimits
    mode: str
    ts: int

    def report(self) -> RiskReport:
        """Measure it."""
        return report(self.book, self.past, self.terms, mode=self.mode, ts=iso(self.ts // SECOND * SECOND))

    def stress(self, wanted: AskStress) -> StressReport:
        """Stress it. Raises Declined for a name that is unknown, and for days that nobody knows."""
        if not wanted.shocks and wanted.since is None:
            names = names_of(self.terms, self.past)
            if wanted.name not in names:
                hint = did_you_mean(wanted.name, names) or f"; there are {', '.join(names)}"
                raise Declined("unknown_stress", f"no stress is called {wanted.name!r}{hint}")
            return stress_named(wanted.name, self.book, self.past, self.terms)
        shocks = {**self._replayed(wanted), **wanted.shocks}
        scenario = Scenario(wanted.name, shocks, wanted.title, wanted.completed)
        return stressed(scenario, self.book, self.past)

    def _replayed(self, wanted: AskStress) -> dict[str, float]:
        if wanted.since is None or wanted.until is None:
            return {}
        shocks = shocks_between(self.histories, (wanted.since - _EPOCH).days, (wanted.until - _EPOCH).days)
        if not shocks:
            known = [int(history.ends[0]) for history in self.histories.values() if len(history.ends)]
            reach = f"the days that are known begin with {utc(min(known) - 1).date()}" if known else "no day is known"
            raise Declined(
                "unknown_past", f"nothing is known from {wanted.since} to {wanted.until}: {reach}; give shocks instead"
            )
        return shocks


def seen(engine: Engine, *, mode: str, now: int) -> Seen:
    """Look at a running desk's book, marks and days, between two inputs. Raises Declined before it has opened."""
    if not engine.is_open:
        raise Declined("not_open", "the desk has only begun to start; ask again in a moment")
    of, listings = engine.desk.portfolio, engine.listings
    of.sync()
    strategies = {}
    for name, part in of.slots_of.items():
        qty = np.zeros(len(of.symbols))
        qty[of.symbol_of[part]] = of.held[part]
        strategies[name] = dollars(qty, of.marks)
    weights = dollars(of.net, of.marks)
    book = Book(
        of.symbols,
        tuple(listing.instrument.asset_class for listing in listings.values()),
        weights,
        dollars(of.net + of.buys, of.marks),
        dollars(of.net - of.sells, of.marks),
        strategies,
        of.unallocated + float(of.cash.sum()) + float(np.nansum(weights)),
    )
    histories = {symbol: listing.dailies for symbol, listing in listings.items()}
    past = past_of(tuple(histories.values()), engine.rules.var.window)
    return Seen(book, histories, past, engine.rules.var, mode, now)


def symbols_of(ledger: Ledger) -> tuple[str, ...]:
    """Return what anybody holds according to the books."""
    own = {symbol for book in ledger.books.values() for symbol, position in book.positions.items() if position.qty}
    return tuple(sorted(own | ledger.holdings().keys()))


def remembered(ledger: Ledger, days: Sequence[Bar]) -> Seen:
    """Look at books whose desk does not run, at the newest of the given days' closes; nothing is on its way."""
    symbols = symbols_of(ledger)
    now = max((bar.ts for bar in days), default=ledger.account.reconciled_until)
    histories = {symbol: Dailies(instrument_of(symbol).asset_class) for symbol in symbols}
    for symbol, history in histories.items():
        if own := [bar for bar in days if bar.symbol == symbol]:
            history.give(own, now)
    marks = np.array([history.closes(1)[-1] if len(history.ends) else nan for history in histories.values()])
    strategies = {
        name: dollars(np.array([float(book.position(symbol).qty) for symbol in symbols]), marks)
        for name, book in ledger.books.items()
    }
    weights = dollars(np.array([float(ledger.holdings().get(symbol, 0)) for symbol in symbols]), marks)
    equity = float(ledger.cash()) + float(np.nansum(weights))
    classes = tuple(instrument_of(symbol).asset_class for symbol in symbols)
    book = Book(symbols, classes, weights, weights, weights, strategies, equity)
    terms = VarLimits()
    return Seen(book, histories, past_of(tuple(histories.values()), terms.window), terms, "no desk", now)
