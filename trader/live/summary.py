"""The summary on exit: the guide's block for people, one JSON object for programs."""

from decimal import Decimal
from math import isnan

import msgspec

from trader.books.monitor import ControlRoomFigures, ScopeFigures
from trader.engine.summary import StrategySummary, Summary
from trader.live.lines import RULE, money
from trader.model.money import decimal_of, plain
from trader.model.time import iso


def as_json(summary: Summary) -> str:
    """Render the summary as one JSON object; money and quantities are strings in plain notation."""
    return msgspec.json.encode(_plain(msgspec.to_builtins(summary, builtin_types=(Decimal,)))).decode()


def as_text(summary: Summary) -> str:
    """Render the guide's block; what a strategy was refused, and a state that is not active, get a line."""
    lines = [RULE, "MULTI-TRADER COORDINATOR SUMMARY", RULE, "", f"Mode: {summary.mode}", ""]
    for strategy in summary.strategies:
        lines += [*_strategy(strategy), ""]
    if summary.risk is not None:
        lines += _risk(summary.risk)
    return "\n".join([*lines, RULE, f"TOTAL PnL ACROSS ALL STRATEGIES: {money(summary.total_pnl)}", RULE])


def _risk(figures: ControlRoomFigures) -> list[str]:
    """Render the groups, what the whole account carries, what was refused, and the flags that stand."""
    lines = []
    for group in figures.groups:
        lines += [f"[{group.scope}]", *_scope(group), ""]
    lines += ["[account]", *_scope(figures.account)]
    if not isnan(figures.var):
        lines.append(f"  Tail of a day: VaR {_usd(figures.var)}, ES {_usd(figures.es)} ({figures.tail_method})")
    if figures.tightness > 1:
        lines.append(f"  Limits divided by: {figures.tightness:g}")
    if figures.denials:
        lines.append("  Denied: " + ", ".join(f"{rule} {count}" for rule, count in figures.denials.items()))
    lines += [
        f"  Flag: {flag.scope}, {flag.kind} ({flag.level}): {flag.value}, limit {flag.limit}: {flag.action} since "
        f"{iso(flag.ts)}"
        for flag in figures.flags
    ]
    return [*lines, ""]


def _scope(figures: ScopeFigures) -> list[str]:
    exposure = figures.exposure
    lines = [
        f"  Total Value: {_usd(figures.equity)}",
        f"  PnL: {_usd(figures.pnl)} (realised {_usd(figures.realized)}, open {_usd(figures.unrealized)})",
        f"  Exposure: gross {_usd(exposure.gross)}, net {_usd(exposure.net)}, {figures.positions} positions",
    ]
    if figures.losses:
        lines.append("  Lost: " + ", ".join(f"{name} {max(loss, 0.0):.2%}" for name, loss in figures.losses.items()))
    return lines


def _usd(dollars: float) -> str:
    return money(decimal_of(dollars))


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
    if strategy.trims:
        lines.append("  Trimmed: " + ", ".join(f"{name} {count}" for name, count in strategy.trims.items()))
    if strategy.state != "active":
        lines.append(f"  State: {strategy.state}")
    return lines
