"""Every limit on exposure beside what is held and on its way now: what the control room looks at once a minute.

The gate asks what one order would make of one strategy's limits; here all limits are read together, as arrays. The
worst case counts: everything on its way filled as it makes a measure largest.
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
from trader.risk.orders import CODES
from trader.risk.regime import tightness_of
from trader.risk.rings import MEASURED, By, Limited, Of, bucket_of, limited
from trader.risk.rules import Rules
from trader.risk.value_at_risk import dollars

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trader.model.views import Floats

    Places = NDArray[np.intp]


def _bounds_of(*limits: type[msgspec.Struct]) -> set[str]:
    return {field.name for one in limits for field in msgspec.structs.fields(one) if field.type is Bound}


BUCKETS: Final = ("max_sector", "max_category", "max_class")
EXPOSURES: Final = (*MEASURED, *BUCKETS, "min_equity", "min_cash_buffer")
TAILS: Final = ("max_var", "max_es", "max_stress")
# Rules that are broken, or not, by what is held; and those that only an order can break.
MEASURED_KINDS: Final = (*EXPOSURES, *TAILS, CODES["max_mark_age_s"])
ORDER_KINDS: Final = tuple(sorted(
    {CODES.get(name, name) for name in _bounds_of(OrderLimits, Limits, ConductOfAccount, ConductOfOne)}
    - {*MEASURED_KINDS}
))  # fmt: skip


_MEASURES: Final = len(Of)  # of each scope


_DOUBT: Final = 1e-8  # of what is compared: more than floats err, and than limits are rounded up


def leeway_of(values: "Floats", lines: "Floats", swings: "Floats") -> float:
    """Return by what part of themselves prices may surely move before a value comes to its line; NaN: not known.

    A value moves by at most that part of its swing.
    """
    gaps = np.abs(values - lines) - _DOUBT * (np.abs(values) + np.abs(lines))
    return float(np.divide(gaps, swings, out=np.full(len(gaps), np.inf), where=swings != 0.0).min(initial=np.inf))


def levels_of(bound: Bound) -> list[float]:
    """Return the levels that are set."""
    return [level for level in (bound.soft, bound.hard) if level is not None]


class Gauge(NamedTuple):
    """One limit, read from the ``number``-th measure; ``owner`` is the place of the scope whose equity it is part of.

    ``slots`` are the places of the positions that it measures, ``scopes`` those whose flags tighten it.
    """

    check: Check
    by: int  # of :class:`~trader.risk.rings.By`
    number: int
    owner: int
    slots: "Places"
    scopes: frozenset[str]


class Layout(NamedTuple):
    """Who owns the ``m`` slots: shape (m,), a strategy's place; ``members``, shape (groups, strategies), is 1 or 0."""

    owner: "Places"
    members: "Floats"


