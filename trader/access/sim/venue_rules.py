"""What Alpaca refuses in an order by itself, with the status, code and text that it refuses it with. Pure.

Texts are those that users of the paper and live venues quote (2024 to 2026). Where nobody quotes one, ours says the
same thing in our words; those are marked. Source of the rules: Alpaca trading API 2.0.1 and "Orders at Alpaca".
"""

from collections.abc import Iterator
from datetime import time
from decimal import Decimal

from trader.access.sim.venue_orders import OrderRequest, Refusal, VenueAsset
from trader.model.money import ONE, ZERO, floor_to, plain
from trader.model.time import MINUTE, NEW_YORK, utc

TYPES = frozenset({"market", "limit", "stop", "stop_limit", "trailing_stop"})
TIMES_IN_FORCE = frozenset({"day", "gtc", "opg", "cls", "ioc", "fok"})
CRYPTO_TYPES = frozenset({"market", "limit", "stop_limit"})
CRYPTO_TIMES_IN_FORCE = frozenset({"gtc", "ioc"})
FRACTIONAL_TYPES = frozenset({"market", "limit", "stop", "stop_limit"})
CLIENT_ID_LENGTH = 128
MIN_VALUE, MIN_CRYPTO_VALUE = ONE, Decimal(10)
MAX_CRYPTO_VALUE = Decimal(200_000)  # Alpaca documentation "Crypto spot trading", read 2026-11
OPG_LAST, CLS_LAST, AUCTIONS_AGAIN = time(9, 28), time(15, 50), time(19, 0)  # New York
CLS_BEFORE_CLOSE = 10 * MINUTE  # on days that close early

_CENT, _HUNDREDTH_CENT = Decimal("0.01"), Decimal("0.0001")
_AT_ONCE = frozenset({"ioc", "fok", "opg", "cls"})
_SIMPLE = frozenset({"", "simple"})
_CLASSES = _SIMPLE | {"bracket", "oco", "oto"}
_BRACKET_TYPES = frozenset({"market", "limit"})


def invalid(message: str) -> Refusal:
    """Refuse for a field that is missing, too much, or no such thing."""
    return Refusal(422, 40010001, message)


def unprocessable(message: str, **extra: str) -> Refusal:
    """Refuse for a combination that the venue does not offer."""
    return Refusal(422, 42210000, message, dict(extra))


def forbidden(message: str, **extra: str | list[str]) -> Refusal:
    """Refuse for what the account or the asset does not allow."""
    return Refusal(403, 40310000, message, dict(extra))


def not_found(order_id: str) -> Refusal:
    """Refuse for an order that this account never had."""
    return Refusal(404, 40410000, f"order not found for {order_id}")


def refusal_of(request: OrderRequest, asset: VenueAsset | None, *, now: int, close: int) -> Refusal | None:
    """Return the first rule that the order by itself breaks; ``close`` is the end of the core session it is for."""
    return next(_refusals(request, asset, now=now, close=close), None)


def value_refusal(request: OrderRequest, asset: VenueAsset, value: Decimal) -> Refusal | None:
    """Return the refusal of an order that is too small, in dollars or in coins of this asset, or too large."""
    least = MIN_CRYPTO_VALUE if asset.is_crypto else MIN_VALUE
    if value < least:
        return forbidden(f"cost basis must be >= minimal amount of order {plain(least)}")
    if request.qty is not None and request.qty < asset.min_order_size:
        return forbidden(f"qty must be >= minimal qty of order {plain(asset.min_order_size)}")  # our words
    if asset.is_crypto and value > MAX_CRYPTO_VALUE:
        return forbidden(f"cost basis must be <= maximal amount of order {plain(MAX_CRYPTO_VALUE)}")  # our words
    return None


def is_fractional(request: OrderRequest) -> bool:
    """Return whether it asks for less than whole shares."""
    return request.qty is None or request.qty != request.qty.to_integral_value()


