"""``trader risk``: what today's positions may lose, and what a stress would do to them.

``--json``: the figures of the report, or with ``--stress`` those of that stress; dollars, and fractions of the equity.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trader.cli.control import columns, folder_of, journal_of, journal_option, show, state_folder_option

if TYPE_CHECKING:
    from trader.live.control_client import NotRunning
    from trader.live.risk_view import AskStress

_PATH = click.Path(path_type=Path)


@click.command
@click.option("--stress", metavar="NAME|FILE", help="What this stress does, position by position.")
@click.option("--daily", multiple=True, type=_PATH, metavar="FILE", help="Daily bars to use while no desk runs.")
@state_folder_option
@journal_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    stress: str | None, *, daily: tuple[Path, ...], state_dir: Path | None, journal: str | None, as_json: bool
) -> None:
    """Show value at risk and expected shortfall of what is held, whose part they are, and what stresses would do.

    A stress is one of those that the report lists, or a file: {"name": "rates", "shocks": {"TLT": -0.15, "stocks":
    -0.05}}, or {"since": "2020-02-19", "until": "2020-03-23"} to replay the days between. Asks the desk that runs;
    while none does, --daily names files of daily bars for the books as they were left.
    """
    from trader.live.control_client import NotRunning, ask

    folder, wanted = folder_of(state_dir), None if stress is None else _wanted(stress)
    try:
        answer = ask(folder, "risk") if wanted is None else ask(folder, "stress", wanted)
    except NotRunning as error:
        answer = _out_of_books(folder, journal, daily, wanted, error)
    show(answer, "\n".join(_report(answer) if wanted is None else _stress(answer)), as_json=as_json)


def _wanted(stress: str) -> "AskStress":
    """Read a stress out of a file, or take it for a name. Raises ConfigError."""
    from trader.live.risk_view import AskStress

    path = Path(stress)
    if path.suffix not in {".json", ".toml"} and not path.is_file():
        return AskStress(stress)
    from trader.config.risk_var import read_stress

    read = read_stress(path)
    return AskStress(read.name, read.title, read.shocks, read.since, read.until, read.completed)


def _out_of_books(
    folder: Path, where: str | None, daily: tuple[Path, ...], wanted: "AskStress | None", error: "NotRunning"
) -> dict[str, Any]:
    """Measure the books of a desk that does not run. Raises TraderError."""
    import msgspec

    from trader.access.sim.daily_files import read_days
    from trader.books.ledger import Ledger
    from trader.live.control_client import NotRunning
    from trader.live.risk_view import remembered, symbols_of

    if not daily:
        raise NotRunning(f"{error}; or give --daily FILE: the books know no prices") from error
    ledger = Ledger()
    with journal_of(folder, where) as journal:
        ledger.recover(journal.recover())
    days = read_days(daily, symbols_of(ledger), before=2**63 - 1)
    seen = remembered(ledger, days.bars)
    found: dict[str, Any] = json.loads(msgspec.json.encode(seen.report() if wanted is None else seen.stress(wanted)))
    return found


def _report(answer: dict[str, Any]) -> Iterator[str]:
    equity = answer["equity"]
    yield f"{answer['mode']}, {answer['ts']}: equity {_money(equity)}, {answer['days']} past days in common"
    if answer["positions"]:
        yield from ("", _tails(answer), "", _positions(answer), "", *_fit(answer))
    elif answer["sensitivity"]:
        yield "What is held cannot be measured: a desk reads past days where its settings have limits or filters."
    elif answer["notes"]:
        yield "Of what is held nothing has a known price, and the equity is without it."
    else:
        yield "Nothing is held."
    if answer["sensitivity"]:
        yield from ("", _stresses(answer["stresses"]), "", _sensitivity(answer["sensitivity"]))
    yield from _notes(answer)


def _tails(answer: dict[str, Any]) -> str:
    limit, equity = answer["limit"], answer["equity"]
    rows: list[tuple[str, ...]] = [("may be lost in a day", "", "value at risk", "", "expected shortfall", "")]
    for line in (*answer["tails"], limit | {"method": f"limits: {limit['method']}, with what is on its way"}):
        var, es = ((_money(line[key]), _part(line[key], equity)) for key in ("var", "es"))
        rows.append((line["method"], f"{line['confidence']:.1%}", *var, *es))
    return columns(rows, right={1, 2, 3, 4, 5})


def _positions(answer: dict[str, Any]) -> str:
    total = sum(line["component"] for line in answer["positions"])
    rows: list[tuple[str, ...]] = [("position", "value", "part of it", "", "one dollar more")]
    for line in answer["positions"]:
        part = _money(line["component"]), _part(line["component"], total)
        rows.append((line["symbol"], _money(line["value"]), *part, f"{line['marginal']:+.4f}"))
    whose = [(name, _money(var)) for name, var in answer["strategies"].items()]
    tables = [columns(rows, right={1, 2, 3, 4})]
    if whose:
        tables.append(columns([("strategy alone", "value at risk"), *whose], right={1}))
    return "\n\n".join(tables)


def _fit(answer: dict[str, Any]) -> Iterator[str]:
    fit = answer["coverage"]
    if fit is None:
        yield "How well it fits is not known: that takes 450 past days in common."
        return
    light = f", Basel's light is {fit['light']}" if fit["light"] else ""
    yield (
        f"Of {fit['days']} days {fit['exceptions']} lost more than the 99 % value at risk of the days before,"
        f" {fit['expected']:.1f} expected{light} (p: number {fit['kupiec']:.2g}, in a row {fit['christoffersen']:.2g})."
    )


def _stresses(stresses: list[dict[str, Any]]) -> str:
    rows = [
        (stress["name"], _money(stress["gain"]), _percent(stress["fraction"]), stress["title"]) for stress in stresses
    ]
    return columns([("stress", "gain", "", ""), *rows], right={1, 2})


def _sensitivity(grid: dict[str, dict[str, float]]) -> str:
    moves = next(iter(grid.values()))
    head = ("gain where all move by", *(f"{float(move):+.0%}" for move in moves))
    rows = [(factor, *map(_money, gains.values())) for factor, gains in grid.items()]
    return columns([head, *rows], right=set(range(1, len(head))))


def _stress(answer: dict[str, Any]) -> Iterator[str]:
    title = f" ({answer['title']})" if answer["title"] else ""
    yield f"{answer['name']}{title}: {_money(answer['gain'])}, {_percent(answer['fraction'])} of the equity"
    if answer["lines"]:
        rows = [
            (line["symbol"], _money(line["value"]), f"{line['move']:+.1%}", _money(line["gain"]), line["basis"])
            for line in answer["lines"]
        ]
        yield columns([("position", "value", "move", "gain", "rests on"), *rows], right={1, 2, 3})
    yield from _notes(answer)


def _notes(answer: dict[str, Any]) -> Iterator[str]:
    if answer["notes"]:
        yield ""
    yield from answer["notes"]


def _money(value: float | None) -> str:
    if value is None:
        return "?"
    return f"-${-value:,.2f}" if round(value, 2) < 0 else f"${abs(value):,.2f}"


def _part(value: float | None, of: float) -> str:
    return _percent(None if value is None or of <= 0.0 else value / of)


def _percent(fraction: float | None) -> str:
    return "?" if fraction is None else f"{fraction:.2%}"
