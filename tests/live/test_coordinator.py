"""The coordinator in a program: typed objects or dicts, inside the caller's loop, to a summary."""

import asyncio
import json
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import pytest
import structlog

from tests.build import T0
from tests.waiting import until
from trader import MultiTraderCoordinator, RiskConfig, RunOptions, StrategyConfig
from trader.books.ledger import Ledger
from trader.engine.engine import Step
from trader.errors import ConfigError, CredentialsError, EdgeError
from trader.live.control_client import ask
from trader.live.control_messages import Declined
from trader.live.overriding import AgreeOverride, AskOverride
from trader.live.recorder import NoJournal, Then
from trader.model.events import Event, OrderCreated, OrderMoved
from trader.model.inputs import Control, Input
from trader.model.orders import OrderStatus, Side
from trader.model.signals import Signals, Target
from trader.model.ticks import Bar
from trader.model.time import MINUTE, iso
from trader.strategies import AdaptiveStrategy, Context, MomentumStrategy, Strategy


class InAndOut(Strategy):
    """Long on odd bars, flat on even ones."""

    def __post_init__(self) -> None:
        self.bars = 0

    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        self.bars += 1
        return Target(bar.symbol, float(self.bars % 2))


def tape(folder: Path, closes: list[float], symbol: str = "SPY") -> Path:
    """Write a CSV of minute bars from T0 on."""
    path = folder / f"{symbol}.csv"
    rows = [f"{symbol},{iso(T0 + number * MINUTE)},{c},{c},{c},{c},100" for number, c in enumerate(closes)]
    path.write_text("\n".join(["symbol,ts,open,high,low,close,volume", *rows]) + "\n", encoding="utf-8")
    return path


def replay(path: Path, **settings: Any) -> RunOptions:
    return RunOptions(feed="replay", data=(path,), speed=None, **settings)


def entry(**settings: Any) -> dict[str, Any]:
    return {"name": "one", "strategy": InAndOut(), "tickers": ["SPY"], "min_warmup_bars": 1, **settings}


async def test_a_program_runs_to_the_end_of_its_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coordinator = MultiTraderCoordinator([entry()], options=replay(tape(tmp_path, [100, 101, 102, 103])))
    summary = await coordinator.run()
    assert summary.strategies[0].trades == 3
    assert "TOTAL PnL ACROSS ALL STRATEGIES" in capsys.readouterr().out
    assert not structlog.is_configured()


async def test_the_guides_program_works(tmp_path: Path) -> None:
    strategies = [
        {
            "name": "MyStrategy",
            "strategy": AdaptiveStrategy(short_window=10, long_window=30),
            "tickers": ["SPY"],
            "initial_cash": 10000.0,
            "min_warmup_bars": 50,
            "risk_config": RiskConfig(max_position_size=0.9),
        }
    ]
    coordinator = MultiTraderCoordinator(
        strategies=strategies,
        api_key="your_key",
        api_secret="your_secret",
        paper=True,
        options=replay(tape(tmp_path, [100.0 + number % 7 for number in range(90)])),
    )
    summary = await coordinator.run()
    assert summary.mode == "SIM"
    assert summary.strategies[0].initial_cash == Decimal(10000)


async def test_typed_objects_do_as_well_as_dicts(tmp_path: Path) -> None:
    typed = StrategyConfig(name="typed", strategy=MomentumStrategy(lookback_period=2), tickers=("SPY",))
    coordinator = MultiTraderCoordinator([typed, entry()], options=replay(tape(tmp_path, [1, 2, 3]), report="none"))
    assert [strategy.name for strategy in (await coordinator.run()).strategies] == ["typed", "one"]


async def test_stop_ends_a_run_that_has_no_end_and_waits_for_it() -> None:
    coordinator = MultiTraderCoordinator([entry()], options=RunOptions(speed=1.0, report="none"))
    running = asyncio.create_task(coordinator.run())
    await asyncio.sleep(0)
    await coordinator.stop()
    assert (await running).strategies[0].name == "one"


