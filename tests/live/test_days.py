"""Every world gives its desk the days before, where something may look at them; then a tape has them too."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.build import T0
from tests.exchange.exchanges import OPENING, exchange
from tests.tapes import lively
from trader import MultiTraderCoordinator, RunOptions
from trader.access.sim.daily_files import read_days
from trader.capital.dailies import Dailies
from trader.config import parse
from trader.errors import ConfigError, DataError
from trader.exchange.data_periods import MINUTELY
from trader.live.days import COUNT
from trader.live.replay import replay
from trader.model.inputs import DailyBars
from trader.model.time import MINUTE, iso, parse_time
from trader.store.tape import TapeReader

FILTERS = parse({"strategies": [lively("one", "SPY")], "filters": [{"name": "nil"}]}).filters


def dailies(coordinator: MultiTraderCoordinator, symbol: str = "SPY") -> Dailies:
    return coordinator.engine.listings[symbol].dailies


def minutes(folder: Path, days: int = 2) -> Path:
    """Write the first minutes of some days from T0's on."""
    path = folder / "minutes.csv"
    starts = [T0 + day * 24 * 60 * MINUTE + minute * MINUTE for day in range(days) for minute in range(3)]
    rows = [f"SPY,{iso(start)},{100 + n},{100 + n},{100 + n},{100 + n},10" for n, start in enumerate(starts)]
    path.write_text("\n".join(["symbol,ts,open,high,low,close,volume", *rows]) + "\n", encoding="utf-8")
    return path


def daily(folder: Path, *dates: str) -> Path:
    path = folder / "daily.csv"
    rows = [f"SPY,{date},90,99,80,95,{number}" for number, date in enumerate(dates)]
    path.write_text("\n".join(["symbol,ts,open,high,low,close,volume", *rows]) + "\n", encoding="utf-8")
    return path


def replayed(folder: Path, **settings: Any) -> MultiTraderCoordinator:
    options = RunOptions(feed="replay", data=(minutes(folder),), speed=None, report="none", **settings)
    return MultiTraderCoordinator([lively("one", "SPY")], options=options)


async def test_a_made_up_market_has_two_years_before_it_where_a_filter_may_look() -> None:
    options = RunOptions(feed="synthetic", speed=None, duration=5 * MINUTE, report="none", filters=FILTERS)
    coordinator = MultiTraderCoordinator([lively("one", "SPY", "BTC/USD")], options=options)
    await coordinator.run()
    for symbol in ("SPY", "BTC/USD"):
        told = dailies(coordinator, symbol).broadcast()
        assert told is not None
        assert (told.days, told.is_stale) == (COUNT, False)
        assert 0.005 < told.sigma_day < 0.06
        assert dailies(coordinator, symbol).volume_day > 0


async def test_where_nothing_looks_at_days_none_are_made_up() -> None:
    options = RunOptions(feed="synthetic", speed=None, duration=5 * MINUTE, report="none")
    coordinator = MultiTraderCoordinator([lively("one", "SPY")], options=options)
    await coordinator.run()
    assert not len(dailies(coordinator).ends)


async def test_a_replay_has_the_days_of_its_own_minutes_before_the_start(tmp_path: Path) -> None:
    coordinator = replayed(tmp_path, start=T0 + 24 * 60 * MINUTE)
    await coordinator.run()
    assert dailies(coordinator).closes(9).tolist() == [102]
    assert dailies(coordinator).volumes(9).tolist() == [30]


async def test_a_replay_has_the_days_of_daily_files_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    coordinator = replayed(tmp_path, daily=(daily(tmp_path, "2025-12-31", "2026-01-02", "2026-01-05"),))
    await coordinator.run()
    assert dailies(coordinator).closes(9).tolist() == [95, 95, 102]  # the first day of the minutes is over, too
    assert "days.missing" not in capsys.readouterr().err


