"""``trader resume [STRATEGY]``: trade again."""

from pathlib import Path
from typing import Any

import click

from trader.cli.control import act, common_options, folder_of, show, whose


@click.command
@common_options
def command(strategy: str, *, state_dir: Path | None, why: str, as_json: bool) -> None:
    """Let STRATEGY, or the whole desk, trade again after a halt, a pause or a flatten.

    Strategies that were halted by their own name stay so when the desk is resumed. A strategy that failed warms up
    anew. Refused while the file HALT is in the state folder.
    """
    answer = act("resume", strategy, folder=folder_of(state_dir), why=why)
    show(answer, "\n".join([f"resumed: {whose(strategy)}.", *_still_held(answer, strategy)]), as_json=as_json)


def _still_held(answer: dict[str, Any], strategy: str) -> list[str]:
    """Say who may not trade all the same."""
    states = answer["states"]
    if strategy:
        if states["desk"] == "active":
            return []
        return [f"The whole desk is {states['desk']} all the same; `trader resume` ends that."]
    return [
        f"{name} is {state} all the same; `trader resume {name}` ends that."
        for name, state in states["strategies"].items()
        if state != "active"
    ]
