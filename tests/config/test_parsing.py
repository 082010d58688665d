"""The one door: everything wrong is told at once, each at its place, and nothing but a ConfigError comes out."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.config.entries import accepted, entry, refusal, refusals
from trader.config import Config, RiskConfig, StrategyConfig, load, make_strategy, parse
from trader.errors import ConfigError
from trader.strategies import AdaptiveStrategy, MomentumStrategy

TICKERS = "a stock like 'SPY' or 'BRK.B', or a crypto pair like 'BTC/USD'"
TYPES = "'adaptive', 'momentum', 'mean_reversion', 'rsi' or module:Class"


def test_everything_wrong_is_told_at_once_in_the_order_of_the_file() -> None:
    lines = refusals(
        entry(name="First", tickers=["spy"]),
        entry(strategy_type="momentun", initial_cash=-1),
        entry(name="Third", risk_config={"max_position_size": 1.5, "max_daily_trade": 3}),
        brokers={},
    )
    assert lines == [
        "brokers: unknown key; did you mean 'broker'?",
        f"strategies[0].tickers[0]: must be {TICKERS}, got 'spy'; did you mean 'SPY'?",
        f"strategies[1].strategy_type: must be one of {TYPES}, got 'momentun'; did you mean 'momentum'?",
        "strategies[1].initial_cash: must be > 0, got -1",
        "strategies[2].risk_config.max_position_size: must be ≤ 1, got 1.5",
        "strategies[2].risk_config.max_daily_trade: unknown key; did you mean 'max_daily_trades'?",
    ]


def test_the_error_names_the_file_and_ends_with_exit_code_3() -> None:
    with pytest.raises(ConfigError) as refused:
        parse({"strategies": []}, source="my.json")
    assert str(refused.value) == "my.json:\n  strategies: must not be empty"
    assert refused.value.exit_code == 3


def test_what_is_required_is_named() -> None:
    assert refusals({}) == [
        f"strategies[0].strategy_type: required, but missing; one of {TYPES}",
        "strategies[0].name: required, but missing",
        "strategies[0].tickers: required, but missing",
    ]


def test_a_file_without_strategies_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^strategies: required, but missing$"):
        parse({})


def test_two_strategies_cannot_share_a_name_even_where_others_err() -> None:
    lines = refusals(entry(), entry(name="B"), entry(bar="2Min"))
    assert lines[0] == "strategies[2].name: must be unique, but strategies[0] is named 'A' too"
    assert lines[1].startswith("strategies[2].bar: must be one of")


@pytest.mark.parametrize(
    ("kind", "params", "said"),
    [
        ("momentum", {"lokback_period": 5}, "lokback_period: unknown parameter; did you mean 'lookback_period'?"),
        ("momentum", {"zzz": 5}, "zzz: unknown parameter; it takes lookback_period, momentum_threshold"),
        ("momentum", {"lookback_period": 0}, "lookback_period: must be ≥ 1, got 0"),
        ("momentum", {"lookback_period": 1.5}, "lookback_period: must be a whole number, got 1.5"),
        ("momentum", {"momentum_threshold": Decimal("1E+999")}, "momentum_threshold: must be a finite number, got inf"),
        ("rsi", {"rsi_oversold": 80}, "rsi_overbought: must be above rsi_oversold, which is 80; got 70"),
    ],
)
def test_parameters_are_tried_on_the_strategy_itself(kind: str, params: dict[str, object], said: str) -> None:
    assert refusal(strategy_type=kind, strategy_params=params) == f"strategy_params.{said}"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("tickerz", "unknown key; did you mean 'tickers'?"),
        ("stop_loss_pct", "unknown key here; it belongs in 'risk_config'"),
        ("live", "unknown key; the mode is chosen on the command line (--live), never in a file"),
        ("strategy", "unknown key; did you mean 'strategy_type'?"),
    ],
)
def test_an_unknown_key_is_told_with_what_was_probably_meant(key: str, said: str) -> None:
    assert refusal(**{key: 1}) == f"{key}: {said}"


@pytest.mark.parametrize(
    ("risk", "said"),
    [
        ({"groups": {"strategies": {"strategies": ["A"], "max_gros": 1}}}, "groups.strategies.max_gros: unknown key"),
        ({"symbols": {"SPY": {"max_gross": 1}}}, "symbols.SPY.max_gross: unknown key"),
        ({"ladder": {"groups": {"g": {"daily": 1}}}}, "ladder.groups.g.daily: unknown key"),
        ({"account": {"max_sector_of": {"hard": {"hrd": 1}}}}, "account.max_sector_of.hard.hrd: unknown key"),
        ({"escalation": {"max_net": {"hrad": "alert"}}}, "escalation.max_net.hrad: unknown key"),
    ],
)
def test_an_unknown_key_below_a_name_is_told_too(risk: dict[str, object], said: str) -> None:
    assert any(line.startswith(f"risk.{said}") for line in refusals(entry(), risk=risk))


@pytest.mark.parametrize(
    "key", ["api_key", "API-KEY", "apiKey", "APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "secret", "password", "token"]
)
def test_secrets_are_refused_wherever_they_stand_and_never_shown(key: str) -> None:
    lines = refusals(entry(strategy_params={key: "hunter2"}), entry(name="B", **{key: "hunter2"}), **{key: "hunter2"})
    said = (
        "secrets do not belong in a settings file; delete it, and set the environment variables"
        " APCA_API_KEY_ID and APCA_API_SECRET_KEY"
    )
    assert [line.partition(": ")[2] for line in lines] == [said] * 3
    assert "hunter2" not in str(lines)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity")])
def test_numbers_that_are_none_are_refused_wherever_they_stand(number: object) -> None:
    assert refusals(entry(initial_cash=number, strategy_params={"short_window": number})) == [
        f"strategies[0].{place}: must be a finite number; there is no trading on NaN or Infinity"
        for place in ("initial_cash", "strategy_params.short_window")
    ]


def test_what_is_no_object_is_refused() -> None:
    wrong: list[Any] = [[], "strategies", 5, None]
    for data in wrong:
        with pytest.raises(ConfigError, match=r"^must be an object, got"):
            parse(data)


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(2_000):
        deep = [deep]
    assert refusals(entry(strategy_params={"short_window": deep})) == ["nested too deeply"]


def test_sections_may_be_typed_already() -> None:
    typed = StrategyConfig(name="T", strategy_type="rsi", tickers=("QQQ",))
    config = parse({"strategies": [typed, entry(risk_config=RiskConfig(max_position_size=0.5))]})
    assert config.strategies[0] == typed
    assert config.strategies[1].risk_config.max_position_size == Decimal("0.5")


def test_typed_sections_are_tried_like_any_other() -> None:
    typed = StrategyConfig(name="A", strategy_type="rsi", strategy_params={"period": 3}, tickers=("QQQ",))
    lines = refusals(entry(), typed)
    assert [line.partition(":")[0] for line in lines] == ["strategies[1].name", "strategies[1].strategy_params.period"]


def test_a_strategy_is_made_anew_each_time() -> None:
    settings = accepted(strategy_type="momentum", strategy_params={"lookback_period": 7})
    first, second = make_strategy(settings), make_strategy(settings)
    assert isinstance(first, MomentumStrategy)
    assert first.lookback_period == 7
    assert first is not second


def test_a_program_may_hand_over_a_ready_strategy() -> None:
    ready = AdaptiveStrategy(short_window=3, long_window=9)
    config = parse({"strategies": [{"name": "A", "strategy": ready, "tickers": ["SPY"]}]})
    assert make_strategy(config.strategies[0]) is ready


def test_a_ready_strategy_takes_no_parameters() -> None:
    said = "strategy: takes the place of strategy_type and strategy_params; leave them out"
    assert refusal(strategy=AdaptiveStrategy()) == said


def test_settings_that_went_around_the_door_are_refused_when_a_strategy_is_made() -> None:
    settings = StrategyConfig(name="A", strategy_type="momentum", strategy_params={"x": 1}, tickers=("SPY",))
    with pytest.raises(ConfigError, match=r"strategy 'A':\n  strategy_params\.x: unknown parameter"):
        make_strategy(settings)


OWN = """
from trader.strategies import Strategy

