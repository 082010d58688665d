"""One market's data socket and all that keeps it honest: subscription, limits, silence, holes.

Silence. A quiet subscription is legal: nobody may trade a thin share for minutes. So silence counts only while the
market is in its core session (coins: always), and only beyond what the history before it shows as usual. The remedies:
subscribe once more; then connect anew, each time with an alarm. From the first of them on no entry leaves until data
come again and what was missed is there. One symbol that is silent while its siblings talk is told.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Final

import structlog

from trader.access.alpaca.backoff import Backoff
from trader.access.alpaca.connection import Connection, Endpoint
from trader.access.alpaca.mending import Mender, Surroundings
from trader.access.alpaca.protocol import DataProtocol
from trader.access.alpaca.stream_events import (
    Data,
    Event,
    Muted,
    Postponed,
    ReconnectWanted,
    Subscribed,
    SubscriptionDiffers,
    SubscriptionRefused,
)
from trader.access.alpaca.wants import Market, Wants
from trader.access.alpaca.wire import MSGPACK
from trader.access.alpaca.wire_data import Auth, Channel
from trader.errors import Unavailable
from trader.model.inputs import Held, Released
from trader.model.ticks import Bar
from trader.model.time import MINUTE, SECOND

log = structlog.get_logger()

LOOKED_AT_EVERY_S: Final = 1.0  # market time; how often silence is judged
SHORTEST_LOOK_S: Final = 0.05  # real time; an accelerated market is not worth more of our own
MUTE_AFTER: Final = 90 * SECOND  # at the least: a minute without a bar may be a minute without a trade
LONGEST_MUTE_AFTER: Final = 30 * MINUTE
SYMBOL_MUTE_AFTER: Final = 10 * MINUTE  # at the least
TIMES_USUAL: Final = 3  # how much longer than the longest silence before a silence has to be
SYMBOL_TIMES_USUAL: Final = 10  # the same for one symbol, over its median silence
OCCUPIED_FOR_S: Final = 120.0  # market time; the place of a program that died becomes free after 90 s
SHORTEST_OCCUPIED_S: Final = 5.0  # real time; keys are shown again after waits of the network's
JUDGED: Final = 120  # newest minutes of history that say what is usual
STEADY: Final = 0.9  # of a symbol's minutes follow one upon the other: a minute left out is then worth a question

_LIMIT = 405
_NO_SUCH_CHANNEL = 410


class Occupied(Unavailable):
    """The account's one place on a stream is another program's."""

    def __init__(self, stream: str, waited_s: float) -> None:
        """Say what to do about it."""
        super().__init__(
            f"{stream}: another program with these keys still holds the account's place on it after {waited_s:g} s, and"
            " Alpaca gives each account one. Stop that program (is `trader run` open elsewhere?), then start"
            " again; or give this one the keys of another account"
        )


class MarketStream:
    """The stream of stocks or of coins."""

    def __init__(
        self,
        market: Market,
        endpoint: Endpoint,
        auth: Auth,
        *,
        wants: Wants,
        around: Surroundings,
        draw: Callable[[], float],
    ) -> None:
        """Connect nothing yet; ``draw`` gives chance (0 to 1) to the back-off."""
        self.name = endpoint.name
        self.market: Market = market
        self._auth = auth
        self._wants = wants
        self._around = around
        self.mender = Mender(self.name, self._symbols, around)
        self.connection = Connection(endpoint, self._protocol, self._take, backoff=Backoff(draw), pace=around.pace)
        self.last_data = 0  # when data came last (market time)
        self._is_subscribed = asyncio.Event()
        self._is_started = False
        self._is_occupied = False  # another program holds the account's place
        self._occupied_for_s = max(OCCUPIED_FOR_S / around.pace, SHORTEST_OCCUPIED_S)
        self._patience: asyncio.Timeout | None = None  # of the start
        self._is_mute = False
        self._heard = 0  # when data came last, or could first have come (market time)
        self._mute_after = MUTE_AFTER
        self._usual: dict[str, int] = {}  # median time between two bars of a symbol
        self._mute_symbols: set[str] = set()
        self._open_since = 0  # when the session that runs was first seen (market time)
        self._last_why = "nothing came yet"
        self._refused: set[str] = set()  # symbols that the server does not take
        self._is_limited = False
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def is_subscribed(self) -> bool:
        """Tell whether data may come."""
        return self._is_subscribed.is_set()

    async def start(self, within_s: float) -> None:
        """Connect and subscribe; report what does not fit into the plan.

        Raises:
            StreamRefused: the server refuses for good.
            Occupied: another program keeps the account's place for longer than a dead one could.
            Unavailable: there is no subscription after ``within_s`` (real time).
        """
        self._tell_limits()
        connecting = asyncio.create_task(self.connection.run(), name=f"{self.name} connection")
        self._tasks.append(connecting)
        subscribing = asyncio.create_task(self._is_subscribed.wait())
        try:
            async with asyncio.timeout(within_s) as self._patience:
                await asyncio.wait([connecting, subscribing], return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            pass  # what is missing is told below
        finally:
            subscribing.cancel()
        if connecting.done():
            await connecting
        if not self.is_subscribed:
            if self._is_occupied:
                raise Occupied(self.name, self._occupied_for_s)
            raise Unavailable(f"{self.name}: no subscription within {within_s:g} s; {self._last_why}")
        self._is_started = True
        connecting.add_done_callback(self._ended)
        watching = asyncio.create_task(self._watch(), name=f"{self.name} watch")
        watching.add_done_callback(self._ended)
        self._tasks.append(watching)

    async def stop(self) -> None:
        """Say goodbye and end everything."""
        self.connection.stop()
        for task in self._tasks[1:]:
            task.cancel()
        await self.mender.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def learn(self, history: Mapping[str, Sequence[int]], covered: int) -> None:
        """Take the newest ends of bars of each symbol as what is usual; ``covered`` is the end of the last minute."""
        self.mender.covered = covered
        for symbol, ends in history.items():
            silences = [b - a for a, b in pairwise(ends)]
            if silences:
                self._usual[symbol] = round(median(silences))
                if silences.count(MINUTE) >= STEADY * len(silences):
                    self._around.inlet.steady.add(symbol)
        every = sorted({end for ends in history.values() for end in ends})[-JUDGED:]
        gaps = [b - a for a, b in pairwise(every) if b - a <= LONGEST_MUTE_AFTER]
        self._mute_after = min(max(MUTE_AFTER, TIMES_USUAL * max(gaps, default=0)), LONGEST_MUTE_AFTER)

    def change(self) -> None:
        """Subscribe to what is wanted now."""
        self._tell_limits()
        self.connection.ask(lambda protocol, now: protocol.want(self._wants.entries(self.market), now))

    def on_bar(self, bar: Bar) -> None:
        """Pass on that a live bar waits."""
        self.mender.on_waiting_bar(bar)

    # --- what the connection tells ----------------------------------------------------------------------------------

    def _protocol(self) -> DataProtocol:
        protocol = DataProtocol(MSGPACK, self._auth, mute_after=round(MUTE_AFTER / self._around.pace))
        protocol.want(self._wants.entries(self.market), 0)
        return protocol

    def _take(self, event: Event) -> None:
        if isinstance(event, Data):
            self._around.inlet.put(event.messages)
            self.last_data = self._heard = self._around.now()
            if self._is_mute:
                self._is_mute = False
                self.mender.mute(is_mute=False)
            self._around.ring()
            return
        match event:
            case Subscribed():
                self._on_subscribed(event)
            case ReconnectWanted():
                self._last_why = event.text or f"code {event.code}"
                self._is_subscribed.clear()
                if self._is_started:
                    self.mender.lost(event.text)
            case Postponed():
                self._on_postponed()
            case SubscriptionRefused():
                self._on_refused(event)
            case SubscriptionDiffers():
                missing = sorted(f"{channel} {symbol}" for channel, symbol in event.missing)
                log.error("subscription.differed", stream=self.name, missing=missing, extra=len(event.extra))
            case Muted():
                self._on_muted()

    def _on_postponed(self) -> None:
        if self._is_occupied:
            return
        self._is_occupied = True
        if self._is_started or self._patience is None:
            log.warning("stream.occupied", stream=self.name, why=_OCCUPIED)
            return
        # It is known now what is wrong, so that it is also known how long waiting may help.
        self._patience.reschedule(asyncio.get_running_loop().time() + self._occupied_for_s)
        log.warning("stream.occupied", stream=self.name, why=_OCCUPIED, waiting_s=round(self._occupied_for_s))

    def _on_subscribed(self, event: Subscribed) -> None:
        self._is_subscribed.set()
        self._is_occupied = False
        self._heard = max(self._heard, self._around.now())
        symbols = len({symbol for _, symbol in event.active})
        channels = sorted({str(channel) for channel, _ in event.active})
        log.info("feed.subscribed", stream=self.name, symbols=symbols, channels=" ".join(channels))
        self.mender.subscribed()

    def _on_refused(self, event: SubscriptionRefused) -> None:
        log.error("subscription.refused", stream=self.name, code=event.code, why=event.text, asked=len(event.asked))
        if event.code == _NO_SUCH_CHANNEL:
            self._wants.drop(self.market, {channel for channel, _ in event.asked} - {Channel.BARS})
        elif event.code != _LIMIT or not self._wants.shrink(self.market):
            self._refused |= {symbol for _, symbol in event.asked}
            cause, symbols = f"{self.name} subscription", tuple(sorted(self._refused))
            self._around.push(Held(self._around.now(), cause, symbols, event.text or "refused"))
            return
        self.change()

    def _on_muted(self) -> None:
        now = self._around.now()
        silence = now - self._heard
        if silence < self._mute_after or not self._is_open(now):
            return
        if not self._is_mute:
            self._is_mute = True
            log.warning("feed.muted", stream=self.name, silent_s=silence // SECOND, remedy="subscribe again")
            self.mender.mute(is_mute=True)
            self.mender.lost("connected, but nothing comes")
            self.connection.ask(DataProtocol.resubscribe)
        else:
            log.error("feed.muted", stream=self.name, silent_s=silence // SECOND, remedy="connect again")
            self.connection.reconnect("connected, but nothing comes")

    # --- silence ----------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        was_open = False
        while True:
            now = self._around.now()
            is_open = self._is_open(now)
            if is_open and not was_open:
                self._heard = max(self._heard, now)  # nothing was owed before
                self._open_since = now
            was_open = is_open
            self.connection.ask(partial(DataProtocol.expect_traffic, is_expected=is_open))
            if is_open and self.is_subscribed:
                self._watch_symbols(now)
            await asyncio.sleep(max(LOOKED_AT_EVERY_S / self._around.pace, SHORTEST_LOOK_S))

    def _is_open(self, now: int) -> bool:
        return self.market == "crypto" or self._around.calendar.is_open(now)

    def _watch_symbols(self, now: int) -> None:
        newest = {symbol: self._around.inlet.joint.newest(symbol) for symbol in self._symbols()}
        if now - max(newest.values(), default=0) > 2 * MINUTE:
            return  # all are silent: that is the stream's matter
        for symbol, end in newest.items():
            allowed = max(SYMBOL_MUTE_AFTER, SYMBOL_TIMES_USUAL * self._usual.get(symbol, 0))
            silent = now - max(end, self._open_since)
            if silent <= allowed:
                self._mute_symbols.discard(symbol)
            elif symbol not in self._mute_symbols and end:
                self._mute_symbols.add(symbol)
                log.warning("symbol.muted", stream=self.name, symbol=symbol, silent_s=silent // SECOND)

    # --- limits and ends --------------------------------------------------------------------------------------------

    def _tell_limits(self) -> None:
        out, cause = self._wants.left_out(self.market), f"{self.name} limit"
        for strategy, symbols in out.items():
            log.error("symbols.refused", stream=self.name, strategy=strategy, symbols=" ".join(symbols), why=_NO_ROOM)
        if out:
            symbols = tuple(sorted({symbol for left in out.values() for symbol in left}))
            self._around.push(Held(self._around.now(), cause, symbols, _NO_ROOM))
        elif self._is_limited:
            self._around.push(Released(self._around.now(), cause))
        self._is_limited = bool(out)

    def _symbols(self) -> tuple[str, ...]:
        return self._wants.symbols(self.market)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._around.fail(error)


_OCCUPIED = (
    "another program with these keys holds the account's place; stop it, or wait: one that died loses it after 90 s"
)
_NO_ROOM = "more symbols than the data plan allows; trade fewer, or take a larger plan"
