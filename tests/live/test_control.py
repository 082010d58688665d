"""The control socket: what is asked is done, durable and true before it is answered, whoever else is at the door."""

import asyncio
import errno
import getpass
import json
import os
import socket
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build import T0, bar
from tests.live.controlled import controlled, line_to
from tests.waiting import until
from trader.errors import ConfigError, NotDurable
from trader.live import control, control_client, control_operations
from trader.live.control_client import NotRunning, Unanswered, ask, is_running
from trader.live.control_messages import Act, Declined
from trader.live.halt_file import HaltFile
from trader.live.state_folder import HALT, SOCKET
from trader.model.events import OrderCreated, StateSet, SymbolLocked
from trader.model.inputs import Input
from trader.model.orders import OrderStatus

# --- what is asked ------------------------------------------------------------------------------------------------


async def test_a_halt_is_an_input_of_the_desk_with_who_and_why(tmp_path: Path) -> None:
    async with controlled(tmp_path) as desk, line_to(tmp_path) as line:
        answer = await line.ask("halt", why="  looks\nwrong\x1b[2J ")
    (said,) = desk.of(StateSet)
    me = f"{getpass.getuser()} (pid {os.getpid()})"
    assert answer["ok"]
    assert answer["result"]["states"]["desk"] == "halted"
    assert answer["result"]["by"] == me
    assert (said.strategy, said.state, said.by, said.why) == ("", "halted", me, "looks wrong [2J")


async def test_nothing_opens_after_a_halt_was_answered(tmp_path: Path) -> None:
    async with controlled(tmp_path) as desk, line_to(tmp_path) as line:
        await line.ask("halt")
        desk.minute(bar(minute=1))
    assert not desk.of(OrderCreated)


async def test_a_halt_is_not_answered_before_it_is_durable(tmp_path: Path) -> None:
    async with controlled(tmp_path) as desk, line_to(tmp_path) as line:
        desk.is_stuck = True
        asked = asyncio.create_task(line.ask("halt"))
        await until(lambda: desk.of(StateSet))
        async with line_to(tmp_path) as other:  # a round trip of another client, while the first one waits
            assert (await other.ask("states"))["ok"]
        assert not asked.done()
        desk.commit()
        assert (await asked)["result"]["states"]["desk"] == "halted"


async def test_what_is_not_confirmed_in_time_is_not_called_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = control_operations.OPERATIONS["halt"]._replace(within_s=0.01)
    monkeypatch.setitem(control_operations.OPERATIONS, "halt", row)
    async with controlled(tmp_path) as desk, line_to(tmp_path) as line:
        desk.is_stuck = True
        answer = await line.ask("halt")
        desk.commit()  # it comes all the same, and nobody waits for it
        assert answer["error"]["code"] == "unconfirmed"
        assert (await line.ask("states"))["result"]["desk"] == "halted"


async def test_a_journal_that_fails_is_told(tmp_path: Path) -> None:
    async with controlled(tmp_path) as desk, line_to(tmp_path) as line:
        desk.is_stuck = True
        asked = asyncio.create_task(line.ask("halt"))
        await until(lambda: desk.of(StateSet))
        desk.receipts.fail(NotDurable("the disk failed"))
        answer = await asked
    assert answer["error"]["code"] == "failed"
    assert "the disk failed" in answer["error"]["message"]


async def test_a_desk_that_does_not_do_what_it_was_told_is_not_called_halted(tmp_path: Path) -> None:
    async with controlled(tmp_path) as desk, line_to(tmp_path) as line:
        desk.receipts._put = lambda message: desk.receipts.settle(message, [])  # noqa: SLF001 -- a desk that is deaf
        answer = await line.ask("halt")
    assert answer["error"]["code"] == "not_taken"