async def test_a_stop_before_the_run_is_kept(tmp_path: Path) -> None:
    coordinator = MultiTraderCoordinator([entry()], options=replay(tape(tmp_path, [1, 2, 3]), report="none"))
    coordinator.request_stop()
    assert (await coordinator.run()).strategies[0].trades == 0


async def test_stop_without_a_run_returns_and_a_second_run_is_refused(tmp_path: Path) -> None:
    coordinator = MultiTraderCoordinator([entry()], options=replay(tape(tmp_path, [1, 2]), report="none"))
    await coordinator.stop()
    await coordinator.run()
    with pytest.raises(RuntimeError, match="make a new one"):
        await coordinator.run()


async def test_stop_after_a_run_that_could_not_begin_returns(tmp_path: Path) -> None:
    options = replay(tape(tmp_path, [1, 2]), export_trades=tmp_path / "no" / "fills.jsonl")
    coordinator = MultiTraderCoordinator([entry()], options=options)
    with pytest.raises(ConfigError):
        await coordinator.run()
    await coordinator.stop()


async def test_the_last_minute_of_a_duration_counts_though_a_bar_of_it_is_missing(tmp_path: Path) -> None:
    path = tape(tmp_path, [100.0] * 9 + [109.0] + [120.0] * 5)
    other = tape(tmp_path, [50.0], symbol="QQQ")
    options = RunOptions(feed="replay", data=(path, other), speed=None, duration=10 * MINUTE, report="none")
    settings = entry(tickers=["SPY", "QQQ"], strategy=MomentumStrategy(lookback_period=1, momentum_threshold=0.0))
    summary = await MultiTraderCoordinator([settings], options=options).run()
    assert summary.strategies[0].positions[0].mark == Decimal("109.0")


async def test_a_cancelled_run_still_shows_its_summary(capsys: pytest.CaptureFixture[str]) -> None:
    coordinator = MultiTraderCoordinator([entry()], options=RunOptions(speed=1.0))
    running = asyncio.create_task(coordinator.run())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert "MULTI-TRADER COORDINATOR SUMMARY" in capsys.readouterr().out


async def test_a_duration_at_full_speed_is_market_time(tmp_path: Path) -> None:
    path = tape(tmp_path, [100.0] * 50)
    coordinator = MultiTraderCoordinator([entry()], options=replay(path, duration=10 * MINUTE, report="none"))
    summary = await coordinator.run()
    assert summary.strategies[0].trades == 9


async def test_a_start_makes_history_of_what_lies_before_it(tmp_path: Path) -> None:
    path = tape(tmp_path, [100.0] * 10)
    strategy = InAndOut()
    options = replay(path, start=T0 + 5 * MINUTE, report="none")
    summary = await MultiTraderCoordinator([entry(strategy=strategy)], options=options).run()
    assert strategy.bars == 10
    assert summary.strategies[0].trades == 3  # the seventh bar is the first that wants in; its fill is the eighth's


async def test_every_fill_is_a_line_of_the_export_and_equal_runs_write_equal_bytes(tmp_path: Path) -> None:
    path = tape(tmp_path, [100.5, 101, 102])
    written = []
    for number in (1, 2):
        options = replay(path, export_trades=tmp_path / f"fills{number}.jsonl", report="none")
        await MultiTraderCoordinator([entry()], options=options).run()
        written.append((tmp_path / f"fills{number}.jsonl").read_bytes())
    assert written[0] == written[1]
    first = json.loads(written[0].splitlines()[0])
    assert first == {
        "ts": "2026-01-05T14:31:00Z",
        "strategy": "one",
        "symbol": "SPY",
        "side": "buy",
        "qty": "94.5273",
        "price": "101",
        "fee": "0",
        "fee_asset": "USD",
        "order_id": "sim.one.1.37dffc57",
        "execution_id": "sim-x000001",
        "decision_price": "100.5",
        "reason": "signal",
    }


