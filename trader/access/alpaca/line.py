"""All of the account's side that does I/O, so that everything behind it can be run in a time and a world made up.

A :class:`Line` is requests and one stream of order updates. What is built on it (``broker``, ``submission``,
``restoring``, ``calls``) opens no socket, starts no thread and knows no time but that of its loop and the ``now`` it is
given.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec

from trader.access.alpaca.backoff import Backoff
from trader.access.alpaca.connection import Connection, Endpoint
from trader.access.alpaca.protocol_trading import TradingProtocol
from trader.access.alpaca.rest import Body, Params, RestDesk
from trader.access.alpaca.stream_events import Event
from trader.access.alpaca.wire_trading import Keys
from trader.access.fees import RegulatoryFees
from trader.access.last_look import WireLimits
from trader.model.instruments import Instrument

STREAM: Final = "order stream"


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the account is, and what is traded there.

    Addresses are without a path, but for the stream's; ``pace`` is market over real time. ``limits`` are those of the
    last look.
    """

    trading_url: str
    updates_url: str
    key_id: str
    secret: str
    instruments: Mapping[str, Instrument]
    pace: float = 1.0
    regulatory: RegulatoryFees = RegulatoryFees()
    limits: WireLimits = WireLimits()

    def __repr__(self) -> str:
        return f"BrokerSettings(trading_url={self.trading_url!r}, key_id={self.key_id!r}, secret=…)"


class Requests(Protocol):
    """Requests to an account; paths begin behind ``/v2``.

    All raise as :class:`~trader.access.alpaca.rest.RestDesk` does, with ``Throttled`` for one request too many.
    """

    async def get(self, path: str, params: Params | None = None) -> Any:  # noqa: ANN401 -- whatever JSON holds
        """Read ``path``."""

    async def post(self, path: str, body: Body) -> Any:  # noqa: ANN401
        """Send ``body``."""

    async def delete(self, path: str) -> Any:  # noqa: ANN401
        """Delete ``path``."""

    def close(self) -> None:
        """Let go of everything at once."""


class Updates(Protocol):
    """The account's stream; tells ``Subscribed``, ``Updated`` and ``ReconnectWanted`` to whoever made it."""

    @property
    def endpoint(self) -> Endpoint:
        """Return where it comes from, for people."""

    async def run(self) -> None:
        """Stay connected until :meth:`stop`. Raises EdgeError where that will not be had again."""

    def stop(self) -> None:
        """Let :meth:`run` return soon."""


class Line(Protocol):
    """One account's door to the world."""

    @property
    def rest(self) -> Requests:
        """Return what makes its requests."""

    def connect(self, take: Callable[[Event], None]) -> Updates:
        """Return its stream, not running yet; ``take`` gets every event on the loop's thread."""


class AlpacaLine:
    """The :class:`Line` to Alpaca, or to what speaks like it."""

    def __init__(self, settings: BrokerSettings) -> None:
        """Connect nothing yet."""
        self._settings = settings
        self.rest = RestDesk(settings.trading_url, settings.key_id, settings.secret)

    def connect(self, take: Callable[[Event], None]) -> Connection[TradingProtocol]:
        """Return the stream of order updates."""
        import numpy as np

        settings = self._settings
        keys = Keys(settings.key_id, settings.secret)
        endpoint = Endpoint(STREAM, settings.updates_url, is_text=True)
        backoff = Backoff(np.random.default_rng().random)
        return Connection(endpoint, lambda: TradingProtocol(keys), take, backoff=backoff, pace=settings.pace)
