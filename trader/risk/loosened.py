"""What of the rules is looser than it was: whoever starts with such rules is to say that it is meant."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from trader.risk.bounds import NONE, Bound
from trader.risk.escalation import Action
from trader.risk.gauges import BUCKETS
from trader.risk.limits import SymbolLimits
from trader.risk.rules import Rules
from trader.risk.tiers import AGE_NS, BY_URGENCY

_NO_LIMITS: Final = SymbolLimits()
Loosened = tuple[str, str, str]  # the place, what it was, what it is

# Bounds of the least that is allowed, beside those named min_….
_LEAST: Final = frozenset({"duplicate", "cooldown"})
# Numbers that are no bounds: whether more of them is looser.
_MORE_IS_LOOSER: Final[Mapping[str, bool]] = {
    "max_decimals": True,
    "weekly_factor": True,
    "impact_coefficient": False,
    "close_only_before_close_min": False,
    "loss_streak_pause_s": False,
    "is_on": False,
    "max_ratio": False,
    "relax_days": False,
    "confidence": False,
    "horizon": False,
}
# Lists: what may not be taken out of the first, what may not be put into the second; of none of those, all is allowed.
_NEVER_LESS: Final = frozenset({"restricted", "close_only", "strategies", "scenarios"})
_NEVER_MORE: Final = frozenset({"allowed", "sessions", "order_types"})


def loosened(old: msgspec.Struct, new: msgspec.Struct, place: str = "") -> Iterator[Loosened]:
    """Yield every limit of ``old`` that ``new`` has looser, or not at all."""
    if isinstance(old, Rules) and isinstance(new, Rules):
        yield from _acted_on(old, new)
        old, new = _written_out(old, new), _written_out(new, old)
    for name in old.__struct_fields__:
        was, now = getattr(old, name), getattr(new, name)
        if was != now and name not in {"escalation", "tiers"}:
            yield from _compared(f"{place}.{name}" if place else name, name, was, now)


def _compared(place: str, name: str, was: Any, now: Any) -> Iterator[Loosened]:  # noqa: ANN401 -- of any field
    if isinstance(was, Bound):
        if _is_looser(name, was, now):
            yield place, _shown(was), _shown(now)
    elif isinstance(was, msgspec.Struct):
        yield from loosened(was, now, place)
    elif isinstance(was, Mapping):
        yield from _by_name(place, name, was, now)
    elif isinstance(was, tuple):
        yield from _listed(place, name, was, now)
    elif name in _MORE_IS_LOOSER and (now > was) is _MORE_IS_LOOSER[name]:
        yield place, f"{was:g}", f"{now:g}"


def _is_looser(name: str, was: Bound, now: Bound) -> bool:
    if was.hard is None or now.hard is None:
        return was.hard is not None
    return now.hard < was.hard if name.startswith("min_") or name in _LEAST else now.hard > was.hard


def _by_name(place: str, name: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Loosened]:
    for key, value in was.items():
        if name == "authorized":
            if key not in now or not set(now[key]) <= set(value):
                yield f"{place}.{key}", _shown(value), _shown(now.get(key, ()))
        elif isinstance(value, msgspec.Struct):
            yield from _compared(f"{place}.{key}", name, value, now.get(key, _nothing(value)))


def _nothing(value: msgspec.Struct) -> msgspec.Struct:
    """Return a value of the same kind that limits nothing."""
    if isinstance(value, Bound):
        return NONE
    empty = {name: () for name in value.__struct_fields__ if name == "strategies"}
    return type(value)(**empty)


def _listed(place: str, name: str, was: tuple[Any, ...], now: tuple[Any, ...]) -> Iterator[Loosened]:
    is_less = name in _NEVER_LESS and not set(map(_name, was)) <= set(map(_name, now))
    is_more = name in _NEVER_MORE and was and (not now or not set(now) <= set(was))
    if is_less or is_more:
        yield place, _shown(was), _shown(now)


def _written_out(rules: Rules, other: Rules) -> Rules:
    """Return the rules with a limit of its own for whatever has one in ``other``: the general one, if need be."""
    account, symbols = rules.account, {}
    for symbol in (*rules.symbols, *other.symbols):
        own = rules.symbols.get(symbol, _NO_LIMITS)
        names = own.__struct_fields__
        symbols[symbol] = SymbolLimits(*(getattr(own, name) or getattr(account, name) for name in names))
    buckets = {
        f"{name}_of": {
            bucket: getattr(account, f"{name}_of").get(bucket, getattr(account, name))
            for one in (rules, other)
            for bucket in getattr(one.account, f"{name}_of")
        }
        for name in BUCKETS
    }
    return msgspec.structs.replace(rules, symbols=symbols, account=msgspec.structs.replace(account, **buckets))


def _acted_on(old: Rules, new: Rules) -> Iterator[Loosened]:
    """Yield what is answered more mildly, and whose orders are checked on older sums."""
    order: Callable[[Action], int] = list(Action).index
    for kind in dict.fromkeys([*old.escalation.actions, *new.escalation.actions]):
        for level in ("soft", "hard"):
            was, now = old.escalation.action_of(kind, level), new.escalation.action_of(kind, level)
            if order(now) < order(was):
                yield f"escalation.{kind}.{level}", was, now
    for urgency, usual in BY_URGENCY.items():
        before, after = old.tiers.get(urgency, usual), new.tiers.get(urgency, usual)
        if AGE_NS[after] > AGE_NS[before]:
            yield f"tiers.{urgency}", before, after


def _name(value: Any) -> Any:  # noqa: ANN401 -- text, or a stress
    return getattr(value, "name", value)


def _shown(value: Bound | tuple[Any, ...]) -> str:
    if isinstance(value, Bound):
        return "none" if value.hard is None else f"{value.hard:g}"
    return ", ".join(str(_name(one)) for one in value) or "none"