async def test_the_state_folder_keeps_the_whole_log_as_json(tmp_path: Path) -> None:
    options = replay(tape(tmp_path, [100, 101]), state_dir=tmp_path / "state", report="none")
    await MultiTraderCoordinator([entry()], options=options).run()
    lines = [json.loads(line) for line in (tmp_path / "state" / "log.jsonl").read_text().splitlines()]
    assert {"coordinator.started", "order.created", "order.filled", "coordinator.stopped"} <= {
        x["event"] for x in lines
    }
    assert {line["mode"] for line in lines} == {"SIM"}


async def test_operators_are_let_in_where_a_program_has_a_log_of_its_own(tmp_path: Path) -> None:
    structlog.configure(processors=[lambda *_line: _drop()])
    options = replay(tape(tmp_path, [100, 101]), state_dir=tmp_path / "state", report="none")
    summary = await MultiTraderCoordinator([entry()], options=options).run()
    assert summary.strategies[0].trades
    assert not (tmp_path / "state" / "log.jsonl").exists()


def _drop() -> NoReturn:
    raise structlog.DropEvent


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "live": ({"paper": False, "options": RunOptions(feed="synthetic")}, "real orders need the real market"),
    "a journal of no account": ({"options": RunOptions(journal="books")}, "--journal keeps the books of an account"),
    "data without replay": ({"options": RunOptions(data=(Path("x"),))}, "add --feed replay"),
    "replay without data": ({"options": RunOptions(feed="replay")}, "add --data"),
    "quotes from bars": (
        {"options": RunOptions(feed="replay", data=(Path("x"),)), "broker": {"simulated": {"fill": "next_quote"}}},
        "broker.simulated.fill: next_quote needs quotes",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_run_says_so_at_once(case: str) -> None:
    settings, message = WRONG[case]
    with pytest.raises(ConfigError, match="(?s).*" + message):
        MultiTraderCoordinator([entry()], **settings)


def test_an_address_without_keys_is_no_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APCA_API_BASE_URL", "http://127.0.0.1:1")
    with pytest.raises(CredentialsError, match="APCA_API_BASE_URL is set, but there are no keys"):
        MultiTraderCoordinator([entry()])


def test_more_stocks_than_the_data_plan_streams_are_named_under_their_strategies() -> None:
    stocks = [f"{first}{second}" for first in "ABCDEF" for second in "ABCDEF"]
    wants = [entry(tickers=stocks[:20]), entry(name="two", tickers=[*stocks[10:32], "BTC/USD"])]
    with pytest.raises(ConfigError) as caught:
        MultiTraderCoordinator(wants, "PKONE", "hush-hush")
    (problem,) = caught.value.problems
    assert problem.path == "strategies[1].tickers"
    assert problem.message.startswith("FA, FB: beyond the 30 stocks")


def test_one_strategy_object_cannot_serve_two_sandboxes() -> None:
    shared = InAndOut()
    with pytest.raises(ConfigError, match=r"strategies\[1\].strategy: the same object"):
        MultiTraderCoordinator([entry(strategy=shared), entry(strategy=shared, name="two")])


async def test_an_export_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    options = replay(tape(tmp_path, [1, 2]), export_trades=tmp_path / "no" / "fills.jsonl")
    with pytest.raises(ConfigError, match=r"--export-trades .* cannot be written"):
        await MultiTraderCoordinator([entry()], options=options).run()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full, which only Linux has")
async def test_a_disk_that_refuses_a_fill_ends_the_run_with_its_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = replay(tape(tmp_path, [1, 2, 3]), export_trades=Path("/dev/full"))
    with pytest.raises(EdgeError, match="a fill could not be written"):
        await MultiTraderCoordinator([entry()], options=options).run()
    assert "MULTI-TRADER COORDINATOR SUMMARY" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full, which only Linux has")
async def test_a_fill_that_cannot_be_exported_is_recorded_before_the_run_ends(tmp_path: Path) -> None:
    recorded: list[Event] = []

    class Spy(NoJournal):
        def record(self, events: Sequence[Event], then: Then | None) -> None:
            recorded.extend(events)
            super().record(events, then)

    options = replay(tape(tmp_path, [1, 2, 3]), export_trades=Path("/dev/full"))
    coordinator = MultiTraderCoordinator([entry()], options=options)
    coordinator._recorder = Spy()  # noqa: SLF001 -- a made-up market has no journal to look into
    with pytest.raises(EdgeError, match="a fill could not be written"):
        await coordinator.run()
    assert Ledger.fold(recorded).digest() == coordinator.engine.desk.ledger.digest()


async def test_a_halt_between_approval_and_sending_stops_an_opening(tmp_path: Path) -> None:
    coordinator = MultiTraderCoordinator([entry()], options=replay(tape(tmp_path, [1, 2, 3, 4]), report="none"))
    moved: list[tuple[OrderStatus, str]] = []

    class Slow(NoJournal):
        """A disk that has the first order on it only after the desk was halted."""

        def record(self, events: Sequence[Event], then: Then | None) -> None:
            moved.extend((event.status, event.text) for event in events if isinstance(event, OrderMoved))
            if any(isinstance(event, OrderCreated) for event in events):
                coordinator._take(Control(T0, "halt", "", "ann"))  # noqa: SLF001 -- as an operator's word comes
            super().record(events, then)

    coordinator._recorder = Slow()  # noqa: SLF001 -- a made-up market has no disk that could be slow
    summary = await coordinator.run()
    assert summary.strategies[0].trades == 0
    assert [status for status, _ in moved] == [OrderStatus.PENDING_CANCEL, OrderStatus.REJECTED]
    assert moved[-1][1].startswith("last look: ")


async def test_a_desk_that_breaks_at_an_operators_word_ends_a_simulated_run(tmp_path: Path) -> None:
    coordinator = MultiTraderCoordinator([entry()], options=RunOptions(feed="synthetic", state_dir=tmp_path))
    handle = coordinator.engine.handle

    def break_at_a_word(message: Input) -> Step:
        assert not isinstance(message, Control), "it broke"
        return handle(message)

    coordinator.engine.handle = break_at_a_word  # type: ignore[method-assign]
    run = asyncio.ensure_future(coordinator.run())
    await until((tmp_path / "control.sock").exists)
    with pytest.raises(Declined, match="unexpected AssertionError"):
        await asyncio.to_thread(ask, tmp_path, "halt")
    async with asyncio.timeout(5):
        with pytest.raises(AssertionError, match="it broke"):
            await run


async def test_an_exception_that_is_asked_for_is_confirmed_by_the_desk_itself(tmp_path: Path) -> None:
    coordinator = MultiTraderCoordinator([entry()], options=RunOptions(feed="synthetic", state_dir=tmp_path))
    wanted = AskOverride("one", "SPY", Side.BUY, "10", "duplicate", "on purpose")
    run = asyncio.ensure_future(coordinator.run())
    await until((tmp_path / "control.sock").exists)
    asked = await asyncio.to_thread(ask, tmp_path, "override", wanted)
    with pytest.raises(Declined, match="asked for it, and another person must agree"):
        await asyncio.to_thread(ask, tmp_path, "agree", AgreeOverride(asked["number"]))
    await coordinator.stop()
    await run
    assert [one.why for one in coordinator.engine.desk.ledger.conduct.overrides.values()] == ["on purpose"]


async def test_operators_are_out_though_the_market_could_not_be_closed(tmp_path: Path) -> None:
    options = replay(tape(tmp_path, [1, 2, 3]), state_dir=tmp_path / "state")
    coordinator = MultiTraderCoordinator([entry()], options=options)

    async def close() -> None:
        raise EdgeError("the line is dead")

    coordinator._world.close = close  # type: ignore[method-assign]  # noqa: SLF001 -- no made-up market fails so
    with pytest.raises(EdgeError, match="the line is dead"):
        await coordinator.run()
    assert not (tmp_path / "state" / "control.sock").exists()


async def test_a_state_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    options = replay(tape(tmp_path, [1, 2]), state_dir=tmp_path / "file")
    with pytest.raises(ConfigError, match="--state-dir"):
        await MultiTraderCoordinator([entry()], options=options).run()


def test_names_of_the_package_are_found_and_others_are_not() -> None:
    import trader

    assert trader.RiskConfig is RiskConfig
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        trader.nothing  # noqa: B018
