"""Historical bars on loopback: what a test put into its archive, page by page, with the troubles it asks for."""

import asyncio
import json
from contextlib import suppress
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from trader.model.ticks import Bar
from trader.model.time import MINUTE, iso, parse_time

Row = dict[str, Any]


def row(bar: Bar) -> Row:
    """Write a bar as REST does: by the start of its minute."""
    return {
        "t": iso(bar.ts - MINUTE), "o": bar.open, "h": bar.high, "l": bar.low, "c": bar.close,
        "v": bar.volume, "n": 3, "vw": bar.close,
    }  # fmt: skip


class BarsServer:
    """A data host."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[int, Row]] = {}  # by symbol and end
        self.asked: list[tuple[str, dict[str, str]]] = []  # paths and their parameters
        self.troubles: list[int] = []  # statuses of the next answers, 0 for a line that breaks
        self.is_down = False  # every answer is a 503
        self.page = 10_000
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}  # of who serves a connection

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers.values():
            writer.transport.abort()
        if self._writers:
            await asyncio.wait([*self._writers])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def put(self, *bars: Bar) -> None:
        for bar in bars:
            self.rows.setdefault(bar.symbol, {})[bar.ts] = row(bar)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._writers[task] = writer
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                status, body = self._answer(head.split(" ", 2)[1])
                if not status:
                    break
                data = json.dumps(body).encode()
                length = f"Content-Length: {len(data)}"
                writer.write(
                    f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{length}\r\n\r\n".encode() + data
                )
                await writer.drain()
        writer.transport.abort()

    def _answer(self, target: str) -> tuple[int, object]:
        parts = urlsplit(target)
        params = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append((parts.path, params))
        if self.troubles or self.is_down:
            return (503 if self.is_down else self.troubles.pop(0)), {"message": "as the test wants it"}
        first, last = (parse_time(params[name]) + MINUTE for name in ("start", "end"))
        found = [
            (symbol, one)
            for symbol in sorted(params["symbols"].split(","))
            for end, one in sorted(self.rows.get(symbol, {}).items())
            if first <= end <= last
        ]
        begin = int(params.get("page_token", "0"))
        bars: dict[str, list[Row]] = {}
        for symbol, one in found[begin : begin + self.page]:
            bars.setdefault(symbol, []).append(one)
        more = str(begin + self.page) if begin + self.page < len(found) else None
        return 200, {"bars": bars, "next_page_token": more}
