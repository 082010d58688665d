"""``trader journal …``: look at a journal, check it, copy it.

While a desk runs it is the only one that has its journal open: it is asked for a copy, and the copy is looked at.
"""

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from trader.cli import HintingGroup
from trader.cli.control import folder_of, show, state_folder_option

if TYPE_CHECKING:
    from trader.model.events import Event
    from trader.store.journal import Journal, Verdict

Command = TypeVar("Command", bound=Callable[..., object])

_PATH = click.Path(path_type=Path)
_SECRET = re.compile("//[^/@]*@")  # user and password of an address


@click.group("journal", cls=HintingGroup)
def command() -> None:
    """Look at the journal of a desk, check it, copy it.

    FILE is a journal or a backup of one, or postgresql://… where the books are kept there; without it, it is the
    desk's own.
    """


def _journal_argument(verb: Command) -> Command:
    return click.argument("file", required=False)(state_folder_option(verb))


@command.command
@_journal_argument
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def verify(file: str | None, *, state_dir: Path | None, as_json: bool) -> None:
    """Check that every record is there and as it was written. Exit code 4: one is not."""
    path = _path(file, state_dir)
    with _opened(path) as journal:
        verdict = journal.verify()
    show(_answer(path, verdict), _text(path, verdict), as_json=as_json)


@command.command("show")
@_journal_argument
@click.option("--after", type=click.IntRange(0), help="Begin behind this record.  [default: show the last ones]")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many records.")
def show_records(file: str | None, *, state_dir: Path | None, after: int | None, limit: int) -> None:
    """Print records, an event a line."""
    with _opened(_path(file, state_dir)) as journal:
        last = journal.verify().records
        begin = max(0, last - limit) if after is None else after
        for record in journal.read(begin):
            if record.number > begin + limit:
                break
            click.echo("\n".join(f"{record.number:>8}  {_event(event)}" for event in record.events))


@command.command
@_journal_argument
@click.option("--after", type=click.IntRange(0), default=0, help="Begin behind this record.")
def export(file: str | None, *, state_dir: Path | None, after: int) -> None:
    """Print every record as a line of JSON: number, ts (nanoseconds), events."""
    import msgspec

    encoder = msgspec.json.Encoder()
    with _opened(_path(file, state_dir)) as journal:
        journal.verify()
        for record in journal.read(after):
            click.echo(encoder.encode(record))


@command.command
@click.argument("to", type=_PATH)
@_journal_argument
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def backup(to: Path, file: str | None, *, state_dir: Path | None, as_json: bool) -> None:
    """Copy the journal to the new file TO, while a desk runs too, and check the copy.

    To restore: put the copy in the journal's place while no desk runs, and delete what else begins with its name.
    """
    from trader.store.sqlite import open_journal

    path, copy = _path(file, state_dir), to.absolute()
    try:
        _copy(path, copy)
    except OSError as error:
        raise click.FileError(str(to), error.strerror) from error
    with closing(open_journal(copy, is_new_allowed=False)) as journal:
        verdict = journal.verify()
    show(_answer(copy, verdict), _text(copy, verdict), as_json=as_json)


def _path(file: str | None, state_dir: Path | None) -> str | Path:
    """Return the journal that is meant, an address as it was given. Raises click.UsageError."""
    from trader.live.state_folder import JOURNAL

    if file is not None and state_dir is not None:
        raise click.UsageError("--state-dir names the folder of the desk's own journal; give it or FILE, not both")
    return file or folder_of(state_dir) / JOURNAL


@contextmanager
def _opened(path: str | Path) -> Iterator["Journal"]:
    """Open a journal to read it, or a copy of it where a desk has it. Raises TraderError."""
    from trader.errors import ConfigError
    from trader.live.state_folder import JOURNAL
    from trader.store.sqlite import open_journal

    with tempfile.TemporaryDirectory(prefix="trader-") as folder:
        try:
            journal = open_journal(path, is_new_allowed=False)
        except ConfigError as refused:  # a desk has it; or it is not there, and a desk keeps its own elsewhere
            copy = Path(folder) / JOURNAL
            _ask_for_copy(path, copy, refused)
            journal = open_journal(copy, is_new_allowed=False)
        with closing(journal):
            yield journal


def _copy(path: str | Path, to: Path) -> None:
    """Copy a journal, ourselves or by the desk that has it. Raises TraderError and OSError."""
    from trader.errors import ConfigError
    from trader.store.sqlite import open_journal

    try:
        journal = open_journal(path, is_new_allowed=False)
    except ConfigError as refused:
        _ask_for_copy(path, to, refused)
        return
    with closing(journal):
        journal.verify()
        journal.backup(to)


def _ask_for_copy(path: str | Path, to: Path, refused: Exception) -> None:
    """Have the desk of the folder of ``path`` copy its journal. Raises ``refused`` where no desk runs there."""
    from trader.live.control_client import COPY_WITHIN_S, NotRunning, ask
    from trader.live.control_messages import BackUp
    from trader.live.state_folder import JOURNAL

    if Path(path).name != JOURNAL:
        raise refused
    try:
        ask(Path(path).parent, "backup", BackUp(str(to)), within_s=COPY_WITHIN_S)
    except NotRunning:
        raise refused from None


def _shown(path: str | Path) -> str:
    """Return a journal's name as it may be shown: without a password, and no file's where a desk gave its copy."""
    if "://" in str(path):
        return _SECRET.sub("//", str(path).partition("?")[0])
    return str(path) if Path(path).exists() else f"the journal of the desk in {Path(path).parent}"


def _answer(path: str | Path, verdict: "Verdict") -> dict[str, Any]:
    import msgspec

    return {"journal": _shown(path), **msgspec.to_builtins(verdict)}


def _text(path: str | Path, verdict: "Verdict") -> str:
    from trader.model.time import iso

    if not verdict.records or verdict.since is None or verdict.until is None:
        return f"{_shown(path)}: no records"
    lines = [
        f"{_shown(path)}: {verdict.records:,} records, each as it was written",
        f"  from      {iso(verdict.since)}",
        f"  to        {iso(verdict.until)}",
        f"  snapshot  {f'record {verdict.opened:,}' if verdict.opened else 'none'}",
        f"  hash      {verdict.hash}",
    ]
    return "\n".join(lines)


def _event(event: "Event") -> str:
    import msgspec

    from trader.model.time import iso

    values = {name: value for name, value in msgspec.structs.asdict(event).items() if name != "ts"}
    told = " ".join(f"{name}={_value(value)}" for name, value in values.items())
    return f"{iso(event.ts)}  {type(event).__name__}  {told}"


def _value(value: object) -> str:
    """Return a field as text; what is long and only for programs by its size."""
    import msgspec

    if isinstance(value, bytes):
        return f"({len(value):,} bytes)"
    plain = msgspec.to_builtins(value)
    return plain if isinstance(plain, str) and " " not in plain else json.dumps(plain, ensure_ascii=False)
