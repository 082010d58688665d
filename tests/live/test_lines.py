"""Log lines: the guide's words on a terminal, one JSON object a line for programs."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from tests.build import T0
from trader.live import lines
from trader.live.lines import RULE, as_console, as_json, money, quantity
from trader.live.narrate import Narrator
from trader.model.conduct import Override
from trader.model.events import (
    DailyLossReached,
    Event,
    FlagCleared,
    FlagRaised,
    IntentTrimmed,
    OrderFilled,
    OverrideGranted,
    OverrideProposed,
    OverrideUsed,
    StateSet,
    StrategyFailed,
    SymbolLocked,
    SymbolUnlocked,
)
from trader.model.orders import OrderStatus, Reason, Side, TradingState
from trader.risk.escalation import Action

FILL = OrderFilled(
    ts=T0,
    strategy="SPY_Adaptive",
    symbol="SPY",
    side=Side.BUY,
    qty=Decimal("23.5"),
    price=Decimal("450.23"),
    fee=Decimal(0),
    fee_asset="USD",
    order_id="sim-000001",
    execution_id="sim-x000001",
    decision_price=Decimal("450.2"),
    reason=Reason.SIGNAL,
    status=OrderStatus.FILLED,
    realized=Decimal(0),
    opened=True,
)


def line(event: str, **values: object) -> dict[str, object]:
    return {"event": event, "level": "info", "mode": "SIM", "ts": T0, **values}


def narrated(event: Event) -> dict[str, object]:
    """Return the values of a line as the narrator gives them."""
    with capture_logs() as said:
        Narrator().narrate(event)
    values = dict(said[0])
    return line(str(values.pop("event")), **values)


def filled(**changes: object) -> str:
    return as_console(line("order.filled", **msgspec.structs.asdict(msgspec.structs.replace(FILL, **changes))))


def test_a_buy_reads_as_in_the_guide() -> None:
    assert filled() == (
        "2026-01-05 14:30:00 SIM [INFO] [SPY_Adaptive] 🟢 BUY 23.5000 SPY @ $450.23 (Order ID: sim-000001)"
    )


def test_a_sell_tells_what_it_realised_and_why_where_it_was_no_signal() -> None:
    text = filled(side=Side.SELL, opened=False, realized=Decimal("-12.345"), reason=Reason.STOP_LOSS)
    assert text.endswith("🔴 SELL 23.5000 SPY @ $450.23 (Order ID: sim-000001) PnL: -$12.34 [stop_loss]")


def test_a_fill_between_two_strategies_says_so() -> None:
    assert filled(execution_id="x:a:b").endswith("BUY 23.5000 SPY @ $450.23 (Order ID: sim-000001) [crossed]")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "[INFO] [a] ⛔ HALTED, no openings, those on their way are canceled (by ann: too hot)"),
        (
            {"strategy": ""},
            "[INFO] ⛔ whole desk HALTED, no openings, those on their way are canceled (by ann: too hot)",
        ),
        (
            {"state": TradingState.PAUSED, "flatten": True, "why": ""},
            "[INFO] [a] ⛔ PAUSED, no openings, closing all positions (by ann)",
        ),
        ({"state": TradingState.ACTIVE}, "[INFO] [a] ✓ TRADING ACTIVE (by ann: too hot)"),
    ],
)
def test_an_operators_word_names_whom_it_stops_and_who_said_it(changes: dict[str, Any], text: str) -> None:
    event = msgspec.structs.replace(StateSet(T0, "a", TradingState.HALTED, "ann", "too hot"), **changes)
    assert as_console(line("state.set", **msgspec.structs.asdict(event))).endswith(text)


def test_a_locked_symbol_says_what_differs_and_where_the_ways_out_are() -> None:
    locked = SymbolLocked(T0, "SPY", Decimal("6.0"), Decimal(10), "three readings agree")
    text = as_console(line("symbol.locked", **msgspec.structs.asdict(locked)))
    assert "⛔ SPY LOCKED: the account has 6, the books say 10 (three readings agree): no openings" in text
    assert text.endswith("`trader reconcile` shows it and the ways out")
    unlocked = SymbolUnlocked(T0, "SPY", "ann", Decimal(-4))
    text = as_console(line("symbol.unlocked", **msgspec.structs.asdict(unlocked)))
    assert text.endswith("✓ SPY unlocked (by ann), -4 booked to external")
    unlocked = SymbolUnlocked(T0, "SPY", "reconciliation")
    assert as_console(line("symbol.unlocked", **msgspec.structs.asdict(unlocked))).endswith("(by reconciliation)")


def test_warm_up_reads_as_in_the_guide() -> None:
    text = as_console(line("warmup.completed", strategy="SPY_Adaptive"))
    assert text == "2026-01-05 14:30:00 SIM [INFO] [SPY_Adaptive] ✓ Warmup complete - TRADING ACTIVE"


def test_the_banner_and_the_start_block_read_as_in_the_guide() -> None:
    card = {
        "name": "SPY_Adaptive",
        "tickers": ["SPY", "QQQ"],
        "initial_cash": Decimal(10000),
        "warmup_bars": 50,
        "asset_type": "Stock",
    }
    lines = as_console(line("coordinator.started", paper=True, market="synthetic", sandboxes=[card])).splitlines()
    assert [text.partition("[INFO] ")[2] for text in lines] == [
        RULE,
        "Starting MultiTraderCoordinator",
        "Mode: SIM (simulated orders, no money at risk)",
        "Paper Trading: True",
        "Market: synthetic",
        "Strategies: 1",
        RULE,
        "  [SPY_Adaptive]",
        "    Tickers: SPY, QQQ",
        "    Initial Cash: $10,000.00",
        "    Warmup Bars: 50",
        "    Asset Type: Stock",
    ]
    assert all("SIM" in text for text in lines)


@pytest.mark.parametrize(
    ("mode", "words"),
    [("PAPER", "orders to a paper account, no money at risk"), ("LIVE", "REAL MONEY")],
)
def test_the_start_block_says_whose_money_moves(mode: str, words: str) -> None:
    started = {**line("coordinator.started", paper=mode != "LIVE", market="Alpaca", sandboxes=[]), "mode": mode}
    assert f"Mode: {mode} ({words})" in as_console(started)


def test_a_refusal_names_rule_limit_and_value() -> None:
    text = as_console(
        line(
            "order.denied",
            strategy="a",
            symbol="SPY",
            side=Side.BUY,
            qty=Decimal(1),
            rule="max_daily_trades",
            limit="10",
            value="10",
        )
    )
    assert text.endswith("[a] ✗ BUY 1.0000 SPY denied by max_daily_trades: limit 10, value 10")


def test_a_refusal_without_figures_reads_as_a_sentence() -> None:
    values = {"strategy": "a", "symbol": "SPY", "side": Side.BUY, "qty": Decimal(1)}
    text = as_console(line("order.denied", **values, rule="halted", limit="no openings", value="until it is resumed"))
    assert text.endswith("[a] ✗ BUY 1.0000 SPY denied by halted: no openings, until it is resumed")


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        ("", "⛔ whole desk HALTED since an earlier run; `trader resume` ends that"),
        ("a", "[a] ⛔ HALTED since an earlier run; `trader resume a` ends that"),
    ],
)
def test_a_halt_that_outlived_a_run_says_what_ends_it(strategy: str, told: str) -> None:
    assert as_console(line("state.kept", strategy=strategy, state="halted")).endswith(told)


def test_a_days_loss_and_a_failed_strategy_say_what_happens_next() -> None:
    loss = DailyLossReached(T0, "a", Decimal(500), Decimal("512.3"), flatten=True)
    text = as_console(line("loss.reached", **msgspec.structs.asdict(loss)))
    assert "Daily loss $512.30 reached max_daily_loss $500.00" in text
    assert text.endswith("no openings for the rest of the day, closing its positions")
    traceback = 'Traceback\n  File "mine.py", line 3, in on_bar\n    boom()\nValueError: no\n'
    failed = StrategyFailed(T0, "a", "SPY", "ValueError: no", traceback, flatten=False)
    text = as_console(line("strategy.failed", **msgspec.structs.asdict(failed)))
    assert text.endswith(
        '✗ Strategy failed on SPY: ValueError: no (File "mine.py", line 3, in on_bar) - HALTED, holding its positions'
    )


def test_an_event_without_words_shows_its_keys() -> None:
    assert as_console(line("bar.late", symbol="SPY")).endswith("bar.late symbol=SPY")


def test_json_begins_with_time_level_mode_and_event_and_writes_money_as_text() -> None:
    text = as_json(line("order.filled", **msgspec.structs.asdict(FILL)))
    assert list(json.loads(text))[:4] == ["ts", "level", "mode", "event"]
    values = json.loads(text)
    assert (values["ts"], values["qty"], values["price"]) == ("2026-01-05T14:30:00Z", "23.5", "450.23")


@pytest.mark.parametrize(
    ("amount", "text"),
    [("8500", "$8,500.00"), ("-50", "-$50.00"), ("-0.001", "$0.00"), ("0", "$0.00"), ("1234567.891", "$1,234,567.89")],
)
def test_money_is_shown_to_the_cent(amount: str, text: str) -> None:
    assert money(Decimal(amount)) == text


@pytest.mark.parametrize(
    ("qty", "text"), [("23.5", "23.5000"), ("0.106250001", "0.106250001"), ("5", "5.0000"), ("1E-9", "0.000000001")]
)
def test_quantities_have_four_decimals_and_more_where_they_have_more(qty: str, text: str) -> None:
    assert quantity(Decimal(qty)) == text


def test_small_prices_keep_their_digits() -> None:
    assert "@ $0.00002104 (" in filled(price=Decimal("0.00002104"))


def test_a_refusal_names_rule_scope_limit_value_and_the_way_to_change_it() -> None:
    order = {"side": "buy", "qty": Decimal(10), "symbol": "SPY"}
    figures = {"rule": "max_gross", "limit": "150 %", "value": "162 %"}
    text = as_console(line("order.denied", strategy="a", **order, **figures, scope="account", hint="raise max_gross"))
    assert text.endswith(
        "[a] ✗ BUY 10.0000 SPY denied by max_gross (account): limit 150 %, value 162 %; raise max_gross"
    )


@pytest.mark.parametrize(
    ("kept", "text"),
    [
        ("4", "✂ BUY 10.0000 SPY cut to 4.0000 by filter volatility: limit 0.2, value 0.31"),
        ("0", "✗ BUY 10.0000 SPY dropped by filter volatility: limit 0.2, value 0.31"),
    ],
)
def test_what_a_filter_took_is_told_with_its_numbers(kept: str, text: str) -> None:
    trim = IntentTrimmed(T0, "a", "SPY", Side.BUY, Decimal(10), Decimal(kept), "volatility", "0.2", "0.31")
    assert as_console(line("intent.trimmed", **msgspec.structs.asdict(trim))).endswith(text)


def test_an_exception_is_told_in_words_until_it_is_used() -> None:
    asked = Override(3, "one", "QQQ", Side.BUY, Decimal(10), "cooldown", "hedge", T0, "ann")
    what = "[one] ⚠ exception 3: one BUY of at most 10.0000 QQQ may pass cooldown until 2026-01-05 14:30 UTC, asked for"
    said = [
        as_console(narrated(OverrideProposed(T0, asked))),
        as_console(narrated(OverrideGranted(T0, msgspec.structs.replace(asked, approved_by="bob")))),
        as_console(narrated(OverrideUsed(T0, 3, "id-1", "cooldown", "120 s", "60 s"))),
    ]
    assert said[0].endswith(f"{what} by ann (hedge); another person agrees with `trader override agree 3`")
    assert said[1].endswith(f"{what} by ann (hedge); agreed to by bob")
    assert said[2].endswith("⚠ exception 3 used by id-1: cooldown, limit 120 s, value 60 s")


@pytest.mark.parametrize(
    ("action", "until", "text"),
    [
        ("alert", 0, "⚠ account: hard drawdown, limit 20 %, value 21 %"),
        (
            "reduce_only",
            T0,
            "⛔ account: hard drawdown, limit 20 %, value 21 %: no openings; until 2026-01-05 14:30 UTC",
        ),
        (
            "halt_desk",
            -1,
            "⛔ account: hard drawdown, limit 20 %, value 21 %: the whole desk is halted; until `trader resume`",
        ),
    ],
)
def test_a_flag_says_what_is_broken_what_follows_and_for_how_long(action: str, until: int, text: str) -> None:
    flag = FlagRaised(T0, "account", "drawdown", "hard", action, "20 %", "21 %", until)
    assert as_console(narrated(flag)).endswith(text.format(what="account: hard drawdown, limit 20 %, value 21 %"))


def test_every_action_has_words_and_the_end_of_a_flag_says_by_whom() -> None:
    assert set(lines._FOLLOWS) == set(Action)  # noqa: SLF001 -- the table is what is tried
    cleared = FlagCleared(T0, "group etf", "daily_loss", "soft", "the measure")
    text = as_console(narrated(cleared))
    assert text.endswith("✓ group etf: soft daily_loss is over (by the measure)")
