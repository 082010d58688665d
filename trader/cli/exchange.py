"""``trader exchange``: serve Alpaca's protocols on this machine, out of a made-up or a recorded market."""

import asyncio
import json
import shlex
import signal
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trader.cli.run import TIME, fastest_loop

if TYPE_CHECKING:
    from trader.exchange.local import ExchangeOptions, LocalExchange

MAX_SPEED = 10_000.0  # beyond it the market is faster than any program that trades on it
MAX_ACCOUNTS = 100
BASIC_SYMBOLS = 30  # Alpaca, "About Market Data API", read 2026-11


class _Cash(click.ParamType):  # type: ignore[type-arg]
    name = "USD"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            cash = Decimal(str(value))
        except ArithmeticError:
            cash = Decimal(-1)
        if not 0 <= cash <= MAX_CASH or cash != round(cash, 2):
            self.fail(f"{value!r} is no account's cash; give dollars, such as 100000 or 2500.50", param, ctx)
        return cash


class _Symbols(click.ParamType):  # type: ignore[type-arg]
    name = "A,B"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        from trader.exchange.data_session import CRYPTO, STOCK

        symbols = tuple(symbol.strip() for symbol in str(value).split(","))
        for symbol in symbols:
            if not STOCK.symbol.fullmatch(symbol) and not CRYPTO.symbol.fullmatch(symbol):
                self.fail(f"{symbol!r} is no symbol; write stocks like SPY and coins like BTC/USD", param, ctx)
        return symbols


MAX_CASH = Decimal(10) ** 12
_PATH = click.Path(path_type=Path)


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 takes any that is free.")
@click.option("--feed", type=click.Choice(["synthetic", "replay"]), default="synthetic", show_default=True)
@click.option("--data", type=_PATH, multiple=True, help="Bars for the replay: Parquet or CSV files, or folders.")
@click.option(
    "--speed", type=click.FloatRange(0, MAX_SPEED, min_open=True), default=1.0, show_default=True,
    help="Market time over real time.",
)  # fmt: skip
@click.option("--start", type=TIME, help="Market time of the beginning.  [default: now at speed 1, else an opening]")
@click.option("--symbols", type=_Symbols(), help="Further symbols to list, or those to replay, such as SPY,BTC/USD.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True, help="Of market and keys.")
@click.option("--cash", type=_Cash(), default="100000", show_default=True, help="Of each account, at its opening.")
@click.option("--keys", type=click.IntRange(1, MAX_ACCOUNTS), default=1, show_default=True, help="How many accounts.")
@click.option("--live-keys", is_flag=True, help="Make keys that pass for live ones, to rehearse `run --live`.")
@click.option("--faults", type=_PATH, help="What goes wrong and when: a JSON or TOML file.", metavar="FILE")
@click.option("--latency-ms", type=click.FloatRange(0, 60_000), help="How long an order takes to the market.")
@click.option("--basic-plan", is_flag=True, help="Data as of Alpaca's free plan: no SIP, 30 symbols, 200 requests/min.")
@click.option("--requests-per-minute", type=click.IntRange(1), default=200, show_default=True, help="Of trading.")
@click.option("--symbol-limit", type=click.IntRange(1), help="Pairs of channel and symbol that one stream may have.")
@click.option("--env", "as_env", is_flag=True, help="Print shell exports instead of one JSON object.")
def command(**given: Any) -> None:  # noqa: ANN401 -- options are of any kind
    """Serve an exchange that speaks as Alpaca does: streams, trading and history, on this machine only.

    Prints its addresses and keys once it listens, and serves until Ctrl+C.
    """
    if given["feed"] == "replay" and not given["data"]:
        raise click.UsageError("--feed replay needs bars to replay; name files or folders with --data")
    if given["data"] and given["feed"] != "replay":
        raise click.UsageError("--data is what --feed replay replays; give both, or neither")
    options = _options(given)
    _log_to_stderr()
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        runner.run(_serve(options, as_env=given["as_env"]))


async def _serve(options: "ExchangeOptions", *, as_env: bool) -> None:
    from trader.exchange.local import LocalExchange

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    async with LocalExchange(options) as exchange:
        click.echo(_exports(exchange) if as_env else json.dumps(_described(exchange)))
        sys.stdout.flush()
        await exchange.wait(stop)
    click.echo(exchange.summary(), err=True)


def _log_to_stderr() -> None:
    """Keep standard output for the addresses."""
    import structlog

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


def _options(given: dict[str, Any]) -> "ExchangeOptions":
    import msgspec

    from trader.exchange.data_session import Plan
    from trader.exchange.local import ExchangeOptions
    from trader.model.time import SECOND

    options = ExchangeOptions(
        **{name: given[name] for name in ("feed", "data", "seed", "start", "speed", "cash", "port", "faults")},
        symbols=given["symbols"] or (),
        accounts=given["keys"],
        has_live_keys=given["live_keys"],
        plan=Plan(given["symbol_limit"] or (BASIC_SYMBOLS if given["basic_plan"] else None), given["basic_plan"]),
        per_minute=given["requests_per_minute"],
    )
    if given["latency_ms"] is not None:
        latency = round(given["latency_ms"] * SECOND / 1000)
        options = msgspec.structs.replace(options, venue=msgspec.structs.replace(options.venue, latency_ns=latency))
    return options


def _described(exchange: "LocalExchange") -> dict[str, Any]:
    from trader.model.time import iso

    base, stream = exchange.base_url, exchange.stream_url
    return {
        "base_url": base,
        "data_url": base,
        "stream_url": stream,
        "trade_updates_url": f"{stream}/stream",
        "control_url": f"{base}/_faults",
        "truth_url": f"{base}/_truth",
        "market": exchange.archive.describe(),
        "start": iso(exchange.clock.start),
        "speed": exchange.clock.speed,
        "keys": [{"account": key.account, "id": key.id, "secret": key.secret} for key in exchange.keys.values()],
    }


def _exports(exchange: "LocalExchange") -> str:
    """Return lines for a shell; of several accounts, the first one's key."""
    variables = {
        "APCA_API_BASE_URL": exchange.base_url,
        "APCA_API_DATA_URL": exchange.base_url,
        "APCA_API_STREAM_URL": exchange.stream_url,
        "APCA_API_KEY_ID": exchange.key.id,
        "APCA_API_SECRET_KEY": exchange.key.secret,
    }
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
