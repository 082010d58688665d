"""A tape is played to a desk like the one that was recorded, which must decide the same."""

import sys
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tests.build import T0
from tests.tapes import lively, own_strategy, record
from trader import __version__
from trader.books.ledger import Ledger
from trader.config import parse
from trader.director.grid import GRACE
from trader.errors import ConfigError, DataError
from trader.live.replay import Difference, head_of, replay
from trader.model.events import Event, OrderCreated, OrderDenied, StrategyFailed, TargetSet
from trader.model.inputs import Input, Ticks, TimerFired
from trader.model.orders import Denied
from trader.model.signals import Signals
from trader.model.ticks import Bar, Quote
from trader.risk.gate import Gate
from trader.store.tape import TapeReader, TapeWriter
from trader.strategies import Context, Strategy

MANY = [
    lively("one", "SPY", initial_cash=Decimal("2500.50"), risk_config={"max_position_size": Decimal("0.333")}),
    lively("coins", "BTC/USD", "ETH/USD", risk_config={"stop_loss_pct": Decimal("0.0005")}),
    lively("five", "IWM", "SPY", bar="5Min", min_warmup_bars=3),
    lively("short", "QQQ", allow_short=True),
]


class Mute(Strategy):
    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        return None


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder whose modules can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)  # a class is written twice within a second
    return tmp_path


async def test_a_run_is_the_same_when_its_tape_is_played(tmp_path: Path) -> None:
    await record(path := tmp_path / "t", *MANY)
    verdict = replay(path)
    assert (verdict.difference, verdict.flaw, verdict.failure) == (None, "", "")
    assert verdict.inputs > 60
    assert verdict.events > 100
    assert verdict.version == __version__
    assert verdict.since < verdict.until


async def test_a_strategy_that_was_changed_is_named_with_its_first_other_decision(folder: Path) -> None:
    first = own_strategy(folder, "return Target(bar.symbol, 0.9 if bar.close > bar.open else 0.0)")
    await record(path := folder / "t", lively("other", "BTC/USD"), first, lively("last", "QQQ"))
    assert replay(path).difference is None
    own_strategy(folder, "return Target(bar.symbol, 0.9 if bar.close >= bar.low else 0.0)")
    found = replay(path).difference
    assert found is not None
    assert found.strategy == "Own"
    assert found.kind == "Ticks"
    assert found.number > 1


@pytest.mark.parametrize(("then", "now"), [("None", "Target(bar.symbol, 0.5)"), ("Target(bar.symbol, 0.5)", "None")])
async def test_of_two_strategies_in_a_difference_the_one_that_decides_first_is_named(
    folder: Path, then: str, now: str
) -> None:
    buys = {"name": "Buys", "strategy_type": "my_own:Own", "tickers": ["SPY"], "min_warmup_bars": 1}
    changed = own_strategy(folder, f"return {then} if ctx.cash == 7000 else Target(bar.symbol, 0.5)", initial_cash=7000)
    await record(path := folder / "t", changed, buys, minutes=5)
    own_strategy(folder, f"return {now} if ctx.cash == 7000 else Target(bar.symbol, 0.5)")
    found = replay(path).difference
    assert found is not None
    assert found.strategy == "Own"


async def test_an_order_that_is_refused_now_is_a_difference_of_its_strategy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(path := tmp_path / "t", lively("other", "BTC/USD"), lively("one", "SPY"), minutes=20)
    monkeypatch.setattr(Gate, "check", lambda _, question: Denied(question.intent, "max_daily_trades", "0", "1"))
    found = replay(path).difference
    assert found is not None
    assert isinstance(found.recorded, OrderCreated)
    assert isinstance(found.replayed, OrderDenied)
    assert found.strategy == found.recorded.approved.intent.strategy


async def test_an_event_that_is_only_made_now_or_was_only_made_then_is_shown_alone(folder: Path) -> None:
    await record(path := folder / "t", own_strategy(folder, "return Target(bar.symbol, 0.5)"), minutes=5)
    own_strategy(folder, "return None")
    found = replay(path).difference
    assert found is not None
    assert found.replayed is None
    assert isinstance(found.recorded, TargetSet | OrderCreated)

    await record(path := folder / "u", own_strategy(folder, "return None"), minutes=5)
    own_strategy(folder, "return Target(bar.symbol, 0.5)")
    found = replay(path).difference
    assert found is not None
    assert found.recorded is None
    assert isinstance(found.replayed, TargetSet | OrderCreated)


