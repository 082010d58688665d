"""The seam between the account's side and the world: whoever speaks like it can stand in for sockets and threads."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.waiting import until
from trader.access.alpaca.broker import AlpacaBroker
from trader.access.alpaca.connection import Endpoint
from trader.access.alpaca.line import STREAM, AlpacaLine, BrokerSettings
from trader.access.alpaca.stream_events import Event, Subscribed
from trader.books.ledger import Ledger
from trader.model.events import OrderCreated, SandboxOpened
from trader.model.inputs import Input, Reconciled
from trader.model.orders import Approved, OrderIntent, Reason, Side
from trader.model.time import SECOND

SETTINGS = BrokerSettings(
    trading_url="http://nowhere", updates_url="ws://nowhere", key_id="k", secret="hush", instruments={}
)


class Pretended:
    """An account in memory, that takes every order: requests, stream and line in one."""

    def __init__(self) -> None:
        self.rest = self
        self.endpoint = Endpoint("made up", "nowhere")
        self.sent: list[Any] = []
        self.is_closed = False
        self._ended = asyncio.Event()
        self._take: Callable[[Event], None] = lambda _: None

    async def get(self, path: str, params: Any = None) -> Any:
        return {"account_number": "PA1", "cash": "10"} if path == "/account" else []

    async def post(self, path: str, body: Any) -> Any:
        self.sent.append(body)
        return {"id": "v-1", "status": "new", "filled_qty": "0", **body}

    async def delete(self, path: str) -> Any:
        return None

    def close(self) -> None:
        self.is_closed = True

    def connect(self, take: Callable[[Event], None]) -> "Pretended":
        self._take = take
        return self

    async def run(self) -> None:
        self._take(Subscribed())
        await self._ended.wait()

    def stop(self) -> None:
        self._ended.set()


async def test_an_account_runs_behind_a_line_that_is_made_up() -> None:
    line, inputs = Pretended(), list[Input]()
    ledger = Ledger()
    ledger.apply(SandboxOpened(0, "one", Decimal(100)))
    broker = AlpacaBroker(SETTINGS, now=lambda: SECOND, deliver=inputs.append, ledger=ledger, line=line)
    found = await broker.start()
    assert (found.number, found.cash, found.positions) == ("PA1", Decimal(10), {})
    assert isinstance(inputs[-1], Reconciled)
    intent = OrderIntent("one", "SPY", Side.BUY, Decimal(3), Decimal(1), reduces=False, reason=Reason.SIGNAL, ts=SECOND)
    approved = Approved("t-1", intent)
    ledger.apply(OrderCreated(SECOND, approved))
    broker.submit(approved, Decimal(1))
    await until(lambda: line.sent)
    assert line.sent[0]["qty"] == "2", "less what was crossed"
    await broker.stop()
    assert line.is_closed


def test_settings_show_no_secret() -> None:
    assert "hush" not in repr(SETTINGS)


async def test_the_real_line_goes_where_the_settings_say() -> None:
    line = AlpacaLine(SETTINGS)
    assert line.rest.host == "nowhere"
    stream = line.connect(lambda _: None)
    assert (stream.endpoint.name, stream.endpoint.url, stream.endpoint.is_text) == (STREAM, "ws://nowhere", True)
    line.rest.close()
