"""What a strategy is: a small typed class that answers each closed bar with the position it wants.

::

    class Breakout(Strategy):
        \"\"\"Long above the highest close of the last ``period`` bars.\"\"\"

        period: Annotated[int, Field(ge=2, le=MAX_WINDOW)] = 20

        @property
        def warmup(self) -> int:
            return self.period + 1

        def on_bar(self, bar: Bar, ctx: Context) -> Signals:
            closes = ctx.closes(bar.symbol, self.period + 1)
            if len(closes) > self.period and bar.close > closes[:-1].max():
                return Target(bar.symbol, 1.0)
            return None

Parameters are the annotated fields of the class. They are checked when an instance is made; an unknown name, a value
out of bounds or of another type (``"20"`` or ``true`` for a number) is an error; editors and mypy know the constructor.
Memory is made in ``__post_init__``, one part per symbol (:class:`PerSymbol`), and must be a pure function of the bars
that were fed: after a restart the host feeds history through :meth:`Strategy.on_bar` again and ignores the answers
until the warm-up is over.
"""

import dataclasses
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol, TypeVar, dataclass_transform

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo
from pydantic.dataclasses import dataclass

from trader.model.signals import Signals
from trader.model.ticks import Bar

MAX_WINDOW = 10_000  # bars; a week of minutes around the clock, and a bound on what one symbol may hold in memory

_PARAMETERS = ConfigDict(
    extra="forbid", strict=True, allow_inf_nan=False, validate_default=True, use_attribute_docstrings=True
)

_State = TypeVar("_State")


class Context(Protocol):
    """The only door of a strategy: the time, recent bars and the sandbox's own book.

    Windows are read-only float64 arrays of shape ``(<= n,)``, newest last; the bar being answered is their last one.
    """

    @property
    def now(self) -> int:
        """Return the time of this decision, ns UTC."""

    @property
    def cash(self) -> float:
        """Return the sandbox's cash in dollars."""

    @property
    def equity(self) -> float:
        """Return cash plus positions at the latest marks, in dollars."""

    def position(self, symbol: str) -> float:
        """Return the signed quantity held; 0.0 is flat."""

    def opens(self, symbol: str, n: int) -> NDArray[np.float64]:
        """Return the opens of the newest ``n`` bars."""

    def highs(self, symbol: str, n: int) -> NDArray[np.float64]:
        """Return the highs of the newest ``n`` bars."""

    def lows(self, symbol: str, n: int) -> NDArray[np.float64]:
        """Return the lows of the newest ``n`` bars."""

    def closes(self, symbol: str, n: int) -> NDArray[np.float64]:
        """Return the closes of the newest ``n`` bars."""

    def volumes(self, symbol: str, n: int) -> NDArray[np.float64]:
        """Return the volumes of the newest ``n`` bars."""


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(Field, dataclasses.field))
class Strategy(ABC):
    """Answer each closed bar with a target; subclasses are keyword-only dataclasses checked by pydantic."""

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Make a dataclass of the subclass.

        Raises:
            TypeError: ``on_bar`` is not a plain method, the class has its own ``__init__``, or a parameter's name
                begins with an underscore.
        """
        super().__init_subclass__(**kwargs)
        _refuse_misshapen(cls)
        dataclass(cls, kw_only=True, eq=False, config=_PARAMETERS)

    @property
    def warmup(self) -> int:
        """Return how many bars of a ticker are needed, the deciding one included, before its indicators exist."""
        return 1

    @abstractmethod
    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        """Take the next closed bar of any of the sandbox's tickers; return the wanted target(s), or None to keep.

        It is called on every bar, warm-up included. A target is a wish, not a trade: repeating it costs nothing.
        A negative target is flat in a long-only sandbox, so a strategy says what it believes and need not ask.
        """


class PerSymbol(dict[str, _State]):
    """Memory of each symbol apart: ``states[symbol]`` makes it with ``factory(symbol)`` at first sight."""

    def __init__(self, factory: Callable[[str], _State]) -> None:
        super().__init__()
        self._factory = factory

    def __missing__(self, symbol: str) -> _State:
        """Make and keep the memory of a symbol not seen before."""
        state = self[symbol] = self._factory(symbol)
        return state


def above(other: str) -> AfterValidator:
    """Check that a parameter is above ``other``, which is declared before it; last in its annotation."""

    def check(value: float, info: ValidationInfo) -> float:
        bound = info.data.get(other)  # absent when it was itself refused
        if bound is not None and value <= bound:
            raise ValueError(f"must be above {other}, which is {bound:g}; got {value:g}")
        return value

    return AfterValidator(check)


def _refuse_misshapen(cls: type[Strategy]) -> None:
    """Say at once, where the class is written, what would otherwise fail silently or late."""
    name = cls.__qualname__
    if inspect.iscoroutinefunction(cls.on_bar) or inspect.isasyncgenfunction(cls.on_bar):
        raise TypeError(f"{name}.on_bar is async; write `def on_bar`: a decision waits for nothing")
    if inspect.isgeneratorfunction(cls.on_bar):
        raise TypeError(f"{name}.on_bar yields; return a Target, a list of Targets, or None")
    if "__init__" in vars(cls):
        raise TypeError(f"{name} defines __init__; annotate parameters in the class and make memory in __post_init__")
    for parameter in inspect.get_annotations(cls):
        if parameter.startswith("_"):
            raise TypeError(f"{name}.{parameter} would be a parameter; make memory in __post_init__")
