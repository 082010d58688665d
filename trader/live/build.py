"""Settings to objects: the desk here, what it is connected to beside the classes it is made of."""

import os
import secrets
import time
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import partial

from trader.config import Config, StrategyConfig, credentials, links_of, make_strategy
from trader.config.credentials import KEY_NAMES
from trader.config.endpoints import DATA_NAME, STREAM_NAME, TRADING_NAME, load_endpoints
from trader.director import Director
from trader.director.grid import BAR_MINUTES, GRACE
from trader.engine.engine import Engine
from trader.engine.sandbox import Decides, Sandbox, SandboxSpec
from trader.errors import ConfigError, CredentialsError, Problem
from trader.live.access import Access
from trader.live.guard import Terms
from trader.live.options import RunOptions
from trader.live.simulation import simulation
from trader.live.world import World
from trader.model.instruments import instrument_of
from trader.model.signals import Signals
from trader.model.ticks import Bar
from trader.model.time import DAY, MINUTE, SECOND
from trader.risk.rules import Rules
from trader.strategies import Context

SIMULATED = "sim"  # the books of a made-up market; they never meet others
BOOK_ID_BYTES = 3  # six digits of an order id: sixteen million books an account
# Bars that are late by the network are late in real time; an accelerated minute waits for them no longer than this.
LONGEST_GRACE = 50 * SECOND
# One call of a strategy that takes longer holds up every other one; it is warned about by name.
STEP_BUDGET_NS = 250_000_000
SESSION_MINUTES = 390  # of New York; a day's bar of a stock is made of no more


def engine(config: Config, watch: "Stopwatch", access: Access | None) -> Engine:
    """Build the desk of a run; its books are new until they recover."""
    if access is None:
        return desk(config, watch, book_id=SIMULATED, is_alpaca=False)
    # The account remembers order ids for ever: no two books may ever have the same name.
    grace = round(min(GRACE * access.speed, LONGEST_GRACE))
    return desk(config, watch, book_id=secrets.token_hex(BOOK_ID_BYTES), grace=grace, is_alpaca=True)


def desk(config: Config, watch: "Stopwatch", *, book_id: str, is_alpaca: bool, grace: int = GRACE) -> Engine:
    """Build one sandbox a strategy, in config order. Raises ConfigError where two strategies are one object."""
    made = [make_strategy(settings) for settings in config.strategies]
    shared = [
        Problem(f"strategies[{number}].strategy", "the same object as another strategy's; give each one of its own")
        for number, strategy in enumerate(made)
        if any(strategy is other for other in made[:number])
    ]
    if shared:
        raise ConfigError(shared)
    # Alpaca sells short in whole shares only, and what one strategy sells may be what makes the account short.
    shorted = {ticker for one in config.strategies if is_alpaca and one.allow_short for ticker in one.tickers}
    specs = [
        _spec(settings, strategy, watch, shorted=shorted)
        for settings, strategy in zip(config.strategies, made, strict=True)
    ]
    return Engine(specs, book_id=book_id, grace=grace, rules=_rules(config), director=_director(config))


def access(
    options: RunOptions, config: Config, *, api_key: str | None, api_secret: str | None, is_live: bool
) -> Access | None:
    """Decide whether this run is on Alpaca, and with what; None is a simulated market.

    Raises:
        ConfigError: the options contradict each other, or an address is wrong.
        CredentialsError: there are no keys where some are needed, or they cannot be right.
    """
    wants_alpaca = is_live or "alpaca" in {options.feed, options.broker}
    if options.feed in {"synthetic", "replay"}:
        if wants_alpaca:
            asked = "--live" if is_live else "--broker alpaca"
            raise ConfigError(f"{asked} with --feed {options.feed}: real orders need the real market; leave out --feed")
        return None
    keys = credentials.given(api_key, api_secret) if api_key or api_secret else credentials.load_credentials(os.environ)
    if keys is None and not wants_alpaca:
        if named := [name for name in (TRADING_NAME, DATA_NAME, STREAM_NAME) if os.environ.get(name)]:
            message = f"{named[0]} is set, but there are no keys; set them, or unset it, or add --feed synthetic"
            raise CredentialsError([Problem(KEY_NAMES[0], message)])
        return None
    if keys is None:
        raise CredentialsError(credentials.MISSING)
    endpoints = load_endpoints(os.environ, is_live=is_live)
    speed = _speed_of(options, is_live=is_live, is_loopback=endpoints.is_loopback)
    if problems := _beyond_plan(config):
        raise ConfigError(problems)
    terms = Terms(
        is_live=is_live,
        allow_overallocation=options.allow_overallocation,
        is_loopback=endpoints.is_loopback,
        follows_exchange=options.speed != "auto",
    )
    return Access(keys, endpoints, config.strategies, terms, speed, options.yes_live, options.ask)


def _speed_of(options: RunOptions, *, is_live: bool, is_loopback: bool) -> float:
    """Return market time over real time; refuse options that Alpaca's market cannot follow."""
    if is_live and options.broker == "simulated":
        raise ConfigError("--live trades real money and --broker simulated does not; leave one of them out")
    if options.data or options.daily or options.start is not None:
        raise ConfigError(
            "--data, --daily and --start are for a simulated market; leave them out, or add --feed replay"
        )
    if options.speed is None or (options.speed != "auto" and not is_loopback):
        raise ConfigError(
            f"--speed {'max' if options.speed is None else f'{options.speed:g}'}: only a local exchange's time can be"
            " followed at a speed, and that of Alpaca is the wall clock's; leave out --speed, or add --feed synthetic"
        )
    return 1.0 if options.speed == "auto" else options.speed


