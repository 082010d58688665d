"""``trader pause [STRATEGY]``: reduce only."""

from pathlib import Path

import click

from trader.cli.control import act, common_options, folder_of, resuming, show, whose


@click.command
@common_options
def command(strategy: str, *, state_dir: Path | None, why: str, as_json: bool) -> None:
    """Let STRATEGY, or the whole desk, only reduce: nothing new is opened, orders that are open stay.

    It outlives restarts. `trader resume` ends it.
    """
    answer = act("pause", strategy, folder=folder_of(state_dir), why=why)
    show(answer, f"paused: {whose(strategy)}. Positions are only reduced until {resuming(strategy)}.", as_json=as_json)