def _refusals(request: OrderRequest, asset: VenueAsset | None, *, now: int, close: int) -> Iterator[Refusal]:
    """Yield every rule that is broken, in the order in which they are looked at."""
    if request.type not in TYPES:
        yield invalid("invalid order type")
    if request.time_in_force not in TIMES_IN_FORCE:
        yield invalid("invalid time_in_force")
    if request.order_class not in _CLASSES:
        yield invalid("invalid order_class")
    if request.order_class in _SIMPLE and (request.take_profit or request.stop_loss):
        yield invalid("take_profit and stop_loss require an order_class")  # our words
    if len(request.client_order_id) > CLIENT_ID_LENGTH:
        yield invalid(f"client_order_id must be no more than {CLIENT_ID_LENGTH} characters")  # our words
    if asset is None:
        yield unprocessable(f'asset "{request.symbol}" not found')
    else:
        yield from _refusals_of(request, asset, now=now, close=close)


def _refusals_of(request: OrderRequest, asset: VenueAsset, *, now: int, close: int) -> Iterator[Refusal]:
    if not asset.is_tradable:
        yield forbidden(f'asset "{request.symbol}" is not tradable')  # our words
    yield from _amount(request)
    yield from _needed_prices(request)
    yield from _crypto(request) if asset.is_crypto else _stock(request)
    yield from _price_steps(request, asset)
    if not asset.is_crypto:
        yield from _fraction(request, asset)
        yield from _hours(request, now=now, close=close)


def _amount(request: OrderRequest) -> Iterator[Refusal]:
    qty, notional = request.qty, request.notional
    if qty is None and notional is None:
        yield invalid("qty or notional is required")
    if qty is not None and notional is not None:
        yield invalid("only one of qty or notional is accepted")
    if qty is not None and qty <= ZERO:
        yield invalid("qty must be > 0")
    if notional is None:
        return
    if notional <= ZERO:
        yield invalid("notional must be > 0")
    if notional != floor_to(notional, _CENT):
        yield unprocessable("notional value must be limited to 2 decimal places")
    if request.type != "market":
        yield unprocessable("notional orders must be market orders")  # our words


def _needed_prices(request: OrderRequest) -> Iterator[Refusal]:
    has_limit, has_stop = request.limit_price is not None, request.stop_price is not None
    trails = (request.trail_price is not None) + (request.trail_percent is not None)
    if request.type == "market" and (has_limit or has_stop):
        yield invalid("market orders require no stop or limit price")
    if request.type == "limit" and not has_limit:
        yield invalid("limit orders require a limit price")
    if request.type == "limit" and has_stop:
        yield invalid("limit orders require only limit price")  # our words
    if request.type == "stop" and not has_stop:
        yield invalid("stop orders require a stop price")
    if request.type == "stop" and has_limit:
        yield invalid("stop orders require only stop price")  # our words
    if request.type == "stop_limit" and not (has_limit and has_stop):
        yield invalid("stop limit orders require both stop and limit price")
    if request.type == "trailing_stop" and (has_limit or has_stop or trails != 1):
        yield invalid("trailing stop orders must specify one of trail_price or trail_percent")  # our words
    if request.type != "trailing_stop" and trails:
        yield invalid(f"{request.type} orders must not have a trail")  # our words


def _price_steps(request: OrderRequest, asset: VenueAsset) -> Iterator[Refusal]:
    prices = list(_prices(request))
    for name, price in (*prices, ("trail_price", request.trail_price), ("trail_percent", request.trail_percent)):
        if price is not None and price <= ZERO:
            yield invalid(f"{name} must be > 0")
    for name, price in prices:
        if price is None:
            continue
        step = _CENT if price >= ONE else _HUNDREDTH_CENT
        if price != floor_to(price, asset.instrument.price_increment if asset.is_crypto else step):
            given = f"invalid {name} {plain(price)}"
            yield unprocessable(f"{given}. sub-penny increment does not fulfill minimum pricing criteria")


