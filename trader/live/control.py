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
from trader.live.control_operations import OPERATIONS, Deliver, Desk, Operation
from trader.live.desk_view import DeskView
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

SHOWN = 200  # bytes of a request that failed, in the log
LISTEN_AGAIN_AFTER_S = 1.0  # where no more files may be open

_PEER = struct.Struct("3i")  # pid, uid, gid


class ControlServer:
    """Serves one desk's control socket between :meth:`start` and :meth:`stop`."""

    def __init__(self, path: Path, *, deliver: Deliver, view: DeskView) -> None:
        """Serve at ``path``; ``deliver`` hands an input to the desk and gives its events when they are durable."""
        self.path = path
        self._desk = Desk(deliver, view, HaltFile(path.parent))
        self._listener: socket.socket | None = None
        self._inode = 0
        self._clients: set[asyncio.Task[None]] = set()
        self._busy: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    async def start(self) -> None:
        """Listen. Whose folder this is, the journal's lock says: a socket that a killed program left is replaced.

        Raises:
            ConfigError: the folder takes no socket.
        """
        self._listener = _bound(self.path)
        self._inode = self.path.lstat().st_ino
        self._listener.listen(WAITING_CLIENTS)
        self._listen()

    async def stop(self) -> None:
        """Take no more, give the answers that are under way, and let go of the socket."""
        if self._listener is None:
            return
        self._is_stopping = True
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        self._listener = None
        await asyncio.sleep(0)  # so that each client's task has begun, and closes what it has
        if self._busy:
            await asyncio.wait(self._busy, timeout=STOP_WITHIN_S)
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        with suppress(OSError):
            if self.path.lstat().st_ino == self._inode:
                self.path.unlink()

    def _listen(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    def _accept(self, listener: socket.socket) -> None:
        """Let one client in; its task is known from then on, so that none outlives the desk."""
        loop = asyncio.get_running_loop()
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # it has left
        except OSError as error:  # this process has as many open files as it may have
            log.warning("control.unreachable", why=str(error))
            loop.remove_reader(listener)
            loop.call_later(LISTEN_AGAIN_AFTER_S, self._listen)
            return
        client = loop.create_task(self._serve(connection, is_too_many=len(self._clients) >= MAX_CLIENTS))
        self._clients.add(client)
        client.add_done_callback(self._clients.discard)

    async def _serve(self, connection: socket.socket, *, is_too_many: bool) -> None:
        connection.settimeout(0)
        by = caller_of(connection)
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=MAX_REQUEST)
        try:
            if is_too_many:
                await _write(writer, _fault("busy", f"{MAX_CLIENTS} others are being served; ask again in a moment"))
            else:
                await self._answer_all(reader, writer, by)
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # it left, or does not read, or the desk ends: nobody is there to be told
        finally:
            await _close(writer)

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, by: str) -> None:
        """Answer one line after the other, until the client leaves or says something after which no line begins."""
        task = asyncio.current_task()
        assert task is not None, "a client is served by a task of its own"
        while not self._is_stopping:
            await asyncio.sleep(0)  # the desk has its turn, however many requests came at once
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
        except TraderError as error:
            log.warning("request.failed", request=_shown(line), by=by, why=str(error))
            return _fault("failed", str(error))
        except Exception as error:  # noqa: BLE001 -- whoever asks is told; the desk's own failures end the run elsewhere
            log.error("request.failed", request=_shown(line), by=by, why=repr(error))  # noqa: TRY400 -- that tells enough
            return _fault("failed", f"unexpected {type(error).__name__}; the log says more")
        return msgspec.json.encode(Answer(ok=True, result=msgspec.Raw(msgspec.json.encode(result))))


def _bound(path: Path) -> socket.socket:
    """Return a socket at ``path``. Raises ConfigError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.settimeout(0)
    try:
        with suppress(FileNotFoundError):
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise ConfigError(f"{path} is in the way of the control socket; move it elsewhere")
            path.unlink()
        before = os.umask(0o177)  # from its first moment on it is ours only; a mode set later would be too late
        try:
            with socket_address(path) as address:
                listener.bind(address)
        finally:
            os.umask(before)
    except OSError as error:
        listener.close()
        raise ConfigError(f"{path}: no control socket can be made there ({error.strerror or error})") from error
    except BaseException:
        listener.close()
        raise
    return listener


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


def caller_of(connection: socket.socket) -> str:
    """Return who is at the other end: ``alice (pid 4711)``, or what is known of that."""
    try:
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
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


def _shown(line: bytes) -> str:
    return line[:SHOWN].decode(errors="backslashreplace").rstrip()


def _fault(code: str, message: str) -> bytes:
    return msgspec.json.encode(Answer(ok=False, error=Fault(code, message)))


async def _write(writer: asyncio.StreamWriter, answer: bytes) -> None:
    writer.write(answer + b"\n")
    async with asyncio.timeout(WRITE_WITHIN_S):
        await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    if writer.transport.get_write_buffer_size():
        writer.transport.abort()  # it does not read; it would be waited for as long as it likes
    else:
        writer.close()
    with suppress(OSError):
        await writer.wait_closed()
