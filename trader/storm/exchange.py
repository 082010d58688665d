"""The venue of one run, and the network before it: requests and updates that are lost, late, doubled and out of order.

What the venue does is the pure one of ``access/sim``; what it answers is written by the local exchange's own handlers.
A request that is on its way arrives whatever becomes of the process that sent it.
"""

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, Protocol

from trader.access.alpaca.connection import Endpoint
from trader.access.alpaca.line import STREAM
from trader.access.alpaca.rest import Throttled
from trader.access.alpaca.stream_events import Event, ReconnectWanted, Subscribed, Updated
from trader.access.sim.accounts import Account, AccountRules, sum_of
from trader.access.sim.fills import VenueRules
from trader.access.sim.venue import Venue
from trader.access.sim.venue_orders import Refusal, TradeUpdate, VenueAsset
from trader.errors import OutcomeUnknown, Refused, Unavailable
from trader.exchange.request_log import RequestLog
from trader.exchange.rest_account import list_activities
from trader.exchange.rest_desk import Answer, Ask, TradingDesk
from trader.exchange.rest_faults import RestFaults
from trader.exchange.rest_orders import cancel, find, find_by_client_id, list_orders, place
from trader.exchange.shapes import update_message
from trader.model.calendar import Phase, StockCalendar
from trader.model.instruments import Instrument
from trader.model.money import EXACT, ZERO, plain
from trader.model.time import NEW_YORK, SECOND, midnight_after
from trader.storm.timeline import Timeline, VirtualLoop
from trader.storm.weather import Weather

ACCOUNT: Final = "STORM"
CASH: Final = Decimal(100_000)
DEADLINE_S: Final = 5.0  # of a request, as RestDesk has it
LATEST_S: Final = 120.0  # a request that is late arrives within this
OUTAGE_S: Final = (1.0, 20.0)  # between two connections of the stream
PINGED_S: Final = 30.0  # a line that is half-open is found out after this

_RTT_S = (0.01, 0.2)
_REASONS = ("account is not allowed to trade now", "asset is halted", "market is not open")


class Watcher(Protocol):
    """Who is shown what passes the network and what the venue does, as it happens."""

    def posted(self, body: Mapping[str, str]) -> None:
        """See an order leave the process."""

    def arrived(self, body: Mapping[str, str]) -> None:
        """See an order arrive at the venue."""

    def told(self, update: TradeUpdate) -> None:
        """See what happened to an order at the venue."""

    def look(self) -> None:
        """Look at what all of it has come to."""


class AlwaysOpen:
    """Sessions of a market that never closes; a day ends at midnight in New York."""

    def __init__(self) -> None:
        """Know no midnight yet."""
        self._midnight = 0

    def phase(self, now: int) -> Phase:
        """Return the core session."""
        return "core"

    def session_close(self, now: int, *, is_extended: bool) -> int:
        """Return the next midnight."""
        if now >= self._midnight:
            self._midnight = midnight_after(now, NEW_YORK)
        return self._midnight