@pytest.mark.parametrize(("action", "state"), [("halt", "halted"), ("pause", "paused"), ("flatten", "paused")])
async def test_one_strategy_is_stopped_and_trades_again(tmp_path: Path, action: str, state: str) -> None:
    async with controlled(tmp_path), line_to(tmp_path) as line:
        stopped = await line.ask(action, strategy="Momentum")
        again = await line.ask("resume", strategy="Momentum")
    assert stopped["result"]["states"]["strategies"] == {"Momentum": state, "Adaptive": "active"}
    assert stopped["result"]["states"]["desk"] == "active"
    assert again["result"]["states"]["strategies"]["Momentum"] == "active"


async def test_an_unknown_strategy_is_told_what_was_probably_meant(tmp_path: Path) -> None:
    async with controlled(tmp_path) as desk, line_to(tmp_path) as line:
        answer = await line.ask("halt", strategy="momentun")
        other = await line.ask("pause", strategy="xyz")
    assert answer["error"] == {
        "code": "unknown_strategy",
        "message": "no strategy is called 'momentun'; did you mean 'Momentum'?",
    }
    assert other["error"]["message"].endswith("; there are Momentum, Adaptive")
    assert not desk.of(StateSet)


async def test_nothing_is_resumed_while_the_halt_file_is_there(tmp_path: Path) -> None:
    async with controlled(tmp_path), line_to(tmp_path) as line:
        await line.ask("halt")
        HaltFile(tmp_path).write("as I say")
        refused = await line.ask("resume")
        (tmp_path / HALT).unlink()
        resumed = await line.ask("resume")
    assert refused["error"]["code"] == "halt_file"
    assert "remove it first" in refused["error"]["message"]
    assert resumed["result"]["states"]["desk"] == "active"


