"""Every rule and every filter over recorded bars: it is seen in the log with its numbers, and without it others fill.

Each case runs the same strategies twice, once without the one rule it is about. Up to the rule's first word both runs
are the same; there the one without it orders what the other was refused.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from tests.stories.guarded import DATA, DAYS, MINUTES, Bars, Run, merged, of_strategy, order_of, recorded, run
from trader.config import Config
from trader.model.events import FlagCleared
from trader.model.orders import OrderIntent, Reason
from trader.model.time import HOUR, MINUTE, parse_time

ROOT = Path(__file__).parents[2]
GUARDED = ROOT / "configs" / "guarded.json"
NO_BARS = f"no recorded bars at {DATA}: set TRADER_SHARED to the folder that holds data/"
pytestmark = [
    pytest.mark.recorded,
    pytest.mark.skipif(not (MINUTES.exists() and DAYS.exists()), reason=NO_BARS),
]
Broken = Callable[[OrderIntent], bool]
WEDNESDAY_TEN = parse_time("2019-12-18T15:00:00Z")


class Case(NamedTuple):
    """Settings that hold one rule, what both runs have beside it, and what no order may be once it holds."""

    rule: Mapping[str, Any]
    code: str = ""  # of the refusal, where it is not the case's name
    common: Mapping[str, Any] = MappingProxyType({})
    broken: Broken | None = None


def account(**limits: Any) -> dict[str, Any]:
    return {"risk": {"account": limits}}


def orders(**limits: Any) -> dict[str, Any]:
    return {"risk": {"orders": {"all": limits}}}


def conduct(**limits: Any) -> dict[str, Any]:
    return {"risk": {"conduct": limits}}


def group(**limits: Any) -> dict[str, Any]:
    return {"risk": {"groups": {"followers": {"strategies": ["quick", "both ways"], **limits}}}}


def ladder(**limits: Any) -> dict[str, Any]:
    return {"risk": {"ladder": limits}}


def quick(**limits: Any) -> dict[str, Any]:
    return of_strategy("quick", **limits)


def flip(**limits: Any) -> dict[str, Any]:
    return of_strategy("flip", conduct=limits)


def worth(intent: OrderIntent) -> float:
    return float(intent.qty * intent.decision_price)


REFUSALS: dict[str, Case] = {
    # who may open what, and when
    "restricted": Case({"risk": {"restricted": ["IWM"]}}, broken=lambda one: one.symbol == "IWM"),
    "not_allowed": Case({"risk": {"allowed": ["SPY", "QQQ"]}}, broken=lambda one: one.symbol not in {"SPY", "QQQ"}),
    "unauthorized": Case(
        {"risk": {"authorized": {"quick": ["SPY"]}}},
        broken=lambda one: one.strategy == "quick" and one.symbol != "SPY",
    ),
    "session_closed": Case(orders(sessions=["pre"]), broken=lambda _: True),
    "close_only": Case(
        orders(close_only=["Wed 10:00-10:15"]),
        broken=lambda one: WEDNESDAY_TEN <= one.ts < WEDNESDAY_TEN + 15 * MINUTE,
    ),
    # the order itself
    "stale_intent": Case(orders(max_intent_age_s=1)),
    "stale_mark": Case(orders(max_mark_age_s=1)),
    "price_jump": Case(orders(max_price_jump=0.0003)),
    "max_spread": Case(orders(max_spread=0.001), broken=lambda _: True),  # bars show no quotes: it is never known
    "min_depth": Case(orders(min_depth=100), broken=lambda _: True),
    "max_depth_share": Case(orders(max_depth_share=0.1), broken=lambda _: True),
    "max_order_qty": Case(orders(max_order_qty=60), broken=lambda one: one.qty > 60),
    "max_order_value": Case(orders(max_order_value=5000), broken=lambda one: worth(one) > 5000.01),
    "max_volume_share": Case(orders(max_volume_share=1e-7)),
    "max_impact": Case(orders(max_impact=1e-6)),
    "max_decimals": Case(orders(max_decimals=2), broken=lambda one: one.qty != round(one.qty, 2)),
    # what is held and on its way
    "max_position": Case(account(max_position=0.1), broken=lambda one: worth(one) > 4200),
    "max_position_value": Case(account(max_position_value=6000), broken=lambda one: worth(one) > 6001),
    "max_gross": Case(account(max_gross=0.5)),
    "max_net": Case(account(max_net=0.3)),
    "max_leverage": Case(account(max_leverage=0.5)),
    "max_equity_multiple": Case(account(max_equity_multiple=0.5)),
    "max_sector": Case(account(max_sector=0.1), common={"risk": {"sectors": {"us": ["SPY", "QQQ"]}}}),
    "max_category": Case(account(max_category=0.1), common={"risk": {"categories": {"us": ["SPY", "QQQ"]}}}),
    "max_class": Case(account(max_class=0.4)),
    "max_positions": Case(account(max_positions=2)),
    "max_budget": Case(account(max_budget=15_000)),
    "min_cash_buffer": Case(account(min_cash_buffer=0.7)),
    "a group's max_group_gross": Case(group(max_group_gross=0.3), "max_group_gross"),
    "a group's max_net": Case(group(max_net=0.2), "max_net"),
    "a group's max_position": Case(group(max_position=0.1), "max_position"),
    "a group's max_positions": Case(group(max_positions=2), "max_positions"),
    "a strategy's max_position_value": Case(quick(max_position_value=5000), "max_position_value"),
    "a strategy's max_gross": Case(quick(max_gross=0.5), "max_gross"),
    "a strategy's max_net": Case(quick(max_net=0.5), "max_net"),
    "a strategy's max_positions": Case(quick(max_positions=2), "max_positions"),
    "a strategy's max_budget": Case(quick(max_budget=9000), "max_budget"),
    "a strategy's max_order_qty": Case(quick(max_order_qty=60), "max_order_qty"),
    "a strategy's max_order_value": Case(quick(max_order_value=5000), "max_order_value"),
    "max_daily_trades": Case(quick(max_daily_trades=5)),
    "max_daily_loss": Case(of_strategy("both ways", max_daily_loss=5, on_daily_loss="hold")),
    "max_var": Case({"risk": {"var": {"max_var": 0.001}}}),
    "max_es": Case({"risk": {"var": {"max_es": 0.001}}}),
    # how they trade
    "duplicate": Case(flip(duplicate=600)),
    "price_walk": Case(flip(price_walk=0.0005)),
    "max_size_ratio": Case(flip(max_size_ratio=0.9)),
    "max_repeats": Case(flip(max_repeats=5)),
    "loss_streak": Case(flip(loss_streak=2, loss_streak_pause_s=600)),
    "cooldown": Case(flip(cooldown=300)),
    "max_orders_per_second": Case(quick(conduct={"max_orders_per_second": 2})),
    "max_orders_per_minute": Case(quick(conduct={"max_orders_per_minute": 2})),
    "max_daily_orders": Case(quick(conduct={"max_daily_orders": 20})),
    "max_open_orders": Case(quick(conduct={"max_open_orders": 2})),
    "the account's max_orders_per_second": Case(conduct(max_orders_per_second=3), "max_orders_per_second"),
    "the account's max_orders_per_minute": Case(conduct(max_orders_per_minute=3), "max_orders_per_minute"),
    "the account's max_daily_orders": Case(conduct(max_daily_orders=30), "max_daily_orders"),
    "the account's max_open_orders": Case(conduct(max_open_orders=3), "max_open_orders"),
    "max_open_orders_per_symbol": Case(conduct(max_open_orders_per_symbol=1)),
    "the account's price_walk": Case(conduct(price_walk=0.0005), "price_walk"),
    "intraday_margin": Case(conduct(intraday_margin=0.1)),
    # what was lost
    "min_equity": Case(account(min_equity=41_000), "reduce_only"),
    "daily_loss": Case(ladder(daily_loss=0.0002), "reduce_only"),
    "weekly_loss": Case(ladder(weekly_loss=0.0002), "max_gross", account(max_gross=0.8)),
    "monthly_loss": Case(ladder(monthly_loss=0.0002), "reduce_only"),
    "drawdown": Case(ladder(drawdown=0.0003), "reduce_only"),
    "a strategy's daily_loss": Case(ladder(strategies={"quick": {"daily_loss": 0.0002}}), "reduce_only"),
    # the two sets of limits
    "framework": Case({"risk": {"profile": "framework"}}, "max_position"),
    "level1": Case({"risk": {"profile": "level1"}}, "min_cash_buffer"),
}

FOLLOWS = {
    "min_equity": "reduce_only", "daily_loss": "reduce_only", "weekly_loss": "tighten", "monthly_loss": "halt_desk",
    "drawdown": "halt_desk",
}  # fmt: skip

FILTERS: dict[str, dict[str, Any]] = {
    "weekday": {"blocked-days": ["Wed"]},
    "volatility": {"max-ann": 0.05},
    "position-size": {"mode": "fixed", "size": 10},
    "position-size by risk": {"mode": "risk-parity", "target-vol-ann": 0.02},
    "position-size in equal parts": {"mode": "equal-weight", "max-positions": 20},
    "max-positions": {"max-long-positions": 1, "max-short-positions": 1},
    "asset-class": {"max-frac": 0.3},
    "category": {"categories": {"us": ["SPY", "QQQ"]}, "max-frac": 0.1},
    "var": {"max-frac": 0.001},
    "risk-budget": {"per-trade": 0.001},
    "atr-position-size": {"risk": 0.001},
}
DAYS_MATTER = {
    "max_volume_share", "max_impact", "max_var", "max_es", "volatility", "position-size by risk", "var", "risk-budget",
    "atr-position-size",
}  # fmt: skip
SCHEMA = str(Config.model_json_schema())
KEY = re.compile(r"risk(?:_config)?(?:\.[a-z_]+)+")
NIL = {"filters": [{"name": "nil"}]}


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Bars:
    return recorded(tmp_path_factory.mktemp("bars"))


_WITHOUT: dict[str, Run] = {}


@pytest.fixture(scope="module", autouse=True)
def _forget() -> Iterator[None]:
    """Keep the runs without a rule for this module only."""
    yield
    _WITHOUT.clear()


def needed(bars: Bars, name: str) -> Bars:
    """Return the bars that a case looks at: to read years of days takes longer than to trade the hour."""
    return bars if name in DAYS_MATTER else Bars(bars.minutes, None)


async def without(common: Mapping[str, Any], bars: Bars) -> Run:
    """Return the run of what is common to both, made once: without limits days matter to nobody."""
    bars = needed(bars, "")
    if str(common) not in _WITHOUT:
        _WITHOUT[str(common)] = await run(common, bars)
    return _WITHOUT[str(common)]


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_rule_is_seen_in_the_log_with_its_numbers_and_without_it_others_fill(name: str, bars: Bars) -> None:
    case = REFUSALS[name]
    free, held = await without(case.common, bars), await run(merged(case.common, case.rule), needed(bars, name))
    gone = set(free.orders()) - set(held.orders())
    refused = [one for one in held.denied(case.code or name) if order_of(one.denied.intent) in gone]
    assert refused, f"{name} refused nothing that is ordered without it"
    first = refused[0].denied
    assert first.limit, "what is refused says the limit"
    assert first.value, "what is refused says the value"
    lines = [line for line in held.lines if line["event"] == "order.denied" and line["rule"] == first.rule]
    said = next(line for line in lines if (line["limit"], line["value"]) == (first.limit, first.value))
    assert said["scope"], "and whose limit it is"
    assert said["hint"], "and what can be done"
    keys = {part for key in KEY.findall(said["hint"]) for part in key.split(".")} - {"quick", "followers"}
    assert all(f"'{part}'" in SCHEMA for part in keys), "by keys that there are"
    assert any(line["log_level"] == "info" for line in lines), "a person sees it without asking for more"
    same_until = held.denied(case.code or name)[0].ts
    assert held.orders(until=same_until) == free.orders(until=same_until), "before it spoke nothing was different"
    assert [order_of(fill) for fill in held.fills] != [order_of(fill) for fill in free.fills]
    if case.broken is not None:
        assert any(case.broken(event.approved.intent) for event in free.openings)
        assert not any(case.broken(event.approved.intent) for event in held.openings)


@pytest.mark.parametrize("name", FOLLOWS)
async def test_a_loss_raises_a_flag_that_is_seen_and_followed(name: str, bars: Bars) -> None:
    held = await run(merged(REFUSALS[name].common, REFUSALS[name].rule), needed(bars, name))
    flag = held.flags(name)[0]
    assert (flag.level, flag.action) == ("hard", FOLLOWS[name])
    said = next(line for line in held.lines if line["event"] == "flag.raised" and line["kind"] == name)
    assert (said["limit"], said["value"], said["log_level"]) == (flag.limit, flag.value, "warning")
    if FOLLOWS[name] != "tighten":
        cleared = [event.ts for event in held.of(FlagCleared) if event.kind == name]
        until = min(cleared, default=flag.ts + HOUR)
        later = [event for event in held.openings if flag.ts < event.ts < until]
        assert not later, "nothing is opened under it"
        assert any(fill.ts > flag.ts and not fill.opened for fill in held.fills), "and what reduces still leaves"


@pytest.mark.parametrize("name", FILTERS)
async def test_a_filter_is_seen_in_the_log_with_its_numbers_and_without_it_others_fill(name: str, bars: Bars) -> None:
    filter_ = name.split(maxsplit=1)[0]
    free = await without(NIL, bars)
    held = await run({"filters": [{"name": filter_, **FILTERS[name]}]}, needed(bars, name))
    first = held.trimmed(filter_)[0]
    whole = (first.ts, first.strategy, first.symbol, first.side, first.qty)
    assert held.orders(until=first.ts) == free.orders(until=first.ts)
    assert whole in free.orders()
    assert whole not in held.orders()
    said = next(line for line in held.lines if line["event"] == "intent.trimmed")
    assert (said["filter"], said["limit"], said["value"], said["log_level"]) == (
        filter_, first.limit, first.value, "info",
    )  # fmt: skip
    assert said["limit"], "what is trimmed says the limit"
    assert said["value"], "what is trimmed says the value"
    for trim in held.trimmed(filter_):
        assert 0 <= trim.kept < trim.qty, "a filter only shrinks"


async def test_a_filter_that_does_nothing_trims_nothing_and_filters_of_one_strategy_leave_the_others(
    bars: Bars,
) -> None:
    free = await without(NIL, bars)
    own = await run(of_strategy("quick", filters=[{"name": "weekday", "blocked-days": ["Wed"]}]), needed(bars, ""))
    assert not free.trimmed("nil")
    assert {trim.strategy for trim in own.trimmed("weekday")} == {"quick"}
    assert {event.approved.intent.strategy for event in own.openings} == {"flip", "both ways"}


async def test_a_soft_level_is_told_and_stops_nothing(bars: Bars) -> None:
    free = await without({}, bars)
    told = await run(account(max_gross={"soft": 0.5}), needed(bars, ""))
    assert {flag.level for flag in told.flags("max_gross")} == {"soft"}
    assert told.orders() == free.orders()
    said = next(line for line in told.lines if line["event"] == "flag.raised")
    assert (said["kind"], said["action"], said["log_level"]) == ("max_gross", "alert", "info")


async def test_what_is_too_large_is_reduced_by_force_where_settings_say_so(bars: Bars) -> None:
    follows = {"risk": {"escalation": {"max_position_value": {"hard": "force_reduce"}}}}
    limit = account(max_position_value=6000)
    minutes = needed(bars, "")
    told, forced = await run(limit, minutes), await run(merged(limit, follows), minutes)
    assert not any(fill.reason is Reason.FORCE_REDUCED for fill in told.fills)
    fills = [fill for fill in forced.fills if fill.reason is Reason.FORCE_REDUCED]
    assert fills
    assert {f"symbol {fill.symbol}" for fill in fills} <= {flag.scope for flag in forced.flags("max_position_value")}


async def test_limits_tighten_while_the_market_is_wild(tmp_path: Path) -> None:
    symbols = ("AAPL", "BAC")  # in February 2019 both moved more than in the two years before
    wild = recorded(tmp_path, symbols, day="2019-02-12", of=DATA / "us_1min" / "us23_2019-02-11_13.parquet")
    follower = {
        "name": "quick", "strategy_type": "momentum", "tickers": symbols, "min_warmup_bars": 4,
        "strategy_params": {"lookback_period": 3, "momentum_threshold": 0.0002},
        "risk_config": {"max_position_size": 0.5},
    }  # fmt: skip
    common = {"strategies": [follower], **account(max_gross=0.6)}
    free, held = await run(common, wild), await run(merged(common, {"risk": {"regime": {}}}), wild)
    assert held.flags("regime")[0].action == "tighten"
    first = held.denied("max_gross")[0].denied
    assert order_of(first.intent) in free.orders()
    assert "0.6 of equity tightened by 1.3" in first.limit


def test_the_guarded_example_tells_what_it_refused_and_its_summary_counts_it(tmp_path: Path) -> None:
    summary, lines, fills = traded(GUARDED, tmp_path / "guarded")
    told = Counter((line["strategy"], line["rule"]) for line in lines if line["event"] == "order.denied")
    told += Counter(
        (line["strategy"], line["filter"])
        for line in lines
        if line["event"] == "intent.trimmed" and Decimal(line["kept"]) == 0
    )
    for line in lines:
        if line["event"] == "order.denied":
            assert all(line[key] for key in ("limit", "value", "scope", "hint")), line
    assert {"close_only", "max_sector", "weekday", "max-positions"} <= {rule for _, rule in told}
    assert any(line["event"] == "flag.raised" and line["threshold"] == "soft" for line in lines)
    counted = {(one["name"], rule): count for one in summary["strategies"] for rule, count in one["denials"].items()}
    assert told == counted
    assert sum(summary["risk"]["denials"].values()) == told.total()
    assert summary["strategies"][1]["trims"]["atr-position-size"] > 0
    assert {"risk", "filters"} <= json.loads(GUARDED.read_text()).keys()
    bare = {key: value for key, value in json.loads(GUARDED.read_text()).items() if key not in {"risk", "filters"}}
    (tmp_path / "bare.json").write_text(json.dumps(bare))
    _, _, free_fills = traded(tmp_path / "bare.json", tmp_path / "bare")
    assert len(free_fills) > len(fills) > 0


def traded(config: Path, folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]], list[str]]:
    """Trade a Wednesday to a Friday on the command line; return the summary, the whole log, and the fills."""
    command: list[str | Path] = [
        sys.executable, "-m", "trader", "run", "--config", config, "--feed", "replay", "--data", MINUTES,
        "--daily", DAYS, "--start", "2019-12-18T14:30:00Z", "--for", "3d", "--speed", "max", "--json",
        "--state-dir", folder, "--export-trades", folder.with_suffix(".fills"),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return json.loads(done.stdout), log, folder.with_suffix(".fills").read_text().splitlines()
