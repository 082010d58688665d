"""What the account says when it is asked: after every gap of the stream, and every minute in case the stream is wrong.

After a gap: open orders, our own, the orders and the executions since the gap; the tracker counts nothing twice. Every
minute: open orders, those of ours that have been silent for long, executions and splits since the last such reading,
and positions, which are compared with what the desk expects. A difference that two readings agree on is told and not
mended: nobody here knows whose it is.
Source: Alpaca trading API 2.0.1, "Orders", "Account Activities", "Positions", read 2026-11.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import structlog

from trader.access.alpaca.calls import AccountCalls
from trader.access.alpaca.limiter import Priority
from trader.access.alpaca.readings import fills_in, last_id, order_in, orders_in, positions_in, splits_in
from trader.access.alpaca.submission import Give, Submission
from trader.access.alpaca.symbols import CryptoPairs
from trader.access.alpaca.tracker import Fill, OrderTracker
from trader.errors import Refused, WireError
from trader.model.inputs import Split
from trader.model.money import EXACT, NANO, ZERO, floor_to, multiply, plain
from trader.model.time import MINUTE, SECOND, iso

log = structlog.get_logger()

Expected = Callable[[], Mapping[str, Decimal]]

OVERLAP: Final = 10 * MINUTE  # rows become visible late; what was seen before is known
SILENT: Final = 30 * SECOND  # an open order without news for so long is looked up
AGREED: Final = 10 * SECOND  # two readings of positions at least so far apart are two
PAGE: Final = 100  # rows of activities, the most that Alpaca gives
ORDERS_PAGE: Final = 500  # the same for orders
PAGES: Final = 100  # of one reading; more than 10,000 rows in a gap were not traded by this program
STRANGERS: Final = 20  # orders of other hands looked up in one reading of activities


class Restoring:
    """Reads one account."""

    def __init__(
        self,
        calls: AccountCalls,
        tracker: OrderTracker,
        *,
        give: Give,
        submission: Submission,
        pairs: CryptoPairs,
        expected: Expected | None,
    ) -> None:
        """Read nothing yet."""
        self.drifted: dict[str, Decimal] = {}  # by symbol, as last confirmed
        self._calls = calls
        self._tracker = tracker
        self._give = give
        self._submission = submission
        self._pairs = pairs
        self._expected = expected
        self._since = calls.now()
        self._swept = self._since  # when a sweep last learned all there was
        self._before: dict[str, Decimal] = {}  # what the account held when we came
        self._doubts: dict[str, tuple[Decimal, int]] = {}
        self._splits: set[str] = set()

    async def begin(self) -> None:
        """Learn what the account holds before we trade. Raises EdgeError."""
        self._since = self._swept = self._calls.now()
        self._before = await self.positions()
        self._splits = {split.activity_id for split in splits_in(await self._activities("SPLIT", self._since), {})}
        if self._before:
            log.info("positions.found", held={symbol: plain(qty) for symbol, qty in self._before.items()})

    async def catch_up(self, lost_at: int) -> None:
        """Learn what happened since ``lost_at``, with overlap. Raises EdgeError."""
        began, since = self._calls.now(), max(self._since, lost_at - OVERLAP)
        await self._open_orders()
        await self._orders_since(since)
        await self._look_up_those_before(began)
        await self._executions_since(since)

    async def sweep(self) -> list[Split]:
        """Do the minute's reading; return the splits that are new. Raises EdgeError."""
        now = self._calls.now()
        await self._open_orders()  # also those of ours that were given up: they block others
        await self._look_up_those_before(now - SILENT)
        since = max(self._since, self._swept - OVERLAP)
        await self._executions_since(since)
        splits = await self._splits_since(since)
        self._swept = now
        if self._expected is not None:
            self._compare(await self.positions())
        return splits

    async def explain(self) -> None:
        """Read what the tracker asks for: activities of orders that are not explained, orders not understood."""
        for tracked in self._tracker.wants_recovery(self._calls.now()):
            tracked.tries += 1
            since = max(self._since, tracked.approved.intent.ts) - OVERLAP
            rows = [row for part in tracked.parts for row in await self._fills_of(part.venue_id, since)]
            self._give(self._tracker.recovered(rows, self._calls.now(), complete_for=tracked.order_id))
            if not tracked.is_explained:
                log.warning("order.unexplained", order_id=tracked.order_id, tries=tracked.tries)
        for tracked in self._tracker.wants_lookup():
            await self._submission.look_up(tracked)
            tracked.needs_lookup = False  # also where it is not found: it will be looked up when it is silent for long

    async def positions(self) -> dict[str, Decimal]:
        """Return the account's signed positions, in the desk's spelling. Raises EdgeError."""
        held = positions_in(await self._get("/positions", {}))
        return {self._pairs.slashed(symbol): qty for symbol, qty in held.items()}

    async def _open_orders(self) -> None:
        for order in orders_in(await self._get("/orders", {"status": "open", "limit": str(ORDERS_PAGE)})):
            self._give(self._tracker.looked_up(order, self._calls.now()))

    async def _look_up_those_before(self, ts: int) -> None:
        """Look up one by one the orders that no list has shown since ``ts``."""
        for tracked in self._tracker.open():
            if tracked.parts and tracked.asked_at < ts:
                await self._submission.look_up(tracked)

    async def _orders_since(self, since: int) -> None:
        after = iso(since)
        for _ in range(PAGES):
            query = {"status": "all", "after": after, "direction": "asc", "limit": str(ORDERS_PAGE)}
            orders = orders_in(await self._get("/orders", query))
            for order in orders:
                self._give(self._tracker.looked_up(order, self._calls.now()))
            if len(orders) < ORDERS_PAGE or orders[-1].submitted_at in {None, after}:
                return
            after = str(orders[-1].submitted_at)

    async def _executions_since(self, since: int) -> None:
        rows = fills_in(await self._activities("FILL", since))
        await self._meet(rows)
        self._give(self._tracker.recovered(rows, self._calls.now()))

    async def _meet(self, rows: Sequence[Fill]) -> None:
        """Look up the orders that nobody has heard of: only they say whether they are ours."""
        unknown = dict.fromkeys(row.venue_order_id for row in rows if not self._tracker.is_known(row.venue_order_id))
        for venue_id in list(unknown)[:STRANGERS]:
            try:
                order = order_in(await self._calls.get(f"/orders/{venue_id}", priority=Priority.LOOKUP))
            except (Refused, WireError) as error:
                log.warning("lookup.failed", order_id=venue_id, why=str(error)[:300])
                continue
            self._give(self._tracker.looked_up(order, self._calls.now()))

    async def _fills_of(self, venue_id: str, since: int) -> list[Fill]:
        raw = await self._activities("FILL", since, order_id=venue_id)
        return [row for row in fills_in(raw) if row.venue_order_id == venue_id]

    async def _activities(self, kind: str, since: int, *, order_id: str = "") -> list[object]:
        """Read activities of one kind, oldest first, page by page."""
        query = {"after": iso(since), "direction": "asc", "page_size": str(PAGE)}
        if order_id:
            query["order_id"] = order_id
        rows: list[object] = []
        for _ in range(PAGES):
            page = await self._get(f"/account/activities/{kind}", query)
            if not isinstance(page, list):
                raise WireError("activities that are no list", repr(page)[:200])
            rows += page
            if len(page) < PAGE or query.get("page_token") == last_id(page):
                break
            query["page_token"] = last_id(page)
        return rows

    async def _splits_since(self, since: int) -> list[Split]:
        rows = await self._activities("SPLIT", since)
        held = self._held()
        new = [split for split in splits_in(rows, held) if split.activity_id not in self._splits]
        told = []
        for split in new:
            symbol = self._pairs.slashed(split.symbol)
            self._splits.add(split.activity_id)
            log.warning("share.split", symbol=symbol, ratio=plain(floor_to(split.ratio, NANO)))
            if symbol in self._before:
                self._before[symbol] = floor_to(multiply(self._before[symbol], split.ratio), NANO)
            self._tracker.split(symbol, split.ratio)
            now = self._calls.now()
            told.append(Split(now, symbol, split.ratio, split.effective(now)))
        return told

    def _held(self) -> dict[str, Decimal]:
        """Return what the account should hold: what was there, what others did, what the desk knows of."""
        held = dict(self._before)
        for symbol, external in self._tracker.external.items():
            held[symbol] = EXACT.add(held.get(symbol, ZERO), external.qty)
        for symbol, qty in (self._expected() if self._expected is not None else {}).items():
            held[symbol] = EXACT.add(held.get(symbol, ZERO), qty)
        return held

    def _compare(self, found: Mapping[str, Decimal]) -> None:
        """Tell a difference that two readings agree on; where orders are open, there always is one."""
        now, held = self._calls.now(), self._held()
        moving = {tracked.approved.intent.symbol for tracked in self._tracker.open()}
        for symbol in sorted(held.keys() | found.keys()):
            difference = EXACT.subtract(found.get(symbol, ZERO), held.get(symbol, ZERO))
            if not difference or symbol in moving:
                self._doubts.pop(symbol, None)
                if not difference:
                    self.drifted.pop(symbol, None)
                continue
            before, since = self._doubts.get(symbol, (ZERO, now))
            if before != difference:
                self._doubts[symbol] = (difference, now)
            elif now - since >= AGREED and self.drifted.get(symbol) != difference:
                self.drifted[symbol] = difference
                log.error(
                    "account.drifted",
                    symbol=symbol,
                    held=plain(found.get(symbol, ZERO)),
                    expected=plain(held.get(symbol, ZERO)),
                    difference=plain(difference),
                )

    async def _get(self, path: str, query: Mapping[str, str]) -> object:
        raw: object = await self._calls.get(path, query)
        return raw
