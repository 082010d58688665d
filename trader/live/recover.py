"""Starting is recovering: whose books these are, what they add up to, whether these settings may go on with them."""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from trader.books.book import Book
from trader.books.ledger import Ledger
from trader.engine.engine import Engine
from trader.errors import ConfigError, JournalCorrupt, Problem
from trader.live.access import Access
from trader.live.state_folder import JOURNAL, default_folder
from trader.model.money import EXACT, plain
from trader.model.orders import TERMINAL, TradingState
from trader.model.time import iso
from trader.risk.limits import Limits
from trader.risk.loosened import Loosened, loosened
from trader.risk.rules import Rules
from trader.store.journal import Journal
from trader.store.lock import Lock
from trader.store.sqlite import open_journal

LOCKS = "locks"  # beside the state folders; a file for each pair of keys
_KEY_DIGITS = 16

_RULES = ""  # under which the desk's rules stand beside the strategies' limits: no strategy has an empty name


class Recovered(NamedTuple):
    """The books of one account, this process' alone until the lock is released; whoever writes closes the journal."""

    journal: Journal
    lock: Lock


def recover(folder: Path, where: str | Path | None, access: Access, desk: Engine) -> Recovered:
    """Take account and journal for this process, and give the desk's ledger what the journal adds up to.

    ``where`` is the journal's file or address, by default a file in ``folder``.

    Raises:
        JournalLocked: another process has them.
        JournalCorrupt: the journal is not what was written, or does not add up.
        StoreError: it cannot be read.
    """
    keys = access.credentials
    is_live = access.terms.is_live
    locks = default_folder(os.environ, is_live=is_live).parent / LOCKS
    try:
        locks.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        message = f"{error.filename}: {error.strerror}; name a folder you may write with --state-dir"
        raise ConfigError(message) from error
    account = f"{access.endpoints.trading} {keys.key_id}"
    lock = Lock(locks / hashlib.sha256(account.encode()).hexdigest()[:_KEY_DIGITS])
    lock.acquire(f"the account of key {keys.masked}")
    try:
        journal = open_journal(where or folder / JOURNAL)
        try:
            _fold(journal, desk.desk.ledger)
        except BaseException:
            journal.close()
            raise
    except BaseException:
        lock.release()
        raise
    return Recovered(journal, lock)


def _fold(journal: Journal, ledger: Ledger) -> None:
    try:
        ledger.recover(journal.recover())
    except (AssertionError, LookupError, ArithmeticError, msgspec.MsgspecError) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise JournalCorrupt(
            "the journal's records are what was written, and this version of trader cannot add them up"
            f" ({why}): start the version that wrote them, or restore a backup"
        ) from error


def settings_of(desk: Engine) -> str:
    """Return every sandbox's limits and the desk's rules as they are journaled with each start."""
    limits: dict[str, Limits | Rules] = {sandbox.spec.name: sandbox.spec.limits for sandbox in desk.sandboxes}
    if desk.rules != Rules():
        limits[_RULES] = desk.rules
    return msgspec.json.encode(limits).decode()


def found_in(ledger: Ledger) -> dict[str, str | int]:
    """Return what recovered books hold, for the log."""
    held = [
        f"{plain(position.qty)} {symbol} ({name})"
        for name, book in ledger.books.items()
        for symbol, position in book.positions.items()
        if position.qty
    ]
    return {
        "held": ", ".join(held) or "nothing",
        "open_orders": sum(record.status not in TERMINAL for record in ledger.orders.values()),
        "desk": ledger.account.state.value,
        "reconciled_until": iso(ledger.account.reconciled_until),
    }


def restrained(desk: Engine) -> Iterator[tuple[str, TradingState]]:
    """Give who may not trade freely since an earlier run, by name; an empty one is the whole desk."""
    ledger = desk.desk.ledger
    names = [sandbox.spec.name for sandbox in desk.sandboxes if sandbox.spec.name in ledger.books]
    states = {"": ledger.account.state} | {name: ledger.books[name].state for name in names}
    return ((name, state) for name, state in states.items() if state is not TradingState.ACTIVE)


