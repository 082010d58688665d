"""Every key: its default, its bounds, and what is said of a value that is out of them."""

from decimal import Decimal
from fractions import Fraction
from typing import Any, get_args

import numpy as np
import pytest
from pydantic import ValidationError

from tests.config.entries import accepted, refusal, refusals
from trader.config import BrokerConfig, RiskConfig, parse
from trader.config.sections import BarSize
from trader.director.grid import BAR_MINUTES


def test_what_is_left_out_has_the_default_of_the_guide() -> None:
    settings = accepted()
    assert settings.initial_cash == Decimal(10_000)
    assert settings.min_warmup_bars == 50
    assert settings.risk_config == RiskConfig(max_position_size=0.95)
    assert (settings.allow_short, settings.fractionable, settings.bar) == (False, True, "1Min")
    assert (settings.on_daily_loss, settings.on_error) == ("flatten", "flatten")


def test_broker_defaults_cost_what_alpaca_costs_and_nothing_more() -> None:
    simulated = BrokerConfig().simulated
    assert (simulated.fill, simulated.fees) == ("next_open", "alpaca")
    assert (simulated.slippage_bps, simulated.latency_ms, simulated.partial_fills) == (Decimal(0), 0, False)
    assert set(simulated.regulatory_fees.model_dump().values()) == {Decimal(0)}


def test_every_limit_but_the_position_size_may_be_null() -> None:
    risk = {"max_daily_trades": None, "max_daily_loss": None, "stop_loss_pct": None, "take_profit_pct": None}
    assert accepted(risk_config=risk).risk_config == RiskConfig()


@pytest.mark.parametrize("number", [0.9, Decimal("0.9"), np.float64(0.9), Fraction(9, 10)])
def test_a_program_may_give_any_number(number: Any) -> None:
    assert str(RiskConfig(max_position_size=number).max_position_size) == "0.9"


@pytest.mark.parametrize("number", [1, 1.0, Decimal("1.0"), np.int64(1)])
def test_whole_numbers_may_be_written_as_floats_and_floats_as_whole_numbers(number: Any) -> None:
    risk = RiskConfig(max_position_size=number, max_daily_trades=number)
    assert risk.max_position_size == 1
    assert isinstance(risk.max_daily_trades, int)


def test_money_is_the_decimal_that_was_written_whatever_the_type() -> None:
    assert str(accepted(initial_cash=1234.1).initial_cash) == "1234.1"


def test_sections_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        RiskConfig().max_position_size = Decimal(1)


def test_bar_sizes_are_those_the_grid_can_build() -> None:
    assert set(get_args(BarSize)) == BAR_MINUTES.keys()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("initial_cash", 0, "must be > 0, got 0"),
        ("initial_cash", -5.5, "must be > 0, got -5.5"),
        ("initial_cash", "10000", "must be a number, got '10000'"),
        ("initial_cash", True, "must be a number, got true"),
        ("initial_cash", None, "must be a number, got null"),
        ("initial_cash", 10**13, "must be ≤ 1000000000000, got 10000000000000"),
        ("initial_cash", Decimal("1E-19"), "must have at most 30 digits and 18 decimals, got 0.0000000000000000001"),
        ("min_warmup_bars", 0, "must be ≥ 1, got 0"),
        ("min_warmup_bars", 50.5, "must be a whole number, got 50.5"),
        ("min_warmup_bars", False, "must be a number, got false"),
        ("bar", "5min", "must be one of '1Min', '5Min', '15Min', '1Hour' or '1Day', got '5min'; did you mean '5Min'?"),
        ("bar", 5, "must be one of '1Min', '5Min', '15Min', '1Hour' or '1Day', got 5"),
        ("on_error", "sell", "must be one of 'flatten' or 'hold', got 'sell'"),
        ("on_daily_loss", "hodl", "must be one of 'flatten' or 'hold', got 'hodl'; did you mean 'hold'?"),
        ("allow_short", "yes", "must be true or false, got 'yes'"),
        ("fractionable", 1, "must be true or false, got 1"),
        ("name", "", "must have at least 1 characters, got ''"),
        ("name", "x" * 65, "must have at most 64 characters, got '" + "x" * 59 + "…"),
        ("name", "a\x1b[31m", "must be printable and without spaces at its ends, got 'a\\x1b[31m'"),
        ("name", " a", "must be printable and without spaces at its ends, got ' a'"),
        ("name", 7, "must be text, got 7"),
        ("tickers", [], "must not be empty"),
        ("tickers", "SPY", "must be a list, got 'SPY'"),
        ("tickers", ["SPY", "QQQ", "SPY"], "must name each ticker once, got SPY more than once"),
        ("strategy_params", [1], "must be an object, got a list"),
        ("strategy_type", 5, "must be text, got 5"),
        ("risk_config", None, "must be an object, got null"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_allowed(key: str, value: object, said: str) -> None:
    assert refusal(**{key: value}) == f"{key}: {said}"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("max_position_size", 0, "must be > 0, got 0"),
        ("max_position_size", 1.5, "must be ≤ 1, got 1.5"),
        ("max_position_size", None, "must be a number, got null"),
        ("max_daily_trades", 0, "must be ≥ 1, got 0"),
        ("max_daily_trades", 2.5, "must be a whole number, got 2.5"),
        ("max_daily_loss", -500, "must be > 0, got -500"),
        ("stop_loss_pct", 1, "must be < 1, got 1"),
        ("stop_loss_pct", 0, "must be > 0, got 0"),
        ("take_profit_pct", -0.1, "must be > 0, got -0.1"),
        ("max_daily_trade", 5, "unknown key; did you mean 'max_daily_trades'?"),
    ],
)
def test_a_wrong_limit_is_told_at_its_place(key: str, value: object, said: str) -> None:
    assert refusal(risk_config={key: value}) == f"risk_config.{key}: {said}"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("fill", "vwap", "must be one of 'next_open', 'next_quote' or 'signal_price', got 'vwap'"),
        ("fees", "free", "must be one of 'alpaca' or 'none', got 'free'"),
        ("slippage_bps", -1, "must be ≥ 0, got -1"),
        ("latency_ms", 0.5, "must be a whole number, got 0.5"),
        ("partial_fills", 0, "must be true or false, got 0"),
        ("regulatory_fees", {"taf": 1}, None),
    ],
)
def test_a_wrong_broker_setting_is_told_at_its_place(key: str, value: object, said: str | None) -> None:
    (line,) = refusals({"name": "A", "strategy_type": "rsi", "tickers": ["SPY"]}, broker={"simulated": {key: value}})
    allowed = "unknown key; allowed: sec_usd_per_million, taf_usd_per_share, taf_cap_usd"
    assert line == (f"broker.simulated.{key}: {said}" if said else f"broker.simulated.{key}.taf: {allowed}")


