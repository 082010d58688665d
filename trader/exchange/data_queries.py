"""What a market-data request asks for: its parameters read, checked and completed, or refused as Alpaca refuses.

Source: Alpaca market data API 1.1 (OpenAPI document); texts of refusals as users quote them. UNVERIFIED: that a date
means a day of New York for stocks and one of UTC for coins, and the texts that nobody quotes.
"""

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final, Literal, NamedTuple

from trader.access.alpaca.wire_time import LAST, ns_of
from trader.access.sim.venue_orders import Refusal
from trader.access.sim.venue_rules import invalid
from trader.exchange.data_periods import Timeframe, midnight, timeframe_of, zone_of
from trader.exchange.rest_parameters import Declined, choice, count
from trader.model.instruments import AssetClass
from trader.model.time import MINUTE, utc

DEFAULT_LIMIT: Final = 1000
MOST_ROWS: Final = 10_000  # of one page, over all symbols together
SIP_DELAY: Final = 15 * MINUTE  # how old consolidated data must be for an account that does not pay for them

Kind = Literal["bars", "trades", "quotes"]

_PAGED: Final = frozenset({"symbols", "start", "end", "limit", "page_token", "sort"})
_STOCK: Final = frozenset({"feed", "currency"})
_FEEDS: Final = frozenset({"sip", "iex", "boats", "otc"})
_LATEST_FEEDS: Final = _FEEDS | {"delayed_sip", "overnight"}
_ELSEWHERE: Final = frozenset({"boats", "otc", "overnight"})  # markets that this exchange does not have
_ADJUSTMENTS: Final = frozenset({"raw", "split", "dividend", "spin-off", "all"})
_SYMBOL: Final[dict[AssetClass, re.Pattern[str]]] = {
    "stock": re.compile(r"^[A-Z0-9]{1,12}([.-][A-Z0-9]{1,6})?$", re.ASCII),
    "crypto": re.compile(r"^[A-Z]+x?/[A-Z]+$", re.ASCII),  # as Alpaca's own refusal spells it
}
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = "1970", "2261"  # what nanoseconds in 64 bits hold; a time beyond is as good as the bound
_NO_RECENT_SIP: Final = Refusal(403, 40310000, "subscription does not permit querying recent SIP data")


class Query(NamedTuple):
    """A request for rows within ``start`` and ``end`` (ns UTC, both included), by symbol and then by time.

    ``cursor`` is the symbol and time of the last row the client has; ``frame`` is a bar's length, unused for others.
    """

    kind: Kind
    asset_class: AssetClass
    symbols: tuple[str, ...]
    frame: Timeframe
    start: int
    end: int
    limit: int = DEFAULT_LIMIT
    is_descending: bool = False
    cursor: tuple[str, int] | None = None


class DataAsk(NamedTuple):
    """A request: what it says, and when; ``symbol`` is one named in its path, else empty.

    ``is_basic`` accounts see no recent consolidated data.
    """

    given: Mapping[str, str]
    asset_class: AssetClass
    now: int
    is_basic: bool
    symbol: str = ""


def history_query(kind: Kind, ask: DataAsk) -> Query:
    """Read a request for history. Raises :class:`Declined`."""
    bars_only = {"timeframe"} if kind == "bars" else set()
    _refuse_unexpected(ask, _PAGED | bars_only, stock=_STOCK | {"asof", *(("adjustment",) if bars_only else ())})
    given = ask.given
    frame = timeframe_of(given.get("timeframe", "")) if bars_only else Timeframe(1, "Min")
    if frame is None:
        raise Declined(invalid("invalid timeframe"))
    if not set(given.get("adjustment", "raw").split(",")) <= _ADJUSTMENTS:
        raise Declined(invalid("invalid adjustment"))
    start, end, is_here = _span(ask)
    symbols = _symbols(ask)
    return Query(
        kind,
        ask.asset_class,
        symbols if is_here else (),
        frame,
        start,
        end,
        count(given, "limit", default=DEFAULT_LIMIT, most=MOST_ROWS),
        choice(given, "sort", ("asc", "desc")) == "desc",
        _cursor(given, symbols),
    )


