"""``trader flatten [STRATEGY]``: close every position, and open nothing."""

from pathlib import Path

import click

from trader.cli.control import act, common_options, confirm, folder_of, resuming, show, whose


@click.command
@common_options
@click.option("--yes", is_flag=True, help="Do not ask before the whole desk is flattened.")
def command(strategy: str, *, state_dir: Path | None, why: str, as_json: bool, yes: bool) -> None:
    """Close all that STRATEGY, or the whole desk, holds, with orders of its own, and pause it.

    What other hands hold in the account is not touched. Asks before it flattens the whole desk.
    """
    from trader.live.control_client import ask

    folder = folder_of(state_dir)
    if not strategy:
        now = ask(folder, "states")
        confirm(f"Close every position of {len(now['strategies'])} strategies ({now['mode']}, {folder})?", yes=yes)
    answer = act("flatten", strategy, folder=folder, why=why)
    text = (
        f"flattening: {whose(strategy)}. Exits are on their way, a closed market takes them when it opens.\n"
        f"Nothing new is opened until {resuming(strategy)}; `trader trades` shows what was sold."
    )
    show(answer, text, as_json=as_json)
