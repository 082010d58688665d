"""Every limit on exposure beside what is held and on its way now: what the control room looks at once a minute.

The gate asks what one order would make of one strategy's limits; here all limits are read together, as arrays. The
worst case counts, as in :mod:`trader.risk.sums`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np

from trader.model.events import FlagRaised
from trader.model.views import Exposures
from trader.risk.bounds import TOLERANCE, Bound, Breach, Level
from trader.risk.checks import Check, breach_of, check_of
from trader.risk.conduct import ConductOfAccount, ConductOfOne
from trader.risk.limits import Limits, OrderLimits
from trader.risk.regime import tightness_of
from trader.risk.rings import MEASURED, By, Limited, Of, bucket_of, limited
from trader.risk.rules import Rules
from trader.risk.sums import Sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trader.model.views import Floats

    Places = NDArray[np.intp]


def _bounds_of(*limits: type[msgspec.Struct]) -> set[str]:
    return {field.name for one in limits for field in msgspec.structs.fields(one) if field.type is Bound}


BUCKETS: Final = ("max_sector", "max_category", "max_class")
MEASURED_KINDS: Final = (*MEASURED, *BUCKETS, "min_equity", "min_cash_buffer")
ORDER_KINDS: Final = tuple(sorted(_bounds_of(OrderLimits, Limits, ConductOfAccount, ConductOfOne) - {*MEASURED_KINDS}))


class Gauge(NamedTuple):
    """One limit, read from the ``number``-th measure; ``owner`` is the place of the scope whose equity it is part of.

    ``slots`` are the places of the positions that it measures, ``scopes`` those whose flags tighten it.
    """

    check: Check
    by: By
    number: int
    owner: int
    slots: "Places"
    scopes: frozenset[str]


class Layout(NamedTuple):
    """Who owns the ``m`` slots: shape (m,), a strategy's place; ``members``, shape (groups, strategies), is 1 or 0."""

    owner: "Places"
    members: "Floats"


