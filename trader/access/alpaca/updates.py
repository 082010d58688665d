"""What one update of the order stream tells of an execution, and of the account's position after it. Pure."""

from decimal import Decimal

from trader.access.alpaca.executions import Told
from trader.access.alpaca.wire_time import ns_or
from trader.access.alpaca.wire_trading import TradeUpdate
from trader.model.money import EXACT
from trader.model.orders import ExecutionReport

EXECUTED = frozenset({"fill", "partial_fill"})
RESTATED = frozenset({"trade_bust", "trade_correct"})


def told_in(update: TradeUpdate, now: int) -> Told | None:
    """Return the execution that an update tells, if it tells one; ``now`` where it has no time."""
    cumulative = update.order.filled_qty
    if update.event not in EXECUTED | RESTATED or not update.qty or update.price is None or cumulative is None:
        return None
    return Told(
        venue_id=update.execution_id or "",
        cumulative=cumulative,
        qty=update.qty,
        price=update.price,
        ts=ns_or(update.timestamp, now),
        kind="fill" if update.event in EXECUTED else "trade_bust" if update.event == "trade_bust" else "trade_correct",
        undoes=update.previous_execution_id or "",
    )


class FeeCheck:
    """Compares the fee we expect with what the account's position says."""

    def __init__(self) -> None:
        """Begin without any position known."""
        self._positions: dict[str, Decimal] = {}

    def check(self, update: TradeUpdate, report: ExecutionReport | None) -> Decimal | None:
        """Return by how much the position differs from what it should be now; None where that cannot be known."""
        if update.event not in EXECUTED | RESTATED:
            return None
        symbol, after = update.order.symbol, update.position_qty
        before = self._positions.pop(symbol, None)
        if after is None or report is None or report.reverses:
            return None  # something was repeated or restated: begin anew with the next execution
        self._positions[symbol] = after
        if before is None or report.fee_asset == "USD":
            return None
        received = EXACT.subtract(report.qty, report.fee)
        difference = EXACT.subtract(EXACT.subtract(after, before), received)
        return difference or None
