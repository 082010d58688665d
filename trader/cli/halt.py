"""``trader halt [STRATEGY]``: nothing opens any more, from now on and after every restart."""

from pathlib import Path
from typing import Any

import click

from trader.cli.control import act, common_options, folder_of, for_how_long, show, whose


@click.command
@common_options
def command(strategy: str, *, state_dir: Path | None, why: str, as_json: bool) -> int:
    """Halt STRATEGY, or the whole desk: cancel what would open something, and open nothing more.

    Exits and stops go on, and a restart changes nothing. Where no desk runs, or it does not answer, the file HALT is
    written to its state folder: the next start begins halted. `trader resume` ends a halt.
    """
    from trader.live.control_client import NotRunning, Unanswered
    from trader.live.control_messages import Declined

    folder = folder_of(state_dir)
    try:
        answer = act("halt", strategy, folder=folder, why=why)
    except (NotRunning, Unanswered, Declined) as error:
        if strategy:
            raise
        if state_dir is not None and not state_dir.exists():
            raise click.UsageError(
                f"--state-dir {state_dir}: there is no such folder, so no desk has its state there"
            ) from error
        show(_by_file(folder, why) | {"error": str(error)}, f"{error}\n{_wrote(folder)}", as_json=as_json)
        return 0 if isinstance(error, NotRunning) else error.exit_code
    text = (
        f"halted: {whose(strategy)}. Nothing opens {for_how_long(answer, strategy)}.\n"
        "Exits and stops go on; to close the positions as well: `trader flatten`."
    )
    show(answer, text, as_json=as_json)
    return 0


def _by_file(folder: Path, why: str) -> dict[str, Any]:
    """Leave word of a halt for whoever looks next; the file that is there already stays."""
    from trader.live.halt_file import HaltFile, one_line

    file = HaltFile(folder)
    try:
        file.write(one_line(why) or "trader halt")
    except OSError as error:
        raise click.FileError(str(file.path), error.strerror) from error
    return {"op": "halt", "what": "", "by": "file", "file": str(file.path), "states": None}


def _wrote(folder: Path) -> str:
    from trader.live.halt_file import HaltFile

    return (
        f"wrote {HaltFile(folder).path}: its next start begins halted, and one that runs halts when it looks.\n"
        "To trade again: remove that file, start, and `trader resume`."
    )
