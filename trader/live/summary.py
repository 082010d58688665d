"""The summary on exit: the guide's block for people, one JSON object for programs."""

from decimal import Decimal

import msgspec

from trader.engine.summary import StrategySummary, Summary
from trader.live.lines import RULE, money
from trader.model.money import plain


def as_json(summary: Summary) -> str:
    """Render the summary as one JSON object; money and quantities are strings in plain notation."""
    return msgspec.json.encode(_plain(msgspec.to_builtins(summary, builtin_types=(Decimal,)))).decode()


def as_text(summary: Summary) -> str:
    """Render the guide's block; what a strategy was refused, and a state that is not active, get a line."""
    lines = [RULE, "MULTI-TRADER COORDINATOR SUMMARY", RULE, "", f"Mode: {summary.mode}", ""]
    for strategy in summary.strategies:
        lines += [*_strategy(strategy), ""]
    return "\n".join([*lines, RULE, f"TOTAL PnL ACROSS ALL STRATEGIES: {money(summary.total_pnl)}", RULE])


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _strategy(strategy: StrategySummary) -> list[str]:
    lines = [
        f"[{strategy.name}]",
        f"  Initial Cash: {money(strategy.initial_cash)}",
        f"  Available Cash: {money(strategy.available_cash)}",
        f"  Total Value: {money(strategy.total_value)}",
        f"  PnL: {money(strategy.pnl)} ({strategy.pnl_pct:+.2f}%)",
        f"  Daily Trades: {strategy.daily_trades}",
        f"  Active Positions: {strategy.active_positions}",
    ]
    if strategy.open_orders:
        lines.append(f"  Open Orders: {strategy.open_orders}")
    if strategy.denials:
        lines.append("  Denied: " + ", ".join(f"{rule} {count}" for rule, count in strategy.denials.items()))
    if strategy.state != "active":
        lines.append(f"  State: {strategy.state}")
    return lines
