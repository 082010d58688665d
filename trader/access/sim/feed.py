"""Replay of recorded minute bars: Parquet and CSV files merged in time order, rows that cannot be traded on left out.

A bar's time in a file is its *start*; the desk's bars carry their end. Every row of a wanted symbol is either delivered
or counted in :attr:`ReplayFeed.skipped` under the name of its reason:

=====================  ==================================================================================
bad_time               the time is absent or unreadable
off_minute             the time is not on a whole minute
not_a_number           a price or the volume is absent, text, NaN or infinite
price_not_positive     a price is zero or less
price_out_of_range     a price is under 1e-9 or over 1e9
negative_volume        the volume is below zero
high_below_low         the high is below the low
outside_range          the open or the close is outside low to high
duplicate              the symbol already has this minute; the first row, in the order of the files, wins
out_of_order           a row above it in its file, of the same symbol, is later
no_symbol              the symbol's cell is empty
too_many_cells         the CSV row has more cells than the header
=====================  ==================================================================================

*Why* a whole file can be refused although its rows could be skipped one by one: bars of another interval, or rows that
run from the newest to the oldest, are one mistake of a person, who wants to hear it once and at the start.
"""

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import chain
from pathlib import Path

import duckdb

from trader.access.sim.replay_files import files_of, reason_of
from trader.access.sim.replay_store import BarStore, Survey
from trader.errors import DataError, Problem
from trader.model.inputs import Ticks
from trader.model.ticks import Bar
from trader.model.time import DAY, HOUR, MINUTE, iso

# From so many different minutes on, rows that all fall on multiples of 2, 3 or 5 minutes are no minute bars: of thin
# minute bars that happens once in 2^29. Fewer minutes than a handful prove nothing.
_MANY_MINUTES = 30
_HANDFUL = 6
_SYMBOLS_SHOWN = 12
_SPANS = ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"))