async def test_a_copy_of_the_journal_is_made_at_a_new_absolute_path_only(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    async with controlled(tmp_path), line_to(tmp_path) as line:
        made = await line.ask("backup", path=str(tmp_path / "copy"))
        relative = await line.ask("backup", path="copy")
        there = await line.ask("backup", path=str(tmp_path / "there"))
        nowhere = await line.ask("backup", path=str(tmp_path / "none" / "copy"))
    assert made["result"] == {"path": str(tmp_path / "copy")}
    assert (tmp_path / "copy").is_file()
    assert "is not absolute" in relative["error"]["message"]
    assert "is there already" in there["error"]["message"]
    assert not nowhere["ok"]


async def test_a_difference_that_is_another_one_by_now_is_not_booked(tmp_path: Path) -> None:
    async with controlled(tmp_path) as desk, line_to(tmp_path) as line:
        desk.engine.desk.ledger.apply(SymbolLocked(T0, "SPY", Decimal(48), Decimal(50), "three readings agree"))
        changed = [await line.ask("accept", symbol="SPY", difference=shown) for shown in ("-1", "2", "much", "NaN")]
        booked = await line.ask("accept", symbol="SPY", difference="-2.0")
    assert {answer["error"]["code"] for answer in changed} == {"changed"}
    assert booked["ok"]


async def test_a_decision_that_the_desk_does_not_follow_is_not_called_done(tmp_path: Path) -> None:
    async with controlled(tmp_path) as desk, line_to(tmp_path) as line:
        desk.minute(bar(minute=1))
        (order_id,) = desk.engine.desk.ledger.orders
        desk.engine.desk.ledger.orders[order_id].status = OrderStatus.ABSENT
        desk.engine.desk.ledger.apply(SymbolLocked(T0, "SPY", Decimal(48), Decimal(50), "three readings agree"))
        desk.receipts._put = lambda message: desk.receipts.settle(message, [])  # noqa: SLF001 -- a desk that is deaf
        accepted = await line.ask("accept", symbol="SPY", difference="-2")
        released = await line.ask("release", order_id=order_id)
    assert accepted["error"]["code"] == released["error"]["code"] == "not_taken"


async def test_a_bug_is_told_without_its_insides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with controlled(tmp_path) as desk, line_to(tmp_path) as line:
        monkeypatch.setattr(desk.view, "states", lambda: 1 // 0)
        answer = await line.ask("states")
        monkeypatch.undo()
        assert (await line.ask("states"))["ok"]
    assert answer["error"] == {"code": "failed", "message": "unexpected ZeroDivisionError; the log says more"}


# --- hostile clients ----------------------------------------------------------------------------------------------

MALFORMED = {
    "garbage": b"\x00\xff\xfe garbage",
    "an empty line": b"",
    "text": b"halt",
    "a list": b'["halt"]',
    "no operation": b'{"args": {}}',
    "a number": b'{"op": 7}',
    "an unknown operation": b'{"op": "hlat"}',
    "an unknown field": b'{"op": "halt", "force": true}',
    "an unknown argument": b'{"op": "halt", "args": {"strategie": "Momentum"}}',
    "arguments of another kind": b'{"op": "halt", "args": {"strategy": null}}',
    "arguments that are a list": b'{"op": "halt", "args": []}',
    "no end": b'{"op": "halt"',
    "a very long name": b'{"op": "halt", "args": {"strategy": "' + b"x" * 200 + b'"}}',
    "deep": b'{"op": "halt", "args": ' + b'{"a":' * 2700 + b"1",
    "too many": b'{"op": "trades", "args": {"limit": 1000000}}',
    "not a number": b'{"op": "trades", "args": {"limit": NaN}}',
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
async def test_what_is_no_request_gets_a_clear_error_and_the_next_one_its_answer(tmp_path: Path, sent: bytes) -> None:
    async with controlled(tmp_path) as desk, line_to(tmp_path) as line:
        await line.say(sent + b"\n")
        answer = await line.hear()
        then = await line.ask("states")
    assert set(answer) == {"ok", "result", "error"}
    assert not answer["ok"]
    assert answer["error"]["code"] in {"malformed", "unknown_op"}
    assert answer["error"]["message"]
    assert then["ok"]
    assert not desk.of(StateSet)


async def test_a_misspelt_operation_is_told_what_was_probably_meant(tmp_path: Path) -> None:
    async with controlled(tmp_path), line_to(tmp_path) as line:
        answer = await line.ask("hlat")
    assert answer["error"]["message"] == "no operation is called 'hlat'; did you mean 'halt'?"


async def test_a_megabyte_is_refused_without_being_kept(tmp_path: Path) -> None:
    async with controlled(tmp_path), line_to(tmp_path) as line:
        line.writer.write(b"x" * 2**20)  # it need not arrive: nobody reads it to its end
        answer = await line.hear()
        async with line_to(tmp_path) as other:
            assert (await other.ask("states"))["ok"]
    assert answer["error"]["code"] == "too_long"


async def test_many_requests_at_once_are_answered_in_order(tmp_path: Path) -> None:
    sent = [json.dumps({"op": f"number {number}"}).encode() + b"\n" for number in range(1000)]
    async with controlled(tmp_path), line_to(tmp_path) as line:
        saying = asyncio.create_task(line.say(b"".join(sent)))
        heard = [(await line.hear())["error"]["message"] for _ in sent]
        await saying
    assert all(f"'number {number}'" in message for number, message in enumerate(heard))


async def test_half_a_request_does_nothing(tmp_path: Path) -> None:
    async with controlled(tmp_path) as desk, line_to(tmp_path) as line:
        await line.say(b'{"op": "halt"}')
        line.writer.write_eof()
        answer = await line.hear()
    assert answer["error"]["code"] == "malformed"
    assert not desk.of(StateSet)


async def test_a_slow_client_is_let_go_and_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "READ_WITHIN_S", 0.05)
    async with controlled(tmp_path), line_to(tmp_path) as slow:
        await slow.say(b'{"op": ')
        async with line_to(tmp_path) as other:
            assert (await other.ask("halt"))["ok"]
        told = await slow.hear()
        ended = await slow.hear()
    assert told["error"]["code"] == "too_slow"
    assert ended is None


async def test_a_client_that_never_reads_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "WRITE_WITHIN_S", 0.05)
    async with controlled(tmp_path), line_to(tmp_path) as deaf:
        deaf.pause()
        request = json.dumps({"op": "halt", "args": {"strategy": "x" * 90}}).encode() + b"\n"
        with suppress(OSError):
            while not deaf.writer.transport.is_closing():
                await deaf.say(request * 100)
        async with line_to(tmp_path) as other:
            assert (await other.ask("states"))["ok"]


async def test_of_two_hundred_clients_a_bounded_number_is_served_and_the_rest_is_told(tmp_path: Path) -> None:
    async with controlled(tmp_path) as desk:
        held = [await asyncio.open_unix_connection(str(tmp_path / SOCKET)) for _ in range(200)]
        asked = asyncio.create_task(asyncio.to_thread(ask, tmp_path, "halt", Act()))
        lines = [await reader.readline() for reader, _ in held[control.MAX_CLIENTS :]]
        assert {json.loads(line)["error"]["code"] for line in lines} == {"busy"}
        assert not desk.of(StateSet)
        for _, writer in held:  # somebody leaves: the one who asks in order has been waiting for it
            writer.close()
        answer = await asked
    assert answer["states"]["desk"] == "halted"


@settings(max_examples=60)
@given(sent=st.binary(max_size=300).map(lambda raw: raw.replace(b"\n", b"")))
def test_every_line_whatever_it_is_gets_one_answer(sent: bytes) -> None:
    answer = json.loads(asyncio.run(_answer_to(sent)))
    assert not answer["ok"]
    assert answer["error"]["code"] in {"malformed", "unknown_op"}


async def _answer_to(sent: bytes) -> bytes:
    server = control.ControlServer(Path(SOCKET), deliver=_nowhere, view=None)  # type: ignore[arg-type]
    return await server._answer(sent, "anybody")  # noqa: SLF001 -- without a socket it is done 60 times in no time


async def _nowhere(message: Input) -> Any:
    raise AssertionError(f"nothing was asked, and {message} came of it")


# --- the socket ---------------------------------------------------------------------------------------------------


async def test_the_socket_is_its_owners_only_and_goes_with_the_desk(tmp_path: Path) -> None:
    async with controlled(tmp_path):
        assert (tmp_path / SOCKET).stat().st_mode & 0o777 == 0o600
        assert is_running(tmp_path)
    assert not (tmp_path / SOCKET).exists()
    assert not is_running(tmp_path)


async def test_the_socket_of_a_killed_desk_does_not_hinder_the_next_one(tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / SOCKET))
    left.close()
    with pytest.raises(NotRunning, match="no trader runs"):
        await asyncio.to_thread(ask, tmp_path, "states")
    async with controlled(tmp_path), line_to(tmp_path) as line:
        assert (await line.ask("states"))["ok"]


