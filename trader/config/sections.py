"""The sections of a settings file: every key with its default and its bounds."""

import re
from collections.abc import Mapping
from decimal import Decimal
from numbers import Integral, Real
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    Strict,
    ValidationInfo,
    field_validator,
)
from pydantic.json_schema import SkipJsonSchema

from trader.config.findings import show
from trader.model.money import decimal_of
from trader.strategies import Strategy

MAX_STRATEGIES = 10_000
FREE_SYMBOLS = 30  # stocks that Alpaca's free plan streams
MAX_TICKERS = 1_000
MAX_WARMUP_BARS = 100_000  # ten weeks of minutes around the clock
MAX_FILTERS = 100  # of one chain: every opening asks each of them
MAX_DECIMALS, MAX_DIGITS = 18, 30  # of any number: beyond lies no amount of money, only slow arithmetic

LONGEST_STOCK = 5  # letters of a US stock or ETF before the dot; six are a pair without its slash
_STOCK = re.compile(r"[A-Z][A-Z0-9]{0,5}(\.[A-Z]{1,3})?")
_PAIR = re.compile(r"[A-Z0-9]{2,10}/(USD|USDT|USDC)")
_PAIR_LIKE = re.compile(r"([A-Z0-9]{2,10}?)[-_/ ]?(USD|USDT|USDC|EUR|BTC)")


def _exact(value: object) -> object:
    """Make a Decimal of a number; text and true are none, even where Python would make one of them."""
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        raise ValueError(f"must be a number, got {show(value)}")  # noqa: TRY004 -- pydantic collects ValueErrors only
    if isinstance(value, Integral):
        number = Decimal(int(value))
    else:
        number = value if isinstance(value, Decimal) else decimal_of(float(value))
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and (exponent < -MAX_DECIMALS or number.adjusted() > MAX_DIGITS):  # text for NaN
        raise ValueError(f"must have at most {MAX_DIGITS} digits and {MAX_DECIMALS} decimals, got {show(value)}")
    return number


def floats(value: object) -> object:
    """Give strategies the floats they calculate with, where a file was read into Decimals."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return {key: floats(below) for key, below in value.items()}
    return [floats(below) for below in value] if isinstance(value, list) else value


def _ticker(symbol: str) -> str:
    """Return a symbol that can be one, or say what was probably meant."""
    if _PAIR.fullmatch(symbol) or (_STOCK.fullmatch(symbol) and not _is_pair_without_slash(symbol)):
        return symbol
    wanted = symbol.strip().upper()
    like = _PAIR_LIKE.fullmatch(wanted)
    if like and like[2] in {"EUR", "BTC"}:
        meant = f"; the books are kept in dollars, so trade {like[1] + '/USD'!r}"
    elif like and (len(wanted) > LONGEST_STOCK or not wanted.isalnum()):
        meant = f"; did you mean {f'{like[1]}/{like[2]}'!r}?"
    elif _STOCK.fullmatch(stock := re.sub("[-/ ]", ".", wanted)):
        meant = f"; did you mean {stock!r}?"
    else:
        meant = ""
    raise ValueError(
        f"must be a stock like 'SPY' or 'BRK.B', or a crypto pair like 'BTC/USD', got {show(symbol)}{meant}"
    )


def _is_pair_without_slash(symbol: str) -> bool:
    """Tell BTCUSD from a stock."""
    return len(symbol) > LONGEST_STOCK and _PAIR_LIKE.fullmatch(symbol) is not None


def _once_each(tickers: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({ticker for ticker in tickers if tickers.count(ticker) > 1})
    if twice:
        raise ValueError(f"must name each ticker once, got {', '.join(twice)} more than once")
    return tickers


def _printable(name: str) -> str:
    if not name.isprintable() or name != name.strip():
        raise ValueError(f"must be printable and without spaces at its ends, got {show(name)}")
    return name


Text = Annotated[str, Strict()]
Flag = Annotated[bool, Strict()]
EXACT = BeforeValidator(_exact)  # last in an annotation, so that the bounds before it reach the JSON Schema
Name = Annotated[Text, Field(min_length=1, max_length=64), AfterValidator(_printable)]
Ticker = Annotated[Text, AfterValidator(_ticker)]
BarSize = Literal["1Min", "5Min", "15Min", "1Hour", "1Day"]
OnTrouble = Literal["flatten", "hold"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class RiskConfig(_Section):
    """What one strategy is held to; exits always pass."""

    max_position_size: Annotated[Decimal, Field(gt=0, le=1), EXACT] = Decimal("0.95")
    """Largest value of one position, as a fraction of the strategy's equity."""
    max_daily_trades: Annotated[int, Field(ge=1, le=1_000_000), EXACT] | None = None
    """Orders a day, entries and exits counted; entries are refused once it is reached. null: no limit."""
    max_daily_loss: Annotated[Decimal, Field(gt=0, le=1_000_000_000_000), EXACT] | None = None
    """Dollars lost since the start of the day after which nothing is opened that day. null: no limit."""
    stop_loss_pct: Annotated[Decimal, Field(gt=0, lt=1), EXACT] | None = None
    """Fall below the average entry price that ends a position, as a fraction: 0.05 is 5 %. null: no stop."""
    take_profit_pct: Annotated[Decimal, Field(gt=0, le=1_000), EXACT] | None = None
    """Rise above the average entry price that ends a position, as a fraction: 0.10 is 10 %. null: no target."""

    if TYPE_CHECKING:
        # Any number will do in a program; the attributes are Decimal all the same.
        def __init__(
            self,
            *,
            max_position_size: Decimal | float = ...,
            max_daily_trades: int | None = ...,
            max_daily_loss: Decimal | float | None = ...,
            stop_loss_pct: Decimal | float | None = ...,
            take_profit_pct: Decimal | float | None = ...,
        ) -> None: ...


