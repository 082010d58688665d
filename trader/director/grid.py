"""The 1-minute UTC grid: which bars belong to the minute that is open, and when it closes."""

from collections.abc import Iterable
from enum import Enum

from trader.model.ticks import Bar
from trader.model.time import MINUTE, SECOND

# A minute closes this long after its end even if bars are missing: a symbol without a trade has no bar at all, and
# Alpaca's bars come about one second after the minute.
GRACE = 2 * SECOND

BAR_MINUTES = {"1Min": 1, "5Min": 5, "15Min": 15, "1Hour": 60, "1Day": 1440}


class Verdict(Enum):
    """What became of a bar that was offered to the grid."""

    TAKEN = "taken"
    EARLY = "early"  # it opens a later minute: close the open one first, then offer it again
    LATE = "late"  # its minute is closed
    TWICE = "a second bar for its minute"


TAKEN = Verdict.TAKEN  # looked at for every bar: until Python 3.12 a member costs more than the rest


class MinuteGrid:
    """Gathers the bars of one minute; ``expected`` bars close it at once, else :data:`GRACE` does."""

    __slots__ = ("_bars", "_expected", "closed", "ts")

    def __init__(self, expected: int) -> None:
        """Begin with no minute open and none closed."""
        self._expected = expected
        self._bars: dict[str, Bar] = {}
        self.ts = 0  # end of the open minute; 0 when none is open
        self.closed = 0  # end of the newest closed minute

    def add(self, bar: Bar) -> Verdict:
        """Take a bar into the open minute, or say why not."""
        if bar.ts != self.ts:
            if bar.ts <= self.closed or bar.ts < self.ts:
                return Verdict.LATE
            if self.ts:
                return Verdict.EARLY
            self.ts = bar.ts
        if bar.symbol in self._bars:
            return Verdict.TWICE
        self._bars[bar.symbol] = bar
        return TAKEN

    def replace(self, bar: Bar) -> bool:
        """Take a bar in the place of the one the open minute has of its symbol; say whether it had one."""
        has_it = bar.ts == self.ts and bar.symbol in self._bars
        if has_it:
            self._bars[bar.symbol] = bar
        return has_it

    @property
    def is_complete(self) -> bool:
        """Tell whether every subscribed symbol has its bar."""
        return len(self._bars) == self._expected

    def close(self) -> list[Bar]:
        """Close the open minute and return its bars by symbol, so that arrival order decides nothing."""
        bars = [self._bars[symbol] for symbol in sorted(self._bars)] if len(self._bars) > 1 else [*self._bars.values()]
        self.closed, self.ts = self.ts, 0
        self._bars = {}
        return bars


class BarBuilder:
    """Builds one symbol's bars of ``minutes`` length from its minute bars, on multiples since 1970 UTC.

    The minutes of the open and of the newest closed bar are kept, so that one of them can be revised.
    """

    __slots__ = ("_closed", "_minutes", "_span")

    def __init__(self, minutes: int) -> None:
        """Begin with no bar open."""
        self._span = minutes * MINUTE
        self._minutes: list[Bar] = []
        self._closed: list[Bar] = []

    def end_of(self, bar: Bar) -> int:
        """Return the end of the longer bar that this minute falls into."""
        return -(-bar.ts // self._span) * self._span

    def add(self, minute: Bar) -> int:
        """Take a minute into the open bar and return that bar's end."""
        end = self.end_of(minute)
        if self._minutes:
            opened = self.end_of(self._minutes[0])
            assert opened == end, f"{minute.symbol}: the bar ending {opened} was not closed before {end}"
        self._minutes.append(minute)
        return end

    def close(self) -> Bar:
        """Hand over the open bar."""
        assert self._minutes, "no bar is open"
        self._closed, self._minutes = self._minutes, []
        return self._merged()

    def revise(self, minute: Bar) -> Bar | None:
        """Replace a minute; return the closed bar that it changed, None when it was in the open one or in none."""
        if self._put(self._minutes, minute) or not self._put(self._closed, minute):
            return None
        return self._merged()

    def scale(self, ratio: float, until: int) -> Bar | None:
        """Show minutes that ended up to ``until`` as if every share had always been ``ratio`` shares.

        Returns the newest closed bar, built anew, if there is one.
        """
        self._minutes = [scaled(bar, ratio) if bar.ts <= until else bar for bar in self._minutes]
        self._closed = [scaled(bar, ratio) if bar.ts <= until else bar for bar in self._closed]
        return self._merged() if self._closed else None

    def _merged(self) -> Bar:
        bars = self._closed
        high, low, volume = bars[0].high, bars[0].low, 0.0
        for bar in bars:
            high, low, volume = max(high, bar.high), min(low, bar.low), volume + bar.volume
        return Bar(bars[0].symbol, self.end_of(bars[0]), bars[0].open, high, low, bars[-1].close, volume)

    @staticmethod
    def _put(bars: list[Bar], minute: Bar) -> bool:
        for place, bar in enumerate(bars):
            if bar.ts == minute.ts:
                bars[place] = minute
                return True
        return False


def scaled(bar: Bar, ratio: float) -> Bar:
    """Return ``bar`` as if every share had always been ``ratio`` shares."""
    prices = (bar.open / ratio, bar.high / ratio, bar.low / ratio, bar.close / ratio)
    return Bar(bar.symbol, bar.ts, *prices, bar.volume * ratio)


def next_close(minute: int, buckets: Iterable[int], grace: int) -> int | None:
    """Return when the grid wants to be woken: ``grace`` after the first open end, None when nothing is open."""
    ends = [end for end in (minute, *buckets) if end]
    return min(ends) + grace if ends else None
