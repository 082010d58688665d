"""Asks a running desk over its control socket; without asyncio, so that an answer is there in no time."""

import json
import socket
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from trader.errors import ConfigError, EdgeError, TraderError
from trader.live.control_messages import Declined
from trader.live.state_folder import SOCKET, socket_address

UNREACHABLE: Final = 7  # exit code: no desk runs there, or it does not answer
ANSWER_WITHIN_S = 15.0  # the desk itself gives up confirming before that
COPY_WITHIN_S = 310.0
_AGAIN_AFTER_S = 0.1
_CHUNK = 64 * 1024
MAX_ANSWER = 16 * 1024 * 1024  # far more than the longest list; what goes on for longer is no desk's


class NotRunning(TraderError):
    """No desk runs with this state folder: the request surely was not made."""

    exit_code = UNREACHABLE


class Unanswered(EdgeError):
    """A desk is there and did not answer in time: the request may have been done."""

    exit_code = UNREACHABLE


def ask(
    folder: Path, op: str, arguments: msgspec.Struct | None = None, *, within_s: float = ANSWER_WITHIN_S
) -> dict[str, Any]:
    """Ask the desk that keeps its state in ``folder``; return the result's fields.

    Raises:
        NotRunning: there is none.
        ConfigError: it is another user's.
        Unanswered: it did not answer within ``within_s``, or ended meanwhile.
        Declined: it said no.
    """
    line = json.dumps({"op": op, "args": {} if arguments is None else msgspec.to_builtins(arguments)}).encode() + b"\n"
    until = time.monotonic() + within_s
    while True:
        answer = _exchange(folder, line, until)
        if answer["ok"]:
            result: dict[str, Any] = answer["result"]
            return result
        fault = answer["error"]
        if fault["code"] != "busy" or time.monotonic() > until:
            raise Declined(fault["code"], fault["message"])
        time.sleep(_AGAIN_AFTER_S)  # it surely did nothing: there were too many of us


def is_running(folder: Path) -> bool:
    """Say whether something listens on the control socket of ``folder``."""
    try:
        with _connected(folder, time.monotonic() + 1):
            return True
    except NotRunning:
        return False
    except TraderError:
        return True  # it is there, and busy, or somebody else's


def _exchange(folder: Path, line: bytes, until: float) -> dict[str, Any]:
    try:
        with _connected(folder, until) as connection:
            _send(connection, line)
            received = _receive(connection, until)
        answer: dict[str, Any] = json.loads(received)
    except TimeoutError as error:
        raise Unanswered(
            f"the program that trades with {folder} did not answer: it may have done it, or not"
        ) from error
    except OSError as error:
        raise Unanswered(f"the connection to the program that trades with {folder} broke: {error.strerror}") from error
    except ValueError as error:
        raise Unanswered(f"the program that trades with {folder} ended before it answered: look at its log") from error
    return answer


def _receive(connection: socket.socket, until: float) -> bytes:
    """Return one line, or what came of it."""
    received = bytearray()
    while not received.endswith(b"\n") and len(received) < MAX_ANSWER:
        connection.settimeout(max(0.01, until - time.monotonic()))
        chunk = connection.recv(_CHUNK)
        if not chunk:
            break
        received += chunk
    return bytes(received)


def _send(connection: socket.socket, line: bytes) -> None:
    try:
        connection.sendall(line)
    except BrokenPipeError:  # it said why before it closed
        return


def _connected(folder: Path, until: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(max(0.01, until - time.monotonic()))
    try:
        with socket_address(folder / SOCKET) as address:
            connection.connect(address)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
        connection.close()
        raise NotRunning(
            f"no trader runs with {folder}, or it has only begun to: start it, or name another folder with --state-dir"
            " (a simulated market has one only where `run` was given it)"
        ) from error
    except PermissionError as error:
        connection.close()
        raise ConfigError(f"{folder / SOCKET} is another user's; ask as that user") from error
    except OSError as error:
        connection.close()
        raise Unanswered(f"the program that trades with {folder} takes no connection: {error}") from error
    return connection
