"""What does not depend on an account: assets, the clock and the calendar.

Source: Alpaca trading API 2.0.1 (OpenAPI document); a recorded clock and calendar.
"""

from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final

from trader.access.sim.venue_orders import Refusal, VenueAsset
from trader.access.sim.venue_rules import invalid
from trader.exchange.rest_desk import Answer, Ask, TradingDesk
from trader.exchange.rest_parameters import Declined, Fields, choice, names, text
from trader.exchange.shapes import Body, asset_id, asset_json
from trader.model.calendar import Session
from trader.model.time import MINUTE, NEW_YORK, SECOND, utc

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2029, 12, 31)  # what Alpaca's calendar holds
_OPENING_MINUTE: Final = 9 * 60 + 30  # of the day, in New York
_SETTLED_BY: Final = timedelta(days=10)  # of the next trading day, with room to spare


def list_assets(desk: TradingDesk, ask: Ask) -> Answer:
    """Show the assets of one class, stocks unless asked otherwise."""
    query = ask.query
    wanted_class = choice(query, "asset_class", ("us_equity", "crypto", "us_option"))
    status = choice(query, "status", ("", "active", "inactive"))
    attributes, exchange = set(names(query, "attributes")), text(query, "exchange")
    found = [
        body
        for body in map(asset_json, desk.venue.assets.values())
        if body["class"] == wanted_class
        and status in {"", body["status"]}
        and exchange in {"", body["exchange"]}
        and (not attributes or not attributes.isdisjoint(_texts(body["attributes"])))
    ]
    return Answer(200, found)


def show_asset(desk: TradingDesk, ask: Ask) -> Answer | Refusal:
    """Show one asset, named by its symbol, a coin also without the slash, or by its id."""
    given = ask.path["symbol"]
    asset = desk.venue.assets.get(desk.pairs.slashed(given)) or _by_id(desk, given)
    return Refusal(404, 40410000, f"asset not found for {given}") if asset is None else Answer(200, asset_json(asset))


def show_clock(desk: TradingDesk, ask: Ask) -> Answer:
    """Show the market's time and hours, as New York's clocks show them."""
    body: Body = {
        "timestamp": _local(ask.now),
        "is_open": desk.calendar.is_open(ask.now),
        "next_open": _local(desk.calendar.next_open(ask.now)),
        "next_close": _local(desk.calendar.next_close(ask.now)),
    }
    return Answer(200, body)


def list_days(desk: TradingDesk, ask: Ask) -> Answer:
    """Show the trading days from ``start`` to ``end``, or those that settle then."""
    first, last = _day(ask.query, "start", FIRST_DAY), _day(ask.query, "end", LAST_DAY)
    is_by_settlement = choice(ask.query, "date_type", ("TRADING", "SETTLEMENT")) == "SETTLEMENT"
    if first > last:
        raise Declined(invalid("start must not be after end"))  # our words
    days = desk.calendar.sessions(max(first, FIRST_DAY) - _SETTLED_BY, min(last, LAST_DAY) + _SETTLED_BY)
    settled = {day: following.day for day, following in pairwise(days)}
    dated = settled if is_by_settlement else {day: day.day for day in settled}
    return Answer(200, [_day_json(day, settled[day]) for day, when in dated.items() if first <= when <= last])


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _by_id(desk: TradingDesk, given: str) -> VenueAsset | None:
    return next((asset for symbol, asset in desk.venue.assets.items() if asset_id(symbol) == given), None)


def _local(ts: int) -> str:
    """Write a time as New York's clocks show it, to the nanosecond."""
    shown = utc(ts).astimezone(NEW_YORK).isoformat(timespec="seconds")
    fraction = f".{ts % SECOND:09d}".rstrip("0") if ts % SECOND else ""
    return shown[:19] + fraction + shown[19:]


def _day(query: Fields, name: str, default: date) -> date:
    given = text(query, name)
    if not given:
        return default
    try:
        return datetime.fromisoformat(given).date()
    except ValueError:
        raise Declined(invalid(f"invalid {name}")) from None


def _day_json(day: Session, settled: date) -> Body:
    return {
        "date": day.day.isoformat(),
        "open": "{:02}:{:02}".format(*_hour(day, day.open)),
        "close": "{:02}:{:02}".format(*_hour(day, day.close)),
        "session_open": "{:02}{:02}".format(*_hour(day, day.pre_open)),
        "session_close": "{:02}{:02}".format(*_hour(day, day.post_close)),
        "settlement_date": settled.isoformat(),
    }


def _hour(day: Session, ts: int) -> tuple[int, int]:
    """Return hour and minute in New York, counted from the opening: its clocks are never changed within a session.

    A calendar of sixty years that looked up every offset would hold up the market for a second.
    """
    return divmod(_OPENING_MINUTE + (ts - day.open) // MINUTE, 60)
