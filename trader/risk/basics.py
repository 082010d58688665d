"""What one sandbox is held to on its own books, exactly: state, the day's counters, money, increments."""

from decimal import Decimal

from trader.model.money import EXACT, ZERO
from trader.model.orders import OrderIntent, TradingState
from trader.model.views import Question, Standing
from trader.risk.bounds import Breach
from trader.risk.checks import RESTART
from trader.risk.limits import Limits

_ACTIVE = TradingState.ACTIVE  # an enumeration's members are slow to look up
HELD = "held"  # the rule that refuses entries while data or the order stream cannot be trusted; it passes by itself


def broken_on_its_own(question: Question, limits: Limits, reserved: Decimal) -> Breach | None:
    """Name the first rule that an opening breaks on its sandbox's own books; ``reserved`` is what it would reserve."""
    standing, intent = question.standing, question.intent
    return (
        broken_at_any_size(intent, standing, limits)
        or _too_small(question)
        or _too_large(intent, standing, limits)
        or _unfunded(intent, reserved, standing)
    )


def broken_at_any_size(intent: OrderIntent, standing: Standing, limits: Limits) -> Breach | None:
    """Name the first of those rules that a smaller opening would break as well."""
    if standing.held:
        return Breach(HELD, f"symbol {intent.symbol}", "no entries", standing.held, hint="", is_passing=True)
    return _stopped(intent, standing) or _counted_out(intent, standing, limits)


def _stopped(intent: OrderIntent, standing: Standing) -> Breach | None:
    if standing.state is not _ACTIVE:
        hint = f"trader resume {intent.strategy}, or trader resume for the whole desk"
        return Breach(
            standing.state.value, f"strategy {intent.strategy}", "no openings", "until it is resumed", hint=hint
        )
    if not standing.is_warm:
        hint = "wait: it passes when the symbol has had its min_warmup_bars"
        return Breach("not_warm", f"symbol {intent.symbol}", "warm", "warming up", hint=hint, is_passing=True)
    return None


def _counted_out(intent: OrderIntent, standing: Standing, limits: Limits) -> Breach | None:
    if standing.loss_reached:
        return _own(intent, "max_daily_loss", f"${limits.max_daily_loss}", "reached today")
    if limits.max_daily_trades is not None and standing.daily_trades >= limits.max_daily_trades:
        return _own(intent, "max_daily_trades", str(limits.max_daily_trades), str(standing.daily_trades))
    if intent.side.sign < 0 and not limits.allow_short:
        hint = f"set allow_short of strategy {intent.strategy} to true {RESTART}"
        return Breach("allow_short", f"strategy {intent.strategy}", "false", f"sell {intent.qty}", hint=hint)
    if standing.cash <= ZERO:
        hint = f"raise initial_cash of strategy {intent.strategy} {RESTART}"
        return Breach("cash", f"strategy {intent.strategy}", "> $0", f"${standing.cash}", hint=hint)
    return None


def _too_small(question: Question) -> Breach | None:
    intent, instrument = question.intent, question.instrument
    notional = EXACT.multiply(intent.qty, intent.decision_price)
    if intent.qty <= ZERO or notional < instrument.min_notional:
        hint = f"the venue takes no smaller order: give strategy {intent.strategy} more capital, or a larger position"
        return Breach("min_notional", "order", f"${instrument.min_notional}", f"${notional}", hint=hint)
    if EXACT.remainder(intent.qty, instrument.qty_increment):
        hint = f"round quantities of {intent.symbol} down to {instrument.qty_increment}"
        return Breach("qty_increment", "order", str(instrument.qty_increment), str(intent.qty), hint=hint)
    return None


def _too_large(intent: OrderIntent, standing: Standing, limits: Limits) -> Breach | None:
    held = EXACT.add(standing.position, EXACT.multiply(intent.qty, intent.side.sign)).copy_abs()
    value = EXACT.multiply(held, intent.decision_price)
    allowed = EXACT.multiply(standing.equity, limits.max_position_size)
    if value > allowed:
        limit = f"${allowed} ({limits.max_position_size} of equity)"
        return _own(intent, "max_position_size", limit, f"${value}")
    return None


def _unfunded(intent: OrderIntent, reserved: Decimal, standing: Standing) -> Breach | None:
    if reserved > standing.free_cash:
        hint = f"raise initial_cash of strategy {intent.strategy} {RESTART}, or wait until an order of it has ended"
        return Breach("free_cash", f"strategy {intent.strategy}", f"${standing.free_cash}", f"${reserved}", hint=hint)
    return None


def _own(intent: OrderIntent, rule: str, limit: str, value: str) -> Breach:
    hint = f"raise risk_config.{rule} of strategy {intent.strategy} {RESTART}"
    return Breach(rule, f"strategy {intent.strategy}", limit, value, hint=hint)
