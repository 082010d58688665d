"""``trader replay TAPE``: the decisions of a run made again, and the first one that comes out differently."""

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from trader.live.replay import Difference, Verdict
    from trader.model.events import Event

DIFFERENT = 8  # exit code: what was compared is not the same, or not all of the run is on the tape


@click.command
@click.argument("tape", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(tape: Path, *, as_json: bool) -> int:
    """Make every decision of a run again, from the TAPE that `trader run --tape` wrote, and compare.

    The desk is built as it was then, from the settings and books that the tape begins with; strategies are those of
    today. Exit code 8: an event differs, or the tape is not whole.
    """
    from trader.live.replay import replay

    with redirect_stdout(sys.stderr):  # a strategy's print() is no part of the answer
        verdict = replay(tape)
    click.echo(json.dumps(_answer(tape, verdict), ensure_ascii=False) if as_json else "\n".join(_lines(verdict)))
    return DIFFERENT if verdict.difference or verdict.flaw else 0


def _lines(verdict: "Verdict") -> list[str]:
    from trader import __version__
    from trader.model.time import iso

    compared = f"{verdict.inputs:,} inputs and {verdict.events:,} events"
    lines = [f"{compared} from {iso(verdict.since)} to {iso(verdict.until)}" if verdict.inputs else "no inputs"]
    if verdict.difference is not None:
        lines += _difference(verdict.difference)
    else:
        lines.append("the same events as then, byte for byte")
    if verdict.failure:
        lines.append(f"the last input ended the run, then and now: {verdict.failure}")
    if verdict.flaw:
        lines.append(f"the tape is not whole: {verdict.flaw}")
    if verdict.version != __version__:
        lines.append(f"recorded by trader {verdict.version}, replayed by {__version__}")
    return lines


def _difference(found: "Difference") -> list[str]:
    from trader.model.time import iso

    lines = [f"input {found.number:,} ({found.kind}) of {iso(found.ts)}: event {found.place} is not the same"]
    if found.strategy:
        lines.append(f"  strategy  {found.strategy}")
    for name, event in (("recorded", found.recorded), ("replayed", found.replayed)):
        lines.append(f"  {name}  {json.dumps(_plain(event), ensure_ascii=False) if event else 'nothing'}")
    return [*lines, f"  {found.error}"] if found.error else lines


def _plain(found: "Difference | Event | None") -> Any:  # noqa: ANN401 -- JSON's own kinds
    import msgspec

    return msgspec.to_builtins(found)


def _answer(tape: Path, verdict: "Verdict") -> dict[str, Any]:
    from trader import __version__

    found = verdict.difference
    return {
        "tape": str(tape),
        "same": found is None,
        "whole": not verdict.flaw,
        "flaw": verdict.flaw or None,
        "failure": verdict.failure or None,
        "inputs": verdict.inputs,
        "events": verdict.events,
        "since": verdict.since,
        "until": verdict.until,
        "recorded_by": verdict.version,
        "replayed_by": __version__,
        "difference": _plain(found),
    }