def _prices(request: OrderRequest) -> Iterator[tuple[str, Decimal | None]]:
    yield "limit_price", request.limit_price
    yield "stop_price", request.stop_price
    if request.take_profit is not None:
        yield "take_profit.limit_price", request.take_profit.limit_price
    if request.stop_loss is not None:
        yield "stop_loss.stop_price", request.stop_loss.stop_price
        yield "stop_loss.limit_price", request.stop_loss.limit_price


def _class(request: OrderRequest) -> Iterator[Refusal]:
    """Refuse what the class of an order does not go with, or lacks."""
    name = request.order_class
    if name == "bracket" and request.type not in _BRACKET_TYPES:
        yield invalid("bracket orders must be market or limit orders")
    if name == "oto" and request.type not in _BRACKET_TYPES:
        yield invalid("oto orders must be market or limit orders")  # our words
    if name == "oco" and request.type != "limit":
        yield invalid("oco orders must be limit orders")
    if request.time_in_force not in {"day", "gtc"}:
        yield unprocessable("complex orders must be DAY or GTC orders")  # our words
    if request.extended_hours:
        yield unprocessable("complex orders are not supported in extended hours")  # our words
    profit = request.take_profit is not None and request.take_profit.limit_price is not None
    loss = request.stop_loss is not None and request.stop_loss.stop_price is not None
    if name == "oto" and profit + loss != 1:
        yield invalid("oto orders require either take_profit.limit_price or stop_loss.stop_price")  # our words
    if name != "oto" and not profit:
        yield invalid(f"{name} orders require take_profit.limit_price")
    if name != "oto" and not loss:
        yield invalid(f"{name} orders require stop_loss.stop_price")


def _crypto(request: OrderRequest) -> Iterator[Refusal]:
    if request.type not in CRYPTO_TYPES:
        yield invalid("invalid order type for crypto order")
    if request.time_in_force not in CRYPTO_TIMES_IN_FORCE:
        yield unprocessable("invalid crypto time_in_force")
    if request.order_class not in _SIMPLE:
        yield unprocessable(f"crypto orders not allowed for advanced order_class: {request.order_class}")


def _stock(request: OrderRequest) -> Iterator[Refusal]:
    if request.time_in_force in _AT_ONCE and request.type not in {"market", "limit"}:
        yield unprocessable(f"{request.type} orders must be day or gtc")  # our words
    if request.order_class not in _SIMPLE and is_fractional(request):
        yield unprocessable("fractional orders must be simple orders")
    if request.order_class not in _SIMPLE:
        yield from _class(request)


def _fraction(request: OrderRequest, asset: VenueAsset) -> Iterator[Refusal]:
    if not is_fractional(request):
        return
    if not asset.is_fractionable:
        yield forbidden(f'asset "{request.symbol}" is not fractionable')
    if request.time_in_force != "day":
        yield unprocessable("fractional orders must be DAY orders")
    if request.type not in FRACTIONAL_TYPES:
        yield unprocessable("fractional orders must be market, limit, stop, or stop_limit orders")


def _hours(request: OrderRequest, *, now: int, close: int) -> Iterator[Refusal]:
    """Refuse what cannot trade in extended hours, and orders for an auction from just before it until the evening."""
    is_for_extended = request.type == "limit" and request.time_in_force in {"day", "gtc"}
    if request.extended_hours and not is_for_extended:
        yield unprocessable("extended hours order must be DAY or GTC limit orders")
    local = utc(now).astimezone(NEW_YORK).time()
    if request.time_in_force == "opg" and OPG_LAST <= local < AUCTIONS_AGAIN:
        yield unprocessable("opg orders are not accepted between 9:28am and 7:00pm")  # our words
    is_late = CLS_LAST <= local < AUCTIONS_AGAIN or close - CLS_BEFORE_CLOSE <= now < close
    if request.time_in_force == "cls" and is_late:
        yield unprocessable("cls orders are not accepted between 3:50pm and 7:00pm")  # our words