def latest_query(ask: DataAsk) -> tuple[tuple[str, ...], int]:
    """Read a request for the latest; return the symbols, and the time that is now for it. Raises Declined."""
    _refuse_unexpected(ask, {"symbols"}, stock=_STOCK)
    feed = _feed(ask.given, _LATEST_FEEDS, default="iex" if ask.is_basic else "sip")
    if feed == "sip" and ask.is_basic and ask.asset_class == "stock":
        raise Declined(_NO_RECENT_SIP)
    symbols = _symbols(ask)
    now = ask.now - (SIP_DELAY if feed == "delayed_sip" else 0)
    return (() if feed in _ELSEWHERE else symbols), now


def page_token(query: Query, symbol: str, ts: int) -> str:
    """Write where the next page begins: after this row."""
    frame = "".join(map(str, query.frame))
    return b64encode(f"{symbol}|{frame}|{ts}".encode()).decode()


def _refuse_unexpected(ask: DataAsk, allowed: set[str] | frozenset[str], *, stock: frozenset[str]) -> None:
    unexpected = ask.given.keys() - allowed - (stock if ask.asset_class == "stock" else set())
    if unexpected:
        raise Declined(invalid(f"unexpected parameter(s): {', '.join(sorted(unexpected))[:200]}"))


def _symbols(ask: DataAsk) -> tuple[str, ...]:
    names = [name.strip() for name in ask.given.get("symbols", "").split(",")]
    symbols = tuple(sorted({name for name in names if name}))
    if not symbols:
        raise Declined(invalid("symbols is required"))
    pattern = _SYMBOL[ask.asset_class]
    for symbol in symbols:
        if not pattern.match(symbol):
            raise Declined(invalid(f"invalid symbol: {symbol[:40]} does not match {pattern.pattern}"))
    return symbols


def _feed(given: Mapping[str, str], allowed: frozenset[str], *, default: str) -> str:
    feed = given.get("feed", default).lower()
    if feed not in allowed:
        raise Declined(invalid(f"invalid feed: {feed[:40]}"))
    return feed


def _span(ask: DataAsk) -> tuple[int, int, bool]:
    """Return the first and last time asked for, and whether its feed is one that this market has."""
    feed = _feed(ask.given, _FEEDS, default="sip")
    is_delayed = ask.is_basic and ask.asset_class == "stock" and feed == "sip"
    newest = ask.now - (SIP_DELAY if is_delayed else 0)
    zone = zone_of(ask.asset_class)
    start = _time(ask.given, "start", ask.asset_class)
    end = _time(ask.given, "end", ask.asset_class)
    if end is not None and start is not None and end < start:
        raise Declined(invalid("end should not be before start"))
    if is_delayed and end is not None and end > newest:
        raise Declined(_NO_RECENT_SIP)
    today = midnight(utc(newest).astimezone(zone).date(), zone)
    return today if start is None else start, newest if end is None else min(end, newest), feed not in _ELSEWHERE


def _time(given: Mapping[str, str], name: str, asset_class: AssetClass) -> int | None:
    """Read a time or a date; as an end, a date means its whole day."""
    text = given.get(name, "").replace(" ", "+")  # a plus that nobody escaped
    if not text:
        return None
    if text[:4].isdigit() and not _FIRST_YEAR <= text[:4] <= _LAST_YEAR:
        return 0 if text[:4] < _FIRST_YEAR else LAST
    try:
        if not _DATE.fullmatch(text):
            return ns_of(text)
        day, zone = date.fromisoformat(text), zone_of(asset_class)
    except ValueError:
        raise Declined(invalid(f"invalid {name}")) from None
    return midnight(day, zone) if name == "start" else midnight(day + timedelta(days=1), zone) - 1


def _cursor(given: Mapping[str, str], symbols: tuple[str, ...]) -> tuple[str, int] | None:
    token = given.get("page_token", "")
    if not token:
        return None
    try:
        symbol, _, ts = b64decode(token, validate=True).decode().split("|")
        if symbol in symbols and 0 <= int(ts) <= LAST:
            return symbol, int(ts)
    except (binascii.Error, ValueError):  # which UnicodeError is, too
        pass
    raise Declined(invalid("invalid page_token"))
