"""Desks and orders at random: all that follows from one seed, with figures whose floats are exact."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np

from tests.risk.behaviour import Past
from tests.risk.desks import NOW, SECOND, ZERO, Bound, Desk, Flag, Order, Sandbox, Symbol

NAMES = ("AAA", "BBB", "CCC", "DDD", "EEE/USD", "FFF/USD")
_STRATEGIES = ("one", "two", "three", "four")
_BATCH = 4096

_T = TypeVar("_T")


class Dice:
    """Seeded chance, drawn many at a time."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._left: list[float] = []

    def draw(self) -> float:
        if not self._left:
            self._left = self._rng.random(_BATCH).tolist()
        return self._left.pop()

    def chance(self, of_one: float) -> bool:
        return self.draw() < of_one

    def number(self, low: int, high: int) -> int:
        return low + int(self.draw() * (high - low + 1))

    def shuffled(self, items: Sequence[_T]) -> list[_T]:
        return [items[number] for _, number in sorted((self.draw(), number) for number in range(len(items)))]

    def pick(self, among: Sequence[_T]) -> _T:
        return among[int(self.draw() * len(among))]


def desk_of(dice: Dice) -> Desk:
    """Return a desk of one to four strategies and up to six symbols, in whatever state."""
    names = [name for name in NAMES if dice.chance(0.6)] or [NAMES[0]]
    symbols = {name: _symbol(name, dice) for name in names}
    sandboxes = {name: _sandbox(name, symbols, dice) for name in _STRATEGIES[: dice.number(1, 4)]}
    desk = Desk(symbols, sandboxes, Fraction(dice.pick((0, 0, 0, 500, 20_000, -1_000))))
    for name, symbol in symbols.items():
        if dice.chance(0.05) and not any(box.held.get(name) for box in sandboxes.values()):
            symbol.mark = symbol.bid = symbol.ask = symbol.before = None
            symbol.marked_at = symbol.quoted_at = 0
    if dice.chance(0.4):  # a round figure, so that limits can be met exactly
        desk.unallocated += -_worth(desk) % 10_000
    desk.risk = _risk(desk, dice)
    flags = [_flag(desk, dice) for _ in range(dice.pick((0, 0, 0, 0, 0, 0, 1, 2)))]
    _add_conduct(desk, dice)
    desk.flags = list({(flag.scope, flag.kind, flag.level): flag for flag in flags}.values())
    return desk


def order_of(desk: Desk, dice: Dice) -> Order:
    """Return an opening, mostly, or a reduction of what its strategy holds; its size is anything."""
    box = desk.sandboxes[dice.pick(list(desk.sandboxes))]
    name = dice.pick(list(box.held))
    symbol, held = desk.symbols[name], box.held[name]
    urgency = dice.pick(("immediate", "immediate", "high", "medium", "low"))
    ts = desk.now - dice.pick((0, 0, 0, 1, 2, 5, 60)) * SECOND
    near = symbol.mark or Fraction(100)
    price = near * Fraction(dice.pick((16, 16, 16, 16, 17, 15, 20)), 16)
    if held and dice.chance(0.3):
        qty = abs(held) * Fraction(dice.pick((2, 2, 1)), 2)
        return Order(box.name, name, held < 0, qty, price, reduces=True, urgency=urgency, ts=ts)
    entries = [one for one in desk.history if one.is_entry and one.strategy == box.name]
    if entries and dice.chance(0.1):
        last = entries[-1]
        return Order(box.name, last.symbol, last.is_buy, last.qty, last.price, urgency=urgency, ts=ts)
    is_buy = dice.chance(0.6 if box.allow_short and not symbol.is_coin else 0.97)
    if held and dice.chance(0.97):
        is_buy = held > 0
    worth = dice.pick((1, 20, 100, 500, 1_000, 2_000, 3_000, 5_000)) * Fraction(dice.pick((2, 2, 1, 3)), 2)
    grain = 1 if symbol.step == 1 or not is_buy else dice.pick((1, 2, 10, 10_000 if not symbol.is_coin else 1_024))
    if dice.chance(0.02):
        grain = 64
    qty = Fraction(max(round(worth / price * grain), 0 if dice.chance(0.02) else 1), grain)
    return Order(box.name, name, is_buy, qty, price, urgency=urgency, ts=ts)


