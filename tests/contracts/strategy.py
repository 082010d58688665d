"""What every strategy keeps, checked for free: name the class in a fixture and subclass :class:`StrategyContract`.

::

    @pytest.fixture(scope="module")
    def strategy_type() -> type[Strategy]:
        return Breakout

    class TestBreakout(StrategyContract):
        pass
"""

import math
from itertools import accumulate, chain

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from trader.model.ticks import Bar
from trader.strategies import Strategy
from trader.testing import GrantingContext, bars, decisions, targets

LENGTH = 80  # bars; more than any warm-up of the defaults


class Holding(GrantingContext):
    """A context that holds the same position whatever is wished."""

    def __init__(self, qty: float) -> None:
        super().__init__()
        self.qty = qty

    def position(self, symbol: str) -> float:
        return self.qty


def markets(symbol: str = "SPY") -> st.SearchStrategy[list[Bar]]:
    """Draw a market in whole cents and whole shares, with the flat stretches and the ties that real ones have."""
    noise = st.binary(min_size=LENGTH, max_size=LENGTH)  # a byte a bar: drawn far faster than a number a bar
    return st.builds(market, st.just(symbol), st.integers(500, 70_000), steps=noise, volumes=noise)


def market(symbol: str, cents: int, *, steps: bytes, volumes: bytes) -> list[Bar]:
    """Walk from ``cents``: of four bytes three step by up to two cents, one by up to a dollar and a half."""
    moves = ((byte % 5 - 2) if byte < 192 else 5 * (byte - 224) for byte in steps)
    closes = [max(100, total) / 100 for total in accumulate(moves, initial=cents)][1:]
    return [replace(bar, volume=float(shares)) for bar, shares in zip(bars(closes, symbol), volumes, strict=True)]


def extreme_markets() -> st.SearchStrategy[list[Bar]]:
    """Draw bars with any finite positive close and any finite volume."""
    closes = st.floats(min_value=0.0, exclude_min=True, allow_infinity=False)
    volumes = st.floats(min_value=0.0, allow_infinity=False)
    return st.lists(st.tuples(closes, volumes), min_size=35, max_size=50).map(
        lambda rows: [replace(bars([close])[0], volume=volume) for close, volume in rows]
    )


class StrategyContract:
    """The promises a strategy makes to its host; ``strategy_type`` comes from the module that subclasses this."""

    @given(fed=markets())
    def test_equal_bars_give_equal_answers(self, strategy_type: type[Strategy], fed: list[Bar]) -> None:
        assert decisions(strategy_type(), fed) == decisions(strategy_type(), fed)

    @given(fed=markets())
    def test_targets_are_between_minus_one_and_one_of_the_fed_symbol(
        self, strategy_type: type[Strategy], fed: list[Bar]
    ) -> None:
        for target in chain.from_iterable(map(targets, decisions(strategy_type(), fed))):
            assert -1.0 <= target.fraction <= 1.0
            assert target.symbol == "SPY"

    @given(fed=extreme_markets())
    def test_no_finite_bar_makes_it_raise_or_answer_nan(self, strategy_type: type[Strategy], fed: list[Bar]) -> None:
        for target in chain.from_iterable(map(targets, decisions(strategy_type(), fed))):
            assert math.isfinite(target.fraction)

    @given(fed=markets())
    def test_it_wants_nothing_before_its_warmup(self, strategy_type: type[Strategy], fed: list[Bar]) -> None:
        strategy = strategy_type()
        assert strategy.warmup >= 1
        answers = decisions(strategy, fed[: strategy.warmup - 1])
        assert not any(map(targets, answers))

    @given(fed=markets(), held=st.sampled_from([-1.0, 0.0, 1.0]))
    def test_memory_comes_from_bars_and_not_from_the_position(
        self, strategy_type: type[Strategy], fed: list[Bar], held: float
    ) -> None:
        flat, holding = strategy_type(), strategy_type()
        past, then = fed[:-20], fed[-20:]
        for bar in past:
            Holding(0.0).feed(flat, bar)
            Holding(held).feed(holding, bar)
        assert decisions(flat, then) == decisions(holding, then)

    @given(spy=markets("SPY"), qqq=markets("QQQ"))
    def test_symbols_do_not_disturb_each_other(
        self, strategy_type: type[Strategy], spy: list[Bar], qqq: list[Bar]
    ) -> None:
        mixed = decisions(strategy_type(), chain.from_iterable(zip(spy, qqq, strict=True)))
        assert mixed[0::2] == decisions(strategy_type(), spy)
        assert mixed[1::2] == decisions(strategy_type(), qqq)

    @given(ours=markets(), theirs=markets())
    def test_instances_do_not_disturb_each_other(
        self, strategy_type: type[Strategy], ours: list[Bar], theirs: list[Bar]
    ) -> None:
        strategy, other = strategy_type(), strategy_type()
        desk, elsewhere = GrantingContext(), GrantingContext()
        answers = []
        for our, their in zip(ours, theirs, strict=True):
            elsewhere.feed(other, their)
            answers.append(desk.feed(strategy, our))
        assert answers == decisions(strategy_type(), ours)
