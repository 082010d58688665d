"""What a sandbox, a group of them, a class of orders and the whole account are held to."""

from decimal import Decimal
from typing import Final, Literal

import msgspec

from trader.model.money import EXACT
from trader.model.orders import OrderIntent
from trader.risk.bounds import NONE, Bound

# A market order may fill above the close it was decided on: 2 % more is set aside, and sizing leaves room for it.
RESERVE_FACTOR: Final = Decimal("1.02")

Phase = Literal["pre", "core", "post", "overnight", "closed"]


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """One sandbox's limits; None, or an empty bound, means there is none of that kind.

    ``max_position_size`` is a fraction of equity, ``max_daily_loss`` is in dollars, ``stop_loss`` and ``take_profit``
    are fractions of the average entry price. ``max_gross`` and ``max_net`` are fractions of the sandbox's equity,
    ``max_budget`` and the values dollars.
    """

    max_position_size: Decimal
    max_daily_trades: int | None = None
    max_daily_loss: Decimal | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    allow_short: bool = False
    max_position_value: Bound = NONE
    max_gross: Bound = NONE
    max_net: Bound = NONE
    max_positions: Bound = NONE
    max_budget: Bound = NONE
    max_order_qty: Bound = NONE
    max_order_value: Bound = NONE


class OrderLimits(msgspec.Struct, frozen=True, omit_defaults=True):
    """What every single opening of one asset class is held to, in whatever tier it is checked.

    Ages are seconds, moves, spreads and impact fractions of the price, values and depth dollars, shares fractions of
    the average daily volume or of the quantity shown at the touch.
    """

    max_intent_age_s: Bound = NONE
    max_price_move: Bound = NONE
    price_collar: Bound = NONE
    max_mark_age_s: Bound = NONE
    max_price_jump: Bound = NONE
    max_spread: Bound = NONE
    min_depth: Bound = NONE
    max_order_qty: Bound = NONE
    max_order_value: Bound = NONE
    max_volume_share: Bound = NONE
    max_depth_share: Bound = NONE
    max_impact: Bound = NONE
    impact_coefficient: float = 1.0
    max_decimals: int = 9
    order_types: tuple[str, ...] = ("market",)
    sessions: tuple[Phase, ...] = ()  # in which openings may leave; none given: in all
    close_only: tuple[str, ...] = ()  # times of the week, New York's, in which nothing is opened
    close_only_before_close_min: float = 0.0


class AccountLimits(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the whole account is held to: fractions of its equity, unless named otherwise.

    ``max_position`` and ``max_position_value`` (dollars) are of one symbol; the mappings set one sector's, category's
    or class's own limit. ``max_budget`` (gross) and ``min_equity`` are dollars, ``max_positions`` is a number.
    """

    max_position: Bound = NONE
    max_position_value: Bound = NONE
    max_gross: Bound = NONE
    max_net: Bound = NONE
    max_leverage: Bound = NONE
    max_equity_multiple: Bound = NONE
    max_sector: Bound = NONE
    max_category: Bound = NONE
    max_class: Bound = NONE
    max_sector_of: dict[str, Bound] = {}
    max_category_of: dict[str, Bound] = {}
    max_class_of: dict[str, Bound] = {}
    max_positions: Bound = NONE
    max_budget: Bound = NONE
    min_cash_buffer: Bound = NONE
    min_equity: Bound = NONE


class SymbolLimits(msgspec.Struct, frozen=True, omit_defaults=True):
    """One symbol's own limits in the account, in place of the general ones."""

    max_position: Bound = NONE
    max_position_value: Bound = NONE


class GroupLimits(msgspec.Struct, frozen=True, omit_defaults=True):
    """What some strategies are held to together; fractions of the account's equity."""

    strategies: tuple[str, ...]
    max_group_gross: Bound = NONE
    max_net: Bound = NONE
    max_position: Bound = NONE
    max_positions: Bound = NONE


def reservation_of(intent: OrderIntent) -> Decimal:
    """Return the dollars that are set aside for an opening until it ends."""
    return EXACT.multiply(EXACT.multiply(intent.qty, intent.decision_price), RESERVE_FACTOR)
