"""The pre-trade gate: every order passes here once, on the freshest books."""

from collections.abc import Mapping
from decimal import Decimal

from trader.model.events import FlagRaised
from trader.model.instruments import Instrument
from trader.model.money import EXACT, ZERO
from trader.model.orders import Approved, Denied, OrderIntent, Side, TradingState
from trader.model.views import Exposures, Question, Standing
from trader.risk.limits import Limits, reservation_of
from trader.risk.rules import Rules

HELD = "held"  # the rule that refuses entries while data or the order stream cannot be trusted; it passes by itself


class Gate:
    """All controls of one desk; built anew for each opening of the books, because it looks into them."""

    def __init__(
        self,
        rules: Rules,
        limits: Mapping[str, Limits],
        *,
        exposures: Exposures,
        flags: Mapping[str, FlagRaised],
    ) -> None:
        """Hold each strategy to its ``limits`` and all of them to ``rules``; ``flags`` are those that stand."""
        self._rules = rules
        self._limits = limits
        self._exposures = exposures
        self._flags = flags

    def check(self, question: Question) -> Approved | Denied:
        """Approve an intent with its reservation, or name the first rule it breaks.

        The caller applies the approval before it asks again, so the next check sees this one's reservation.
        """
        intent = question.intent
        return check(
            intent,
            question.standing,
            limits=self._limits[intent.strategy],
            instrument=question.instrument,
            order_id=question.order_id,
        )


def check(
    intent: OrderIntent, standing: Standing, *, limits: Limits, instrument: Instrument, order_id: str
) -> Approved | Denied:
    """Approve ``intent`` under ``order_id`` with its reservation, or name the first rule it breaks.

    The caller applies the approval before it asks again, so the next check sees this one's reservation.
    """
    if intent.reduces:
        assert intent.qty <= standing.position.copy_abs(), f"{intent} reduces more than {standing.position}"
        return Approved(order_id, intent)
    reserved = reservation_of(intent)
    broken = (
        _held_back(standing)
        or _closed_to_openings(intent, standing, limits)
        or _too_small(intent, instrument)
        or _too_large(intent, standing, limits)
        or _unfunded(reserved, standing)
    )
    return Denied(intent, *broken, is_passing=broken[0] == HELD) if broken else Approved(order_id, intent, reserved)


Broken = tuple[str, str, str] | None


def _held_back(standing: Standing) -> Broken:
    return (HELD, "no entries", standing.held) if standing.held else None


def _closed_to_openings(intent: OrderIntent, standing: Standing, limits: Limits) -> Broken:
    if standing.state is not TradingState.ACTIVE:
        return standing.state.value, "no openings", "until it is resumed"
    if standing.loss_reached:
        return "max_daily_loss", f"${limits.max_daily_loss}", "reached today"
    if limits.max_daily_trades is not None and standing.daily_trades >= limits.max_daily_trades:
        return "max_daily_trades", str(limits.max_daily_trades), str(standing.daily_trades)
    if intent.side is Side.SELL and not limits.allow_short:
        return "allow_short", "false", f"sell {intent.qty}"
    if standing.cash <= ZERO:
        return "cash", "> $0", f"${standing.cash}"
    return None


def _too_small(intent: OrderIntent, instrument: Instrument) -> Broken:
    notional = EXACT.multiply(intent.qty, intent.decision_price)
    if intent.qty <= ZERO or notional < instrument.min_notional:
        return "min_notional", f"${instrument.min_notional}", f"${notional}"
    if EXACT.remainder(intent.qty, instrument.qty_increment):
        return "qty_increment", str(instrument.qty_increment), str(intent.qty)
    return None


def _too_large(intent: OrderIntent, standing: Standing, limits: Limits) -> Broken:
    held = EXACT.add(standing.position, EXACT.multiply(intent.qty, intent.side.sign)).copy_abs()
    value = EXACT.multiply(held, intent.decision_price)
    allowed = EXACT.multiply(standing.equity, limits.max_position_size)
    if value > allowed:
        return "max_position_size", f"${allowed} ({limits.max_position_size} of equity)", f"${value}"
    return None


def _unfunded(reserved: Decimal, standing: Standing) -> Broken:
    if reserved > standing.free_cash:
        return "free_cash", f"${standing.free_cash}", f"${reserved}"
    return None
