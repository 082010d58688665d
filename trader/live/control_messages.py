"""What is said over the control socket: one JSON object a line, a request up, an answer down.

``{"op": "halt", "args": {"strategy": "Momentum", "why": "looks wrong"}}`` is answered by ``{"ok": true, "result": …}``
or ``{"ok": false, "error": {"code": …, "message": …}}``. Figures are strings without exponents; an absent one is null.
"""

from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec

from trader.errors import TraderError
from trader.registry import did_you_mean

Action = Literal["halt", "pause", "resume", "flatten"]

MOST_TRADES = 1000  # in one answer: a third of a megabyte
MOST_DECISIONS = 500  # likewise
USAGE: Final = 2  # exit code
_Name = Annotated[str, msgspec.Meta(max_length=100)]
_Text = Annotated[str, msgspec.Meta(max_length=300)]  # why: one line of the log


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of an operation that takes none."""


class Act(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Change what a strategy, or with an empty name the whole desk, may do."""

    strategy: _Name = ""
    why: _Text = ""


class Accept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Book a locked symbol's ``difference``, as it was shown, to external: it frees the symbol."""

    symbol: _Name
    difference: _Name


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Vouch for it that an absent order will not arrive any more."""

    order_id: _Name


class ListTrades(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ask for the newest ``limit`` executions, of one strategy or all, older than the record ``before``."""

    strategy: _Name = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_TRADES)] = 100
    before: int | None = None


class AskWhy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ask what became of the newest ``limit`` decisions of a strategy, on one symbol or all."""

    strategy: _Name
    symbol: _Name = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_DECISIONS)] = 10


class BackUp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Copy the journal to an absolute ``path`` while it is written."""

    path: Annotated[str, msgspec.Meta(max_length=4096)]


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line up; ``args`` are read by the operation that ``op`` names."""

    op: _Name
    args: msgspec.Raw = msgspec.Raw(b"{}")


class Fault(msgspec.Struct, frozen=True):
    """Why a request was not done: a stable code for programs, a text for people."""

    code: str
    message: str


class Answer(msgspec.Struct, frozen=True):
    """One line down."""

    ok: bool
    result: msgspec.Raw | None = None
    error: Fault | None = None


class States(msgspec.Struct, frozen=True):
    """What everyone may do: ``active``, ``paused`` or ``halted``. The lesser of desk and strategy holds."""

    mode: str
    pid: int
    desk: str
    strategies: dict[str, str]


class Done(msgspec.Struct, frozen=True):
    """A request that changed something was handled, is durable, and this is how things stand now."""

    op: str
    what: str
    by: str
    states: States


class Trade(msgspec.Struct, frozen=True):
    """One execution, or its being taken back. ``crossed``: with another strategy, at the mark, without the broker."""

    ts: str
    strategy: str
    symbol: str
    side: str
    qty: str
    price: str
    fee: str
    fee_asset: str
    realized: str
    reason: str
    crossed: bool
    reversed: bool
    order_id: str
    execution_id: str


class Trades(msgspec.Struct, frozen=True):
    """Executions, oldest first; those of records older than ``before`` are asked for by it, where there are some."""

    trades: list[Trade]
    before: int | None = None


class SymbolLine(msgspec.Struct, frozen=True):
    """One symbol: what the account ``held`` when it was read last, and what the books add up to.

    No ``difference`` is known where it was traded since; ``why`` says so, or why it is locked.
    """

    symbol: str
    held: str | None
    sandboxes: str
    external: str
    difference: str | None
    locked: bool
    why: str = ""


class AbsentOrder(msgspec.Struct, frozen=True):
    """An order that was sent and that the broker does not know; ``reserved`` dollars wait for it."""

    order_id: str
    strategy: str
    symbol: str
    side: str
    qty: str
    reserved: str


class Reconciliation(msgspec.Struct, frozen=True):
    """Books and account beside each other; ``read`` is when the account was read last (empty: not yet, or never)."""

    mode: str
    read: str
    symbols: list[SymbolLine]
    cash_held: str | None
    cash_sandboxes: str
    cash_unallocated: str
    cash_difference: str | None
    absent: list[AbsentOrder]


class Backup(msgspec.Struct, frozen=True):
    """Where the copy lies."""

    path: str


class Declined(TraderError):
    """A request that is not done: a stable code for programs, a text for people; raised on both sides."""

    def __init__(self, code: str, message: str) -> None:
        """Keep the code."""
        self.code = code
        self.exit_code = USAGE if code in {"unknown_strategy", "unknown_symbol", "unknown_stress"} else 1
        super().__init__(message)


def unknown_strategy(name: str, names: Iterable[str]) -> Declined:
    """Return what is said of a strategy that nobody knows."""
    hint = did_you_mean(name, names) or f"; there are {', '.join(names)}"
    return Declined("unknown_strategy", f"no strategy is called {name!r}{hint}")
