"""What in the limits names nothing that exists, contradicts itself, or can never be reached."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from trader.config.bounds import Levels
from trader.config.findings import Finding, Loc, show
from trader.config.risk_sections import RiskConfig, RiskSection
from trader.registry import did_you_mean
from trader.risk.ladder import PERIOD_OF

# Of one set of positions: the first can never be reached where it is looser than the second.
_WITHIN: Final[Sequence[tuple[str, str]]] = (
    ("max_position", "max_gross"),
    ("max_net", "max_gross"),
    ("max_sector", "max_gross"),
    ("max_category", "max_gross"),
    ("max_class", "max_gross"),
    ("max_position", "max_group_gross"),
    ("max_net", "max_group_gross"),
    ("max_position_value", "max_budget"),
    ("max_order_value", "max_position_value"),
)


def conflicts(risk: RiskSection, strategies: Mapping[str, RiskConfig]) -> Iterator[Finding]:
    """Yield what is wrong with the limits as a whole; ``strategies`` are those of each strategy, in file order."""
    yield from _at(("risk",), _names(risk, list(strategies)))
    yield from _at(("risk",), _lists(risk))
    yield from _at(("risk",), _twice(risk))
    yield from _at(("risk",), _unreachable(risk))
    for index, own in enumerate(strategies.values()):
        yield from _looser_than(("strategies", index, "risk_config"), own)
    yield from _at(("risk", "account"), _budgets(risk, strategies))


def _at(place: Loc, findings: Iterable[Finding]) -> Iterator[Finding]:
    return (((*place, *loc), message) for loc, message in findings)


def _names(risk: RiskSection, strategies: Sequence[str]) -> Iterator[Finding]:
    """Yield names of strategies, groups, sectors and categories that do not exist."""
    for name, group in risk.groups.items():
        for index, strategy in enumerate(group.strategies):
            if strategy in group.strategies[:index]:
                yield ("groups", name, "strategies", index), f"{show(strategy)} is named twice; keep one of them"
            yield from _unknown(strategy, strategies, ("groups", name, "strategies", index), "strategy")
    ladder, account = risk.ladder, risk.account
    given: Sequence[tuple[Iterable[str], Iterable[str], Loc, str]] = (
        (risk.authorized, strategies, ("authorized",), "strategy"),
        (ladder.strategies, strategies, ("ladder", "strategies"), "strategy"),
        (ladder.groups, risk.groups, ("ladder", "groups"), "group"),
        (account.max_sector_of, [*risk.sectors, "unknown"], ("account", "max_sector_of"), "sector"),
        (account.max_category_of, [*risk.categories, "unknown"], ("account", "max_category_of"), "category"),
    )
    for names, known, place, kind in given:
        for name in names:
            yield from _unknown(name, list(known), (*place, name), kind)


def _unknown(name: str, known: Sequence[str], place: Loc, kind: str) -> Iterator[Finding]:
    if name not in known:
        hint = did_you_mean(name, known) or (f"; there are {', '.join(known)}" if known else "; there is none")
        yield place, f"no {kind} is called {show(name)}{hint}"


def _lists(risk: RiskSection) -> Iterator[Finding]:
    """Yield symbols that one list lets pass and another does not."""
    for index, symbol in enumerate(risk.allowed):
        if symbol in risk.restricted:
            yield ("allowed", index), f"{symbol} is in restricted too, which holds; take it out of one of them"
    for strategy, symbols in risk.authorized.items():
        for index, symbol in enumerate(symbols):
            if symbol in risk.restricted:
                yield ("authorized", strategy, index), f"{symbol} is in restricted too, which holds; take it out here"
            elif risk.allowed and symbol not in risk.allowed:
                yield ("authorized", strategy, index), f"{symbol} is not in allowed; add it there, or take it out here"


def _twice(risk: RiskSection) -> Iterator[Finding]:
    """Yield symbols that are in two sectors, or two categories."""
    for key, names in (("sectors", risk.sectors), ("categories", risk.categories)):
        first: dict[str, str] = {}
        places = [(name, index, symbol) for name, symbols in names.items() for index, symbol in enumerate(symbols)]
        for name, index, symbol in places:
            if (other := first.setdefault(symbol, name)) != name:
                yield (key, name, index), f"{symbol} is in {show(other)} too; a symbol has one of them"


def _unreachable(risk: RiskSection) -> Iterator[Finding]:
    """Yield limits that another one of the same positions always comes before."""
    yield from _looser_than(("account",), risk.account)
    for name, group in risk.groups.items():
        yield from _looser_than(("groups", name), group)
    gross = _hard(risk.account, "max_gross")
    for symbol, own in risk.symbols.items():
        if gross is not None and (limit := _hard(own, "max_position")) is not None and limit > gross:
            yield ("symbols", symbol, "max_position"), _never(limit, "risk.account.max_gross", gross)
    scopes: list[tuple[Loc, object]] = [(("ladder",), risk.ladder)]
    scopes += [(("ladder", "groups", name), losses) for name, losses in risk.ladder.groups.items()]
    scopes += [(("ladder", "strategies", name), losses) for name, losses in risk.ladder.strategies.items()]
    for place, losses in scopes:
        for shorter, longer in pairwise(PERIOD_OF):
            limit, ends = _hard(losses, shorter), _hard(losses, longer)
            if limit is not None and ends is not None and limit > ends:
                yield (*place, shorter), _never(limit, longer, ends)


def _looser_than(place: Loc, section: object) -> Iterator[Finding]:
    for inner, outer in _WITHIN:
        limit, bound = _hard(section, inner), _hard(section, outer)
        if limit is not None and bound is not None and limit > bound:
            yield (*place, inner), _never(limit, outer, bound)


def _never(limit: float, other: str, bound: float) -> str:
    return f"conflicts with {other}: {limit:g} can never be reached, since {bound:g} comes first; lower it"


def _budgets(risk: RiskSection, strategies: Mapping[str, RiskConfig]) -> Iterator[Finding]:
    whole = _hard(risk.account, "max_budget")
    total = sum(_hard(own, "max_budget") or 0.0 for own in strategies.values())
    if whole is not None and total > whole:
        message = f"conflicts with the strategies' max_budget, which add up to ${total:.2f}, more than ${whole:.2f}"
        yield ("max_budget",), f"{message}; raise it, or lower theirs"


def _hard(section: object, key: str) -> float | None:
    levels = getattr(section, key, None)
    return levels.hard if isinstance(levels, Levels) else None