class Gauges:
    """All limits on exposure of one desk."""

    def __init__(self, rules: Rules, limits: Mapping[str, Limits], exposures: Exposures, layout: Layout) -> None:
        """Find the limits that there are. Measures are four of a scope, one of a symbol or a bucket, two of money."""
        self._exposures = exposures
        self._layout = layout
        self._factor = rules.ladder.weekly_factor
        self._buckets = np.zeros((0, len(exposures.symbols)))
        self._gauges = [*self._of_scopes(rules, limits), *self._of_symbols(rules), *self._of_buckets(rules)]
        self._gauges += self._of_money(rules)
        self._number = np.array([gauge.number for gauge in self._gauges], dtype=np.intp)
        self._owner = np.array([gauge.owner for gauge in self._gauges], dtype=np.intp)
        self._is_part = np.array([gauge.by in {By.EQUITY, By.EQUITY_ALWAYS} for gauge in self._gauges], dtype=bool)
        self._sign = np.array([gauge.check.sign for gauge in self._gauges])
        self._first = np.array([gauge.check.first for gauge in self._gauges])

    def __bool__(self) -> bool:
        """Tell whether there is any limit to read."""
        return bool(self._gauges)

    def read(self, flags: Mapping[str, FlagRaised]) -> tuple[list[Breach], set[tuple[str, str]]]:
        """Return what is beyond a limit now, and the scopes and rules of which that is not known.

        ``flags`` are those that stand: some tighten limits.
        """
        seen = self._exposures
        with np.errstate(invalid="ignore"):  # a position may have no mark yet
            values = self._values(seen.held, seen.held_buys, seen.held_sells)
        tightness = self._tightness(flags)
        beyond: list[int] = np.flatnonzero(values * tightness * self._sign > self._first).tolist()
        breaches = [
            breach_of(self._gauges[number].check, float(values[number]), tightness=float(tightness[number]))
            for number in beyond
        ]
        unknown = [self._gauges[number].check for number in np.flatnonzero(np.isnan(values)).tolist()]
        return [breach for breach in breaches if breach is not None], {(one.scope, one.rule) for one in unknown}

    def surplus(self, flag: FlagRaised, flags: Mapping[str, FlagRaised], gone: "NDArray[np.bool_]") -> list[int]:
        """Return the slots to close, the largest first, until a flag's limit is met by what is held.

        ``gone`` are those on their way out, shape (m,). What would not bring the measure nearer is kept.
        """
        level: Level = "hard" if flag.level == "hard" else "soft"
        tightness = self._tightness(flags)
        chosen: list[int] = []
        held = np.where(gone, 0.0, self._exposures.held)
        for number, gauge in enumerate(self._gauges):
            is_meant = (gauge.check.scope, gauge.check.rule) == (flag.scope, flag.kind)
            if is_meant and getattr(gauge.check.bound, level) is not None:
                most = gauge.check.sign * gauge.check.bound.at(level) / tightness[number]
                chosen += self._closed(number, held, most + abs(most) * TOLERANCE)
        return chosen

    def _closed(self, number: int, held: "Floats", most: float) -> list[int]:
        """Close positions in ``held`` until a measure is at most ``most``; return which."""
        gauge, seen = self._gauges[number], self._exposures
        nothing, closed = np.zeros(len(held)), list[int]()
        sizes = np.abs(held * seen.marks[seen.symbol_of])[gauge.slots]
        value = gauge.check.sign * float(self._values(held, nothing, nothing)[number])
        for slot in gauge.slots[np.argsort(-sizes, kind="stable")].tolist():
            if value <= most:
                break
            kept, held[slot] = float(held[slot]), 0.0
            after = gauge.check.sign * float(self._values(held, nothing, nothing)[number])
            if kept and (after < value or (after == value and gauge.check.sign > 0)):
                value = after
                closed.append(slot)
            else:
                held[slot] = kept
        return closed

    # --- measures -----------------------------------------------------------------------------------------------

    def _values(self, held: "Floats", buys: "Floats", sells: "Floats") -> "Floats":
        """Return what each gauge reads, shape (gauges,), if so much were held and on its way by slot, shape (m,)."""
        seen, of = self._exposures, self._exposures.symbol_of
        worst = np.maximum(held + buys, sells - held)
        marks = np.where(worst == 0.0, 0.0, seen.marks[of])
        closed, bought, sold = (_sum(each, of, len(seen.symbols)) for each in (seen.held - held, buys, sells))
        account = Sums(seen.net - closed, bought, sold, seen.marks)
        own = np.where(seen.held == 0.0, 0.0, seen.held * seen.marks[of])
        moved = float(own.sum() - np.where(held == 0.0, 0.0, held * seen.marks[of]).sum())  # into cash
        cash = float(seen.cash.sum()) + seen.unallocated + moved
        nav = cash + account.worth
        scopes = self._of_each_scope(worst * marks, (held + buys) * marks, (held - sells) * marks, account)
        money = (nav, cash - account.short - float(seen.reserved.sum()))
        measures = np.concatenate((scopes.ravel(), account.values, self._buckets @ account.values, money))
        equities = np.concatenate((np.full(1 + len(self._layout.members), nav), seen.cash + self._sum(own)))
        with np.errstate(divide="ignore", invalid="ignore"):
            return measures[self._number] / np.where(self._is_part, equities[self._owner], 1.0)

    def _of_each_scope(self, worst: "Floats", up: "Floats", down: "Floats", account: Sums) -> "Floats":
        """Return the four measures of account, groups and strategies, shape (4, scopes), of dollars by slot."""
        owner, members = self._layout
        largest = np.zeros(members.shape[1])
        np.maximum.at(largest, owner, worst)
        gross, ups, downs = self._sum(worst), self._sum(up), self._sum(down)
        numbers = self._sum((worst != 0.0).astype(np.float64))
        own = np.stack((largest, gross, np.maximum(ups, -downs), numbers))
        groups = np.stack((
            (members * largest).max(axis=1, initial=0.0),
            members @ gross,
            np.maximum(members @ ups, -(members @ downs)),
            members @ numbers,
        ))  # fmt: skip
        return np.concatenate((np.array(account.before(0))[:, None], groups, own), axis=1)

    def _sum(self, of_slots: "Floats") -> "Floats":
        """Return the sums of each strategy."""
        return _sum(of_slots, self._layout.owner, self._layout.members.shape[1])

    def _tightness(self, flags: Mapping[str, FlagRaised]) -> "Floats":
        tightness = np.ones(len(self._gauges))
        if any(flag.action == "tighten" for flag in flags.values()):
            for number, gauge in enumerate(self._gauges):
                if gauge.by in {By.EQUITY, By.DOLLARS} and gauge.check.sign > 0:
                    tightness[number] = tightness_of(flags, gauge.scopes, factor=self._factor)
        return tightness

    # --- limits -------------------------------------------------------------------------------------------------

    def _of_scopes(self, rules: Rules, limits: Mapping[str, Limits]) -> Iterator[Gauge]:
        """Yield the limits of the account but those of single symbols, of groups, and of strategies."""
        rank = self._exposures.rank
        every = np.arange(len(self._layout.owner))
        for one in limited(rules.account, "account", "risk.account"):
            if one.of is not Of.POSITION:
                yield self._scoped(one, 0, every)
        for place, (name, group) in enumerate(rules.groups.items()):
            slots = every[self._layout.members[place, self._layout.owner] > 0.0]
            for one in limited(group, f"group {name}", f"risk.groups.{name}"):
                yield self._scoped(one, 1 + place, slots)
        for name, own in limits.items():
            part = self._exposures.slots_of[name]
            for one in limited(own, f"strategy {name}", f"risk_config of strategy {name}: "):
                yield self._scoped(one, 1 + len(rules.groups) + rank[name], every[part])

    def _scoped(self, one: Limited, place: int, slots: "Places") -> Gauge:
        scopes = 1 + sum(self._layout.members.shape)
        number, owner = int(one.of) * scopes + place, place
        return Gauge(one.check, one.by, number, owner, slots, frozenset({"account", one.check.scope}))

    def _of_symbols(self, rules: Rules) -> Iterator[Gauge]:
        first = 4 * (1 + sum(self._layout.members.shape))
        general = [one for one in limited(rules.account, "account", "risk.account") if one.of is Of.POSITION]
        for number, symbol in enumerate(self._exposures.symbols):
            scope = f"symbol {symbol}"
            own = [*limited(rules.symbols[symbol], scope, f"risk.symbols.{symbol}")] if symbol in rules.symbols else []
            taken = {one.check.rule for one in own}
            for one in (*own, *(one for one in general if one.check.rule not in taken)):
                check = one.check._replace(scope=scope)
                slots = np.flatnonzero(self._exposures.symbol_of == number)
                yield Gauge(check, one.by, first + number, 0, slots, frozenset({"account", scope}))

    def _of_buckets(self, rules: Rules) -> Iterator[Gauge]:
        account, symbols = rules.account, self._exposures.symbols
        first = 4 * (1 + sum(self._layout.members.shape)) + len(symbols)
        kinds: list[tuple[str, Mapping[str, Sequence[str]] | None]] = [
            ("max_sector", rules.sectors), ("max_category", rules.categories), ("max_class", None),
        ]  # fmt: skip
        rows: list[Floats] = []
        for rule, names in kinds:
            places = [bucket_of(symbol, names) for symbol in symbols]
            for name in dict.fromkeys(places):
                if bound := getattr(account, f"{rule}_of").get(name, getattr(account, rule)):
                    check = check_of(
                        rule, bound, scope="account", key=f"risk.account.{rule} ({name})", unit="of equity"
                    )
                    row = np.array([float(place == name) for place in places])
                    slots = np.flatnonzero(row[self._exposures.symbol_of])
                    yield Gauge(check, By.EQUITY, first + len(rows), 0, slots, frozenset({"account"}))
                    rows.append(row)
        self._buckets = np.array(rows).reshape(len(rows), len(symbols))

    def _of_money(self, rules: Rules) -> Iterator[Gauge]:
        first = 4 * (1 + sum(self._layout.members.shape)) + len(self._exposures.symbols) + len(self._buckets)
        every, scopes = np.arange(len(self._layout.owner)), frozenset({"account"})
        if bound := rules.account.min_equity:
            check = check_of("min_equity", bound, scope="account", key="risk.account.min_equity", unit="$")
            yield Gauge(check, By.NUMBER, first, 0, every, scopes)
        if bound := rules.account.min_cash_buffer:
            key = "risk.account.min_cash_buffer"
            check = check_of("min_cash_buffer", bound, scope="account", key=key, unit="of equity")
            yield Gauge(check, By.EQUITY_ALWAYS, first + 1, 0, every, scopes)


def _sum(values: "Floats", of: "Places", count: int) -> "Floats":
    return np.bincount(of, values, count).astype(np.float64, copy=False)