class Broken(Strategy):
    def __post_init__(self):
        raise KeyError("memory")

    def on_bar(self, bar, ctx):
        return None

class Endless(Strategy):
    warmup = 10**9

    def on_bar(self, bar, ctx):
        return None

class Empty(Strategy):
    pass
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Broken", "cannot be made: KeyError: 'memory'"),
        ("Endless", "must need 0 to 100000 bars of warm-up, got 1000000000"),
        ("Empty", "cannot be made: TypeError: Can't instantiate abstract class Empty"),
    ],
)
def test_a_class_of_ones_own_that_cannot_be_used_is_told_at_its_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    (tmp_path / "parsing_own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    assert refusal(strategy_type=f"parsing_own:{name}").startswith(f"strategy_type: parsing_own:{name} {said}")


def test_a_class_that_is_no_strategy_is_refused() -> None:
    said = "strategy_type: pathlib:Path is not a strategy: it must be a subclass of trader.strategies.Strategy"
    assert refusal(strategy_type="pathlib:Path") == said


def test_loading_a_file_names_it_in_the_error(tmp_path: Path) -> None:
    file = tmp_path / "my.json"
    file.write_text('{"strategies": [{"name": "A", "strategy_type": "rsi", "tickers": ["SPY"], "bar": 5}]}')
    with pytest.raises(ConfigError) as refused:
        load(file)
    assert str(refused.value).startswith(f"{file}:\n  strategies[0].bar: must be one of")


_KEYS = st.sampled_from(
    [*StrategyConfig.model_fields, *RiskConfig.model_fields, *Config.model_fields, "simulated", "fill", "rsi", "é\n"]
)
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(max_size=8) | _KEYS
_JSON = st.recursive(
    _LEAVES, lambda below: st.lists(below, max_size=4) | st.dictionaries(_KEYS | st.text(max_size=8), below, max_size=5)
)


@given(_JSON)
def test_any_data_are_settings_or_a_config_error(data: Any) -> None:
    _parse_or_refuse(data)


@given(st.lists(st.dictionaries(_KEYS, _JSON, max_size=8), max_size=3), _JSON)
def test_data_of_the_right_shape_are_settings_or_a_config_error(strategies: Any, broker: Any) -> None:
    _parse_or_refuse({"strategies": strategies, "broker": broker})


@given(_KEYS, _JSON)
def test_one_wrong_value_is_settings_or_a_config_error(key: str, value: Any) -> None:
    _parse_or_refuse({"strategies": [entry(**{key: value})]})


def _parse_or_refuse(data: Any) -> None:
    try:
        config = parse(data)
    except ConfigError as error:
        said = [problem.message for problem in error.problems]
    else:
        said = [settings.name for settings in config.strategies]
    assert said
    assert all(said)
