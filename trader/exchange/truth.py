"""What is true on the exchange, in full, for whoever compares his own books with it. Amounts are strings.

An execution's fee is what it took in the end, in ``fee_asset``; one that was taken back, or that another one stands in
the place of, has ``stands`` false.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal

from trader.access.alpaca.wire_trading import jsonable
from trader.access.sim.accounts import Account, signed_qty
from trader.exchange.request_log import RequestLog
from trader.exchange.shapes import order_json
from trader.model.money import EXACT, ZERO, plain
from trader.model.time import iso


def truth_of(accounts: Mapping[str, Account], log: RequestLog, *, now: int) -> dict[str, object]:
    """Return the books of every account, and what was asked."""
    return {
        "now": iso(now),
        "accounts": {name: _books(account) for name, account in accounts.items()},
        "requests": {
            "totals": dict(log.totals),
            "by_client_id": {
                name: {"posts": asked.posts, "statuses": asked.statuses} for name, asked in log.by_client_id.items()
            },
        },
    }


def _books(account: Account) -> dict[str, object]:
    positions = account.positions.items()
    return {
        "opening_cash": plain(account.opening),
        "cash": plain(account.cash),
        "equity": plain(account.equity),
        "positions": {symbol: {"qty": plain(one.qty), "cost": plain(one.cost)} for symbol, one in positions},
        "orders": [jsonable(order_json(order)) for order in account.orders.values()],
        "executions": list(_executions(account)),
    }


def _executions(account: Account) -> Iterator[dict[str, object]]:
    """Yield every execution there ever was, the oldest first; a correction is one of its own."""
    fees: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    for row in account.activities:
        if row.activity_type in {"FEE", "CFEE"}:
            of = row.previous_id if row.execution_type == "trade_bust" else row.execution_id
            fees[of] = EXACT.subtract(fees[of], row.net_amount or signed_qty(row))
    for row in account.activities:
        if row.activity_type != "FILL" or row.execution_type == "trade_bust":
            continue
        order = account.orders[row.order_id]
        is_in_coins = order.asset_class == "crypto" and order.side.value == "buy"
        yield {
            "execution_id": row.execution_id,
            "previous_execution_id": row.previous_id or None,
            "stands": row.execution_id in account.executions,
            "order_id": row.order_id,
            "client_order_id": order.client_order_id,
            "symbol": row.symbol,
            "side": order.side.value,
            "qty": plain(row.qty),
            "price": plain(row.price or ZERO),
            "fee": plain(fees[row.execution_id]),
            "fee_asset": row.symbol.partition("/")[0] if is_in_coins else "USD",
            "ts": iso(row.ts),
        }
