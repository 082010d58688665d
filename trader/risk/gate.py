"""The pre-trade gate: every order passes here once, on the freshest books.

An opening is refused by the first rule that it breaks, in this order: state and flags, its sandbox's own books, lists,
the order itself, exposure, conduct, the account's tail. A limit whose input is missing refuses, and so does a check
that fails. Reductions always pass: a rule that keeps a losing position open is a risk, not a control.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from trader.model.events import FlagRaised, OverrideUsed
from trader.model.instruments import AssetClass
from trader.model.orders import Approved, Denied, OrderIntent, Urgency
from trader.model.views import Exposures, Question, Standing
from trader.risk.basics import broken_at_any_size, broken_on_its_own
from trader.risk.bounds import Bound, Breach
from trader.risk.conduct import ConductControls
from trader.risk.escalation import closing, end_of
from trader.risk.exposure import ExposureControls
from trader.risk.hours import Hours
from trader.risk.limits import Limits, OrderLimits, reservation_of
from trader.risk.lists import Lists
from trader.risk.opening import opening_of
from trader.risk.orders import OrderControls
from trader.risk.rules import Rules
from trader.risk.tiers import AGE_NS, BY_URGENCY
from trader.risk.value_at_risk import TailControl

NO_LIMITS: Final = OrderLimits()


class Gate:
    """All controls of one desk; built anew for each opening of the books, because it looks into them."""

    def __init__(
        self,
        rules: Rules,
        limits: Mapping[str, Limits],
        *,
        exposures: Exposures,
        flags: Mapping[str, FlagRaised],
        conduct: ConductControls | None = None,
        tails: TailControl | None = None,
    ) -> None:
        """Hold each strategy to its ``limits`` and all of them to ``rules``; ``flags`` are those that stand."""
        self.warnings: list[Breach] = []  # of the newest answer: soft levels that an opening went beyond
        self.overridden: list[OverrideUsed] = [] if conduct is None else conduct.overrides.used  # likewise: by persons
        self._rules = rules
        self._limits = limits
        self._exposures = exposures
        self._flags = flags
        self._conduct = conduct
        self._tails = tails if tails is not None and tails.is_on else None
        self._lists = Lists(rules)
        self._sums = ExposureControls(rules, limits, exposures=exposures, flags=flags)
        self._ages = {urgency: AGE_NS[rules.tiers.get(urgency, BY_URGENCY[urgency])] for urgency in Urgency}
        self._version = self._booked = self._summed_at = self._looked_at = -1
        self._is_any_closing = False
        self._is_plain = rules == Rules() and not any(map(_has_exposure_limits, limits.values()))
        self._hours: dict[str, Hours] = {}  # by asset class
        self._controls: dict[tuple[str, str], OrderControls] = {}  # by strategy and asset class; equal ones are one
        self._distinct: dict[tuple[str, Bound, Bound], OrderControls] = {}

    def check(self, question: Question) -> Approved | Denied:
        """Approve an intent with its reservation, or name the first rule it breaks.

        The caller applies the approval before it asks again, so the next check sees this one's reservation.
        """
        intent = question.intent
        self.warnings.clear()
        self.overridden.clear()
        if intent.reduces:
            _assert_reduces(question)
            return Approved(question.order_id, intent)
        reserved = reservation_of(intent)
        try:
            broken = self._broken(question, reserved)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in a check, nothing is opened on it
            why = f"error: {type(error).__name__}: {error}"
            broken = Breach(
                "check_failed", "order", "an answer", why, hint="report it; until then only reductions leave"
            )
        if broken is None:
            if not self._is_plain:
                self._sums.count()
                if self._conduct is not None:
                    self._conduct.count()
            return Approved(question.order_id, intent, reserved)
        return Denied(
            intent, broken.rule, broken.limit, broken.value,
            is_passing=broken.is_passing, scope=broken.scope, hint=broken.hint,
        )  # fmt: skip

    def is_shut(self, intent: OrderIntent, standing: Standing) -> bool:
        """Tell whether an opening would be refused of whatever size, by its sandbox's own books, a flag or a list."""
        strategy, symbol = intent.strategy, intent.symbol
        return (
            broken_at_any_size(intent, standing, self._limits[strategy]) is not None
            or (bool(self._flags) and self._closing(strategy, symbol) is not None)
            or self._lists.broken(strategy, symbol) is not None
        )

    def _broken(self, question: Question, reserved: Decimal) -> Breach | None:
        """Return the first breach that refuses; note the warnings before it."""
        for breach in self._breaches(question, reserved):
            if breach.level == "soft":
                self.warnings.append(breach)
            elif self._conduct is None or not self._conduct.overrides.lifts(question, breach):
                return breach
        return None

    def _breaches(self, question: Question, reserved: Decimal) -> Iterator[Breach]:
        strategy, symbol = question.intent.strategy, question.intent.symbol
        if self._flags and (flag := self._closing(strategy, symbol)):
            yield Breach("reduce_only", flag.scope, f"{flag.kind} {flag.limit}", flag.value, hint=end_of(flag))
        if broken := broken_on_its_own(question, self._limits[strategy], reserved):
            yield broken
        if self._is_plain:
            return
        if broken := self._lists.broken(strategy, symbol):
            yield broken
        self._freshen(question)
        of, controls = self._exposures, self._of_order(strategy, question.instrument.asset_class)
        opening = opening_of(question, of.index[symbol], reserved)
        if broken := controls.broken(question, of.net.item(opening.number)):
            yield broken
        yield from controls.beyond(opening)
        yield from self._sums.beyond(opening)
        if self._conduct is not None:
            yield from self._conduct.breaches(opening)
        if self._tails is not None:
            nav, tightness = self._sums.account()
            yield from self._tails.breaches(opening, of, nav=nav, tightness=tightness)

    def _of_order(self, strategy: str, asset_class: AssetClass) -> OrderControls:
        found = self._controls.get((strategy, asset_class))
        if found is None:
            limits, own = self._rules.orders.get(asset_class, NO_LIMITS), self._limits[strategy]
            hours = self._hours.setdefault(asset_class, Hours(limits, asset_class))
            controls, key = OrderControls(limits, own, asset_class, hours), (own.max_order_qty, own.max_order_value)
            found = self._controls[strategy, asset_class] = self._distinct.setdefault((asset_class, *key), controls)
        return found

    def _freshen(self, question: Question) -> None:
        """Sum up anew after the books have changed, and where marks are older than the order's tier allows."""
        exposures = self._exposures
        exposures.sync()
        if exposures.version != self._version:
            age, allowed = question.now - self._summed_at, self._ages[question.intent.urgency]
            if exposures.booked != self._booked or not allowed or not 0 <= age <= allowed:
                self._version, self._booked, self._summed_at = exposures.version, exposures.booked, question.now
                self._sums.forget()

    def _closing(self, strategy: str, symbol: str) -> FlagRaised | None:
        """Return the flag under which a strategy may not open a symbol; most flags only tell, or tighten."""
        if self._exposures.version != self._looked_at:
            self._looked_at = self._exposures.version
            self._is_any_closing = closing(self._flags, {flag.scope for flag in self._flags.values()}) is not None
        if not self._is_any_closing:
            return None
        groups = {f"group {name}" for name, group in self._rules.groups.items() if strategy in group.strategies}
        return closing(self._flags, {"account", f"strategy {strategy}", f"symbol {symbol}", *groups})


def _has_exposure_limits(limits: Limits) -> bool:
    return any(isinstance(value, Bound) and bool(value) for value in msgspec.structs.astuple(limits))


def _assert_reduces(question: Question) -> None:
    intent, position = question.intent, question.standing.position
    is_smaller = intent.qty <= position.copy_abs() and (position > 0) is (intent.side.sign < 0)
    assert is_smaller, f"{intent} reduces more than {position}"