async def test_the_lines_of_a_traceback_are_not_compared_but_the_error_is(folder: Path) -> None:
    await record(path := folder / "t", own_strategy(folder, "raise ValueError('so')"), minutes=5)
    own_strategy(folder, "\n\n        raise ValueError('so')")
    assert replay(path).difference is None
    own_strategy(folder, "raise ValueError('other')")
    found = replay(path).difference
    assert found is not None
    assert isinstance(found.recorded, StrategyFailed)
    assert isinstance(found.replayed, StrategyFailed)
    assert (found.recorded.error, found.replayed.error) == ("ValueError: so", "ValueError: other")


async def test_an_address_in_the_words_of_an_error_is_not_compared(folder: Path) -> None:
    await record(path := folder / "t", own_strategy(folder, "return object()"), minutes=5)
    with TapeReader(path) as tape:
        assert any(b"object object at 0x" in bytes(entry.events) for entry in tape)
    assert replay(path).difference is None


async def test_a_desk_that_goes_on_with_recovered_books_is_the_same_when_its_tape_is_played(tmp_path: Path) -> None:
    books = await record(tmp_path / "t", *MANY)
    await record(path := tmp_path / "u", *MANY, books=books)
    verdict = replay(path)
    assert (verdict.difference, verdict.flaw) == (None, "")
    with TapeReader(path) as tape:
        assert tape.head.ledger == books.snapshot()


async def test_a_later_version_decides_the_same_though_its_name_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr("trader.live.coordinator.__version__", "0.0.9")
        before.setattr("trader.live.replay.__version__", "0.0.9")
        await record(path := tmp_path / "t", *MANY, minutes=5)
    verdict = replay(path)
    assert verdict.difference is None
    assert verdict.version == "0.0.9"


UNKNOWN: Input = Ticks(T0, [Quote("ZZZ", T0, 1.0, 1.0, 2.0, 1.0)])  # what no feed hands over


def write(path: Path, *rows: tuple[Input, list[Event] | None]) -> Path:
    config = parse({"strategies": [lively("one", "SPY")]})
    writer = TapeWriter(path, head_of(config, book_id="b", grace=GRACE, is_alpaca=False, ledger=Ledger()))
    for message, events in rows:
        writer.write(message, events)
    writer.close()
    return path


def test_a_desk_that_failed_fails_again_at_the_same_input(tmp_path: Path) -> None:
    verdict = replay(write(tmp_path / "t", (UNKNOWN, None)))
    assert verdict.difference is None
    assert verdict.failure == "KeyError: 'ZZZ'"


def test_a_failure_that_is_new_or_gone_is_a_difference(tmp_path: Path) -> None:
    new = replay(write(tmp_path / "t", (UNKNOWN, []))).difference
    assert new == Difference(1, T0, "Ticks", 1, "", None, None, "now the desk fails: KeyError: 'ZZZ'")
    gone = replay(write(tmp_path / "t", (TimerFired(T0), None))).difference
    assert gone == Difference(1, T0, "TimerFired", 1, "", None, None, "the desk failed then, and does not now")


async def test_strategies_that_a_program_made_cannot_be_replayed_and_that_is_said(tmp_path: Path) -> None:
    await record(path := tmp_path / "t", {"name": "Made", "strategy": Mute(), "tickers": ["SPY"]}, minutes=2)
    with pytest.raises(ConfigError, match="t: Made: a program gave these strategies as ready objects, which no"):
        replay(path)


async def test_a_strategy_that_is_gone_is_named_with_its_place_in_the_settings(folder: Path) -> None:
    await record(path := folder / "t", own_strategy(folder, "return None"), minutes=2)
    (folder / "my_own.py").write_text("")
    sys.modules.pop("my_own")
    with pytest.raises(ConfigError, match=rf"^{path}, settings:\n  strategies\[0\].strategy_type: "):
        replay(path)


def test_parameters_that_no_file_can_hold_are_told_before_the_run() -> None:
    config = parse({"strategies": [lively("one", "SPY")]})
    odd = config.strategies[0].model_copy(update={"strategy_params": {"lookback_period": object()}})
    with pytest.raises(
        ConfigError, match=r"--tape: the strategies' parameters cannot be recorded: .*; leave out --tape"
    ):
        head_of(
            config.model_copy(update={"strategies": (odd,)}), book_id="b", grace=1, is_alpaca=False, ledger=Ledger()
        )


def test_books_of_another_version_at_a_tapes_head_are_said_to_be_that(tmp_path: Path) -> None:
    config = parse({"strategies": [lively("one", "SPY")]})
    head = head_of(config, book_id="b", grace=GRACE, is_alpaca=False, ledger=Ledger())
    path = tmp_path / "other.tape"
    TapeWriter(
        path, msgspec.structs.replace(head, version="0.0.1", ledger=msgspec.msgpack.encode({"books": 1}))
    ).close()
    with pytest.raises(DataError, match=r"are of trader 0\.0\.1, which kept them otherwise"):
        replay(path)
