"""The days that symbols have in common, and who stands alone."""

import numpy as np
import pytest

from tests.risk.past_days import Days, history
from trader.risk.past import past_of


def test_returns_are_of_the_days_that_all_have_and_span_those_that_one_lacks() -> None:
    coin = Days({day: 100.0 + day for day in range(400)})
    stock = Days({day: 50.0 + day for day in range(400) if day % 7 < 5})
    past = past_of([coin, stock], 500)
    assert past.is_known.all()
    assert [int(day) % 7 for day in past.days[:5]] == [1, 2, 3, 4, 0]
    assert past.returns[4] == pytest.approx([107.0 / 104.0 - 1.0, 57.0 / 54.0 - 1.0])
    assert past.covariance == pytest.approx(np.cov(past.returns, rowvar=False))


def test_the_window_is_the_newest_days() -> None:
    past = past_of([history(600), history(600, seed=2)], 260)
    assert (len(past.days), past.days[-1]) == (260, 20_500)


def test_coins_and_stocks_share_a_window_of_the_stocks_days() -> None:
    coin = Days({day: 100.0 + day for day in range(800)})
    stock = Days({day: 50.0 + day for day in range(800) if day % 7 < 5})
    past = past_of([coin, stock], 250)
    assert past.is_known.all()
    assert (len(past.days), past.days[-1]) == (250, 799)


def test_a_symbol_with_too_few_days_stands_alone_and_takes_none_from_the_others() -> None:
    new = history(250, seed=2)
    new.sigma_day = 0.05
    past = past_of([history(300), new, history(300, seed=3)], 500)
    assert past.is_known.tolist() == [True, False, True]
    assert past.alone.tolist() == [0.0, 0.05, 0.0]
    assert len(past.days) == 299
    assert not past.covariance[1].any()
    assert not past.returns[:, 1].any()


def test_a_symbol_whose_days_are_others_stands_alone() -> None:
    past = past_of([history(300), history(300, seed=2, last=20_400)], 500)
    assert past.is_known.tolist() == [True, False]
    assert np.isnan(past.alone[1])


def test_of_nobody_nothing_is_known() -> None:
    past = past_of([Days({}), Days({})], 500)
    assert len(past.days) == 0
    assert not past.is_known.any()
