"""One order on its way to the venue: sent once, asked about when in doubt, never sent under a second id.

    200                 told as open, unless the stream was faster
    Refused             REJECTED; a duplicate id means that it arrived: looked up. An exit that an open order blocks
                        (wash trade, shares held) is sent again when one of ours in that symbol has ended
    Unavailable         surely not there: sent again with the same id, for as long as the decision is fresh
    OutcomeUnknown      looked up by its id until an answer comes

"Not found" is believed after :data:`SETTLED` and :data:`NOT_FOUND` answers, because orders become visible late. An exit
is then sent again under the same id, which the venue refuses should the first one still arrive. An entry is given up as
REJECTED: its price is old; should it arrive after all, it is booked and canceled.
Source: Alpaca trading API 2.0.1; refusals as recorded by users, read 2026-11.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Final

import structlog

from trader.access.alpaca.calls import AccountCalls
from trader.access.alpaca.limiter import Priority
from trader.access.alpaca.readings import order_in
from trader.access.alpaca.rest import Throttled
from trader.access.alpaca.tracked import Tracked
from trader.access.alpaca.tracker import OrderTracker
from trader.access.alpaca.wire_time import ns_of
from trader.access.alpaca.wire_trading import OrderMessage
from trader.errors import OutcomeUnknown, Refused, Unavailable, WireError
from trader.model.instruments import Instrument, instrument_of
from trader.model.money import NANO, ONE, floor_to, plain
from trader.model.orders import ExecutionReport, OrderStatus
from trader.model.time import MINUTE, SECOND

log = structlog.get_logger()

Give = Callable[[list[ExecutionReport]], None]

SETTLED: Final = 60 * SECOND  # market time after which an order that is not found is not there
SETTLED_REAL_S: Final = 5.0  # and real time, for what is still on the line, however fast the market's time runs
NOT_FOUND: Final = 3  # such answers at least
ENTRY_FRESH: Final = 30 * SECOND  # an entry that cannot be sent is dropped after this: its price is another then
EXIT_FRESH: Final = 10 * MINUTE  # an exit is worth waiting for
UNBLOCKED: Final = 30 * SECOND  # how long an exit waits where no order of ours blocks it
OLD: Final = 10 * MINUTE  # an order made so long before it was decided is another; clocks differ by less
FIRST_WAIT: Final = SECOND // 4
LONGEST_WAIT: Final = 15 * SECOND
_FOUND_NOWHERE = 404
_NOT_UNIQUE = "must be unique"
_BLOCKED = ("wash trade", "insufficient qty", "insufficient balance")


class Submission:
    """Sends orders and cancels of one account; every outcome goes through ``give``."""

    def __init__(
        self,
        calls: AccountCalls,
        tracker: OrderTracker,
        *,
        give: Give,
        instruments: Mapping[str, Instrument],
    ) -> None:
        """Send nothing yet."""
        self.retried = 0
        self._calls = calls
        self._tracker = tracker
        self._give = give
        self._instruments = instruments
        self._ended: dict[str, asyncio.Event] = {}  # by symbol: set when an order of ours in it ends
        self._unwanted: set[str] = set()  # ids of orders whose cancel was asked for
        self._on_the_way: set[str] = set()  # ids of orders that were given to the line at least once

    async def send(self, tracked: Tracked) -> None:
        """Bring an order to the venue, or find out that it will not get there."""
        since, wait = self._calls.now(), FIRST_WAIT
        while not tracked.parts and not tracked.is_over:
            if tracked.order_id in self._unwanted and tracked.order_id not in self._on_the_way:
                canceled = OrderStatus.CANCELED
                self._give(self._tracker.refused(tracked.order_id, "before it was sent", self._calls.now(), canceled))
                break
            try:
                answer = await self._post(tracked, since)
                self._give(self._tracker.looked_up(order_in(answer), self._calls.now()))
            except Refused as error:
                await self._take_no(tracked, error, since)
            except Unavailable as error:
                await self._take_absence(tracked, error, since, wait=wait)
            except (OutcomeUnknown, WireError) as error:
                log.warning("order.doubted", order_id=tracked.order_id, why=str(error)[:300])
                await self.find(tracked)
            wait = min(2 * wait, LONGEST_WAIT)
        self._unwanted.discard(tracked.order_id)
        self._on_the_way.discard(tracked.order_id)

    async def cancel(self, tracked: Tracked) -> None:
        """Ask for an order's end until the venue has heard it, or the order has ended."""
        self._unwanted.add(tracked.order_id)
        wait = FIRST_WAIT
        while not tracked.is_over and not (tracked.venue_id and await self._is_heard(tracked)):
            await self._calls.pause(wait)
            wait = min(2 * wait, LONGEST_WAIT)
        self._unwanted.discard(tracked.order_id)

    async def look_up(self, tracked: Tracked) -> bool:
        """Read an order; return False where the venue does not know it, or gave no answer."""
        tracked.asked_at = self._calls.now()
        try:
            if tracked.venue_id:
                answer = await self._calls.get(f"/orders/{tracked.venue_id}", priority=Priority.LOOKUP)
            else:
                by_id = {"client_order_id": tracked.order_id}
                answer = await self._calls.get("/orders:by_client_order_id", by_id, priority=Priority.LOOKUP)
            order = order_in(answer)
        except (Refused, Unavailable, OutcomeUnknown, WireError) as error:
            log.debug("lookup.failed", order_id=tracked.order_id, why=str(error)[:300])
            if isinstance(error, Refused) and error.status == _FOUND_NOWHERE:
                return False
            raise Unavailable(str(error)) from error
        if tracked.parts or _is_meant(order, tracked):
            self._give(self._tracker.looked_up(order, self._calls.now()))
        else:
            log.error("order.mistaken", order_id=tracked.order_id, found=order.id, created_at=order.created_at)
            self._reject(tracked, "the account has an older order of this id")
        return True

    async def find(self, tracked: Tracked) -> bool:
        """Look an order up until the venue has it or it is surely not there; an absent entry is given up."""
        since, since_s = self._calls.now(), asyncio.get_running_loop().time()
        absent, wait = 0, FIRST_WAIT
        while not tracked.parts and not tracked.is_over:
            await self._calls.pause(wait)
            wait = min(2 * wait, LONGEST_WAIT)
            try:
                absent += not await self.look_up(tracked)
            except Unavailable:
                continue
            waited_s = asyncio.get_running_loop().time() - since_s
            if absent >= NOT_FOUND and self._calls.now() - since >= SETTLED and waited_s >= SETTLED_REAL_S:
                break
        if tracked.parts or tracked.is_over:
            return True
        log.warning("order.lost", order_id=tracked.order_id, looked_up=absent)
        if not tracked.approved.intent.reduces or tracked.order_id in self._unwanted:
            self._reject(tracked, "it never arrived at the venue")
        return False

    def note_end(self, symbol: str) -> None:
        """Wake the exits of a symbol: an order that may have blocked them has ended."""
        if (event := self._ended.pop(symbol, None)) is not None:
            event.set()

    async def _is_heard(self, tracked: Tracked) -> bool:
        """Ask once for an order's end; a venue that says no has heard it too, and the order tells why."""
        try:
            await self._calls.delete(f"/orders/{tracked.venue_id}")
        except Refused as error:
            log.info("cancel.refused", order_id=tracked.order_id, why=error.message)
            with suppress(Unavailable):
                await self.look_up(tracked)
        except (OutcomeUnknown, Unavailable) as error:
            log.warning("cancel.doubted", order_id=tracked.order_id, why=str(error)[:300])
            return False
        return True

    async def _post(self, tracked: Tracked, since: int) -> object:
        intent = tracked.approved.intent
        instrument = self._instruments.get(intent.symbol) or instrument_of(intent.symbol)
        qty = floor_to(tracked.ordered, _step(instrument))
        if not qty:
            raise Refused(0, 0, f"{plain(tracked.ordered)} {intent.symbol} is less than can be traded")
        body = {
            "symbol": intent.symbol,
            "side": intent.side.value,
            "type": "market",
            "time_in_force": "gtc" if instrument.asset_class == "crypto" else "day",
            "qty": plain(qty),
            "client_order_id": tracked.order_id,
        }
        priority = Priority.EXIT if intent.reduces else Priority.ENTRY
        answer = await self._calls.post("/orders", body, priority=priority, begin=lambda: self._begin(tracked, since))
        if not isinstance(answer, dict) or answer.get("client_order_id") != tracked.order_id:
            raise OutcomeUnknown("the answer is about no order of this id")
        return answer

    def _begin(self, tracked: Tracked, since: int) -> None:
        """Look once more before the order leaves: it waited for its turn."""
        if tracked.order_id in self._unwanted:
            raise Unavailable("canceled meanwhile")
        if self._calls.now() - since >= _fresh(tracked):
            raise Unavailable("its turn came too late")
        self._on_the_way.add(tracked.order_id)

    async def _take_no(self, tracked: Tracked, error: Refused, since: int) -> None:
        self._on_the_way.discard(tracked.order_id)
        if _NOT_UNIQUE in error.message:
            log.warning("order.duplicated", order_id=tracked.order_id, why="it had arrived before")
            self._on_the_way.add(tracked.order_id)
            await self.find(tracked)
        elif tracked.approved.intent.reduces and any(words in error.message for words in _BLOCKED):
            await self._wait_for_end(tracked, error, since)
        else:
            self._reject(tracked, str(error))

    async def _wait_for_end(self, tracked: Tracked, error: Refused, since: int) -> None:
        """Wait until an order of ours in the symbol has ended, or a while; an exit is not dropped silently."""
        symbol = tracked.approved.intent.symbol
        blockers = [
            one.order_id
            for one in self._tracker.open()
            if one is not tracked and one.approved.intent.symbol == symbol and one.parts
        ]
        if self._calls.now() - since >= (EXIT_FRESH if blockers else UNBLOCKED):
            log.error("exit.blocked", order_id=tracked.order_id, symbol=symbol, why=error.message, by=blockers)
            self._reject(tracked, str(error))
            return
        self.retried += 1
        log.warning("exit.postponed", order_id=tracked.order_id, symbol=symbol, why=error.message, by=blockers)
        event = self._ended.setdefault(symbol, asyncio.Event())
        waiting = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait({waiting}, timeout=LONGEST_WAIT / SECOND / self._calls.pace / (1 if blockers else 3))
        finally:
            waiting.cancel()

    async def _take_absence(self, tracked: Tracked, error: Unavailable, since: int, *, wait: int) -> None:
        """Try again while the decision is fresh: nothing was sent, or it was turned away for now."""
        self._on_the_way.discard(tracked.order_id)
        if tracked.order_id in self._unwanted:
            return
        if self._calls.now() + wait - since >= _fresh(tracked):
            self._reject(tracked, f"not sent: {error}")
            return
        self.retried += 1
        log.warning("order.postponed", order_id=tracked.order_id, why=str(error)[:300])
        if not isinstance(error, Throttled):  # the limiter makes everybody wait then
            await self._calls.pause(wait)

    def _reject(self, tracked: Tracked, text: str) -> None:
        self._give(self._tracker.refused(tracked.order_id, text, self._calls.now()))


def _is_meant(order: OrderMessage, tracked: Tracked) -> bool:
    """Tell whether an order that has our id is the one we mean, not one of an earlier life of these books."""
    intent = tracked.approved.intent
    try:
        is_old = order.created_at is not None and ns_of(order.created_at) < intent.ts - OLD
    except ValueError:
        is_old = False
    return not is_old and order.side in {intent.side.value, None}


def _fresh(tracked: Tracked) -> int:
    return EXIT_FRESH if tracked.approved.intent.reduces else ENTRY_FRESH


def _step(instrument: Instrument) -> Decimal:
    """Return the smallest quantity that the venue takes: nine decimals where it takes fractions at all."""
    return ONE if instrument.qty_increment >= ONE else NANO
