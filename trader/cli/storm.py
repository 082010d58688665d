"""``trader storm``: the desk against a venue, a network and a machine that fail on purpose, in seeds that replay."""

import json
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trader.storm.verdict import Verdict

_FOUND = 8  # exit code: a check found a problem
_SHOWN = 8  # kinds of faults that are named
_TOLD_EVERY = 500  # seeds


@click.command
@click.option("--seeds", "count", type=click.IntRange(1), default=1000, show_default=True, help="How many to run.")
@click.option("--from", "first", type=click.IntRange(0), default=0, show_default=True, help="The first of them.")
@click.option("--minutes", type=click.IntRange(1, 600), help="Bad weather in each, in market time.  [default: 3]")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes to use.")
@click.option("--trace", is_flag=True, help="Show all that happens in the first seed, and run no other.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, count: int, first: int, minutes: int | None, jobs: int, trace: bool, as_json: bool) -> int:
    """Run the desk through storms and look whether it keeps its promises.

    Engine, gate, journal and order path are the real ones. Requests and updates are lost, late and doubled; the venue
    refuses, busts and forgets; the process is killed between any two steps; time is virtual. The same seed is the same
    storm, to the last byte. Exit code 8 names the first seed in which a promise was broken.
    """
    from trader.storm import verdict
    from trader.storm.run import MINUTES, run_seed

    minutes = minutes or MINUTES
    verdict.be_quiet()
    if trace:
        outcome = run_seed(first, minutes=minutes, trace=click.echo)
        click.echo(f"seed {first}: {outcome.what or 'every promise was kept'}")
        return _FOUND if outcome.what else 0
    began = time.monotonic()
    found = verdict.judge(first, count, minutes=minutes, jobs=jobs, tell=None if as_json else _tell)
    took_s = time.monotonic() - began
    click.echo(_as_json(found, took_s) if as_json else _as_text(found, first, minutes, took_s))
    return _FOUND if found.failed else 0


def _tell(done: int) -> None:
    if done % _TOLD_EVERY == 0:
        click.echo(f"{done:,} seeds", err=True)


def _as_json(found: "Verdict", took_s: float) -> str:
    failed = found.failed
    return json.dumps(
        {
            "ok": failed is None,
            "seeds": found.seeds,
            "seconds": round(took_s, 3),
            "steps": found.steps,
            "orders": found.orders,
            "lives": found.lives,
            "faults": dict(found.struck.most_common()),
            "failed": None if failed is None else {"seed": failed.seed, "after_s": failed.at_s, "what": failed.what},
        }
    )


def _as_text(found: "Verdict", first: int, minutes: int, took_s: float) -> str:
    size = f"{found.steps:,} steps, {found.orders:,} orders, {found.lives:,} processes"
    seeds = "1 seed," if found.seeds == 1 else f"{found.seeds:,} seeds from"
    faults = ", ".join(f"{kind} {times:,}" for kind, times in found.struck.most_common(_SHOWN))
    lines = [
        f"{seeds} {first}, {minutes} minutes each: {size}; {found.seeds / took_s:,.0f} seeds/s",
        f"faults: {faults}, …",
    ]
    if found.failed is None:
        return "\n".join([*lines, "every promise was kept (I1 to I13)"])
    failed = found.failed
    return "\n".join(
        [
            *lines,
            f"seed {failed.seed} broke a promise after {failed.at_s:.3f} s: {failed.what}",
            f"see it again: trader storm --from {failed.seed} --minutes {minutes} --trace",
        ]
    )
