"""The real gate of a desk in plain figures, and what it answers."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from math import nan
from typing import Any

import numpy as np

from tests.risk import desks
from tests.risk.behaviour import Past
from tests.risk.desks import Desk, Order
from tests.risk.past_days import Days
from trader.books import conduct as folding
from trader.books.book import flag_key
from trader.model.conduct import Conduct
from trader.model.events import DayStarted, FlagRaised, OrderFilled, OrderMoved, StateSet
from trader.model.instruments import AssetClass, Instrument
from trader.model.orders import Approved, Denied, OrderIntent, OrderStatus, Reason, Side, TradingState, Urgency
from trader.model.views import Market, Question, Standing
from trader.risk.bounds import Bound, Breach
from trader.risk.conduct import ConductControls, ConductLimits, ConductOfAccount, ConductOfOne
from trader.risk.gate import Gate
from trader.risk.ladder import Ladder
from trader.risk.limits import AccountLimits, GroupLimits, Limits, OrderLimits, SymbolLimits
from trader.risk.rules import Rules
from trader.risk.stress import Scenario
from trader.risk.value_at_risk import TailControl, TailModel, VarLimits

_STATUSES = {"accepted": OrderStatus.OPEN, "refused": OrderStatus.REJECTED, "canceling": OrderStatus.PENDING_CANCEL}


class Arrays:
    """:class:`trader.model.views.Exposures` of a desk, filled from its plain figures."""

    def __init__(self, desk: Desk) -> None:
        slots = [(box, name) for box in desk.sandboxes.values() for name in box.held]
        self._desk = desk
        self._slots = slots
        self.symbols = tuple(desk.symbols)
        self.strategies = tuple(desk.sandboxes)
        self.index: Mapping[str, int] = {name: number for number, name in enumerate(self.symbols)}
        self.rank: Mapping[str, int] = {name: number for number, name in enumerate(self.strategies)}
        self.symbol_of = np.array([self.index[name] for _, name in slots], dtype=np.intp)
        slots_of, begin = {}, 0
        for box in desk.sandboxes.values():
            slots_of[box.name] = slice(begin, begin + len(box.held))
            begin += len(box.held)
        self.slots_of: Mapping[str, slice] = slots_of
        self.version = self.booked = 0
        self.refill()

    def sync(self) -> None:
        """Do nothing: :meth:`refill` says when something has moved."""

    def refill(self) -> None:
        """Take over what the desk's figures are now."""
        self.version += 1
        desk, slots = self._desk, self._slots
        boxes = list(desk.sandboxes.values())
        self.marks = np.array([_float(symbol.mark) for symbol in desk.symbols.values()])
        self.held = np.array([float(box.held[name]) for box, name in slots])
        self.held_buys = np.array([float(box.buys[name]) for box, name in slots])
        self.held_sells = np.array([float(box.sells[name]) for box, name in slots])
        self.net = np.array([  # of the exact sum, as the desk has it
            float(symbol.external + sum(box.held.get(name, 0) for box in boxes))
            for name, symbol in desk.symbols.items()
        ])  # fmt: skip
        self.buys, self.sells = np.zeros(len(self.symbols)), np.zeros(len(self.symbols))
        np.add.at(self.buys, self.symbol_of, self.held_buys)
        np.add.at(self.sells, self.symbol_of, self.held_sells)
        self.cash = np.array([float(box.cash) for box in boxes])
        self.reserved = np.array([float(box.reserved) for box in boxes])
        self.unallocated = float(desk.unallocated)


class RealGate:
    """A gate that holds one desk to its rules; what it approves is on its way from then on."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.arrays = Arrays(desk)
        self.conduct = folding.begin()
        for past in desk.history:
            _fold(self.conduct, past)
        self.gate = Gate(
            rules_of(desk),
            {name: limits_of(box) for name, box in desk.sandboxes.items()},
            exposures=self.arrays,
            flags=flags_of(desk),
            conduct=ConductControls(conduct_of(desk), self.conduct, self.arrays),
            tails=TailControl(_tail_of(desk)),
        )

    def ask(self, order: Order) -> Approved | Denied:
        """Ask, and let what is approved count."""
        verdict = self.gate.check(question_of(self.desk, order))
        if isinstance(verdict, Approved) and not order.reduces:
            box = self.desk.sandboxes[order.strategy]
            unfilled = box.buys if order.is_buy else box.sells
            unfilled[order.symbol] += order.qty
            box.reserved += order.qty * order.price * Fraction(102, 100)
            self.arrays.refill()
            self.arrays.version -= 1  # of what it let pass itself the gate knows
        return verdict

    @property
    def warnings(self) -> list[Breach]:
        return self.gate.warnings


def rules_of(desk: Desk) -> Rules:
    risk = desk.risk
    return Rules(
        account=AccountLimits(**_bounds(risk.get("account", {}))),
        groups={name: GroupLimits(**_bounds(group)) for name, group in risk.get("groups", {}).items()},
        symbols={name: SymbolLimits(**_bounds(limits)) for name, limits in risk.get("symbols", {}).items()},
        orders={name: OrderLimits(**_bounds(limits)) for name, limits in risk.get("orders", {}).items()},
        sectors=risk.get("sectors", {}),
        categories=risk.get("categories", {}),
        authorized=risk.get("authorized", {}),
        restricted=risk.get("restricted", ()),
        allowed=risk.get("allowed", ()),
        ladder=Ladder(weekly_factor=float(risk.get("weekly_factor", Fraction(1, 2)))),
    )


def _tail_of(desk: Desk) -> TailModel:
    """Return what is known of the past: of each symbol its volatility, and not one day."""
    past = {name: Days({}, _float(symbol.sigma_day)) for name, symbol in desk.symbols.items()}
    classes: dict[str, AssetClass] = {name: "crypto" if one.is_coin else "stock" for name, one in desk.symbols.items()}
    limits = _bounds(desk.risk.get("var", {}))
    shocks = limits.pop("shocks", {})
    return TailModel(past, classes, VarLimits(**limits, scenarios=(Scenario("one", shocks, is_completed=False),)))


def conduct_of(desk: Desk) -> ConductLimits:
    own = {name: ConductOfOne(**_bounds(box.limits.get("conduct", {}))) for name, box in desk.sandboxes.items()}
    return ConductLimits(ConductOfAccount(**_bounds(desk.risk.get("conduct", {}))), own)


def _fold(conduct: Conduct, past: Past) -> None:
    """Take what happened into the books' counters, as the events of it would be."""
    side = Side.BUY if past.is_buy else Side.SELL
    intent = OrderIntent(
        past.strategy, past.symbol, side, decimal_of(past.qty), decimal_of(past.price),
        reduces=past.reduces, reason=Reason.SIGNAL, ts=past.ts,
    )  # fmt: skip
    match past.kind:
        case "sent":
            folding.sent(conduct, Approved("o", intent, Decimal() if past.reduces else decimal_of(past.reserved)))
        case "accepted" | "refused" | "canceling":
            status = _STATUSES[past.kind]
            folding.moved(conduct, OrderMoved(past.ts, past.strategy, past.symbol, "o", status, ""))
        case "ended":
            folding.ended(conduct, intent)
        case "filled":
            folding.filled(conduct, _filled(past, intent), is_flat=past.is_flat)
        case "day":
            folding.day_started(conduct, DayStarted(past.ts, past.strategy, Decimal()))
        case "resumed":
            folding.state_set(conduct, StateSet(past.ts, past.strategy, TradingState.ACTIVE, "somebody", ""))
        case _:
            folding.denied(conduct, Denied(intent, folding.REPEATED, "", ""))


