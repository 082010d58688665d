"""A scripted HTTP server on loopback: what it was asked, and answers as raw as a test wants them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

Answer = Callable[["Request", asyncio.StreamWriter], Awaitable[None]]


class Request:
    """One request as it came."""

    def __init__(self, head: bytes, body: bytes) -> None:
        first, *lines = head.decode().split("\r\n")
        self.method, self.target, _ = first.split(" ")
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Server:
    """Answers every request with ``answer`` and keeps what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[Request] = []
        self.connections = 0
        self.came = asyncio.Event()
        self.handlers: set[asyncio.Task[Any]] = set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.handlers.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[16:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: ")), 0
                )
                request = Request(head, await reader.readexactly(length))
                self.asked.append(request)
                self.came.set()
                await self.answer(request, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            self.handlers.discard(task)
            writer.transport.abort()


def says(status: int = 200, body: object = None, *, raw: bytes | None = None, headers: str = "") -> Answer:
    """Answer with JSON, or with raw bytes."""
    content = raw if raw is not None else (b"" if body is None else json.dumps(body).encode())

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(content)}\r\n{headers}\r\n".encode() + content)

    return answer


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[Server]:
    """Serve on a free port until the block ends, whatever is still open then."""
    one = Server(answer)
    listening = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.port = listening.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        listening.close()
        while one.handlers:
            handlers = tuple(one.handlers)
            for task in handlers:
                task.cancel()
            await asyncio.wait(handlers)
        await listening.wait_closed()
