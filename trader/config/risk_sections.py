"""The ``risk`` section of a settings file, and what a strategy's ``risk_config`` may say."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

import msgspec
from pydantic import AfterValidator, Field, model_validator

from trader.config.bounds import Count, Float, Levels, Share, bound_of
from trader.config.fields import EXACT, Section, Text, Ticker, once_each
from trader.config.risk_conduct import AccountConduct, StrategyConduct
from trader.config.risk_ladder import Escalations, LadderSection, RegimeSection, escalation_of
from trader.config.risk_var import VarSection
from trader.model.orders import Urgency
from trader.risk.bounds import Bound
from trader.risk.conduct import ConductLimits
from trader.risk.limits import AccountLimits, GroupLimits, Limits, OrderLimits, Phase, SymbolLimits
from trader.risk.regime import Regime
from trader.risk.rules import Rules
from trader.risk.tiers import Tier
from trader.risk.windows import window_of

MAX_NAMES = 1_000  # of sectors, groups and the like: every opening looks for its own among them

# The two sets of limits that people start from; single keys beside the profile's name take the place of its own.
PROFILES: Final[Mapping[str, Mapping[str, Mapping[str, float]]]] = {
    "framework": {
        "account": {"max_position": 0.10, "max_sector": 0.30, "max_gross": 2.0, "max_net": 0.50},
        "ladder": {"daily_loss": 0.03, "weekly_loss": 0.05, "monthly_loss": 0.10},
    },
    "level1": {
        "account": {
            "max_position": 0.40, "max_gross": 1.50, "max_net": 1.00, "max_leverage": 2.0, "min_cash_buffer": 0.05,
        },
        "ladder": {"drawdown": 0.15},
    },
}  # fmt: skip


class Multiple(Levels):
    """A multiple of the equity: 1.5 is 150 %."""

    most: ClassVar[float] = 1_000.0


class Least(Levels):
    """The least that is allowed."""

    is_least_allowed: ClassVar[bool] = True


class LeastShare(Share):
    """The smallest part of the equity that is allowed."""

    is_least_allowed: ClassVar[bool] = True


Windows = Annotated[Text, AfterValidator(lambda text: (window_of(text), text)[1])]
Symbols = Annotated[tuple[Ticker, ...], Field(max_length=10_000), AfterValidator(once_each)]
Title = Annotated[Text, Field(min_length=1, max_length=64)]


class RiskConfig(Section):
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
    max_position_value: Levels | None = None
    """Largest value of one position in dollars, with everything on its way."""
    max_gross: Multiple | None = None
    """Sum of all positions, long and short, as a multiple of the strategy's equity."""
    max_net: Multiple | None = None
    """Long less short positions, either way, as a multiple of the strategy's equity."""
    max_positions: Count | None = None
    """Positions that are open or on their way."""
    max_budget: Levels | None = None
    """Dollars that all positions of the strategy may be worth together."""
    max_order_qty: Levels | None = None
    """Shares or coins of one order."""
    max_order_value: Levels | None = None
    """Dollars of one order."""
    conduct: StrategyConduct = StrategyConduct()
    """How fast, how often and how alike the strategy may trade."""

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
            **bounds: Any,  # noqa: ANN401 -- numbers, or levels
        ) -> None: ...

    def limits(self, *, allow_short: bool) -> Limits:
        """Return them as the gate has them."""
        bounds = {name: bound_of(getattr(self, name)) for name in _OWN_BOUNDS}
        return Limits(
            self.max_position_size,
            self.max_daily_trades,
            self.max_daily_loss,
            self.stop_loss_pct,
            self.take_profit_pct,
            allow_short=allow_short,
            **bounds,
        )


