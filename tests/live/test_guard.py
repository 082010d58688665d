"""The account guard: everything that would go wrong with the first orders is said before there are any."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from trader.books.ledger import Ledger
from trader.config import Config, StrategyConfig, parse
from trader.config.credentials import Credentials
from trader.errors import Problem, Refused, Unavailable, WireError
from trader.live import guard
from trader.live.answers import SINGLE_ASSETS, Account, Asset, Clock, fetch_account, fetch_assets, fetch_clock
from trader.live.guard import Terms
from trader.model.events import BooksCreated, SandboxOpened
from trader.model.time import DAY, MINUTE, SECOND, parse_time

NOON = parse_time("2026-11-20T12:00:00+00:00")
PAPER = Terms(is_live=False)


def strategies(*tickers: str, **changes: Any) -> tuple[StrategyConfig, ...]:
    entry = {"name": "A", "strategy_type": "momentum", "tickers": list(tickers or ("SPY",)), **changes}
    return parse({"strategies": [entry]}).strategies


def account(**changes: Any) -> Account:
    known: dict[str, Any] = {
        "account_number": "PA123456789",
        "status": "ACTIVE",
        "crypto_status": "ACTIVE",
        "equity": Decimal(100_000),
    }
    return Account(**known | changes)


def asset(symbol: str = "SPY", **changes: Any) -> Asset:
    known: dict[str, Any] = {"symbol": symbol, "tradable": True, "status": "active", "fractionable": True}
    return Asset(**known | changes)


def credentials(key_id: str) -> Credentials:
    return Credentials(key_id, SecretStr("canary"), "environment")


class Alpaca:
    """Answers like the trading API; what is not in ``answers`` it does not know."""

    def __init__(self, **answers: Any) -> None:
        clock = {
            "timestamp": "2026-11-20T07:00:00.25-05:00",
            "is_open": False,
            "next_open": "2026-11-20T09:30:00-05:00",
            "next_close": "2026-11-20T16:00:00-05:00",
        }
        spy = {"symbol": "SPY", "tradable": True, "status": "active", "fractionable": True, "class": "us_equity"}
        btc = spy | {"symbol": "BTC/USD", "class": "crypto"}
        self.answers: dict[str, Any] = {
            "/account": {"status": "ACTIVE", "account_number": "PA1", "equity": "100000", "new_field": [1]},
            "/clock": clock,
            "/assets": [spy, btc],
            "/assets/SPY": spy,
            "/positions": [],
            "/orders": [],
        } | answers
        self.asked: list[str] = []

    async def get(self, path: str, params: Any = None) -> Any:
        self.asked.append(path)
        answer = self.answers.get(path, Refused(404, 40410000, f"asset not found for {path}"))
        if isinstance(answer, Exception):
            raise answer
        return answer


def said(problems: list[Problem]) -> list[str]:
    return [str(problem) for problem in problems]


async def test_an_account_that_fits_passes() -> None:
    found = await guard.inspect(Alpaca(), strategies("SPY", "BTC/USD"), PAPER, now=lambda: NOON)
    assert (found.problems, found.notes) == ([], [])
    assert found.skew_ns == SECOND // 4
    assert not found.clock.is_open
    assert found.account.equity == 100_000


async def test_everything_that_is_wrong_is_told_at_once() -> None:
    alpaca = Alpaca(**{"/account": {"status": "ACTIVE", "equity": 5000, "trading_blocked": True}})
    late = NOON + 60 * SECOND
    found = await guard.inspect(alpaca, strategies("NOPE"), PAPER, now=lambda: late)
    assert [problem.path for problem in found.problems] == [
        "account",
        "strategies",
        "strategies[0].tickers[0]",
        "clock",
    ]


async def test_a_small_skew_is_told_and_passes() -> None:
    found = await guard.inspect(Alpaca(), strategies(), PAPER, now=lambda: NOON + 5 * SECOND)
    assert found.problems == []
    assert said(found.notes) == [
        (
            "clock: this machine is 4.8 s ahead of the venue's clock;"
            " set this machine's clock (timedatectl set-ntp true), then start again"
        )
    ]


async def test_an_exchange_on_this_machine_with_a_time_of_its_own_asks_for_speed() -> None:
    local = Terms(is_live=False, is_loopback=True)
    found = await guard.inspect(Alpaca(), strategies(), local, now=lambda: NOON - 3_600 * SECOND)
    assert said(found.problems) == [
        (
            "clock: this machine is 1:00:00 h behind the venue's clock;"
            " it has a time of its own; add --speed N to follow it, N as the exchange was given (1 is real time)"
        )
    ]
    following = Terms(is_live=False, is_loopback=True, follows_exchange=True)
    assert not (await guard.inspect(Alpaca(), strategies(), following, now=lambda: 0)).problems


async def test_a_clock_of_another_year_is_told_in_days() -> None:
    problem = guard.skew_problem(-300 * DAY - 7 * SECOND, 0, is_loopback=True)
    assert problem is not None
    assert problem.message.startswith("this machine is 300 days ahead of the venue's clock; it has a time of its own")


async def test_what_the_account_already_holds_is_told_and_passes() -> None:
    order = {"id": "1", "client_order_id": "by hand", "status": "new", "symbol": "QQQ"}
    positions = [{"symbol": "SPY", "qty": "-5", "side": "short"}, {"symbol": "BTCUSD", "qty": "0.5", "side": "long"}]
    alpaca = Alpaca(**{"/positions": positions, "/orders": [order, order]})
    found = await guard.inspect(alpaca, strategies("SPY", "BTC/USD"), PAPER, now=lambda: NOON)
    assert found.problems == []
    held, orders = said(found.notes)
    assert held.startswith("positions: the account already holds 0.5 BTC/USD, -5 SPY; no strategy owns that")
    assert orders.startswith("orders: the account already has 2 open orders (QQQ); no strategy owns them")


def test_a_closed_market_is_told_with_who_waits_and_who_does_not() -> None:
    clock = Clock(NOON, is_open=False, next_open=NOON + 150 * MINUTE, next_close=0)
    assert guard.waiting(clock, strategies("SPY", "BTC/USD", "AAPL")) == (
        "the stock market opens on Friday 2026-11-20 14:30 UTC, in 2:30:00 h; until then AAPL, SPY wait,"
        " BTC/USD trade now"
    )
    assert guard.waiting(clock, strategies("BTC/USD")) == ""
    assert guard.waiting(msgspec.structs.replace(clock, is_open=True), strategies("SPY")) == ""


@pytest.mark.parametrize(("speed", "is_right"), [(60, True), (58, True), (30, False), (1, False), (120, False)])
def test_another_speed_than_the_exchanges_is_told(speed: float, is_right: bool) -> None:
    here = guard.Reading(NOON, 0, SECOND // 1000)
    there = guard.Reading(NOON + 6 * SECOND, SECOND // 10, SECOND // 1000)
    problem = guard.pace_problem(here, there, speed)
    assert (problem is None) == is_right
    assert is_right or "runs about 60 times as fast as this machine's" in str(problem)


def test_a_speed_that_could_not_be_measured_is_believed() -> None:
    here, there = guard.Reading(0, 0, SECOND // 10), guard.Reading(6 * SECOND, SECOND // 10, SECOND // 10)
    assert guard.pace_problem(here, there, 30) is None


async def test_a_slow_answer_is_no_skew() -> None:
    times = iter([NOON - 4 * SECOND, NOON + 4 * SECOND])
    clock, skew, doubt = await fetch_clock(Alpaca(), lambda: next(times))
    assert (clock.ts, skew, doubt) == (NOON + SECOND // 4, SECOND // 4, 4 * SECOND)
    assert guard.skew_problem(5 * SECOND, doubt, is_loopback=False) is None
    assert guard.skew_problem(7 * SECOND, doubt, is_loopback=False) is not None


@pytest.mark.parametrize("error", [Refused(401, 0, "unauthorized."), Unavailable("no route to host")])
async def test_what_alpaca_does_not_answer_is_passed_on(error: Exception) -> None:
    with pytest.raises(type(error)):
        await guard.inspect(Alpaca(**{"/account": error}), strategies(), PAPER, now=lambda: NOON)
    with pytest.raises(type(error)):
        await fetch_assets(Alpaca(**{"/assets/SPY": error}), ["SPY"])


@pytest.mark.parametrize("answer", [None, [], {"status": 5, "equity": {}}, {"status": "ACTIVE", "equity": "NaN"}])
async def test_an_answer_that_is_no_account_is_told_as_such(answer: Any) -> None:
    with pytest.raises(WireError):
        await fetch_account(Alpaca(**{"/account": answer}))


async def test_a_clock_that_shows_no_time_is_told_as_such() -> None:
    clock = {"timestamp": "noon", "is_open": True, "next_open": "", "next_close": ""}
    with pytest.raises(WireError, match="the venue's clock cannot be read"):
        await fetch_clock(Alpaca(**{"/clock": clock}), lambda: NOON)


async def test_few_stocks_are_asked_for_singly_and_coins_by_one_list() -> None:
    alpaca = Alpaca()
    assets = await fetch_assets(alpaca, ["SPY", "NOPE", "BTC/USD", "NO/USD"])
    assert {symbol: found and found.symbol for symbol, found in assets.items()} == {
        "SPY": "SPY",
        "NOPE": None,
        "BTC/USD": "BTC/USD",
        "NO/USD": None,
    }
    assert sorted(alpaca.asked) == ["/assets", "/assets/NOPE", "/assets/SPY"]


async def test_many_stocks_are_asked_for_by_one_list_in_which_active_ones_count() -> None:
    gone = {"symbol": "SPY", "tradable": False, "status": "inactive"}
    alpaca = Alpaca(**{"/assets": [*Alpaca().answers["/assets"], gone]})
    assets = await fetch_assets(alpaca, ["SPY", *(f"S{number}" for number in range(SINGLE_ASSETS))])
    assert assets["SPY"] is not None
    assert assets["SPY"].tradable
    assert assets["S1"] is None
    assert alpaca.asked == ["/assets"]


@pytest.mark.parametrize(
    ("key_id", "is_live", "text"),
    [
        (
            "AKLIVELIVELIVE9999",
            False,
            (
                "credentials: AK…9999 (from the environment) is a live key, but this is paper trading; use a key of the"
                " paper account (its id begins with PK), or add --live to trade real money"
            ),
        ),
        (
            "PKTESTTESTTEST1111",
            True,
            (
                "credentials: PK…1111 (from the environment) is a paper key, but --live was given; make a key of the"
                " live account, or leave out --live"
            ),
        ),
    ],
)
def test_a_key_of_the_other_kind_stops(key_id: str, is_live: bool, text: str) -> None:
    assert said(guard.key_problems(credentials(key_id), is_live=is_live)) == [text]
    assert not guard.key_problems(credentials(key_id), is_live=not is_live)
    assert not guard.key_problems(credentials("CKUNKNOWN"), is_live=is_live)


@pytest.mark.parametrize(("is_local", "text"), [(True, "start `trader exchange` there"), (False, "check network")])
def test_no_answer_is_told_with_what_to_look_at(is_local: bool, text: str) -> None:
    assert guard.reach_remedy(is_loopback=is_local).startswith(text)


def test_refused_keys_are_told_with_what_to_look_at() -> None:
    real = str(guard.refused_keys(credentials("PK99991111"), "https://x", is_live=False, is_loopback=False))
    assert real.startswith("credentials: https://x refused PK…1111 (from the environment); check that id and secret")
    assert "resetting a paper account deletes its keys" in real
    local = str(guard.refused_keys(credentials("PK99991111"), "http://x", is_live=False, is_loopback=True))
    assert "`trader exchange --env` prints" in local
    assert "canary" not in real + local


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"status": "ACTION_REQUIRED"}, "is ACTION_REQUIRED, not ACTIVE; log in at app.alpaca.markets and do what"),
        ({"status": "SUBMITTED"}, "is SUBMITTED, not ACTIVE; log in at app.alpaca.markets to see what is missing"),
        ({"account_blocked": True}, "is blocked by Alpaca (account_blocked)"),
        ({"trading_blocked": True}, "may not trade (trading_blocked)"),
        ({"trade_suspended_by_user": True}, "has trading suspended by its owner (suspend_trade); allow it again"),
        ({"currency": "EUR"}, "is kept in EUR"),
        ({"crypto_status": "INACTIVE"}, "may not trade crypto (crypto_status INACTIVE); enable crypto"),
        ({"equity": None}, "has no readable equity"),
    ],
)
def test_what_keeps_the_account_from_trading_is_told(changes: dict[str, Any], text: str) -> None:
    (problem,) = guard.account_problems(account(**changes), strategies("SPY", "BTC/USD"), is_live=True)
    assert str(problem).startswith(f"account: {text}")


def test_an_account_that_may_trade_on_paper_only_does() -> None:
    only = account(status="PAPER_ONLY")
    assert not guard.account_problems(only, strategies(), is_live=False)
    (problem,) = guard.account_problems(only, strategies(), is_live=True)
    assert "leave out --live" in problem.message


def test_crypto_need_not_be_enabled_for_stocks() -> None:
    assert not guard.account_problems(account(crypto_status="INACTIVE"), strategies("SPY"), is_live=True)


def test_a_strategy_that_sells_short_needs_an_account_that_may() -> None:
    (problem,) = guard.account_problems(
        account(shorting_enabled=False), strategies("SPY", allow_short=True), is_live=False
    )
    assert str(problem).startswith("strategies[0].allow_short: must be false: the account may not sell short")
    assert not guard.account_problems(account(shorting_enabled=False), strategies("SPY"), is_live=False)


def test_capital_above_the_accounts_equity_is_refused_unless_insisted_on() -> None:
    both = (*strategies(initial_cash=Decimal(6_000)), *strategies(initial_cash=Decimal("4000.01")))
    (problem,) = guard.capital_problems(account(equity=Decimal(10_000)), both, allow_overallocation=False)
    assert str(problem) == (
        "strategies: their capital together is $10,000.01, but the account's equity is $10,000.00;"
        " lower initial_cash by $0.01 in all, or insist with --allow-overallocation"
    )
    assert not guard.capital_problems(account(equity=Decimal(10_000)), both, allow_overallocation=True)
    assert not guard.capital_problems(account(equity=Decimal("10000.01")), both, allow_overallocation=False)


def test_capital_that_is_raised_is_compared_with_what_no_strategy_has_yet() -> None:
    ledger = Ledger()
    ledger.apply(BooksCreated(0, "b", "PA1", Decimal(10_000), {}))
    ledger.apply(SandboxOpened(0, "A", Decimal(6_000)))
    more = strategies(initial_cash=Decimal(11_000))
    (problem,) = guard.capital_problems(
        account(equity=Decimal(10_000)), more, allow_overallocation=False, ledger=ledger
    )
    assert str(problem).startswith(
        "strategies: the capital they would newly get is $5,000.00, but the account's equity beyond what these books"
        " have is $4,000.00; lower initial_cash by $1,000.00 in all"
    )


@pytest.mark.parametrize(
    ("wants", "known", "text"),
    [
        ({}, {"tradable": False}, "SPY is not traded at Alpaca (active, tradable: false); take it out"),
        ({}, {"status": "inactive", "tradable": False}, "SPY is not traded at Alpaca (inactive, tradable: false)"),
        ({}, {"fractionable": False}, "SPY is traded in whole shares only; set fractionable to false in 'A'"),
        ({"allow_short": True}, {"shortable": False}, "SPY cannot be sold short now (not shortable); set allow_short"),
        (
            {"allow_short": True},
            {"shortable": True, "borrow_status": "hard_to_borrow"},
            "SPY cannot be sold short now (hard to borrow)",
        ),
        ({}, {"symbol": "SPY/USD"}, "'SPY' is 'SPY/USD' at Alpaca; write it so"),
    ],
)
def test_a_ticker_that_cannot_be_traded_as_wanted_is_told(
    wants: dict[str, Any], known: dict[str, Any], text: str
) -> None:
    (problem,) = guard.ticker_problems(strategies("SPY", **wants), {"SPY": asset(**known)})
    assert str(problem).startswith(f"strategies[0].tickers[0]: {text}")


def test_what_a_strategy_does_not_need_is_not_asked_of_its_tickers() -> None:
    plain = asset(shortable=False, fractionable=False, borrow_status="hard_to_borrow")
    assert not guard.ticker_problems(strategies("SPY", fractionable=False), {"SPY": plain})
    assert not guard.ticker_problems(strategies("BTC/USD"), {"BTC/USD": asset("BTC/USD", fractionable=False)})


def test_an_unknown_ticker_is_told_with_what_was_probably_meant() -> None:
    known = {"BTC/USD": asset("BTC/USD"), "BTT/USD": None, "OPUSD": None, "ZZZZ": None}
    assert said(guard.ticker_problems(strategies(*known), known)) == [
        "strategies[0].tickers[1]: Alpaca knows no 'BTT/USD'; did you mean 'BTC/USD'?",
        "strategies[0].tickers[2]: Alpaca knows no 'OPUSD'; did you mean 'OP/USD'?",
        "strategies[0].tickers[3]: Alpaca knows no 'ZZZZ'; correct it, or take it out",
    ]


@pytest.mark.parametrize("symbol", ["BTCUSD", "BTC-USD", "btc/usd", "btcusd", "BTC_USD"])
def test_a_pair_without_its_slash_is_recognised(symbol: str) -> None:
    assert guard.pair_meant(symbol) == "BTC/USD"


@pytest.mark.parametrize("symbol", ["BTC/USD", "SPY", "USD", "AUSD"])
def test_what_is_no_misspelt_pair_is_not(symbol: str) -> None:
    assert guard.pair_meant(symbol) == ""


def test_live_trading_takes_the_whole_account_number() -> None:
    real = account(account_number="123456789")
    assert not guard.confirm_live(real, typed=" 123456789\n", yes_live=None)
    assert not guard.confirm_live(real, typed=None, yes_live="123456789")
    for wrong in ("", "yes", "y", "789", "123456780"):
        assert guard.confirm_live(real, typed=wrong, yes_live=None)
        assert guard.confirm_live(real, typed=None, yes_live=wrong)
    assert guard.confirm_live(real, typed="123456789", yes_live="1"), "the flag is what counts when both are there"


def test_live_trading_is_never_confirmed_for_an_account_without_a_number() -> None:
    assert guard.confirm_live(account(account_number=""), typed="", yes_live=None)


def test_live_trading_without_a_terminal_says_which_flag_to_use() -> None:
    (problem,) = guard.confirm_live(account(), typed=None, yes_live=None)
    assert "add --yes-live NUMBER" in problem.message


def test_the_question_shouts_and_does_not_give_the_answer() -> None:
    prompt = guard.live_prompt(account(account_number="123456789"), strategies())
    assert "LIVE: 1 strategy will trade REAL MONEY in the account that ends in …789 (equity $100,000.00)" in prompt
    assert "123456789" not in prompt + repr(account(account_number="123456789"))
    (problem,) = guard.confirm_live(account(account_number="123456789"), typed="yes", yes_live=None)
    assert "what was typed, 'yes', is not the number" in problem.message
    assert "123456789" not in problem.message


def test_the_built_in_strategies_can_be_checked_too() -> None:
    from trader.config import default_config

    config: Config = default_config()
    assets = {ticker: asset(ticker) for settings in config.strategies for ticker in settings.tickers}
    assert not guard.ticker_problems(config.strategies, assets)
