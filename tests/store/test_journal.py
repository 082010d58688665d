"""The form of a record: every event comes back as it was, old ones in today's form, changed ones not at all."""

import types
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from enum import Enum
from typing import Any, Union, get_args, get_origin

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.events import order, snapshot, step, steps
from trader.errors import ConfigError, JournalCorrupt
from trader.model.events import CashBooked, Event, SandboxWarmed
from trader.store import journal
from trader.store.journal import Chain, Row, opens, pack, unpack

LONG = st.integers(-(2**63), 2**63 - 1)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    int: LONG,
    str: st.text(),
    bytes: st.binary(max_size=50),
    bool: st.booleans(),
    float: st.floats(allow_nan=False),
    types.NoneType: st.none(),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False),
}


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Return what a field of a type may hold."""
    parts, found = [values_of(part) for part in get_args(kind) if part is not ...], PLAIN.get(kind)
    if get_origin(kind) is dict:
        found = st.dictionaries(parts[0], parts[1], max_size=3)
    if get_origin(kind) is tuple:
        found = st.lists(parts[0], max_size=3).map(tuple)
    if get_origin(kind) in {Union, types.UnionType}:
        found = st.one_of(parts)
    if found is not None:
        return found
    if issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    return st.builds(kind, **{field.name: values_of(field.type) for field in msgspec.structs.fields(kind)})


EVENTS = st.one_of([values_of(kind) for kind in get_args(Event)])


@given(events=st.lists(EVENTS, min_size=1, max_size=4), number=st.integers(1, 2**62))
@settings(max_examples=200, deadline=None)
def test_every_event_comes_back_as_it_was(events: list[Event], number: int) -> None:
    record = unpack(pack(number, events))
    assert (record.number, record.ts, record.events) == (number, events[0].ts, events)


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
@settings(max_examples=3, deadline=None)
@given(data=st.data())
def test_no_kind_of_event_is_forgotten(kind: Any, data: st.DataObject) -> None:
    event = data.draw(values_of(kind))
    assert unpack(pack(1, [event])).events == [event]


def test_equal_steps_have_equal_bytes() -> None:
    assert pack(7, step(3)) == pack(7, step(3))


def test_a_fold_may_begin_at_a_record_with_a_snapshot() -> None:
    assert [opens(pack(1, events)) for events in (step(1), snapshot(2), [*step(3), *snapshot(3)])] == [
        False,
        True,
        True,
    ]


@pytest.mark.parametrize("body", [b"", b"\x00", b"text", pack(1, step(1))[:-1], pack(1, step(1)) + b"\x00"])
def test_what_is_no_record_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        unpack(body)


def test_an_event_that_nobody_knows_is_said() -> None:
    body = msgspec.msgpack.encode((1, False, 1, 5, [{"type": "MoonRose", "ts": 5}]))
    with pytest.raises(ValueError, match="MoonRose"):
        unpack(body)


# --- formats --------------------------------------------------------------------------------------------------------


@contextmanager
def next_format(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make today's format the older one of two: in it, say, an activity's id was called ``id`` and cents were whole."""

    def upcast(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {**event, "activity_id": event["id"], "amount": str(Decimal(event["cents"]) / 100)}
            if event["type"] == "CashBooked"
            else event
            for event in events
        ]

    with monkeypatch.context() as patch:
        patch.setattr(journal, "FORMAT", journal.FORMAT + 1)
        patch.setitem(journal.UPCASTS, journal.FORMAT - 1, upcast)
        yield


def test_events_of_an_older_format_are_read_in_todays_form(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a record of the format before
    old = {"type": "CashBooked", "ts": 5, "id": "a", "kind": "DIV", "strategy": "", "symbol": "SPY", "cents": 120}
    untouched = {"type": "SandboxWarmed", "ts": 6, "strategy": "momentum"}
    body = msgspec.msgpack.encode((journal.FORMAT, False, 3, 5, [old, untouched]))

    # When a program of the next format reads it
    with next_format(monkeypatch):
        record = unpack(body)

    # Then its events are today's
    cash, warmed = record.events
    assert cash == CashBooked(5, "a", "DIV", "", "SPY", Decimal("1.2"))
    assert warmed == SandboxWarmed(6, "momentum")
    assert record.number == 3


def test_there_is_a_way_up_from_every_format() -> None:
    assert sorted(journal.UPCASTS) == list(range(1, journal.FORMAT))


def test_a_newer_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with next_format(monkeypatch):
        body = pack(1, step(1))
    with pytest.raises(ConfigError, match="a newer version of trader wrote it"):
        unpack(body)


# --- chain ----------------------------------------------------------------------------------------------------------


def chained(count: int) -> list[Row]:
    chain = Chain("made")
    bodies = [pack(number, events) for number, events in enumerate(steps(count), 1)]
    return [(body, chain.add(body)) for body in bodies]


def check(chain: Chain, rows: list[Row]) -> None:
    for at in range(0, len(rows), 100):
        chain.check(rows[at : at + 100])


@pytest.mark.parametrize("count", [0, 1, 2, 99, 100, 101, 250])
def test_records_that_were_not_touched_fit(count: int) -> None:
    rows, chain = chained(count), Chain("read")
    check(chain, rows)
    assert (chain.number, chain.hash) == (count, rows[-1][1] if rows else b"")
    more = pack(count + 1, order(1))
    assert chain.add(more) == chained_on(rows, more)


def chained_on(rows: list[Row], body: bytes) -> bytes:
    chain = Chain("again")
    for one, _ in rows:
        chain.add(one)
    return chain.add(body)


@pytest.mark.parametrize("at", [0, 1, 98, 99, 100, 119])
def test_a_record_that_was_changed_lost_or_moved_is_named(at: int) -> None:
    rows = chained(120)
    body, digest = rows[at]
    changed = bytes([body[0] ^ 1]) + body[1:]
    following = rows[at + 1 :]
    spoiled = [
        [*rows[:at], (changed, digest), *following],
        [*rows[:at], (body, bytes(32)), *following],
        [*rows[:at], (b"", digest), *following],
    ]
    if following:
        spoiled += [[*rows[:at], *following], [*rows[:at], following[0], (body, digest), *following[1:]]]
    for one in spoiled:
        with pytest.raises(JournalCorrupt, match=rf"^books: record {at + 1} is not what was written"):
            check(Chain("books"), one)


def test_a_copy_of_a_chain_goes_its_own_way() -> None:
    chain = Chain("made")
    chain.add(b"first")
    copy = chain.copy()
    assert copy.add(b"second") == chain.add(b"second")
    copy.add(b"third")
    assert (chain.number, copy.number) == (2, 3)
