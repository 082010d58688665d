"""What the gate should say, worked out the slow way: plain loops over plain figures, in fractions, every rule alone.

It shares no code with ``trader.risk`` and knows of its rules only what the settings promise. A rule that is broken is
named with its scope and level; which one a gate names first is its own affair, that it names one of these is not.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from tests.risk.behaviour import conduct
from tests.risk.desks import SECOND, ZERO, Bound, Desk, Order, Sandbox, Symbol

NEARLY = Fraction(1, 10**8)  # nearer than this to a limit, and not on it, floats may say either
ONE = Fraction(1)
RESERVED = Fraction(102, 100)  # of what an opening is worth where it was decided
Z_95 = Fraction("1.6448536269514722")  # deviations that a normal loss exceeds on one day of twenty
ES_95 = Fraction("2.0627128075074257")  # and by which it does in the mean

Figure = Fraction | None  # None: cannot be known
Finding = tuple[str, str, str]  # level, rule, scope; the level is "close" where either is right


@dataclass
class Judgement:
    """Rules that an order breaks, with their scopes: ``hard``, ``soft``, and ``close`` where floats may say either."""

    hard: set[tuple[str, str]] = field(default_factory=set)
    soft: set[tuple[str, str]] = field(default_factory=set)
    close: set[tuple[str, str]] = field(default_factory=set)


class View:
    """A desk with the account's position in each symbol, and what the account is worth."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.places = _by_symbol(desk)
        self.nav = _nav(desk, self.places)


def judge(desk: Desk, order: Order, view: "View | None" = None) -> Judgement:
    """Name all that an order breaks; a reduction breaks nothing. Who has a ``view`` of the desk may give it."""
    judgement = Judgement()
    view = view or View(desk)
    if not order.reduces:
        for rule in (_stopped, _not_permitted, _too_small, _own, _market, _account, _buckets, _groups, _tail):
            for level, name, scope in rule(view, order):
                getattr(judgement, level).add((name, scope))
        for level, name, scope in conduct(desk, order, _most, _least):
            getattr(judgement, level).add((name, scope))
    return judgement


def reservation(order: Order) -> Fraction:
    """Return the dollars that are to be set aside."""
    return ZERO if order.reduces else order.qty * order.price * RESERVED


# --- may it open anything at all --------------------------------------------------------------------------------------


def _stopped(view: View, order: Order) -> Iterator[Finding]:
    desk = view.desk
    box = desk.sandboxes[order.strategy]
    scope = f"strategy {box.name}"
    if box.why:
        yield "hard", "held", f"symbol {order.symbol}"
    if box.state != "active":
        yield "hard", box.state, scope
    if box.loss_reached:
        yield "hard", "max_daily_loss", scope
    most = box.limits.get("max_daily_trades")
    if most is not None and box.trades >= most:
        yield "hard", "max_daily_trades", scope
    if not box.is_warm:
        yield "hard", "not_warm", f"symbol {order.symbol}"
    if box.cash <= 0:
        yield "hard", "cash", scope
    scopes = {scope, "account", f"symbol {order.symbol}"}
    scopes |= {
        f"group {name}" for name, group in desk.risk.get("groups", {}).items() if box.name in group["strategies"]
    }
    for flag in desk.flags:
        if flag.scope in scopes and flag.action not in {"alert", "tighten"}:
            yield "hard", "reduce_only", flag.scope


def _not_permitted(view: View, order: Order) -> Iterator[Finding]:
    desk = view.desk
    risk, name = desk.risk, order.symbol
    authorized = risk.get("authorized", {})
    if order.strategy in authorized and name not in authorized[order.strategy]:
        yield "hard", "unauthorized", f"strategy {order.strategy}"
    if name in risk.get("restricted", ()):
        yield "hard", "restricted", f"symbol {name}"
    if risk.get("allowed") and name not in risk["allowed"]:
        yield "hard", "not_allowed", f"symbol {name}"


