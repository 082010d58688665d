"""A rehearsal: the whole daemon against the whole local exchange, in one loop, and the comparison of their books."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import structlog

from trader import MultiTraderCoordinator, RunOptions
from trader.access.sim.accounts import signed_qty
from trader.access.sim.fills import VenueRules
from trader.engine.engine import Engine
from trader.exchange.fault_script import Known, script_of
from trader.exchange.local import ExchangeOptions, LocalExchange
from trader.model.money import EXACT, ZERO, plain
from trader.model.time import MINUTE, SECOND, iso, parse_time

OPENING = parse_time("2026-01-05T14:30")  # a Monday in New York
LONGEST_S = 120  # real time that a rehearsal may take on a machine under load


class Rehearsed(msgspec.Struct):
    """What is left when it is over."""

    engine: Engine
    exchange: LocalExchange
    log: list[dict[str, Any]]
    ended: int  # market time
    mode: str

    def warnings(self) -> Counter[str]:
        """Count the log's warnings and errors by name."""
        return Counter(line["event"] for line in self.log if line["log_level"] in {"warning", "error", "critical"})


async def rehearse(
    strategies: Sequence[dict[str, Any]],
    *,
    minutes: float,
    speed: float = 240.0,
    faults: Sequence[dict[str, Any]] = (),
    seed: int = 0,
    monkeypatch: Any,
    latency_s: int = 0,
    settings: Mapping[str, object] | None = None,
    **run: Any,
) -> Rehearsed:
    """Let the daemon trade ``minutes`` of market time from two minutes before the opening; stop both in order."""
    venue = VenueRules(fill="next_quote", latency_ns=latency_s * SECOND, has_partial_fills=True)
    options = ExchangeOptions(speed=speed, start=OPENING - 2 * MINUTE, cash=Decimal(1_000_000), venue=venue)
    lines: list[dict[str, Any]] = []
    structlog.configure(processors=[structlog.stdlib.add_log_level, _Kept(lines)])
    try:
        async with asyncio.timeout(LONGEST_S), LocalExchange(options) as exchange:
            for name, url in (
                ("BASE", exchange.base_url),
                ("DATA", exchange.base_url),
                ("STREAM", exchange.stream_url),
            ):
                monkeypatch.setenv(f"APCA_API_{name}_URL", url)
            known = Known(exchange.venue.assets, exchange.venue.accounts)
            exchange.faults.add(script_of({"seed": seed, "faults": [*faults]}, known))
            coordinator = MultiTraderCoordinator(
                strategies,
                exchange.key.id,
                exchange.key.secret,
                broker=settings,
                options=RunOptions(
                    speed=options.speed, duration=round(minutes * MINUTE / options.speed), report="none", **run
                ),
            )
            summary = await coordinator.run()
            last = OPENING + round((minutes - 2) * MINUTE)
            return Rehearsed(coordinator.engine, exchange, lines, min(last, exchange.clock.now()), summary.mode)
    finally:
        structlog.reset_defaults()


class _Kept:
    """Keeps every line instead of writing it."""

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        self._lines = lines

    def __call__(self, logger: Any, method: str, line: Any) -> Any:
        self._lines.append({"log_level": method, **line})
        raise structlog.DropEvent


def differences(after: Rehearsed) -> list[str]:
    """Compare the daemon's books with the account's: executions, positions, cash, open orders, windows."""
    return [
        *_executions(after), *_positions(after), *_cash(after), *_whole(after), *_open(after), *_windows(after)
    ]  # fmt: skip


def _account(after: Rehearsed) -> Any:
    (account,) = after.exchange.venue.accounts.values()
    return account


def _executions(after: Rehearsed) -> list[str]:
    """Every fill of the server stands in the book of the sandbox that ordered it, with its price."""
    found = []
    account, ledger = _account(after), after.engine.desk.ledger
    truth: dict[str, list[tuple[Decimal, Decimal]]] = {}
    for row in account.executions.values():  # those that stand
        client = account.orders[row.order_id].client_order_id
        truth.setdefault(client, []).append((row.qty, row.price))
    for client, record in ledger.orders.items():
        booked = sorted((one.qty, one.price) for one in record.executions.values() if one is not None)
        if booked != sorted(truth.pop(client, [])):
            found.append(f"{client}: booked {booked}, the server says otherwise")
    return found + [f"{client}: filled at the server, no order of the desk's" for client in truth if client[0] == "t"]


