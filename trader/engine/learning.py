"""Bars that nobody decides on: history, what was missed, late or revised, and prices from before a split."""

from collections.abc import Mapping, Sequence

from trader.capital.dailies import FOLD_AFTER
from trader.engine.answers import failure_of
from trader.engine.desk import Desk
from trader.engine.market import Listing, Series
from trader.engine.minutes import RANK, Minutes
from trader.engine.restraints import Restraints
from trader.engine.sandbox import Moment
from trader.model.events import BarLate, BarRefused, BarRevised, BarsBackfilled, SandboxWarmed
from trader.model.inputs import Backfilled
from trader.model.orders import TradingState
from trader.model.ticks import Bar
from trader.model.time import MINUTE


class Learning:
    """Takes bars into marks, windows and memories."""

    def __init__(
        self, desk: Desk, listings: Mapping[str, Listing], minutes: Minutes, restraints: Restraints, moment: Moment
    ) -> None:
        """Work for ``desk``; ``moment`` is the time that strategies are told."""
        self._desk = desk
        self._listings = listings
        self._minutes = minutes
        self._restraints = restraints
        self._moment = moment

    def learn_minute(self, ts: int) -> None:
        """Close a minute of history: memory and marks, no decision."""
        minute = self._minutes.grid.ts
        for end in self._minutes.ends_before(minute):
            self.learn(self._minutes.close_built(end), ts)
        self.learn(self._minutes.close(is_guarded=False), ts)

    def learn(self, closed: Sequence[Series], ts: int) -> None:
        """Show closed bars to every listener in rank order, ignore the answers, and see who is warm by now."""
        for series in closed:
            self._moment.ts = max(self._moment.ts, series.bar.ts)
        for slot in sorted((slot for series in closed for slot in (*series.warm, *series.cold)), key=RANK):
            try:
                slot.on_bar(slot.series.bar, slot.context)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever a strategy raises is its own failure
                self._restraints.fail(slot, failure_of(error), ts=ts)
        for series in closed:
            self.promote(series, ts)

    def promote(self, series: Series, ts: int) -> None:
        """Let those decide from now on whose warm-up the newest bar has completed."""
        for slot in series.promote():
            slot.is_warm = True
            sandbox = slot.sandbox
            if not sandbox.has_failed and all(other.is_warm for other in sandbox.slots.values()):
                sandbox.is_warm = True
                if sandbox.trading_state is TradingState.ACTIVE:  # that it trades now is what the event says
                    self._desk.emit(SandboxWarmed(ts, sandbox.spec.name))

    def take_late(self, bar: Bar, ts: int) -> None:
        """Take a bar whose minute is closed.

        An exit that is due is asked for again all the same: where every bar is late it would wait for ever.
        """
        listing = self._listings[bar.symbol]
        if bar.ts <= listing.newest:
            self._desk.emit(BarRefused(ts, bar.symbol, bar.ts, "older than the newest bar"))
            return
        self._desk.emit(BarLate(ts, bar.symbol, bar.ts))
        self._catch_up(listing, bar, ts)
        for slot in listing.slots:
            if slot.unsettled and slot.held * slot.target <= 0 and slot.held:
                self._desk.work(slot, ts)

    def backfill(self, message: Backfilled) -> None:
        """Take missed bars as late ones, told once a symbol; longer bars that ended before one of them are closed."""
        taken: dict[str, list[int]] = {}
        for bar in message.bars:
            listing = self._listings[bar.symbol]
            if bar.ts <= listing.newest or bar.ts > message.ts + self._minutes.grace:
                self._desk.emit(BarRefused(message.ts, bar.symbol, bar.ts, "no bar that was missed"))
                continue
            for end in self._minutes.ends_before(bar.ts):
                self.learn(self._minutes.close_built(end), message.ts)
            self._catch_up(listing, bar, message.ts)
            taken.setdefault(bar.symbol, []).append(bar.ts)
        for symbol, ends in taken.items():
            self._desk.emit(BarsBackfilled(message.ts, symbol, len(ends), ends[-1]))

    def revise(self, bar: Bar, ts: int) -> None:
        """Put a bar in the place of the one it replaces; memories keep what they were shown."""
        listing = self._listings[bar.symbol]
        if self._minutes.grid.replace(bar):
            return
        found = [series.revise(bar) for series in listing.series]
        if bar.ts == listing.newest:
            listing.close = bar.close
            if listing.quoted <= bar.ts:
                listing.mark = bar.close
        self._desk.emit(BarRevised(ts, bar.symbol, bar.ts, any(found)))

    def _catch_up(self, listing: Listing, bar: Bar, ts: int) -> None:
        if bar.ts > listing.dailies.until + FOLD_AFTER:
            listing.end_days(bar.ts - MINUTE)
        self._minutes.guard(listing, bar, ts)
        mark, closed = listing.mark, list[Series]()
        self._minutes.absorb(listing, bar, closed)
        if listing.quoted > bar.ts:
            listing.mark = mark
        for end in self._minutes.ends_before(self._minutes.grid.closed + 1):
            closed += self._minutes.close_built(end)
        self.learn(closed, ts)
