"""Faults of orders and executions: ended unasked, taken back, corrected, placed by another hand; money."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final, Literal

from trader.access.sim.accounts import Account
from trader.access.sim.execution import activity_id, id_of
from trader.access.sim.venue_orders import ENDED, Activity, Ending, OrderRequest, Refusal, VenueOrder
from trader.exchange.fault_terms import Amount, Chance, Fault, Miss, Pick, Stage
from trader.model.money import EXACT, ONE, ZERO, floor_to, plain
from trader.model.orders import Side

_SMALL_COIN_ORDER: Final = Decimal(100)  # dollars: above every minimum, below what matters
_CENT = Decimal("0.01")


class _OfOrders(Fault, frozen=True):
    """An open order of ``account`` in ``symbol``; empty is any."""

    account: str = ""
    symbol: str = ""
    pick: Pick = "any"

    def _end(
        self, stage: Stage, now: int, chance: Chance, *, status: Ending, fits: Callable[[VenueOrder], bool]
    ) -> str:
        open_orders = [
            (account.name, working.order)
            for account in stage.accounts(self.account)
            for working in account.working.values()
            if self.symbol in {"", working.order.symbol} and fits(working.order)
        ]
        open_orders.sort(key=lambda found: found[1].submitted_at)
        found = chance.choose(open_orders, self.pick)
        if found is None:
            return Miss("no open order that fits")
        name, order = found
        answer = stage.venue.strike(name, order.id, status, now=now)
        stage.flush()
        return Miss(answer.message) if isinstance(answer, Refusal) else f"order {order.client_order_id} of {name}"


class UnsolicitedCancel(_OfOrders, frozen=True, tag="unsolicited_cancel"):
    """Cancel an open order that nobody asked to cancel."""

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Cancel it."""
        return self._end(stage, now, chance, status="canceled", fits=lambda order: order.status not in ENDED)


class RejectAfterAccept(_OfOrders, frozen=True, tag="reject_after_accept"):
    """Reject an order that was taken and has not filled."""

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Reject it."""
        return self._end(stage, now, chance, status="rejected", fits=lambda order: not order.filled_qty)


class _OfExecutions(Fault, frozen=True):
    """An execution of ``account`` in ``symbol``; empty is any."""

    account: str = ""
    symbol: str = ""
    pick: Pick = "any"

    def _executions(self, stage: Stage) -> list[tuple[Account, Activity]]:
        """Return the executions that stand, the oldest first."""
        found = [(account, row) for account in stage.accounts(self.account) for row in account.executions.values()]
        return sorted((one for one in found if self.symbol in {"", one[1].symbol}), key=lambda one: one[1].ts)

    def _try(self, stage: Stage, chance: Chance, act: Callable[[Account, Activity], object]) -> str:
        """Act on the execution chosen, or on another one where the venue refuses."""
        executions = self._executions(stage)
        why = "no execution that fits"
        while executions:
            chosen = chance.choose(executions, self.pick)
            assert chosen is not None
            account, row = chosen
            answer = act(account, row)
            if not isinstance(answer, Refusal):
                stage.flush()
                return f"execution {row.execution_id} of {account.name}"
            why = answer.message
            executions.remove(chosen)
        return Miss(why)


class Bust(_OfExecutions, frozen=True, tag="bust"):
    """Take an execution back: the trade never was."""

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Bust it."""
        return self._try(stage, chance, lambda account, row: stage.venue.bust(account.name, row.execution_id, now=now))


class CorrectExecution(_OfExecutions, frozen=True, tag="correct_execution"):
    """Put another price in the place of an execution's: ``worse`` of it, to the cent, against the account."""

    worse: Amount = Amount("0.01")

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Correct it."""
        return self._try(stage, chance, lambda account, row: self._correct(stage, account, row, now))

    def _correct(self, stage: Stage, account: Account, row: Activity, now: int) -> object:
        assert row.price is not None
        factor = EXACT.add(ONE, self.worse if row.side is Side.BUY else self.worse.copy_negate())
        price = max(_CENT, floor_to(EXACT.multiply(row.price, factor), _CENT))
        return stage.venue.correct(account.name, row.execution_id, price=price, now=now)


class ManualOrder(Fault, frozen=True, tag="manual_order"):
    """Place an order as its owner would by hand; without an amount one share, or a hundred dollars of a coin."""

    account: str = ""
    symbol: str = ""
    side: Literal["buy", "sell"] = "buy"
    type: Literal["market", "limit", "stop", "stop_limit"] = "market"
    qty: Amount | None = None
    notional: Amount | None = None
    limit_price: Amount | None = None
    stop_price: Amount | None = None
    time_in_force: Literal["day", "gtc", "ioc", "fok", "opg", "cls", ""] = ""

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Place it."""
        account = chance.choose(list(stage.accounts(self.account)))
        if account is None:
            return Miss("no such account")
        symbol = self.symbol or chance.choose(sorted(in_use(account)))
        if symbol is None:
            return Miss("no symbol is held or ordered yet; name one")
        answer = stage.venue.submit(account.name, self._request(symbol), now=now)
        stage.flush()
        if isinstance(answer, Refusal):
            return Miss(f"refused: {answer.message}")
        return f"{self.side} {symbol} for {account.name}: order {answer.client_order_id}"

    def _request(self, symbol: str) -> OrderRequest:
        is_coin = "/" in symbol
        qty: Decimal | None = self.qty
        notional: Decimal | None = self.notional
        if qty is None and notional is None:
            qty, notional = (None, _SMALL_COIN_ORDER) if is_coin else (ONE, None)
        return OrderRequest(
            symbol=symbol,
            side=Side(self.side),
            type=self.type,
            time_in_force=self.time_in_force or ("gtc" if is_coin else "day"),
            qty=qty,
            notional=notional,
            limit_price=self.limit_price,
            stop_price=self.stop_price,
        )


class MoneyMoved(Fault, frozen=True, tag="money_moved"):
    """Enter dollars that come, or go, without a trade; ``symbol`` is what they are paid for."""

    account: str = ""
    symbol: str = ""
    type: Literal["DIV", "INT", "FEE", "CSD", "CSW", "JNLC"] = "INT"
    amount: Decimal = Decimal("1.25")

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Enter them."""
        account = chance.choose(list(stage.accounts(self.account)))
        if account is None:
            return Miss("no such account")
        name = activity_id(now, id_of(account.name, self.type, str(len(account.activities))))
        stage.venue.pay(account.name, Activity(name, self.type, now, "", self.symbol, ZERO, self.amount))
        return f"{plain(self.amount)} dollars ({self.type}) of {account.name}"


def in_use(account: Account) -> set[str]:
    """Return the symbols that an account holds or has orders of."""
    return {*account.positions, *(working.order.symbol for working in account.working.values())}
