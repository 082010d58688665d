"""Scripts of faults: what may be written, what is drawn, and what is said of the rest."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.exchange.faulty import KNOWN, START
from trader.errors import ConfigError
from trader.exchange.fault_kinds import DRAWABLE, KINDS
from trader.exchange.fault_script import read_script, script_of, spelled
from trader.exchange.faults_connections import Drop, HalfOpen
from trader.exchange.faults_orders import ManualOrder
from trader.model.time import MINUTE, SECOND, iso, parse_time

NEEDED: dict[str, dict[str, object]] = {"resume": {"symbol": "SPY"}, "asset": {"symbol": "SPY", "tradable": False}}
DRAWN: dict[str, object] = {"kind": "random", "count": 50, "between": ["+60s", "+1h"]}


def refused(data: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        script_of(data, KNOWN)
    return [str(problem) for problem in caught.value.problems]


def test_times_are_counted_from_the_start_or_absolute_and_a_fault_without_one_is_due_at_once() -> None:
    faults = script_of(
        [
            {"kind": "drop", "at": "+90s"},
            {"kind": "drop", "at": "2026-01-05T15:00:00Z"},
            {"kind": "drop"},
            {"kind": "drop", "at": "+0s"},
        ],
        KNOWN,
    ).faults
    assert [fault.at.on(START) for fault in faults] == [
        START + 90 * SECOND,
        parse_time("2026-01-05T15:00"),
        START,
        START,
    ]


def test_one_fault_a_list_and_a_whole_script_are_all_taken() -> None:
    one = {"kind": "half_open", "socket": "trading", "for": "2m"}
    expected = (HalfOpen(socket="trading", lasts=2 * MINUTE),)  # type: ignore[arg-type]
    assert script_of(one, KNOWN).faults == expected
    assert script_of([one], KNOWN).faults == expected
    whole = script_of({"seed": 7, "faults": [one]}, KNOWN)
    assert (whole.seed, whole.faults) == (7, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_from_what_it_is_spelled_as(kind: str) -> None:
    given: dict[str, object] = {"kind": kind, "at": "+90s"}
    (fault,) = script_of(given | NEEDED.get(kind, {}), KNOWN).faults
    written = spelled(fault)
    assert written["kind"] == kind
    assert script_of(json.loads(json.dumps(written)), KNOWN).faults == (fault,)


def test_everything_that_is_wrong_is_told_at_once_with_its_place_and_what_is_allowed() -> None:
    wrong: list[object] = [
        {"kind": "drp"},
        {"kind": "drop", "at": "soon", "socket": "stok", "foo": 1},
        {"kind": "half_open", "for": -1},
        {"kind": "rest_status", "status": 404, "count": 0},
        {"kind": "halt", "symbol": "SPX"},
        {"kind": "resume"},
        {"kind": "manual_order", "qty": 0, "account": "C"},
        {"kind": "corrected_bar", "factor": True},
        {"kind": "asset", "symbol": "SPY", "tradable": "no"},
        5,
        {"at": "+1s"},
    ]
    told = dict(line.split(": ", 1) for line in refused({"seed": "x", "fauts": 1, "faults": wrong}))
    assert told["seed"] == "must be a whole number, got 'x'"
    assert told["fauts"] == "unknown key; did you mean 'faults'?"
    assert told["faults[0].kind"].endswith("got 'drp'; did you mean 'drop'?")
    assert told["faults[1].at"].startswith("must be a time such as 2026-01-05T14:30:00Z, or after the start")
    assert told["faults[1].socket"].startswith("must be one of 'stock', 'crypto', 'trading', got 'stok'; did you mean")
    assert told["faults[1].foo"] == "unknown key; a fault of this kind has socket, at"
    assert told["faults[2].for"] == "must be a length of time such as 30s or 2m, got -1"
    assert told["faults[3].status"] == "must be one of 429, 500, 502, 503, 504, got 404"
    assert told["faults[3].count"] == "must be a whole number of at least 1 and of at most 1000, got 0"
    assert told["faults[4].symbol"] == "there is no symbol 'SPX' on this exchange; did you mean 'SPY'?"
    assert told["faults[5].symbol"] == "required, but missing; must be text"
    assert told["faults[6].qty"] == "must be a number above 0, got 0"
    assert told["faults[6].account"].startswith("there is no account 'C' on this exchange")
    assert told["faults[7].factor"] == "must be a number above 0 and of at most 100, got true"
    assert told["faults[8].tradable"] == "must be true or false, got 'no'"
    assert told["faults[9]"] == 'must be an object such as {"at": "+90s", "kind": "drop"}, got 5'
    assert told["faults[10].kind"].startswith("must be one of drop, half_open")
    assert len(told) == 17


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"between": ["+2m", "+1m"]}, "between: must be two times of the same form, the earlier one first"),
        ({"between": ["+2m", iso(START)]}, "between: must be two times of the same form, the earlier one first"),
        ({"between": ["+2m"]}, "between: must be a list of 2, each a time such as"),
        ({"kinds": []}, "kinds: must not be empty"),
        ({"kinds": "drop"}, "kinds: must be a list, each text, got 'drop'"),
        ({"kinds": ["drop", "bats"]}, "kinds[1]: must be one of drop"),
        ({"kinds": ["asset"]}, "kinds[0]: must be one of drop"),
        ({"seed": 1.5}, "seed: must be a whole number, got 1.5"),
    ],
)
def test_what_cannot_be_drawn_is_told(change: dict[str, object], told: str) -> None:
    (line,) = refused(DRAWN | change)
    assert line.startswith(told)


@pytest.mark.parametrize("data", [3, "drop", None, {}, {"faults": 3}])
def test_what_is_no_script_at_all_is_told_with_an_example(data: object) -> None:
    (line,) = refused(data)
    assert '{"at": "+90s", "kind": "drop"}' in line


def test_drawn_faults_are_the_same_for_the_same_seeds_and_others_for_others() -> None:
    def drawn(script: int, own: int) -> Sequence[object]:
        return script_of({"seed": script, "faults": [DRAWN | {"seed": own}]}, KNOWN).faults

    assert drawn(1, 1) == drawn(1, 1)
    assert drawn(1, 1) != drawn(2, 1)
    assert drawn(1, 1) != drawn(1, 2)


@given(st.integers(0, 2**32), st.sampled_from(DRAWABLE))
def test_drawn_faults_are_of_the_kinds_asked_for_within_the_times_and_could_have_been_written(
    seed: int, kind: str
) -> None:
    faults = script_of(DRAWN | {"seed": seed, "kinds": [kind], "count": 5}, KNOWN).faults
    assert len(faults) == 5
    times = [fault.at.on(0) for fault in faults]
    assert times == sorted(times)
    assert all(60 * SECOND <= at < 60 * MINUTE for at in times)
    for fault in faults:
        assert script_of(spelled(fault), KNOWN).faults == (fault,)


def test_a_drawn_halt_always_ends() -> None:
    assert all("for" in spelled(fault) for fault in script_of(DRAWN | {"kinds": ["halt"]}, KNOWN).faults)


def test_a_file_is_read_with_every_number_exactly_as_written(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_text('{"seed": 7, "faults": [{"kind": "manual_order", "symbol": "SPY", "qty": 0.1}, {"kind": "drop"}]}')
    script = read_script(path, KNOWN)
    order, drop = script.faults
    assert (script.seed, drop) == (7, Drop())
    assert isinstance(order, ManualOrder)
    assert str(order.qty) == "0.1"


def test_a_file_that_is_wrong_is_named_with_every_place(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_text('{"faults": [{"kind": "drop", "kind": "drop"}, {"kind": "mute", "for": 5}]}')
    with pytest.raises(ConfigError) as caught:
        read_script(path, KNOWN)
    assert str(caught.value).splitlines() == [
        f"{path}:",
        "  faults[0].kind: written twice; keep one of them",
        "  faults[1].for: must be a length of time such as 30s or 2m, got 5",
    ]


def test_a_file_that_is_not_there_is_named_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_script(tmp_path / "none.json", KNOWN)
    assert str(caught.value) == f"{tmp_path / 'none.json'}: no such file"
