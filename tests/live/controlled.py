"""A desk with a journal and a control socket, driven by a test."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from tests.build import T0, Rehearsal, always, by_minute, spec
from trader.engine.engine import Step
from trader.engine.sandbox import SandboxSpec
from trader.live.control import ControlServer
from trader.live.desk_view import AccountReading, DeskView
from trader.live.receipts import Receipts
from trader.live.state_folder import JOURNAL, SOCKET
from trader.model.inputs import Input
from trader.store.journal import Journal
from trader.store.sqlite import open_journal

Result = TypeVar("Result")


class ControlledDesk(Rehearsal):
    """Two strategies on SPY, ``Momentum`` that buys and ``Adaptive`` that waits, and what is needed to control them."""

    def __init__(self, folder: Path, *specs: SandboxSpec) -> None:
        self.folder = folder
        self.journal = open_journal(folder / JOURNAL)
        list(self.journal.recover())
        self.receipts = Receipts(self.take)
        self.controls: list[Input] = []
        self.is_stuck = False  # the disk takes no commit for now
        self.reading: AccountReading | None = None
        self._uncommitted: list[tuple[Input, Step]] = []
        super().__init__(
            *(specs or (spec(always(0.5), name="Momentum"), spec(by_minute({}), name="Adaptive"))), book_id="t"
        )
        self.view = DeskView(
            self.engine,
            mode="PAPER",
            now=lambda: T0,
            account=lambda: self.reading,
            journal=self.journal,
            on_journal=self.on_journal,
        )
        self.server = ControlServer(folder / SOCKET, deliver=self.receipts.deliver, view=self.view)

    def handled(self, message: Input, step: Step) -> None:
        self._uncommitted.append((message, step))
        if not self.is_stuck:
            self.commit()

    def commit(self) -> None:
        """Make everything durable, and say so."""
        self.is_stuck = False
        pending, self._uncommitted = self._uncommitted, []
        self.journal.write([step.events for _, step in pending])
        for message, step in pending:
            self.receipts.settle(message, step.events)

    async def on_journal(self, work: Callable[[Journal], Result]) -> Result:
        return work(self.journal)


@asynccontextmanager
async def controlled(folder: Path, *specs: SandboxSpec) -> AsyncIterator[ControlledDesk]:
    """Serve a desk's control socket for the length of a test."""
    desk = ControlledDesk(folder, *specs)
    await desk.server.start()
    try:
        yield desk
    finally:
        await desk.server.stop()
        desk.journal.close()


class Line:
    """A connection to the socket, without any client's manners."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def pause(self) -> None:
        """Read nothing more of what is answered."""
        transport = self.writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()

    async def say(self, sent: bytes) -> None:
        self.writer.write(sent)
        await self.writer.drain()

    async def hear(self) -> Any:
        """Return the next answer; None at the end."""
        line = await self.reader.readline()
        return json.loads(line) if line else None

    async def ask(self, op: str, **args: Any) -> Any:
        await self.say(json.dumps({"op": op, "args": args}).encode() + b"\n")
        return await self.hear()


@asynccontextmanager
async def line_to(folder: Path) -> AsyncIterator[Line]:
    """Connect for the length of a ``with``."""
    reader, writer = await asyncio.open_unix_connection(str(folder / SOCKET), limit=2**20)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()
