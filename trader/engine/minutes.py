"""Bars on their way into the windows: the open minute, the longer bars that are built of minutes, the ends of days."""

from collections.abc import Mapping
from operator import attrgetter

from trader.capital.dailies import FOLD_AFTER, day_end
from trader.director.grid import MinuteGrid, next_close
from trader.engine.desk import Desk
from trader.engine.market import Listing, Series
from trader.model.inputs import DailyBars
from trader.model.ticks import Bar
from trader.model.time import MINUTE

RANK = attrgetter("rank")


class Minutes:
    """Closes minutes, and the longer bars and days that end with them; decides nothing."""

    def __init__(self, desk: Desk, listings: Mapping[str, Listing], *, grace: int) -> None:
        """Begin with no minute open; ``grace`` (ns) is how long after its end one waits for bars that are missing."""
        self.grid = MinuteGrid(len(listings))
        self.building: dict[int, list[Series]] = {}  # end of the longer bars being built -> whose
        self.almanac = Almanac(listings)
        self.grace = grace
        self._desk = desk
        self._listings = listings

    def next_timer(self) -> int | None:
        """Return when (ns UTC) something is to be closed though bars are missing; None where nothing is open."""
        return next_close(self.grid.ts, self.building, self.grace)

    def close(self, *, is_guarded: bool) -> list[Series]:
        """Close the open minute; return the series it closed, those of a minute before the longer ones.

        ``is_guarded``: stops and targets are watched.
        """
        minute = self.grid.ts
        if minute > self.almanac.due:
            self.almanac.end(minute - MINUTE)
        closed: list[Series] = []
        for bar in self.grid.close():
            listing = self._listings[bar.symbol]
            if is_guarded and listing.guards:
                self.guard(listing, bar, minute)
            self.absorb(listing, bar, closed)
        if self.building:
            closed += self.close_built(minute)
        return closed

    def guard(self, listing: Listing, bar: Bar, ts: int) -> None:
        """End the positions whose stop or target a bar has touched."""
        high, low = bar.high, bar.low
        for slot in sorted((one for one in listing.guards if low <= one.floor or high >= one.ceiling), key=RANK):
            self._desk.protect(slot, (bar.open, high, low), ts=ts)

    def absorb(self, listing: Listing, bar: Bar, closed: list[Series]) -> None:
        """Take a minute bar into the mark and the windows; add the series it closed to ``closed``."""
        listing.before = listing.close
        listing.mark = listing.close = bar.close
        listing.newest = bar.ts
        for series in listing.series:
            if series.builder is None:
                series.close(bar)
                closed.append(series)
            elif series.builder.end_of(bar) > series.closed:
                end = series.builder.add(bar)
                building = self.building.setdefault(end, [])
                if series not in building:
                    building.append(series)

    def close_built(self, end: int) -> list[Series]:
        """Close the longer bars that end at ``end`` and return whose they are."""
        closed = self.building.pop(end, [])
        for series in closed:
            assert series.builder is not None, "only built series wait for their end"
            series.close(series.builder.close())
        return closed

    def ends_before(self, ts: int) -> list[int]:
        """Return when the longer bars end that are being built and end before ``ts``."""
        return sorted(end for end in self.building if end < ts)


class Almanac:
    """The days of all symbols: they end together, whoever trades first, so that returns of a day stand side by side."""

    __slots__ = ("_listings", "due")

    def __init__(self, listings: Mapping[str, Listing]) -> None:
        """Know no day yet."""
        self.due = 0  # before a minute that ends later, let days :meth:`end`
        self._listings = listings

    def end(self, ts: int) -> None:
        """Let every day be seen that has ended at ``ts``."""
        for listing in self._listings.values():
            listing.end_days(ts)
        zones = {listing.instrument.asset_class for listing in self._listings.values()}
        self.due = min(ts + FOLD_AFTER, *(day_end(ts, zone) for zone in zones))

    def give(self, message: DailyBars) -> None:
        """Let symbols have the days that are given; what minutes said of them before counts no more."""
        given: dict[str, list[Bar]] = {}
        for bar in message.bars:
            given.setdefault(bar.symbol, []).append(bar)
        for symbol, bars in given.items():
            self._listings[symbol].end_days(message.ts)
            self._listings[symbol].dailies.give(bars, message.ts)
