"""Every fill of a run over recorded bars, against a program that shares no code with the package."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest

from tests.recorded.lively import EAGER, crypto, lively_config, strategy
from tests.recorded.oracle import Book, Fill, load_bars, recompute
from tests.recorded.signals import DIGITS

pytestmark = pytest.mark.recorded

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("TRADER_SHARED", ROOT.parent / "shared")) / "data"
FUNDS = DATA / "us_1min" / "etf_2019-12.parquet"
STOCKS = DATA / "us_1min" / "us23_2019-02-11_13.parquet"
COINS = DATA / "crypto_1min" / "coinbase_usd_2017-09_2018-04.parquet"
Say = Callable[[str], None]


@pytest.fixture(autouse=True)
def _needs_recorded_bars() -> None:
    if not FUNDS.exists():
        pytest.skip(f"no recorded bars at {DATA}: set TRADER_SHARED to the folder that holds data/")


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Write a line past the capture, so that a passing run still says what it compared."""

    def write(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{line}\n")

    return write


def test_the_example_configuration_is_recomputed_and_repeats_itself(tmp_path: Path, say: Say) -> None:
    config = ROOT / "configs" / "multi_trader_example.json"
    data = [FUNDS, COINS]
    summary, export = run_trader(config, data, tmp_path / "one")
    _, again = run_trader(config, data, tmp_path / "two")
    assert export == again
    books = recompute(json.loads(config.read_text()), load_bars(data))
    assert_same(summary, export, books)
    say(f"{config.name}: {sum(len(book.fills) for book in books)} fills compared, two runs byte-equal")


def test_every_rule_fires_and_is_recomputed(tmp_path: Path, say: Say) -> None:
    books = compare_apart(lively_config(), every_file(), tmp_path)
    reasons = Counter(fill.reason for book in books for fill in book.fills)
    refusals = sum((book.refusals for book in books), Counter[str]())
    say(f"lively: {reasons.total()} fills compared: {dict(reasons)}; entries refused: {dict(refusals)}")
    assert min(reasons[reason] for reason in ("signal", "stop_loss", "take_profit", "max_daily_loss")) > 50
    assert refusals.keys() == {"max_daily_loss", "max_daily_trades", "cash", "min_notional"}
    assert any(fill.fee_asset == "BTC" and fill.fee > 0 for book in books for fill in book.fills)
    assert any(goes_short(book) for book in books)


def test_what_strategies_cross_has_two_sides_and_costs_nothing(tmp_path: Path, say: Say) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(lively_config()))
    _, export = run_trader(path, [FUNDS], tmp_path / "run")
    crossed: dict[str, list[Fill]] = {}
    for line in map(json.loads, export.splitlines()):
        if line["execution_id"].startswith("x:"):
            crossed.setdefault(line["execution_id"], []).append(as_fill(line))
    say(f"lively, all together over funds: {len(crossed)} crossings")
    assert len(crossed) > 20
    for one, other in crossed.values():
        assert {one.side, other.side} == {"buy", "sell"}
        assert one.strategy != other.strategy
        assert (one.symbol, one.qty, one.price, one.fee) == (other.symbol, other.qty, other.price, Decimal(0))


def test_bars_before_the_start_only_warm_up(tmp_path: Path, say: Say) -> None:
    start = datetime(2019, 12, 18, 15, 2, tzinfo=UTC)  # inside a session, and inside a bar of every size but one minute
    books = compare_apart(lively_config(), every_file(), tmp_path, start=start)
    fills = [fill for book in books for fill in book.fills]
    say(f"from {start:%Y-%m-%d %H:%M}: {len(fills)} fills compared")
    assert min(fill.ts for fill in fills) == start.replace(minute=start.minute + 1), "trading starts at once"


def test_fees_can_be_switched_off(tmp_path: Path, say: Say) -> None:
    config = {"strategies": crypto(), "broker": {"simulated": {"fees": "none"}}}
    books = compare_apart(config, [COINS, FUNDS], tmp_path)
    say(f"without fees: {sum(len(book.fills) for book in books)} fills compared")
    assert all(fill.fee == 0 for book in books for fill in book.fills)


@pytest.mark.parametrize("whole_first", [True, False])
def test_whole_shares_hold_for_their_own_strategy_only(tmp_path: Path, whole_first: bool) -> None:
    risk = {"max_position_size": 0.5}
    common = {"strategy_type": "rsi", "strategy_params": {"rsi_period": 5}, "tickers": ["XLE"], "risk_config": risk}
    pair = [{"name": "whole", "fractionable": False} | common, {"name": "fractions"} | common]
    books = compare({"strategies": pair if whole_first else pair[::-1]}, [FUNDS], tmp_path)
    assert all(book.fills for book in books)


@pytest.mark.parametrize("then", ["flatten", "hold"])
def test_an_entry_that_still_waits_is_not_opened_after_the_daily_loss(tmp_path: Path, then: str) -> None:
    late = strategy("momentum", ["TSLA", "UGA", "PPLT"], EAGER, max_daily_loss=29.0, max_position_size=0.33)
    (book,) = compare({"strategies": [late | {"on_daily_loss": then}]}, [STOCKS], tmp_path)
    assert book.refusals["max_daily_loss"] > 0


def compare(config: dict[str, Any], data: Sequence[Path], folder: Path, *, start: datetime | None = None) -> list[Book]:
    """Run a configuration through both programs, and fail where they differ."""
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    options = [] if start is None else ["--start", f"{start:%Y-%m-%dT%H:%M:%SZ}"]
    summary, export = run_trader(path, data, folder / "run", options)
    books = recompute(config, load_bars(data), start=start)
    assert_same(summary, export, books)
    return books


