"""The sections of a settings file: every key with its default and its bounds."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    ValidationInfo,
    field_validator,
)
from pydantic.json_schema import SkipJsonSchema

from trader.config.fields import EXACT, Flag, Name, Section, Text, Ticker, floats, once_each
from trader.config.risk_sections import RiskConfig, RiskSection
from trader.strategies import Strategy

MAX_STRATEGIES = 10_000
FREE_SYMBOLS = 30  # stocks that Alpaca's free plan streams
MAX_TICKERS = 1_000
MAX_WARMUP_BARS = 100_000  # ten weeks of minutes around the clock
MAX_FILTERS = 100  # of one chain: every opening asks each of them

BarSize = Literal["1Min", "5Min", "15Min", "1Hour", "1Day"]
OnTrouble = Literal["flatten", "hold"]


class FilterConfig(BaseModel):
    """One filter of the Director; its parameters stand beside its name, with hyphens or underscores."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)

    name: Text
    """A built-in filter, the entry point of an installed package, or a class of your own as module:Class."""


Chain = Annotated[tuple[FilterConfig, ...], Field(max_length=MAX_FILTERS)]


class StrategyConfig(Section):
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
        tuple[Ticker, ...], Field(min_length=1, max_length=MAX_TICKERS), AfterValidator(once_each)
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


class RegulatoryFeesConfig(Section):
    """Fees on stock sells. All zero unless set: the published figures change and come from third parties."""

    sec_usd_per_million: Annotated[Decimal, Field(ge=0, le=10_000), EXACT] = Decimal(0)
    """Dollars per million dollars sold."""
    taf_usd_per_share: Annotated[Decimal, Field(ge=0, le=1), EXACT] = Decimal(0)
    """Dollars per share sold."""
    taf_cap_usd: Annotated[Decimal, Field(ge=0, le=1_000_000), EXACT] = Decimal(0)
    """Most dollars of the fee per share for one execution."""


class SimulatedConfig(Section):
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


class AlpacaConfig(Section):
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


class BrokerConfig(Section):
    """Where orders go, and market data come from."""

    simulated: SimulatedConfig = SimulatedConfig()
    """The simulated venue: without keys, and with --broker simulated."""
    alpaca: AlpacaConfig = AlpacaConfig()
    """Alpaca's market data and account: with keys."""


class Config(Section):
    """Everything a settings file may say. Made by :func:`parse`, which also checks what no single field can know."""

    schema_: Annotated[Text, Field(alias="$schema")] = ""
    """Address of the JSON Schema of this file, for editors; not read."""
    strategies: Annotated[tuple[StrategyConfig, ...], Field(min_length=1, max_length=MAX_STRATEGIES)]
    """The strategies, in the order in which they decide."""
    broker: BrokerConfig = BrokerConfig()
    """Where orders go."""
    filters: Chain = ()
    """What the openings of all strategies pass, those of one minute together, in this order."""
    risk: RiskSection = RiskSection()
    """What the whole account is held to, groups of strategies, and every single order."""
