"""Where fetched and live minute bars are joined, so that each is delivered once and in order. Pure.

Rules
- A symbol that is held back delivers no live bar: they wait here until what was missed before them is there. Several
  reasons may hold one symbol back; it is free when the last is gone.
- What was delivered is remembered for a while by its end. The same again is ignored; another bar for the same minute is
  a revision, because whatever came later knows more.
- A fetched bar that the stream did not bring is missed, and is told as such; when live bars that wait are older than a
  missed one they are told with it, so that time only runs forward. Those that waited for more than a minute are told
  like missed ones too: nobody decides on them any more.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

from trader.model.inputs import Backfilled, Input, Revised, Ticks
from trader.model.ticks import Bar, Tick
from trader.model.time import MINUTE

REMEMBERED: Final = 32  # bars of a symbol: half an hour, revisions come within a minute and overlaps are two

_by_time = attrgetter("ts", "symbol")


class Joint:
    """The bars of any number of symbols."""

    def __init__(self) -> None:
        """Remember nothing; every symbol is free."""
        self.counts: Counter[str] = Counter()  # duplicate, revised, late, lost: what was not as it should be
        self._seen: defaultdict[str, dict[int, Bar]] = defaultdict(dict)  # by end, oldest first
        self._newest: dict[str, int] = {}
        self._confirmed: dict[str, int] = {}
        self.held: Counter[str] = Counter()  # symbols that are held back, for how many reasons
        self._waiting: dict[str, dict[int, tuple[Bar, int]]] = {}  # by end, with the time they came

    def newest(self, symbol: str) -> int:
        """Return the end of the newest bar that was delivered, 0 before the first."""
        return self._newest.get(symbol, 0)

    def settled(self, symbol: str) -> int:
        """Return the end of the minute up to which nothing more can come: delivered, or not in history either."""
        return max(self._newest.get(symbol, 0), self._confirmed.get(symbol, 0))

    def confirm(self, symbols: Iterable[str], until: int) -> None:
        """Take note that history was asked for all bars up to ``until``."""
        for symbol in symbols:
            self._confirmed[symbol] = max(self._confirmed.get(symbol, 0), until)

    def seed(self, bars: Iterable[Bar]) -> None:
        """Take note of bars that are delivered by other means: history."""
        for bar in bars:
            self._remember(bar)

    def forget(self, symbols: Iterable[str]) -> None:
        """Forget all about symbols that are not wanted any more."""
        for symbol in symbols:
            for known in (self._seen, self._newest, self._confirmed, self._waiting, self.held):
                known.pop(symbol, None)

    def hold(self, symbols: Iterable[str]) -> None:
        """Hold symbols back for one more reason."""
        self.held.update(symbols)

    def waiting(self, symbol: str) -> list[int]:
        """Return the ends of a symbol's live bars that wait, oldest first."""
        return sorted(self._waiting.get(symbol, ()))

    def oldest_waiting(self, symbols: Iterable[str]) -> int | None:
        """Return the end of the oldest live bar that waits, of these symbols."""
        return min((end for symbol in symbols for end in self._waiting.get(symbol, ())), default=None)

    def release(self, symbols: Iterable[str], now: int) -> list[Input]:
        """Take one reason away; return what waited, of the symbols that are free now."""
        freed: list[Tick] = []
        revised: list[Bar] = []
        for symbol in symbols:
            self.held[symbol] -= 1
            if self.held[symbol] > 0:
                continue
            del self.held[symbol]
            for bar, _ in self._waiting.pop(symbol, {}).values():
                self._deliver(bar, freed, revised)
        freed.sort(key=_by_time)
        old = [bar for bar in freed if isinstance(bar, Bar) and bar.ts <= now - MINUTE]
        batches: list[Input] = [Backfilled(now, old)] if old else []
        batches += [Ticks(now, [*minute]) for _, minute in groupby(freed[len(old) :], attrgetter("ts"))]
        return batches + ([Revised(now, revised)] if revised else [])

    def live(self, bar: Bar, now: int, *, ticks: list[Tick], revised: list[Bar]) -> None:
        """Put a bar from the stream where it belongs: into one of the lists, among the waiting, or nowhere."""
        symbol, end = bar.symbol, bar.ts
        if symbol in self.held:
            self._waiting.setdefault(symbol, {})[end] = (bar, now)
        elif end > self._newest.get(symbol, 0):  # nearly always
            self._newest[symbol] = end
            ticks.append(bar)
            seen = self._seen[symbol]
            seen[end] = bar
            if len(seen) > REMEMBERED:
                del seen[next(iter(seen))]
        else:
            self._deliver(bar, ticks, revised)

    def fetched(self, bars: Mapping[str, Sequence[Bar]], *, asked_at: int, now: int) -> tuple[list[Input], int]:
        """Take bars from history, those of each symbol oldest first; return what to deliver, and how many were missed.

        Where a waiting bar came after ``asked_at``, it is the newer word about its minute.
        """
        missed: list[Bar] = []
        revised: list[Bar] = []
        for symbol, found in bars.items():
            missed += self._missed(symbol, found, asked_at, revised)
        missed.sort(key=_by_time)
        self.seed(missed)
        inputs: list[Input] = [Revised(now, revised)] if revised else []
        return inputs + ([Backfilled(now, missed)] if missed else []), len(missed)

    def _missed(self, symbol: str, found: Sequence[Bar], asked_at: int, revised: list[Bar]) -> list[Bar]:
        waiting, newest = self._waiting.get(symbol, {}), self._newest.get(symbol, 0)
        fresh: dict[int, Bar] = {}
        edge = 0  # the end of the newest bar that only history has
        for bar in found:
            if bar.ts <= newest:
                self._compare(bar, revised)
            elif bar.ts not in waiting:
                fresh[bar.ts], edge = bar, bar.ts
            elif waiting[bar.ts][1] < asked_at:
                waiting[bar.ts] = (bar, asked_at)
        for end in [end for end in waiting if newest < end < edge]:
            fresh[end] = waiting.pop(end)[0]
        return [*fresh.values()]

    def _compare(self, bar: Bar, revised: list[Bar]) -> None:
        """Judge a fetched bar of a time for which newer bars were delivered."""
        seen = self._seen[bar.symbol]
        known = seen.get(bar.ts)
        if known is not None and known != bar:
            seen[bar.ts] = bar
            self.counts["revised"] += 1
            revised.append(bar)
        elif known is None and bar.ts > next(iter(seen)):
            self.counts["lost"] += 1  # newer ones were decided upon: nothing is brought back

    def _deliver(self, bar: Bar, ticks: list[Tick], revised: list[Bar]) -> None:
        known = self._seen.get(bar.symbol, {}).get(bar.ts)
        if known == bar:
            self.counts["duplicate"] += 1
            return
        if known is None:
            if bar.ts <= self._newest.get(bar.symbol, 0):
                self.counts["late"] += 1
            ticks.append(bar)
        else:
            self.counts["revised"] += 1
            revised.append(bar)
        self._remember(bar)

    def _remember(self, bar: Bar) -> None:
        seen = self._seen[bar.symbol]
        seen[bar.ts] = bar
        if bar.ts > self._newest.get(bar.symbol, 0):
            self._newest[bar.symbol] = bar.ts
        else:  # the oldest stays first
            self._seen[bar.symbol] = seen = dict(sorted(seen.items()))
        if len(seen) > REMEMBERED:
            del seen[next(iter(seen))]
