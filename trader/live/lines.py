"""What a log line looks like: one JSON object for programs, the guide's words for people."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from trader.books.book import CROSSED
from trader.model.money import plain
from trader.model.orders import Side, TradingState
from trader.model.time import iso, utc
from trader.risk.escalation import resume_of

RULE = "=" * 80


def as_json(values: Mapping[str, Any]) -> str:
    """Render one JSON object: time, level, mode, event, then the values; money as strings."""
    head = {key: values[key] for key in ("level", "mode", "event")}
    rest = {
        key: plain(value) if isinstance(value, Decimal) else value
        for key, value in values.items()
        if key not in head and key != "ts"
    }
    return msgspec.json.encode({"ts": iso(values["ts"]), **head, **rest}, enc_hook=str).decode()


def as_console(values: Mapping[str, Any]) -> str:
    """Render for a terminal: time, mode, level, then the event in words; one without words shows its keys."""
    words = _WORDS.get(values["event"])
    lines = words(values) if words else [_plain(values)]
    prefix = f"{utc(values['ts']):%Y-%m-%d %H:%M:%S} {values['mode']} [{values['level'].upper()}] "
    if values.get("strategy"):
        prefix += f"[{values['strategy']}] "
    return "\n".join(prefix + line for line in lines)


def money(amount: Decimal) -> str:
    """Render dollars to the cent: ``$8,500.00``, ``-$50.00``."""
    return f"-${-amount:,.2f}" if amount < 0 and round(amount, 2) else f"${abs(amount):,.2f}"


def quantity(qty: Decimal) -> str:
    """Render a quantity with four decimals, more where it has more: ``23.5000``, ``0.106250001``."""
    text = plain(qty)
    return text if qty != round(qty, 4) else f"{qty:.4f}"


def _minute(ts: int) -> str:
    return f"{utc(ts):%Y-%m-%d %H:%M} UTC"


def _price(price: Decimal) -> str:
    return f"${price:,.2f}" if price >= 1 else f"${plain(price)}"


def _filled(values: Mapping[str, Any]) -> list[str]:
    icon, word = ("🟢", "BUY") if values["side"] == Side.BUY else ("🔴", "SELL")
    line = (
        f"{icon} {word} {quantity(values['qty'])} {values['symbol']} @ {_price(values['price'])}"
        f" (Order ID: {values['order_id']})"
    )
    if not values["opened"]:
        line += f" PnL: {money(values['realized'])}"
    if values["reason"] != "signal":
        line += f" [{values['reason']}]"
    if values["execution_id"].startswith(CROSSED):
        line += " [crossed]"
    return [line]


def _denied(values: Mapping[str, Any]) -> list[str]:
    limit, value = values["limit"], values["value"]
    why = f"{limit}, {value}" if limit.startswith("no ") else f"limit {limit}, value {value}"
    whose = f" ({values['scope']})" if values.get("scope") else ""
    hint = f"; {values['hint']}" if values.get("hint") else ""
    order = f"{values['side'].upper()} {quantity(values['qty'])} {values['symbol']}"
    return [f"✗ {order} denied by {values['rule']}{whose}: {why}{hint}"]


def _trimmed(values: Mapping[str, Any]) -> list[str]:
    order = f"{values['side'].upper()} {quantity(values['qty'])} {values['symbol']}"
    done = f"cut to {quantity(values['kept'])}" if values["kept"] else "dropped"
    icon = "✂" if values["kept"] else "✗"
    return [f"{icon} {order} {done} by filter {values['filter']}: limit {values['limit']}, value {values['value']}"]


_FOLLOWS = {
    "alert": "",
    "tighten": ": its limits are tighter",
    "reduce_only": ": no openings",
    "force_reduce": ": no openings, the largest positions are closed",
    "halt_strategy": ": its strategies are halted",
    "halt_desk": ": the whole desk is halted",
}


def _flagged(values: Mapping[str, Any]) -> list[str]:
    follows, until = _FOLLOWS[values["action"]], values["until"]
    what = (
        f"{values['scope']}: {values['threshold']} {values['kind']}, limit {values['limit']}, value {values['value']}"
    )
    ends = f"; until {_minute(until) if until > 0 else resume_of(values['scope'])}" if until else ""
    return [f"{'⛔' if follows else '⚠'} {what}{follows}{ends}"]


def _unflagged(values: Mapping[str, Any]) -> list[str]:
    return [f"✓ {values['scope']}: {values['threshold']} {values['kind']} is over (by {values['by']})"]


def _loss(values: Mapping[str, Any]) -> list[str]:
    then = "closing its positions" if values["flatten"] else "holding its positions"
    return [(
        f"⛔ Daily loss {money(values['loss'])} reached max_daily_loss {money(values['limit'])}:"
        f" no openings for the rest of the day, {then}"
    )]  # fmt: skip


def _failed(values: Mapping[str, Any]) -> list[str]:
    then = "closing its positions" if values["flatten"] else "holding its positions"
    frames = [line.strip() for line in values["traceback"].splitlines() if line.lstrip().startswith("File ")]
    where = f" ({frames[-1]})" if frames else ""
    return [f"✗ Strategy failed on {values['symbol']}: {values['error']}{where} - HALTED, {then}"]


_STATES = {
    TradingState.ACTIVE: ("✓", "TRADING ACTIVE"),
    TradingState.PAUSED: ("⛔", "PAUSED, no openings"),
    TradingState.HALTED: ("⛔", "HALTED, no openings, those on their way are canceled"),
}


def _state(values: Mapping[str, Any]) -> list[str]:
    icon, words = _STATES[values["state"]]
    whom = "" if values["strategy"] else "whole desk "
    line = f"{icon} {whom}{words}" + (", closing all positions" if values["flatten"] else "")
    return [f"{line} (by {values['by']}{': ' if values['why'] else ''}{values['why']})"]


def _kept(values: Mapping[str, Any]) -> list[str]:
    whom, name = ("", f" {values['strategy']}") if values["strategy"] else ("whole desk ", "")
    return [f"⛔ {whom}{values['state'].upper()} since an earlier run; `trader resume{name}` ends that"]


def _locked(values: Mapping[str, Any]) -> list[str]:
    return [(
        f"⛔ {values['symbol']} LOCKED: the account has {plain(values['held'])}, the books say"
        f" {plain(values['expected'])} ({values['why']}): no openings, exits as far as that is surely held;"
        " `trader reconcile` shows it and the ways out"
    )]  # fmt: skip


def _unlocked(values: Mapping[str, Any]) -> list[str]:
    adjusted = f", {plain(values['adjusted'])} booked to external" if values["adjusted"] else ""
    return [f"✓ {values['symbol']} unlocked (by {values['by']}){adjusted}"]


def _excepted(values: Mapping[str, Any]) -> list[str]:
    order = f"one {values['side'].upper()} of at most {quantity(values['qty'])} {values['symbol']}"
    said = f"{order} may pass {values['rule']} until {_minute(values['until'])}, asked for by {values['by']}"
    agree = f"another person agrees with `trader override agree {values['number']}`"
    then = f"agreed to by {values['approved_by']}" if values["approved_by"] else agree
    return [f"⚠ exception {values['number']}: {said} ({values['why']}); {then}"]


def _excepting(values: Mapping[str, Any]) -> list[str]:
    why = f"{values['rule']}, limit {values['limit']}, value {values['value']}"
    return [f"⚠ exception {values['number']} used by {values['order_id']}: {why}"]


_MODES = {
    "SIM": "simulated orders, no money at risk",
    "PAPER": "orders to a paper account, no money at risk",
    "LIVE": "REAL MONEY",
}


def _started(values: Mapping[str, Any]) -> list[str]:
    head = [
        RULE,
        "Starting MultiTraderCoordinator",
        f"Mode: {values['mode']} ({_MODES[values['mode']]})",
        f"Paper Trading: {values['paper']}",
        f"Market: {values['market']}",
        f"Strategies: {len(values['sandboxes'])}",
        RULE,
    ]
    for box in values["sandboxes"]:
        head += [
            f"  [{box['name']}]",
            f"    Tickers: {', '.join(box['tickers'])}",
            f"    Initial Cash: {money(box['initial_cash'])}",
            f"    Warmup Bars: {box['warmup_bars']}",
            f"    Asset Type: {box['asset_type']}",
        ]
    return head


def _plain(values: Mapping[str, Any]) -> str:
    hidden = {"event", "level", "mode", "ts", "strategy", "traceback"}
    pairs = " ".join(f"{key}={value}" for key, value in values.items() if key not in hidden)
    return f"{values['event']} {pairs}".rstrip()


_WORDS: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "coordinator.started": _started,
    "order.filled": _filled,
    "order.denied": _denied,
    "intent.trimmed": _trimmed,
    "flag.raised": _flagged,
    "flag.cleared": _unflagged,
    "loss.reached": _loss,
    "override.proposed": _excepted,
    "override.granted": _excepted,
    "override.used": _excepting,
    "strategy.failed": _failed,
    "state.set": _state,
    "state.kept": _kept,
    "symbol.locked": _locked,
    "symbol.unlocked": _unlocked,
    "coordinator.stopped": lambda values: [f"MultiTraderCoordinator stopped, total PnL {money(values['total_pnl'])}"],
    "warmup.completed": lambda _: ["✓ Warmup complete - TRADING ACTIVE"],
}
