"""Windows: the newest bars, in order, read without a copy and written by nobody else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build import bar
from trader.engine.market import Window


@given(capacity=st.integers(1, 9), bars=st.integers(0, 60), n=st.integers(1, 20))
def test_a_window_shows_the_newest_bars_newest_last(capacity: int, bars: int, n: int) -> None:
    window = Window(capacity)
    for number in range(bars):
        window.append(bar(minute=number, close=float(number)))
    kept = list(range(bars))[-capacity:]
    assert len(window) == len(kept)
    assert window.column(3, n).tolist() == kept[-n:]


def test_columns_are_open_high_low_close_volume() -> None:
    window = Window(4)
    window.append(bar(open=1, high=9, low=0.5, close=2, volume=7))
    assert [window.column(number, 1)[0] for number in range(5)] == [1, 9, 0.5, 2, 7]


def test_a_column_cannot_be_written_nor_made_writeable() -> None:
    window = Window(4)
    window.append(bar())
    column = window.column(3, 1)
    with pytest.raises(ValueError, match="read-only"):
        column[0] = 0.0
    with pytest.raises(ValueError, match="WRITEABLE"):
        column.flags.writeable = True
