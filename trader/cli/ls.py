"""``trader ls …``: what can be named in a settings file."""

import inspect
import json
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import click

from trader.cli import HintingGroup

if TYPE_CHECKING:
    from trader.registry import Entry, Registry


@click.group("ls", cls=HintingGroup)
def command() -> None:
    """List what can be named in a settings file."""


@command.command
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def strategies(*, as_json: bool) -> None:
    """List strategy types: their parameters with defaults, what they do, and where they come from."""
    from trader.config import STRATEGY_TYPES

    _show("strategies", STRATEGY_TYPES, as_json=as_json)


@command.command
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def filters(*, as_json: bool) -> None:
    """List the Director's filters: their parameters with defaults, what they do, and where they come from."""
    from trader.config import FILTER_TYPES

    _show("filters", FILTER_TYPES, as_json=as_json)


def _show(kind: str, registry: "Registry", *, as_json: bool) -> None:
    rows = [_describe(entry) for entry in registry.entries()]
    click.echo(json.dumps({kind: rows}, ensure_ascii=False) if as_json else "\n\n".join(map(_text, rows)))


def _describe(entry: "Entry") -> dict[str, Any]:
    described: dict[str, Any] = {"name": entry.name, "origin": entry.origin, "doc": "", "parameters": []}
    if entry.cls is None:
        return {**described, "error": entry.error}
    described["doc"] = (inspect.getdoc(entry.cls) or "").partition("\n")[0]
    described["parameters"] = [
        {"name": name, "type": _type_name(parameter.annotation), "default": _default(parameter.default)}
        for name, parameter in inspect.signature(entry.cls).parameters.items()
    ]
    return {**described, "error": None}


def _type_name(annotation: Any) -> str:  # noqa: ANN401 -- annotations have no common type
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_name(parts[0])
    if origin in {Union, UnionType}:
        return " | ".join("null" if part is NoneType else _type_name(part) for part in parts)
    if origin is Literal:
        return " | ".join(map(repr, parts))
    bare = origin or annotation  # list[int] is a list
    return bare.__name__ if isinstance(bare, type) else str(bare)


def _default(value: object) -> object:
    if value is inspect.Parameter.empty or str(value) == "<factory>":  # the latter: what is new for each instance
        return None
    if isinstance(value, tuple):
        return ";".join(map(str, value))
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def _text(row: dict[str, Any]) -> str:
    lines = [f"{row['name']}  ({row['origin']})"]
    if row["error"]:
        return "\n".join([*lines, f"  cannot be loaded: {row['error']}"])
    shown = [
        parameter["name"] if parameter["default"] is None else f"{parameter['name']}={parameter['default']}"
        for parameter in row["parameters"]
    ]
    lines += [f"  {line}" for line in (row["doc"], " ".join(shown)) if line]
    return "\n".join(lines)
