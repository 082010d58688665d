"""What an account was worth: the ledger up to a moment, at the prices of that moment.

Where nobody knows the price of a moment, the last one that the account itself traded at stands in.
Source: Alpaca trading API 2.0.1 (OpenAPI document), "Account Portfolio History".
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from trader.access.sim.accounts import Account, signed_qty
from trader.access.sim.venue_rules import invalid
from trader.exchange.rest_desk import Answer, Ask, TradingDesk
from trader.exchange.rest_parameters import Declined, Fields, choice, moment, text
from trader.model.money import EXACT, ZERO, divide, floor_to
from trader.model.time import DAY, HOUR, MINUTE, NEW_YORK, SECOND, utc

MOST_INTRADAY: Final = 30 * DAY  # Alpaca's bound of what it shows in less than days
_DAYS = {"D": 1, "W": 7, "M": 30, "A": 365}
_STEPS = {"1Min": MINUTE, "5Min": 5 * MINUTE, "15Min": 15 * MINUTE, "1H": HOUR, "1D": DAY}
_BY_MINUTE, _BY_QUARTER = 7 * DAY, 30 * DAY
_PERIOD = re.compile(r"(\d{1,3})([DWMA])", re.ASCII)
_PART = Decimal("0.000001")


def show_history(desk: TradingDesk, ask: Ask) -> Answer:
    """Show what the account was worth over a period, at the end of each step."""
    desk.venue.advance(ask.now)
    begin, end = _period(ask)
    begin = max(begin, desk.since)
    frame = choice(ask.query, "timeframe", (_default_frame(end - begin), *_STEPS))
    times = _times(desk, ask.query, begin, end, step=_STEPS[frame])
    base, *equities = _equities(desk, ask.account, [begin, *times])
    gains = [EXACT.subtract(equity, base) for equity in equities]
    body = {
        "timestamp": [ts // SECOND for ts in times],
        "equity": equities,
        "profit_loss": gains,
        "profit_loss_pct": [floor_to(divide(gain, base), _PART) if base else ZERO for gain in gains],
        "base_value": base,
        "base_value_asof": utc(begin).astimezone(NEW_YORK).date().isoformat(),
        "timeframe": frame,
        "cashflow": {},
    }
    return Answer(200, body)


def equity_at(desk: TradingDesk, account: Account, ts: int) -> Decimal:
    """Return what an account was worth at ``ts``."""
    return next(_equities(desk, account, [ts]))


def _equities(desk: TradingDesk, account: Account, times: Sequence[int]) -> Iterator[Decimal]:
    """Yield what an account was worth at each of ``times``, which ascend."""
    rows = iter(account.activities)
    row = next(rows, None)
    cash, held, traded = account.opening, dict[str, Decimal](), dict[str, Decimal]()
    for ts in times:
        while row is not None and row.ts <= ts:
            cash = EXACT.add(cash, row.net_amount)
            held[row.symbol] = EXACT.add(held.get(row.symbol, ZERO), signed_qty(row))
            if row.price is not None:
                traded[row.symbol] = row.price
            row = next(rows, None)
        yield _worth(desk, cash, {symbol: qty for symbol, qty in held.items() if qty}, traded=traded, ts=ts)


def _worth(
    desk: TradingDesk, cash: Decimal, held: dict[str, Decimal], *, traded: dict[str, Decimal], ts: int
) -> Decimal:
    total = cash
    for symbol, qty in held.items():
        known = desk.price_at(symbol, ts) if desk.price_at is not None else None
        price = traded.get(symbol, ZERO) if known is None else known
        total = EXACT.add(total, EXACT.multiply(qty, price))
    return total


def _period(ask: Ask) -> tuple[int, int]:
    query = ask.query
    start, end = moment(query, "start"), moment(query, "end") or moment(query, "date_end")
    found = _PERIOD.fullmatch(text(query, "period") or "1M")
    if found is None:
        raise Declined(invalid("invalid period"))
    span = int(found[1]) * _DAYS[found[2]] * DAY
    last = ask.now if end is None else min(end, ask.now)
    first = last - span if start is None else start
    if first >= last:
        raise Declined(invalid("start must be before end"))  # our words
    return first, last


def _default_frame(span: int) -> str:
    if span < _BY_MINUTE:
        return "1Min"
    return "15Min" if span < _BY_QUARTER else "1D"


def _times(desk: TradingDesk, query: Fields, begin: int, end: int, *, step: int) -> list[int]:
    """Return the ends of the steps: of trading days, or of spans within their hours, and the present."""
    hours = choice(query, "intraday_reporting", ("market_hours", "extended_hours", "continuous"))
    if step < DAY and end - begin > MOST_INTRADAY:
        raise Declined(invalid("only 30 days or less can be queried for intraday timeframes"))  # our words
    days = desk.calendar.sessions(utc(begin).date(), utc(end).date())
    if step == DAY:
        times = [day.close for day in days]
    elif hours == "continuous":
        times = list(range(begin - begin % step + step, end + 1, step))
    elif hours == "extended_hours":
        times = [ts for day in days for ts in range(day.pre_open, day.post_close + 1, step)]
    else:
        times = [ts for day in days for ts in range(day.open, day.close + 1, step)]
    within = [ts for ts in times if begin < ts <= end]
    return within if within and within[-1] == end else [*within, end]
