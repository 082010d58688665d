"""What is wrong with settings, in the words of the file they stand in rather than of the library that read it.

A finding is a place and a message; places are as pydantic gives them, ``("strategies", 1, "name")``, and are rendered
as ``strategies[1].name`` at the end, when all findings are together.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from trader.errors import Problem
from trader.model.money import plain
from trader.registry import did_you_mean

Loc = tuple[int | str, ...]
Finding = tuple[Loc, str]

SHOWN = 60  # characters of a wrong value that are shown
_SECRET = re.compile(r"(^|_)(api_?key|key_?id|private_key|secret|pass(word|phrase)|(access|auth|bearer)_token)|^token$")
_OF_KEY = "[key]"  # pydantic's word for: it is the key that is wrong, not what stands under it
_SIMPLE_KEY = re.compile(r"[$\w-]+")

# Where pydantic speaks of Python, or is long-winded. Anything else is given as pydantic says it.
_WORDS = {
    "bool_type": "must be true or false",
    "finite_number": "must be a finite number",
    "greater_than": "must be > {gt}",
    "greater_than_equal": "must be ≥ {ge}",
    "int_from_float": "must be a whole number",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "dict_type": "must be an object",
    "less_than": "must be < {lt}",
    "less_than_equal": "must be ≤ {le}",
    "literal_error": "must be one of {expected}",
    "model_type": "must be an object",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "string_type": "must be text",
    "too_long": "must have at most {max_length} entries",
    "tuple_type": "must be a list",
}
_SAID_IN_FULL = {"value_error", "assertion_error"}  # raised by validators, which name what they were given


def problems(findings: Iterable[Finding]) -> list[Problem]:
    """Render findings in the order of the strategies in the file, the first of each place only."""
    first: dict[Loc, str] = {}
    for loc, message in findings:
        first.setdefault(loc, message)
    ordered = sorted(first, key=lambda loc: loc[1] if len(loc) > 1 and isinstance(loc[1], int) else -1)
    return [Problem(place(loc), first[loc]) for loc in ordered]


def explain(error: ValidationError, model: type[BaseModel]) -> Iterator[Finding]:
    """Yield what is wrong with the data of a settings section."""
    details = error.errors(include_url=False)
    for detail in details:
        loc = detail["loc"]
        if detail["type"] == "too_short" and any(other["loc"][: len(loc)] == loc != other["loc"] for other in details):
            continue  # it is short only of the entries that are wrong themselves
        if detail["type"] in {"extra_forbidden", "is_instance_of"}:  # the latter: a key for programs only, in a file
            yield loc, _unknown_key(str(loc[-1]), _section_at(model, loc[:-1]))
        else:
            yield loc, _message(detail)


def explain_call(error: ValidationError, cls: Callable[..., object]) -> Iterator[Finding]:
    """Yield what is wrong with the parameters that ``cls`` was called with."""
    allowed = list(inspect.signature(cls).parameters)
    for detail in error.errors(include_url=False):
        if detail["type"] == "unexpected_keyword_argument":
            hint = did_you_mean(str(detail["loc"][-1]), allowed) or f"; it takes {', '.join(allowed) or 'none'}"
            yield detail["loc"], f"unknown parameter{hint}"
        else:
            yield detail["loc"], _message(detail)


def unfit(data: object) -> Iterator[Finding]:
    """Yield what no setting may hold, wherever it stands: secrets, numbers that are none, keys written twice."""
    pending: list[tuple[Loc, object]] = [((), data)]
    while pending:
        loc, value = pending.pop()
        if isinstance(value, Mapping):
            if isinstance(value, Doubled):
                yield from (((*loc, key), "written twice; keep one of them") for key in value.doubled)
            secrets = (key for key in value if _SECRET.search(str(key).lower().replace("-", "_")))
            yield from (((*loc, key), _NO_SECRETS) for key in secrets)
            pending.extend(((*loc, key), below) for key, below in reversed([*value.items()]))
        elif isinstance(value, list | tuple):
            pending.extend(((*loc, index), value[index]) for index in reversed(range(len(value))))
        elif isinstance(value, float | Decimal) and not Decimal(value).is_finite():
            yield loc, "must be a finite number; there is no trading on NaN or Infinity"


_NO_SECRETS = (
    "secrets do not belong in a settings file; delete it, and set the environment variables"
    " APCA_API_KEY_ID and APCA_API_SECRET_KEY"
)


class Doubled(dict[str, object]):
    """An object of a file in which a key stood twice; the last one won, as JSON readers do it."""

    doubled: tuple[str, ...] = ()

    @classmethod
    def of(cls, pairs: list[tuple[str, object]]) -> dict[str, object]:
        """Return a plain dict, or this when a key is there twice."""
        plain_dict = dict(pairs)
        if len(plain_dict) == len(pairs):
            return plain_dict
        doubled = cls(plain_dict)
        keys = [key for key, _ in pairs]
        doubled.doubled = tuple(key for key in plain_dict if keys.count(key) > 1)
        return doubled


def place(loc: Loc) -> str:
    """Render a place: ``strategies[1].risk_config.max_daily_trades``; odd keys are quoted."""
    text = ""
    for part in loc:
        if part == _OF_KEY:
            continue
        if isinstance(part, int):
            text += f"[{part}]"
        elif _SIMPLE_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{show(part)}]"
    return text


def show(value: object) -> str:
    """Render a wrong value briefly, as the file has it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < SHOWN:
        return plain(value)
    try:
        text = repr(value) if isinstance(value, str | int | float) else str(value)
    except ValueError:  # Python refuses to print integers of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def _message(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return "required, but missing"
    if kind == "too_short":
        return "must not be empty"
    if kind in _SAID_IN_FULL:
        return str(context["error"])
    words = _WORDS.get(kind)
    text = words.format(**context) if words else detail["msg"].replace("Input should be", "must be")
    value = detail["input"]
    hint = ""
    if kind == "literal_error" and isinstance(value, str):
        hint = did_you_mean(value, re.findall(r"'([^']+)'", context["expected"]))
    return f"{text}, got {show(value)}{hint}"


def _unknown_key(key: str, section: type[BaseModel]) -> str:
    if key in {"live", "paper"}:
        return "unknown key; the mode is chosen on the command line (--live), never in a file"
    sections = {name: _section_of(field.annotation) for name, field in section.model_fields.items()}
    for name, below in sections.items():
        if below is not None and key in below.model_fields:
            return f"unknown key here; it belongs in {name!r}"
    allowed = [field.alias or name for name, field in section.model_fields.items() if not field.exclude]
    return f"unknown key{did_you_mean(key, allowed) or '; allowed: ' + ', '.join(allowed)}"


def _section_at(section: type[BaseModel], loc: Loc) -> type[BaseModel]:
    is_name = False  # one that people chose: the key of a mapping, which is no field
    for part in loc:
        if is_name or isinstance(part, int):
            is_name = False
            continue
        annotation = section.model_fields[part].annotation
        below, is_name = _section_of(annotation), get_origin(annotation) is dict
        assert below is not None, f"{part} of {section.__name__} is not a section"
        section = below
    return section


def _section_of(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 -- annotations have no common type
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section_of(part))), None)