def _filled(past: Past, intent: OrderIntent) -> OrderFilled:
    return OrderFilled(
        ts=past.ts, strategy=past.strategy, symbol=past.symbol, side=intent.side, qty=intent.qty,
        price=intent.decision_price, fee=Decimal(), fee_asset="USD", order_id="o", execution_id="e",
        decision_price=intent.decision_price, reason=intent.reason, status=OrderStatus.FILLED,
        realized=decimal_of(past.realized), opened=False,
    )  # fmt: skip


def limits_of(box: desks.Sandbox) -> Limits:
    own = _bounds({rule: bound for rule, bound in box.limits.items() if rule != "conduct"})
    own |= {"max_position_size": decimal_of(box.limits["max_position_size"])}
    return Limits(**own, allow_short=box.allow_short)


def flags_of(desk: Desk) -> dict[str, FlagRaised]:
    return {
        flag_key(flag.scope, flag.kind, flag.level): FlagRaised(
            desk.now, flag.scope, flag.kind, flag.level, flag.action, "a limit", flag.value
        )
        for flag in desk.flags
    }


def question_of(desk: Desk, order: Order) -> Question:
    box, symbol = desk.sandboxes[order.strategy], desk.symbols[order.symbol]
    equity = box.cash
    for name, held in box.held.items():
        equity += held * (desk.symbols[name].mark or 0)
    standing = Standing(
        cash=decimal_of(box.cash),
        free_cash=decimal_of(box.cash - box.reserved),
        equity=decimal_of(equity),
        position=decimal_of(box.held[order.symbol]),
        daily_trades=box.trades,
        loss_reached=box.loss_reached,
        state=TradingState(box.state),
        held=box.why,
        is_warm=box.is_warm,
    )
    intent = OrderIntent(
        order.strategy, order.symbol, Side.BUY if order.is_buy else Side.SELL, decimal_of(order.qty),
        decimal_of(order.price), reduces=order.reduces, reason=Reason.SIGNAL, ts=order.ts,
        urgency=Urgency(order.urgency),
    )  # fmt: skip
    return Question(intent, "o1", _instrument_of(symbol), standing, market_of(symbol), desk.now)


def market_of(symbol: desks.Symbol) -> Market:
    return Market(
        mark=_float(symbol.mark),
        marked_at=symbol.marked_at,
        bid=_float(symbol.bid),
        ask=_float(symbol.ask),
        bid_size=_float(symbol.bid_size),
        ask_size=_float(symbol.ask_size),
        quoted_at=symbol.quoted_at,
        before=_float(symbol.before),
        sigma_day=_float(symbol.sigma_day),
        vol_ratio=_float(symbol.vol_ratio),
        volume_day=_float(symbol.volume_day),
    )


def decimal_of(value: Fraction) -> Decimal:
    """Return the decimal that a fraction is; its denominator has no other factors than 2 and 5."""
    return Decimal(value.numerator) / Decimal(value.denominator)


def _instrument_of(symbol: desks.Symbol) -> Instrument:
    step, least = decimal_of(symbol.step), decimal_of(symbol.least)
    if symbol.is_coin:
        return Instrument(symbol.name, "crypto", step, step, least, base=symbol.name.partition("/")[0])
    return Instrument(symbol.name, "stock", step, Decimal("0.0001"), least)


def _bounds(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section of plain settings in the gate's own words."""
    return {key: _said(value) for key, value in section.items()}


def _said(value: Any) -> Any:
    if isinstance(value, desks.Bound):
        return Bound(*(None if level is None else float(level) for level in (value.hard, value.soft)))
    if isinstance(value, Mapping):
        return _bounds(value)
    return float(value) if isinstance(value, Fraction) else value


def _float(value: Fraction | None) -> float:
    return nan if value is None else float(value)
