"""Controls of the order itself: on the newest market, in every tier.

*Why a plan:* a limit that is not set costs nothing. What is set for a strategy and an asset class is put in a list
once, and an order walks through it.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from math import isnan, nan, sqrt
from operator import attrgetter, le
from typing import Final

from trader.model.instruments import AssetClass
from trader.model.money import EXACT, ONE
from trader.model.time import SECOND
from trader.model.views import Question
from trader.risk.bounds import TOLERANCE, Bound, Breach
from trader.risk.checks import RESTART, Check, Unit, breach_of, check_of
from trader.risk.hours import Hours
from trader.risk.limits import Limits, OrderLimits
from trader.risk.opening import Opening

Measure = Callable[[Opening], float]
ORDER_TYPE: Final = "market"  # all that the desk sends as yet
FINEST: Final = 9  # decimals of the smallest increment, which every quantity is a multiple of


def _intent_age(opening: Opening) -> float:
    return (opening.question.now - opening.intent.ts) / SECOND


def _move(opening: Opening) -> float:
    return abs(opening.market.mark / opening.price - 1.0) if opening.price else nan


def _collar(opening: Opening) -> float:
    """Return how far from the mark the order would trade: at the quote it meets, else where it was decided."""
    market = opening.market
    price = market.ask if opening.signed > 0 else market.bid
    if isnan(price):
        price = opening.price
    return abs(price / market.mark - 1.0) if market.mark else nan


def _mark_age(opening: Opening) -> float:
    marked_at = opening.market.marked_at
    return (opening.question.now - marked_at) / SECOND if marked_at else nan


def _jump(opening: Opening) -> float:
    market = opening.market
    return abs(market.mark / market.before - 1.0) if market.before else nan


def _spread(opening: Opening) -> float:
    bid, ask = opening.market.bid, opening.market.ask
    return (ask - bid) / (ask + bid) * 2.0 if bid + ask else nan


def _depth(opening: Opening) -> float:
    market = opening.market
    return market.ask_size * market.ask if opening.signed > 0 else market.bid_size * market.bid


def _volume_share(opening: Opening) -> float:
    volume = opening.market.volume_day
    return opening.qty / volume if volume > 0 else nan


def _depth_share(opening: Opening) -> float:
    size = opening.market.ask_size if opening.signed > 0 else opening.market.bid_size
    return opening.qty / size if size > 0 else nan


def _impact(opening: Opening) -> float:
    """Return the daily deviation times the root of the share of the day's volume: impact at a coefficient of 1.

    Source: Toth et al. (2011), "Anomalous price impact", eq. 1.
    """
    return opening.market.sigma_day * sqrt(_volume_share(opening))


MEASURES: Final[dict[str, tuple[Measure, Unit, str]]] = {
    "max_intent_age_s": (_intent_age, "s", ""),
    "max_price_move": (_move, "of the price", "no mark yet"),
    "price_collar": (_collar, "of the price", "no mark yet"),
    "max_mark_age_s": (_mark_age, "s", "no mark yet"),
    "max_price_jump": (_jump, "of the price", "no mark of a minute ago yet"),
    "max_spread": (_spread, "of the price", "no quote yet"),
    "min_depth": (_depth, "$", "no quote yet"),
    "max_order_qty": (attrgetter("qty"), "units", ""),
    "max_order_value": (lambda opening: opening.qty * opening.price, "$", ""),
    "max_volume_share": (_volume_share, "of daily volume", "no daily volume yet"),
    "max_depth_share": (_depth_share, "of what is shown", "no quote yet"),
    "max_impact": (_impact, "of the price", "no daily volume and deviation yet"),
}
# A rule is named by what went wrong where the key names a number.
CODES: Final = {
    "max_intent_age_s": "stale_intent",
    "max_price_move": "price_moved",
    "max_mark_age_s": "stale_mark",
    "max_price_jump": "price_jump",
}


class OrderControls:
    """The order-level rules of one strategy in one asset class."""

    def __init__(self, limits: OrderLimits, own: Limits, asset_class: AssetClass, hours: Hours) -> None:
        """Hold to ``limits`` of the class, which share ``hours``, and to the strategy's ``own``."""
        self._limits = limits
        self._asset_class = asset_class
        self._hours = hours
        self._key = f"risk.orders.{asset_class}"
        self._plan = [*self._planned(own)]
        self._measures = [measure if check.sign > 0 else _weighed(measure, -1.0) for measure, check, _ in self._plan]
        self._firsts = [check.first for _, check, _ in self._plan]

    def broken(self, question: Question, net: float) -> Breach | None:
        """Return the first rule that has no levels and that an opening breaks; ``net`` is the account's position."""
        return (
            self._kind(question)
            or (None if question.intent.side.sign > 0 else _short(question, net))
            or (_through_zero(question, net) if net or question.standing.position else None)
            or self._hours.broken(question.now)
        )

    def beyond(self, opening: Opening) -> list[Breach]:
        """Return every level that an opening is beyond."""
        if all(map(le, [measure(opening) for measure in self._measures], self._firsts)):
            return []
        found = (breach_of(check, measure(opening), missing=missing) for measure, check, missing in self._plan)
        return [breach for breach in found if breach is not None]

    def _planned(self, own: Limits) -> Iterator[tuple[Measure, Check, str]]:
        for name, (measure, unit, missing) in MEASURES.items():
            bounds: Sequence[tuple[Bound, str, str]] = [(getattr(self._limits, name), "order", f"{self._key}.{name}")]
            if name in {"max_order_qty", "max_order_value"}:
                bounds = [*bounds, (getattr(own, name), "order", f"risk_config.{name} of the strategy")]
            for bound, scope, key in bounds:
                if bound:
                    weighed = _weighed(measure, self._limits.impact_coefficient) if name == "max_impact" else measure
                    check = check_of(CODES.get(name, name), bound, scope=scope, key=key, unit=unit)
                    yield weighed, check, missing

    def _kind(self, question: Question) -> Breach | None:
        limits, qty = self._limits, question.intent.qty
        if ORDER_TYPE not in limits.order_types:
            hint = f"add '{ORDER_TYPE}' to {self._key}.order_types {RESTART}: the desk sends no other type"
            return Breach("order_type", "order", ", ".join(limits.order_types) or "none", ORDER_TYPE, hint=hint)
        if limits.max_decimals < FINEST and _decimals(qty.normalize(EXACT)) > limits.max_decimals:
            hint = f"raise {self._key}.max_decimals {RESTART}, as far as the venue takes it"
            return Breach("max_decimals", "order", str(limits.max_decimals), str(qty), hint=hint)
        return None


