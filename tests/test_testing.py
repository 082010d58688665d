"""The aids for authors of strategies."""

import numpy as np
import pytest

from trader.model.signals import Signals, Target
from trader.model.ticks import Bar
from trader.strategies import Context, MomentumStrategy, Strategy
from trader.testing import START, GrantingContext, bars, decisions


class Scripted(Strategy):
    """Say the sign of (close − 100), and note the position seen."""

    def __post_init__(self) -> None:
        self.seen: list[float] = []

    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        self.seen.append(ctx.position(bar.symbol))
        return [Target(bar.symbol, float(np.sign(bar.close - 100.0)))]


def test_bars_are_minutes_that_open_at_the_close_before() -> None:
    first, second = bars([10, 12], volume=5.0)
    assert first == Bar("SPY", START, 10.0, 10.0, 10.0, 10.0, 5.0)
    assert second == Bar("SPY", START + 60_000_000_000, 10.0, 12.0, 10.0, 12.0, 5.0)


def test_the_example_in_the_docstring_holds() -> None:
    answers = decisions(MomentumStrategy(lookback_period=1), bars([100, 101, 104]))
    assert answers == [None, None, Target("SPY", 1.0)]


@pytest.mark.parametrize(("allow_short", "expected"), [(True, [0.0, 1.0, -1.0]), (False, [0.0, 1.0, 0.0])])
def test_a_wish_is_granted_before_the_next_bar(expected: list[float], *, allow_short: bool) -> None:
    strategy = Scripted()
    decisions(strategy, bars([101, 99, 100]), allow_short=allow_short)
    assert strategy.seen == expected


def test_the_context_shows_windows_newest_last_that_cannot_be_written() -> None:
    desk, strategy = GrantingContext(), Scripted()
    for bar in bars([10, 12, 11], "QQQ"):
        desk.feed(strategy, bar)
    assert desk.now == START + 120_000_000_000
    assert desk.opens("QQQ", 2).tolist() == [10.0, 12.0]
    assert desk.highs("QQQ", 2).tolist() == [12.0, 12.0]
    assert desk.lows("QQQ", 2).tolist() == [10.0, 11.0]
    assert desk.closes("QQQ", 9).tolist() == [10.0, 12.0, 11.0]
    assert desk.volumes("QQQ", 1).tolist() == [1000.0]
    assert desk.closes("SPY", 3).shape == (0,)
    with pytest.raises(ValueError, match="read-only"):
        desk.closes("QQQ", 1)[0] = 1.0
