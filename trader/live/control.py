"""The control socket: a local door to a running desk, for its owner only.

A UNIX socket of mode 0600 in the state folder; what is said is in :mod:`trader.live.control_messages`, what can be
asked in :mod:`trader.live.control_operations`. It needs neither broker nor stream: an input goes to the desk at once,
and what it makes the broker do waits in the broker's own queue. Everything that a client could use up is bounded.
"""

import asyncio
import os
import pwd
import socket
import stat
import struct
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from trader.errors import ConfigError, TraderError
from trader.live.control_messages import Answer, Declined, Fault, Request
from trader.live.control_operations import OPERATIONS, ControlView, Deliver, Desk, Operation
from trader.live.halt_file import HaltFile
from trader.live.state_folder import socket_address
from trader.registry import did_you_mean

log = structlog.get_logger()

MAX_REQUEST = 16 * 1024  # bytes of a line; the longest that is sent names a path
MAX_CLIENTS = 32  # people and their scripts; one that comes too many is told so at once
WAITING_CLIENTS = 64  # connections that the kernel keeps until they are taken
READ_WITHIN_S = 10.0  # for a whole line, from the answer to the one before
WRITE_WITHIN_S = 5.0
STOP_WITHIN_S = 2.0  # for answers that are under way when the desk ends

_PEER = struct.Struct("3i")  # pid, uid, gid


class ControlServer:
    """Serves one desk's control socket between :meth:`start` and :meth:`stop`."""

    def __init__(self, path: Path, *, deliver: Deliver, view: ControlView) -> None:
        """Serve at ``path``; ``deliver`` hands an input to the desk and gives its events when they are durable."""
        self.path = path
        self._desk = Desk(deliver, view, HaltFile(path.parent))
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self._busy: set[asyncio.Task[None]] = set()
        self._inode = 0
        self._is_stopping = False

    async def start(self) -> None:
        """Listen. Whose folder this is, the journal's lock says: a socket that a killed program left is replaced.

        Raises:
            ConfigError: the folder takes no socket.
        """
        listener = self._bind()
        self._server = await asyncio.start_unix_server(
            self._serve, sock=listener, limit=MAX_REQUEST, backlog=WAITING_CLIENTS
        )

    async def stop(self) -> None:
        """Take no more, give the answers that are under way, and let go of the socket."""
        if self._server is None:
            return
        self._is_stopping = True
        self._server.close()
        if self._busy:
            await asyncio.wait(self._busy, timeout=STOP_WITHIN_S)
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None
        with suppress(OSError):
            if self.path.lstat().st_ino == self._inode:
                self.path.unlink()

    def _bind(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with suppress(FileNotFoundError):
                if not stat.S_ISSOCK(self.path.lstat().st_mode):
                    raise ConfigError(f"{self.path} is in the way of the control socket; move it elsewhere")
                self.path.unlink()
            before = os.umask(0o177)  # from its first moment on it is ours only; a mode set later would be too late
            try:
                with socket_address(self.path) as address:
                    listener.bind(address)
            finally:
                os.umask(before)
            self._inode = self.path.lstat().st_ino
        except OSError as error:
            listener.close()
            raise ConfigError(
                f"{self.path}: no control socket can be made there ({error.strerror or error})"
            ) from error
        except BaseException:
            listener.close()
            raise
        return listener

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a client is served by a task of its own"
        is_too_many = len(self._clients) >= MAX_CLIENTS
        self._clients.add(task)
        try:
            if is_too_many:
                await _write(writer, _fault("busy", f"{MAX_CLIENTS} others are being served; ask again in a moment"))
            else:
                await self._answer_all(reader, writer, task)
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # it left, or does not read, or the desk ends: nobody is there to be told
        finally:
            self._clients.discard(task)
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    async def _answer_all(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, task: "asyncio.Task[None]"
    ) -> None:
        """Answer one line after the other, until the client leaves or says something after which no line begins."""
        by = caller_of(writer)
        while not self._is_stopping:
            try:
                async with asyncio.timeout(READ_WITHIN_S):
                    line = await reader.readuntil(b"\n")
            except asyncio.IncompleteReadError as error:
                if error.partial:
                    await _write(writer, _fault("malformed", "the request has no end: a line break is missing"))
                return
            except asyncio.LimitOverrunError:
                await _write(writer, _fault("too_long", f"a request has at most {MAX_REQUEST} bytes"))
                return
            except TimeoutError:
                await _write(writer, _fault("too_slow", f"no whole request came within {READ_WITHIN_S:g} s"))
                return
            self._busy.add(task)
            try:
                await _write(writer, await self._answer(line, by))
            finally:
                self._busy.discard(task)

    async def _answer(self, line: bytes, by: str) -> bytes:
        try:
            result = await _run(self._desk._replace(by=by), *_read(line))
        except Declined as error:
            return _fault(error.code, str(error))
        except Exception as error:  # noqa: BLE001 -- whoever asks is told; the desk's own failures end the run elsewhere
            log.error("control.failed", request=line[:200], why=repr(error))  # noqa: TRY400 -- repr tells enough
            text = str(error) if isinstance(error, TraderError) else f"unexpected {type(error).__name__}"
            return _fault("failed", f"{text}; the log says more")
        return msgspec.json.encode(Answer(ok=True, result=msgspec.Raw(msgspec.json.encode(result))))


def _read(line: bytes) -> tuple[Operation, msgspec.Struct]:
    """Return what is asked for, and with what. Raises Declined."""
    try:
        request = msgspec.json.decode(line, type=Request)
        operation = OPERATIONS.get(request.op)
        if operation is None:
            hint = did_you_mean(request.op, OPERATIONS) or f"; there are {', '.join(OPERATIONS)}"
            raise Declined("unknown_op", f"no operation is called {request.op!r}{hint}")
        return operation, msgspec.json.decode(request.args, type=operation.takes)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Declined("malformed", f"not a request: {error}") from error


async def _run(desk: Desk, operation: Operation, arguments: msgspec.Struct) -> msgspec.Struct:
    try:
        async with asyncio.timeout(operation.within_s):
            return await operation.run(desk, arguments)
    except TimeoutError as error:
        text = f"not confirmed within {operation.within_s:g} s, and it may still come: look again"
        raise Declined("unconfirmed", text) from error


def caller_of(writer: asyncio.StreamWriter) -> str:
    """Return who is at the other end: ``alice (pid 4711)``, or what is known of that."""
    try:
        credentials = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    except (AttributeError, OSError):  # not Linux
        return user_name(os.geteuid())
    pid, uid, _ = _PEER.unpack(credentials)
    return f"{user_name(uid)} (pid {pid})"


def user_name(uid: int) -> str:
    """Return a user's name, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _fault(code: str, message: str) -> bytes:
    return msgspec.json.encode(Answer(ok=False, error=Fault(code, message)))


async def _write(writer: asyncio.StreamWriter, answer: bytes) -> None:
    writer.write(answer + b"\n")
    async with asyncio.timeout(WRITE_WITHIN_S):
        await writer.drain()