def _decimals(qty: Decimal) -> int:
    exponent = qty.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def _short(question: Question, net: float) -> Breach | None:
    """Refuse what no venue lends: a coin, and a fraction of a share; sold out of what the account has, both may be."""
    intent = question.intent
    if question.instrument.asset_class == "crypto":
        return Breach("crypto_short", "order", "no short sale", f"sell {intent.qty}", hint="coins cannot be sold short")
    if EXACT.remainder(intent.qty, ONE) and not float(intent.qty) <= _within(net):
        hint = "shares are sold short whole: set fractionable of the strategy to false"
        return Breach("fractional_short", "order", "whole shares", f"sell {intent.qty}", hint=hint)
    return None


def _through_zero(question: Question, net: float) -> Breach | None:
    """Refuse to turn a position around in one order: the venue takes two."""
    intent, position = question.intent, question.standing.position
    sign = intent.side.sign
    if EXACT.multiply(position, sign) < 0:
        hint = "close the position first, with an order that reduces"
        value = f"{intent.side} {intent.qty} against {position}"
        return Breach("crosses_zero", f"strategy {intent.strategy}", "two orders", value, hint=hint)
    if net * sign < 0 and not float(intent.qty) <= _within(abs(net)):
        hint = "the account holds the other side: what closes that and what goes beyond are two orders"
        value = f"{intent.side} {intent.qty} against {net:g}"
        return Breach("crosses_zero", "account", "two orders", value, hint=hint, is_passing=True)
    return None


def _within(qty: float) -> float:
    return qty + abs(qty) * TOLERANCE


def _weighed(measure: Measure, factor: float) -> Measure:
    return lambda opening: factor * measure(opening)
