"""Faults as people write them: a file, or what is sent to the control port; everything that is wrong is told at once.

``{"seed": 7, "faults": [{"at": "+90s", "kind": "drop", "socket": "stock"}, …]}``. Times are RFC 3339, or ``+90s`` after
the exchange's start; without one a fault happens at once. One of kind ``random`` stands for many, drawn from a seed.
"""

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec
from msgspec.structs import fields

from trader.config.files import read, shown
from trader.config.findings import Finding, Loc, problems, show, unfit
from trader.errors import ConfigError
from trader.exchange.fault_kinds import DRAWABLE, KINDS, Random
from trader.exchange.fault_terms import Amount, Fault, Moment, Offset, Span
from trader.model.money import decimal_of
from trader.model.time import parse_duration, parse_time
from trader.registry import did_you_mean

_EXAMPLE: Final = '{"at": "+90s", "kind": "drop"}'
_KEYS: Final = ("seed", "faults")
_CLASSES: Final[dict[str, type[Fault] | type[Random]]] = {**KINDS, "random": Random}
_NAMES: Final = ("symbol", "account")  # fields that name something of the exchange


class Known(msgspec.Struct, frozen=True):
    """What faults may name: the exchange's symbols and accounts."""

    symbol: Collection[str]
    account: Collection[str]


class Script(msgspec.Struct, frozen=True):
    """Faults in the order of the file, and the seed of what they leave to chance."""

    seed: int = 0
    faults: tuple[Fault, ...] = ()


def read_script(path: Path, known: Known) -> Script:
    """Read a script, JSON or TOML.

    Raises:
        ConfigError: the file cannot be read, or some of it is no script, each with its place.
    """
    data = read(path)
    try:
        return script_of(data, known)
    except ConfigError as error:
        raise ConfigError(error.problems, source=shown(path)) from None


def script_of(data: object, known: Known) -> Script:
    """Return the script that ``data``, read from JSON, describes: a whole one, a list of faults, or one fault.

    Raises:
        ConfigError: some of it is no script, each with its place.
    """
    reader = _Reader(known)
    script = reader.script(data)
    findings = [*unfit(data), *reader.findings]
    if findings:
        raise ConfigError(problems(findings))
    return script


class _Reader:
    """Collects what is wrong on the way."""

    def __init__(self, known: Known) -> None:
        self.findings: list[Finding] = []
        self._known = known

    def script(self, data: object) -> Script:
        if isinstance(data, list):
            return Script(0, self._faults(data, (), seed=0))
        if not isinstance(data, Mapping):
            self._find((), f"must be a fault such as {_EXAMPLE}, a list of them, or an object with such a list")
            return Script()
        if "kind" in data:
            return Script(0, self._fault(data, (), seed=0))
        for key in data.keys() - set(_KEYS):
            self._find((str(key),), f"unknown key{did_you_mean(str(key), _KEYS) or '; allowed: seed, faults'}")
        seed = self._value(data.get("seed", 0), int, ("seed",))
        faults = data.get("faults")
        if not isinstance(faults, list):
            self._find(("faults",), f"must be a list of faults such as {_EXAMPLE}")
            return Script()
        return Script(seed or 0, self._faults(faults, ("faults",), seed=seed))

    def _faults(self, data: list[object], loc: Loc, *, seed: object) -> tuple[Fault, ...]:
        return tuple(fault for index, one in enumerate(data) for fault in self._fault(one, (*loc, index), seed=seed))

    def _fault(self, data: object, loc: Loc, *, seed: object) -> tuple[Fault, ...]:
        """Read one entry, which is one fault, many drawn ones, or none when something is wrong with it."""
        if not isinstance(data, Mapping):
            self._find(loc, f"must be an object such as {_EXAMPLE}, got {show(data)}")
            return ()
        kind = data.get("kind")
        cls = _CLASSES.get(kind) if isinstance(kind, str) else None
        if cls is None:
            given = f", got {show(kind)}" if "kind" in data else ""
            self._find((*loc, "kind"), f"must be one of {', '.join(_CLASSES)}{given}{_near(kind, _CLASSES)}")
            return ()
        before = len(self.findings)
        values = self._values(data, cls, loc)
        if len(self.findings) > before:
            return ()
        made = cls(**values)
        if isinstance(made, Fault):
            return (made,)
        return self._expanded(made, loc, seed=seed)

    def _expanded(self, made: Random, loc: Loc, *, seed: object) -> tuple[Fault, ...]:
        first, last = made.between
        if type(first) is not type(last) or first >= last:
            self._find((*loc, "between"), "must be two times of the same form, the earlier one first")
            return ()
        for index, kind in enumerate(made.kinds):
            if kind not in DRAWABLE:
                self._find((*loc, "kinds", index), f"must be one of {', '.join(DRAWABLE)}{_near(kind, DRAWABLE)}")
        if not made.kinds:
            self._find((*loc, "kinds"), "must not be empty")
        is_sound = made.kinds and all(kind in DRAWABLE for kind in made.kinds)
        return tuple(made.expanded(seed, *loc)) if is_sound else ()

    def _values(self, data: Mapping[str, object], cls: type[Fault | Random], loc: Loc) -> dict[str, Any]:
        values = {}
        known = {field.encode_name: field for field in fields(cls)}
        for key in data.keys() - known.keys() - {"kind"}:
            hint = did_you_mean(str(key), known) or f"; a fault of this kind has {', '.join(known)}"
            self._find((*loc, str(key)), f"unknown key{hint}")
        for name, field in known.items():
            if name in data:
                values[field.name] = self._value(data[name], field.type, (*loc, name))
            elif field.required:
                self._find((*loc, name), f"required, but missing; {_allowed(field.type)}")
        return values

    def _value(self, value: object, kind: Any, loc: Loc) -> Any:  # noqa: ANN401 -- whatever the field holds
        try:
            made = msgspec.convert(_numbers(value), kind, dec_hook=_read)
        except (msgspec.ValidationError, ValueError, ArithmeticError):
            choices = [str(choice) for choice in get_args(kind)] if get_origin(kind) is Literal else []
            self._find(loc, f"{_allowed(kind)}, got {show(value)}{_near(value, choices)}")
            return None
        names = getattr(self._known, str(loc[-1])) if loc[-1] in _NAMES else ()
        if made and names and made not in names:
            self._find(loc, f"there is no {loc[-1]} {show(made)} on this exchange{_near(made, names)}")
        return made

    def _find(self, loc: Loc, message: str) -> None:
        self.findings.append((loc, message))