class AccountRisk(Section):
    """What the whole account is held to, worst case: everything on its way filled as it makes the measure largest."""

    max_position: Multiple | None = None
    """Largest position in one symbol, as a multiple of the account's equity."""
    max_position_value: Levels | None = None
    """Largest position in one symbol, in dollars."""
    max_gross: Multiple | None = None
    """All positions, long and short, as a multiple of the equity."""
    max_net: Multiple | None = None
    """Long less short positions, either way, as a multiple of the equity."""
    max_leverage: Multiple | None = None
    """What positions are worth as a multiple of the equity; without derivatives the same measure as max_gross."""
    max_equity_multiple: Multiple | None = None
    """Likewise, where the broker draws its line (Alpaca: 6); it does not tighten with the market."""
    max_sector: Multiple | None = None
    """All positions of one sector; symbols of no sector are one together, named unknown."""
    max_category: Multiple | None = None
    """All positions of one category; symbols of none are one together, named unknown."""
    max_class: Multiple | None = None
    """All positions of one asset class."""
    max_sector_of: dict[Title, Multiple] = Field(default_factory=dict, max_length=MAX_NAMES)
    """max_sector of single sectors, by name."""
    max_category_of: dict[Title, Multiple] = Field(default_factory=dict, max_length=MAX_NAMES)
    """max_category of single categories, by name."""
    max_class_of: dict[Literal["stock", "crypto"], Multiple] = Field(default_factory=dict)
    """max_class of stock or crypto."""
    max_positions: Count | None = None
    """Symbols with a position that is open or on its way."""
    max_budget: Levels | None = None
    """Dollars that all positions may be worth together; the strategies' budgets may not add up to more."""
    min_cash_buffer: LeastShare | None = None
    """Cash that is neither owed to shorts nor reserved by open orders, as a fraction of the equity."""
    min_equity: Least | None = None
    """Dollars of equity under which nothing is opened."""

    def limits(self) -> AccountLimits:
        """Return them as the gate has them."""
        return AccountLimits(**_bounds(self))


class OrderRisk(Section):
    """What every single opening is held to; what is not known of the market refuses it."""

    max_intent_age_s: Levels | None = None
    """Seconds since the order was decided on."""
    max_price_move: Share | None = None
    """Part of the price by which the mark may have moved since then."""
    price_collar: Share | None = None
    """Part of the price by which the order may trade away from the mark: at the quote it meets, if there is one."""
    max_mark_age_s: Levels | None = None
    """Seconds since the newest price of the symbol."""
    max_price_jump: Share | None = None
    """Part of the price by which it may have moved within a minute."""
    max_spread: Share | None = None
    """Ask less bid, as a part of the price."""
    min_depth: Least | None = None
    """Dollars that the quote shows on the side the order meets."""
    max_order_qty: Levels | None = None
    """Shares or coins of one order."""
    max_order_value: Levels | None = None
    """Dollars of one order."""
    max_volume_share: Share | None = None
    """Order as a part of the average daily volume."""
    max_depth_share: Levels | None = None
    """Order as a multiple of what the quote shows on the side it meets."""
    max_impact: Share | None = None
    """impact_coefficient × daily deviation × √(order ÷ daily volume), as a part of the price."""
    impact_coefficient: Annotated[float, Field(ge=0, le=100), Float] = 1.0
    """Coefficient of the square-root law of market impact."""
    max_decimals: Annotated[int, Field(ge=0, le=9), EXACT] = 9
    """Decimals of a quantity."""
    order_types: tuple[Literal["market"], ...] = ("market",)
    """Types of orders that may open; the desk sends market orders."""
    sessions: tuple[Phase, ...] = ()
    """Sessions of New York in which stocks may be bought or sold short; none given: in all."""
    close_only: tuple[Windows, ...] = ()
    """Times of the week in which nothing is opened, New York's: '15:45-16:00', 'Fri 15:00-24:00', 'Sat-Sun'."""
    close_only_before_close_min: Annotated[float, Field(ge=0, le=390), Float] = 0.0
    """Minutes before the session's close, half days included, in which no stock position is opened."""


class OrdersRisk(Section):
    """What single orders are held to: all of them, and in its place what is said of stocks or of crypto."""

    all: OrderRisk = OrderRisk()
    """Of any class."""
    stock: OrderRisk = OrderRisk()
    """Of stocks and ETFs, key by key in place of what is said of all."""
    crypto: OrderRisk = OrderRisk()
    """Of coins, key by key in place of what is said of all."""

    def limits(self) -> dict[str, OrderLimits]:
        """Return them by class, as the gate has them."""
        general = _given(self.all)
        return {
            name: OrderLimits(**merged)
            for name, own in (("stock", self.stock), ("crypto", self.crypto))
            if (merged := general | _given(own))
        }


class SymbolRisk(Section):
    """What the account is held to in one symbol, in place of the general limits."""

    max_position: Multiple | None = None
    """Largest position, as a multiple of the account's equity."""
    max_position_value: Levels | None = None
    """Largest position in dollars."""


class GroupRisk(Section):
    """What some strategies are held to together, as multiples of the account's equity."""

    strategies: Annotated[tuple[Text, ...], Field(min_length=1, max_length=10_000)]
    """Names of the strategies."""
    max_group_gross: Multiple | None = None
    """Sum of all their positions, long and short."""
    max_net: Multiple | None = None
    """Their long less their short positions, either way."""
    max_position: Multiple | None = None
    """Largest of their positions."""
    max_positions: Count | None = None
    """Their positions that are open or on their way."""


