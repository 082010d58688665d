"""Stresses: moves that are given, completed and replayed, and the likeliest way to lose a sum."""

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from trader.risk.past import Past
from trader.risk.stress import SCENARIOS, Moves, Scenario, moves_of, reverse, worst_stretch

SYMBOLS = ("SPY", "AAPL", "BTC/USD", "NEW")


def past_with(covariance: NDArray[np.float64], returns: NDArray[np.float64] | None = None) -> Past:
    """Return a past of which the first symbols are known, and whoever comes after them stands alone."""
    known = len(covariance)
    wide = np.zeros((len(SYMBOLS), len(SYMBOLS)))
    wide[:known, :known] = covariance
    rows = np.zeros((0, len(SYMBOLS))) if returns is None else returns
    alone = np.array([0.0] * known + [0.03] * (len(SYMBOLS) - known))
    return Past(np.arange(len(rows)), rows, wide, alone, alone == 0.0)


COVARIANCE = np.array([[1.0, 1.5, 0.5], [1.5, 9.0, 0.0], [0.5, 0.0, 16.0]]) * 1e-4


def moved(shocks: Mapping[str, float], *, is_completed: bool = True, known: int = 3) -> Moves:
    scenario = Scenario("test", shocks, is_completed=is_completed)
    past = past_with(COVARIANCE[:known, :known])
    return moves_of(scenario, SYMBOLS, classes=("stock", "stock", "crypto", "stock"), past=past)


def test_the_likeliest_move_that_loses_a_fifth() -> None:
    covariance = np.array([[0.04**2, 0.5 * 0.04 * 0.02], [0.5 * 0.04 * 0.02, 0.02**2]])
    found = reverse(np.array([1.0, 0.5]), covariance, loss=0.2)
    assert found is not None
    moves, distance = found
    assert [*moves, distance] == pytest.approx([-0.171429, -0.057143, 4.364358], abs=1e-6)
    assert moves @ np.array([1.0, 0.5]) == pytest.approx(-0.2, abs=1e-12)


def test_no_likelier_move_loses_as_much() -> None:
    weights = np.array([3.0, -1.0, 0.5])
    found = reverse(weights, COVARIANCE, loss=0.1)
    assert found is not None
    (moves, distance), inverse = found, np.linalg.inv(COVARIANCE)
    assert moves @ inverse @ moves == pytest.approx(distance**2, rel=1e-9)
    for drawn in np.random.default_rng(1).normal(size=(200, 3)):
        other = drawn * -0.1 / (drawn @ weights)
        assert other @ inverse @ other >= distance**2 * (1 - 1e-9)


def test_nothing_that_is_known_loses_nothing() -> None:
    assert reverse(np.zeros(3), COVARIANCE, loss=0.1) is None


def test_what_is_not_named_moves_as_it_is_expected_to() -> None:
    found = moved({"SPY": -0.1})
    assert found.moves == pytest.approx([-0.1, -0.15, -0.05, 0.0])  # betas of 1.5 and 0.5
    assert found.basis == ("named", "completed", "completed", "unmoved")


def test_two_named_moves_complete_the_third_together() -> None:
    found = moved({"SPY": -0.1, "BTC/USD": -0.2})
    within = COVARIANCE[np.ix_([0, 2], [0, 2])]
    expected = COVARIANCE[1, [0, 2]] @ np.linalg.solve(within, [-0.1, -0.2])
    assert found.moves[1] == pytest.approx(expected, rel=1e-9)


def test_completed_moves_are_the_conditional_mean_of_a_simulation() -> None:
    drawn = np.random.default_rng(7).multivariate_normal(np.zeros(3), COVARIANCE, 400_000)
    near = np.abs(drawn[:, 0] + 0.01) < 0.0005
    assert moved({"SPY": -0.01}).moves[1:3] == pytest.approx(drawn[near, 1:].mean(axis=0), abs=0.0015)


def test_a_class_moves_whoever_is_not_named_nor_known() -> None:
    found = moved({"SPY": -0.1, "stocks": -0.2, "crypto": -0.5}, known=1)
    assert found.moves.tolist() == [-0.1, -0.2, -0.5, -0.2]
    assert found.basis == ("named", "class", "class", "class")


def test_without_completion_the_others_move_with_their_class_or_not_at_all() -> None:
    assert moved({"SPY": -0.1}, is_completed=False).basis == ("named", "unmoved", "unmoved", "unmoved")
    everything = moved({"all": -0.3, "crypto": -0.6}, is_completed=False)
    assert everything.moves.tolist() == [-0.3, -0.3, -0.6, -0.3]


def test_no_price_falls_below_zero() -> None:
    assert moved({"SPY": -0.9}).moves.tolist() == pytest.approx([-0.9, -1.0, -0.45, 0.0])


@pytest.mark.parametrize(
    ("name", "closes"),
    [
        ("financial-crisis", (1565.15, 676.53)),
        ("dot-com", (1527.46, 776.76)),
        ("october-2008", (998.01, 907.84)),
    ],
)
def test_the_falls_of_the_index_are_those_of_its_closes(name: str, closes: tuple[float, float]) -> None:
    fall = closes[1] / closes[0] - 1.0
    assert SCENARIOS[name].shocks["SPY"] == pytest.approx(fall, abs=5e-6)
    path = np.linspace(0.0, 1.0, 11)[:, None] * np.log(1.0 + fall)
    returns = np.exp(np.diff(path, axis=0)) - 1.0
    moves, _ = worst_stretch(np.ones(1), past_with(np.eye(1), returns), 10)
    assert moves[0] == pytest.approx(fall, abs=5e-6)


def test_the_worst_stretch_is_that_of_todays_positions() -> None:
    returns = np.zeros((6, 4))
    returns[:, 0] = [0.0, -0.1, -0.1, 0.2, 0.0, 0.1]
    past = past_with(COVARIANCE, returns)
    long, short = (worst_stretch(np.array([side, 0.0, 0.0, 0.0]), past, 2) for side in (100.0, -100.0))
    assert (long[0][0], long[1]) == (pytest.approx(-0.19), 2)
    assert (short[0][0], short[1]) == (pytest.approx(0.2), 4)


def test_every_built_in_scenario_moves_every_class_it_speaks_of() -> None:
    for name, scenario in SCENARIOS.items():
        found = moves_of(scenario, ("X", "Y/USD"), classes=("stock", "crypto"), past=past_of_nothing())
        assert scenario.name == name
        assert found.moves.any(), name


def past_of_nothing() -> Past:
    return Past(np.arange(0), np.zeros((0, 2)), np.zeros((2, 2)), np.full(2, np.nan), np.zeros(2, dtype=np.bool_))
