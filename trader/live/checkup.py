"""What ``trader doctor`` looks at: this machine, the settings, and Alpaca as far as the keys reach.

Every check says ok, warn, fail or skip and what to do about it; none of them raises. Nothing is sent to anybody before
keys and addresses are known to fit the mode, nothing is ordered, and no file is left behind.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from trader.access.alpaca.rest import RestDesk, Throttled
from trader.access.loopback import is_loopback
from trader.config import Config, default_config, load
from trader.config.credentials import EXPORTS, KEY_NAMES, MISSING, SECRET_NAMES, WHERE, Credentials, load_credentials
from trader.config.endpoints import Endpoints, load_endpoints
from trader.errors import ConfigError, CredentialsError, EdgeError, Problem, Refused
from trader.live.answers import Account, Clock, fetch_account, fetch_assets, fetch_clock
from trader.live.checks import Check
from trader.live.checkup_data import newest_of_pair, newest_of_stock, stream_opens
from trader.live.checkup_machine import machine_checks
from trader.live.guard import (
    KEYS_REFUSED,
    SKEW_REFUSED_NS,
    account_problems,
    capital_problems,
    key_problems,
    reach_remedy,
    refused_keys,
    skew_problem,
    ticker_problems,
)
from trader.model.money import EXACT, ZERO
from trader.model.time import NEW_YORK, SECOND, utc

Mode = Literal["simulated", "paper", "live"]

# The checks that need Alpaca, in their order; each is reported, as skipped where it could not be made.
REMOTE: Final = ("trading_api", "account", "capital", "tickers", "clock", "market", "data_api", "stream")
_TO_PAPER = f"to trade on paper at Alpaca:\n{EXPORTS}\n{WHERE}"


class CheckupOptions(Struct, frozen=True, kw_only=True):
    """What to look at; without ``config`` the built-in strategies, without ``state_dir`` no folder for state."""

    config: Path | None = None
    is_live: bool = False
    allow_overallocation: bool = False
    has_stream: bool = False
    state_dir: Path | None = None


async def examine(options: CheckupOptions, env: Mapping[str, str]) -> tuple[Mode, list[Check]]:
    """Make every check that can be made and return what would run, and all checks in their order."""
    settings, config = _settings(options.config)
    keys, credentials = _credentials(env, is_live=options.is_live)
    addresses, endpoints = _endpoints(env, is_live=options.is_live)
    found = [*machine_checks(options.state_dir), settings, keys, addresses, _subscriptions(config)]
    why = "needs keys" if keys.status == "skip" else "needs what failed before it"
    if credentials and endpoints:
        found += await _Remote(options, credentials, endpoints, config).examine()
    done = {check.name for check in found}
    found += [Check(name, "skip", why) for name in REMOTE if name not in done]
    mode: Mode = "live" if options.is_live else "simulated" if keys.status == "skip" else "paper"
    return mode, found


def _settings(path: Path | None) -> tuple[Check, Config | None]:
    try:
        config = load(path) if path else default_config()
    except ConfigError as error:
        return Check("settings", "fail", str(error), "correct the file; `trader check FILE` tries it again"), None
    name = path.name if path else "none given: the built-in strategies"
    return Check("settings", "ok", f"{name} ({len(config.strategies)} strategies)"), config


def _credentials(env: Mapping[str, str], *, is_live: bool) -> tuple[Check, Credentials | None]:
    try:
        credentials = load_credentials(env)
    except CredentialsError as error:
        return Check("credentials", "fail", str(error)), None
    if credentials is None and is_live:
        return Check("credentials", "fail", MISSING), None
    if credentials is None:
        return Check("credentials", "skip", "none, and none are needed for the simulated market", _TO_PAPER), None
    if problems := key_problems(credentials, is_live=is_live):
        return _verdict("credentials", problems, ""), None
    loose = _readable_by_others(credentials.folder)
    if loose:
        return Check(
            "credentials", "warn", f"other users may read {', '.join(loose)}", "chmod 400 those files"
        ), credentials
    return Check("credentials", "ok", f"{credentials.masked} from the {credentials.origin}"), credentials


def _readable_by_others(folder: Path | None) -> list[str]:
    files = [folder / name for name in (*KEY_NAMES, *SECRET_NAMES)] if folder else []
    return [path.name for path in files if path.exists() and path.stat().st_mode & 0o077]


def _endpoints(env: Mapping[str, str], *, is_live: bool) -> tuple[Check, Endpoints | None]:
    try:
        endpoints = load_endpoints(env, is_live=is_live)
    except ConfigError as error:
        return Check("endpoints", "fail", str(error)), None
    message = f"trading {endpoints.trading}, data {endpoints.data}, streams {endpoints.stream}"
    if not endpoints.is_loopback and any(map(is_loopback, (endpoints.trading, endpoints.data, endpoints.stream))):
        remedy = "set all three of APCA_API_BASE_URL, APCA_API_DATA_URL and APCA_API_STREAM_URL, or none"
        return Check("endpoints", "warn", f"some are on this machine, some are not: {message}", remedy), endpoints
    return Check("endpoints", "ok", message), endpoints


def _subscriptions(config: Config | None) -> Check:
    if config is None:
        return Check("subscriptions", "skip", "needs settings that can be run")
    tickers = {ticker for settings in config.strategies for ticker in settings.tickers}
    stocks = {ticker for ticker in tickers if "/" not in ticker}
    feed, limit = config.broker.alpaca.feed, config.broker.alpaca.most_symbols
    message = f"stocks ({feed}) {len(stocks)}, crypto pairs {len(tickers - stocks)}, on a stream each"
    if limit is None or len(stocks) <= limit:
        return Check("subscriptions", "ok", message)
    remedy = f"{limit} stocks are allowed: trade fewer, or set broker.alpaca.symbol_limit to what your plan allows"
    return Check("subscriptions", "warn", message, remedy)


class _Remote:
    """The checks that ask Alpaca, or what stands in for it."""

    def __init__(
        self, options: CheckupOptions, credentials: Credentials, endpoints: Endpoints, config: Config | None
    ) -> None:
        self._options = options
        self._credentials = credentials
        self._endpoints = endpoints
        self._strategies = config.strategies if config else ()
        self._feed = config.broker.alpaca.feed if config else "iex"
        self._venue_ts = 0

    async def examine(self) -> list[Check]:
        endpoints, options = self._endpoints, self._options
        desk = self._desk(endpoints.trading)
        try:
            found = await self._trading(desk)
        except EdgeError as error:
            return [self._failed("trading_api", endpoints.trading, error)]
        finally:
            desk.close()
        tickers = [ticker for settings in self._strategies for ticker in settings.tickers]
        try:
            found.append(await self._newest(tickers))
        except EdgeError as error:
            found.append(self._failed("data_api", endpoints.data, error))
        if not options.has_stream:
            return [*found, Check("stream", "skip", "not tried: --stream opens the one connection that Alpaca allows")]
        has_stocks = not tickers or any("/" not in ticker for ticker in tickers)
        url = endpoints.stock_stream(self._feed) if has_stocks else endpoints.crypto_stream
        return [*found, await stream_opens(url, self._credentials)]

    async def _newest(self, tickers: Sequence[str]) -> Check:
        stock = next((ticker for ticker in tickers if "/" not in ticker), "" if tickers else "SPY")
        if not stock:
            return await newest_of_pair(self._endpoints.data, self._credentials, tickers[0], self._venue_ts)
        desk = self._desk(self._endpoints.data)
        try:
            return await newest_of_stock(desk, stock, self._feed)
        finally:
            desk.close()

    def _desk(self, url: str) -> RestDesk:
        return RestDesk(url, self._credentials.key_id, self._credentials.secret.get_secret_value())

    async def _trading(self, desk: RestDesk) -> list[Check]:
        began = time.monotonic()
        account = await fetch_account(desk)
        took_ms = round((time.monotonic() - began) * 1000)
        found = [Check("trading_api", "ok", f"{desk.base_url} answered (first request {took_ms} ms)")]
        found += [self._account(account), self._capital(account), await self._tickers(desk)]
        try:
            clock, skew_ns, doubt_ns = await fetch_clock(desk, time.time_ns)
        except EdgeError as error:
            return [*found, self._failed("clock", desk.base_url, error)]
        self._venue_ts = clock.ts
        return [*found, self._clock(skew_ns, doubt_ns), _market(clock)]

    def _account(self, account: Account) -> Check:
        problems = account_problems(account, self._strategies, is_live=self._options.is_live)
        equity = f", equity ${account.equity:,.2f}" if account.equity is not None else ""
        return _verdict("account", problems, f"{account.number_end} is {account.status}{equity}")

    def _capital(self, account: Account) -> Check:
        total = ZERO
        for settings in self._strategies:
            total = EXACT.add(total, settings.initial_cash)
        insists = self._options.allow_overallocation
        problems = capital_problems(account, self._strategies, allow_overallocation=insists)
        return _verdict("capital", problems, f"${total:,.2f} of the account's equity is given to the strategies")

    async def _tickers(self, desk: RestDesk) -> Check:
        tickers = {ticker for settings in self._strategies for ticker in settings.tickers}
        try:
            problems = ticker_problems(self._strategies, await fetch_assets(desk, tickers))
        except EdgeError as error:
            return self._failed("tickers", desk.base_url, error)
        return _verdict("tickers", problems, f"{len(tickers)} known, and tradable as the strategies want")

    def _clock(self, skew_ns: int, doubt_ns: int) -> Check:
        here = is_loopback(self._endpoints.trading)
        problem = skew_problem(skew_ns, doubt_ns, is_loopback=here)
        if problem is None:
            return Check("clock", "ok", f"{abs(skew_ns) / SECOND:.1f} s from the venue's")
        what, _, remedy = problem.message.partition("; ")
        is_far = abs(skew_ns) - doubt_ns > SKEW_REFUSED_NS and not here  # a local exchange may have its own time
        return Check("clock", "fail" if is_far else "warn", what, remedy)

    def _failed(self, name: str, url: str, error: EdgeError) -> Check:
        here = is_loopback(url)
        if isinstance(error, Refused) and error.status in KEYS_REFUSED and name == "trading_api":
            problem = refused_keys(self._credentials, url, is_live=self._options.is_live, is_loopback=here)
            what, _, remedy = problem.message.partition("; ")
            return Check(name, "fail", what, remedy)
        if isinstance(error, Throttled):
            remedy = "wait a minute: the account's requests are used up"
        elif isinstance(error, Refused):
            remedy = "do what it says, then try again"
        else:
            remedy = reach_remedy(is_loopback=here)
        return Check(name, "fail", f"{url}: {error}", remedy)


def _verdict(name: str, problems: Sequence[Problem], good: str) -> Check:
    """Make one check of what was found: its own name is not repeated, and a single remedy stands by itself."""
    if not problems:
        return Check(name, "ok", good)
    if len(problems) > 1:
        return Check(name, "fail", "\n".join(map(str, problems)))
    what, _, remedy = problems[0].message.partition("; ")
    place = problems[0].path
    return Check(name, "fail", what if place in {name, "strategies"} else f"{place}: {what}", remedy)


def _market(clock: Clock) -> Check:
    when: Callable[[int], str] = lambda ts: (  # noqa: E731
        f"{utc(ts):%Y-%m-%d %H:%M} UTC ({utc(ts).astimezone(NEW_YORK):%H:%M} in New York)"
    )
    if clock.is_open:
        return Check("market", "ok", f"stocks are open until {when(clock.next_close)}; crypto always is")
    return Check("market", "ok", f"stocks are closed until {when(clock.next_open)}; crypto never is")