class ReplayFeed:
    """A :class:`~trader.access.ports.SimulatedFeed` of recorded bars, for one pass: first history, then ticks.

    Without ``start`` there is no history and everything is ticks. ``missing`` are the wanted symbols that no file has.
    """

    def __init__(self, paths: Sequence[Path], symbols: Collection[str], *, start: int | None = None) -> None:
        """Read the wanted symbols' rows of all files into a sorted store, which spills to disk.

        Raises:
            DataError: a file is not minute bars, or nothing in them can be replayed.
        """
        self._files = files_of(paths)
        self._wanted = sorted(set(symbols))
        if not self._wanted:
            raise DataError("no symbol is wanted; name the symbols to replay")
        self._store = BarStore(self._wanted)
        self._minutes: Iterator[list[Bar]] = iter(())
        try:
            self._load()
            present = self._store.symbols()
            self.missing: Sequence[str] = tuple(symbol for symbol in self._wanted if symbol not in present)
            if not present:
                raise self._none_present()
            surveys = self._store.survey()
            self._check_files(surveys)
            self._skipped = self._store.refused()
            first = self._first_minute(has_steps_back=any(survey.has_steps_back for survey in surveys.values()))
            self._start = first[0].ts - MINUTE if start is None else start
            self._check_start()
        except duckdb.Error as error:
            self._store.close()
            raise DataError(f"the bars cannot be sorted: {reason_of(error)}; is the temporary folder full?") from error
        except BaseException:
            self._store.close()
            raise

    @property
    def start(self) -> int:
        """Return the market time from which :meth:`ticks` delivers: the one given, or the first bar's start."""
        return self._start

    @property
    def skipped(self) -> Mapping[str, int]:
        """Return how many rows were refused so far, by reason; duplicates and rows out of order show on the way."""
        return self._skipped

    def describe(self) -> str:
        """Return the files, how many symbols, and from when."""
        others = f" and {len(self._files) - 1} more" if len(self._files) > 1 else ""
        count = len(self._wanted) - len(self.missing)
        symbols = "1 symbol" if count == 1 else f"{count} symbols"
        return f"replay of {self._files[0].name}{others}, {symbols}, from {iso(self._start)}"

    def history(self, depth: Mapping[str, int]) -> Iterator[Sequence[Bar]]:
        """Yield every bar there is before :attr:`start`, oldest first, one minute a batch; ``depth`` is its minimum."""
        for bars in self._minutes:
            if bars[0].ts > self._start:
                self._minutes = chain([bars], self._minutes)
                return
            yield bars

    def ticks(self) -> Generator[Ticks, None, None]:
        """Yield the bars after :attr:`start`, one minute a batch, then let go of the data."""
        try:
            for bars in self._minutes:
                if bars[0].ts > self._start:
                    yield Ticks(bars[0].ts, bars)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the data; needed only when :meth:`ticks` was not read to its end or closed."""
        self._minutes = iter(())
        self._store.close()

    def _load(self) -> None:
        for number, path in enumerate(self._files):
            self._store.load(number, path)

    def _first_minute(self, *, has_steps_back: bool) -> list[Bar]:
        minutes = self._store.minutes(self._skipped, has_steps_back=has_steps_back)
        first = next(minutes, None)
        if first is None:
            reasons = ", ".join(f"{reason} {count}" for reason, count in self._skipped.items())
            raise DataError(f"no row can be used; refused were {reasons}", source=self._named_files())
        self._minutes = chain([first], minutes)
        return first

    def _check_start(self) -> None:
        end = self._store.last_start() + MINUTE
        if end <= self._start:
            message = f"{iso(self._start)} leaves nothing to replay: the last bar ends {iso(end)}; start earlier"
            raise DataError([Problem("start", message)], source=self._named_files())

    def _check_files(self, surveys: Mapping[int, Survey]) -> None:
        for number, survey in surveys.items():
            message = self._interval_message(number, survey)
            if not message and survey.minutes >= _HANDFUL and survey.is_backwards:
                message = "its rows run from the newest to the oldest; sort them by time, oldest first"
            if message:
                raise DataError(message, source=str(self._files[number]))

    def _interval_message(self, number: int, survey: Survey) -> str:
        """Say why a file cannot be minute bars; empty when it can."""
        if survey.rows >= _HANDFUL and survey.off_minute * 2 > survey.rows:
            found = iso(self._store.off_minute_start(number))
            return (
                f"its times are not on whole minutes: {survey.off_minute} of {survey.rows} rows, such as {found}; "
                "replay takes minute bars, stamped with their start"
            )
        few = _HANDFUL <= survey.minutes < _MANY_MINUTES
        if not few and not (survey.minutes >= _MANY_MINUTES and survey.is_sparse):
            return ""
        smallest, commonest = self._store.spacings(number)
        if smallest < (HOUR if few else 2 * MINUTE):
            return ""
        return (
            f"holds a bar every {_span(commonest)}, not every minute; replay takes minute bars, "
            'and the setting "bar" builds longer ones from them'
        )

    def _none_present(self) -> DataError:
        held = sorted({symbol for path in self._files for symbol in self._store.symbols_in(path, limit=200)})
        near = [match for symbol in self._wanted for match in get_close_matches(symbol, held, n=1)]
        shown = ", ".join(held[:_SYMBOLS_SHOWN]) + (" …" if len(held) > _SYMBOLS_SHOWN else "")
        wanted = ", ".join(self._wanted[:_SYMBOLS_SHOWN]) + (" …" if len(self._wanted) > _SYMBOLS_SHOWN else "")
        hint = f"; did you mean {near[0]!r}?" if near else "; name other symbols, or other files"
        return DataError(
            f"none of the wanted symbols is in the data: wanted {wanted}; found {shown or 'no rows'}{hint}",
            source=self._named_files(),
        )

    def _named_files(self) -> str:
        more = f" and {len(self._files) - 1} more" if len(self._files) > 1 else ""
        return f"{self._files[0]}{more}"


def _span(nanoseconds: int) -> str:
    """Name a spacing of whole minutes: day, 2 hours, 5 minutes."""
    unit, name = next((unit, name) for unit, name in _SPANS if nanoseconds % unit == 0)
    count = nanoseconds // unit
    return name if count == 1 else f"{count} {name}s"