def _beyond_plan(config: Config) -> list[Problem]:
    """Name each strategy's stocks that the data plan does not stream; the first strategies have theirs."""
    limit = config.broker.alpaca.most_symbols
    streamed, problems = set[str](), list[Problem]()
    for number, settings in enumerate(config.strategies):
        fresh = [ticker for ticker in settings.tickers if "/" not in ticker and ticker not in streamed]
        room = len(fresh) if limit is None else limit - len(streamed)
        streamed |= set(fresh[:room])
        if fresh[room:]:
            message = (
                f"{', '.join(fresh[room:])}: beyond the {limit} stocks that the data plan streams; take out tickers,"
                " or set broker.alpaca.symbol_limit, or feed to sip, as the plan allows"
            )
            problems.append(Problem(f"strategies[{number}].tickers", message))
    return problems


def world(options: RunOptions, config: Config, desk: Engine, access: Access | None) -> World:
    """Build what the desk is connected to. Raises ConfigError as :func:`feed` does, and for a journal of no account."""
    if options.journal is not None and (access is None or options.broker == "simulated"):
        raise ConfigError(
            "--journal keeps the books of an account, and these orders go to a simulated one; leave it out"
        )
    if access is None:
        return simulation(options, config.broker, desk)
    from trader.live import alpaca

    return alpaca.world(options, config, desk, access)


def depth_of(desk: Engine) -> Mapping[str, int]:
    """Return how many minutes of history each symbol needs for the longest warm-up that listens to it."""
    depth: dict[str, int] = {}
    for sandbox in desk.sandboxes:
        for symbol, slot in sandbox.slots.items():
            day = SESSION_MINUTES if slot.instrument.asset_class == "stock" else DAY // MINUTE
            minutes = sandbox.spec.warm_at * min(sandbox.spec.bar_minutes, day)
            depth[symbol] = max(depth.get(symbol, 0), minutes)
    return depth


def card_of(sandbox: Sandbox) -> dict[str, object]:
    """Return what the start block says of a sandbox."""
    kinds = {instrument.asset_class for instrument in sandbox.spec.instruments}
    return {
        "name": sandbox.spec.name,
        "tickers": list(sandbox.slots),
        "initial_cash": sandbox.spec.cash,
        "warmup_bars": sandbox.spec.warm_at,
        "asset_type": "Mixed" if len(kinds) > 1 else kinds.pop().capitalize(),
    }


def _spec(settings: StrategyConfig, strategy: Decides, watch: "Stopwatch", *, shorted: AbstractSet[str]) -> SandboxSpec:
    return SandboxSpec(
        settings.name,
        Timed(settings.name, strategy, watch),
        tuple(
            instrument_of(ticker, fractionable=settings.fractionable and ticker not in shorted)
            for ticker in settings.tickers
        ),
        settings.initial_cash,
        settings.risk_config.limits(allow_short=settings.allow_short),
        min_warmup_bars=settings.min_warmup_bars,
        bar_minutes=BAR_MINUTES[settings.bar],
        flatten_on_loss=settings.on_daily_loss == "flatten",
        flatten_on_error=settings.on_error == "flatten",
    )


def _director(config: Config) -> Director | None:
    """Build the filters of all and each one's own; None where there are none, for then nothing need be gathered."""
    links = partial(links_of, categories=config.risk.categories)
    own = {settings.name: links(settings.filters) for settings in config.strategies if settings.filters}
    shared = links(config.filters)
    return Director(shared, own) if shared or own else None


def _rules(config: Config) -> Rules:
    """Return what the desk is held to beside each sandbox's own limits."""
    return config.risk.rules({settings.name: settings.risk_config for settings in config.strategies})


class Stopwatch:
    """Collects the calls of strategies that took longer than :data:`STEP_BUDGET_NS`."""

    def __init__(self) -> None:
        """Begin with none."""
        self._slow: list[tuple[str, str, int]] = []

    def note(self, name: str, symbol: str, took_ns: int) -> None:
        """Remember one slow call."""
        self._slow.append((name, symbol, took_ns))

    def take(self) -> list[tuple[str, str, int]]:
        """Return the slow calls since the last time: (strategy, symbol, nanoseconds)."""
        slow, self._slow = self._slow, []
        return slow


class Timed:
    """A strategy whose calls are timed: the desk has no clock, so the shell brings one."""

    def __init__(self, name: str, strategy: Decides, watch: Stopwatch) -> None:
        """Time ``strategy`` under ``name``."""
        self.warmup = strategy.warmup
        self._on_bar = strategy.on_bar
        self._name = name
        self._watch = watch

    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        """Pass a bar on and look at the clock before and after."""
        began = time.perf_counter_ns()
        signals = self._on_bar(bar, ctx)
        if (took := time.perf_counter_ns() - began) > STEP_BUDGET_NS:
            self._watch.note(self._name, bar.symbol, took)
        return signals