def spelled(fault: Fault) -> dict[str, object]:
    """Return a fault as it is written, with all that was left out."""
    spelt: dict[str, object] = msgspec.to_builtins(fault, enc_hook=str)
    return {key: value for key, value in spelt.items() if value is not None}


def _read(kind: type, value: object) -> object:
    """Read an amount, a time or a span, for msgspec."""
    if kind is Amount:
        amount = Amount(decimal_of(value) if isinstance(value, float) else value)  # type: ignore[arg-type]
        if not (amount.is_finite() and amount > 0):
            raise ValueError("no amount")
        return amount
    text = value if isinstance(value, str) else ""  # which is neither
    if kind is Span:
        return Span(parse_duration(text))
    if text.startswith("+"):
        return Offset(0 if text == "+0s" else parse_duration(text[1:]))
    return Moment(parse_time(text))


def _numbers(value: object) -> object:
    """Return fractions in the one form that fields of every kind of number can be read from."""
    return float(value) if isinstance(value, Decimal) else value


_WORDS: Final[dict[object, str]] = {
    Moment: "a time such as 2026-01-05T14:30:00Z, or after the start such as +90s",
    Span: "a length of time such as 30s or 2m",
    Amount: "a number above 0",
    bool: "true or false",
    str: "text",
}


def _allowed(kind: Any) -> str:  # noqa: ANN401 -- types of fields have no common type
    """Say what a field takes."""
    return f"must be {_described(kind)}"


def _described(kind: Any) -> str:  # noqa: ANN401 -- as above
    origin, parts = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        return " or ".join(_described(part) for part in parts if part is not NoneType)
    if origin is Literal:
        return "one of " + ", ".join(repr(part) if isinstance(part, str) else str(part) for part in parts)
    if origin is tuple and parts[-1] is not Ellipsis:
        return f"a list of {len(parts)}, each {_described(parts[0])}"
    if origin is tuple:
        return f"a list, each {_described(parts[0])}"
    if origin is Annotated or kind in {int, float}:
        return "a " + " ".join(_bounded(kind, parts))
    return _WORDS[kind]


def _bounded(kind: Any, parts: tuple[Any, ...]) -> Iterator[str]:  # noqa: ANN401 -- as above
    yield "whole number" if (parts or (kind,))[0] is int else "number"
    for meta in parts[1:]:
        bounds = {"of at least": meta.ge, "above": meta.gt, "of at most": meta.le, "below": meta.lt}
        yield " and ".join(f"{words} {bound}" for words, bound in bounds.items() if bound is not None)


def _near(value: object, allowed: Collection[str]) -> str:
    return did_you_mean(value, allowed) if isinstance(value, str) and allowed else ""