def check(desk: Engine, *, accepts_looser: bool) -> None:
    """See whether the settings may go on with the recovered books.

    Raises:
        ConfigError: what they would leave without an owner or without money, and every limit that they loosen.
    """
    ledger = desk.desk.ledger
    problems = [*_orphans(desk, ledger), *_unfunded(desk, ledger)]
    if not accepts_looser:
        problems += _looser(desk, ledger)
    if problems:
        raise ConfigError(problems)


def _orphans(desk: Engine, ledger: Ledger) -> Iterator[Problem]:
    traded = {(sandbox.spec.name, symbol) for sandbox in desk.sandboxes for symbol in sandbox.slots}
    for name, book in ledger.books.items():
        for symbol, held in book.positions.items():
            if held.qty and (name, symbol) not in traded:
                yield Problem(*_orphan(name, f"holds {plain(held.qty)} {symbol}"))
    for record in ledger.orders.values():
        intent = record.approved.intent
        if record.status not in TERMINAL and (intent.strategy, intent.symbol) not in traded:
            yield Problem(*_orphan(intent.strategy, f"has an open order in {intent.symbol}"))


def _orphan(name: str, what: str) -> tuple[str, str]:
    message = (
        f"by its books it {what}, and these settings do not trade that any more; put it back, run `trader flatten"
        f" {name}` and let it end, then take it out"
    )
    return f"strategy {name!r}", message


def _unfunded(desk: Engine, ledger: Ledger) -> Iterator[Problem]:
    for number, sandbox in enumerate(desk.sandboxes):
        book: Book | None = ledger.books.get(sandbox.spec.name)
        if book is None:
            continue
        withdrawn = EXACT.subtract(book.opening_cash, sandbox.spec.cash)
        if withdrawn > 0 and withdrawn > book.free_cash:
            message = (
                f"takes ${plain(withdrawn)} from {sandbox.spec.name}, whose free cash is ${plain(book.free_cash)};"
                f" lower it by no more than that (it was ${plain(book.opening_cash)})"
            )
            yield Problem(f"strategies[{number}].initial_cash", message)


def _looser(desk: Engine, ledger: Ledger) -> Iterator[Problem]:
    before = msgspec.json.decode(ledger.account.settings or "{}", type=dict[str, msgspec.Raw])
    rules = msgspec.json.decode(before.pop(_RULES, b"{}"), type=Rules)
    for place, was, now in loosened(rules, desk.rules):
        yield Problem(_in_file(f"risk.{place}"), _LOOSER.format("", was, now))
    for number, sandbox in enumerate(desk.sandboxes):
        if sandbox.spec.name in before:
            old = msgspec.json.decode(before[sandbox.spec.name], type=Limits)
            for name, was, now in (*_loosened(old, sandbox.spec.limits), *loosened(old, sandbox.spec.limits)):
                yield Problem(f"strategies[{number}]", _LOOSER.format(f"{name} ", was, now))


def _in_file(place: str) -> str:
    """Return where a settings file has what the rules have at ``place``."""
    for ours, theirs in _PLACES.items():
        place = place.replace(ours, theirs)
    return _OF_STRATEGY.sub(r"risk_config.conduct.\2 of strategy \1", place)


_PLACES: Final[Mapping[str, str]] = {
    "ladder.scopes.account": "ladder",
    "ladder.scopes.group ": "ladder.groups.",
    "ladder.scopes.strategy ": "ladder.strategies.",
    "conduct.account": "conduct",
    "regime.is_on": "regime",
    "var.scenarios": "var.stress",
}
_OF_STRATEGY: Final = re.compile(r"risk\.conduct\.strategies\.(.+)\.(\w+)")
_LOOSER = "{}was {} when these books were last traded and is {}: looser; add --accept-looser"


def _loosened(old: Limits, new: Limits) -> Iterator[Loosened]:
    for name in ("max_position_size", "max_daily_trades", "max_daily_loss", "stop_loss"):
        was, now = getattr(old, name), getattr(new, name)
        if was is not None and (now is None or now > was):
            yield name, str(was), str(now)
    if new.allow_short and not old.allow_short:
        yield "allow_short", "False", "True"
