"""What the account guard asks Alpaca for, and how little of the answers it needs.

Fields that Alpaca leaves out are None: they come and go there, and none of them is worth failing for.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final, Protocol, TypeVar

import msgspec
from msgspec import Struct

from trader.access.alpaca.readings import orders_in, positions_in
from trader.access.alpaca.symbols import CryptoPairs
from trader.access.alpaca.wire_time import ns_of
from trader.access.alpaca.wire_trading import OrderMessage
from trader.errors import Refused, WireError

ORDERS_SEEN: Final = 500  # in one answer, the most that Alpaca gives; nobody reads a longer list
SINGLE_ASSETS: Final = 25  # stocks asked for one by one; for more, one list of all (some megabytes) is the less of load
_NUMBER_END = 3  # characters of an account number that are shown

T = TypeVar("T")


class Reads(Protocol):
    """Reads JSON of the trading API."""

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 -- what JSON holds
        """Return the answer of ``path``, which begins behind ``/v2``. Raises EdgeError, Refused with its status."""


class Account(Struct, frozen=True, kw_only=True):
    """The account that the keys open; its repr shows no number."""

    status: str
    account_number: str = ""
    crypto_status: str | None = None
    currency: str | None = None
    equity: Decimal | None = None
    cash: Decimal | None = None
    account_blocked: bool | None = None
    trading_blocked: bool | None = None
    trade_suspended_by_user: bool | None = None
    shorting_enabled: bool | None = None

    @property
    def number_end(self) -> str:
        """Return the account number as it may be shown: ``…789``."""
        return f"…{self.account_number[-_NUMBER_END:]}" if self.account_number else "(no number given)"

    def __repr__(self) -> str:
        return f"Account({self.number_end}, {self.status})"


class Asset(Struct, frozen=True, kw_only=True):
    """One thing that Alpaca knows, traded or not."""

    symbol: str
    tradable: bool
    status: str | None = None
    shortable: bool | None = None
    fractionable: bool | None = None
    borrow_status: str | None = None

    @property
    def is_hard_to_borrow(self) -> bool:
        """Tell whether Alpaca lends it only on a request of its own."""
        return self.borrow_status == "hard_to_borrow"


class Clock(Struct, frozen=True):
    """The stock market's clock at Alpaca (ns UTC)."""

    ts: int
    is_open: bool
    next_open: int
    next_close: int


async def fetch_account(reads: Reads) -> Account:
    """Read the account. Raises EdgeError; Refused with status 401 or 403 when the keys are wrong."""
    account = _read(await reads.get("/account"), Account, "account")
    if account.equity is not None and not account.equity.is_finite():
        raise WireError(f"the account's equity is no amount: {account.equity}")
    return account


async def fetch_clock(reads: Reads, now: Callable[[], int]) -> tuple[Clock, int, int]:
    """Return the venue's clock, its time minus ours, and half the round trip, by which that may be wrong (ns).

    Raises:
        EdgeError: there is no answer, or none that can be read.
    """
    asked = now()
    answer = await reads.get("/clock")
    answered = now()
    said = _read(answer, _ClockAnswer, "clock")
    try:
        clock = Clock(ns_of(said.timestamp), said.is_open, ns_of(said.next_open), ns_of(said.next_close))
    except ValueError as error:
        raise WireError(f"the venue's clock cannot be read: {error}") from None
    doubt = (answered - asked) // 2
    return clock, clock.ts - asked - doubt, doubt


async def fetch_assets(reads: Reads, tickers: Collection[str]) -> dict[str, Asset | None]:
    """Return what Alpaca knows about each ticker, None where it knows nothing. Raises EdgeError."""
    pairs = {ticker for ticker in tickers if "/" in ticker}
    stocks = sorted(set(tickers) - pairs)
    listed: dict[str, Asset] = {}
    if pairs:
        listed |= await _list(reads, "crypto")
    if len(stocks) > SINGLE_ASSETS:
        listed |= await _list(reads, "us_equity")
        return {ticker: listed.get(ticker) for ticker in tickers}
    singles = await asyncio.gather(*(_single(reads, stock) for stock in stocks))
    return {ticker: listed.get(ticker) for ticker in pairs} | dict(zip(stocks, singles, strict=True))


async def fetch_positions(reads: Reads, pairs: Collection[str]) -> dict[str, Decimal]:
    """Return what the account holds, signed, by symbol; ``pairs`` are those to write with a slash. Raises EdgeError."""
    slashed = CryptoPairs(pairs)
    held = positions_in(await reads.get("/positions"))
    return {slashed.slashed(symbol): qty for symbol, qty in held.items()}


async def fetch_open_orders(reads: Reads) -> list[OrderMessage]:
    """Return orders that are open, at most :data:`ORDERS_SEEN` of them. Raises EdgeError."""
    return orders_in(await reads.get("/orders", {"status": "open", "limit": str(ORDERS_SEEN)}))


class _ClockAnswer(Struct):
    timestamp: str
    is_open: bool
    next_open: str
    next_close: str


async def _list(reads: Reads, asset_class: str) -> dict[str, Asset]:
    """Return all assets of a class by symbol; an active one goes before an inactive one of the same symbol."""
    assets = _read(await reads.get("/assets", {"asset_class": asset_class}), list[Asset], "list of assets")
    return {asset.symbol: asset for asset in sorted(assets, key=lambda asset: asset.status == "active")}


async def _single(reads: Reads, symbol: str) -> Asset | None:
    try:
        return _read(await reads.get(f"/assets/{symbol}"), Asset, f"asset {symbol}")
    except Refused as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise


def _read(answer: object, kind: type[T], what: str) -> T:
    try:
        return msgspec.convert(answer, kind, strict=False)
    except msgspec.ValidationError as error:
        raise WireError(f"what came as {what} is none: {error}") from None
