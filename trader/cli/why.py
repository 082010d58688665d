"""``trader why STRATEGY [SYMBOL]``: what became of its decisions, from the bar to an order or to what refused it.

``--json``: ``state`` and ``restraints`` of the strategy, ``symbols`` as they stand where a desk runs, and
``decisions``, oldest first, each with its ``links``.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trader.cli.control import folder_of, journal_of, journal_option, show, state_folder_option

if TYPE_CHECKING:
    from trader.live.control_messages import AskWhy

MOST = 500


@click.command
@click.argument("strategy")
@click.argument("symbol", default="")
@state_folder_option
@journal_option
@click.option("--last", type=click.IntRange(1, MOST), default=10, show_default=True, help="How many decisions.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    strategy: str, symbol: str, *, state_dir: Path | None, journal: str | None, last: int, as_json: bool
) -> None:
    """Show how STRATEGY stands, and what became of its newest decisions, of one SYMBOL or of all.

    Each goes from what was wanted at a bar over what filters took of it to the order and its fills, or to the rule
    that refused it, with limit, value, and how to change it. Works while a desk runs and while none does.
    """
    from trader.live.control_client import NotRunning, ask
    from trader.live.control_messages import AskWhy

    folder, wanted = folder_of(state_dir), AskWhy(strategy, symbol, last)
    try:
        answer = ask(folder, "why", wanted)
    except NotRunning:
        answer = _out_of_journal(folder, journal, wanted)
    show(answer, "\n".join(_text(answer, symbol)), as_json=as_json)


def _out_of_journal(folder: Path, where: str | None, wanted: "AskWhy") -> dict[str, Any]:
    """Read the journal of a desk that does not run. Raises TraderError."""
    import msgspec

    from trader.books.ledger import Ledger
    from trader.live.control_messages import unknown_strategy
    from trader.live.why import WhySearch, answer, standing_of, topic_of

    ledger, topic = Ledger(), topic_of(wanted)
    with journal_of(folder, where) as journal:
        ledger.recover(journal.recover())
        if wanted.strategy not in ledger.books:
            raise unknown_strategy(wanted.strategy, ledger.books)
        search = WhySearch(topic, wanted.limit)
        while not search.is_done:
            search.step(journal)
    found = answer(standing_of(ledger, topic), search.found, wanted.limit, is_cut=search.is_cut)
    built: dict[str, Any] = msgspec.to_builtins(found)
    return built


def _text(answer: dict[str, Any], symbol: str) -> Iterator[str]:
    yield f"{answer['strategy']}: {answer['state']}"
    for link in answer["restraints"]:
        yield f"  {_link(link)}" + (f", since {_time(link['ts'])}" if link["ts"] else "")
    for now in answer["symbols"]:
        yield _standing(now)
    if not answer["decisions"]:
        yield f"no decision is known{f' on {symbol}' if symbol else ''}: no bar made it want anything else"
    for decision in answer["decisions"]:
        yield ""
        yield from _told(decision)
    if answer["is_cut"]:
        yield "older ones were not looked for; `trader journal` shows all there is"


def _standing(now: dict[str, str]) -> str:
    parts = [f"holds {now['held']}", f"wants {_share(now['target'])} of its equity", f"mark {now['mark']}"]
    parts += [f"order {now['order']}"] if now["order"] else []
    parts += [f"no entry now: {now['waits']}"] if now["waits"] else []
    return f"  {now['symbol']}: {', '.join(parts)}"


def _told(decision: dict[str, Any]) -> Iterator[str]:
    """Tell one decision with its links, or what befell the strategy."""
    links, head = decision.get("links", ()), f"{_time(decision['ts'])}  "
    if not decision["symbol"]:
        yield head + _link(links[0])
        return
    parts = [decision["symbol"]]
    parts += [f"wants {_share(decision['target'])} of its equity"] if "target" in decision else []
    if "side" in decision:
        at = f" at {decision['price']}" if "price" in decision else ""
        parts.append(f"{decision['side']} {decision['qty']}{at}")
    reason = f" ({decision['reason'].replace('_', ' ')})" if "reason" in decision else ""
    again = f" ×{decision['times']}, the last at {_time(decision['until'])}" if "times" in decision else ""
    yield f"{head}{', '.join(parts)}{reason}: {decision['outcome']}{again}"
    for link in links:
        yield f"    {_time(link['ts'])[11:]}  {_link(link)}"
        if "hint" in link:
            yield f"              {link['hint']}"


def _link(link: dict[str, Any]) -> str:
    """Say one thing that happened, with its numbers."""
    what, rule = link["what"], link.get("rule", "")
    scope = f" of {link['scope']}" if "scope" in link else ""
    figures = f": limit {link['limit']}, value {link.get('value', '')}" if "limit" in link else ""
    text = f" ({link['text']})" if "text" in link else ""
    match what:
        case "trimmed":
            return f"{rule} let {link.get('kept', '0')} of {link['qty']} pass{figures}"
        case "denied":
            return f"denied by {rule}{scope}{figures}"
        case "ordered":
            return f"ordered {link['qty']} as {link['order_id']}"
        case "filled" | "reversed":
            earned = f", realized {link['realized']}" if "realized" in link else ""
            crossed = ", crossed with another strategy" if link.get("is_crossed") else ""
            return f"{what} {link['qty']} at {link['price']}{earned}{crossed}"
        case _:
            return f"{what}{f' {rule}' if rule else ''}{scope}{figures}{text}"


def _share(fraction: str) -> str:
    return f"{float(fraction) * 100:g} %"


def _time(ts: str) -> str:
    return ts[:19].replace("T", " ")
