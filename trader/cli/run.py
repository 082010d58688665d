"""``trader run``: trade until the data ends or Ctrl+C."""

import asyncio
import gc
import os
import signal
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from trader.config import Config
    from trader.live.options import RunOptions

EXIT_AT_ONCE = 130
EXIT_HALTED = 6  # the whole desk is halted, and stays so: nothing should start it again by itself
# Objects between two looks for garbage cycles, Python's 700 else: messages come by the thousand, and none is a cycle.
GARBAGE_AFTER = 20_000
_UNSET: Literal["auto"] = "auto"  # no --speed: what it is depends on the feed
MAX_SPEED = 1_000_000.0  # beyond it the clock is no bound: that is max


class _Speed(click.ParamType):  # type: ignore[type-arg]
    name = "N|max"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> "float | Literal['auto'] | None":
        if value in ("max", None):
            return None
        if value == _UNSET:
            return _UNSET
        try:
            speed = float(str(value))
        except ValueError:
            speed = 0.0
        if not 0 < speed <= MAX_SPEED:
            self.fail(f"{value!r} is no speed; give a number above 0 (1 is real time), or max", param, ctx)
        return speed


class _Parsed(click.ParamType):  # type: ignore[type-arg]
    def __init__(self, name: str, parse: "Callable[[str], int]") -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return self._parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _duration(text: str) -> int:
    from trader.model.time import parse_duration

    return parse_duration(text)


def _time(text: str) -> int:
    from trader.model.time import parse_time

    return parse_time(text)


TIME = _Parsed("TIME", _time)
_PATH = click.Path(path_type=Path)
_FEED = "Where prices come from.  [default: alpaca with API keys, else synthetic]"
_BROKER = "Where orders go.  [default: alpaca with API keys, else simulated]"
_SPEED = "Market time over real time, or max.  [default: 60; replay: max; a local exchange: 1]"
_STATE = "Journal, full log (log.jsonl) and control socket.  [default: ~/.local/state/trader/paper, or live]"
_JOURNAL = "Keep the books there, or in PostgreSQL.  [default: journal.sqlite in the state folder]"
_DAILY = "Daily bars from before a replay's minutes, for limits and filters that look at days: files or folders."
_FILTER = "Let openings pass this filter, and not those of the settings; may be given again."
_INPUTS = "Parameters of the n-th --filter, as a=1,b=x;y."
_FOR = "Stop after 30s, 15m, 2h or 1d of real time; with --speed max, of market time."


