"""The desk's figures: what each strategy, group and the account are worth, carry and have lost."""

from decimal import Decimal
from typing import Any

import pytest

from tests.build import T0, bar, by_minute, spec
from tests.engine.rooms import Watched
from trader.books.monitor import Exposure
from trader.engine.summary import summarize
from trader.live.summary import as_json, as_text
from trader.model.events import ExternalFilled
from trader.model.orders import Side
from trader.model.time import MINUTE
from trader.risk.bounds import Bound
from trader.risk.ladder import Ladder, Rungs
from trader.risk.limits import GroupLimits
from trader.risk.rules import Rules

RULES = Rules(
    groups={"coins": GroupLimits(("two",)), "all": GroupLimits(("one", "two"))},
    sectors={"broad": ("SPY",)},
    ladder=Ladder(
        {"account": Rungs(daily_loss=Bound(0.5), drawdown=Bound(0.5)), "strategy one": Rungs(drawdown=Bound(0.4))}
    ),
)


@pytest.fixture
def desk() -> Watched:
    """Hold 100 SPY, bought at 100 and now 110, and be short of 50 QQQ, sold at 100 and now 90."""
    long = spec(by_minute({1: 0.5}), "SPY", cash="20000", name="one")
    short = spec(by_minute({1: -0.5}), "QQQ", cash="10000", name="two", allow_short=True)
    desk = Watched(RULES, long, short)
    for minute, (spy, qqq) in enumerate(((100, 100), (100, 100), (120, 90), (110, 90)), 1):
        desk.minute(bar("SPY", minute, close=spy), bar("QQQ", minute, close=qqq))
    return desk


def figures(desk: Watched) -> Any:
    assert desk.engine.room is not None
    return desk.engine.room.figures(T0 + 4 * MINUTE)


def test_every_scope_has_its_worth_profit_and_exposure(desk: Watched) -> None:
    seen = figures(desk)
    one, two = seen.strategies
    assert (one.equity, one.pnl, one.realized, one.unrealized) == (21000, 1000, 0, 1000)
    assert (two.equity, two.pnl, two.positions) == (10500, 500, 1)
    assert [group.scope for group in seen.groups] == ["group coins", "group all"]
    assert [group.equity for group in seen.groups] == [10500, 31500]
    assert seen.groups[1].exposure == Exposure(15500, 6500)
    assert (seen.account.equity, seen.account.pnl, seen.account.positions) == (31500, 1500, 2)
    assert seen.account.exposure == Exposure(15500, 6500)


def test_exposure_is_told_by_symbol_class_sector_and_category_and_the_largest_is_named(desk: Watched) -> None:
    seen = figures(desk)
    assert seen.by_symbol == {"SPY": Exposure(11000, 11000), "QQQ": Exposure(4500, -4500)}
    assert seen.by_class == {"stock": Exposure(15500, 6500)}
    assert seen.by_sector == {"broad": Exposure(11000, 11000), "unknown": Exposure(4500, -4500)}
    assert seen.by_category == {"unknown": Exposure(15500, 6500)}
    assert seen.largest == ("SPY", round(11000 / 31500, 6))
    assert seen.stale_s == {"SPY": 0, "QQQ": 0}


def test_losses_are_of_what_they_are_measured_from_where_a_limit_was_set(desk: Watched) -> None:
    seen = figures(desk)
    assert seen.account.losses == {"day": round(-1500 / 30000, 6), "peak": round(1000 / 32500, 6)}
    assert seen.strategies[0].losses == {"peak": round(1000 / 22000, 6)}
    assert seen.strategies[1].losses == {}


def test_what_other_hands_buy_is_the_accounts_exposure_and_nobodys_profit(desk: Watched) -> None:
    desk.engine.desk.emit(ExternalFilled(
        T0, "SPY", Side.BUY, Decimal(10), Decimal(100), Decimal(0), "USD", "v", "x"
    ))  # fmt: skip
    seen = figures(desk)
    assert seen.account.exposure == Exposure(16600, 7600)
    assert (seen.account.equity, seen.unallocated) == (31500, -1000)


@pytest.mark.parametrize(("tickers", "equity"), [(("SPY", "QQQ"), 31500), (("SPY",), 31000)])
def test_a_strategy_that_is_no_longer_traded_stays_in_the_accounts_worth(
    desk: Watched, tickers: tuple[str, ...], equity: float
) -> None:
    long = spec(by_minute({}), *tickers, cash="20000", name="one")
    again = Watched(Rules(ladder=RULES.ladder), long, books=desk.events, at=T0 + 5 * MINUTE)
    again.minute(bar("SPY", 6, close=110), *[bar(symbol, 6, close=90) for symbol in tickers[1:]])
    seen = figures(again)
    assert seen.account.equity == equity  # what nothing prices any more counts at what it was sold for
    assert seen.account.pnl == equity - 30000
    assert seen.account.losses["day"] == pytest.approx((30000 - equity) / 30000, abs=1e-6)


def test_the_summary_shows_groups_refusals_and_flags(desk: Watched) -> None:
    desk.minute(bar("SPY", 5, close=5), bar("QQQ", 5, close=90))
    summary = summarize(desk.engine, "SIM")
    text = as_text(summary)
    assert "[group all]\n  Total Value: $21,000.00" in text
    assert "  Lost: day 30.00%, peak 35.38%" in text
    assert (
        "  Flag: strategy one, drawdown (hard): 52.27% ($11,500.00), limit 40.00% of $22,000.00: halt_strategy since"
        in text
    )
    assert '"flags":[{"type":"FlagRaised"' in as_json(summary)


def test_without_rules_the_summary_is_as_it_was() -> None:
    desk = Watched(Rules(), spec(by_minute({})))
    assert '"risk"' not in as_json(summarize(desk.engine, "SIM"))
