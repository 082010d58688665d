"""``trader trades [STRATEGY]``: the executions in the books.

``--json``: ``trades``, oldest first, and ``before``: what ``--before`` takes to show older ones (null: there are none).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trader.cli.control import (
    columns,
    folder_of,
    journal_of,
    journal_option,
    show,
    state_folder_option,
    strategy_argument,
)

if TYPE_CHECKING:
    from trader.live.control_messages import ListTrades

MOST = 1000


@click.command
@strategy_argument
@state_folder_option
@journal_option
@click.option("--limit", type=click.IntRange(1, MOST), default=50, show_default=True, help="How many, the newest ones.")
@click.option("--before", type=click.IntRange(1), help="Older ones than what was shown.", metavar="RECORD")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    strategy: str, *, state_dir: Path | None, journal: str | None, limit: int, before: int | None, as_json: bool
) -> None:
    """List the executions of STRATEGY, or of all: what was bought and sold, why, and what it earned.

    `crossed` are those between two strategies, at the mark, without the broker. Works while a desk runs and while none
    does.
    """
    from trader.live.control_client import NotRunning, ask
    from trader.live.control_messages import ListTrades

    folder, wanted = folder_of(state_dir), ListTrades(strategy, limit, before)
    try:
        answer = ask(folder, "trades", wanted)
    except NotRunning:
        answer = _out_of_journal(folder, journal, wanted)
    show(answer, _text(answer, strategy), as_json=as_json)


def _out_of_journal(folder: Path, where: str | None, wanted: "ListTrades") -> dict[str, Any]:
    """Read the journal of a desk that does not run. Raises TraderError."""
    import msgspec

    from trader.live.trade_list import TradeSearch

    with journal_of(folder, where) as journal:
        journal.verify()
        search = TradeSearch(wanted)
        while not search.is_done:
            search.step(journal)
    found: dict[str, Any] = msgspec.to_builtins(search.answer())
    return found


def _text(answer: dict[str, Any], strategy: str) -> str:
    trades, before = answer["trades"], answer["before"]
    older = [f"older ones: --before {before}"] if before else []
    if not trades:
        return "\n".join([f"no trades of {strategy!r}" if strategy else "no trades", *older])
    head = ("time (UTC)", "strategy", "symbol", "side", "qty", "price", "fee", "realized", "why", "")
    return "\n".join([columns([head, *map(_row, trades)], right={4, 5, 6, 7}), *older])


def _row(trade: dict[str, Any]) -> tuple[str, ...]:
    mark = "taken back" if trade["reversed"] else "crossed" if trade["crossed"] else ""
    fee = trade["fee"] if trade["fee_asset"] == "USD" else f"{trade['fee']} {trade['fee_asset']}"
    return (
        trade["ts"][:19].replace("T", " "),
        trade["strategy"],
        trade["symbol"],
        trade["side"],
        trade["qty"],
        trade["price"],
        "" if fee == "0" else fee,
        trade["realized"],
        trade["reason"].replace("_", " "),
        mark,
    )