def compare_apart(
    config: dict[str, Any], data: Sequence[Path], folder: Path, *, start: datetime | None = None
) -> list[Book]:
    """Compare in as many runs as it takes for no two strategies to share a ticker: what crosses is the desk's alone."""
    groups: list[list[dict[str, Any]]] = []
    for one in config["strategies"]:
        tickers = set(one["tickers"])
        free = (group for group in groups if not any(tickers & set(other["tickers"]) for other in group))
        group = next(free, None)
        if group is None:
            groups.append(group := [])
        group.append(one)
    books = []
    for number, group in enumerate(groups):
        own = folder / str(number)
        own.mkdir()
        books += compare({**config, "strategies": group}, data, own, start=start)
    return books


def run_trader(
    config: Path, data: Sequence[Path], folder: Path, options: Sequence[str] = ()
) -> tuple[dict[str, Any], bytes]:
    """Run the command line over recorded bars: the object it printed, and the bytes of its export."""
    folder.mkdir()
    export = folder / "trades.jsonl"
    command: list[str | Path] = [sys.executable, "-m", "trader", "run", "--config", config]
    command += ["--feed", "replay", "--data", *data]
    command += ["--speed", "max", "--export-trades", export, "--state-dir", folder, "--json", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary, export.read_bytes()


def assert_same(summary: dict[str, Any], export: bytes, books: Sequence[Book]) -> None:
    """Compare fills field by field, then what the books hold at the end to the last digit."""
    lines = [json.loads(line) for line in export.splitlines()]
    assert len({line["execution_id"] for line in lines}) == len(lines)
    assert [line["ts"] for line in lines] == sorted(line["ts"] for line in lines)
    told = [as_fill(line) for line in lines]
    problems = [problem for book in books if (problem := difference(book, told))]
    assert not problems, "\n".join([f"{len(problems)} strategies differ", *problems])
    assert {told_book["name"]: amounts(told_book) for told_book in summary["strategies"]} == {
        book.spec["name"]: expected_amounts(book) for book in books
    }
    assert Decimal(summary["total_pnl"]) == sum(expected_amounts(book)["pnl"] for book in books)


def difference(book: Book, told: Sequence[Fill]) -> str:
    """Describe the first fill that the two programs tell differently, with the close calls before it."""
    name = book.spec["name"]
    theirs, ours = (sorted(fills) for fills in ([fill for fill in told if fill.strategy == name], book.fills))
    if theirs == ours:
        return ""
    at = next((i for i, (a, b) in enumerate(zip(theirs, ours, strict=False)) if a != b), min(len(theirs), len(ours)))
    first = min(fills[at].ts for fills in (theirs, ours) if at < len(fills))
    ties = [f"{ts:%Y-%m-%d %H:%M} {ticker} {what}" for ts, ticker, what in book.near_ties if ts <= first]
    lines = [
        f"\n{name}: {len(theirs)} fills by the package, {len(ours)} by the oracle; first difference is number {at}",
        *(f"  package {fill}" for fill in theirs[at : at + 2]),
        *(f"  oracle  {fill}" for fill in ours[at : at + 2]),
        f"  decisions so far that float noise may have turned: {len(ties)}, the last ones {ties[-3:]}",
    ]
    return "\n".join(lines)


def as_fill(line: dict[str, Any]) -> Fill:
    """Read one line of the export; a fee of nothing has no asset to agree on."""
    fee = Decimal(line["fee"])
    return Fill(
        ts=datetime.fromisoformat(line["ts"]),
        strategy=line["strategy"],
        symbol=line["symbol"],
        side=line["side"],
        qty=Decimal(line["qty"]),
        price=Decimal(line["price"]),
        fee=fee,
        fee_asset=line["fee_asset"] if fee else "USD",
        decision_price=Decimal(line["decision_price"]),
        reason=line["reason"],
    )


def amounts(told: dict[str, Any]) -> dict[str, Any]:
    """Read the amounts of one strategy from the printed object."""
    keys = ("initial_cash", "available_cash", "total_value", "pnl")
    positions = {
        held["symbol"]: tuple(Decimal(held[key]) for key in ("qty", "avg_price", "mark", "value"))
        for held in told["positions"]
    }
    counts = {key: told[key] for key in ("trades", "open_orders", "denials")}
    return {key: Decimal(told[key]) for key in keys} | counts | {"positions": positions}


def expected_amounts(book: Book) -> dict[str, Any]:
    """State the same amounts as the oracle's book has them."""
    with localcontext(prec=DIGITS):
        positions = {
            ticker: (qty, book.entry_price[ticker], book.marks[ticker], qty * book.marks[ticker])
            for ticker, qty in book.qty.items()
        }
        return {
            "initial_cash": book.initial_cash,
            "available_cash": book.cash - book.reserved,
            "total_value": book.equity,
            "pnl": book.equity - book.initial_cash,
            "trades": len(book.fills),
            "open_orders": len(book.orders),
            "denials": dict(book.refusals),
            "positions": positions,
        }


def goes_short(book: Book) -> bool:
    """Tell whether a strategy ever held less than nothing."""
    held: Counter[str] = Counter()
    for fill in book.fills:
        held[fill.symbol] += 1 if fill.side == "buy" else -1
        if held[fill.symbol] < 0:
            return True
    return False


def every_file() -> list[Path]:
    """List the recorded bars of stocks and funds, and those of coins quoted in dollars."""
    return [*sorted((DATA / "us_1min").glob("*.parquet")), COINS]
