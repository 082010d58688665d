"""Who may open what."""

from trader.risk.lists import MOST_SHOWN, Lists
from trader.risk.rules import Rules


def test_without_lists_anybody_may_open_anything() -> None:
    assert Lists(Rules()).broken("one", "SPY") is None


def test_a_restricted_symbol_is_opened_by_nobody() -> None:
    breach = Lists(Rules(restricted=("SPY",))).broken("one", "SPY")
    assert breach is not None
    assert (breach.rule, breach.scope) == ("restricted", "symbol SPY")
    assert "risk.restricted" in breach.hint


def test_only_allowed_symbols_are_opened_where_some_are_named() -> None:
    lists = Lists(Rules(allowed=("QQQ", "IWM")))
    assert lists.broken("one", "QQQ") is None
    breach = lists.broken("one", "SPY")
    assert breach is not None
    assert (breach.rule, breach.scope, breach.limit) == ("not_allowed", "symbol SPY", "IWM, QQQ")


def test_a_strategy_opens_what_it_is_authorized_for_and_others_anything() -> None:
    lists = Lists(Rules(authorized={"one": ("QQQ",), "none": ()}))
    assert lists.broken("one", "QQQ") is None
    assert lists.broken("two", "SPY") is None
    breach = lists.broken("one", "SPY")
    assert breach is not None
    assert (breach.rule, breach.scope, breach.limit) == ("unauthorized", "strategy one", "QQQ")
    breach = lists.broken("none", "SPY")
    assert breach is not None
    assert breach.limit == "none"


def test_a_long_list_is_cut() -> None:
    breach = Lists(Rules(allowed=tuple(f"S{number}" for number in range(MOST_SHOWN + 3)))).broken("one", "SPY")
    assert breach is not None
    assert breach.limit.endswith(" and 3 more")
