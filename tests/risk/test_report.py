"""The report on today's positions: figures that add up, and words for whatever a figure leaves out."""

from math import isnan, nan, sqrt

import msgspec
import numpy as np
import pytest

from tests.risk.past_days import Days, history
from trader.model.tail import sigma_of, var_parametric
from trader.risk.past import past_of
from trader.risk.report import Book, names_of, report, stress_named, stressed
from trader.risk.stress import SCENARIOS, Scenario
from trader.risk.value_at_risk import VarLimits

LONG = (history(505, seed=1), history(505, seed=2), history(505, seed=3, sigma=0.03))
ALONE = (
    "B: fewer than 250 days in common with the others, so it counts by its own volatility of 4.00% a day, as if it fell"
    " whenever they do"
)
TERMS = VarLimits(scenarios=(Scenario("mine", {"A": -0.5}),), confidence=0.99)


def book(a: float, b: float, coin: float, equity: float = 100_000.0) -> Book:
    weights = np.array([a, b, coin])
    strategies = {"one": np.array([a, 0.0, 0.0]), "two": np.array([0.0, b, coin]), "idle": np.zeros(3)}
    return Book(("A", "B", "C/USD"), ("stock", "stock", "crypto"), weights, weights, weights, strategies, equity)


def test_parts_add_up_to_the_whole_and_strategies_stand_alone() -> None:
    past, held = past_of(LONG, 500), book(20_000.0, -10_000.0, 5_000.0)
    made = report(held, past, TERMS, mode="SIM", ts="now")
    total = var_parametric(sigma_of(held.weights, past.covariance), confidence=0.99)
    assert sum(line.component for line in made.positions) == pytest.approx(total, rel=1e-9)
    assert made.limit.var == pytest.approx(total, rel=1e-9)
    assert made.strategies.keys() == {"one", "two"}
    alone = var_parametric(20_000.0 * sqrt(float(past.covariance[0, 0])), confidence=0.99)
    assert made.strategies["one"] == pytest.approx(alone, rel=1e-9)
    assert [(line.method.split(":")[0], line.confidence) for line in made.tails] == [
        ("parametric", 0.95), ("historical", 0.95), ("cornish-fisher", 0.95), ("historical, interpolated", 0.95),
        ("parametric", 0.99), ("historical", 0.99), ("cornish-fisher", 0.99), ("historical, interpolated", 0.99),
    ]  # fmt: skip
    assert made.tails[6].method == "cornish-fisher: outside its domain, historical"  # flatter than the normal
    assert made.tails[6].var == made.tails[5].var
    assert made.tails[7].var < made.tails[5].var
    assert made.notes == []


def test_the_limits_look_at_what_is_on_its_way_too() -> None:
    past, held = past_of(LONG, 500), book(10_000.0, 0.0, 0.0)
    pending = held._replace(high=np.array([20_000.0, 0.0, 0.0]))
    quiet, busy = (report(one, past, TERMS, mode="SIM", ts="now") for one in (held, pending))
    assert busy.limit.var == pytest.approx(2 * quiet.limit.var)
    assert busy.tails == quiet.tails


def test_500_days_judge_the_measure_by_250_of_them() -> None:
    made = report(book(1_000.0, 0.0, 0.0), past_of(LONG, 500), TERMS, mode="SIM", ts="now")
    assert made.coverage is not None
    assert (made.days, made.coverage.days, made.coverage.light) == (500, 250, "green")
    fewer = report(book(1_000.0, 0.0, 0.0), past_of(LONG, 449), TERMS, mode="SIM", ts="now")
    assert fewer.coverage is None
    enough = report(book(1_000.0, 0.0, 0.0), past_of(LONG, 450), TERMS, mode="SIM", ts="now")
    assert enough.coverage is not None
    assert enough.coverage.days == 250