def _symbol(name: str, dice: Dice) -> Symbol:
    is_coin = "/" in name
    mark = Fraction(dice.number(20, 2_000), 4)
    symbol = Symbol(name, mark)
    if is_coin:
        symbol.step, symbol.least = Fraction(1, 10**9), Fraction(10)
    elif dice.chance(0.3):
        symbol.step = Fraction(1)
    symbol.marked_at = NOW - dice.pick((0, 0, 1, 30, 61, 3_600)) * SECOND
    if dice.chance(0.7):
        half = Fraction(dice.pick((0, 1, 1, 4, 32)), 128)
        symbol.bid, symbol.ask = mark - half, mark + half
        symbol.bid_size, symbol.ask_size = Fraction(dice.number(0, 500)), Fraction(dice.number(0, 500))
        symbol.quoted_at = NOW - dice.pick((0, 0, 2, 90)) * SECOND
    if dice.chance(0.8):
        symbol.before = mark * Fraction(dice.pick((32, 32, 36, 31)), 32)
    if dice.chance(0.7):
        symbol.sigma_day = Fraction(dice.number(1, 64), 1024)
        symbol.vol_ratio = Fraction(dice.number(2, 40), 8)
        symbol.volume_day = Fraction(dice.number(1, 4_000) * 10)
    if dice.chance(0.15):
        symbol.external = Fraction(dice.number(-30, 60))
    return symbol


def _sandbox(name: str, symbols: dict[str, Symbol], dice: Dice) -> Sandbox:
    traded = [one for one in symbols.values() if dice.chance(0.75)] or [dice.pick(list(symbols.values()))]
    box = Sandbox(name, Fraction(dice.pick((10_000, 20_000, 5_000, 2_500, 40_000))), {})
    box.allow_short = dice.chance(0.6)
    for symbol in traded:
        held = ZERO
        worth = symbol.mark or Fraction(100)
        if dice.chance(0.45):
            sign = -1 if box.allow_short and not symbol.is_coin and dice.chance(0.5) else 1
            held = sign * Fraction(round(box.cash * dice.number(1, 6) / 16 / worth * 2), 2)
        box.held[symbol.name] = held
        box.buys[symbol.name] = box.sells[symbol.name] = ZERO
        if dice.chance(0.25):
            qty = Fraction(round(box.cash / 16 / worth * 2), 2)
            if held >= 0 and dice.chance(0.7):
                box.buys[symbol.name] = qty
                box.reserved += qty * worth * Fraction(102, 100)
            else:
                box.sells[symbol.name] = min(qty, abs(held)) if held > 0 else qty
    for symbol in traded:
        box.cash -= box.held[symbol.name] * (symbol.mark or Fraction(100))
    box.cash = Fraction(round(box.cash * 4), 4)
    box.reserved = Fraction(round(box.reserved * 4), 4)
    if dice.chance(0.02):
        box.state = dice.pick(("paused", "halted"))
    box.why = "somebody said so" if dice.chance(0.015) else ""
    box.is_warm = not dice.chance(0.015)
    box.trades = dice.number(0, 8)
    box.loss_reached = dice.chance(0.01)
    box.limits = _some(_OWN, dice) | {"max_position_size": Fraction(dice.pick((5, 19, 19, 20)), 20)}
    if dice.chance(0.06):
        box.limits["max_daily_trades"] = dice.number(1, 12)
    return box


