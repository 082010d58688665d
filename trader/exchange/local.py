"""A whole exchange in one process: clock, market, venue, accounts, sockets and HTTP on one loopback port.

``async with LocalExchange(options) as exchange`` is what tests and the command line use; both find its addresses and
keys on it.
"""

import asyncio
import contextlib
import socket
from collections.abc import Coroutine, Generator, Sequence
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Final, Literal, Self

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from uvicorn import Config, Server
from websockets.http11 import Request

from trader.access.sim.fills import VenueRules
from trader.access.sim.venue import Venue
from trader.errors import EdgeError
from trader.exchange.archive import Archive, ReplayArchive, SyntheticArchive
from trader.exchange.clock import ExchangeClock, wall_clock
from trader.exchange.control import Control, control_routes
from trader.exchange.data_hub import DataHub
from trader.exchange.data_session import Plan
from trader.exchange.fault_script import Known, Script, read_script
from trader.exchange.fault_terms import Stage
from trader.exchange.faults import FaultSchedule
from trader.exchange.keys import Key, key_for
from trader.exchange.lines import LineRules
from trader.exchange.market import Market
from trader.exchange.request_log import RequestLog
from trader.exchange.rest_data import DataDesk, data_routes
from trader.exchange.rest_desk import TradingDesk
from trader.exchange.rest_faults import RestFaults
from trader.exchange.rest_limits import BASIC_DATA_PER_MINUTE, DATA_PER_MINUTE, TRADING_PER_MINUTE
from trader.exchange.rest_trading import not_served, trading_routes
from trader.exchange.sockets import Guest, Socket
from trader.exchange.splits import SplitArchive
from trader.exchange.tampering import Tampering
from trader.exchange.trade_hub import PATH, TradeHub
from trader.model.calendar import StockCalendar
from trader.model.time import SECOND, iso, parse_time

HOST: Final = "127.0.0.1"
KEPT_ALIVE_S: Final = 75  # an unused connection; as long as the load balancers in front of such services
GRACE_S: Final = 2.0  # for requests on their way when the exchange ends
_LOOK_AGAIN_S: Final = 0.005

# A few minutes before New York opens, on a day without news: an accelerated market begins where something happens.
_SHORTLY_BEFORE_AN_OPENING: Final = parse_time("2026-01-05T14:25")
_LATENCY: Final = 20 * SECOND // 1000


class ExchangeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What kind of exchange: its market, its pace, its accounts and its rules; ``port`` 0 is any free one.

    A synthetic market that ``is_small`` has the named ``symbols`` alone. ``per_minute`` are requests to trading.
    ``has_live_keys`` makes keys that look like those of real accounts, to rehearse what is asked before real money.
    """

    feed: Literal["synthetic", "replay"] = "synthetic"
    data: tuple[Path, ...] = ()
    symbols: tuple[str, ...] = ()
    is_small: bool = False
    seed: int = 1
    start: int | None = None
    speed: float = 1.0
    accounts: int = 1
    has_live_keys: bool = False
    cash: Decimal = Decimal(100_000)
    port: int = 0
    venue: VenueRules = VenueRules(fill="next_quote", latency_ns=_LATENCY, has_partial_fills=True)
    lines: LineRules = LineRules()
    plan: Plan = Plan()
    per_minute: int = TRADING_PER_MINUTE
    trade_sessions: int | None = None
    faults: Path | None = None


class LocalExchange:
    """Serves from entering to leaving its ``async with``.

    ``base_url`` is the address of trading, history and control, ``stream_url`` the one below which all sockets are.
    """

    def __init__(self, options: ExchangeOptions) -> None:
        """Build everything; nothing runs yet.

        Raises:
            ConfigError: the market cannot be had as it is wanted, or the faults are no script.
        """
        self.options = options
        self.archive = SplitArchive(_archive(options))
        self.clock = ExchangeClock(_start(options, self.archive), options.speed)
        self.calendar = StockCalendar()
        self.venue = Venue(self.archive.assets(), sessions=self.calendar, rules=options.venue)
        prefix = "" if options.has_live_keys else "PA"  # of Alpaca's paper accounts
        accounts = [f"{prefix}{number + 1:010d}" for number in range(options.accounts)]
        for account in accounts:
            self.venue.open_account(account, options.cash)
        made = [key_for(account, seed=options.seed, is_live=options.has_live_keys) for account in accounts]
        self.keys: dict[str, Key] = {key.id: key for key in made}
        now, lines = self.clock.now, options.lines
        self.data = DataHub(self.keys, now=now, rules=lines, plan=options.plan)
        self.trading = TradeHub(self.keys, now=now, rules=lines, limit=options.trade_sessions)
        self.market = Market(self.archive, self.clock, venue=self.venue, hub=self.data)
        self.tape = Tampering(self.data.publish, now=now, wants=self.data.wants)
        self.rest_faults = RestFaults()
        self.lines = {**self.data.lines, "trading": self.trading.lines}
        self.faults = FaultSchedule(self._script(), self._stage(), start=self.clock.start)
        self.market.flush, self.market.publish = self.flush, self.tape.publish
        self.market.passing += [lambda: self.faults.due(now()), self.tape.tick, self.data.tick, self.trading.tick]
        self.log = RequestLog()
        self._move_to(options.port)
        self._running: list[asyncio.Task[None]] = []
        self._server: _Server

    @property
    def key(self) -> Key:
        """Return the first account's key."""
        return next(iter(self.keys.values()))

    def summary(self) -> str:
        """Say in one line what was served."""
        orders = sum(len(account.orders) for account in self.venue.accounts.values())
        requests = sum(self.log.totals.values())
        counts = (
            _count(requests, "request"),
            _count(orders, "order"),
            _count(self.trading.published, "trade update"),
            _count(self.data.sent, "market-data message"),
        )
        return f"served {', '.join(counts)} until {iso(self.clock.now())}"

    def flush(self) -> None:
        """Tell the accounts what happened to their orders."""
        for update in self.venue.updates():
            self.trading.publish(update)

    async def __aenter__(self) -> Self:
        """Listen, and let the market run.

        Raises:
            ConfigError: the market has nothing from its start on.
            EdgeError: the port is taken.
        """
        self.market.begin()
        listener = _listen(self.options.port)
        self._move_to(listener.getsockname()[1])
        self._server = _Server(self._config())
        self._running = [asyncio.create_task(self._server.serve([listener]))]
        await self._first(self._server.is_up.wait())
        self.clock.begin()
        self._running.append(asyncio.create_task(self.market.run()))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        serving, market = self._running
        market.cancel()
        self._server.is_asked_to_end.set()
        await asyncio.wait(self._running)
        for task in (serving, market):
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def wait(self, stop: asyncio.Event) -> None:
        """Return when ``stop`` is set; raise what ended the exchange before."""
        await self._first(stop.wait())

    def _move_to(self, port: int) -> None:
        self.port = port
        self.base_url, self.stream_url = f"http://{HOST}:{port}", f"ws://{HOST}:{port}"

    async def _first(self, waiting: Coroutine[object, object, object]) -> None:
        """Wait for something, or for the end of what serves, which is a mistake of this program."""
        task = asyncio.create_task(waiting)
        done, _ = await asyncio.wait([task, *self._running], return_when=asyncio.FIRST_COMPLETED)
        if task not in done:
            task.cancel()
            await asyncio.gather(*done)

    def _config(self) -> Config:
        return Config(
            Starlette(routes=self._routes(), exception_handlers={HTTPException: not_served}),
            http="h11",
            timeout_keep_alive=KEPT_ALIVE_S,
            ws=partial(Socket, self._greet),  # type: ignore[arg-type]  # uvicorn only calls it
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=False,
        )

    def _routes(self) -> Sequence[BaseRoute]:
        now, venue, archive, log = self.clock.now, self.venue, self.archive, self.log
        control = Control(self.faults, venue, log, now)
        is_basic = self.options.plan.is_basic
        per_minute = BASIC_DATA_PER_MINUTE if is_basic else DATA_PER_MINUTE
        history = DataDesk(archive, now, self.keys, self.rest_faults, log, per_minute, is_basic)
        trading = TradingDesk(
            venue,
            self.calendar,
            now,
            self.keys,
            self.flush,
            self.rest_faults,
            log,
            per_minute=self.options.per_minute,
            price_at=self.market.price_at,
            since=self.clock.start,
        )
        return [*control_routes(control), *data_routes(history), *trading_routes(trading)]

    def _stage(self) -> Stage:
        return Stage(
            self.data,
            self.trading,
            self.lines,
            self.rest_faults,
            self.venue,
            self.tape,
            split=self.archive.split,
            flush=self.flush,
        )

    def _script(self) -> Script:
        if self.options.faults is None:
            return Script()
        return read_script(self.options.faults, Known(self.venue.assets, self.venue.accounts))

    def _greet(self, connection: Socket, request: Request) -> Guest | HTTPStatus:
        hub = self.trading if request.path.partition("?")[0] == PATH else self.data
        return hub.greet(connection, request)


class _Server(Server):
    """A server of uvicorn that lives within a program: it leaves the signals alone and ends when it is asked to."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()
        self.is_asked_to_end = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()

    async def main_loop(self) -> None:
        await self.is_asked_to_end.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End as uvicorn does, without its pause: connections first, then what is still being answered."""
        for server in self.servers:
            server.close()
        state = self.server_state
        for connection in tuple(state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                while state.connections or state.tasks:  # noqa: ASYNC110 -- uvicorn sets no event
                    await asyncio.sleep(_LOOK_AGAIN_S)
        for task in state.tasks:
            task.cancel()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise EdgeError(
            f"port {port} of {HOST} cannot be had: {error.strerror}; "
            "choose another one with --port, or 0 for any that is free"
        ) from error
    listener.listen()
    return listener


def _archive(options: ExchangeOptions) -> Archive:
    if options.feed == "replay":
        return ReplayArchive(options.data, options.symbols)
    return SyntheticArchive(options.symbols, seed=options.seed, is_small=options.is_small)


def _start(options: ExchangeOptions, archive: Archive) -> int:
    """Return when the market begins: as asked, with the data, now at the world's pace, or where something happens."""
    if options.start is not None:
        return options.start
    if options.feed == "replay":
        return archive.first
    return wall_clock() if options.speed == 1 else _SHORTLY_BEFORE_AN_OPENING
