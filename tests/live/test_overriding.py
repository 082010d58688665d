"""Exceptions over the control socket: who asks is known by the socket, and the second person is another one."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.build import T0
from tests.live.controlled import ControlledDesk, controlled, line_to
from trader.live.control_messages import Declined
from trader.live.control_operations import OPERATIONS, Desk
from trader.live.halt_file import HaltFile
from trader.live.overriding import MOST_STANDING
from trader.model.events import OverrideGranted, OverrideProposed
from trader.model.time import HOUR

WANTED: dict[str, Any] = {
    "strategy": "Momentum",
    "symbol": "SPY",
    "side": "buy",
    "qty": "10",
    "rule": "duplicate",
    "why": "sent twice\non purpose",
}


class People:
    """Asks a desk's operations in the name of anyone."""

    def __init__(self, desk: ControlledDesk) -> None:
        self.desk = desk

    async def say(self, by: str, op: str, **args: Any) -> Any:
        asked = Desk(self.desk.receipts.deliver, self.desk.view, HaltFile(self.desk.folder), f"{by} (pid 1)")
        operation = OPERATIONS[op]
        arguments = msgspec.json.decode(json.dumps(args), type=operation.takes)
        return msgspec.to_builtins(await operation.run(asked, arguments))


@asynccontextmanager
async def people(folder: Path) -> AsyncIterator[People]:
    async with controlled(folder) as desk:
        yield People(desk)


async def test_one_person_asks_another_agrees_and_the_journal_has_both(tmp_path: Path) -> None:
    async with people(tmp_path) as they:
        asked = await they.say("alice", "override", **WANTED)
        granted = await they.say("bob", "agree", number=asked["number"])
        listed = await they.say("carol", "overrides")
    assert asked == WANTED | {
        "number": 1,
        "until": "2026-01-05T14:45:00Z",
        "why": "sent twice on purpose",
        "by": "alice (pid 1)",
        "approved_by": "",
    }
    assert granted == asked | {"approved_by": "bob (pid 1)"}
    assert listed == {"overrides": [granted]}
    assert len(they.desk.of(OverrideProposed)) == len(they.desk.of(OverrideGranted)) == 1


async def test_what_has_expired_is_not_listed(tmp_path: Path) -> None:
    async with people(tmp_path) as they:
        await they.say("alice", "override", **WANTED)
        they.desk.view._now = lambda: T0 + HOUR  # noqa: SLF001 - an hour passes
        assert await they.say("bob", "overrides") == {"overrides": []}
        with pytest.raises(Declined, match="none waits"):
            await they.say("bob", "agree", number=1)


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"strategy": "Momentun"}, "unknown_strategy", "Momentum"),
        ({"symbol": "SPX"}, "unknown_symbol", "Momentum does not trade 'SPX'; did you mean 'SPY'"),
        ({"qty": "ten"}, "bad_override", "the quantity must be a number of at most 30 digits, got 'ten'"),
        ({"qty": "NaN"}, "bad_override", "the quantity must be a number of at most 30 digits, got 'NaN'"),
        ({"qty": "1e999999"}, "bad_override", "the quantity must be a number of at most 30 digits, got '1e999999'"),
        ({"qty": "-1"}, "bad_override", "the quantity must be > 0, got -1"),
        ({"rule": "max_gross"}, "bad_override", "'max_gross' is never overridden; those that can be are price_collar"),
        ({"why": " \n"}, "bad_override", "an override is documented: say why"),
        ({"for_s": 3601}, "bad_override", "it must end within 60 minutes"),
        ({"for_s": 0}, "bad_override", "it must end within 60 minutes"),
        ({"for_s": 1e300}, "bad_override", "it must end within 60 minutes"),
    ],
)
async def test_what_cannot_be_asked_for_is_declined(
    tmp_path: Path, change: dict[str, Any], code: str, said: str
) -> None:
    async with people(tmp_path) as they:
        with pytest.raises(Declined) as error:
            await they.say("alice", "override", **WANTED | change)
    assert error.value.code == code
    assert said in str(error.value)
    assert they.desk.of(OverrideProposed) == []


async def test_so_many_exceptions_are_none_any_more(tmp_path: Path) -> None:
    async with people(tmp_path) as they:
        for _ in range(MOST_STANDING):
            await they.say("alice", "override", **WANTED)
        with pytest.raises(Declined, match="20 exceptions stand") as error:
            await they.say("alice", "override", **WANTED)
    assert error.value.code == "too_many"


async def test_nobody_agrees_with_himself_and_what_does_not_wait_cannot_be_agreed_to(tmp_path: Path) -> None:
    async with people(tmp_path) as they:
        await they.say("alice", "override", **WANTED)
        with pytest.raises(
            Declined, match=r"another person must agree: the other of the desk's owner and root"
        ) as same:
            await they.say("alice", "agree", number=1)
        with pytest.raises(Declined, match=r"no exception 2 waits for a second person; waiting are 1"):
            await they.say("bob", "agree", number=2)
        await they.say("bob", "agree", number=1)
        with pytest.raises(Declined, match="none waits") as twice:
            await they.say("carol", "agree", number=1)
    assert (same.value.code, twice.value.code) == ("same_person", "unknown_override")


async def test_the_socket_says_who_asks(tmp_path: Path) -> None:
    async with controlled(tmp_path), line_to(tmp_path) as line:
        asked = await line.ask("override", **WANTED)
        declined = await line.ask("agree", number=1)
    assert asked["ok"]
    assert "(pid " in asked["result"]["by"]
    assert declined["error"]["code"] == "same_person"