def _risk(desk: Desk, dice: Dice) -> dict[str, Any]:
    names, boxes = list(desk.symbols), list(desk.sandboxes)
    risk: dict[str, Any] = {"account": _some(_ACCOUNT, dice), "weekly_factor": dice.pick(_PARTS[1:4])}
    for rule, buckets in (("max_sector", _BUCKETS), ("max_category", _BUCKETS), ("max_class", ("stock", "crypto"))):
        if dice.chance(0.2):
            risk["account"][f"{rule}_of"] = {name: _bound(_PARTS, dice) for name in buckets if dice.chance(0.5)}
    for key in ("sectors", "categories"):
        risk[key] = {bucket: tuple(name for name in names if dice.chance(0.4)) for bucket in _BUCKETS[:-1]}
    risk["orders"] = {kind: _some(_ORDERS, dice) for kind in ("stock", "crypto") if dice.chance(0.8)}
    for limits in risk["orders"].values():
        limits["impact_coefficient"] = dice.pick((Fraction(1), Fraction(1, 2), Fraction(3)))
        limits["max_decimals"] = dice.pick((9, 9, 9, 9, 9, 9, 4, 2))
    risk["symbols"] = {name: _some(_SYMBOL, dice) for name in names if dice.chance(0.2)}
    risk["groups"] = {
        name: {"strategies": tuple(dice.shuffled(boxes)[: dice.number(1, len(boxes))])} | _some(_GROUP, dice)
        for name in ("all", "some")
        if dice.chance(0.4)
    }
    if dice.chance(0.15):
        risk["var"] = _some(dict.fromkeys(("max_var", "max_es", "max_stress"), _LOSSES), dice)
        risk["var"]["shocks"] = {name: Fraction(dice.number(-16, 4), 32) for name in names if dice.chance(0.8)}
    if dice.chance(0.1):
        risk["restricted"] = (dice.pick(names),)
    if dice.chance(0.1):
        risk["allowed"] = tuple(name for name in names if dice.chance(0.8))
    if dice.chance(0.1):
        risk["authorized"] = {dice.pick(boxes): tuple(name for name in names if dice.chance(0.7))}
    return risk


def _add_conduct(desk: Desk, dice: Dice) -> None:
    """Add rules of conduct, and a past in which they may have been met."""
    desk.risk["conduct"] = _some(_CONDUCT | {"max_open_orders_per_symbol": _NUMBERS[1:]}, dice)
    for box in desk.sandboxes.values():
        own = box.limits["conduct"] = _some(_CONDUCT | _CONDUCT_OF_ONE, dice)
        own |= {rule: _bound(_WAITS, dice) for rule in ("duplicate", "cooldown") if dice.chance(0.1)}
        own["loss_streak_pause_s"] = dice.pick((Fraction(60), Fraction(3600)))
    for name in dice.pick(((), (), tuple(desk.sandboxes))):
        desk.history += _past_of(desk.sandboxes[name], desk, dice)
    desk.history.sort(key=lambda one: one.ts)


def _past_of(box: Sandbox, desk: Desk, dice: Dice) -> list[Past]:
    """Return what one strategy did in the last minutes, every order from its being sent to its end, if it has ended."""
    past: list[Past] = []
    ts = NOW - dice.pick((20, 60, 300, 1_200)) * SECOND
    for _ in range(dice.pick((0, 6, 30, 50))):
        ts += dice.pick((0, 0, 1, 5, 20)) * SECOND + dice.number(0, 9) * SECOND // 10
        if ts > NOW:
            break
        name = dice.pick(list(box.held))
        price = (desk.symbols[name].mark or Fraction(100)) * Fraction(dice.number(31, 33), 32)
        side: dict[str, Any] = {
            "symbol": name,
            "is_buy": dice.chance(0.6),
            "qty": Fraction(dice.number(1, 20)),
            "price": price,
        }
        past.append(Past(ts, "sent", box.name, reduces=dice.chance(0.3), **side))
        for kind in dice.pick(
            (("accepted",), ("refused", "ended"), ("canceling", "ended"), ("accepted", "filled", "ended"))
        ):
            if kind == "filled":
                gained = Fraction(dice.pick((0, 0, 7, -7)))
                past.append(Past(ts, kind, box.name, realized=gained, is_flat=dice.chance(0.5), **side))
            else:
                past.append(Past(ts, kind, box.name, **side))
        if dice.chance(0.05):
            kind, who = dice.pick((("day", box.name), ("resumed", box.name), ("resumed", ""), ("spent", box.name)))
            past.append(Past(ts, kind, who))
    return past


def _some(rules: Mapping[str, Sequence[Fraction]], dice: Dice) -> dict[str, Any]:
    """Return bounds for some of these rules."""
    share = dice.pick((0.0, 0.03, 0.1, 0.3))
    return {rule: _bound(levels, dice) for rule, levels in rules.items() if dice.chance(share)}


def _bound(levels: Sequence[Fraction], dice: Dice) -> Bound:
    """Return one of the levels, or two with the tighter one soft; they stand from the tightest to the loosest."""
    place = dice.number(0, len(levels) - 1)
    kind = dice.number(0, 3)
    if kind == 0:
        return Bound(soft=levels[place])
    if kind == 1 and place:
        return Bound(hard=levels[place], soft=levels[dice.number(0, place - 1)])
    return Bound(hard=levels[place])


