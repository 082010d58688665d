"""What the verbs that act on a running desk share: which desk is meant, asking it, asking a person, and the answer."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from trader.live.control_messages import Action
    from trader.store.journal import Journal

Command = TypeVar("Command", bound=Callable[..., object])

_PATH = click.Path(path_type=Path)
_FOLDER = "The state folder of the desk.  [default: that of the one that runs]"


def state_folder_option(command: Command) -> Command:
    """Add ``--state-dir`` to a verb."""
    return click.option("--state-dir", type=_PATH, help=_FOLDER, metavar="DIR")(command)


def journal_option(command: Command) -> Command:
    """Add ``--journal`` to a verb that works while no desk runs, too."""
    text = "Where the books are kept, if not in that folder."
    return click.option("--journal", help=text, metavar="FILE|URL")(command)


def common_options(command: Command) -> Command:
    """Add ``[STRATEGY] --state-dir --why --json`` to a verb."""
    command = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)
    command = click.option("--why", default="", help="What the log will say about it.", metavar="TEXT")(command)
    return strategy_argument(state_folder_option(command))


def strategy_argument(command: Command) -> Command:
    """Add ``[STRATEGY]`` to a verb; left out, it is an empty name, which means everyone."""
    return click.argument("strategy", required=False, callback=_named)(command)


def folder_of(state_dir: Path | None) -> Path:
    """Return the state folder that is meant: the one given, else that of the one desk that runs, else the one there is.

    Raises:
        click.UsageError: paper and live both run, or neither does and both have a folder, and none was named.
    """
    from trader.live.control_client import is_running
    from trader.live.state_folder import default_folder

    if state_dir is not None:
        return state_dir
    paper, live = (default_folder(os.environ, is_live=is_live) for is_live in (False, True))
    running = [folder for folder in (paper, live) if is_running(folder)]
    there = running or [folder for folder in (paper, live) if folder.exists()]
    if len(there) > 1:  # to guess paper would leave real money to itself
        which = "two desks run" if running else "no desk runs, and a paper and a live one have run"
        raise click.UsageError(f"{which}; add --state-dir {paper} or --state-dir {live}")
    return there[0] if there else paper


@contextmanager
def journal_of(folder: Path, where: str | None) -> Iterator["Journal"]:
    """Open the journal of a desk that does not run, of ``folder`` where none is named. Raises TraderError."""
    from trader.errors import ConfigError
    from trader.live.state_folder import JOURNAL
    from trader.store.sqlite import open_journal

    path = folder / JOURNAL
    if where is None and not path.exists():
        raise ConfigError(
            f"no trader runs with {folder}, and it holds no journal: name another folder with --state-dir, or with"
            " --journal books that are kept elsewhere (those of a simulated market end with it: ask while it runs)"
        )
    with closing(open_journal(where or path, is_new_allowed=False)) as journal:
        yield journal


def act(action: "Action", strategy: str, *, folder: Path, why: str) -> dict[str, Any]:
    """Ask the desk to change what a strategy, or everyone, may do; return its answer. Raises TraderError."""
    from trader.live.control_client import ask
    from trader.live.control_messages import Act
    from trader.live.halt_file import KEPT

    if len(why) > KEPT:
        raise click.UsageError(f"--why has {len(why)} characters; at most {KEPT} are kept: say it shorter")
    return ask(folder, action, Act(strategy, why))


def confirm(question: str, *, yes: bool) -> None:
    """Go on only when a person says so, or said so by ``--yes``."""
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask at; add --yes to say that it is meant")
    if not click.confirm(question, err=True):
        click.echo("nothing was done", err=True)
        raise click.Abort


def show(answer: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Print the answer for a program, or the text for a person."""
    click.echo(json.dumps(answer, ensure_ascii=False) if as_json else text)


def whose(strategy: str) -> str:
    """Name who an action is about."""
    return strategy or "the whole desk"


def resuming(strategy: str) -> str:
    """Name the command that ends what was done to ``strategy``."""
    return f"`trader resume {strategy}`" if strategy else "`trader resume`"


def for_how_long(answer: dict[str, Any], strategy: str) -> str:
    """Say what ends it, and that a restart does not where there is anything to go on with after one."""
    outlives = "" if answer["states"]["mode"] == "SIM" else ", after a restart too"
    return f"until {resuming(strategy)}{outlives}"


def columns(rows: list[tuple[str, ...]], *, right: set[int]) -> str:
    """Return rows as aligned columns, those in ``right`` flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _named(_: click.Context, __: click.Parameter, value: str | None) -> str:
    if value == "":  # as of a variable in a script that is not set: it did not mean everyone
        raise click.BadParameter("an empty name; leave it out to mean the whole desk")
    return value or ""
