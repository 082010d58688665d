"""The aids for authors of strategies and filters."""

import numpy as np
import pytest

from trader.director.filters_exposure import MaxPositionsFilter
from trader.model.signals import Signals, Target
from trader.model.ticks import Bar
from trader.model.time import DAY
from trader.strategies import Context, MomentumStrategy, Strategy
from trader.testing import START, GivenView, GrantingContext, bars, decisions, holding, opening, ruled


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


def test_an_opening_is_what_a_filter_is_shown() -> None:
    long, short = opening("SPY", 12.5, price=99.5, strategy="A"), opening("BTC/USD", -0.1)
    assert (long.side, str(long.qty), str(long.decision_price), long.strategy) == ("buy", "12.5", "99.5", "A")
    assert (short.side, str(short.qty), short.reduces) == ("sell", "0.1", False)


def test_a_given_view_knows_what_it_was_given_and_nothing_else() -> None:
    view = GivenView(holding("SPY", 3), days={"SPY": [(2.0, 1.0, 1.5), (3.0, 2.0, 2.5)]}, stops={"one": 0.05})
    assert [*view.highs("SPY", 9), *view.lows("SPY", 1), *view.closes("SPY", 1)] == [2.0, 3.0, 2.0, 2.5]
    assert [end % DAY for end in view.ends("SPY", 9)] == [0, 0]
    assert START - DAY < view.ends("SPY", 1)[0] <= START
    assert (view.mark("SPY"), view.stop_of("one"), view.equity_of("one")) == (2.5, 0.05, view.equity)
    assert len(view.closes("QQQ", 5)) == len(view.ends("QQQ", 5)) == 0
    assert np.isnan([view.mark("QQQ"), view.stop_of("two")]).all()


def test_a_ruling_is_that_of_a_chain_of_one_filter() -> None:
    ruling = ruled(MaxPositionsFilter(max_long_positions=0), opening("SPY", 10))
    assert ruling.dropped is not None
    assert ruling.dropped.qty == 0