def _too_small(view: View, order: Order) -> Iterator[Finding]:
    """Look at the order's own figures: smallest order, steps, shorts."""
    desk = view.desk
    symbol, box = desk.symbols[order.symbol], desk.sandboxes[order.strategy]
    if order.qty <= 0 or order.qty * order.price < symbol.least:
        yield "hard", "min_notional", "order"
    if order.qty % symbol.step:
        yield "hard", "qty_increment", "order"
    limits = desk.risk.get("orders", {}).get("crypto" if symbol.is_coin else "stock", {})
    net = view.places[order.symbol].held
    if order.qty * 10 ** limits.get("max_decimals", 9) % 1:
        yield "hard", "max_decimals", "order"
    if not order.is_buy:
        if not box.allow_short:
            yield "hard", "allow_short", f"strategy {box.name}"
        if symbol.is_coin:
            yield "hard", "crypto_short", "order"
        elif order.qty % 1 and order.qty > net:
            yield "hard", "fractional_short", "order"
    if box.held[order.symbol] * _signed(order) < 0:
        yield "hard", "crosses_zero", f"strategy {box.name}"
    elif net * _signed(order) < 0 and order.qty > abs(net):
        yield "hard", "crosses_zero", "account"


# --- the strategy's own money -----------------------------------------------------------------------------------------


def _own(view: View, order: Order) -> Iterator[Finding]:
    desk = view.desk
    box = desk.sandboxes[order.strategy]
    limits, scope = box.limits, f"strategy {box.name}"
    if reservation(order) > box.cash - box.reserved:
        yield "hard", "free_cash", scope
    equity = _equity_of(desk, box)
    after = abs(box.held[order.symbol] + _signed(order)) * order.price
    if equity is None or after > equity * limits["max_position_size"]:
        yield "hard", "max_position_size", scope
    for rule, figure in (("max_order_qty", order.qty), ("max_order_value", order.qty * order.price)):
        yield from _most(rule, "order", limits.get(rule), figure)
    if not limits.keys().isdisjoint(_MEASURES):
        places = _slots(desk, [(box, name) for name in box.held])
        ring = _Ring(places, (box.name, order.symbol), equity, _tightness(desk, {"account", scope}))
        yield from _ring(order, scope, limits, ring)


# --- the market it would meet -----------------------------------------------------------------------------------------


def _market(view: View, order: Order) -> Iterator[Finding]:
    """Look at the order against what is known of its market; what is not known breaks whatever asks for it."""
    desk = view.desk
    symbol = desk.symbols[order.symbol]
    kind = "crypto" if symbol.is_coin else "stock"
    limits = desk.risk.get("orders", {}).get(kind, {})
    mark, touch = symbol.mark, symbol.ask_size if order.is_buy else symbol.bid_size
    far = symbol.ask if order.is_buy else symbol.bid
    figures: dict[str, tuple[str, Callable[[], Figure]]] = {
        "max_intent_age_s": ("stale_intent", lambda: Fraction(desk.now - order.ts, SECOND)),
        "max_price_move": ("price_moved", lambda: _apart(mark, order.price)),
        "price_collar": ("", lambda: _apart(order.price if far is None else far, mark)),  # where it would trade
        "max_mark_age_s": ("stale_mark", lambda: _age(symbol.marked_at, desk.now)),
        "max_price_jump": ("price_jump", lambda: _apart(mark, symbol.before)),
        "max_spread": ("", lambda: _spread(symbol)),
        "max_order_qty": ("", lambda: order.qty),
        "max_order_value": ("", lambda: order.qty * order.price),
        "max_volume_share": ("", lambda: _part(order.qty, symbol.volume_day)),
        "max_depth_share": ("", lambda: _part(order.qty, touch)),
    }
    for key, bound in limits.items():
        if key in figures:
            name, figure = figures[key]
            yield from _most(name or key, "order", bound, figure())
    yield from _least("min_depth", "order", limits.get("min_depth"), _times(touch, far))
    if "max_impact" in limits:
        yield from _impact(limits, symbol, order)
    yield from _closed(limits, desk.now)


def _age(ts: int, now: int) -> Figure:
    return Fraction(now - ts, SECOND) if ts else None


def _impact(limits: Mapping[str, Any], symbol: Symbol, order: Order) -> Iterator[Finding]:
    """Compare squares: the impact is coefficient × daily deviation × the root of the share of a day's volume."""
    bound: Bound = limits["max_impact"]
    squared = Bound(*(None if level is None else level**2 for level in (bound.hard, bound.soft)))
    share = _part(order.qty, symbol.volume_day)
    coefficient = limits.get("impact_coefficient", Fraction(1))
    known = share is not None and symbol.sigma_day is not None
    figure = (coefficient * symbol.sigma_day) ** 2 * share if known else None
    yield from _most("max_impact", "order", squared, figure)


