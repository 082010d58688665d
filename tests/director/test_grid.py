"""The minute grid: one order for bars that arrive in any."""

from hypothesis import given
from hypothesis import strategies as st

from tests.build import T0, bar
from trader.director.grid import GRACE, BarBuilder, MinuteGrid, Verdict, next_close
from trader.model.time import MINUTE


def test_bars_of_one_minute_are_gathered_and_come_out_by_symbol() -> None:
    grid = MinuteGrid(2)
    complete = []
    for symbol in ("SPY", "QQQ"):
        assert grid.add(bar(symbol)) is Verdict.TAKEN
        complete.append(grid.is_complete)
    assert complete == [False, True]
    assert [one.symbol for one in grid.close()] == ["QQQ", "SPY"]
    assert (grid.ts, grid.closed) == (0, T0 + MINUTE)


def test_a_bar_of_the_next_minute_is_early_and_one_of_a_closed_minute_late() -> None:
    grid = MinuteGrid(2)
    grid.add(bar(minute=2))
    assert grid.add(bar("QQQ", minute=3)) is Verdict.EARLY
    assert grid.add(bar("QQQ", minute=1)) is Verdict.LATE
    grid.close()
    assert grid.add(bar("QQQ", minute=2)) is Verdict.LATE


def test_a_second_bar_for_a_minute_is_not_taken() -> None:
    grid = MinuteGrid(2)
    grid.add(bar(close=100))
    assert grid.add(bar(close=101)) is Verdict.TWICE
    assert [one.close for one in grid.close()] == [100]


def test_the_grid_wants_to_be_woken_a_grace_after_what_ends_first() -> None:
    assert next_close(0, [], GRACE) is None
    assert next_close(T0, [], GRACE) == T0 + GRACE
    assert next_close(T0, [T0 - MINUTE, T0 + MINUTE], GRACE) == T0 - MINUTE + GRACE
    assert next_close(0, [T0], GRACE) == T0 + GRACE


@given(st.permutations(["SPY", "QQQ", "IWM", "DIA"]))
def test_arrival_order_decides_nothing(symbols: list[str]) -> None:
    grid = MinuteGrid(9)
    for symbol in symbols:
        grid.add(bar(symbol))
    assert [one.symbol for one in grid.close()] == ["DIA", "IWM", "QQQ", "SPY"]


def test_longer_bars_end_on_multiples_of_their_length_and_merge_their_minutes() -> None:
    builder = BarBuilder(5)
    ends = {
        builder.add(bar(minute=1, open=10, high=12, low=9, close=11, volume=5)),
        builder.add(bar(minute=3, open=11, high=15, low=10, close=14, volume=7)),
        builder.add(bar(minute=5, open=14, high=14, low=8, close=9, volume=1)),
    }
    assert ends == {T0 + 5 * MINUTE}
    built = builder.close()
    assert (built.open, built.high, built.low, built.close, built.volume) == (10, 15, 8, 9, 13)
    assert built.ts == T0 + 5 * MINUTE


def test_a_minute_that_ends_a_longer_bar_belongs_to_it_and_the_next_to_the_next() -> None:
    builder = BarBuilder(60)
    assert builder.end_of(bar(minute=30)) == T0 + 30 * MINUTE  # T0 is half past the hour
    assert builder.end_of(bar(minute=31)) == T0 + 90 * MINUTE
