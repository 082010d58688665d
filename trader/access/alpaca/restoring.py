"""What the account says when it is asked: at the start, after every gap of the stream, and in case the stream is wrong.

At the start the account's figures and positions are read until two readings agree. After a gap, and the start follows
one: open orders, our own, the orders since, the executions and all other activities since. Every minute: what was
executed, and what else happened. Every half minute: open orders, positions and cash, for :mod:`comparing`. The tracker
counts nothing twice. All that is read up to a time is handed over before ``Reconciled`` says so; the next life of this
program begins there, with an overlap.

Fees of coins (CFEE, and FEE of a pair) are in the executions already: a position is net of them at once, and so is
what :mod:`~trader.access.fees` books; the account's rows of them, which come at the day's end, are only added up. So
are FEE of stocks where the settings have such fees. Source: Alpaca trading API 2.0.1, "Orders", "Account Activities",
"Positions"; "Crypto fees", read 2026-11.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from trader.access.alpaca.comparing import Reading
from trader.access.alpaca.executions import Fill
from trader.access.alpaca.line import BrokerSettings
from trader.access.alpaca.lookups import Lookups
from trader.access.alpaca.readings import Activity, account_in, activities_in, fills_in, last_id, positions_in
from trader.access.alpaca.symbols import CryptoPairs
from trader.access.alpaca.tracked import Tracked
from trader.access.fees import RegulatoryFees
from trader.books.ledger import Ledger
from trader.errors import ReconcileError, Unavailable, WireError
from trader.model.inputs import ActivityReported, Input, Reconciled, Split
from trader.model.money import EXACT, NANO, ZERO, floor_to, plain
from trader.model.orders import OrderStatus
from trader.model.time import DAY, MINUTE, SECOND, iso

log = structlog.get_logger()

OVERLAP: Final = 10 * MINUTE  # rows become visible late; what was seen before is known
START_OVERLAP: Final = DAY  # of orders, and of activities that have a day and no time
READINGS: Final = 5  # of an account at the start, at the most
SILENT: Final = 30 * SECOND  # an open order without news for so long is looked up
ABSENT_EVERY: Final = 5 * MINUTE  # one that the venue does not know; it may arrive for as long as its day lasts
SYNTHETIC_AFTER: Final = 30 * SECOND  # what is shown as filled and told by nobody for so long is booked without
PAGE: Final = 100  # rows of activities, the most that Alpaca gives
PAGES: Final = 100  # of one reading; more than 10,000 rows in a gap were not traded by this program
STRANGERS: Final = 20  # orders of other hands looked up in one reading of activities
TOLD_KEPT: Final = 10_000  # ids of activities that the books may not have yet


class Restoring:
    """Reads one account."""

    def __init__(
        self, lookups: Lookups, ledger: Ledger, *, settings: BrokerSettings, deliver: Callable[[Input], None]
    ) -> None:
        """Read nothing yet."""
        self.until = 0  # all up to here was handed over
        self.unbooked_fees = ZERO  # dollars in rows of fees that executions were booked with
        self._calls = lookups.calls
        self._tracker = lookups.tracker
        self._lookups = lookups
        self._ledger = ledger
        self._deliver = deliver
        self._pairs = CryptoPairs(symbol for symbol in settings.instruments if "/" in symbol)
        self._has_stock_fees = settings.regulatory != RegulatoryFees()
        self._since = 0  # before that everything is in the books' first figures
        self._has_caught_up = False
        self._told: dict[str, None] = {}

    async def begin(self) -> Reading:
        """Read the account until two readings agree.

        Raises:
            ReconcileError: the books are of another account.
            EdgeError: it cannot be read.
        """
        account, before = self._ledger.account, await self._read_twice()
        reading = before
        if account.number and before.number != account.number:
            raise ReconcileError(
                f"these books are of account {account.number} and the keys of account {before.number}: "
                "use the keys of that account, or another state folder"
            )
        for _ in range(READINGS - 1):
            reading = await self._read_twice()
            if (reading.positions, reading.cash) == (before.positions, before.cash):
                break
            before = reading
        else:
            if not account.book_id:
                raise Unavailable(
                    f"{READINGS} readings of the account differed from each other: "
                    "begin its books when nobody else is trading in it"
                )
            log.warning("account.moving", readings=READINGS)
        self._since, self.until = account.opened_at, account.reconciled_until
        if not account.book_id:
            self._since = self.until = reading.ts
            await self._skip_activities()
        return reading

    async def read(self) -> Reading:
        """Read positions and cash.

        Raises:
            EdgeError: they cannot be read, or contradict each other.
        """
        ts = self._calls.now()
        held = positions_in(await self._get("/positions", {}))
        figures = account_in(await self._get("/account", {}))
        if figures.invested and not held:
            raise WireError(f"no positions in an account that has invested {plain(figures.invested)}")
        positions = {self._pairs.slashed(symbol): qty for symbol, qty in held.items()}
        return Reading(ts, figures.number, figures.cash, positions)

    async def _read_twice(self) -> Reading:
        """Read the account; a fill between its positions and its figures contradicts them once, not twice."""
        try:
            return await self.read()
        except WireError:
            return await self.read()

    async def catch_up(self, lost_at: int) -> None:
        """Learn what happened since ``lost_at``, with overlap; the first time since the books end. Raises EdgeError."""
        began = self._calls.now()
        since = min(lost_at, self.until) - (OVERLAP if self._has_caught_up else START_OVERLAP)
        await self._lookups.since(max(self._since, since))
        await self._lookups.open()
        await self._look_up_those_before(began)
        await self._happened(began, START_OVERLAP if not self._has_caught_up else OVERLAP)
        self._has_caught_up = True

    async def sweep(self) -> None:
        """Do the minute's reading. Raises EdgeError."""
        began = self._calls.now()
        self._tracker.release()
        await self._look_up_those_before(began - SILENT)
        await self._happened(began, OVERLAP)

    async def explain(self) -> None:
        """Read what the tracker asks for: activities of orders that are not explained, orders not understood."""
        for tracked in self._tracker.wants_recovery(self._calls.now()):
            tracked.tries += 1
            if not tracked.parts:
                await self._lookups.one(tracked)
            since = max(self._since, tracked.approved.intent.ts) - OVERLAP
            rows = [row for part in tracked.parts for row in await self._fills_of(part.venue_id, since)]
            self._lookups.give(self._tracker.recovered(rows, self._calls.now(), since=since))
            self._make_up(tracked)
        for tracked in self._tracker.wants_lookup():
            await self._lookups.one(tracked)
            tracked.needs_lookup = False  # also where it is not found: it will be looked up when it is silent for long

    def _make_up(self, tracked: Tracked) -> None:
        """Book a stand-in for executions that were asked for, and that nobody tells."""
        if tracked.is_explained or tracked.doubted_since is None:
            return
        log.warning("order.unexplained", order_id=tracked.order_id, tries=tracked.tries)
        if self._calls.now() - tracked.doubted_since >= SYNTHETIC_AFTER:
            self._lookups.give(self._tracker.synthesize(tracked, self._calls.now()))

    async def _look_up_those_before(self, ts: int) -> None:
        """Look up one by one the orders that no list has shown since ``ts``; absent ones rarely."""
        for tracked in self._tracker.open():
            is_absent = tracked.status is OrderStatus.ABSENT
            if not tracked.is_awaited and tracked.asked_at < ts - (ABSENT_EVERY if is_absent else 0):
                await self._lookups.one(tracked)

    async def _happened(self, began: int, overlap: int) -> None:
        """Read executions and activities since the last such reading, and say that they are handed over."""
        since = max(self._since, self.until - OVERLAP)
        rows = fills_in(await self._activities("/FILL", since))
        await self._meet(rows)
        self._lookups.give(self._tracker.recovered(rows, self._calls.now(), since=since))
        since = max(self._since - START_OVERLAP, self.until - overlap)
        for activity in activities_in(await self._activities("", since), self._ledger.holdings()):
            self._tell(activity)
        self.until = max(self.until, began)
        self._deliver(Reconciled(self._calls.now(), self.until))

    async def _skip_activities(self) -> None:
        """Tell what happened before the books begin without its money, so that it is known for good."""
        for activity in activities_in(await self._activities("", self._since - START_OVERLAP), {}):
            self._told[activity.id] = None
            if not self._is_in_executions(activity):
                now, text = self._calls.now(), "before these books"
                self._deliver(ActivityReported(now, activity.id, activity.kind, "", ZERO, text))

    def _tell(self, activity: Activity) -> None:
        if activity.id in self._told or activity.id in self._ledger.account.activities:
            return
        self._told[activity.id] = None
        if len(self._told) > TOLD_KEPT:
            del self._told[next(iter(self._told))]
        now, symbol = self._calls.now(), self._pairs.slashed(activity.symbol)
        if activity.ratio is not None:
            log.warning("share.split", symbol=symbol, ratio=plain(floor_to(activity.ratio, NANO)))
            self._tracker.executed_at[symbol] = now
            self._deliver(Split(now, symbol, activity.ratio, activity.effective(now), activity.id))
        elif self._is_in_executions(activity):
            self.unbooked_fees = EXACT.add(self.unbooked_fees, activity.amount)
        else:
            whose = symbol if activity.is_for_holders else ""
            text = activity.text if whose else f"{symbol} {activity.text}".strip()
            self._deliver(ActivityReported(now, activity.id, activity.kind, whose, activity.amount, text))

    def _is_in_executions(self, activity: Activity) -> bool:
        """Tell whether a row is of a fee that executions were booked with."""
        is_coin = "/" in self._pairs.slashed(activity.symbol) or "coin" in activity.text.lower()
        return activity.kind == "CFEE" or (activity.kind == "FEE" and (is_coin or self._has_stock_fees))

    async def _meet(self, rows: Sequence[Fill]) -> None:
        """Look up the orders that nobody has heard of: only they say whether they are ours."""
        unknown = dict.fromkeys(row.venue_order_id for row in rows if not self._tracker.is_known(row.venue_order_id))
        for venue_id in list(unknown)[:STRANGERS]:
            await self._lookups.stranger(venue_id)

    async def _fills_of(self, venue_id: str, since: int) -> list[Fill]:
        raw = await self._activities("/FILL", since, order_id=venue_id)
        return [row for row in fills_in(raw) if row.venue_order_id == venue_id]

    async def _activities(self, kind: str, since: int, *, order_id: str = "") -> list[object]:
        """Read activities of one kind (all but executions, for none), oldest first, page by page."""
        query = {"after": iso(since), "direction": "asc", "page_size": str(PAGE)}
        if not kind:
            query["category"] = "non_trade_activity"
        if order_id:
            query["order_id"] = order_id
        rows: list[object] = []
        for _ in range(PAGES):
            page = await self._get(f"/account/activities{kind}", query)
            if not isinstance(page, list):
                raise WireError("activities that are no list", repr(page)[:200])
            rows += page
            if len(page) < PAGE or query.get("page_token") == last_id(page):
                break
            query["page_token"] = last_id(page)
        return rows

    async def _get(self, path: str, query: Mapping[str, str]) -> object:
        raw: object = await self._calls.get(path, query)
        return raw