def _flag(desk: Desk, dice: Dice) -> Flag:
    scopes = ["account", *(f"strategy {name}" for name in desk.sandboxes), *(f"symbol {name}" for name in desk.symbols)]
    scopes += [f"group {name}" for name in desk.risk["groups"]]
    if dice.chance(0.6):
        wild = dice.chance(0.5)
        scope = "account" if wild else dice.pick(scopes)
        return Flag(scope, "regime" if wild else "weekly_loss", "hard", "tighten", dice.pick(("1.25", "2", "3.2")))
    action = dice.pick(("alert", "reduce_only", "force_reduce", "halt_strategy", "halt_desk"))
    return Flag(dice.pick(scopes), dice.pick(("daily_loss", "drawdown", "max_gross")), "hard", action, "12")


def _worth(desk: Desk) -> Fraction:
    worth = desk.unallocated + sum(box.cash for box in desk.sandboxes.values())
    for name, symbol in desk.symbols.items():
        held = symbol.external + sum(box.held.get(name, ZERO) for box in desk.sandboxes.values())
        worth += held * (symbol.mark or ZERO)
    return worth


def _levels(*texts: str) -> tuple[Fraction, ...]:
    return tuple(map(Fraction, texts))


_BUCKETS = ("tech", "metals", "unknown")
_PARTS = _levels("0.1", "0.2", "0.25", "0.4", "0.5", "0.8", "1")
_TIMES = _levels("0.1", "0.25", "0.5", "0.75", "1", "1.5", "2", "4", "6")
_DOLLARS = _levels("100", "1000", "2500", "5000", "10000", "20000", "50000")
_NUMBERS = _levels("0", "1", "2", "3", "4", "5")
_SIZES = _levels("1", "10", "50", "100", "200")
_MOVES = _levels("0.0005", "0.001", "0.01", "0.03125", "0.0625", "0.125", "0.5")
_AGES = _levels("0", "1", "2", "5", "30", "60", "90")
_SYMBOL = {"max_position": _TIMES, "max_position_value": _DOLLARS}
_GROUP = {"max_group_gross": _TIMES, "max_net": _TIMES, "max_position": _PARTS, "max_positions": _NUMBERS}
_OWN = {
    "max_position_value": _DOLLARS, "max_gross": _TIMES, "max_net": _TIMES, "max_positions": _NUMBERS,
    "max_budget": _DOLLARS, "max_order_qty": _SIZES, "max_order_value": _DOLLARS,
}  # fmt: skip
_ACCOUNT = _SYMBOL | {
    "max_gross": _TIMES, "max_net": _TIMES, "max_leverage": _TIMES, "max_equity_multiple": _TIMES[4:],
    "max_sector": _TIMES, "max_category": _TIMES, "max_class": _TIMES, "max_positions": _NUMBERS,
    "max_budget": _DOLLARS, "min_cash_buffer": _PARTS[::-1], "min_equity": _DOLLARS[::-1],
}  # fmt: skip
_LOSSES = _levels("0.001", "0.005", "0.01", "0.02", "0.05", "0.1")
_WAITS = _levels("60", "30", "10", "5", "1")
_COUNTS = _levels("1", "2", "3", "5", "8", "12", "20")
_CONDUCT = {
    "max_orders_per_second": _COUNTS, "max_orders_per_minute": _COUNTS, "max_daily_orders": _COUNTS,
    "max_daily_cancels": _COUNTS, "max_open_orders": _COUNTS, "max_cancel_ratio": _PARTS, "max_rejects": _COUNTS,
    "max_error_rate": _PARTS, "price_walk": _MOVES,
}  # fmt: skip
_CONDUCT_OF_ONE = {"max_repeats": _COUNTS, "loss_streak": _COUNTS[:3], "max_size_ratio": _TIMES[4:]}
_ORDERS = {
    "max_intent_age_s": _AGES, "max_price_move": _MOVES, "price_collar": _MOVES, "max_mark_age_s": _AGES,
    "max_price_jump": _MOVES, "max_spread": _MOVES, "min_depth": _DOLLARS[::-1], "max_order_qty": _SIZES,
    "max_order_value": _DOLLARS, "max_volume_share": _PARTS, "max_depth_share": _PARTS, "max_impact": _MOVES,
}  # fmt: skip
