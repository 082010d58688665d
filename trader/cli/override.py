"""``trader override …``: let one order pass a rule, with a reason, for a while, and when two people want it.

``--json``: one exception with ``number``, ``until``, ``by`` and ``approved_by``; of ``list``, ``overrides`` of them.
"""

from pathlib import Path
from typing import Any

import click

from trader.cli import HintingGroup
from trader.cli.control import columns, folder_of, show, state_folder_option

DEFAULT_FOR = "15m"


@click.group("override", cls=HintingGroup)
def command() -> None:
    """Let one order pass a rule of the gate: one person asks, another one agrees, and it holds for a while.

    People are users of this machine, as the control socket sees them: the owner of the desk, and root. Nothing passes
    that protects the money: states, cash, exposure and losses are never overridden.
    """


@command.command
@click.argument("strategy")
@click.argument("symbol")
@click.argument("side", type=click.Choice(["buy", "sell"]))
@click.argument("qty")
@click.option("--rule", required=True, help="The rule that refused it, as `trader why` names it.")
@click.option("--why", required=True, metavar="TEXT", help="The reason; it is kept in the books.")
@click.option("--for", "span", default=DEFAULT_FOR, show_default=True, help="How long it holds, at most one hour.")
@state_folder_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def ask(*, side: str, span: str, state_dir: Path | None, as_json: bool, **wanted: str) -> None:
    """Ask that one order of STRATEGY in SYMBOL, of at most QTY, may pass a rule."""
    from trader.live.control_client import ask as ask_desk
    from trader.live.halt_file import KEPT
    from trader.live.overriding import AskOverride
    from trader.model.orders import Side
    from trader.model.time import SECOND, parse_duration

    if len(wanted["why"]) > KEPT:
        raise click.UsageError(f"--why has {len(wanted['why'])} characters; at most {KEPT} are kept: say it shorter")
    try:
        for_s = parse_duration(span) / SECOND
    except ValueError as error:
        raise click.UsageError(f"--for: {error}") from None
    asked = AskOverride(**wanted, side=Side(side), for_s=for_s)
    folder = folder_of(state_dir)
    answer = ask_desk(folder, "override", asked)
    way = f"trader override agree {answer['number']} --state-dir {folder}"
    text = f"asked for: {_told(answer)}\nAnother user who may reach this desk, its owner or root, agrees with: {way}"
    show(answer, text, as_json=as_json)


@command.command
@click.argument("number", type=click.IntRange(1))
@state_folder_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def agree(number: int, *, state_dir: Path | None, as_json: bool) -> None:
    """Agree to the exception with this NUMBER, which another person asked for."""
    from trader.live.control_client import ask as ask_desk
    from trader.live.overriding import AgreeOverride

    answer = ask_desk(folder_of(state_dir), "agree", AgreeOverride(number))
    show(answer, f"granted: {_told(answer)}", as_json=as_json)


@command.command("list")
@state_folder_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_overrides(*, state_dir: Path | None, as_json: bool) -> None:
    """List the exceptions that wait for a second person or for their order."""
    from trader.live.control_client import ask as ask_desk

    answer = ask_desk(folder_of(state_dir), "overrides")
    rows = [_row(one) for one in answer["overrides"]]
    show(answer, columns([_HEAD, *rows], right={0, 4}) if rows else "No exception.", as_json=as_json)


_HEAD = ("number", "strategy", "symbol", "side", "at most", "rule", "until", "asked by", "agreed by", "why")


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    names = ("number", "strategy", "symbol", "side", "qty", "rule", "until", "by", "approved_by", "why")
    return tuple(str(one[name]) or "nobody yet" for name in names)


def _told(one: dict[str, Any]) -> str:
    order = f"one order of {one['strategy']}, {one['side']} at most {one['qty']} {one['symbol']}"
    return f"{order}, may pass {one['rule']} until {one['until']}."
