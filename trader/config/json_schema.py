"""The JSON Schema of a settings file, for editors."""

from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from trader.config.fields import floats
from trader.config.filter_sections import FILTER_TYPES
from trader.config.parsing import STRATEGY_TYPES
from trader.config.sections import Config
from trader.director import FILTERS
from trader.strategies import STRATEGIES


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a settings file, with the parameters of each built-in strategy type."""
    result = Config.model_json_schema(schema_generator=_NumberSchema)
    strategy = result["$defs"]["StrategyConfig"]
    strategy["required"].append("strategy_type")
    kinds = strategy["properties"]["strategy_type"]
    del kinds["type"], kinds["default"]
    kinds["anyOf"] = [{"enum": STRATEGY_TYPES.names()}, {"type": "string", "pattern": "^[^:]+:[^:]+$"}]
    strategy["allOf"] = []
    for name, cls in STRATEGIES.items():
        result["$defs"][name] = TypeAdapter(cls).json_schema()
        strategy["allOf"].append(
            {
                "if": {"properties": {"strategy_type": {"const": name}}},
                "then": {"properties": {"strategy_params": {"$ref": f"#/$defs/{name}"}}},
            }
        )
    _describe_filters(result["$defs"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **result}


def _describe_filters(defs: dict[str, Any]) -> None:
    """Add the parameters of each built-in filter, in either spelling, beside its name."""
    section = defs["FilterConfig"]
    kind = section["properties"]["name"]
    del kind["type"]
    kind["anyOf"] = [{"enum": FILTER_TYPES.names()}, {"type": "string", "pattern": "^[^:]+:[^:]+$"}]
    section["allOf"] = []
    for name, cls in FILTERS.items():
        rules = TypeAdapter(cls).json_schema()
        known = rules.setdefault("properties", {})
        known |= {key.replace("_", "-"): rule for key, rule in known.items()} | {"name": kind}
        defs[f"filter-{name}"] = rules
        section["allOf"].append(
            {"if": {"properties": {"name": {"const": name}}}, "then": {"$ref": f"#/$defs/filter-{name}"}}
        )


class _NumberSchema(GenerateJsonSchema):
    """Money is a number in a file, where pydantic would allow text for a Decimal too."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        bounds: Any = {key: float(schema[key]) for key in ("gt", "ge", "lt", "le") if key in schema}
        return self.float_schema(core_schema.float_schema(**bounds))

    def encode_default(self, dft: object) -> Any:  # noqa: ANN401 -- pydantic's signature
        return floats(dft.model_dump() if isinstance(dft, BaseModel) else dft)