@pytest.mark.parametrize("days", [("2025-12-01", "2025-13-01"), ()])
async def test_days_that_are_missing_are_named_in_the_log_and_nowhere_else(
    days: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = (daily(tmp_path, *days),) if days else ()
    await replayed(tmp_path, daily=files, filters=FILTERS, state_dir=tmp_path).run()
    assert "days.missing" not in capsys.readouterr().out
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    (line,) = [line for line in lines if line["event"] == "days.missing"]
    assert (line.get("symbols", ""), line["level"]) == (("SPY", "warning") if days else ("", "info"))


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"feed": "synthetic", "daily": (Path("days.csv"),)}, r"--daily is read by the replay feed"),
        ({"feed": "alpaca", "daily": (Path("days.csv"),)}, r"--data, --daily and --start are for a simulated market"),
    ],
)
def test_daily_files_without_a_replay_are_refused(settings: dict[str, Any], error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        MultiTraderCoordinator([lively("one", "SPY")], "PK" + "A" * 18, "s" * 40, options=RunOptions(**settings))


def test_a_daily_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        replayed(tmp_path, daily=(tmp_path / "none.csv",))


async def test_a_tape_has_the_days_and_is_replayed_with_them(tmp_path: Path) -> None:
    entry = lively("one", "SPY", filters=[{"name": "volatility"}])
    options = RunOptions(feed="synthetic", speed=None, duration=30 * MINUTE, report="none", tape=tmp_path / "t")
    await MultiTraderCoordinator([entry], options=options).run()
    with TapeReader(tmp_path / "t") as tape:
        assert sum(isinstance(one.message, DailyBars) for one in tape) == 1
    verdict = replay(tmp_path / "t")
    assert (verdict.difference, verdict.flaw, verdict.failure) == (None, "", "")


@pytest.mark.parametrize("is_lost", [False, True])
async def test_alpacas_days_are_fetched_at_the_start_and_a_run_goes_on_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_lost: bool
) -> None:
    monkeypatch.setattr("trader.live.days.COUNT", 60)
    async with asyncio.timeout(60), exchange(speed=240.0, start=OPENING + 9 * MINUTE, symbols=("SPY",)) as at:
        for name, url in (("BASE", at.base_url), ("DATA", at.base_url), ("STREAM", at.stream_url)):
            monkeypatch.setenv(f"APCA_API_{name}_URL", url)
        if is_lost:
            monkeypatch.setattr(
                "trader.exchange.data_queries.timeframe_of", lambda text: MINUTELY if text == "1Min" else None
            )
        options = RunOptions(
            speed=at.options.speed,
            report="none",
            duration=10**9,
            filters=FILTERS,
            state_dir=tmp_path,
            log_format="json",
        )
        coordinator = MultiTraderCoordinator([lively("one", "SPY")], at.key.id, at.key.secret, options=options)
        await coordinator.run()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["event"] for line in lines].count("days.missing") == int(is_lost)
    assert len(dailies(coordinator).ends) == 0 if is_lost else 55 <= len(dailies(coordinator).ends) <= 66


@pytest.mark.recorded
async def test_recorded_minutes_make_the_days_that_were_recorded(shared: Path) -> None:
    data, symbols = shared / "data", ["SPY", "AAPL", "BAC"]
    options = RunOptions(
        feed="replay", data=(data / "us_1min" / "us23_2019-02-11_13.parquet",), speed=None, report="none"
    )
    coordinator = MultiTraderCoordinator([lively("one", *symbols)], options=options)
    await coordinator.run()
    recorded = read_days([data / "daily"], symbols, before=parse_time("2019-02-13T14:30")).bars
    for symbol in symbols:
        made, newest = dailies(coordinator, symbol), [bar for bar in recorded if bar.symbol == symbol][-2:]
        assert made.ends.tolist() == [bar.ts for bar in newest]
        for column, name in ((made.highs, "high"), (made.lows, "low"), (made.closes, "close")):
            assert column(9) / column(9)[-1] == pytest.approx(
                [getattr(bar, name) / getattr(newest[-1], name) for bar in newest], rel=5e-4
            )
        assert made.volumes(9) == pytest.approx([bar.volume for bar in newest], rel=0.15)
