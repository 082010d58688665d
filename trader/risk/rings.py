"""Which limits on exposure an opening meets: the account's, those of its groups, its strategy's own."""

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from math import inf
from typing import Final, NamedTuple

import numpy as np

from trader.model.instruments import instrument_of
from trader.model.views import Exposures, Floats
from trader.risk.bounds import Bound
from trader.risk.checks import Check, Unit, check_of
from trader.risk.limits import Limits
from trader.risk.rules import UNKNOWN, Rules


class Of(IntEnum):
    """Which figure of a set of positions a limit is on."""

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
_PAIRS: Final = tuple(dict.fromkeys(MEASURED.values()))  # in the order of :class:`Most`


class Limited(NamedTuple):
    """A check with what it looks at: numbers of :class:`Of` and :class:`By`, plain, since every order asks for them."""

    first: float  # of the check
    of: int
    by: int
    check: Check


class Most(NamedTuple):
    """What a set of positions may come to before the first level of any limit: one look in place of one for each.

    Parts of equity and dollars tighten with the market, ``multiple`` and ``number`` never; infinite without a limit.
    """

    position: float
    position_usd: float
    gross: float
    multiple: float
    gross_usd: float
    net: float
    number: float


class Bucket(NamedTuple):
    """A limit on one sector, category or class: the set of symbols in row ``number`` of :attr:`Rings.members`."""

    first: float  # of the check
    number: int
    check: Check


class Ring(NamedTuple):
    """A group or a strategy with limits of its own: the strategies in ``rows``, and whose flags tighten it."""

    scope: str
    rows: Sequence[int]
    limits: Sequence[Limited]
    most: Most
    tightened_by: frozenset[str]
    is_own: bool  # a strategy's, on its own equity


class OfAccount(NamedTuple):
    """What the openings of one symbol meet in the account."""

    limits: Sequence[Limited]
    most: Most
    buckets: Sequence[Bucket]
    tightened_by: frozenset[str]


class Rings:
    """The account, the groups and the strategies of one desk, as far as they have limits.

    ``members`` has a row for each sector, category and class with a limit, shape (rows, n), 1 for each of its symbols.
    ``begins`` are the first slots of the strategies that have any; ``rows`` where those strategies stand among them.
    """

    def __init__(self, rules: Rules, limits: Mapping[str, Limits], exposures: Exposures) -> None:
        """Plan nothing before it is asked for."""
        parts = {name: part for name, part in exposures.slots_of.items() if part.stop > part.start}
        self.begins = np.array([part.start for part in parts.values()], dtype=np.intp)
        self.rows: Mapping[str, int] = {name: row for row, name in enumerate(parts)}
        self._rules = rules
        self._limits = limits
        self._exposures = exposures
        self._general = [*limited(rules.account, "account", "risk.account.{}")]
        self._sets = [*self._with_limits()]
        self.members: Floats = np.array([members for *_, members in self._sets])
        self._accounts: dict[str, OfAccount] = {}
        self._rings: dict[str, tuple[Ring, ...]] = {}
        self._places: dict[str, dict[str, int]] = {}

    def account(self, symbol: str) -> OfAccount:
        """Return what an opening of a symbol meets in the account."""
        found = self._accounts.get(symbol)
        if found is None:
            number = self._exposures.index[symbol]
            buckets = [
                Bucket(check.first, row, check) for row, (check, members) in enumerate(self._sets) if members[number]
            ]
            limits = self._general
            if symbol in self._rules.symbols or any(one.of == Of.POSITION for one in limits):
                limits = [*self._limits_of(symbol)]
            found = OfAccount(limits, most_of(limits), buckets, frozenset({"account", f"symbol {symbol}"}))
            self._accounts[symbol] = found
        return found

    def rings(self, strategy: str) -> tuple[Ring, ...]:
        """Return the groups and then the strategy itself, as far as they have limits."""
        rings = self._rings.get(strategy)
        if rings is None:
            rings = self._rings[strategy] = tuple(self._rings_of(strategy))
        return rings

    def place(self, strategy: str, symbol: str) -> int:
        """Return the number of a slot."""
        places = self._places.get(strategy)
        if places is None:
            part, of = self._exposures.slots_of[strategy], self._exposures
            numbers = of.symbol_of[part].tolist()
            places = {of.symbols[number]: part.start + place for place, number in enumerate(numbers)}
            self._places[strategy] = places
        return places[symbol]

    def _limits_of(self, symbol: str) -> Iterator[Limited]:
        """Give the account's limits, those on a single position as the symbol's own where it has some."""
        own = self._rules.symbols.get(symbol)
        for one in self._general:
            if one.of != Of.POSITION:
                yield one
            elif own is None or not getattr(own, one.check.rule):
                yield one._replace(check=one.check._replace(scope=f"symbol {symbol}"))
        if own is not None:
            yield from limited(own, f"symbol {symbol}", f"risk.symbols.{symbol}.{{}}")

    def _rings_of(self, strategy: str) -> Iterator[Ring]:
        for name, group in self._rules.groups.items():
            scope = f"group {name}"
            if strategy in group.strategies and (limits := [*limited(group, scope, f"risk.groups.{name}.{{}}")]):
                rows = sorted(self.rows[one] for one in group.strategies if one in self.rows)
                yield Ring(scope, rows, limits, most_of(limits), frozenset({"account", scope}), is_own=False)
        scope = f"strategy {strategy}"
        if limits := [*limited(self._limits[strategy], scope, f"risk_config.{{}} of strategy {strategy}")]:
            rows = [self.rows[strategy]]
            yield Ring(scope, rows, limits, most_of(limits), frozenset({"account", scope}), is_own=True)

    def _with_limits(self) -> Iterator[tuple[Check, list[float]]]:
        """Give every sector, category and class that has a limit, and which symbols are in it."""
        rules, account = self._rules, self._rules.account
        kinds: tuple[tuple[str, Mapping[str, Sequence[str]] | None, Bound, Mapping[str, Bound]], ...] = (
            ("max_sector", rules.sectors, account.max_sector, account.max_sector_of),
            ("max_category", rules.categories, account.max_category, account.max_category_of),
            ("max_class", None, account.max_class, account.max_class_of),
        )
        for rule, names, general, special in kinds:
            buckets = [bucket_of(symbol, names) for symbol in self._exposures.symbols]
            for name in dict.fromkeys(buckets):
                key = f"risk.account.{rule}_of.{name}" if name in special else f"risk.account.{rule} ({name})"
                if bound := special.get(name, general):
                    check = check_of(rule, bound, scope="account", key=key, unit="of equity")
                    yield check, [float(bucket == name) for bucket in buckets]


def bucket_of(symbol: str, names: Mapping[str, Sequence[str]] | None) -> str:
    """Return the sector or category that ``names`` put a symbol in, its class where there are no names to have."""
    if names is None:
        return instrument_of(symbol).asset_class
    return next((name for name, symbols in names.items() if symbol in symbols), UNKNOWN)


def most_of(limits: Sequence[Limited]) -> Most:
    """Return what a set of positions may come to that is held to ``limits``."""
    return Most(*(min((one.first for one in limits if (one.of, one.by) == pair), default=inf) for pair in _PAIRS))


def limited(limits: object, scope: str, key: str) -> Iterator[Limited]:
    """Yield a check for every bound on exposure in ``limits``; ``key`` is where one stands, ``{}`` in it the rule."""
    for rule, (of, by) in MEASURED.items():
        if bound := getattr(limits, rule, None):
            check = check_of(rule, bound, scope=scope, key=key.replace("{}", rule), unit=UNITS[by])
            yield Limited(check.first, of.value, by.value, check)
