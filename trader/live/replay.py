"""Making the decisions of a tape again: the same desk, rebuilt from the tape's head, and every input once more."""

import json
import platform
import re
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path

import msgspec

from trader import __version__
from trader.books.ledger import Ledger
from trader.config import Config, parse
from trader.engine.engine import Engine
from trader.errors import ConfigError, DataError
from trader.live.build import Stopwatch, desk
from trader.model.events import BooksOpened, Event, OrderCreated, OrderDenied, StrategyFailed
from trader.store.tape import Entry, Head, TapeReader, packed

_JSON = msgspec.json.Encoder(decimal_format="number")
_ADDRESS = re.compile(r"\b0x[0-9A-Fa-f]+")
_EVENTS = msgspec.msgpack.Decoder(list[Event] | None)


class Difference(msgspec.Struct, frozen=True):
    """The first event that was made then and is not now, or is now and was not then.

    ``number`` and ``ts`` are the input's, ``kind`` is its class, ``place`` counts its events from 1. Where a side is
    None it made no event there, or failed: ``error`` says how. ``strategy`` is empty where no strategy is meant.
    """

    number: int
    ts: int
    kind: str
    place: int
    strategy: str
    recorded: Event | None
    replayed: Event | None
    error: str = ""


class Verdict(msgspec.Struct):
    """What came of a replay: how many inputs and events were compared, and from when to when (ns UTC)."""

    version: str  # of the program that recorded
    python: str
    inputs: int = 0
    events: int = 0
    since: int = 0
    until: int = 0
    difference: Difference | None = None
    flaw: str = ""  # where and why the tape ends before the run did
    failure: str = ""  # how the desk failed at the last input, then and now


def head_of(config: Config, *, book_id: str, grace: int, is_alpaca: bool, ledger: Ledger) -> Head:
    """Return what a tape has to know of a desk that is about to open; ``ledger`` is what was recovered.

    Raises:
        ConfigError: a program gave parameters to a strategy that no settings file can hold.
    """
    try:
        settings = _JSON.encode(config.model_dump(by_alias=True))
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"--tape: the strategies' parameters cannot be recorded: {error}; leave out --tape") from None
    return Head(
        version=__version__,
        python=platform.python_version(),
        settings=settings,
        is_alpaca=is_alpaca,
        book_id=book_id,
        grace=grace,
        ledger=ledger.snapshot() if ledger.books else b"",
        objects=tuple(settings.name for settings in config.strategies if settings.strategy is not None),
    )


def replay(path: Path) -> Verdict:
    """Give every input of a tape to a desk like the one that had it, until one makes other events than then.

    What is about the process and not its decisions is not compared: the lines of a traceback, and addresses in memory
    in the words of an error.

    Raises:
        DataError: it is no tape, or of another format.
        ConfigError: its strategies cannot be made: given as objects, gone, or with other parameters since.
    """
    with TapeReader(path) as tape:
        engine = _engine_of(tape.head, str(path))
        verdict = Verdict(tape.head.version, tape.head.python)
        for entry in tape:
            verdict.inputs += 1
            verdict.until = entry.message.ts
            verdict.since = verdict.since or entry.message.ts
            _repeat(engine, entry, verdict)
            if verdict.difference is not None:
                return verdict
        verdict.flaw = tape.flaw
    return verdict


def _engine_of(head: Head, path: str) -> Engine:
    if head.objects:
        raise ConfigError(
            f"{path}: {', '.join(head.objects)}: a program gave these strategies as ready objects, which no tape can"
            " hold; give classes by strategy_type (module:Class) to record what can be replayed"
        )
    config = parse(json.loads(head.settings, parse_float=Decimal), source=f"{path}, settings")
    engine = desk(config, Stopwatch(), book_id=head.book_id, grace=head.grace, is_alpaca=head.is_alpaca)
    try:
        if head.ledger:
            engine.desk.ledger.recover([BooksOpened(0, head.ledger)])
    except msgspec.MsgspecError as error:
        raise DataError(
            f"{path}: the books that the run began with are of trader {head.version}, which kept them otherwise than"
            f" {__version__} does; replay it with that version"
        ) from error
    return engine


def _repeat(engine: Engine, entry: Entry, verdict: Verdict) -> None:
    """Give one input to the desk and compare what it makes."""
    error, made = "", None
    try:
        made = engine.handle(entry.message).events
        verdict.events += len(made)
    except Exception as failure:  # noqa: BLE001 -- a desk that failed then is to fail now
        error = f"{type(failure).__name__}: {failure}"
    if packed(made) == bytes(entry.events):
        verdict.failure = error
        return
    recorded = _EVENTS.decode(entry.events)
    if error:
        error = f"now the desk fails: {error}"
    elif recorded is None:
        error = "the desk failed then, and does not now"
    pairs = [(then, _in_words_of(then, now)) for then, now in zip_longest(recorded or (), made or ())]
    places = [
        place
        for place, (then, now) in enumerate(pairs)
        if then is None or now is None or packed([then]) != packed([now])
    ]
    if not places and not error:
        return
    place = places[0] if places else len(pairs)
    then, now = pairs[place] if places else (None, None)
    names = {_strategy_of(then), _strategy_of(now)}
    verdict.difference = Difference(
        verdict.inputs,
        entry.message.ts,
        type(entry.message).__name__,
        place=place + 1,
        strategy=next((one.spec.name for one in engine.sandboxes if one.spec.name in names), ""),
        recorded=then,
        replayed=now,
        error=error,
    )


def _in_words_of(then: Event | None, now: Event | None) -> Event | None:
    """Return ``now`` with the words of ``then`` that are about the process."""
    if isinstance(then, StrategyFailed) and isinstance(now, StrategyFailed):
        is_same = _ADDRESS.sub("", now.error) == _ADDRESS.sub("", then.error)
        return msgspec.structs.replace(now, error=then.error if is_same else now.error, traceback=then.traceback)
    return now


def _strategy_of(event: Event | None) -> str:
    """Return whose event it is; of two the one that decides first is the one that changed."""
    match event:
        case OrderCreated():
            return event.approved.intent.strategy
        case OrderDenied():
            return event.denied.intent.strategy
        case _:
            return getattr(event, "strategy", "")
