"""Addresses of Alpaca, or of what stands in for it: the local exchange, a test server, a proxy.

Three variables point elsewhere, none of them turns paper into live: a live address without ``--live`` is refused, as is
a paper one with it. Keys travel with every request, so plain http and ws go to this machine only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from trader.access.loopback import is_loopback
from trader.config.findings import show
from trader.errors import ConfigError, Problem

TRADING_NAME, DATA_NAME, STREAM_NAME = "APCA_API_BASE_URL", "APCA_API_DATA_URL", "APCA_API_STREAM_URL"
PAPER_NAMES = ("ALPACA_PAPER_TRADE", "ALPACA_IS_PAPER")  # other programs' switches: true keeps this one on paper

PAPER_URL = "https://paper-api.alpaca.markets"
LIVE_URL = "https://api.alpaca.markets"
DATA_URL = "https://data.alpaca.markets"
STREAM_URL = "wss://stream.data.alpaca.markets"

_ALPACA = ".alpaca.markets"
_PAPER_HOSTS = ("paper-api.alpaca.markets", ".sandbox.alpaca.markets")
_PLAIN = {"https": "http", "wss": "ws"}  # by the scheme that is secure
_YES = {"1", "true", "yes", "on"}


@dataclass(frozen=True)
class Endpoints:
    """Addresses as scheme, host and port, without a path; ``is_live`` says whose money the trading one is meant for."""

    trading: str
    data: str
    stream: str
    is_live: bool

    @property
    def trade_updates(self) -> str:
        """Return the address of the order updates' socket."""
        return f"ws{self.trading.removeprefix('http')}/stream"

    def stock_stream(self, feed: Literal["iex", "sip"]) -> str:
        """Return the address of the stock data's socket."""
        return f"{self.stream}/v2/{feed}"

    @property
    def crypto_stream(self) -> str:
        """Return the address of the crypto data's socket."""
        return f"{self.stream}/v1beta3/crypto/us"

    @property
    def is_loopback(self) -> bool:
        """Tell whether all of it is on this machine: a local exchange, whose clock may be followed at a speed."""
        return all(map(is_loopback, (self.trading, self.data, self.stream)))


def load_endpoints(env: Mapping[str, str], *, is_live: bool) -> Endpoints:
    """Return Alpaca's addresses for paper or live, or those that ``env`` names instead.

    Raises:
        ConfigError: an address is none, is unsafe, or contradicts the mode; all of them at once.
    """
    problems: list[Problem] = []
    wanted = {TRADING_NAME: LIVE_URL if is_live else PAPER_URL, DATA_NAME: DATA_URL, STREAM_NAME: STREAM_URL}
    urls: dict[str, str] = {}
    for name, default in wanted.items():
        try:
            urls[name] = _normal(env.get(name, "").strip() or default, default)
        except ValueError as error:
            problems.append(Problem(name, str(error)))
    if not problems:
        endpoints = Endpoints(urls[TRADING_NAME], urls[DATA_NAME], urls[STREAM_NAME], is_live)
        problems = [*_contradictions(endpoints), *_paper_only(env, is_live=is_live)]
        if not problems:
            return endpoints
    raise ConfigError(problems)


def _normal(given: str, default: str) -> str:
    """Return scheme, host and port of an address; raises ValueError saying what is allowed."""
    secure = default.partition(":")[0]
    try:
        url = urlsplit(given)
        host, port = (url.hostname or "").removesuffix("."), url.port
    except ValueError:
        host, port, url = "", None, urlsplit("")
    if not host or url.scheme not in {secure, _PLAIN[secure]}:
        raise ValueError(f"must be an address like {default}, got {show(_bare(given))}")
    if "@" in url.netloc:
        raise ValueError(f"must not hold a user or password; write it like {default}")
    if url.path.rstrip("/") not in {"", "/v2"} or url.query or url.fragment:
        raise ValueError(f"must end after the host and port, like {default}, got {show(given)}; the paths are known")
    address = f"[{host}]" if ":" in host else host
    address = f"{url.scheme}://{address}" + (f":{port}" if port is not None else "")
    if url.scheme != secure and not is_loopback(address):
        raise ValueError(
            f"must begin with {secure}://, got {show(given)}: it would send your keys unencrypted;"
            f" {url.scheme}:// is for this machine only (127.0.0.1, localhost)"
        )
    return address


def _bare(given: str) -> str:
    """Cut what may be a password off an address that cannot be read."""
    return given.rpartition("@")[2]


def _contradictions(endpoints: Endpoints) -> Iterator[Problem]:
    host = urlsplit(endpoints.trading).hostname or ""
    is_alpaca = f".{host}".endswith(_ALPACA)
    is_paper = is_alpaca and f".{host}".endswith(tuple(name if name[0] == "." else f".{name}" for name in _PAPER_HOSTS))
    if is_alpaca and not is_paper and not endpoints.is_live:
        yield Problem(
            TRADING_NAME,
            f"points at {endpoints.trading}, which is not Alpaca's paper API, and no variable switches live trading on;"
            " unset it for paper trading, or add --live",
        )
    if is_paper and endpoints.is_live:
        yield Problem(
            TRADING_NAME,
            f"points at {endpoints.trading}, which is paper, but --live was given;"
            " unset it to trade real money, or leave out --live",
        )
    for name, url in ((DATA_NAME, endpoints.data), (STREAM_NAME, endpoints.stream)):
        if endpoints.is_live and is_loopback(url) and not is_loopback(endpoints.trading):
            yield Problem(name, f"points at {url}: real money is not traded on another server's prices; unset it")


def _paper_only(env: Mapping[str, str], *, is_live: bool) -> Iterator[Problem]:
    for name in PAPER_NAMES:
        if is_live and env.get(name, "").strip().lower() in _YES:
            yield Problem(
                name, f"says {show(env[name])}, but --live was given; unset it to trade real money, or leave out --live"
            )
