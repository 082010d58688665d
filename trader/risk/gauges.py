"""Every limit on exposure beside what is held and on its way now: what the control room looks at once a minute.

The gate asks what one order would make of one strategy's limits; here all limits are read together, as arrays. The
worst case counts: everything on its way filled as it makes a measure largest.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np

from trader.model.events import FlagRaised
from trader.model.views import Exposures
from trader.risk.bounds import TOLERANCE, Bound, Breach, Level
from trader.risk.checks import Check, Unit, breach_of, check_of
from trader.risk.conduct import ConductOfAccount, ConductOfOne
from trader.risk.limits import Limits, OrderLimits
from trader.risk.orders import CODES
from trader.risk.regime import tightness_of
from trader.risk.rings import MEASURED, Bucket, By, Of, Rings, limited
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


# Measures beside those of a set of positions; and what one is part of: of nothing, of the account's equity, of its own.
_NAV, _FREE = len(Of), len(Of) + 1
_DOLLARS, _ACCOUNT, _OWN = range(3)


class Gauge(NamedTuple):
    """One limit on a measure of ``members``: positions of the account by symbol, then by slot; whose equity it is of.

    ``of`` and ``by`` are of :class:`~trader.risk.rings.Of` and :class:`~trader.risk.rings.By`.
    """

    check: Check
    of: int
    by: int
    members: "Places"
    owner: int = _ACCOUNT


class Read(NamedTuple):
    """What each gauge measures and is part of (1: nothing), by what both move with all prices; the account's equity."""

    measures: "Floats"
    wholes: "Floats"
    stakes: "Floats"
    swings: "Floats"
    nav: float

    def values(self) -> "Floats":
        """Return what is compared with the limits; of nothing, and of less, anything is too much."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.measures / self.wholes


class Gauges:
    """All limits on exposure of one desk."""

    def __init__(self, rules: Rules, limits: Mapping[str, Limits], exposures: Exposures, owner: "Places") -> None:
        """Find the limits that there are; ``owner`` is the place of each slot's strategy, shape (m,)."""
        self._exposures = exposures
        self._owner = owner
        self._factor = rules.ladder.weekly_factor
        self._symbols = np.arange(len(exposures.symbols))
        self._slots = len(exposures.symbols) + np.arange(len(owner))
        self.all = [gauge for gauge in self._planned(rules, limits) if len(gauge.members)]
        sets = {members.tobytes(): members for members in (self._symbols, *(gauge.members for gauge in self.all))}
        numbers = {members: number for number, members in enumerate(sets)}
        self._set = np.array([numbers[gauge.members.tobytes()] for gauge in self.all], dtype=np.intp)
        self._members = np.concatenate([*sets.values()])
        self._begins = np.cumsum([0, *map(len, sets.values())])[:-1]
        self._of = np.array([gauge.of for gauge in self.all], dtype=np.intp)
        parts = {By.EQUITY, By.EQUITY_ALWAYS}
        self._whole = np.array([gauge.owner if gauge.by in parts else _DOLLARS for gauge in self.all], dtype=np.intp)
        levels = [(number, level) for number, gauge in enumerate(self.all) for level in levels_of(gauge.check.bound)]
        self._gauge_of = np.array([number for number, _ in levels], dtype=np.intp)
        self._limits = np.array([level for _, level in levels])
        self._sign = np.array([gauge.check.sign for gauge in self.all])
        self._first = np.array([gauge.check.first for gauge in self.all])
        self._tightening: list[FlagRaised] = []
        self._tight = np.ones(len(self.all))

    def read(self, flags: Mapping[str, FlagRaised]) -> tuple[list[Breach], set[tuple[str, str]]]:
        """Return what is beyond a limit now, and the scopes and rules of which that is not known.

        ``flags`` are those that stand: some tighten limits.
        """
        self.last = self._read()
        values, tightness = self.last.values(), self._tightness(flags)
        beyond: list[int] = np.flatnonzero(values * tightness * self._sign > self._first).tolist()
        breaches = [
            breach_of(self.all[number].check, float(values[number]), tightness=float(tightness[number]))
            for number in beyond
        ]
        unknown = [self.all[number].check for number in np.flatnonzero(np.isnan(values)).tolist()]
        return [breach for breach in breaches if breach is not None], {(one.scope, one.rule) for one in unknown}

    def leeway(self, flags: Mapping[str, FlagRaised]) -> float:
        """Return by what part of themselves prices may move before a limit is crossed, either way; NaN: not known.

        They move from what was read last. A sum of positions moves by at most that part of what its set has at stake,
        and so does the equity that it is part of: the measure is compared with the limit times that equity.
        """
        at, read = self._gauge_of, self.last
        limits = self._limits / self._tightness(flags)[at]
        swings = read.stakes[at] + np.abs(limits) * read.swings[at]
        return leeway_of(read.measures[at], limits * read.wholes[at], swings)

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
        gauge, closed, of = self.all[number], list[int](), self._exposures.symbol_of
        measured = np.flatnonzero(np.isin(of, gauge.members) | np.isin(self._slots, gauge.members))
        sizes = np.abs(dollars(held, self._exposures.marks[of]))[measured]
        largest: list[int] = measured[np.argsort(-sizes, kind="stable")].tolist()
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

    @np.errstate(invalid="ignore")  # a position may have no mark yet
    def _read(self, left: "Floats | None" = None) -> Read:
        """Look at what there is now, or would be if only ``left`` were held, shape (m,): what is sold becomes cash."""
        seen, of = self._exposures, self._exposures.symbol_of
        marks = np.concatenate((seen.marks, seen.marks[of]))
        had = np.concatenate((seen.net, seen.held))
        buys, sells = np.concatenate((seen.buys, seen.held_buys)), np.concatenate((seen.sells, seen.held_sells))
        count, worth = len(seen.symbols), dollars(had, marks)
        nav = float(seen.cash.sum()) + seen.unallocated + float(worth[:count].sum())
        own = seen.cash + np.bincount(self._owner, worth[count:], len(seen.cash))
        if left is not None:
            had = np.concatenate((seen.net - np.bincount(of, seen.held - left, count), left))
            buys, sells, worth = np.zeros(len(had)), np.zeros(len(had)), dollars(had, marks)
        free = nav - float(np.maximum(worth[:count], 0.0).sum()) - float(seen.reserved.sum())
        high, low = dollars(np.stack((had + buys, had - sells)), marks)
        worst = np.maximum(high, -low)
        each = np.stack((worst, high, low, worst != 0.0))[:, self._members]
        gross, up, down, number = np.add.reduceat(each, self._begins, axis=1)
        largest = np.maximum.reduceat(each[0], self._begins)
        money = np.full((2, len(gross)), [[nav], [free]])
        table = np.concatenate((np.stack((largest, gross, np.maximum(up, -down), number)), money))
        wholes = np.maximum(np.concatenate(((1.0, nav), own)), 0.0)
        swings = np.concatenate(((0.0, gross[0]), np.bincount(self._owner, worst[count:], len(own))))
        stakes = np.where(self._of == Of.NUMBER, 0.0, gross[self._set])
        return Read(table[self._of, self._set], wholes[self._whole], stakes, swings[self._whole], nav)

    def _tightness(self, flags: Mapping[str, FlagRaised]) -> "Floats":
        """Return what each limit is divided by, shape (gauges,); looked at anew when other flags stand."""
        tightening = [flag for flag in flags.values() if flag.action == "tighten"]
        if tightening != self._tightening:
            self._tightening, self._tight = tightening, np.ones(len(self.all))
            for number, gauge in enumerate(self.all):
                if gauge.by in {By.EQUITY, By.DOLLARS} and gauge.check.sign > 0:
                    self._tight[number] = tightness_of(flags, {"account", gauge.check.scope}, factor=self._factor)
        return self._tight

    def _planned(self, rules: Rules, limits: Mapping[str, Limits]) -> Iterator[Gauge]:
        """Yield the limits of the account, of groups, strategies, symbols and sets of them, and on money."""
        of, account = self._exposures, rules.account
        for one in limited(account, "account", "risk.account.{}"):
            if one.of != Of.POSITION:
                yield Gauge(one.check, one.of, one.by, self._symbols)
        for name, group in rules.groups.items():
            ranks = [of.rank[one] for one in group.strategies if one in of.rank]
            for one in limited(group, f"group {name}", f"risk.groups.{name}.{{}}"):
                yield Gauge(one.check, one.of, one.by, self._slots[np.isin(self._owner, ranks)])
        for name, own in limits.items():
            for one in limited(own, f"strategy {name}", f"risk_config.{{}} of strategy {name}"):
                yield Gauge(one.check, one.of, one.by, self._slots[of.slots_of[name]], _OWN + of.rank[name])
        yield from self._of_symbols(Rings(rules, limits, of))
        for rule, measure, by in (("min_equity", _NAV, By.NUMBER), ("min_cash_buffer", _FREE, By.EQUITY_ALWAYS)):
            if bound := getattr(account, rule):
                unit: Unit = "$" if measure == _NAV else "of equity"
                check = check_of(rule, bound, scope="account", key=f"risk.account.{rule}", unit=unit)
                yield Gauge(check, measure, by, self._symbols)

    def _of_symbols(self, rings: Rings) -> Iterator[Gauge]:
        buckets: dict[int, Bucket] = {}
        for number, symbol in enumerate(self._exposures.symbols):
            found = rings.account(symbol)
            for one in sorted(found.limits, key=lambda one: one.check.key.startswith("risk.account")):
                if one.of == Of.POSITION:
                    yield Gauge(one.check, one.of, one.by, self._symbols[number : number + 1])
            buckets |= {bucket.number: bucket for bucket in found.buckets}
        for row, bucket in sorted(buckets.items()):
            yield Gauge(bucket.check, Of.GROSS, By.EQUITY, np.flatnonzero(rings.members[row]))