class RiskSection(Section):
    """Limits of the desk, in the order in which an opening meets them; what only reduces a position always passes."""

    profile: Literal["framework", "level1"] | None = None
    """A set of limits to begin with: framework or level1; keys beside it take the place of its own."""
    account: AccountRisk = AccountRisk()
    """What the whole account is held to."""
    orders: OrdersRisk = OrdersRisk()
    """What every single opening is held to."""
    groups: dict[Title, GroupRisk] = Field(default_factory=dict, max_length=MAX_NAMES)
    """Strategies that are held to limits together, by a name of yours."""
    symbols: dict[Ticker, SymbolRisk] = Field(default_factory=dict, max_length=MAX_NAMES)
    """Limits of single symbols."""
    sectors: dict[Title, Symbols] = Field(default_factory=dict, max_length=MAX_NAMES)
    """Symbols by sector."""
    categories: dict[Title, Symbols] = Field(default_factory=dict, max_length=MAX_NAMES)
    """Symbols by category."""
    restricted: Symbols = ()
    """Symbols that nobody may open."""
    allowed: Symbols = ()
    """The only symbols that may be opened; none given: all."""
    authorized: dict[Text, Symbols] = Field(default_factory=dict, max_length=10_000)
    """By strategy, the only symbols that it may open."""
    tiers: dict[Urgency, Tier] = Field(default_factory=dict)
    """How fresh the sums are that an order's exposure is checked on, by its urgency."""
    conduct: AccountConduct = AccountConduct()
    """How fast and how often all strategies together may trade."""
    ladder: LadderSection = LadderSection()
    """What may be lost in a day, a week, a month and from the peak before something follows."""
    escalation: Escalations = Field(default_factory=dict)
    """What follows a broken limit, by the limit's name; what is left out follows as the ladder says, or is told."""
    regime: RegimeSection | None = None
    """How limits tighten in a wild market. null: they do not; {}: as the defaults say."""
    var: VarSection = VarSection()
    """What the account may lose by what it holds and what is on its way."""

    @model_validator(mode="before")
    @classmethod
    def _begin_with_profile(cls, data: object) -> object:
        """Put the profile's limits under the keys that are given."""
        profile = data.get("profile") if isinstance(data, Mapping) else None
        if not isinstance(data, Mapping) or not isinstance(profile, str) or profile not in PROFILES:
            return data
        merged = dict(data)
        for name, limits in PROFILES[profile].items():
            given = merged.get(name, {})
            if isinstance(given, Mapping):
                merged[name] = {**limits, **given}
        return merged

    def rules(self, strategies: Mapping[str, RiskConfig]) -> Rules:
        """Return all of it as the gate has it; ``strategies`` are the settings of each, by name."""
        return Rules(
            account=self.account.limits(),
            groups={name: GroupLimits(**_bounds(group)) for name, group in self.groups.items()},
            symbols={symbol: SymbolLimits(**_bounds(limits)) for symbol, limits in self.symbols.items()},
            orders=self.orders.limits(),
            sectors=self.sectors,
            categories=self.categories,
            authorized=self.authorized,
            restricted=self.restricted,
            allowed=self.allowed,
            tiers=self.tiers,
            ladder=self.ladder.ladder(),
            escalation=escalation_of(self.escalation),
            regime=Regime() if self.regime is None else self.regime.regime(),
            var=self.var.limits(),
            conduct=ConductLimits(
                self.conduct.conduct(),
                {name: own for name, one in strategies.items() if (own := one.conduct.conduct()) != _NO_CONDUCT},
            ),
        )


_OWN_BOUNDS: Final = [field.name for field in msgspec.structs.fields(Limits) if field.type is Bound]
_NO_CONDUCT: Final = StrategyConduct().conduct()


def _bounds(section: Section) -> dict[str, Any]:
    """Return a section's keys as arguments of its struct."""
    return {name: _bare(value) for name, value in section}


def _given(section: Section) -> dict[str, Any]:
    """Return the keys that a file gave, likewise."""
    return {name: _bare(getattr(section, name)) for name in section.model_fields_set}


def _bare(value: Any) -> Any:  # noqa: ANN401 -- a setting of any kind
    if value is None or isinstance(value, Levels):
        return bound_of(value)
    if isinstance(value, Mapping):
        return {key: _bare(below) for key, below in value.items()}
    return value