def _closed(limits: Mapping[str, Any], now: int) -> Iterator[Finding]:
    if not limits.get("close_only"):
        return
    local = datetime.fromtimestamp(now // SECOND, UTC).astimezone(ZoneInfo("America/New_York"))
    clock = f"{local:%H:%M}"
    for days, begin, end in limits.get("close_only", ()):
        if local.weekday() in days and begin <= clock < end:
            yield "hard", "close_only", "order"


def _spread(symbol: Symbol) -> Figure:
    if symbol.bid is None or symbol.ask is None:
        return None
    return (symbol.ask - symbol.bid) / ((symbol.ask + symbol.bid) / 2)


# --- everyone together ------------------------------------------------------------------------------------------------


class Place:
    """One position with all that may still happen to it: ``worst`` is the most it may come to, ``value`` in dollars."""

    def __init__(self, held: Fraction, buys: Fraction, sells: Fraction, mark: Figure) -> None:
        self.held, self.buys, self.sells, self.mark = held, buys, sells, mark
        self.high, self.low = held + buys if buys else held, held - sells if sells else held
        self.worst = max(abs(self.high), abs(self.low)) if self.high or self.low else ZERO
        self.value = _times(self.worst, mark) if self.worst else ZERO


@dataclass
class _Ring:
    """Some positions by any key, the one that is asked about, what they are measured by, and how tight limits are."""

    places: dict[Any, Place]
    asked: Any
    equity: Figure
    tightness: Fraction


_SHARES = ("max_position", "max_gross", "max_group_gross", "max_leverage", "max_net", "max_equity_multiple")
_UNSCALED = {"max_positions", "max_equity_multiple"}


def _account(view: View, order: Order) -> Iterator[Finding]:
    desk = view.desk
    limits, nav = desk.risk.get("account", {}), view.nav
    if nav is None or nav <= 0:
        yield "hard", "nav", "account"
    yield from _least("min_equity", "account", limits.get("min_equity"), nav)
    if "min_cash_buffer" in limits:
        yield from _least("min_cash_buffer", "account", limits["min_cash_buffer"], _part(_free(view, order), nav))
    symbol = f"symbol {order.symbol}"
    of_all = {rule: bound for rule, bound in limits.items() if rule not in {"max_position", "max_position_value"}}
    of_one = {rule: limits[rule] for rule in ("max_position", "max_position_value") if rule in limits}
    of_one |= desk.risk.get("symbols", {}).get(order.symbol, {})
    ring = _Ring(view.places, order.symbol, nav, _tightness(desk, {"account", symbol}))
    yield from _ring(order, "account", of_all, ring)
    yield from _ring(order, symbol, of_one, ring)


def _buckets(view: View, order: Order) -> Iterator[Finding]:
    """Look at the sector, the category and the class that the order's symbol is in."""
    desk = view.desk
    limits, nav = desk.risk.get("account", {}), view.nav
    for rule, key in (("max_sector", "sectors"), ("max_category", "categories"), ("max_class", "")):
        name = _bucket(desk, key, order.symbol)
        bound = limits.get(f"{rule}_of", {}).get(name, limits.get(rule))
        if bound is None:
            continue
        members = {one: place for one, place in view.places.items() if _bucket(desk, key, one) == name}
        before = _gross(members)
        after = _gross(_with(order, members, order.symbol))
        tightness = _tightness(desk, {"account", f"symbol {order.symbol}"})
        yield from _grown(rule, "account", bound, (_part(before, nav), _part(after, nav)), tightness)


def _groups(view: View, order: Order) -> Iterator[Finding]:
    desk = view.desk
    for name, group in desk.risk.get("groups", {}).items():
        if order.strategy in group["strategies"] and not group.keys().isdisjoint(_MEASURES):
            boxes = [desk.sandboxes[one] for one in group["strategies"]]
            places = _slots(desk, [(box, symbol) for box in boxes for symbol in box.held])
            scope = f"group {name}"
            ring = _Ring(places, (order.strategy, order.symbol), view.nav, _tightness(desk, {"account", scope}))
            yield from _ring(order, scope, group, ring)


def _tail(view: View, order: Order) -> Iterator[Finding]:
    """Add up what each position may lose, the worse way filled; where no past day is known nothing offsets another."""
    limits, desk = view.desk.risk.get("var", {}), view.desk
    if limits.keys().isdisjoint({"max_var", "max_es", "max_stress"}):
        return
    new = dict(view.places)
    one, moved = new[order.symbol], _signed(order)
    new[order.symbol] = Place(one.held + moved, one.buys, one.sells, one.mark)  # it is sure to fill
    tightness = _tightness(desk, {"account"})
    for rule, loss in (("max_var", Z_95), ("max_es", ES_95), ("max_stress", None)):
        if rule in limits:
            before, after = (_loss(desk, places, loss) for places in (view.places, new))
            if before is not None and after is not None and abs(after - before) <= NEARLY * after:
                levels = _most(rule, "account", limits[rule], _part(after, view.nav), tightness)
                yield from (("close", name, scope) for _, name, scope in levels)
            elif before is None or after is None or after > before:
                yield from _most(rule, "account", limits[rule], _part(after, view.nav), tightness)


def _loss(desk: Desk, places: Mapping[str, Place], deviations: Fraction | None) -> Figure:
    """Return the loss of so many daily deviations of each position, or without them of the stress."""
    total = ZERO
    for name, place in places.items():
        if not place.worst:
            continue
        sigma, shock = desk.symbols[name].sigma_day, desk.risk["var"]["shocks"].get(name, ZERO)
        if place.mark is None or (deviations is not None and sigma is None):
            return None
        if deviations is None:
            total += max(-place.high * shock, -place.low * shock) * place.mark
        else:
            total += deviations * (sigma or ZERO) * place.worst * place.mark
    return total


def _ring(order: Order, scope: str, limits: Mapping[str, Any], ring: _Ring) -> Iterator[Finding]:
    """Compare what some positions may come to, with the order and without, to the limits on them."""
    if limits.keys().isdisjoint(_MEASURES):
        return
    old, new = ring.places, _with(order, ring.places, ring.asked)
    for rule, bound in limits.items():
        if rule in _MEASURES:
            before, after = (_MEASURES[rule](places, ring.asked) for places in (old, new))
            if rule in _SHARES:
                before, after = _part(before, ring.equity), _part(after, ring.equity)
            yield from _grown(rule, scope, bound, (before, after), ONE if rule in _UNSCALED else ring.tightness)


def _by_symbol(desk: Desk) -> dict[str, Place]:
    """Return the account's position in each symbol: all strategies, and other hands."""
    places = {}
    for name, symbol in desk.symbols.items():
        boxes = [box for box in desk.sandboxes.values() if name in box.held]
        held = sum((box.held[name] for box in boxes if box.held[name]), symbol.external)
        buys, sells = (sum((of[name] for of in sides if of[name]), ZERO) for sides in (
            [box.buys for box in boxes], [box.sells for box in boxes]
        ))  # fmt: skip
        places[name] = Place(held, buys, sells, symbol.mark)
    return places


def _slots(desk: Desk, places: Iterable[tuple[Sandbox, str]]) -> dict[tuple[str, str], Place]:
    return {
        (box.name, name): Place(box.held[name], box.buys[name], box.sells[name], desk.symbols[name].mark)
        for box, name in places
    }


def _with(order: Order, places: Mapping[Any, Place], asked: Any) -> dict[Any, Place]:
    """Return the positions with the order on its way."""
    one = places[asked]
    buys, sells = (order.qty, ZERO) if order.is_buy else (ZERO, order.qty)
    return {**places, asked: Place(one.held, one.buys + buys, one.sells + sells, one.mark)}


def _gross(places: Mapping[Any, Place]) -> Figure:
    total = ZERO
    for place in places.values():
        value = place.value
        if value is None:
            return None
        total += value
    return total


def _net(places: Mapping[Any, Place]) -> Figure:
    """Return the larger of what all buys and what all sells would leave, signed values added up."""
    if _gross(places) is None:
        return None
    up = sum((one.high * one.mark for one in places.values() if one.worst and one.mark), ZERO)
    down = sum((one.low * one.mark for one in places.values() if one.worst and one.mark), ZERO)
    return max(abs(up), abs(down))


def _position(places: Mapping[Any, Place], asked: Any) -> Figure:
    return places[asked].value


def _count(places: Mapping[Any, Place]) -> Fraction:
    return Fraction(sum(place.worst != 0 for place in places.values()))


_MEASURES: dict[str, Callable[[Mapping[Any, Place], Any], Figure]] = {
    "max_position": _position,
    "max_position_value": _position,
    **dict.fromkeys(
        ("max_gross", "max_group_gross", "max_leverage", "max_equity_multiple", "max_budget"),
        lambda places, _: _gross(places),
    ),
    "max_net": lambda places, _: _net(places),
    "max_positions": lambda places, _: _count(places),
}


def _nav(desk: Desk, places: Mapping[str, Place]) -> Figure:
    worth = desk.unallocated + sum((box.cash for box in desk.sandboxes.values()), ZERO)
    for place in places.values():
        if place.worst and place.mark is None:
            return None
        worth += place.held * (place.mark or ZERO)
    return worth


def _free(view: View, order: Order) -> Figure:
    """Return the cash that is neither owed to shorts nor set aside, the order's own share included."""
    desk = view.desk
    free = desk.unallocated + sum((box.cash - box.reserved for box in desk.sandboxes.values()), ZERO)
    for place in view.places.values():
        if place.held < 0:
            if place.mark is None:
                return None
            free += place.held * place.mark
    return free - reservation(order)


def _equity_of(desk: Desk, box: Sandbox) -> Figure:
    worth = box.cash
    for name, held in box.held.items():
        mark = desk.symbols[name].mark
        if held and mark is None:
            return None
        worth += held * (mark or ZERO)
    return worth


def _tightness(desk: Desk, scopes: set[str]) -> Fraction:
    """Return what limits are divided by: as wild as the market is, and once more after a bad week."""
    wild, cut = Fraction(1), Fraction(1)
    for flag in desk.flags:
        if flag.action == "tighten" and flag.scope in scopes:
            if flag.kind == "regime":
                wild = Fraction(flag.value)
            else:
                cut = desk.risk.get("weekly_factor", Fraction(1, 2))
    return wild / cut


def _bucket(desk: Desk, key: str, name: str) -> str:
    if not key:
        return "crypto" if desk.symbols[name].is_coin else "stock"
    return next((bucket for bucket, names in desk.risk.get(key, {}).items() if name in names), "unknown")


# --- comparing --------------------------------------------------------------------------------------------------------


def _most(rule: str, scope: str, bound: Bound | None, figure: Figure, tightness: Fraction = ONE) -> Iterator[Finding]:
    """Compare a figure with the most that is allowed; what is not known is too much."""
    if bound is None or (bound.hard is None and bound.soft is None):
        return
    if figure is None:
        yield "hard", rule, scope
        return
    for level, limit in (("hard", bound.hard), ("soft", bound.soft)):
        if limit is None:
            continue
        beyond = figure - (limit if tightness == 1 else limit / tightness)
        if beyond and abs(beyond) <= NEARLY * abs(limit):
            yield "close", rule, scope
        elif beyond > 0:
            yield level, rule, scope
            return


def _least(rule: str, scope: str, bound: Bound | None, figure: Figure) -> Iterator[Finding]:
    if bound is None:
        return
    turned = Bound(*(None if level is None else -level for level in (bound.hard, bound.soft)))
    yield from _most(rule, scope, turned, None if figure is None else -figure)


def _grown(
    rule: str, scope: str, bound: Bound | None, figures: tuple[Figure, Figure], tightness: Fraction
) -> Iterator[Finding]:
    """Compare as above; what an order makes no larger than it was may be too large."""
    before, after = figures
    if before is not None and after is not None and after <= before:
        return
    yield from _most(rule, scope, bound, after, tightness)


def _times(one: Figure, other: Figure) -> Figure:
    return None if one is None or other is None else one * other


def _part(one: Figure, of: Figure) -> Figure:
    return None if one is None or of is None or of <= 0 else one / of


def _signed(order: Order) -> Fraction:
    return order.qty if order.is_buy else -order.qty


def _apart(price: Figure, of: Figure) -> Figure:
    return None if not price or not of else abs(price / of - 1)


if __name__ == "__main__":
    from tests.risk.trial import main

    main()
