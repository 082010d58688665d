"""An OpenAPI document's schemas, as far as they are used here: what in a JSON value does not fit one.

Stricter than the document in one way: a key that it does not name is a flaw, unless it says what others may be.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trader.access.alpaca.wire_time import ns_of

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


class Document:
    """One OpenAPI document."""

    def __init__(self, path: Path) -> None:
        self._document: dict[str, Any] = json.loads(path.read_text())
        self.paths: dict[str, Any] = self._document["paths"]

    def answer(self, path: str, method: str = "get", status: str = "200") -> dict[str, Any]:
        """Return the schema of an answer."""
        answer = self.paths[path][method]["responses"][status]
        schema: dict[str, Any] = answer["content"]["application/json"]["schema"]
        return schema

    def parameters(self, path: str) -> dict[str, dict[str, Any]]:
        """Return the query parameters of a GET by name."""
        found = (self.resolved(one) for one in self.paths[path]["get"].get("parameters", []))
        return {one["name"]: one for one in found if one["in"] == "query"}

    def resolved(self, part: dict[str, Any]) -> dict[str, Any]:
        """Follow a reference."""
        while "$ref" in part:
            place: Any = self._document
            for step in part["$ref"].removeprefix("#/").split("/"):
                place = place[step]
            part = place
        return part

    def flaws(self, value: object, schema: dict[str, Any], where: str = "") -> Iterator[str]:
        """Yield what does not fit, each with its place."""
        schema = self._merged(self.resolved(schema))
        if value is None and schema.get("nullable"):
            return
        kinds = _TYPES.get(schema.get("type", ""), (object,))
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds and object not in kinds):
            yield f"{where or 'all'}: {value!r} is no {schema['type']}"
        elif isinstance(value, dict):
            yield from self._object_flaws(value, schema, where)
        elif isinstance(value, list):
            for place, one in enumerate(value):
                yield from self.flaws(one, schema.get("items", {}), f"{where}[{place}]")
        elif "enum" in schema and value not in schema["enum"]:
            yield f"{where}: {value!r} is none of {schema['enum']}"
        elif schema.get("format") == "date-time" and not _is_time(value):
            yield f"{where}: {value!r} is no time"

    def _object_flaws(self, value: dict[str, Any], schema: dict[str, Any], where: str) -> Iterator[str]:
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name in schema.get("required", []):
            if name not in value:
                yield f"{where}: {name!r} is missing"
        for name, one in value.items():
            inner = known.get(name, others if isinstance(others, dict) else None)
            if inner is not None:
                yield from self.flaws(one, inner, f"{where}.{name}")
            elif known:
                yield f"{where}: {name!r} is not documented"

    def _merged(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Put the parts of an ``allOf`` together."""
        parts = [self._merged(self.resolved(part)) for part in schema.get("allOf", [])]
        if not parts:
            return schema
        properties = {name: one for part in parts for name, one in part.get("properties", {}).items()}
        required = [name for part in parts for name in part.get("required", [])]
        return {"type": "object", "properties": properties, "required": required}


def _is_time(value: object) -> bool:
    try:
        return ns_of(str(value)) > 0
    except ValueError:
        return False
