"""Who wants which symbol, and what of it all fits into the data plan. Pure.

Rules: a symbol is subscribed as long as one strategy wants it. When the plan's limit is passed, or the server says that
it is, quotes go first, then trades, then all but bars, then symbols: those that only the last strategies want.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from trader.access.alpaca.wire_data import Channel

Market = Literal["stock", "crypto"]
MARKETS: Final[tuple[Market, ...]] = ("stock", "crypto")

STOCK_CHANNELS: Final = (
    Channel.BARS,
    Channel.UPDATED_BARS,
    Channel.TRADES,
    Channel.QUOTES,
    Channel.STATUSES,
    Channel.LULDS,
)
CRYPTO_CHANNELS: Final = (Channel.BARS, Channel.UPDATED_BARS, Channel.TRADES, Channel.QUOTES)

_STEPS: Final = (frozenset({Channel.QUOTES}), frozenset({Channel.TRADES}), frozenset(Channel) - {Channel.BARS})


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the data plan allows on one connection; ``limit`` None is no limit.

    ``counting`` says what is counted, for Alpaca does not: pairs of channel and symbol, or symbols whatever is sent of
    them.
    """

    limit: int | None = None
    counting: Literal["pairs", "symbols"] = "symbols"


class Wants:
    """The strategies' symbols, by market."""

    def __init__(
        self, wants: Mapping[str, Iterable[str]], channels: Mapping[Market, tuple[Channel, ...]], plan: Plan
    ) -> None:
        """Begin with each strategy's symbols; the order of strategies says who gives way last."""
        self._wants = {strategy: list(dict.fromkeys(symbols)) for strategy, symbols in wants.items()}
        self._channels = channels
        self._plan = plan
        self._steps = dict.fromkeys(MARKETS, 0)
        self._without: dict[Market, frozenset[Channel]] = dict.fromkeys(MARKETS, frozenset())
        self._room: dict[Market, int | None] = dict.fromkeys(MARKETS)  # symbols, as the server taught us

    def want(self, strategy: str, symbols: Iterable[str]) -> None:
        """Add symbols for a strategy."""
        known = self._wants.setdefault(strategy, [])
        known += [symbol for symbol in dict.fromkeys(symbols) if symbol not in known]

    def release(self, strategy: str, symbols: Iterable[str]) -> None:
        """Take symbols from a strategy."""
        gone = set(symbols)
        self._wants[strategy] = [symbol for symbol in self._wants.get(strategy, []) if symbol not in gone]

    def symbols(self, market: Market) -> tuple[str, ...]:
        """Return the symbols of a market that fit, those of the first strategy first."""
        return self._fit(market)[1]

    def channels(self, market: Market) -> tuple[Channel, ...]:
        """Return the channels of a market that fit."""
        return self._fit(market)[0]

    def entries(self, market: Market) -> dict[Channel, tuple[str, ...]]:
        """Return what to subscribe to."""
        return dict.fromkeys(self.channels(market), self.symbols(market))

    def left_out(self, market: Market) -> dict[str, tuple[str, ...]]:
        """Return the symbols that do not fit, under each strategy that wants them."""
        out = set(self._every(market)) - set(self.symbols(market))
        found = {
            strategy: tuple(symbol for symbol in symbols if symbol in out) for strategy, symbols in self._wants.items()
        }
        return {strategy: symbols for strategy, symbols in found.items() if symbols}

    def shrink(self, market: Market) -> bool:
        """Want less in the order of the rules; return False when nothing is left to give up."""
        channels, symbols = self._fit(market)
        while self._steps[market] < len(_STEPS):
            self._steps[market] += 1
            if self.channels(market) != channels:
                return True
        self._room[market] = max(0, len(symbols) - 1)
        return bool(symbols)

    def drop(self, market: Market, channels: Iterable[Channel]) -> None:
        """Do without channels: the feed does not offer them."""
        self._without[market] |= frozenset(channels)

    def _fit(self, market: Market) -> tuple[tuple[Channel, ...], tuple[str, ...]]:
        every, limit, room = self._every(market), self._plan.limit, self._room[market]
        step = self._steps[market]
        while True:
            without = self._without[market].union(*_STEPS[:step])
            channels = tuple(channel for channel in self._channels[market] if channel not in without)
            per_symbol = len(channels) if self._plan.counting == "pairs" else 1
            fits = len(every) if limit is None else limit // max(1, per_symbol)
            if len(every) <= fits or step == len(_STEPS) or per_symbol == 1:
                break
            step += 1
        return channels, tuple(every[: fits if room is None else min(fits, room)])

    def _every(self, market: Market) -> list[str]:
        every = dict.fromkeys(symbol for symbols in self._wants.values() for symbol in symbols)
        return [symbol for symbol in every if market_of(symbol) == market]


def market_of(symbol: str) -> Market:
    """Return which stream brings a symbol."""
    return "crypto" if "/" in symbol else "stock"
