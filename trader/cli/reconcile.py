"""``trader reconcile``: books and account beside each other, and the ways out of a difference.

``--json``: ``mode``, ``read`` (when the account was read last, empty: never), ``symbols``, ``cash_…`` and ``absent``.
"""

from pathlib import Path
from typing import Any

import click

from trader.cli.control import columns, confirm, folder_of, show, state_folder_option


@click.command
@state_folder_option
@click.option("--accept", metavar="SYMBOL", help="Book the difference in a locked symbol to external, and unlock it.")
@click.option("--release", metavar="ORDER_ID", help="Vouch for it that an absent order will not arrive any more.")
@click.option("--yes", is_flag=True, help="Do not ask before --accept or --release.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(state_dir: Path | None, accept: str | None, release: str | None, *, yes: bool, as_json: bool) -> None:
    """Show what the account holds and what the books say, and settle what differs.

    Nothing is settled by itself: a symbol on which account and books disagree is locked until they agree again, or
    until --accept books the difference to external, which no strategy trades. No strategy's book is changed.
    """
    from trader.live.control_client import ask

    if accept is not None and release is not None:
        raise click.UsageError("--accept and --release are two decisions; make them one after the other")
    folder = folder_of(state_dir)
    now = ask(folder, "reconciliation")
    if accept is not None:
        show(_accept(folder, now, accept, yes=yes), f"{accept} is free again.", as_json=as_json)
    elif release is not None:
        show(_release(folder, now, release, yes=yes), f"{release} is released, its dollars too.", as_json=as_json)
    else:
        show(now, _text(now), as_json=as_json)


def _accept(folder: Path, now: dict[str, Any], symbol: str, *, yes: bool) -> dict[str, Any]:
    from trader.live.control_client import ask
    from trader.live.control_messages import Accept

    line = next((line for line in now["symbols"] if line["symbol"] == symbol and line["locked"]), None)
    if line is not None:
        sure = f"Book {line['difference']} {symbol} to external (held {line['held']}, {line['why']})?"
        confirm(sure, yes=yes)
    return ask(folder, "accept", Accept(symbol, line["difference"] if line else "0"))


def _release(folder: Path, now: dict[str, Any], order_id: str, *, yes: bool) -> dict[str, Any]:
    from trader.live.control_client import ask
    from trader.live.control_messages import Release

    order = next((order for order in now["absent"] if order["order_id"] == order_id), None)
    if order is not None:
        told = f"{order['strategy']} {order['side']} {order['qty']} {order['symbol']}"
        confirm(f"Vouch for it that this order will never arrive ({told})?", yes=yes)
    return ask(folder, "release", Release(order_id))


def _text(now: dict[str, Any]) -> str:
    unread = (
        "there is no account" if now["mode"] == "SIM" else "the account was not read yet: what differs is not known"
    )
    read = f"account read {now['read']}" if now["read"] else unread
    parts = [f"{now['mode']}, {read}", _symbols(now["symbols"]), _cash(now), *_ways_out(now)]
    return "\n\n".join(part for part in parts if part)


def _symbols(lines: list[dict[str, Any]]) -> str:
    if not lines:
        return "No position anywhere."
    head = ("symbol", "account", "strategies", "external", "difference", "")
    rows = [
        (
            line["symbol"],
            line["held"] or "?",
            line["sandboxes"],
            line["external"],
            line["difference"] or "?",
            f"LOCKED: {line['why']}" if line["locked"] else line["why"],
        )
        for line in lines
    ]
    return columns([head, *rows], right={1, 2, 3, 4})


def _cash(now: dict[str, Any]) -> str:
    texts = {
        "account": now["cash_held"],
        "strategies": now["cash_sandboxes"],
        "unallocated": now["cash_unallocated"],
        "difference": now["cash_difference"],
    }
    return "cash  " + "  ".join(f"{name} {'?' if value is None else f'${value}'}" for name, value in texts.items())


def _ways_out(now: dict[str, Any]) -> list[str]:
    """Say what can be done about what differs."""
    texts = []
    if locked := [line["symbol"] for line in now["symbols"] if line["locked"]]:
        texts.append(
            f"Locked: {', '.join(locked)}. Nothing opens in them until account and books agree: look for the cause at\n"
            "the broker. If the difference is right as it is, it can be booked to external:\n"
            f"  trader reconcile --accept {locked[0]}"
        )
    if now["cash_difference"] not in {None, "0"}:
        texts.append("Cash that differs locks nothing; the log says what is known to explain it (cash.compared).")
    if now["absent"]:
        texts.append(
            "Sent, and the broker does not know them; their dollars stay reserved until the day's end:\n"
            f"{columns([_order(order) for order in now['absent']], right={3, 5})}\n"
            "If one surely was lost, this frees them at once:\n"
            f"  trader reconcile --release {now['absent'][0]['order_id']}"
        )
    return texts


def _order(order: dict[str, Any]) -> tuple[str, ...]:
    return order["order_id"], order["strategy"], order["side"], order["qty"], order["symbol"], f"${order['reserved']}"