@pytest.mark.parametrize("symbol", ["SPY", "F", "BRK.B", "BAC.PRL", "T", "S0001", "BTC/USD", "SHIB/USDT", "1INCH/USDC"])
def test_stocks_and_dollar_pairs_are_tickers(symbol: str) -> None:
    assert accepted(tickers=[symbol]).tickers == (symbol,)


@pytest.mark.parametrize(
    ("symbol", "hint"),
    [
        ("spy", "; did you mean 'SPY'?"),
        (" SPY", "; did you mean 'SPY'?"),
        ("BRK-B", "; did you mean 'BRK.B'?"),
        ("BRK/B", "; did you mean 'BRK.B'?"),
        ("BTCUSD", "; did you mean 'BTC/USD'?"),
        ("btc/usd", "; did you mean 'BTC/USD'?"),
        ("BTC-USD", "; did you mean 'BTC/USD'?"),
        ("DOGEUSDT", "; did you mean 'DOGE/USDT'?"),
        ("ETH/BTC", "; the books are kept in dollars, so trade 'ETH/USD'"),
        ("BTC/EUR", "; the books are kept in dollars, so trade 'BTC/USD'"),
        ("", ""),
        ("TOOLONGNAME", ""),
        ("SPY\n", "; did you mean 'SPY'?"),
        ("ＳＰＹ", ""),  # full-width letters only look like it
    ],
)
def test_what_is_no_ticker_is_told_with_what_was_probably_meant(symbol: str, hint: str) -> None:
    form = "must be a stock like 'SPY' or 'BRK.B', or a crypto pair like 'BTC/USD'"
    assert refusal(tickers=[symbol]) == f"tickers[0]: {form}, got {symbol!r}{hint}"


def test_a_list_whose_only_ticker_is_wrong_is_not_called_empty_too() -> None:
    assert refusal(tickers=[5]) == "tickers[0]: must be text, got 5"


def test_crypto_cannot_be_sold_short() -> None:
    said = "allow_short: must be false with BTC/USD, ETH/USD: crypto cannot be sold short"
    assert refusal(tickers=["SPY", "BTC/USD", "ETH/USD"], allow_short=True) == said


def test_stocks_can_be_sold_short() -> None:
    assert accepted(allow_short=True).allow_short


def test_strategies_calculate_with_floats_whatever_the_file_was_read_into() -> None:
    params = {"momentum_threshold": Decimal("0.015"), "lookback_period": 5}
    settings = accepted(strategy_type="momentum", strategy_params=params)
    assert settings.strategy_params == {"momentum_threshold": 0.015, "lookback_period": 5}
    assert isinstance(settings.strategy_params["momentum_threshold"], float)


def test_a_schema_address_may_stand_in_the_file() -> None:
    data = {"$schema": "trader.schema.json", "strategies": [{"name": "A", "strategy_type": "rsi", "tickers": ["SPY"]}]}
    assert parse(data).schema_ == "trader.schema.json"


def test_a_number_too_long_to_print_is_told_all_the_same() -> None:
    said = "initial_cash: must have at most 30 digits and 18 decimals, got a number of thousands of digits"
    assert refusal(initial_cash=10**5000) == said
