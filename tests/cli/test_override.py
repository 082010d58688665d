"""``trader override``: asked for, listed, and agreed to by another person only."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.live.controlled import controlled
from trader.cli import main
from trader.live.control import user_name
from trader.live.control_client import UNREACHABLE

Say = Callable[..., Awaitable[tuple[int, str, str]]]

ASKED = ("ask", "Momentum", "SPY", "buy", "10", "--rule", "duplicate", "--why", "sent twice on purpose")


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    async def run(verb: str, *words: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(main, ["override", verb, *words, "--state-dir", str(tmp_path)])
        return code, *capsys.readouterr()

    return run


async def test_an_exception_is_asked_for_and_listed_and_needs_another_person(
    tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with controlled(tmp_path):
        asked = await say(*ASKED)
        same = await say("agree", "1")
        listed = await say("list")
        monkeypatch.setattr("trader.live.control.user_name", lambda uid: f"not {user_name(uid)}")
        granted = await say("agree", "1")
        as_json = await say("list", "--json")
    assert asked[0] == 0
    told, way = asked[1].splitlines()
    assert (
        told == "asked for: one order of Momentum, buy at most 10 SPY, may pass duplicate until 2026-01-05T14:45:00Z."
    )
    assert way.endswith(f"its owner or root, agrees with: trader override agree 1 --state-dir {tmp_path}")
    assert same[0] == 1
    assert "another person must agree" in same[2]
    assert "nobody yet" in listed[1]
    assert "sent twice on purpose" in listed[1]
    assert granted[1].startswith("granted: one order of Momentum")
    (one,) = json.loads(as_json[1])["overrides"]
    assert one["approved_by"].startswith("not ")


async def test_without_exceptions_there_is_none_and_without_a_desk_nobody_to_ask(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path):
        assert (await say("list"))[:2] == (0, "No exception.\n")
    assert (await say("list"))[0] == UNREACHABLE


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*ASKED, "--for", "soon"), "'soon' is not a duration"),
        ((*ASKED, "--why", "x" * 301), "--why has 301 characters"),
        (("ask", "Momentum", "SPY", "hold", "10", "--rule", "duplicate", "--why", "so"), "'hold' is not one of"),
        (("ask", "Momentum", "SPY", "buy", "10", "--rule", "duplicate"), "Missing option '--why'"),
        (("grant", "1"), "no such command: 'grant'"),
    ],
)
async def test_what_is_typed_wrong_is_said(say: Say, words: tuple[str, ...], said: str) -> None:
    code, _, error = await say(*words)
    assert code == 2
    assert said in error


async def test_it_may_hold_as_long_as_is_asked_up_to_an_hour(tmp_path: Path, say: Say) -> None:
    async with controlled(tmp_path):
        _, out, _ = await say(*ASKED, "--for", "1h", "--json")
        assert json.loads(out)["until"] == "2026-01-05T15:30:00Z"
        code, _, error = await say(*ASKED, "--for", "61m")
    assert code == 1
    assert "it must end within 60 minutes" in error
