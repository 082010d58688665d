"""How a strategy behaves: how fast, how often, how alike and how unluckily it trades."""

from collections.abc import Mapping

import msgspec

from trader.risk.bounds import NONE, Bound


class ConductOfAll(msgspec.Struct, frozen=True):
    """What both a strategy and the whole account are held to; an order that breaks it is not sent.

    Days are trading days; ``max_cancel_ratio`` and ``max_error_rate`` are parts of the day's orders.
    """

    max_orders_per_second: Bound = NONE  # cancels count
    max_orders_per_minute: Bound = NONE
    max_daily_orders: Bound = NONE
    max_daily_cancels: Bound = NONE
    max_open_orders: Bound = NONE
    max_cancel_ratio: Bound = NONE
    max_rejects: Bound = NONE  # in a row
    max_error_rate: Bound = NONE


class ConductOfOne(ConductOfAll, frozen=True):
    """What a strategy is held to beside that."""

    duplicate: Bound = NONE  # seconds, at least, before the same order is sent again
    price_walk: Bound = NONE  # fraction by which own executions may move a price within minutes
    max_size_ratio: Bound = NONE  # of an order's value to the strategy's usual one
    max_repeats: Bound = NONE  # openings of one symbol, each within minutes of the last; then a person decides
    loss_streak: Bound = NONE  # losing trades in a row; then nothing is opened for the pause
    loss_streak_pause_s: float = 3600.0
    cooldown: Bound = NONE  # seconds, at least, after an exit before the symbol is entered again


class ConductOfAccount(ConductOfAll, frozen=True):
    """What the whole account is held to beside that."""

    max_open_orders_per_symbol: Bound = NONE
    price_walk: Bound = NONE
    intraday_margin: Bound = NONE  # maintenance requirement of the worst case, as a part of the account's equity


class ConductLimits(msgspec.Struct, frozen=True):
    """The rules of conduct; the default has none."""

    account: ConductOfAccount = ConductOfAccount()
    strategies: Mapping[str, ConductOfOne] = {}
