"""Bounds in a settings file: a number, which is the hard level, or an object with a soft and a hard level."""

from collections.abc import Mapping
from decimal import Decimal
from numbers import Real
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from trader.config.fields import Section
from trader.config.findings import show
from trader.risk.bounds import NONE, Bound

_MOST = 1e15  # no measure of a desk is larger


def _number(value: object) -> object:
    """Make a float of a number; text and true are none, even where Python would make one of them."""
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        raise ValueError(f"must be a number, got {show(value)}")  # noqa: TRY004 -- pydantic collects ValueErrors only
    return float(value)


Float = BeforeValidator(_number)  # last in an annotation, so that the bounds before it reach the JSON Schema
Number = Annotated[float, Field(ge=0, le=_MOST), Float]


class Levels(Section):
    """The most that is allowed: beyond soft is told of, beyond hard is refused."""

    least: ClassVar[float] = 0.0
    most: ClassVar[float] = _MOST
    is_whole: ClassVar[bool] = False
    is_least_allowed: ClassVar[bool] = False  # the least that is allowed, not the most

    soft: Number | None = None
    """Beyond it an order passes and a flag is raised."""
    hard: Number | None = None
    """Beyond it nothing is opened."""

    @model_validator(mode="before")
    @classmethod
    def _of_number(cls, value: object) -> object:
        if isinstance(value, Levels):
            return value
        if not isinstance(value, Mapping):
            cls._check("", value)
            return {"hard": value}
        for level in ("soft", "hard"):
            if value.get(level) is not None:
                cls._check(f"{level} ", value[level])
        return value

    @classmethod
    def _check(cls, whose: str, value: object) -> None:
        number: Any = _number(value)
        if not cls.least <= number <= cls.most or (cls.is_whole and number != int(number)):
            kind = "a whole number" if cls.is_whole else "a number"
            raise ValueError(f"{whose}must be {kind} from {cls.least:g} to {cls.most:g}, got {number:g}")

    @model_validator(mode="after")
    def _soft_is_tighter(self) -> Self:
        if self.soft is None and self.hard is None:
            raise ValueError("must have a level: soft, hard or both")
        if self.soft is not None and self.hard is not None:
            if self.is_least_allowed and self.soft <= self.hard:
                raise ValueError(
                    f"soft must be > hard, which is the tighter side here, got {self.soft:g} and {self.hard:g}"
                )
            if not self.is_least_allowed and self.soft >= self.hard:
                raise ValueError(f"soft must be < hard, got {self.soft:g} and {self.hard:g}")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Allow a number in place of the object."""
        number = {"type": "integer" if cls.is_whole else "number", "minimum": cls.least, "maximum": cls.most}
        return {"anyOf": [number, handler(core_schema)]}

    @property
    def bound(self) -> Bound:
        """Return it as the gate has it."""
        return Bound(self.hard, self.soft)


class Count(Levels):
    """The most of something that is allowed, in whole numbers."""

    least: ClassVar[float] = 1.0
    most: ClassVar[float] = 1e9
    is_whole: ClassVar[bool] = True


class Share(Levels):
    """The largest part of something that is allowed: 0.05 is 5 %."""

    most: ClassVar[float] = 1.0


class Wait(Levels):
    """The shortest time that is allowed, in seconds."""

    most: ClassVar[float] = 1e7
    is_least_allowed: ClassVar[bool] = True


def bound_of(levels: Levels | None) -> Bound:
    """Return a bound as the gate has it; none where there is none."""
    return NONE if levels is None else levels.bound
