"""Where operators come in: the control socket, and the file that halts."""

import asyncio
from pathlib import Path

from trader.live.control import ControlServer
from trader.live.control_operations import Deliver
from trader.live.desk_view import DeskView
from trader.live.halt_file import HaltFile, HaltWatch
from trader.live.state_folder import SOCKET
from trader.model.inputs import Control


class Door:
    """Both ways in, of one state folder."""

    def __init__(self, folder: Path, view: DeskView, *, deliver: Deliver) -> None:
        """Hand what comes in to ``deliver``, which gives the events when they are durable."""
        self._server = ControlServer(folder / SOCKET, deliver=deliver, view=view)
        self._watch = HaltWatch(HaltFile(folder), is_halted=lambda: view.is_halted, halt=self._halt)
        self._view = view
        self._deliver = deliver
        self._watching: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Obey a file that is there before anything is decided, then listen. Raises ConfigError where that fails."""
        await self._watch.look()
        self._watching = asyncio.ensure_future(self._watch.run())
        await self._server.start()

    async def stop(self) -> None:
        """Let nobody in any more."""
        if self._watching is not None:
            self._watching.cancel()
        await self._server.stop()

    async def _halt(self, why: str) -> None:
        await self._deliver(Control(self._view.now(), "halt", "", "the HALT file", why))
