"""The account itself: its figures, what its owner has set up, and the rows of its ledger.

Source: Alpaca trading API 2.0.1 (OpenAPI document); ``order_id`` of activities since 2026-07-29.
"""

from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from itertools import dropwhile, islice, takewhile
from typing import Final

import msgspec

from trader.access.alpaca.wire_time import LAST
from trader.access.sim.accounts import Account, signed_qty
from trader.access.sim.venue_orders import Activity, Refusal
from trader.access.sim.venue_rules import invalid
from trader.exchange.rest_desk import Answer, Ask, TradingDesk
from trader.exchange.rest_parameters import Declined, Fields, amount, choice, count, flag, moment, names, text
from trader.exchange.shapes import Body, account_json, activity_json
from trader.model.money import EXACT, ZERO, plain
from trader.model.time import NEW_YORK, midnight_after, ts_of

MOST_ACTIVITIES: Final = 100
ACTIVITY_TYPES: Final = frozenset({
    "FILL", "ACATC", "ACATS", "CDIV", "CFEE", "CIL", "CSD", "CSW", "DIV", "DIVCGL", "DIVCGS", "DIVFEE", "DIVFT",
    "DIVNRA", "DIVROC", "DIVTW", "DIVTXEX", "FEE", "FOPT", "INT", "INTNRA", "INTPNL", "INTTW", "JNL", "JNLC",
    "JNLS", "MA", "MEM", "NC", "OCT", "OPASN", "OPCA", "OPCSH", "OPEXC", "OPEXP", "OPTRD", "PTC", "PTR", "REORG",
    "SPIN", "SPLIT", "SWP", "VOF", "WH", "WRM",
})  # fmt: skip
_TRADE = "FILL"
_SWITCHES: Final[Body] = {
    "suspend_trade": False,
    "fractional_trading": True,
    "ptp_no_exception_entry": False,
    "disable_overnight_trading": False,
}
_MULTIPLIERS = {"1", "2", "4"}


def show_account(desk: TradingDesk, ask: Ask) -> Answer:
    """Show the account's figures."""
    desk.venue.advance(ask.now)
    last_equity = _equity_at(desk, ask.account, desk.last_close(ask.now))
    body = account_json(ask.account, last_equity=last_equity, since=desk.since)
    body["trade_suspended_by_user"] = _settings(desk, ask.account)["suspend_trade"]
    return Answer(200, body)


def show_configuration(desk: TradingDesk, ask: Ask) -> Answer:
    """Show what the owner has set up."""
    return Answer(200, _configuration(desk, ask.account))


def configure(desk: TradingDesk, ask: Ask) -> Answer:
    """Change what the owner has set up; what he does not name stays."""
    fields, account = ask.fields, ask.account
    settings, rules = _settings(desk, account), account.rules
    changed: Body = {name: flag(fields, name, default=bool(settings[name])) for name in _SWITCHES}
    changed["trade_confirm_email"] = text(fields, "trade_confirm_email") or settings["trade_confirm_email"]
    is_short = not flag(fields, "no_shorting", default=not rules.is_shorting_allowed)
    multiplier = amount(fields, "max_margin_multiplier") or rules.multiplier
    if plain(multiplier) not in _MULTIPLIERS:
        raise Declined(invalid("invalid max_margin_multiplier"))
    desk.settings[account.name] = changed
    account.rules = msgspec.structs.replace(rules, is_shorting_allowed=is_short, multiplier=multiplier)
    return Answer(200, _configuration(desk, account))


def list_activities(desk: TradingDesk, ask: Ask) -> Answer | Refusal:
    """Show a page of the ledger, newest first unless asked otherwise."""
    desk.venue.advance(ask.now)
    types = _types(ask)
    unknown = sorted(types - ACTIVITY_TYPES)
    if unknown:
        return invalid(f"invalid activity type: {unknown[0]}")
    size = count(ask.query, "page_size", default=MOST_ACTIVITIES, most=MOST_ACTIVITIES)
    is_descending = choice(ask.query, "direction", ("desc", "asc")) == "desc"
    rows = ask.account.activities
    in_turn = _after_page(ask, reversed(rows) if is_descending else iter(rows))
    first, last = _span(ask.query)
    order_id = text(ask.query, "order_id")
    found = (
        activity_json(row)
        for row in in_turn
        if row.activity_type in types and first < row.ts < last and order_id in {"", row.order_id}
    )
    return Answer(200, list(islice(found, size)))


def _equity_at(desk: TradingDesk, account: Account, ts: int) -> Decimal:
    """Return what an account was worth: its ledger up to then, at prices of then, or those it last traded at."""
    equity, held, traded = account.opening, dict[str, Decimal](), dict[str, Decimal]()
    for row in takewhile(lambda row: row.ts <= ts, account.activities):
        equity = EXACT.add(equity, row.net_amount)
        held[row.symbol] = EXACT.add(held.get(row.symbol, ZERO), signed_qty(row))
        traded[row.symbol] = row.price or traded.get(row.symbol, ZERO)
    for symbol, qty in held.items():
        price = desk.price_at(symbol, ts) if qty else None
        equity = EXACT.add(equity, EXACT.multiply(qty, traded[symbol] if price is None else price))
    return equity


def _settings(desk: TradingDesk, account: Account) -> Body:
    return {**_SWITCHES, "trade_confirm_email": "all"} | desk.settings.get(account.name, {})


def _configuration(desk: TradingDesk, account: Account) -> Body:
    return _settings(desk, account) | {
        "no_shorting": not account.rules.is_shorting_allowed,
        "max_margin_multiplier": plain(account.rules.multiplier),
        "max_options_trading_level": 0,
    }


def _types(ask: Ask) -> set[str]:
    if "activity_type" in ask.path:
        return {ask.path["activity_type"]}
    wanted = set(names(ask.query, "activity_types"))
    category = choice(ask.query, "category", ("", "trade_activity", "non_trade_activity"))
    if wanted and category:
        raise Declined(invalid("only one of activity_types or category is accepted"))  # our words
    if category:
        return {_TRADE} if category == "trade_activity" else set(ACTIVITY_TYPES - {_TRADE})
    return wanted or set(ACTIVITY_TYPES)


def _after_page(ask: Ask, rows: Iterator[Activity]) -> Iterator[Activity]:
    """Pass over the rows up to the one that ended the page before."""
    token = text(ask.query, "page_token")
    if not token:
        return rows
    if all(row.id != token for row in ask.account.activities):
        raise Declined(invalid("invalid page_token"))  # our words
    return islice(dropwhile(lambda row: row.id != token, rows), 1, None)


def _span(query: Fields) -> tuple[int, int]:
    """Return the times between which rows are wanted, both excluded; a ``date`` is a day in New York."""
    after, until, day = moment(query, "after"), moment(query, "until"), moment(query, "date")
    if day is None:
        return -1 if after is None else after, LAST if until is None else until
    if after is not None or until is not None:
        raise Declined(invalid("date cannot be combined with after or until"))  # our words
    midnight = ts_of(datetime.combine(date.fromisoformat(text(query, "date")[:10]), time.min, NEW_YORK))
    return midnight - 1, midnight_after(midnight, NEW_YORK)
