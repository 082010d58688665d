"""What the trading API stands on, and the shape of a request and its answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from trader.access.alpaca.symbols import CryptoPairs
from trader.access.sim.accounts import Account
from trader.access.sim.venue import Venue
from trader.access.sim.venue_orders import Refusal
from trader.exchange.keys import Keys
from trader.exchange.request_log import RequestLog
from trader.exchange.rest_faults import RestFaults
from trader.exchange.rest_limits import TRADING_PER_MINUTE, RateLimit
from trader.exchange.rest_parameters import Fields
from trader.model.calendar import StockCalendar
from trader.model.time import DAY, utc

_LONGEST_REST = 10 * DAY  # of the stock market, with room to spare

PRICES_KEPT: Final = 16_384  # a month of closes of the symbols of a large desk

PriceAt = Callable[[str, int], Decimal | None]


class Ask(NamedTuple):
    """A request of an account's owner; ``fields`` are its body's, ``now`` is when it arrived."""

    account: Account
    path: Mapping[str, str]
    query: Mapping[str, str]
    fields: Fields
    now: int


class Answer(NamedTuple):
    """What is answered: ``body`` is JSON-like, None for an empty one; ``order_id`` is the order it is about, if any."""

    status: int
    body: object = None
    order_id: str = ""


class Later(NamedTuple):
    """A request that has begun and ends with ``then``, once ``is_ready`` says so or nobody wants to wait any longer."""

    is_ready: Callable[[], bool]
    then: "Handler"


@dataclass(eq=False)
class TradingDesk:
    """What the trading API stands on.

    ``keys`` is by id. ``flush`` tells the stream what the venue has done. ``price_at`` values the past, where somebody
    knows it; ``since`` is when the accounts were opened (ns UTC). ``settings`` is what their owners have set up.
    """

    venue: Venue
    calendar: StockCalendar
    now: Callable[[], int]
    keys: Keys
    flush: Callable[[], None]
    faults: RestFaults
    log: RequestLog
    per_minute: int = TRADING_PER_MINUTE
    price_at: PriceAt = lambda _symbol, _ts: None
    since: int = 0
    limit: RateLimit = field(init=False)
    pairs: CryptoPairs = field(init=False)
    settings: dict[str, dict[str, object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin to count requests, and know the coins."""
        self.limit = RateLimit(self.per_minute, self.now)
        self.price_at = lru_cache(PRICES_KEPT)(self.price_at)  # the past is always asked for at the same moments
        self.pairs = CryptoPairs(symbol for symbol, asset in self.venue.assets.items() if asset.is_crypto)

    def price_of(self, symbol: str) -> Decimal | None:
        """Return the market's price, None before it has one."""
        return self.venue.markets[symbol].price

    def last_close(self, now: int) -> int:
        """Return when the stock market last closed before ``now``; for coins too, as Alpaca counts their days."""
        days = self.calendar.sessions(_day(now - _LONGEST_REST), _day(now))
        return max(day.close for day in days if day.close <= now)


def _day(ts: int) -> date:
    return utc(ts).date()


Handler = Callable[[TradingDesk, Ask], Answer | Refusal | Later]