class _Read(NamedTuple):
    """What each gauge measures and what that is part of (1 where of nothing); and by what both move with all prices."""

    measures: "Floats"
    equities: "Floats"
    stakes: "Floats"
    swings: "Floats"

    def values(self) -> "Floats":
        """Return what is compared with the limits; of nothing, and of less, anything is too much."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.measures / self.equities


class Gauges:
    """All limits on exposure of one desk."""

    def __init__(self, rules: Rules, limits: Mapping[str, Limits], exposures: Exposures, layout: Layout) -> None:
        """Find the limits that there are. Measures are four of a scope, one of a symbol or a bucket, two of money."""
        self._exposures = exposures
        self._layout = layout
        self._factor = rules.ladder.weekly_factor
        self._buckets = np.zeros((0, len(exposures.symbols)))
        self.all = [*self._of_scopes(rules, limits), *self._of_symbols(rules), *self._of_buckets(rules)]
        self.all += self._of_money(rules)
        scopes = 1 + sum(layout.members.shape)
        self._number = np.array([gauge.number for gauge in self.all], dtype=np.intp)
        self._owner = np.array([gauge.owner for gauge in self.all], dtype=np.intp)
        self._is_part = np.array([gauge.by in {By.EQUITY, By.EQUITY_ALWAYS} for gauge in self.all], dtype=bool)
        self._has_scopes = any(gauge.number < _MEASURES * scopes and gauge.number % scopes for gauge in self.all)
        self._is_own = np.arange(scopes) > len(layout.members)  # of scopes: its limits are parts of its own equity
        levels = [(number, level) for number, gauge in enumerate(self.all) for level in levels_of(gauge.check.bound)]
        self._gauge_of = np.array([number for number, _ in levels], dtype=np.intp)
        self._limits = np.array([level for _, level in levels])
        self._sign = np.array([gauge.check.sign for gauge in self.all])
        self._first = np.array([gauge.check.first for gauge in self.all])
        self._tightening: list[FlagRaised] = []
        self._tight = np.ones(len(self.all))

    def __bool__(self) -> bool:
        """Tell whether there is any limit to read."""
        return bool(self.all)

    def read(self, flags: Mapping[str, FlagRaised]) -> tuple[list[Breach], set[tuple[str, str]]]:
        """Return what is beyond a limit now, and the scopes and rules of which that is not known.

        ``flags`` are those that stand: some tighten limits.
        """
        self._last = self._read()
        values = self._last.values()
        tightness = self._tightness(flags)
        beyond: list[int] = np.flatnonzero(values * tightness * self._sign > self._first).tolist()
        breaches = [
            breach_of(self.all[number].check, float(values[number]), tightness=float(tightness[number]))
            for number in beyond
        ]
        unknown = [self.all[number].check for number in np.flatnonzero(np.isnan(values)).tolist()]
        return [breach for breach in breaches if breach is not None], {(one.scope, one.rule) for one in unknown}

    def leeway(self, flags: Mapping[str, FlagRaised]) -> float:
        """Return by what part of themselves prices may move before a limit is crossed, either way; NaN: not known.

        They move from what was read last. A sum of positions moves by at most that part of what its scope has at stake,
        and so does the equity that it is part of: the measure is compared with the limit times that equity.
        """
        at, read = self._gauge_of, self._last
        limits = self._limits / self._tightness(flags)[at]
        swings = read.stakes[at] + np.abs(limits) * read.swings[at]
        return leeway_of(read.measures[at], limits * read.equities[at], swings)

    def surplus(self, flag: FlagRaised, flags: Mapping[str, FlagRaised], gone: "NDArray[np.bool_]") -> list[int]:
        """Return the slots to close, the largest first, until a flag's limit is met by what is held.

        ``gone`` are those on their way out, shape (m,). What would not bring the measure nearer is kept.
        """
        level: Level = "hard" if flag.level == "hard" else "soft"
        tightness = self._tightness(flags)
        chosen: list[int] = []
        held = np.where(gone, 0.0, self._exposures.held)
        for number, gauge in enumerate(self.all):
            is_meant = (gauge.check.scope, gauge.check.rule) == (flag.scope, flag.kind)
            if is_meant and getattr(gauge.check.bound, level) is not None:
                most = gauge.check.sign * gauge.check.bound.at(level) / tightness[number]
                chosen += self._closed(number, held, most + abs(most) * TOLERANCE)
        return chosen

    def _closed(self, number: int, held: "Floats", most: float) -> list[int]:
        """Close positions in ``held`` until a measure is at most ``most``; return which."""
        gauge, closed = self.all[number], list[int]()
        sizes = np.abs(dollars(held, self._exposures.marks[self._exposures.symbol_of]))[gauge.slots]
        largest: list[int] = gauge.slots[np.argsort(-sizes, kind="stable")].tolist()
        value = self._if_held(number, held)
        # First what brings it nearer; then, where two strategies are opposite in a symbol, what does so only together.
        for is_nearer, slot in [(True, slot) for slot in largest] + [(False, slot) for slot in largest]:
            if value <= most or (gauge.check.sign < 0 and not is_nearer):
                break
            if not held[slot]:
                continue
            kept, held[slot] = float(held[slot]), 0.0
            after = self._if_held(number, held)
            if is_nearer and not after < value:
                held[slot] = kept
            else:
                value = after
                closed.append(slot)
        return closed

    def _if_held(self, number: int, held: "Floats") -> float:
        """Return a measure, larger for worse, if so much were held by slot and nothing on its way."""
        return self.all[number].check.sign * float(self._read(held).values()[number])

    # --- measures -----------------------------------------------------------------------------------------------

    @np.errstate(invalid="ignore")  # a position may have no mark yet
    def _read(self, left: "Floats | None" = None) -> "_Read":
        """Look at what there is now, or would be if only ``left`` were held, shape (m,)."""
        seen, count = self._exposures, len(self._exposures.symbols)
        net, buys, sells, cash = seen.net, seen.buys, seen.sells, float(seen.cash.sum()) + seen.unallocated
        if left is not None:
            sold = _sum(seen.held - left, seen.symbol_of, count)
            net, buys, sells = net - sold, np.zeros(count), np.zeros(count)
            cash += float(dollars(sold, seen.marks).sum())
        worth = dollars(net, seen.marks)
        high, low = worth + dollars(buys, seen.marks), worth - dollars(sells, seen.marks)
        largest = np.maximum(high, -low)
        nav, gross = cash + float(worth.sum()), largest.sum()
        account = (np.nan, gross, np.maximum(high.sum(), -low.sum()), np.count_nonzero(largest))
        scopes = np.concatenate((np.array(account)[:, None], self._of_scopes_held(left)), axis=1)
        money = (nav, cash + float(np.minimum(worth, 0.0).sum()) - float(seen.reserved.sum()))
        of_sets = np.concatenate((largest, self._buckets @ largest))
        measures = np.concatenate((scopes.ravel(), of_sets, money))
        at_stake = scopes[Of.GROSS]
        stakes = np.concatenate((*[at_stake] * Of.NUMBER, np.zeros(len(at_stake)), of_sets, (gross, gross)))
        swings = np.where(self._is_own, at_stake, gross)
        at, is_part, of = self._number, self._is_part, self._owner
        equities = np.where(is_part, np.maximum(self._equities(nav), 0.0)[of], 1.0)
        return _Read(measures[at], equities, stakes[at], np.where(is_part, swings[of], 0.0))

    def _of_scopes_held(self, left: "Floats | None") -> "Floats":
        """Return the four measures of groups and strategies, shape (4, groups + strategies); NaN if nobody asks."""
        seen, (owner, members) = self._exposures, self._layout
        if not self._has_scopes:
            return np.full((4, sum(members.shape)), np.nan)
        marks = seen.marks[seen.symbol_of]
        up, down = (
            (dollars(seen.held + seen.held_buys, marks), dollars(seen.held - seen.held_sells, marks))
            if left is None
            else (dollars(left, marks),) * 2
        )
        worst = np.maximum(up, -down)
        largest = np.zeros(members.shape[1])
        np.maximum.at(largest, owner, worst)
        gross, ups, downs, numbers = map(self._sum, (worst, up, down, (worst != 0.0).astype(np.float64)))
        own = np.stack((largest, gross, np.maximum(ups, -downs), numbers))
        groups = np.stack((
            (members * largest).max(axis=1, initial=0.0),
            members @ gross,
            np.maximum(members @ ups, -(members @ downs)),
            members @ numbers,
        ))  # fmt: skip
        return np.concatenate((groups, own), axis=1)

    def _equities(self, nav: float) -> "Floats":
        """Return what limits of each scope are parts of: a strategy's own are of its own equity."""
        seen, (groups, strategies) = self._exposures, self._layout.members.shape
        if not self._has_scopes:
            return np.full(1 + groups + strategies, nav)
        own = seen.cash + self._sum(dollars(seen.held, seen.marks[seen.symbol_of]))
        return np.concatenate((np.full(1 + groups, nav), own))

    def _sum(self, of_slots: "Floats") -> "Floats":
        """Return the sums of each strategy."""
        return _sum(of_slots, self._layout.owner, self._layout.members.shape[1])

    def _tightness(self, flags: Mapping[str, FlagRaised]) -> "Floats":
        """Return what each limit is divided by, shape (gauges,); looked at anew when other flags stand."""
        tightening = [flag for flag in flags.values() if flag.action == "tighten"]
        if tightening != self._tightening:
            self._tightening, self._tight = tightening, np.ones(len(self.all))
            for number, gauge in enumerate(self.all):
                if gauge.by in {By.EQUITY, By.DOLLARS} and gauge.check.sign > 0:
                    self._tight[number] = tightness_of(flags, gauge.scopes, factor=self._factor)
        return self._tight

    # --- limits -------------------------------------------------------------------------------------------------

    def _of_scopes(self, rules: Rules, limits: Mapping[str, Limits]) -> Iterator[Gauge]:
        """Yield the limits of the account but those of single symbols, of groups, and of strategies."""
        rank = self._exposures.rank
        every = np.arange(len(self._layout.owner))
        for one in limited(rules.account, "account", "risk.account"):
            if one.of != Of.POSITION:
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
        first = _MEASURES * (1 + sum(self._layout.members.shape))
        general = [one for one in limited(rules.account, "account", "risk.account") if one.of == Of.POSITION]
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
        first = _MEASURES * (1 + sum(self._layout.members.shape)) + len(symbols)
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
        first = _MEASURES * (1 + sum(self._layout.members.shape)) + len(self._exposures.symbols) + len(self._buckets)
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
