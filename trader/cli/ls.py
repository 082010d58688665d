"""``trader ls …``: what can be named in a settings file."""

import inspect
import json
from typing import TYPE_CHECKING, Any

import click

from trader.cli import HintingGroup

if TYPE_CHECKING:
    from trader.registry import Entry


@click.group("ls", cls=HintingGroup)
def command() -> None:
    """List what can be named in a settings file."""


@command.command
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def strategies(*, as_json: bool) -> None:
    """List strategy types: their parameters with defaults, what they do, and where they come from."""
    from trader.config import STRATEGY_TYPES

    rows = [_describe(entry) for entry in STRATEGY_TYPES.entries()]
    click.echo(json.dumps({"strategies": rows}, ensure_ascii=False) if as_json else "\n\n".join(map(_text, rows)))


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
    bare = getattr(annotation, "__origin__", annotation)  # Annotated[int, …] is an int
    return bare.__name__ if isinstance(bare, type) else str(bare)


def _default(value: object) -> object:
    if value is inspect.Parameter.empty:
        return None
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def _text(row: dict[str, Any]) -> str:
    lines = [f"{row['name']}  ({row['origin']})"]
    if row["error"]:
        return "\n".join([*lines, f"  cannot be loaded: {row['error']}"])
    shown = [
        parameter["name"] if parameter["default"] is None else f"{parameter['name']}={parameter['default']}"
        for parameter in row["parameters"]
    ]
    return "\n".join(f"  {line}" if index else line for index, line in enumerate([*lines, row["doc"], " ".join(shown)]))
