"""Sets of positions with limits of their own, and which of those limits an opening meets."""

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trader.model.instruments import instrument_of
from trader.model.views import Exposures, Floats
from trader.risk.bounds import Bound
from trader.risk.checks import Check, Unit, check_of
from trader.risk.limits import AccountLimits, Limits
from trader.risk.rules import UNKNOWN, Rules
from trader.risk.sums import Sums


class Of(IntEnum):
    """Which of :class:`~trader.risk.sums.Measures` a limit is on."""

    POSITION = 0
    GROSS = 1
    NET = 2
    NUMBER = 3


class By(IntEnum):
    """What a measure is divided by before it meets its limit, and whether that tightens with the market."""

    EQUITY = 0
    DOLLARS = 1
    NUMBER = 2
    EQUITY_ALWAYS = 3  # the broker's own limit, in any market


UNITS: Final[dict[By, Unit]] = {By.EQUITY: "of equity", By.DOLLARS: "$", By.NUMBER: "", By.EQUITY_ALWAYS: "of equity"}

MEASURED: Final[dict[str, tuple[Of, By]]] = {
    "max_position": (Of.POSITION, By.EQUITY),
    "max_position_value": (Of.POSITION, By.DOLLARS),
    "max_gross": (Of.GROSS, By.EQUITY),
    "max_group_gross": (Of.GROSS, By.EQUITY),
    "max_leverage": (Of.GROSS, By.EQUITY),
    "max_equity_multiple": (Of.GROSS, By.EQUITY_ALWAYS),
    "max_budget": (Of.GROSS, By.DOLLARS),
    "max_net": (Of.NET, By.EQUITY),
    "max_positions": (Of.NUMBER, By.NUMBER),
}


class Limited(NamedTuple):
    """A check with what it looks at."""

    check: Check
    of: Of
    by: By


class Bucket(NamedTuple):
    """A limit on one sector, category or class; ``members`` has shape (n,), 1 for each of its symbols, else 0."""

    check: Check
    members: Floats


class Ring:
    """A set of positions: the slots ``places``, or the whole account by symbol where that is None."""

    def __init__(self, scope: str, exposures: Exposures, places: NDArray[np.intp] | None) -> None:
        """Have no sums before they are asked for."""
        self.scope = scope
        self.sums: Sums | None = None  # as of the gate's last look, and of what was let pass since
        self._exposures = exposures
        self._places: slice | NDArray[np.intp] | None = places
        if places is not None and len(places) == places[-1] - places[0] + 1:
            self._places = slice(int(places[0]), int(places[-1]) + 1)  # a view is cheaper than a copy

    def summed(self) -> Sums:
        """Return the sums, anew where they were forgotten."""
        if self.sums is None:
            of, places = self._exposures, self._places
            if places is None:
                self.sums = Sums(of.net, of.buys, of.sells, of.marks)
            else:
                marks = of.marks[of.symbol_of[places]]
                self.sums = Sums(of.held[places], of.held_buys[places], of.held_sells[places], marks)
        return self.sums


class Walk(NamedTuple):
    """What the openings of one strategy and symbol meet in one ring; ``place`` is where their position stands."""

    ring: Ring
    place: int
    limits: Sequence[Limited]
    buckets: Sequence[Bucket]
    scopes: frozenset[str]  # flags on one of these tighten it


