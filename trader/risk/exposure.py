"""Limits on the exposure of the account, of groups of strategies and of each strategy.

An opening breaks a limit where the worst case is beyond it afterwards and has grown by it: what makes a broken one no
worse passes. Fractions are of the account's net asset value, a strategy's own of its equity.
"""

from collections.abc import Mapping
from math import isnan, nan
from typing import Final

from trader.model.events import FlagRaised
from trader.model.views import Exposures
from trader.risk.bounds import Bound, Breach
from trader.risk.checks import Check, Unit, breach_of, check_of, shown
from trader.risk.limits import Limits
from trader.risk.opening import Opening
from trader.risk.regime import tightness_of
from trader.risk.rings import By, OfAccount, Ring, Rings
from trader.risk.rules import Rules
from trader.risk.sums import Change, Sums, Totals, add

_ACCOUNT: Final = frozenset({"account"})
_TIGHTENED: Final = frozenset({By.EQUITY, By.DOLLARS})

# An opening that was asked about: what it meets in the account and changes there; the slot's number, what changes there
# (None where nobody asks), and the sums that this goes into.
_Asked = tuple[Opening, OfAccount, Change, int, Change | None, list[Totals]]


class _Tightness(dict[frozenset[str], float]):
    """What limits are divided by, by whose flags tighten them, as long as ``flags`` stand."""

    def __init__(self, flags: Mapping[str, FlagRaised], factor: float) -> None:
        super().__init__()
        self._flags = flags
        self._factor = factor
        self._standing: list[FlagRaised] = []

    def __missing__(self, scopes: frozenset[str]) -> float:
        found = self[scopes] = tightness_of(self._flags, scopes, factor=self._factor)
        return found

    def refresh(self) -> None:
        """Forget what other flags made of it."""
        if (standing := list(self._flags.values())) != self._standing:
            self._standing = standing
            self.clear()


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
        self._rings = Rings(rules, limits, exposures)
        self._sums: Sums | None = None
        self._asked: _Asked | None = None
        self._tight = _Tightness(flags, rules.ladder.weekly_factor)
        self._tight_at = -1  # the version of the exposures
        self._min_equity = _at_least("min_equity", rules.account.min_equity, "$")
        self._min_cash_buffer = _at_least("min_cash_buffer", rules.account.min_cash_buffer, "of equity")

    def forget(self) -> None:
        """Sum everything up anew for the next order."""
        self._sums = None

    def account(self) -> tuple[float, float]:
        """Return what the account is worth, NaN while a position has no mark, and what divides its limits."""
        return self._summed().nav, self._tight[_ACCOUNT]

    def beyond(self, opening: Opening) -> list[Breach]:
        """Return every level that an opening goes beyond."""
        if self._exposures.version != self._tight_at:  # a flag changes it
            self._tight_at = self._exposures.version
            self._tight.refresh()
        sums, intent, signed, tight = self._summed(), opening.intent, opening.signed, self._tight
        nav, mark = sums.nav, self._exposures.marks.item(opening.number)
        found: list[Breach] = []
        of = self._rings.account(intent.symbol)
        change, tightness = sums.symbols.change(opening.number, signed, mark), tight[of.tightened_by]
        self._least(found, sums, opening.reserved)
        if not sums.account.fits(change, of.most, equity=nav, tightness=tightness):
            self._over(found, of, sums.account, change, equity=nav, tightness=tightness)
        share, grown = tightness / nav if nav > 0 else nan, change[1] - change[0]
        for first, row, check in of.buckets:
            before = sums.sets[row]
            if not (before + grown) * share <= first and not before + grown <= before:
                self._tell(found, check, (before + grown) * share / tightness, tightness)
        place, own = 0, None
        counted: list[Totals] = []
        if rings := self._rings.rings(intent.strategy):
            slots, place = sums.slots, self._rings.place(intent.strategy, intent.symbol)
            own = slots.positions.change(place, signed, mark)
            counted.append(slots.rows[self._rings.rows[intent.strategy]])
            for ring in rings:
                totals, tightness = slots.totals(ring.scope, ring.rows), tight[ring.tightened_by]
                if totals is not counted[0]:  # which a group of one has too
                    counted.append(totals)
                equity = float(opening.question.standing.equity) if ring.is_own else nav
                if not totals.fits(own, ring.most, equity=equity, tightness=tightness):
                    self._over(found, ring, totals, own, equity=equity, tightness=tightness)
        self._asked = opening, of, change, place, own, counted
        return found

    def count(self) -> None:
        """Add the opening that was asked about last to the sums that are kept: it was let pass."""
        assert self._asked is not None, "nothing was asked about"
        sums = self._summed()
        opening, of, change, place, own, counted = self._asked
        if isnan(change[1]):  # without a mark it makes every sum unknown
            self.forget()
            return
        sums.symbols.add(opening.number, opening.signed, change)
        add([sums.account], change)
        sums.free -= opening.reserved
        for _, row, _ in of.buckets:
            sums.sets[row] += change[1] - change[0]
        if own is not None:
            sums.slots.positions.add(place, opening.signed, own)
            add(counted, own)

    def _over(
        self, found: list[Breach], ring: OfAccount | Ring, totals: Totals, change: Change, *, equity: float,
        tightness: float,
    ) -> None:  # fmt: skip
        """Add to ``found`` what an opening breaks in one set of positions."""
        after = totals.after(change)
        share = tightness / equity if equity > 0 else nan
        scales = (share, tightness, 1.0, share / tightness)
        for first, of, by, check in ring.limits:
            scaled = after[of] * scales[by]
            if not scaled <= first and not after[of] <= totals.before(change)[of]:
                tightened = tightness if by in _TIGHTENED else 1.0
                self._tell(found, check, scaled / tightened, tightened)

    def _least(self, found: list[Breach], sums: Sums, reserved: float) -> None:
        """Add to ``found`` what the account as a whole has too little of."""
        nav, min_equity, min_buffer = sums.nav, self._min_equity, self._min_cash_buffer
        if not nav > 0:
            said = f"unknown: {self._missing()}" if isnan(nav) else shown(nav, "$")
            found.append(Breach("nav", "account", "> $0", said, hint="nothing is opened on nothing"))
            return
        if min_equity is not None and not -nav <= min_equity.first:
            self._tell(found, min_equity, nav)
        if min_buffer is not None and not -(buffer := (sums.free - reserved) / nav) <= min_buffer.first:
            self._tell(found, min_buffer, buffer)

    def _tell(self, found: list[Breach], check: Check, value: float, tightness: float = 1.0) -> None:
        breach = breach_of(check, value, tightness=tightness, missing=self._missing())
        if breach is not None:
            found.append(breach)

    def _summed(self) -> Sums:
        if self._sums is None:
            self._sums = Sums(self._exposures, self._rings.members, self._rings.begins)
        return self._sums

    def _missing(self) -> str:
        of = self._exposures
        names = [
            symbol
            for symbol, mark, *moved in zip(of.symbols, of.marks, of.net, of.buys, of.sells, strict=True)
            if isnan(mark) and any(moved)
        ]
        return f"no mark of {', '.join(names)} yet" if names else "no mark yet"


def _at_least(rule: str, bound: Bound, unit: Unit) -> Check | None:
    return check_of(rule, bound, scope="account", key=f"risk.account.{rule}", unit=unit) if bound else None
