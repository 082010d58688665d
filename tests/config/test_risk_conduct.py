"""The keys that limit how strategies behave, and the two levels of any limit: what they become, what is wrong."""

from decimal import Decimal

import pytest
from pydantic import BaseModel, ValidationError

from trader.books.conduct import MESSAGES_KEPT
from trader.config.bounds import Count
from trader.config.findings import explain, problems
from trader.config.risk_conduct import AccountConduct, StrategyConduct
from trader.risk.bounds import Bound
from trader.risk.conduct import ConductOfAccount, ConductOfOne


def test_without_keys_there_are_no_limits() -> None:
    assert StrategyConduct().conduct() == ConductOfOne()
    assert AccountConduct().conduct() == ConductOfAccount()


def test_a_number_is_the_hard_level_and_an_object_may_have_both() -> None:
    own = StrategyConduct.model_validate({
        "max_repeats": 3, "price_walk": {"soft": Decimal("0.01")}, "cooldown": {"soft": 120, "hard": 60},
        "loss_streak": 4, "loss_streak_pause_s": 60, "max_orders_per_second": MESSAGES_KEPT, "max_rejects": None,
    })  # fmt: skip
    assert own.conduct() == ConductOfOne(
        max_repeats=Bound(3),
        price_walk=Bound(soft=0.01),
        cooldown=Bound(60, 120),
        loss_streak=Bound(4),
        loss_streak_pause_s=60.0,
        max_orders_per_second=Bound(MESSAGES_KEPT),
    )
    assert StrategyConduct.model_validate(own.model_dump()) == own


def test_a_program_may_give_levels_that_are_made_already() -> None:
    assert StrategyConduct(max_repeats=Count(soft=2, hard=3)).conduct().max_repeats == Bound(3, 2)


def test_every_limit_of_the_gate_has_its_key() -> None:
    for section, limits in ((StrategyConduct, ConductOfOne), (AccountConduct, ConductOfAccount)):
        assert set(section.model_fields) == set(limits.__struct_fields__)


WRONG: list[tuple[type[BaseModel], dict[str, object], str]] = [
    (StrategyConduct, {"price_walk": 2}, "price_walk: must be a number from 0 to 1, got 2"),
    (StrategyConduct, {"price_walk": {"soft": 2}}, "price_walk: soft must be a number from 0 to 1, got 2"),
    (StrategyConduct, {"price_walk": -0.1}, "price_walk: must be a number from 0 to 1, got -0.1"),
    (StrategyConduct, {"max_repeats": 1.5}, "max_repeats: must be a whole number from 1 to 1e+09, got 1.5"),
    (StrategyConduct, {"max_repeats": 0}, "max_repeats: must be a whole number from 1 to 1e+09, got 0"),
    (StrategyConduct, {"max_repeats": True}, "max_repeats: must be a number, got true"),
    (StrategyConduct, {"max_repeats": "3"}, "max_repeats: must be a number, got '3'"),
    (StrategyConduct, {"max_repeats": {"hard": [3]}}, "max_repeats: must be a number, got a list"),
    (StrategyConduct, {"max_repeats": {}}, "max_repeats: must have a level: soft, hard or both"),
    (StrategyConduct, {"max_repeats": {"hart": 3}}, "max_repeats.hart: unknown key; did you mean 'hard'?"),
    (StrategyConduct, {"max_repeats": {"soft": 3, "hard": 3}}, "max_repeats: soft must be < hard, got 3 and 3"),
    (
        StrategyConduct,
        {"cooldown": {"soft": 60, "hard": 120}},
        "cooldown: soft must be > hard, which is the tighter side here, got 60 and 120",
    ),
    (StrategyConduct, {"loss_streak_pause_s": 0}, "loss_streak_pause_s: must be ≥ 1.0, got 0.0"),
    (AccountConduct, {"cooldown": 60}, "cooldown: unknown key"),
    (
        AccountConduct,
        {"max_orders_per_minute": 20_000},
        "max_orders_per_minute: must be a whole number from 1 to 10000, got 20000",
    ),
]


@pytest.mark.parametrize(("section", "data", "said"), WRONG)
def test_what_is_wrong_is_said_with_its_place(section: type[BaseModel], data: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as error:
        section.model_validate(data)
    assert said in str(problems(explain(error.value, section))[0])


def test_a_limit_is_a_number_or_an_object_for_an_editor() -> None:
    schema = StrategyConduct.model_json_schema()
    number, levels = schema["$defs"]["Share"]["anyOf"]
    assert number == {"type": "number", "minimum": 0.0, "maximum": 1.0}
    assert set(levels["properties"]) == {"soft", "hard"}