def _positions(after: Rehearsed) -> list[str]:
    held: dict[str, Decimal] = {}
    for book in after.engine.desk.ledger.books.values():
        for symbol, position in book.positions.items():
            held[symbol] = EXACT.add(held.get(symbol, ZERO), position.qty)
    for row in _foreign(after):
        held[row.symbol] = EXACT.add(held.get(row.symbol, ZERO), signed_qty(row))
    account = _account(after)
    symbols = sorted(set(held) | set(account.positions))
    return [
        f"{symbol}: sandboxes hold {plain(held.get(symbol, ZERO))}, the account {plain(account.qty(symbol))}"
        for symbol in symbols
        if held.get(symbol, ZERO) != account.qty(symbol)
    ]


def _foreign(after: Rehearsed) -> list[Any]:
    """Return the ledger's rows of orders that the desk did not make."""
    account, ours = _account(after), after.engine.desk.ledger.orders
    rows = [row for row in account.activities if row.order_id]
    return [row for row in rows if account.orders[row.order_id].client_order_id not in ours]


def _cash(after: Rehearsed) -> list[str]:
    change = ZERO
    rows = [*_foreign(after), *(row for row in _account(after).activities if not row.order_id)]
    for row in rows:
        change = EXACT.add(change, row.net_amount)
    for book in after.engine.desk.ledger.books.values():  # a part of those rows, which sandboxes were paid
        change = EXACT.subtract(change, book.income)
    for book in after.engine.desk.ledger.books.values():
        change = EXACT.add(change, EXACT.subtract(book.cash, book.opening_cash))
    account = _account(after)
    moved = EXACT.subtract(account.cash, account.opening)
    return [] if change == moved else [f"cash: sandboxes moved {plain(change)}, the account {plain(moved)}"]


def _whole(after: Rehearsed) -> list[str]:
    """Sandboxes and what is external are all that the account has, to the last digit, and nothing is locked."""
    account, ledger = _account(after), after.engine.desk.ledger
    held = {symbol: position.qty for symbol, position in account.positions.items()}
    found = [] if ledger.holdings() == held else [f"the books hold {ledger.holdings()}, the account {held}"]
    if ledger.cash() != account.cash:
        found.append(f"the books have {plain(ledger.cash())} dollars, the account {plain(account.cash)}")
    return found + [f"{symbol} is locked: {lock.why}" for symbol, lock in ledger.account.locks.items()]


def _open(after: Rehearsed) -> list[str]:
    """Nothing of ours is left open; what other hands ordered is theirs."""
    ours = after.engine.desk.ledger.orders
    working = [one.order for one in _account(after).working.values()]
    return [f"{order.client_order_id} is left open: {order}" for order in working if order.client_order_id in ours]


def _windows(after: Rehearsed) -> list[str]:
    """No bar of the market is missing in a window, none is twice, each is as it was."""
    found = []
    split = {line["symbol"] for line in after.log if line["event"] == "share.split"}
    for symbol, listing in after.engine.listings.items():
        for series in listing.series:
            if series.builder is not None or not series.count:
                continue
            size = len(series.window)
            rows: list[tuple[float, ...]] = list(
                zip(*(series.window.column(number, size).tolist() for number in range(6)), strict=True)
            )
            first, last = int(rows[0][5]), max(int(rows[-1][5]), after.ended // MINUTE * MINUTE - MINUTE)
            bars = after.exchange.archive.bars(symbol, first - MINUTE, last - MINUTE)
            truth: list[tuple[float, ...]] = [
                (bar.open, bar.high, bar.low, bar.close, bar.volume, float(bar.ts)) for bar in bars
            ]
            if symbol in split:  # the market's history before it stays as it was, ours is restated
                truth, rows = [row[5:] for row in truth], [row[5:] for row in rows]
            missing = [iso(int(row[-1])) for row in truth if row not in rows]
            extra = [iso(int(row[-1])) for row in rows if row not in truth]
            if missing or extra or rows != truth:
                found.append(f"{symbol}: missing {missing}, not in the market {extra}, {len(rows)} bars in the window")
    return found
