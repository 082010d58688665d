"""One order on its way to the venue: sent once, asked about when in doubt, never sent under a second id.

    200                 told as open, unless the stream was faster
    Refused             REJECTED; a duplicate id means that it arrived: looked up. An exit that an open order blocks
                        (wash trade, shares held) is sent again when one of ours in that symbol has ended
    Unavailable         surely not there: sent again with the same id, for as long as the decision is fresh
    OutcomeUnknown      looked up by its id until an answer comes

"Not found" is believed after :data:`SETTLED` and :data:`NOT_FOUND` answers, because orders become visible late, and
when the lists of orders and a confirmed stream have nothing of it either. An exit is then sent again under the same id,
which the venue refuses should the first one still arrive (measured there: also after days). An entry is ABSENT: its
price is old, its id is never used again, and what was reserved for it stays so, for it may arrive all the same.
An order of an earlier life of this program whose outcome was not written down is in doubt from the start.
Source: Alpaca trading API 2.0.1; refusals as recorded by users, read 2026-11.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Final

import structlog

from trader.access.alpaca.limiter import Priority
from trader.access.alpaca.lookups import Lookups
from trader.access.alpaca.readings import order_in
from trader.access.alpaca.rest import Throttled
from trader.access.alpaca.tracked import OLD, Tracked
from trader.access.last_look import Look
from trader.errors import EdgeError, OutcomeUnknown, Refused, Unavailable, WireError
from trader.model.instruments import Instrument, instrument_of
from trader.model.money import NANO, ONE, floor_to, plain
from trader.model.orders import OrderStatus
from trader.model.time import DAY, MINUTE, SECOND

log = structlog.get_logger()

SETTLED: Final = 60 * SECOND  # market time after which an order that is not found is not there
SETTLED_REAL_S: Final = 5.0  # and real time, for what is still on the line, however fast the market's time runs
NOT_FOUND: Final = 3  # such answers at least
ENTRY_FRESH: Final = 30 * SECOND  # an entry that cannot be sent is dropped after this: its price is another then
EXIT_FRESH: Final = 10 * MINUTE  # an exit is worth waiting for
ARRIVES_WITHIN: Final = 2 * MINUTE  # after it was given up; what is on the line for longer is lost
UNBLOCKED: Final = 30 * SECOND  # how long an exit waits where no order of ours blocks it
FIRST_WAIT: Final = SECOND // 4
LONGEST_WAIT: Final = 15 * SECOND
_ABSENT = "the venue does not know it; it may still arrive"
_NOT_UNIQUE = "must be unique"
_BLOCKED = ("wash trade", "insufficient qty", "insufficient balance")


class Submission:
    """Sends orders and cancels of one account; every outcome goes where that of a lookup goes."""

    def __init__(
        self,
        lookups: Lookups,
        instruments: Mapping[str, Instrument],
        *,
        is_confirmed: Callable[[], bool],
        look: Look,
    ) -> None:
        """Send nothing yet; ``is_confirmed`` tells whether the stream misses nothing, ``look`` is the last one."""
        self.retried = 0
        self._calls = lookups.calls
        self._tracker = lookups.tracker
        self._lookups = lookups
        self._give = lookups.give
        self._is_confirmed = is_confirmed
        self._look = look
        self._instruments = instruments
        self._ended: dict[str, asyncio.Event] = {}  # by symbol: set when an order of ours in it ends
        self._unwanted: set[str] = set()  # ids of orders whose cancel was asked for
        self._doubted: dict[str, int] = {}  # since when an order may be on its way, whatever became of later tries

    async def send(self, tracked: Tracked) -> None:
        """Bring an order to the venue, or find out that it will not get there."""
        now = self._calls.now()
        since, wait = min(now, tracked.approved.intent.ts) if tracked.is_restored else now, FIRST_WAIT
        while tracked.is_awaited:
            if tracked.order_id in self._unwanted:
                self._call_off(tracked)
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
                self._doubted[tracked.order_id] = self._calls.now()
                await self.find(tracked)
            wait = min(2 * wait, LONGEST_WAIT)
        self._unwanted.discard(tracked.order_id)
        self._doubted.pop(tracked.order_id, None)

    async def resume(self, tracked: Tracked) -> None:
        """Find out what became of an order of an earlier life; an exit that never left is sent if it is not old."""
        self._doubted[tracked.order_id] = self._calls.now()
        if not await self.find(tracked):
            await self.send(tracked)

    async def cancel(self, tracked: Tracked) -> None:
        """Ask for an order's end until the venue has heard it, or the order has ended."""
        self._unwanted.add(tracked.order_id)
        wait = FIRST_WAIT
        while not tracked.is_over and not (tracked.venue_id and await self._is_heard(tracked)):
            await self._calls.pause(wait)
            wait = min(2 * wait, LONGEST_WAIT)
        self._unwanted.discard(tracked.order_id)

    async def find(self, tracked: Tracked) -> bool:
        """Look an order up until the venue has it or surely does not know it; an entry is told as absent then."""
        since, since_s = self._calls.now(), asyncio.get_running_loop().time()
        absent, wait = 0, FIRST_WAIT
        while tracked.is_awaited:
            await self._calls.pause(wait)
            wait = min(2 * wait, LONGEST_WAIT)
            try:
                absent += not await self._lookups.one(tracked)
                waited_s = asyncio.get_running_loop().time() - since_s
                is_late = self._calls.now() - since >= SETTLED and waited_s >= SETTLED_REAL_S
                if absent >= NOT_FOUND and is_late and self._is_confirmed() and not await self._is_listed(tracked):
                    break
            except EdgeError:
                continue
        if not tracked.is_awaited:
            return True
        log.warning("order.lost", order_id=tracked.order_id, looked_up=absent)
        if not tracked.approved.intent.reduces:
            self._give(self._tracker.absent(tracked.order_id, _ABSENT, self._calls.now()))
        return False

    async def _is_listed(self, tracked: Tracked) -> bool:
        """Look for an order among the open ones and the recent ones. Raises EdgeError."""
        await self._lookups.open(priority=Priority.LOOKUP)
        since = max(tracked.approved.intent.ts - OLD, self._calls.now() - DAY)
        await self._lookups.since(since, priority=Priority.LOOKUP)
        return not tracked.is_awaited

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
                await self._lookups.one(tracked)
        except (OutcomeUnknown, Unavailable) as error:
            log.warning("cancel.doubted", order_id=tracked.order_id, why=str(error)[:300])
            return False
        return True

    async def _post(self, tracked: Tracked, since: int) -> object:
        intent = tracked.approved.intent
        instrument = self._instruments.get(intent.symbol) or instrument_of(intent.symbol)
        # What is held may be a fraction of what is now traded whole: after a split, or a change of the settings.
        qty = floor_to(tracked.ordered, NANO if intent.reduces else _step(instrument))
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
        answer = await self._calls.post(
            "/orders", body, priority=priority, begin=lambda: self._begin(tracked, since, qty)
        )
        if not isinstance(answer, dict) or answer.get("client_order_id") != tracked.order_id:
            raise OutcomeUnknown("the answer is about no order of this id")
        return answer

    def _begin(self, tracked: Tracked, since: int, qty: Decimal) -> None:
        """Look once more before the order leaves: it waited for its turn. Raises Unavailable, or Refused."""
        if tracked.order_id in self._unwanted:
            raise Unavailable("canceled meanwhile")
        if self._calls.now() - since >= _fresh(tracked):
            raise Unavailable("its turn came too late")
        if why := self._look(tracked.approved, qty):
            raise Refused(0, 0, why)

    async def _take_no(self, tracked: Tracked, error: Refused, since: int) -> None:
        if _NOT_UNIQUE in error.message:
            log.warning("order.duplicated", order_id=tracked.order_id, why="it had arrived before")
            self._doubted[tracked.order_id] = self._calls.now()
            await self.find(tracked)
        elif tracked.approved.intent.reduces and any(words in error.message for words in _BLOCKED):
            await self._wait_for_end(tracked, error, since)
        elif self._may_arrive(tracked):
            log.warning("exit.postponed", order_id=tracked.order_id, why=error.message)
            await self._calls.pause(LONGEST_WAIT)
        else:
            self._reject(tracked, str(error))

    def _may_arrive(self, tracked: Tracked) -> bool:
        """Tell whether an exit that is refused now may be on its way all the same: no other one takes its place."""
        doubted = self._doubted.get(tracked.order_id)
        return doubted is not None and self._calls.now() - doubted < ARRIVES_WITHIN

    async def _wait_for_end(self, tracked: Tracked, error: Refused, since: int) -> None:
        """Wait until an order of ours in the symbol has ended, or a while; an exit is not dropped silently."""
        symbol = tracked.approved.intent.symbol
        blockers = [
            one.order_id
            for one in self._tracker.open()
            if one is not tracked and one.approved.intent.symbol == symbol and one.parts
        ]
        waited = self._calls.now() - since
        if waited >= (EXIT_FRESH if blockers else UNBLOCKED) and not self._may_arrive(tracked):
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
        if tracked.order_id in self._unwanted:
            return
        if self._calls.now() + wait - since >= _fresh(tracked):
            self._reject(tracked, f"not sent: {error}")
            return
        self.retried += 1
        log.warning("order.postponed", order_id=tracked.order_id, why=str(error)[:300])
        if not isinstance(error, Throttled):  # the limiter makes everybody wait then
            await self._calls.pause(wait)

    def _call_off(self, tracked: Tracked) -> None:
        """End an order that is not wanted any more and surely never left, or else wait for it without sending it."""
        order_id, now = tracked.order_id, self._calls.now()
        if order_id in self._doubted:
            self._give(self._tracker.absent(order_id, _ABSENT, now))
        else:
            self._give(self._tracker.refused(order_id, "before it was sent", now, OrderStatus.CANCELED))

    def _reject(self, tracked: Tracked, text: str) -> None:
        self._give(self._tracker.refused(tracked.order_id, text, self._calls.now()))


def _fresh(tracked: Tracked) -> int:
    return EXIT_FRESH if tracked.approved.intent.reduces else ENTRY_FRESH


def _step(instrument: Instrument) -> Decimal:
    """Return the smallest quantity that the venue takes: nine decimals where it takes fractions at all."""
    return ONE if instrument.qty_increment >= ONE else NANO