class FilterConfig(BaseModel):
    """One filter of the Director; its parameters stand beside its name, with hyphens or underscores."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)

    name: Text
    """A built-in filter, the entry point of an installed package, or a class of your own as module:Class."""


Chain = Annotated[tuple[FilterConfig, ...], Field(max_length=MAX_FILTERS)]


class StrategyConfig(_Section):
    """One strategy, what it trades, and the capital of its own."""

    name: Name
    """Unique name; every log line of the strategy carries it."""
    strategy_type: Text = ""
    """A built-in type, the entry point of an installed package, or a class of your own as module:Class."""
    strategy_params: Annotated[dict[Text, Any], BeforeValidator(floats)] = Field(default_factory=dict)
    """Parameters of the strategy type; what is left out has the type's default."""
    strategy: Annotated[SkipJsonSchema[InstanceOf[Strategy] | None], Field(exclude=True, repr=False)] = None
    """A ready object, in a program only, in place of ``strategy_type`` and ``strategy_params``."""
    tickers: Annotated[
        tuple[Ticker, ...], Field(min_length=1, max_length=MAX_TICKERS), AfterValidator(_once_each)
    ]  # fmt: skip
    """Stocks and ETFs like SPY or BRK.B, crypto pairs like BTC/USD."""
    initial_cash: Annotated[Decimal, Field(gt=0, le=1_000_000_000_000), EXACT] = Decimal(10_000)
    """Starting capital in dollars."""
    min_warmup_bars: Annotated[int, Field(ge=1, le=MAX_WARMUP_BARS), EXACT] = 50
    """Bars of a ticker before its first decision; more where the strategy's indicators need more."""
    risk_config: RiskConfig = RiskConfig()
    """Limits of this strategy."""
    allow_short: Flag = False
    """Whether stocks may be sold short; otherwise a bearish signal means flat."""
    on_daily_loss: OnTrouble = "flatten"
    """What becomes of open positions when max_daily_loss is reached."""
    on_error: OnTrouble = "flatten"
    """What becomes of open positions when the strategy fails and is halted."""
    bar: BarSize = "1Min"
    """Bars the strategy decides on; longer ones are built from minutes on the UTC grid."""
    fractionable: Flag = True
    """Whether stocks are bought in fractions of 0.0001 share, otherwise in whole shares."""
    filters: Chain = ()
    """What openings of this strategy pass after the common filters; its own see this strategy's portfolio only."""

    @field_validator("allow_short")
    @classmethod
    def _no_short_crypto(cls, allow_short: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 -- pydantic's signature
        pairs = [ticker for ticker in info.data.get("tickers", ()) if "/" in ticker]
        if allow_short and pairs:
            raise ValueError(f"must be false with {', '.join(pairs)}: crypto cannot be sold short")
        return allow_short


class RegulatoryFeesConfig(_Section):
    """Fees on stock sells. All zero unless set: the published figures change and come from third parties."""

    sec_usd_per_million: Annotated[Decimal, Field(ge=0, le=10_000), EXACT] = Decimal(0)
    """Dollars per million dollars sold."""
    taf_usd_per_share: Annotated[Decimal, Field(ge=0, le=1), EXACT] = Decimal(0)
    """Dollars per share sold."""
    taf_cap_usd: Annotated[Decimal, Field(ge=0, le=1_000_000), EXACT] = Decimal(0)
    """Most dollars of the fee per share for one execution."""


class SimulatedConfig(_Section):
    """How the simulated venue fills orders."""

    fill: Literal["next_open", "next_quote", "signal_price"] = "next_open"
    """At the open of the next bar, at the next quote, or at the price the order was decided at."""
    slippage_bps: Annotated[Decimal, Field(ge=0, le=1_000), EXACT] = Decimal(0)
    """Hundredths of a percent by which every fill is worse than that price."""
    fees: Literal["alpaca", "none"] = "alpaca"
    """Fees as Alpaca takes them (crypto 0.25 % of what is received), or none."""
    latency_ms: Annotated[int, Field(ge=0, le=3_600_000), EXACT] = 0
    """Milliseconds before an order reaches the venue."""
    partial_fills: Flag = False
    """Whether some orders fill in parts."""
    regulatory_fees: RegulatoryFeesConfig = RegulatoryFeesConfig()
    """Fees on stock sells, zero unless set."""


class AlpacaConfig(_Section):
    """What is taken from Alpaca where there are keys."""

    feed: Literal["iex", "sip"] = "iex"
    """Stock data: iex is free and one exchange's, sip is all exchanges' and needs a paid plan. History is the same."""
    symbol_limit: Annotated[int, Field(ge=1, le=100_000), EXACT] | None = None
    """Most stocks the data plan streams. null: 30 with iex, which is the free plan's, none with sip."""
    prices: Literal["all", "bars"] = "all"
    """Whether trades and quotes are streamed beside the bars, so that stops are watched inside the minute."""
    extended_hours: Flag = False
    """Whether stock bars of before and after the regular session count; orders wait for the session all the same."""

    @property
    def most_symbols(self) -> int | None:
        """Return how many stocks may be streamed, None for any number."""
        return self.symbol_limit or (FREE_SYMBOLS if self.feed == "iex" else None)


class BrokerConfig(_Section):
    """Where orders go, and market data come from."""

    simulated: SimulatedConfig = SimulatedConfig()
    """The simulated venue: without keys, and with --broker simulated."""
    alpaca: AlpacaConfig = AlpacaConfig()
    """Alpaca's market data and account: with keys."""


class Config(_Section):
    """Everything a settings file may say. Made by :func:`parse`, which also checks what no single field can know."""

    schema_: Annotated[Text, Field(alias="$schema")] = ""
    """Address of the JSON Schema of this file, for editors; not read."""
    strategies: Annotated[tuple[StrategyConfig, ...], Field(min_length=1, max_length=MAX_STRATEGIES)]
    """The strategies, in the order in which they decide."""
    broker: BrokerConfig = BrokerConfig()
    """Where orders go."""
    filters: Chain = ()
    """What the openings of all strategies pass, those of one minute together, in this order."""