async def test_a_file_in_the_sockets_place_is_nobodys_to_delete(tmp_path: Path) -> None:
    (tmp_path / SOCKET).write_text("mine")
    server = control.ControlServer(tmp_path / SOCKET, deliver=_nowhere, view=None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="in the way"):
        await server.start()
    assert (tmp_path / SOCKET).read_text() == "mine"


async def test_a_desk_that_ends_leaves_its_successors_socket_alone(tmp_path: Path) -> None:
    async with controlled(tmp_path):
        (tmp_path / SOCKET).unlink()
        (tmp_path / SOCKET).write_text("the successor's")
    assert (tmp_path / SOCKET).exists()


async def test_a_folder_whose_path_is_too_long_for_a_socket_does(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    async with controlled(folder):
        answer = await asyncio.to_thread(ask, folder, "states")
    assert answer["desk"] == "active"
    assert not (folder / SOCKET).exists()


async def test_a_folder_that_cannot_take_a_socket_is_named(tmp_path: Path) -> None:
    server = control.ControlServer(tmp_path / "none" / SOCKET, deliver=_nowhere, view=None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no control socket can be made"):
        await server.start()


async def test_an_answer_under_way_is_given_before_the_desk_ends(tmp_path: Path) -> None:
    async with controlled(tmp_path) as desk, line_to(tmp_path) as line, line_to(tmp_path) as idle:
        desk.is_stuck = True
        asked = asyncio.create_task(line.ask("halt"))
        await until(lambda: desk.of(StateSet))
        stopping = asyncio.create_task(desk.server.stop())
        await asyncio.sleep(0)
        desk.commit()
        answer = await asked
        await stopping
        assert await idle.hear() is None
    assert answer["ok"]


async def test_where_no_more_files_may_be_open_clients_are_let_in_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def accept(self) -> None:
            raise OSError(errno.EMFILE, "too many open files")

        def fileno(self) -> int:
            assert listener is not None
            return listener.fileno()

    monkeypatch.setattr(control, "LISTEN_AGAIN_AFTER_S", 0.01)
    async with controlled(tmp_path) as desk, line_to(tmp_path) as line:
        listener = desk.server._listener  # noqa: SLF001 -- what the kernel refuses cannot be brought about politely
        desk.server._accept(Full())  # type: ignore[arg-type] # noqa: SLF001
        assert (await line.ask("states"))["ok"]


def test_a_user_without_a_name_is_a_number() -> None:
    assert control.user_name(os.getuid()) == getpass.getuser()
    assert control.user_name(2**31 - 9) == f"uid {2**31 - 9}"


# --- the client ---------------------------------------------------------------------------------------------------


async def test_a_refusal_keeps_its_code(tmp_path: Path) -> None:
    async with controlled(tmp_path):
        with pytest.raises(Declined, match="did you mean 'Adaptive'") as caught:
            await asyncio.to_thread(ask, tmp_path, "halt", Act("adaptive"))
    assert (caught.value.code, caught.value.exit_code) == ("unknown_strategy", 2)


async def test_a_desk_that_does_not_answer_is_not_taken_for_halted(tmp_path: Path) -> None:
    async with controlled(tmp_path) as desk:
        desk.is_stuck = True
        with pytest.raises(Unanswered, match="did not answer") as caught:
            await asyncio.to_thread(ask, tmp_path, "halt", Act(), within_s=0.05)
        await until(lambda: desk.of(StateSet))
        desk.commit()
    assert caught.value.exit_code == control_client.UNREACHABLE


async def test_a_desk_that_ends_instead_of_answering_is_not_taken_for_halted(tmp_path: Path) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    server = await asyncio.start_unix_server(leave, str(tmp_path / SOCKET))
    async with server:
        with pytest.raises(Unanswered, match="ended before it answered"):
            await asyncio.to_thread(ask, tmp_path, "halt", Act())


async def test_who_asks_while_too_many_do_gives_up_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "MAX_CLIENTS", 0)
    async with controlled(tmp_path):
        with pytest.raises(Declined) as caught:
            await asyncio.to_thread(ask, tmp_path, "halt", Act(), within_s=0.05)
        assert is_running(tmp_path)
    assert caught.value.code == "busy"


async def test_what_answers_without_sense_is_not_believed(tmp_path: Path) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"halted!\n")
        writer.close()

    async with await asyncio.start_unix_server(babble, str(tmp_path / SOCKET)):
        with pytest.raises(Unanswered):
            await asyncio.to_thread(ask, tmp_path, "halt", Act())


def test_what_takes_no_connection_is_there_all_the_same(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(tmp_path / SOCKET))
        with pytest.raises(Unanswered, match="takes no connection"):
            ask(tmp_path, "halt", Act())
        assert is_running(tmp_path)


def test_where_no_folder_is_no_desk_runs(tmp_path: Path) -> None:
    with pytest.raises(NotRunning) as caught:
        ask(tmp_path / "none", "states")
    assert caught.value.exit_code == 7
