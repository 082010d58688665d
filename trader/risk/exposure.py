"""Limits on the exposure of the account, of groups of strategies and of each strategy.

An opening breaks a limit where the worst case is beyond it afterwards and has grown by it: what makes a broken one no
worse passes. Fractions are of the account's net asset value, a strategy's own of its equity.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from math import isnan
from typing import NamedTuple

from trader.model.events import FlagRaised
from trader.model.orders import OrderIntent
from trader.model.views import Exposures, Question
from trader.risk.bounds import Bound, Breach
from trader.risk.checks import Check, Unit, breach_of, check_of, shown
from trader.risk.limits import Limits
from trader.risk.regime import tightness_of
from trader.risk.rings import By, Rings, Walk
from trader.risk.rules import Rules


class Worth(NamedTuple):
    """What the account is worth, and what cash of it is neither owed to shorts nor reserved; dollars."""

    nav: float
    free: float


class ExposureControls:
    """The exposure limits of one desk; :meth:`count` what they let pass, so that it counts at once."""

    def __init__(
        self,
        rules: Rules,
        limits: Mapping[str, Limits],
        *,
        exposures: Exposures,
        flags: Mapping[str, FlagRaised],
    ) -> None:
        """Hold to the account's and the groups' limits in ``rules``, and to the strategies' own."""
        self._exposures = exposures
        self._flags = flags
        self._factor = rules.ladder.weekly_factor
        self._rings = Rings(rules, limits, exposures)
        self._worth: Worth | None = None
        account = rules.account
        self._min_equity = _least("min_equity", account.min_equity, "$")
        self._min_cash_buffer = _least("min_cash_buffer", account.min_cash_buffer, "of equity")

    def forget(self) -> None:
        """Sum everything up anew for the next order."""
        self._worth = None
        self._rings.forget()

    def worth(self) -> Worth:
        """Return what the account is worth; NaN while a position has no mark."""
        if self._worth is None:
            of, sums = self._exposures, self._rings.account.summed()
            cash = float(of.cash.sum()) + of.unallocated
            self._worth = Worth(cash + sums.worth, cash - sums.short - float(of.reserved.sum()))
        return self._worth

    def tightness(self, scopes: frozenset[str]) -> float:
        """Return what limits on ``scopes`` are divided by now."""
        return tightness_of(self._flags, scopes, factor=self._factor) if self._flags else 1.0

    def beyond(self, question: Question, reserved: Decimal) -> Iterator[Breach]:
        """Yield every level that an opening, which would reserve so many dollars, goes beyond."""
        worth, intent = self.worth(), question.intent
        if not worth.nav > 0:
            yield Breach("nav", "account", "> $0", self._said(worth.nav), hint="nothing is opened on nothing")
        else:
            yield from self._short_of(self._min_equity, worth.nav)
            yield from self._short_of(self._min_cash_buffer, (worth.free - float(reserved)) / worth.nav)
        for walk in self._rings.walks(intent.strategy, intent.symbol):
            own = walk.ring.scope.startswith("strategy")
            yield from self._met(walk, question, equity=float(question.standing.equity) if own else worth.nav)

    def count(self, intent: OrderIntent, reserved: Decimal) -> None:
        """Add what was let pass to the sums that are kept."""
        signed = float(intent.qty) * intent.side.sign
        mark = self._mark(intent.symbol)
        for walk in self._rings.walks(intent.strategy, intent.symbol):
            if walk.ring.sums is not None:
                walk.ring.sums.add(walk.place, signed, mark=mark)
        if self._worth is not None:
            self._worth = self._worth._replace(free=self._worth.free - float(reserved))

    def _short_of(self, check: Check | None, value: float) -> Iterator[Breach]:
        if check is not None and not -value <= check.first:
            yield from self._told(check, value, By.NUMBER, 1.0)

    def _met(self, walk: Walk, question: Question, *, equity: float) -> Iterator[Breach]:
        """Yield what an opening breaks in one ring."""
        sums, intent = walk.ring.summed(), question.intent
        before = sums.before(walk.place)
        signed = float(intent.qty) * intent.side.sign
        after = sums.after(walk.place, signed, mark=self._mark(intent.symbol), before=before)
        tightness = self.tightness(walk.scopes)
        share = tightness / equity if equity > 0 else float("nan")
        scales = (share, tightness, 1.0, share / tightness)
        for check, of, by in walk.limits:
            value = after[of]
            if not value * scales[by] <= check.first and not value <= before[of]:
                yield from self._told(check, value * scales[by], by, tightness)
        for check, members in walk.buckets:
            held = float(sums.values @ members)
            value = held + (after.position - before.position)
            if not value * share <= check.first and not value <= held:
                yield from self._told(check, value * share, By.EQUITY, tightness)

    def _told(self, check: Check, scaled: float, by: By, tightness: float) -> Iterator[Breach]:
        tightened = tightness if by in {By.EQUITY, By.DOLLARS} else 1.0
        breach = breach_of(check, scaled / tightened, tightness=tightened, missing=self._missing())
        if breach is not None:
            yield breach

    def _mark(self, symbol: str) -> float:
        return self._exposures.marks.item(self._exposures.index[symbol])

    def _said(self, nav: float) -> str:
        return f"unknown: {self._missing()}" if isnan(nav) else shown(nav, "$")

    def _missing(self) -> str:
        of = self._exposures
        names = [
            symbol
            for symbol, mark, *moved in zip(of.symbols, of.marks, of.net, of.buys, of.sells, strict=True)
            if isnan(mark) and any(moved)
        ]
        return f"no mark of {', '.join(names)} yet" if names else "no mark yet"


def _least(rule: str, bound: Bound, unit: Unit) -> Check | None:
    return check_of(rule, bound, scope="account", key=f"risk.account.{rule}", unit=unit) if bound else None
