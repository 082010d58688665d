"""``trader check FILE``: what a run would refuse, without a run."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trader.errors import ConfigError, Problem

if TYPE_CHECKING:
    from trader.config import Config


@click.command
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(file: Path, *, as_json: bool) -> int:
    """Check a settings file: one line per strategy, or everything that is wrong with it and exit code 3."""
    from trader.config import advice, load

    try:
        config = load(file)
    except ConfigError as error:
        if not as_json:
            raise
        _print_json(file, problems=error.problems)
        return error.exit_code
    notes = advice(config)
    if as_json:
        _print_json(file, config=config, notes=notes)
        return 0
    click.echo(_table(config))
    for note in notes:
        click.echo(f"note: {note}", err=True)
    return 0


def _table(config: "Config") -> str:
    rows = [
        (
            settings.name,
            settings.strategy_type,
            " ".join(settings.tickers),
            f"${settings.initial_cash:,.2f}",
            f"warm-up {settings.min_warmup_bars} × {settings.bar}",
        )
        for settings in config.strategies
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _print_json(
    file: Path,
    *,
    config: "Config | None" = None,
    notes: list[Problem] | None = None,
    problems: list[Problem] | None = None,
) -> None:
    answer: dict[str, Any] = {
        "file": str(file),
        "ok": config is not None,
        "strategies": config.model_dump(mode="json")["strategies"] if config else [],
        "problems": [{"path": problem.path, "message": problem.message} for problem in problems or []],
        "notes": [{"path": note.path, "message": note.message} for note in notes or []],
    }
    click.echo(json.dumps(answer, ensure_ascii=False))
