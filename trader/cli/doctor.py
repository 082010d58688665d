"""``trader doctor``: look at machine, settings, keys, account and market, and say what to do about each.

``--json``: ``ok``, ``mode`` (simulated, paper, live) and ``checks``, each with ``name``, ``status`` (ok, warn, fail,
skip), ``message`` and ``remedy``. Names stay the same, and all are there every time.
"""

import itertools
import json
import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trader.live.checks import Check

FOUND_A_PROBLEM = 8
WIDTH, INDENT = 80, 19  # columns of a terminal, and those of status and name

_PATH = click.Path(path_type=Path)
_READY = {
    "simulated": "Ready: without keys `trader run` trades a simulated market.",
    "paper": "Ready for paper trading.",
    "live": "Ready for live trading. It takes --live and the account's number, each time.",
}


@click.command
@click.option("--config", type=_PATH, help="The settings that will run; without it, the built-in strategies.")
@click.option("--live", is_flag=True, help="Check for real money instead of paper.")
@click.option("--stream", is_flag=True, help="Also open a data stream once (not while a trader runs with these keys).")
@click.option("--allow-overallocation", is_flag=True, help="Let the strategies' capital be above the account's equity.")
@click.option("--state-dir", type=_PATH, help="The folder that `trader run` will keep its log in.", metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, as_json: bool, **given: object) -> int:
    """Check everything that trading needs; exit code 8 when something has to be mended."""
    import asyncio
    import logging

    import msgspec
    import structlog

    from trader.live.checkup import CheckupOptions, examine

    # What the edges log while they are tried is told better by the checks.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    renamed = {"live": "is_live", "stream": "has_stream"}
    options = msgspec.convert({renamed.get(name, name): value for name, value in given.items()}, CheckupOptions)
    mode, checks = asyncio.run(examine(options, os.environ))
    is_ready = all(check.status != "fail" for check in checks)
    if as_json:
        answer = {"ok": is_ready, "mode": mode, "checks": [msgspec.structs.asdict(check) for check in checks]}
        click.echo(json.dumps(answer, ensure_ascii=False))
    else:
        click.echo(_table(checks))
        click.echo(f"\n{_READY[mode] if is_ready else _todo(checks)}")
    return 0 if is_ready else FOUND_A_PROBLEM


def _table(checks: "Sequence[Check]") -> str:
    lines: list[str] = []
    for said, group in itertools.groupby(checks, lambda check: (check.status, check.message, check.remedy)):
        status, message, remedy = said
        name, *others = [check.name for check in group]
        if others:  # what could not be tried for one and the same reason
            name, message = "others", f"{message}: {', '.join([name, *others])}"
        texts = [*_wrapped(message, ""), *_wrapped(remedy, "-> ")]
        heads = [f"{status:<5}{name:<{INDENT - 5}}", *[" " * INDENT] * len(texts)]
        lines += [head + text for head, text in zip(heads, texts, strict=False)]
    return "\n".join(lines)


def _wrapped(text: str, mark: str) -> list[str]:
    """Wrap to the width of a terminal; what is longer than a line and cannot be cut stays whole."""
    lines: list[str] = []
    for number, line in enumerate(text.splitlines()):
        inner = len(line) - len(line.lstrip()) + (len(mark) if number else 0)  # an example to copy keeps its place
        lines += textwrap.wrap(
            line.strip(),
            WIDTH - INDENT,
            initial_indent=" " * inner if number else mark,
            subsequent_indent=" " * (inner or len(mark)),
            break_long_words=False,
            break_on_hyphens=False,
        )
    return lines


def _todo(checks: "Sequence[Check]") -> str:
    failed = [check.name for check in checks if check.status == "fail"]
    return f"To be mended first: {', '.join(failed)}."