class Rings:
    """The account, the groups and the strategies of one desk, as far as they have limits."""

    def __init__(self, rules: Rules, limits: Mapping[str, Limits], exposures: Exposures) -> None:
        """Plan nothing before it is asked for."""
        self.account = Ring("account", exposures, None)
        self._rules = rules
        self._limits = limits
        self._exposures = exposures
        self._groups = {
            name: Ring(f"group {name}", exposures, np.sort(np.concatenate([*map(self._slots, group.strategies)])))
            for name, group in rules.groups.items()
            if group.strategies
        }
        self._own: dict[str, Ring] = {}
        self._walks: dict[tuple[str, str], tuple[Walk, ...]] = {}
        self._members: dict[tuple[str, str], Floats] = {}

    def forget(self) -> None:
        """Sum everything up anew when it is asked for next."""
        for ring in (self.account, *self._groups.values(), *self._own.values()):
            ring.sums = None

    def walks(self, strategy: str, symbol: str) -> tuple[Walk, ...]:
        """Return what an opening meets, the account first, then groups, then the strategy's own."""
        walks = self._walks.get((strategy, symbol))
        if walks is None:
            walks = self._walks[strategy, symbol] = tuple(self._planned(strategy, symbol))
        return walks

    def _planned(self, strategy: str, symbol: str) -> Iterator[Walk]:
        rules, account = self._rules, self._rules.account
        limits = [*self._account_limits(symbol)]
        yield Walk(
            self.account,
            self._exposures.index[symbol],
            limits,
            [*self._buckets(account, symbol)],
            frozenset({"account", f"symbol {symbol}"}),
        )
        for name, ring in self._groups.items():
            if strategy in rules.groups[name].strategies:
                of = limited(rules.groups[name], ring.scope, f"risk.groups.{name}")
                place = self._place(strategy, symbol, rules.groups[name].strategies)
                yield Walk(ring, place, [*of], [], frozenset({"account", ring.scope}))
        of = limited(self._limits[strategy], f"strategy {strategy}", f"risk_config of strategy {strategy}: ")
        if own := [*of]:
            scope = f"strategy {strategy}"
            ring = self._own.setdefault(strategy, Ring(scope, self._exposures, self._slots(strategy)))
            yield Walk(ring, self._place(strategy, symbol, (strategy,)), own, [], frozenset({"account", scope}))

    def _account_limits(self, symbol: str) -> Iterator[Limited]:
        own = self._rules.symbols.get(symbol)
        for one in limited(self._rules.account, "account", "risk.account"):
            if one.of is not Of.POSITION:
                yield one
            elif own is None or not getattr(own, one.check.rule):
                yield one._replace(check=one.check._replace(scope=f"symbol {symbol}"))
        if own is not None:
            yield from limited(own, f"symbol {symbol}", f"risk.symbols.{symbol}")

    def _buckets(self, account: AccountLimits, symbol: str) -> Iterator[Bucket]:
        kinds: tuple[tuple[str, Mapping[str, Sequence[str]] | None, Bound, Mapping[str, Bound]], ...] = (
            ("max_sector", self._rules.sectors, account.max_sector, account.max_sector_of),
            ("max_category", self._rules.categories, account.max_category, account.max_category_of),
            ("max_class", None, account.max_class, account.max_class_of),
        )
        for rule, names, general, special in kinds:
            name = bucket_of(symbol, names)
            key = f"risk.account.{rule}_of.{name}" if name in special else f"risk.account.{rule}"
            if bound := special.get(name, general):
                check = check_of(rule, bound, scope="account", key=key, unit="of equity")
                yield Bucket(check._replace(key=f"{key} ({name})"), self._member(rule, name, names))

    def _member(self, rule: str, name: str, names: Mapping[str, Sequence[str]] | None) -> Floats:
        if (rule, name) not in self._members:
            self._members[rule, name] = np.array(
                [float(bucket_of(symbol, names) == name) for symbol in self._exposures.symbols]
            )
        return self._members[rule, name]

    def _slots(self, strategy: str) -> NDArray[np.intp]:
        part = self._exposures.slots_of[strategy]
        return np.arange(part.start, part.stop)

    def _place(self, strategy: str, symbol: str, strategies: Sequence[str]) -> int:
        """Return where a strategy's position in a symbol stands among those of some strategies."""
        slots = np.sort(np.concatenate([*map(self._slots, strategies)]))  # as its ring has them
        part, number = self._exposures.slots_of[strategy], self._exposures.index[symbol]
        is_there = (slots >= part.start) & (slots < part.stop) & (self._exposures.symbol_of[slots] == number)
        return int(np.flatnonzero(is_there)[0])


def bucket_of(symbol: str, names: Mapping[str, Sequence[str]] | None) -> str:
    """Return the sector or category that ``names`` put a symbol in, its class where there are no names to have."""
    if names is None:
        return instrument_of(symbol).asset_class
    return next((name for name, symbols in names.items() if symbol in symbols), UNKNOWN)


def limited(limits: object, scope: str, key: str) -> Iterator[Limited]:
    """Yield a check for every bound on exposure that ``limits`` have; ``key`` is where they stand in the settings."""
    for rule, (of, by) in MEASURED.items():
        if bound := getattr(limits, rule, None):
            place = f"{key}{rule}" if key.endswith(" ") else f"{key}.{rule}"
            yield Limited(check_of(rule, bound, scope=scope, key=place, unit=UNITS[by]), of, by)
