"""What a filter is: a small typed class that lets an intent to open pass, shrinks it or drops it.

::

    class Nights(Filter):
        \"\"\"Lets nothing be opened before ``hour`` UTC.\"\"\"

        hour: Annotated[int, Field(ge=0, le=23)] = 8

        needs_portfolio = False

        def apply(self, intent: OrderIntent, view: PortfolioView) -> Cut | None:
            now = utc(view.ts).hour
            return Cut(0.0, f"not before {self.hour}:00 UTC", f"{now}:00") if now < self.hour else None

Parameters are the annotated fields of the class, checked when an instance is made as those of a strategy are. A filter
has no memory: its answer comes from the intent and the view alone, so equal desks decide equally, after a restart too.
It cannot make an intent larger: more than was asked for is no cut. Where it cannot know, it answers :func:`unknown`.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import isnan
from typing import dataclass_transform

import msgspec
from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from trader.model.orders import OrderIntent
from trader.model.views import PortfolioView

_PARAMETERS = ConfigDict(
    extra="forbid", strict=True, allow_inf_nan=False, validate_default=True, use_attribute_docstrings=True
)

# For a parameter that is a tuple: files have lists, and a default that cannot change is worth more than one that can.
LISTED = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)


class Cut(msgspec.Struct, frozen=True):
    """At most ``qty`` may pass, nothing at 0 or NaN; ``limit`` and the ``value`` that met it are texts for people."""

    qty: float
    limit: str
    value: str


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(Field, dataclasses.field))
class Filter(ABC):
    """Judge one intent at a time; subclasses are keyword-only dataclasses checked by pydantic."""

    judges_exits = False
    """Whether exits that a strategy wants are shown too. They can be held back for now, never shrunk: what is left
    would be asked for at once. Stops, targets and whatever else protects pass every filter unseen."""

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Make a dataclass of the subclass. Raises TypeError where it has its own ``__init__``."""
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            raise TypeError(f"{cls.__qualname__} defines __init__; annotate its parameters in the class")
        dataclass(cls, kw_only=True, eq=False, config=_PARAMETERS)

    @property
    def needs_portfolio(self) -> bool:
        """Tell whether it asks for holdings or equity; such filters do not let strategies run apart."""
        return True

    @abstractmethod
    def apply(self, intent: OrderIntent, view: PortfolioView) -> Cut | None:
        """Return how much of an intent may pass at most, None for all of it."""


class BatchFilter(Filter):
    """Judge all intents of one step together, those that were not dropped before it, the most urgent first."""

    @abstractmethod
    def apply_all(self, intents: Sequence[OrderIntent], view: PortfolioView) -> Sequence[Cut | None]:
        """Return for each intent in its place how much may pass at most; what passes takes room from those after it."""

    def apply(self, intent: OrderIntent, view: PortfolioView) -> Cut | None:
        """Judge an intent that is alone in its step."""
        return self.apply_all([intent], view)[0]


def unknown(limit: str, what: str) -> Cut:
    """Return the cut that lets nothing pass because ``what`` is not known."""
    return Cut(0.0, limit, f"unknown: {what}")


def at_most(qty: float, limit: str, value: str) -> Cut:
    """Return a cut to ``qty``; below zero it is zero, and NaN says that it could not be computed."""
    return unknown(limit, "no mark, equity or history yet") if isnan(qty) else Cut(max(0.0, qty), limit, value)