def test_every_stress_that_is_listed_can_be_asked_for_and_its_lines_add_up() -> None:
    past, held = past_of(LONG, 500), book(20_000.0, -10_000.0, 5_000.0)
    names = names_of(TERMS, past)
    assert names == [*SCENARIOS, "mine", "worst-day", "worst-week", "worst-month", "reverse"]
    for name in names:
        found = stress_named(name, held, past, TERMS)
        assert found.name == name
        assert found.gain == pytest.approx(sum(line.gain for line in found.lines))
        assert found.fraction == pytest.approx(found.gain / 100_000.0)


def test_the_reverse_stress_loses_a_tenth_of_the_equity() -> None:
    past, held = past_of(LONG, 500), book(20_000.0, -10_000.0, 5_000.0)
    found = stress_named("reverse", held, past, TERMS)
    assert found.gain == pytest.approx(-10_000.0)
    assert found.distance == pytest.approx(10_000.0 / sigma_of(held.weights, past.covariance))
    nothing = stress_named("reverse", book(0.0, 0.0, 0.0), past, TERMS)
    assert (nothing.gain, nothing.distance, nothing.lines) == (0.0, None, [])


def test_the_worst_day_was_one_of_those_that_are_known() -> None:
    past, held = past_of(LONG, 500), book(20_000.0, 0.0, 0.0)
    found = stress_named("worst-day", held, past, TERMS)
    assert found.gain == pytest.approx(20_000.0 * float(past.returns[:, 0].min()))
    assert found.title.startswith("1 day until 20")


def test_gains_of_one_factor_are_proportional_to_its_move() -> None:
    made = report(book(20_000.0, -5_000.0, 1_000.0), past_of(LONG, 500), TERMS, mode="SIM", ts="now")
    assert made.sensitivity["stocks"]["-0.20"] == pytest.approx(-3_000.0)
    assert made.sensitivity["crypto"]["+0.10"] == pytest.approx(100.0)
    assert report(book(1.0, 0.0, 0.0), past_of(LONG, 500), TERMS, mode="", ts="").sensitivity.keys() == {"stocks"}


def test_what_lacks_days_or_a_price_is_said() -> None:
    new = Days({}, sigma_day=0.04)
    past = past_of((LONG[0], new, Days({})), 500)
    made = report(book(nan, 1_000.0, 50.0), past, TERMS, mode="SIM", ts="now")
    assert made.notes == [
        "A: left out of everything, for it has no price yet",
        ALONE,
        "C/USD: left out of every tail, for too few of its days are known",
    ]
    assert [line.symbol for line in made.positions] == ["B"]
    assert made.tails[3].var == pytest.approx(var_parametric(40.0, confidence=0.99))
    assert isnan(made.limit.var)  # as the limits see it: unknown
    assert isnan(made.strategies["one"])
    crash = stressed(Scenario("crash", {"B": -0.5}), book(nan, 1_000.0, 50.0), past)
    assert crash.notes == [
        "C/USD: not moved, for nothing is known of how it would", "A: left out, for it has no price yet",
    ]  # fmt: skip
    assert crash.gain == pytest.approx(-500.0)


def test_nothing_held_is_nothing_at_risk_and_no_equity_has_no_fractions() -> None:
    made = report(book(0.0, 0.0, 0.0), past_of([Days({})] * 3, 500), TERMS, mode="SIM", ts="now")
    assert (made.positions, made.sensitivity, made.limit.var) == ([], {}, 0.0)
    past = past_of(LONG, 500)
    assert isnan(stress_named("pandemic", book(1.0, 0.0, 0.0, equity=0.0), past, TERMS).fraction)


def test_a_report_can_be_written_for_a_program() -> None:
    made = report(book(20_000.0, -10_000.0, 5_000.0), past_of(LONG, 500), TERMS, mode="SIM", ts="now")
    read = msgspec.json.decode(msgspec.json.encode(made))
    assert read["coverage"]["days"] == 250
    assert read["stresses"][0]["name"] == "black-monday"