class Exchange:
    """One account at a venue, as seen through a network that this run's weather is in."""

    def __init__(self, timeline: Timeline, weather: Weather, instruments: Mapping[str, Instrument], start: int) -> None:
        """Open the account."""
        self.timeline = timeline
        self.weather = weather
        self.start = start
        assets = {symbol: VenueAsset(instrument) for symbol, instrument in instruments.items()}
        latency = weather.pick((0, SECOND // 20, SECOND // 2))
        rules = VenueRules(latency_ns=latency)
        self.venue = Venue(assets, sessions=AlwaysOpen(), rules=rules, has_sizes=True)
        self.account: Account = self.venue.open_account(ACCOUNT, CASH, AccountRules())
        self.watcher: Watcher
        self.streams: list[Stream] = []
        self.on_way: dict[str, int] = {}  # how many requests for an order have not arrived, by client order id
        self.wrong = "", 0, 0  # how much more of a symbol the positions show than there is, and until when
        self.is_known = False  # there are books: before, nobody could tell a wrong answer from a right one
        self.last_arrival = 0  # of what is on its way: until then the weather is not over
        self._desk = TradingDesk(
            venue=self.venue,
            calendar=StockCalendar(),
            now=self.now,
            keys={},
            flush=self.flush,
            faults=RestFaults(),
            log=RequestLog(),
        )
        self._hidden: dict[str, int] = {}  # by order id at the venue: until when nobody finds it

    def now(self) -> int:
        """Return the venue's time (ns UTC)."""
        return self.start + self.timeline.now

    def flush(self) -> None:
        """Tell what the venue has done to the streams that listen."""
        updates = self.venue.updates()
        for update in updates:
            self.watcher.told(update)
            for stream in self.streams:
                stream.send(update)
        if updates:
            self.watcher.look()

    def latency(self) -> int:
        """Return how long a message travels (ns)."""
        return round(self.weather.uniform(*_RTT_S) / 2 * SECOND)

    def arrive(self, request: "_Request") -> None:
        """Take a request at the venue's door and let the answer travel back."""
        weather = self.weather
        self._note_way(request, -1)
        if weather.strikes("request.throttled"):
            answer: object = Throttled("HTTP 429 too many requests.")
        elif weather.strikes("request.failed"):
            answer = OutcomeUnknown("HTTP 500 internal server error")
        else:
            answer = self._answer(request)
            self.flush()
            if weather.strikes("answer.failed"):
                answer = OutcomeUnknown("HTTP 504 gateway time-out")
        if self.timeline.note is not None:
            self.timeline.note(f"answers {request.method} {request.path}: {str(answer)[:200]}")
        if not weather.strikes("answer.lost"):
            back = weather.seconds(0.5, 4.9) if weather.strikes("answer.slow") else self.latency()
            self.timeline.after(back, request.settle, answer)

    def send(self, request: "_Request", way: int) -> None:
        """Let a request travel for ``way`` ns."""
        self._note_way(request, 1)
        self.timeline.after(way, self.arrive, request)

    def _note_way(self, request: "_Request", change: int) -> None:
        if request.method == "POST":
            order_id = request.content["client_order_id"]
            left = self.on_way.pop(order_id, 0) + change
            if left:
                self.on_way[order_id] = left

    def _answer(self, request: "_Request") -> object:
        method, path, content = request.method, request.path, request.content
        if method == "POST":
            return self._place(content)
        if path == "/positions":
            return self._positions()
        found = self._handled(method, path, content)
        if isinstance(found, Refusal):
            return Refused(found.status, found.code, found.message)
        return self._as_it_lags(path, found.body)

    def _handled(self, method: str, path: str, content: Mapping[str, Any]) -> Answer | Refusal:
        desk, now = self._desk, self.now()
        if path == "/account/activities/FILL":
            return list_activities(desk, Ask(self.account, {"activity_type": "FILL"}, content, {}, now))
        if path == "/account/activities":
            return list_activities(desk, Ask(self.account, {}, content, {}, now))
        if path == "/account":
            return Answer(200, self._figures())
        if path == "/orders":
            return list_orders(desk, Ask(self.account, {}, content, {}, now))
        if path == "/orders:by_client_order_id":
            return self._seen(find_by_client_id(desk, Ask(self.account, {}, content, {}, now)))
        ask = Ask(self.account, {"order_id": path.rpartition("/")[2]}, content, {}, now)
        return cancel(desk, ask) if method == "DELETE" else self._seen(find(desk, ask))

    def _figures(self) -> dict[str, str]:
        """Return of an account's figures what is asked for: all of them take longer than the rest of the answer."""
        account = self.account
        values = [account.value(symbol) for symbol in account.positions]
        return {
            "account_number": ACCOUNT,
            "cash": plain(account.cash),
            "long_market_value": plain(sum_of([value for value in values if value > ZERO])),
            "short_market_value": plain(sum_of([value for value in values if value < ZERO])),
        }

    def _place(self, body: Mapping[str, Any]) -> object:
        self.watcher.arrived(body)
        if self.weather.strikes("order.refused"):
            return Refused(403, 40310000, self.weather.pick(_REASONS))
        placed = place(self._desk, Ask(self.account, {}, {}, body, self.now()))
        if isinstance(placed, Refusal):
            return Refused(placed.status, placed.code, placed.message)
        if self.weather.strikes("lookup.lagging"):
            self._hidden[placed.order_id] = self.now() + self.weather.seconds(0.2, 15.0)
        return placed.body

    def _seen(self, found: Answer | Refusal) -> Answer | Refusal:
        if isinstance(found, Answer) and self._hidden.get(found.order_id, 0) > self.now():
            return Refusal(404, 40410000, "order not found")
        return found

    def _positions(self) -> list[dict[str, str]]:
        self.venue.advance(self.now())
        if self.is_known and self.weather.strikes("positions.empty"):
            return []
        held = {symbol: position.qty for symbol, position in self.account.positions.items()}
        symbol, more, until = self.wrong
        if self.is_known and self.timeline.now < until:
            held[symbol] = EXACT.add(held.get(symbol, ZERO), Decimal(more))
        return [{"symbol": symbol.replace("/", ""), "qty": plain(qty)} for symbol, qty in held.items() if qty]

    def _as_it_lags(self, path: str, body: object) -> object:
        """Leave out of a list what is too new for it."""
        if not isinstance(body, list) or not body:
            return body
        now, hidden = self.now(), self._hidden
        if path == "/orders":
            body = [order for order in body if hidden.get(order["id"], 0) <= now]
        if self.weather.strikes("list.lagging"):
            body = body[: -1 - self.weather.below(2)]
        return body


class _Request:
    """One request on its way."""

    __slots__ = ("content", "future", "method", "path")

    def __init__(self, method: str, path: str, content: Mapping[str, Any], future: asyncio.Future[object]) -> None:
        self.method = method
        self.path = path
        self.content = content
        self.future = future

    def settle(self, answer: object) -> None:
        """Let whoever waits have the answer, if he still does."""
        if self.future.done():
            return
        if isinstance(answer, Exception):
            self.future.set_exception(answer)
        else:
            self.future.set_result(answer)


class StormLine:
    """One process's :class:`~trader.access.alpaca.line.Line` to the exchange; its own ``rest``."""

    def __init__(self, exchange: Exchange, loop: VirtualLoop) -> None:
        """Connect nothing yet."""
        self._exchange = exchange
        self._loop = loop

    @property
    def rest(self) -> "StormLine":
        """Return what makes the requests."""
        return self

    def connect(self, take: Callable[[Event], None]) -> "Stream":
        """Return the stream of order updates, not running yet."""
        return Stream(self._exchange, self._loop, take)

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401
        """Read ``path``."""
        return await self._ask("GET", path, params or {})

    async def post(self, path: str, body: Mapping[str, object]) -> Any:  # noqa: ANN401
        """Send ``body``."""
        return await self._ask("POST", path, body)

    async def delete(self, path: str) -> Any:  # noqa: ANN401
        """Delete ``path``."""
        return await self._ask("DELETE", path, {})

    def close(self) -> None:
        """Let go of everything."""

    async def _ask(self, method: str, path: str, content: Mapping[str, Any]) -> object:
        exchange, weather = self._exchange, self._exchange.weather
        if exchange.timeline.note is not None:
            exchange.timeline.note(f"asks {method} {path} {dict(content) if method == 'GET' else ''}")
        if method == "POST":
            exchange.watcher.posted(content)
        if weather.strikes("request.unreachable"):
            raise Unavailable("no connection")
        request = _Request(method, path, content, self._loop.create_future())
        given_up_s = DEADLINE_S
        if weather.strikes("request.lost"):
            given_up_s = weather.uniform(0.1, DEADLINE_S)  # cut, or silent
        else:
            way = exchange.latency()
            if weather.strikes("request.late"):
                way = weather.seconds(1.0, LATEST_S)
                exchange.last_arrival = max(exchange.last_arrival, exchange.timeline.now + way)
            exchange.send(request, way)
        timer = self._loop.call_later(given_up_s, request.settle, OutcomeUnknown(f"{method} {path}: no answer"))
        try:
            return await request.future
        finally:
            timer.cancel()


class Stream:
    """One process's stream of order updates."""

    def __init__(self, exchange: Exchange, loop: VirtualLoop, take: Callable[[Event], None]) -> None:
        """Connect nothing yet."""
        self.endpoint = Endpoint(STREAM, "storm")
        self._exchange = exchange
        self._loop = loop
        self._take = take
        self._end: asyncio.Future[str] | None = None
        self._is_stopped = self._is_mute = False
        self._newest = 0  # when the last update sent in order arrives

    async def run(self) -> None:
        """Stay connected until :meth:`stop`."""
        exchange, weather = self._exchange, self._exchange.weather
        while True:
            await asyncio.sleep(exchange.latency() / SECOND)
            if self._is_stopped:
                return
            if weather.strikes("stream.refused"):
                self._take(ReconnectWanted(0, "no connection"))
            else:
                self._end, self._is_mute = self._loop.create_future(), False
                exchange.streams.append(self)
                self._take(Subscribed())
                why = await self._end
                self._leave()
                self._take(ReconnectWanted(0, why))
            if not self._is_stopped:
                await asyncio.sleep(weather.uniform(*OUTAGE_S))

    def stop(self) -> None:
        """Let :meth:`run` return."""
        self._is_stopped = True
        self.drop("stopped")

    def drop(self, why: str) -> None:
        """Cut the connection."""
        if self._end is not None and not self._end.done():
            self._end.set_result(why)
        self._leave()

    def fall_silent(self) -> None:
        """Let the line be half-open: nothing comes any more, and that is found out later."""
        self._is_mute = True
        self._exchange.timeline.after(round(PINGED_S * SECOND), self._find_out, self._end)

    def _find_out(self, connection: asyncio.Future[str] | None) -> None:
        if connection is self._end:
            self.drop("no pong")

    def send(self, update: TradeUpdate) -> None:
        """Let an update travel, unless it is lost."""
        exchange, weather = self._exchange, self._exchange.weather
        if self._is_mute or weather.strikes("update.lost"):
            return
        event = Updated(update_message(update))
        if weather.strikes("update.late"):
            late = weather.seconds(0.5, 40.0)
            exchange.last_arrival = max(exchange.last_arrival, exchange.timeline.now + late)
            exchange.timeline.after(late, self._receive, event)
            return
        self._newest = max(self._newest, exchange.timeline.now + exchange.latency())
        for _ in range(2 if weather.strikes("update.doubled") else 1):
            exchange.timeline.at(self._newest, self._receive, event)

    def _receive(self, event: Updated) -> None:
        if not self._loop.is_dead and self in self._exchange.streams:
            self._take(event)

    def _leave(self) -> None:
        if self in self._exchange.streams:
            self._exchange.streams.remove(self)
