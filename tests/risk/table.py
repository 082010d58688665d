"""The table of the gate: every rule as a person sets it, with what it allows, tells of, refuses and cannot know.

The desk: two strategies with $10,000 each, flat; AAA at $100, BBB at $50, COIN/USD at $1,000. The order: ``one`` buys
10 AAA at $100. A scene is what is different from that, by dotted name.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.risk.desks import MINUTE, NOW, SECOND, Flag
from trader.model.conduct import RECENT, SlotTally, SymbolTally
from trader.model.orders import OrderIntent, Reason, Side
from trader.model.time import HOUR

Scene = dict[str, Any]
NOTHING: Scene = {}


@dataclass(frozen=True)
class Row:
    """One rule: ``at`` is where ``setting`` stands in the settings, ``breaks`` what has to break for it to fail.

    ``allow`` meets the tightest level exactly where that can be; a scene that is None cannot be.
    """

    rule: str
    scope: str
    at: str = ""
    setting: Any = None
    allow: Scene = field(default_factory=dict)
    soft: Scene | None = None
    hard: Scene | None = None
    missing: Scene | None = None
    breaks: str = "exposures"
    always: Scene = field(default_factory=dict)
    also: Scene = field(default_factory=dict)  # further settings, by path
    is_passing: bool = False

    @property
    def name(self) -> str:
        return f"{self.rule} of {self.scope}" + (f" ({self.at})" if self.at else "")


def flag(scope: str, action: str, kind: str = "daily_loss") -> Scene:
    return {"flags": [Flag(scope, kind, "hard", action, "1")]}


_ONE, _ORDER = "strategy one", "order"
_SHORT = {"one.allow_short": True, "order.is_buy": False}
_COIN = {"order.symbol": "COIN/USD", "order.qty": "1", "order.price": "1000"}
_BUYS_BBB = {"order.symbol": "BBB", "order.price": "50", "order.qty": "20"}
_NO_MARK = {"AAA.mark": None, "AAA.marked_at": 0}
_SENT = OrderIntent(
    "one", "AAA", Side.BUY, Decimal(10), Decimal(100), reduces=False, reason=Reason.SIGNAL, ts=NOW - 30 * SECOND
)

_STATE = [
    Row("paused", _ONE, hard={"one.state": "paused"}, breaks="standing"),
    Row("halted", _ONE, hard={"one.state": "halted"}, breaks="standing"),
    Row("held", "symbol AAA", hard={"one.why": "the stream is silent"}, breaks="standing", is_passing=True),
    Row("not_warm", "symbol AAA", hard={"one.is_warm": False}, breaks="standing", is_passing=True),
    Row("max_daily_loss", _ONE, "own.max_daily_loss", 500, hard={"one.loss_reached": True}, breaks="standing"),
    Row(
        "max_daily_trades", _ONE, "own.max_daily_trades", 5,
        allow={"one.trades": 4}, hard={"one.trades": 5}, breaks="standing",
    ),
    Row("cash", _ONE, allow={"one.cash": "1100"}, hard={"one.cash": "0"}, breaks="standing"),
    Row(
        "reduce_only", "account", allow=flag("account", "alert"), hard=flag("account", "reduce_only"), breaks="flags"
    ),
    Row("reduce_only", _ONE, allow=flag("strategy two", "halt_strategy"), hard=flag(_ONE, "halt_strategy"),
        breaks="flags"),
    Row("reduce_only", "symbol AAA", allow=flag("symbol BBB", "reduce_only"), hard=flag("symbol AAA", "reduce_only"),
        breaks="flags"),
    Row("reduce_only", "group pair", "groups.pair", {"strategies": ["one", "two"], "max_group_gross": 9},
        allow=flag("group others", "force_reduce"), hard=flag("group pair", "force_reduce"), breaks="flags"),
    Row("restricted", "symbol AAA", "restricted", ["AAA"], allow=_BUYS_BBB, hard=NOTHING, breaks="lists"),
    Row("not_allowed", "symbol BBB", "allowed", ["AAA"], hard=_BUYS_BBB, breaks="lists"),
    Row("unauthorized", _ONE, "authorized", {"one": ["AAA"]}, hard=_BUYS_BBB, breaks="lists"),
]  # fmt: skip

_OWN_BOOKS = [
    Row("min_notional", _ORDER, allow={"order.qty": "0.01"}, hard={"order.qty": "0.0099"}, breaks="instrument"),
    Row("qty_increment", _ORDER, allow={"order.qty": "1.0001"}, hard={"order.qty": "1.00001"}, breaks="instrument"),
    Row("allow_short", _ONE, allow=_SHORT, hard={"order.is_buy": False}, breaks="limits"),
    Row("max_position_size", _ONE, "own.max_position_size", 0.5,
        allow={"order.qty": "50"}, hard={"order.qty": "50.0001"}, breaks="standing"),
    Row("free_cash", _ONE, allow={"one.reserved": "8980"}, hard={"one.reserved": "8980.01"}, breaks="standing"),
]  # fmt: skip

_ORDERS = [
    Row("max_decimals", _ORDER, "orders.all.max_decimals", 2,
        allow={"order.qty": "10.25"}, hard={"order.qty": "10.255"}, breaks="instrument"),
    Row("crypto_short", _ORDER, "account.max_gross", 9, allow=_COIN, hard=_COIN | _SHORT, breaks="instrument"),
    Row("fractional_short", _ORDER, "account.max_gross", 9, allow=_SHORT, hard=_SHORT | {"order.qty": "10.5"}),
    Row("crosses_zero", _ONE, "account.max_gross", 9,
        allow={"one.held.AAA": "5"}, hard=_SHORT | {"one.held.AAA": "5"}, breaks="standing"),
    Row("crosses_zero", "account", "account.max_gross", 9,
        allow=_SHORT | {"two.held.AAA": "10"}, hard=_SHORT | {"two.held.AAA": "9"}, is_passing=True),
    Row("session_closed", _ORDER, "orders.all.sessions", ["core"],
        hard={"desk.now": NOW + 8 * HOUR}, breaks="now", is_passing=True),
    Row("close_only", _ORDER, "orders.all.close_only", ["Mon 10:01-11:00"],
        hard={"desk.now": NOW + MINUTE}, breaks="now"),
    Row("close_only", _ORDER, "orders.all.close_only_before_close_min", 10,
        allow={"desk.now": NOW + 350 * MINUTE - SECOND}, hard={"desk.now": NOW + 350 * MINUTE}, breaks="now"),
    Row("stale_intent", _ORDER, "orders.all.max_intent_age_s", {"soft": 2, "hard": 4}, breaks="now",
        allow={"order.ts": NOW - 2 * SECOND}, soft={"order.ts": NOW - 3 * SECOND}, hard={"order.ts": NOW - 5 * SECOND}),
    Row("price_moved", _ORDER, "orders.all.max_price_move", {"soft": 0.01, "hard": 0.02}, breaks="market",
        allow={"AAA.mark": "101"}, soft={"AAA.mark": "98.5"}, hard={"AAA.mark": "102.5"}, missing=_NO_MARK),
    Row("price_collar", _ORDER, "orders.all.price_collar", {"soft": 0.01, "hard": 0.02}, breaks="market",
        allow={"AAA.ask": "101"}, soft={"AAA.ask": "101.5"}, hard={"AAA.ask": "102.5"}, missing=_NO_MARK),
    Row("stale_mark", _ORDER, "orders.all.max_mark_age_s", {"soft": 30, "hard": 60}, breaks="market",
        allow={"AAA.marked_at": NOW - 30 * SECOND}, soft={"AAA.marked_at": NOW - 31 * SECOND},
        hard={"AAA.marked_at": NOW - 61 * SECOND}, missing=_NO_MARK),
    Row("price_jump", _ORDER, "orders.all.max_price_jump", {"soft": 0.25, "hard": 0.5}, breaks="market",
        allow={"AAA.before": "80"}, soft={"AAA.before": "75"}, hard={"AAA.before": "250"},
        missing={"AAA.before": None}),
    Row("max_spread", _ORDER, "orders.all.max_spread", {"soft": 0.02, "hard": 0.04}, breaks="market",
        allow={"AAA.bid": "99", "AAA.ask": "101"}, soft={"AAA.bid": "98", "AAA.ask": "101"},
        hard={"AAA.bid": "97", "AAA.ask": "102"}, missing={"AAA.bid": None}),
    Row("min_depth", _ORDER, "orders.all.min_depth", {"soft": 5005, "hard": 2002}, breaks="market",
        allow={"AAA.ask_size": "50"}, soft={"AAA.ask_size": "49"}, hard={"AAA.ask_size": "19"},
        missing={"AAA.ask_size": None}),
    Row("max_order_qty", _ORDER, "orders.stock.max_order_qty", {"soft": 10, "hard": 20}, breaks="instrument",
        soft={"order.qty": "20"}, hard={"order.qty": "20.5"}),
    Row("max_order_qty", _ORDER, "own.max_order_qty", {"soft": 10, "hard": 20}, breaks="instrument",
        soft={"order.qty": "20"}, hard={"order.qty": "20.5"}),
    Row("max_order_value", _ORDER, "orders.all.max_order_value", {"soft": 1000, "hard": 2000}, breaks="instrument",
        soft={"order.qty": "20"}, hard={"order.qty": "20.5"}),
    Row("max_order_value", _ORDER, "own.max_order_value", {"soft": 1000, "hard": 2000}, breaks="instrument",
        soft={"order.qty": "20"}, hard={"order.qty": "20.5"}),
    Row("max_order_value", _ORDER, "orders.crypto.max_order_value", {"soft": 1000, "hard": 2000}, always=_COIN,
        soft={"order.qty": "2"}, hard={"order.qty": "2.5"}, breaks="instrument"),
    Row("max_volume_share", _ORDER, "orders.all.max_volume_share", {"soft": 0.01, "hard": 0.02}, breaks="market",
        allow={"AAA.volume_day": "1000"}, soft={"AAA.volume_day": "800"}, hard={"AAA.volume_day": "400"},
        missing={"AAA.volume_day": None}),
    Row("max_depth_share", _ORDER, "orders.all.max_depth_share", {"soft": 0.5, "hard": 2}, breaks="market",
        allow={"AAA.ask_size": "20"}, soft={"AAA.ask_size": "5"}, hard={"AAA.ask_size": "4"},
        missing={"AAA.ask_size": "0"}),
    Row("max_impact", _ORDER, "orders.all.max_impact", {"soft": 0.01, "hard": 0.02}, breaks="market",
        allow={"AAA.volume_day": "40"}, soft={"AAA.volume_day": "20"}, hard={"AAA.volume_day": "9"},
        missing={"AAA.sigma_day": None}),
]  # fmt: skip


def _sized(
    rule: str, scope: str, at: str, levels: tuple[float, float], shares: tuple[str, str, str], **more: Any
) -> Row:
    """Return a row whose scenes are sizes of the order: at the soft level, between them, beyond the hard one."""
    allow, soft, hard = ({"order.qty": qty} for qty in shares)
    setting = {"soft": levels[0], "hard": levels[1]}
    return Row(rule, scope, at, setting, allow=allow, soft=soft, hard=hard, **{"missing": _NO_MARK} | more)


_TWO_HOLDS_BBB = {"two.held.BBB": "20", "two.cash": "9000"}
_TWO_SHORT_BBB = {"two.held.BBB": "-20", "two.cash": "11000"}
_TWO_BUYS_AAA = {"two.buys.AAA": "10", "two.reserved": "1020"}
_SIZES = ("20", "30", "41")  # shares, of $100 each: 0.1, 0.15 and 0.205 of the account
_OF_ACCOUNT = (0.1, 0.2)
_EXPOSURE = [
    _sized("max_position_value", _ONE, "own.max_position_value", (2000, 4000), _SIZES),
    _sized("max_gross", _ONE, "own.max_gross", (0.2, 0.4), _SIZES),
    _sized("max_net", _ONE, "own.max_net", (0.2, 0.4), _SIZES),
    _sized("max_net", _ONE, "own.max_net", (0.2, 0.4), _SIZES, always=_SHORT),
    _sized("max_budget", _ONE, "own.max_budget", (2000, 4000), _SIZES),
    _sized("max_position", "symbol AAA", "account.max_position", _OF_ACCOUNT, _SIZES),
    _sized("max_position", "symbol AAA", "symbols.AAA.max_position", _OF_ACCOUNT, _SIZES),
    _sized("max_position_value", "symbol AAA", "account.max_position_value", (2000, 4000), _SIZES),
    _sized("max_position_value", "symbol AAA", "symbols.AAA.max_position_value", (2000, 4000), _SIZES),
    _sized("max_position", "symbol AAA", "account.max_position", _OF_ACCOUNT, ("10", "20", "31"), always=_TWO_BUYS_AAA),
    _sized("max_gross", "account", "account.max_gross", _OF_ACCOUNT, _SIZES),
    _sized("max_gross", "account", "account.max_gross", _OF_ACCOUNT, ("10", "20", "31"), always=_TWO_HOLDS_BBB),
    _sized("max_gross", "account", "account.max_gross", _OF_ACCOUNT, ("10", "20", "31"), always=_TWO_SHORT_BBB),
    _sized("max_gross", "account", "account.max_gross", _OF_ACCOUNT, ("10", "20", "31"), always=_TWO_BUYS_AAA),
    _sized("max_net", "account", "account.max_net", _OF_ACCOUNT, _SIZES),
    _sized("max_net", "account", "account.max_net", _OF_ACCOUNT, ("30", "40", "51"), always=_TWO_SHORT_BBB),
    _sized("max_leverage", "account", "account.max_leverage", _OF_ACCOUNT, _SIZES),
    _sized("max_equity_multiple", "account", "account.max_equity_multiple", _OF_ACCOUNT, _SIZES),
    _sized("max_gross", "account", "account.max_gross", (0.2, 0.4), _SIZES,
           always=flag("account", "tighten", "weekly_loss")),
    _sized("max_equity_multiple", "account", "account.max_equity_multiple", _OF_ACCOUNT, _SIZES,
           always=flag("account", "tighten", "weekly_loss")),
    _sized("max_sector", "account", "account.max_sector", _OF_ACCOUNT, _SIZES),
    _sized("max_sector", "account", "account.max_sector", _OF_ACCOUNT, ("10", "20", "31"),
           always=_TWO_HOLDS_BBB, also={"sectors": {"tech": ["AAA", "BBB"]}}),
    _sized("max_sector", "account", "account.max_sector_of.tech", _OF_ACCOUNT, _SIZES,
           always=_TWO_HOLDS_BBB, also={"sectors": {"tech": ["AAA"]}, "account.max_sector": 0.01}),
    _sized("max_category", "account", "account.max_category", _OF_ACCOUNT, _SIZES),
    _sized("max_category", "account", "account.max_category_of.etf", _OF_ACCOUNT, _SIZES,
           also={"categories": {"etf": ["AAA"]}}),
    _sized("max_class", "account", "account.max_class", _OF_ACCOUNT, ("10", "20", "31"), always=_TWO_HOLDS_BBB),
    _sized("max_class", "account", "account.max_class_of.stock", _OF_ACCOUNT, _SIZES),
    _sized("max_budget", "account", "account.max_budget", (2000, 4000), _SIZES),
    _sized("max_group_gross", "group pair", "groups.pair.max_group_gross", _OF_ACCOUNT, ("10", "20", "31"),
           always=_TWO_HOLDS_BBB),
    _sized("max_net", "group pair", "groups.pair.max_net", _OF_ACCOUNT, ("30", "40", "51"), always=_TWO_SHORT_BBB),
    _sized("max_position", "group pair", "groups.pair.max_position", _OF_ACCOUNT, _SIZES),
    Row("max_positions", _ONE, "own.max_positions", {"soft": 1, "hard": 2},
        soft={"one.held.BBB": "2"}, hard={"one.held.BBB": "2", "one.held.COIN/USD": "1"}),
    Row("max_positions", "account", "account.max_positions", {"soft": 1, "hard": 2},
        allow={"two.held.AAA": "1"}, soft={"two.held.BBB": "2"},
        hard={"two.held.BBB": "2", "two.buys.COIN/USD": "1"}),
    Row("max_positions", "group pair", "groups.pair.max_positions", {"soft": 1, "hard": 2},
        soft={"two.held.AAA": "1"}, hard={"two.held.AAA": "1", "two.held.BBB": "2"}),
    Row("min_cash_buffer", "account", "account.min_cash_buffer", {"soft": 0.949, "hard": 0.9},
        soft={"order.qty": "12"}, hard={"order.qty": "20"}, missing={"two.held.BBB": "1", "BBB.mark": None}),
    Row("min_equity", "account", "account.min_equity", {"soft": 20_000, "hard": 18_000},
        soft={"two.cash": "9000"}, hard={"two.cash": "7000"}),
    Row("nav", "account", "account.max_gross", 9, allow={"desk.unallocated": "-19000"},
        hard={"desk.unallocated": "-20000"}, missing={"two.held.BBB": "1", "BBB.mark": None}),
]  # fmt: skip


def _counted(rule: str, counter: str, *, of: str = "own", is_passing: bool = False) -> Row:
    """Return a row of a counter that is reached: 4 of 5, 5 (soft), 6 (hard at 6)."""
    at, scope = ("own.conduct", _ONE) if of == "own" else ("conduct", "account")
    path = "conduct.one" if of == "own" else "conduct.account"
    values = ({f"{path}.{counter}": number} for number in (4, 5, 6))
    allow, soft, hard = ({**scene} for scene in values)
    return Row(
        rule, scope, f"{at}.{rule}", {"soft": 5, "hard": 6},
        allow=allow, soft=soft, hard=hard, breaks="conduct", is_passing=is_passing,
    )  # fmt: skip


def _sent(count: int, apart: int) -> list[int]:
    return [NOW - apart * (number + 1) for number in range(count)][::-1]


_CONDUCT = [
    _counted("max_daily_orders", "tally.orders"),
    _counted("max_daily_cancels", "tally.cancels"),
    _counted("max_open_orders", "tally.open_orders", is_passing=True),
    _counted("max_rejects", "tally.rejects_in_row"),
    _counted("max_daily_orders", "orders", of="account"),
    _counted("max_open_orders", "open_orders", of="account", is_passing=True),
    *(
        Row(rule, scope, f"{at}.{rule}", {"soft": 5, "hard": 6}, breaks="conduct", is_passing=True,
            allow={path: _sent(4, apart)}, soft={path: _sent(5, apart)}, hard={path: _sent(6, apart)})
        for rule, apart in (("max_orders_per_second", SECOND // 10), ("max_orders_per_minute", SECOND))
        for scope, at, path in (
            (_ONE, "own.conduct", "conduct.one.tally.messages"), ("account", "conduct", "conduct.account.messages")
        )
    ),
    *(
        Row(rule, _ONE, f"own.conduct.{rule}", {"soft": 0.25, "hard": 0.5}, breaks="conduct",
            always={"conduct.one.tally.orders": 20}, allow={f"conduct.one.tally.{counter}": 5},
            soft={f"conduct.one.tally.{counter}": 6}, hard={f"conduct.one.tally.{counter}": 11})
        for rule, counter in (("max_cancel_ratio", "cancels"), ("max_error_rate", "rejects"))
    ),
    Row("duplicate", _ONE, "own.conduct.duplicate", {"soft": 30, "hard": 10}, breaks="conduct",
        allow={"conduct.one.slots": {"AAA": SlotTally(bought=_SENT)}},
        soft={"conduct.one.slots": {"AAA": SlotTally(bought=_SENT)}, "order.ts": NOW - SECOND},
        hard={"conduct.one.slots": {"AAA": SlotTally(bought=_SENT)}, "order.ts": NOW - 21 * SECOND}),
    Row("cooldown", _ONE, "own.conduct.cooldown", {"soft": 60, "hard": 30}, breaks="conduct",
        allow={"conduct.one.slots": {"AAA": SlotTally(left_at=NOW - MINUTE)}},
        soft={"conduct.one.slots": {"AAA": SlotTally(left_at=NOW - 59 * SECOND)}},
        hard={"conduct.one.slots": {"AAA": SlotTally(left_at=NOW - 29 * SECOND)}}),
    Row("max_repeats", _ONE, "own.conduct.max_repeats", {"soft": 2, "hard": 3}, breaks="conduct",
        allow={"conduct.one.slots": {"AAA": SlotTally(entries=1, entered_at=NOW - MINUTE)}},
        soft={"conduct.one.slots": {"AAA": SlotTally(entries=2, entered_at=NOW - MINUTE)}},
        hard={"conduct.one.slots": {"AAA": SlotTally(entries=3, entered_at=NOW - MINUTE)}}),
    Row("max_repeats", _ONE, "own.conduct.max_repeats", 3, breaks="conduct", hard={"conduct.one.is_spent": True}),
    Row("loss_streak", _ONE, "own.conduct.loss_streak", {"soft": 2, "hard": 3}, breaks="conduct",
        always={"conduct.one.lost_at": NOW - MINUTE}, allow={"conduct.one.losses": 1}, soft={"conduct.one.losses": 2},
        hard={"conduct.one.losses": 3}),
    Row("loss_streak", _ONE, "own.conduct", {"loss_streak": 3, "loss_streak_pause_s": 60}, breaks="conduct",
        always={"conduct.one.losses": 3}, allow={"conduct.one.lost_at": NOW - MINUTE},
        hard={"conduct.one.lost_at": NOW - 59 * SECOND}),
    Row("max_size_ratio", _ONE, "own.conduct.max_size_ratio", {"soft": 2, "hard": 4}, breaks="conduct",
        always={"conduct.one.entries": 10, "conduct.one.largest": Decimal(510)}, allow={"order.qty": "10"},
        soft={"order.qty": "15"}, hard={"order.qty": "21"}),
    *(
        Row("price_walk", scope, f"{at}.price_walk", {"soft": 0.01, "hard": 0.02}, breaks="conduct",
            always={"conduct.symbols": {"AAA": SymbolTally(period=NOW // RECENT, lowest=Decimal(100))}},
            allow={"order.price": "101"}, soft={"order.price": "101.5"}, hard={"order.price": "102.5"})
        for scope, at in ((_ONE, "own.conduct"), ("symbol AAA", "conduct"))
    ),
    Row("max_open_orders_per_symbol", "symbol AAA", "conduct.max_open_orders_per_symbol", {"soft": 1, "hard": 2},
        breaks="conduct", soft={"conduct.symbols": {"AAA": SymbolTally(open_orders=1)}},
        hard={"conduct.symbols": {"AAA": SymbolTally(open_orders=2)}}, is_passing=True),
]  # fmt: skip

_TAIL = [
    Row("max_var", "account", "var.max_var", {"soft": 0.0016449, "hard": 0.003}, breaks="days",
        allow={"order.qty": "10"}, soft={"order.qty": "15"}, hard={"order.qty": "20"}, missing={"days": {}}),
    Row("max_es", "account", "var.max_es", {"soft": 0.0020628, "hard": 0.004}, breaks="days",
        allow={"order.qty": "10"}, soft={"order.qty": "15"}, hard={"order.qty": "20"}, missing={"days": {}}),
    Row("max_stress", "account", "var.max_stress", {"soft": 0.005, "hard": 0.01},
        also={"var.stress": [{"name": "fall", "shocks": {"stocks": -0.1}, "completed": False}]},
        allow={"order.qty": "10"}, soft={"order.qty": "15"}, hard={"order.qty": "21"}, breaks="days", missing=_NO_MARK),
]  # fmt: skip

ROWS = [*_STATE, *_OWN_BOOKS, *_ORDERS, *_EXPOSURE, *_CONDUCT, *_TAIL]