@click.command()
@click.option("--config", type=_PATH, help="Strategies and settings, JSON or TOML; without it, five built-in ones.")
@click.option("--feed", type=click.Choice(["synthetic", "replay", "alpaca"]), help=_FEED)
@click.option("--broker", type=click.Choice(["simulated", "alpaca"]), help=_BROKER)
@click.option("--data", type=_PATH, multiple=True, help="Bars for the replay: Parquet or CSV files, or folders.")
@click.option("--daily", type=_PATH, multiple=True, help=_DAILY)
@click.argument("more_data", nargs=-1, type=_PATH, metavar="")
@click.option("--speed", type=_Speed(), default=_UNSET, help=_SPEED)
@click.option("--for", "duration", type=_Parsed("DURATION", _duration), help=_FOR)
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True, help="Of the synthetic market."
)
@click.option("--start", type=TIME, help="Market time of the first decision; bars before it warm up.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@click.option("--export-trades", type=_PATH, help="Write every fill to FILE, one JSON object a line.", metavar="FILE")
@click.option("--state-dir", type=_PATH, help=_STATE, metavar="DIR")
@click.option("--journal", help=_JOURNAL, metavar="FILE|URL")
@click.option(
    "--tape",
    type=_PATH,
    help="Record every input there, for `trader replay`, in place of an older tape.",
    metavar="FILE",
)
@click.option("--filter", "filters", multiple=True, help=_FILTER, metavar="NAME")
@click.option("--filter-inputs", multiple=True, help=_INPUTS, metavar="INPUTS")
@click.option("--accept-looser", is_flag=True, help="Start though a limit is looser than when these books were traded.")
@click.option("--log-format", type=click.Choice(["auto", "console", "json"]), default="auto", show_default=True)
@click.option("--live", is_flag=True, help="Trade real money; asks for the account's number first.")
@click.option("--yes-live", metavar="NUMBER", help="Answer that question, where there is no terminal to ask at.")
@click.option("--allow-overallocation", is_flag=True, help="Start though the strategies have more than the account.")
@click.option("-v", "--verbose", is_flag=True, help="Log orders and repeated refusals too.")
def command(**given: object) -> None:
    """Run the strategies until the data ends, --for is over, or Ctrl+C.

    Without --config five built-in strategies trade a synthetic market. One Ctrl+C stops in order and prints the
    summary; a second one ends at once.
    """
    with _Signals() as signals:
        from trader.config import default_config, load
        from trader.live.coordinator import MultiTraderCoordinator
        from trader.model.orders import TradingState

        path = given["config"]
        config = _filtered(load(path) if isinstance(path, Path) else default_config(), given)
        options = _options(given, config)
        coordinator = MultiTraderCoordinator(
            config.strategies, paper=not given["live"], broker=config.broker, options=options
        )
        # Where standard output is for one JSON object, what strategies print goes to the other.
        prints = redirect_stdout(sys.stderr) if given["as_json"] else nullcontext()
        with asyncio.Runner(loop_factory=fastest_loop()) as runner, prints:
            loop = runner.get_loop()
            gc.set_threshold(GARBAGE_AFTER)
            signals.stop = lambda: loop.call_soon_threadsafe(coordinator.request_stop)
            runner.run(coordinator.run())
        if coordinator.engine.desk.ledger.account.state is TradingState.HALTED:
            if coordinator.engine.desk.ledger.account.number:  # a made-up account is not gone on with
                click.echo("the whole desk stays halted until `trader resume`, after a restart too", err=True)
            raise SystemExit(EXIT_HALTED)


def _filtered(config: "Config", given: dict[str, Any]) -> "Config":
    """Put the filters of the command line in the place of those of the settings, where there are any."""
    from trader.config import chain_of

    chain = chain_of(given["filters"], given["filter_inputs"], categories=config.risk.categories)
    if not chain:
        return config
    strategies = tuple(settings.model_copy(update={"filters": ()}) for settings in config.strategies)
    return config.model_copy(update={"strategies": strategies, "filters": chain})


def _options(given: dict[str, Any], config: "Config") -> "RunOptions":
    from trader.live.options import RunOptions

    if given["more_data"] and not given["data"]:
        first = given["more_data"][0]
        raise click.UsageError(f"unexpected argument {str(first)!r}; did you mean --config {first} or --data {first}?")
    if given["yes_live"] is not None and not given["live"]:
        raise click.UsageError("--yes-live answers the question that --live asks; add --live, or leave it out")
    return RunOptions(
        **{name: given[name] for name in _AS_GIVEN},
        feed=given["feed"] or "auto",
        broker=given["broker"] or "auto",
        ask=input if sys.stdin is not None and sys.stdin.isatty() else None,
        data=(*given["data"], *given["more_data"]),
        report="json" if given["as_json"] else "text",
        filters=config.filters,
        risk=config.risk,
    )


_AS_GIVEN = (
    "yes_live", "allow_overallocation", "daily", "speed", "duration", "seed", "start", "log_format", "verbose",
    "export_trades", "state_dir", "journal", "tape", "accept_looser",
)  # fmt: skip


class _Signals:
    """SIGINT and SIGTERM from the first moment on: one asks the run to stop, a second ends the process at once.

    They are Python's own signals and not the loop's, so that they also reach a loop that a strategy keeps busy.
    """

    def __init__(self) -> None:
        self.stop: Callable[[], object] | None = None
        self._is_asked = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._previous = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _on_signal(self, *_: object) -> None:
        if self._is_asked:
            os._exit(EXIT_AT_ONCE)
        self._is_asked = True
        if self.stop is None:
            click.echo("stopped before the run began", err=True)
            raise SystemExit(0)
        self.stop()


def fastest_loop() -> "Callable[[], asyncio.AbstractEventLoop]":
    """Return what makes the fastest event loop there is here."""
    try:
        import uvloop
    except ImportError:  # not made for Windows
        return asyncio.new_event_loop
    return uvloop.new_event_loop
