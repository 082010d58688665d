"""The shape of a strategy: parameters, memory, and what is refused where the class is written."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Annotated

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from trader.model.signals import Signals, Target
from trader.model.ticks import Bar
from trader.strategies import Context, MomentumStrategy, PerSymbol, Strategy
from trader.strategies.base import MAX_WINDOW
from trader.testing import bars, decisions


class Dip(Strategy):
    """Long after so many falls in a row."""

    falls: Annotated[int, Field(ge=1, le=5)] = 2
    """How many falls."""
    share: float = 1.0

    def __post_init__(self) -> None:
        self._closes: PerSymbol[list[float]] = PerSymbol(lambda _symbol: [])

    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        closes = self._closes[bar.symbol]
        closes.append(bar.close)
        recent = closes[-self.falls - 1 :]
        if len(recent) > self.falls and recent == sorted(recent, reverse=True):
            return Target(bar.symbol, self.share)
        return None


class Breakout(Strategy):
    """The example of the module's docstring, to the letter."""

    period: Annotated[int, Field(ge=2, le=MAX_WINDOW)] = 20

    @property
    def warmup(self) -> int:
        return self.period + 1

    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        closes = ctx.closes(bar.symbol, self.period + 1)
        if len(closes) > self.period and bar.close > closes[:-1].max():
            return Target(bar.symbol, 1.0)
        return None


def problems(error: pytest.ExceptionInfo[ValidationError]) -> list[tuple[tuple[int | str, ...], str]]:
    return [(problem["loc"], problem["type"]) for problem in error.value.errors()]


def test_the_example_reads_its_window_through_the_context() -> None:
    strategy = Breakout(period=2)
    assert strategy.warmup == 3
    assert decisions(strategy, bars([1, 2, 2, 3])) == [None, None, None, Target("SPY", 1.0)]


def test_a_misspelt_parameter_is_an_error_at_its_name() -> None:
    with pytest.raises(ValidationError) as error:
        Dip(fals=3)  # type: ignore[call-arg]
    assert problems(error) == [(("fals",), "unexpected_keyword_argument")]


def test_every_bad_parameter_is_reported_at_once() -> None:
    with pytest.raises(ValidationError) as error:
        Dip(falls=9, share=float("nan"))
    assert problems(error) == [(("falls",), "less_than_equal"), (("share",), "finite_number")]


def test_parameters_are_given_by_name_only() -> None:
    with pytest.raises(ValidationError, match="positional"):
        Dip(3)  # type: ignore[call-arg]


def test_a_default_out_of_its_own_bounds_is_an_error() -> None:
    class Wrong(Dip):
        falls: Annotated[int, Field(ge=1)] = 0

    with pytest.raises(ValidationError) as error:
        Wrong()
    assert problems(error) == [(("falls",), "greater_than_equal")]


def test_a_strategy_prints_its_parameters() -> None:
    assert repr(Dip(falls=3)).endswith("Dip(falls=3, share=1.0)")


def test_two_strategies_of_equal_parameters_are_two() -> None:
    assert Dip() != Dip()
    assert len({Dip(), Dip()}) == 2


def test_the_schema_carries_bounds_and_the_docstrings_of_parameters() -> None:
    falls = TypeAdapter(Dip).json_schema()["properties"]["falls"]
    assert falls == {
        "default": 2,
        "description": "How many falls.",
        "maximum": 5,
        "minimum": 1,
        "title": "Falls",
        "type": "integer",
    }


def test_a_strategy_of_a_strategy_inherits_its_parameters() -> None:
    class HalfDip(Dip):
        share: float = 0.5

    assert decisions(HalfDip(falls=1), bars([2, 1])) == [None, Target("SPY", 0.5)]


def test_a_replaced_strategy_starts_with_an_empty_memory() -> None:
    used = Dip(falls=1)
    decisions(used, bars([3, 2]))
    assert decisions(replace(used, share=0.5), bars([1])) == [None]


def test_warmup_is_one_bar_unless_the_strategy_says_more() -> None:
    assert Dip().warmup == 1


def test_memory_is_kept_per_symbol() -> None:
    made: list[str] = []

    def make(symbol: str) -> list[str]:
        made.append(symbol)
        return made

    memory = PerSymbol(make)
    assert memory["SPY"] is memory["SPY"]
    assert memory["QQQ"] == ["SPY", "QQQ"]


def test_a_strategy_without_on_bar_cannot_be_made() -> None:
    class Silent(Strategy):
        period: int = 3

    with pytest.raises(TypeError, match=r"Silent .*on_bar"):
        Silent()  # type: ignore[abstract]


def test_an_async_on_bar_is_refused_where_it_is_written() -> None:
    with pytest.raises(TypeError, match=r"Waiting\.on_bar is async; write `def on_bar`"):

        class Waiting(Strategy):
            async def on_bar(self, bar: Bar, ctx: Context) -> Signals:  # type: ignore[override]
                return None


def test_an_async_generator_is_refused_as_async() -> None:
    with pytest.raises(TypeError, match="is async"):

        class Dripping(Strategy):
            async def on_bar(self, bar: Bar, ctx: Context) -> AsyncIterator[Target]:  # type: ignore[override]
                yield Target(bar.symbol, 1.0)


def test_an_on_bar_that_yields_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Yielding\.on_bar yields; return a Target"):

        class Yielding(Strategy):
            def on_bar(self, bar: Bar, ctx: Context) -> Iterator[Target]:  # type: ignore[override]
                yield Target(bar.symbol, 1.0)


def test_an_own_init_is_refused_because_it_would_never_run() -> None:
    with pytest.raises(TypeError, match=r"OldStyle defines __init__; annotate parameters .* __post_init__"):

        class OldStyle(Dip):
            def __init__(self) -> None:
                self.falls = 3


def test_annotated_memory_is_refused_because_it_would_be_a_parameter() -> None:
    with pytest.raises(TypeError, match=r"Leaky\._seen would be a parameter; make memory in __post_init__"):

        class Leaky(Dip):
            _seen: int = 0


@pytest.mark.parametrize("value", ["20", True, 20.5])
def test_a_number_given_as_something_else_is_refused(value: object) -> None:
    with pytest.raises(ValidationError, match="lookback_period"):
        MomentumStrategy(lookback_period=value)  # type: ignore[arg-type]
