"""The keys that limit what the account may lose: what they become, and what is said of wrong ones."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from trader.config.findings import explain, problems
from trader.config.risk_var import VarSection, read_stress
from trader.errors import ConfigError
from trader.risk.bounds import Bound
from trader.risk.stress import SCENARIOS, Scenario
from trader.risk.value_at_risk import VarLimits


def test_without_keys_there_are_no_limits() -> None:
    assert VarSection().limits() == VarLimits()


def test_a_number_is_the_hard_level_and_an_object_may_have_both() -> None:
    limits = VarSection.model_validate({
        "max_var": 0.02, "max_es": {"soft": 0.02, "hard": 0.03}, "confidence": 0.99, "horizon": 10, "window": 250,
        "method": "historical",
    }).limits()  # fmt: skip
    assert limits == VarLimits(
        max_var=Bound(0.02), max_es=Bound(0.03, 0.02), confidence=0.99, horizon=10, window=250, method="historical"
    )


def test_stresses_are_all_that_have_a_name_unless_some_are_chosen_or_written() -> None:
    assert VarSection.model_validate({"max_stress": 0.3}).limits().scenarios == tuple(SCENARIOS.values())
    own = {"name": "mine", "shocks": {"SPY": -0.1, "crypto": -0.4}, "completed": False}
    chosen = VarSection.model_validate({"max_stress": 0.3, "stress": ["pandemic", own]})
    assert chosen.limits().scenarios == (
        SCENARIOS["pandemic"],
        Scenario("mine", {"SPY": -0.1, "crypto": -0.4}, is_completed=False),
    )
    assert VarSection.model_validate(chosen.model_dump()) == chosen


WRONG: list[tuple[dict[str, object], str]] = [
    ({"max_var": 2}, "max_var: must be a number from 0 to 1, got 2"),
    ({"max_var": {"soft": 0.3, "hard": 0.2}}, "max_var: soft must be < hard, got 0.3 and 0.2"),
    ({"stress": ["pandemik"]}, "stress[0]: no stress is called 'pandemik'; did you mean 'pandemic'?"),
    ({"stress": ["x" * 9]}, "there are black-monday, dot-com"),
    (
        {"stress": [{"shocks": {"stock": -0.1}}]},
        "stress[0].shocks: must be of symbols like 'SPY' or 'BTC/USD', got 'stock'; did you mean 'stocks'?",
    ),
    ({"stress": [{"shocks": {"SPY": -1.1}}]}, "stress[0].shocks.SPY: must be ≥ -1.0, got -1.1"),
    ({"stress": [{}]}, 'stress[0]: moves nothing; give shocks like {"stocks": -0.2}, or since and until'),
    ({"stress": [{"since": "2020-02-19", "until": "2020-02-19"}]}, "stress[0]: until must be after since"),
    ({"stress": [{"since": "2020-02-19"}]}, "stress[0]: since and until go together"),
    ({"stress": [{"since": "2020-02-19", "until": "2020-03-23"}]}, "since and until are for `trader risk --stress"),
    ({"max_stress": 0.1, "stress": []}, "max_stress without a stress limits nothing"),
    ({"horizon": 11}, "horizon: must be ≤ 10, got 11"),
    ({"window": 249}, "window: must be ≥ 250, got 249"),
    ({"confidence": 95}, "confidence: must be ≤ 0.999, got 95"),
    ({"method": "normal"}, "method: must be one of 'parametric', 'historical' or 'cornish-fisher', got 'normal'"),
    ({"max_vra": 1}, "max_vra: unknown key; did you mean 'max_var'?"),
]


@pytest.mark.parametrize(("section", "said"), WRONG, ids=[said[:40] for _, said in WRONG])
def test_what_is_wrong_is_said_with_its_place(section: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        VarSection.model_validate(section)
    assert said in "\n".join(str(problem) for problem in problems(explain(refused.value, VarSection)))


def test_a_stress_is_read_out_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rates.toml"
    path.write_text('name = "rates"\n[shocks]\nTLT = -0.15\nstocks = -0.05\n')
    assert read_stress(path).scenario() == Scenario("rates", {"TLT": -0.15, "stocks": -0.05})


def test_a_file_that_is_no_stress_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text('{"shock": {"SPY": -0.1}}')
    with pytest.raises(ConfigError, match=r"(?s)bad\.json:.*shock: unknown key; did you mean 'shocks'\?"):
        read_stress(path)
    path.write_text("[]")
    with pytest.raises(ConfigError, match=r"bad\.json"):
        read_stress(path)
