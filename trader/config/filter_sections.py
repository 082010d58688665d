"""The keys of a settings file that name filters, and the filters they become.

A filter's parameters stand beside its name, with hyphens or underscores: ``{"name": "weekday", "blocked-days":
["Fri"]}``. On the command line they are one text, ``blocked-days=Fri;Mon,block-friday=false``: commas between
parameters, semicolons between the entries of a list or an object, colons between the names and values of an object,
plus signs between the entries of a list within one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from inspect import signature
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import ValidationError

from trader.config.fields import floats
from trader.config.findings import Finding, explain_call, problems
from trader.config.sections import FilterConfig
from trader.director import FILTERS, Filter, Link
from trader.errors import ConfigError, Problem
from trader.registry import Registry

FILTER_TYPES = Registry("filter", "trader.filters", FILTERS)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_WHOLE = re.compile(r"[-+]?\d{1,18}")  # longer ones are no counts, and Python reads none of thousands of digits
_WORDS: dict[str, object] = {"true": True, "false": False, "null": None, "none": None}


Categories = Mapping[str, Sequence[str]]  # symbols by category, as the risk section names them


def links_of(chain: Sequence[FilterConfig], *, categories: Categories | None = None) -> list[Link]:
    """Make the filters of a chain; those that ask for categories, and were given none, have these.

    Raises:
        ConfigError: a name or a parameter is wrong, which :func:`filter_findings` has ruled out.
    """
    links = []
    for settings in chain:
        made, findings = _try_filter(dict(settings), categories)
        if made is None:
            raise ConfigError(problems(findings), source=f"filter {settings.name!r}")
        links.append(Link(settings.name, made))
    return links


def filter_findings(entries: object, categories: Categories | None = None) -> Iterator[Finding]:
    """Yield what is wrong with the filters of one ``filters`` section beyond what its fields can know."""
    for index, entry in enumerate(entries if isinstance(entries, list | tuple) else ()):
        if isinstance(entry, Mapping | FilterConfig) and isinstance(dict(entry).get("name"), str):
            yield from (((index, *loc), message) for loc, message in _try_filter(dict(entry), categories)[1])


def chain_of(
    names: Sequence[str], inputs: Sequence[str], *, categories: Categories | None = None
) -> tuple[FilterConfig, ...]:
    """Read the filters of a command line: the n-th ``--filter`` takes the n-th ``--filter-inputs``.

    Raises:
        ConfigError: a filter or one of its parameters is wrong; or inputs and filters do not go together.
    """
    if inputs and (len(inputs) > len(names) or len(inputs) < len(names) > 1):
        raise ConfigError(
            f"--filter-inputs is given {len(inputs)} times and --filter {len(names)} times; give it once for each, in"
            " the same order ('' where a filter takes none)"
        )
    chain, wrong = [], list[Problem]()
    for name, text in zip(names, [*inputs, *[""] * (len(names) - len(inputs))], strict=True):
        try:
            settings = FilterConfig(name=name, **_read_inputs(name, text))
            findings = _try_filter(dict(settings), categories)[1]
        except ConfigError as error:
            wrong.append(Problem(f"--filter-inputs {text!r}", str(error)))
            continue
        for problem in problems(findings):
            place = "" if problem.path == "name" else f" {name}" + f": {problem.path}" * bool(problem.path)
            wrong.append(Problem(f"--filter{place}", problem.message))
        chain.append(settings)
    if wrong:
        raise ConfigError(wrong)
    return tuple(chain)


def _try_filter(entry: Mapping[str, object], categories: Categories | None) -> tuple[Filter | None, list[Finding]]:
    """Make a filter, or say at its name or a parameter why that is impossible."""
    name = str(entry["name"])
    cls, findings = _load(name)
    if cls is None:
        return None, findings
    written = {key: key.replace("-", "_") for key in entry if key != "name"}
    if twice := [key for key in written if key != written[key] and written[key] in written]:
        return None, [((key,), f"given twice, as {key} and {written[key]}; keep one of them") for key in twice]
    params: Any = {"categories": categories} if categories and "categories" in signature(cls).parameters else {}
    params |= {written[key]: floats(value) for key, value in entry.items() if key != "name"}
    try:
        made = cls(**params)
        _ = made.needs_portfolio, made.judges_exits  # whatever the class says, it says it now
        return made, []
    except ValidationError as error:
        return None, list(explain_call(error, cls))
    except Exception as error:  # noqa: BLE001 -- a person's own class may raise anything
        return None, [(("name",), f"{name} cannot be made: {type(error).__name__}: {error}")]


def _load(name: str) -> tuple[type[Filter] | None, list[Finding]]:
    try:
        cls = FILTER_TYPES.load(name)
    except ConfigError as error:
        return None, [(("name",), str(error))]
    if not issubclass(cls, Filter) or cls.__abstractmethods__:
        return None, [(("name",), f"{name} is no filter: it must be a subclass of trader.director.Filter with apply")]
    return cls, []


def _read_inputs(name: str, text: str) -> dict[str, object]:
    """Read ``a=1,b=x;y`` for the filter ``name``, whose parameters say which of them are lists or objects.

    Raises:
        ConfigError: a part is no ``parameter=value``, or a parameter is given twice.
    """
    cls, _ = _load(name)
    fields: Mapping[str, Any] = getattr(cls, "__pydantic_fields__", {})
    inputs: dict[str, object] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        key, equals, value = part.partition("=")
        parameter = key.strip().replace("-", "_")
        if not equals or parameter in {"", "name"}:
            raise ConfigError(f"{part!r} is no parameter=value; write it like 'a=1,b=x;y', with ; between entries")
        if parameter in inputs:
            raise ConfigError(f"{key.strip()} is given twice; put the entries of a list together, as in b=x;y")
        inputs[parameter] = _value(value.strip(), fields[parameter].annotation if parameter in fields else None)
    return inputs


def _value(text: str, annotation: object) -> object:
    """Read a value as its parameter's type has it; without a known one it is a number, a word or text."""
    kinds = _kinds(annotation)
    entries = [entry.strip() for entry in text.split(";") if entry.strip()]
    if dict in kinds:
        pairs = [entry.rpartition(":") for entry in entries]
        if strange := [entry for entry, (key, _, _) in zip(entries, pairs, strict=True) if not key]:
            raise ConfigError(f"{strange[0]!r} is no name:value; write it like b=x:1;y:2")
        has_lists = any(not {list, tuple}.isdisjoint(_kinds(part)) for part in get_args(kinds[dict])[1:])
        return {key.strip(): [*map(_scalar, part.split("+"))] if has_lists else _scalar(part) for key, _, part in pairs}
    if not {list, tuple}.isdisjoint(kinds):
        return [_scalar(entry) for entry in entries]
    return text if annotation is str else _scalar(text)


def _kinds(annotation: object) -> dict[object, object]:
    """Return the types that an annotation allows, each with its own: of ``list[int] | None`` list and None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kinds(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        return {kind: of for part in get_args(annotation) for kind, of in _kinds(part).items()}
    return {origin or annotation: annotation}


def _scalar(text: str) -> object:
    text = text.strip()
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if not _NUMBER.fullmatch(text):
        return text
    return int(text) if _WHOLE.fullmatch(text) else Decimal(text)
