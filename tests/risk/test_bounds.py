"""Two levels of a limit."""

from math import nan

import pytest

from trader.risk.bounds import NONE, Bound
from trader.risk.checks import breach_of, check_of


def test_a_bound_without_levels_is_none() -> None:
    assert not NONE
    assert Bound(0.0)
    assert Bound(soft=1.0)
    assert NONE.broken(1e9) is None
    assert NONE.fallen_below(-1e9) is None


@pytest.mark.parametrize(
    ("value", "level"),
    [(1.0, None), (1.0 + 1e-10, None), (1.001, "soft"), (2.0, "soft"), (2.001, "hard"), (nan, "hard")],
)
def test_what_is_above_a_level_breaks_it_and_what_meets_it_does_not(value: float, level: str | None) -> None:
    assert Bound(2.0, soft=1.0).broken(value) == level
    assert Bound(8.0, soft=9.0).fallen_below(10.0 - value) == level


def test_levels_are_divided_by_tightness() -> None:
    assert Bound(2.0).broken(1.01, 2.0) == "hard"
    assert Bound(2.0).broken(1.0, 2.0) is None


def test_a_soft_level_alone_refuses_what_is_not_known() -> None:
    check = check_of("max_gross", Bound(soft=1.0), scope="account", key="risk.account.max_gross", unit="of equity")
    breach = breach_of(check, nan, missing="no mark yet")
    assert breach is not None
    assert (breach.level, breach.value, breach.limit) == ("hard", "unknown: no mark yet", "1 of equity")


def test_what_is_within_is_no_breach() -> None:
    check = check_of("min_equity", Bound(5.0), scope="account", key="risk.account.min_equity", unit="$")
    assert breach_of(check, 5.0) is None
    breach = breach_of(check, 4.0)
    assert breach is not None
    assert (breach.limit, breach.value, breach.hint[:5]) == ("$5.00", "$4.00", "lower")
