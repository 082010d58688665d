"""What every simulated feed keeps, checked for free: name how to make one in a fixture and subclass.

::

    @pytest.fixture
    def make_feed() -> MakeFeed:
        return lambda: SyntheticMarket(["SPY", "BTC/USD"], seed=1, start=...)

    class TestSyntheticMarket(FeedContract):
        pass

Each call of ``make_feed`` makes a fresh feed of the same settings, with at least two symbols and some bars before its
start.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, pairwise

from trader.access.ports import SimulatedFeed
from trader.model.inputs import Ticks
from trader.model.ticks import Bar
from trader.model.time import MINUTE

MakeFeed = Callable[[], SimulatedFeed]

BATCHES = 2000  # of an endless feed that a test reads
DEPTH = 30


class FeedContract:
    def test_history_comes_oldest_first_one_minute_a_batch(self, make_feed: MakeFeed) -> None:
        batches = list(make_feed().history(_depth(make_feed)))
        assert batches
        assert all(len({bar.ts for bar in batch}) == 1 for batch in batches)
        assert all(one[0].ts < following[0].ts for one, following in pairwise(batches))

    def test_history_ended_at_or_before_the_start(self, make_feed: MakeFeed) -> None:
        feed = make_feed()
        assert all(bar.ts <= feed.start for batch in feed.history(_depth(make_feed)) for bar in batch)

    def test_history_has_the_newest_bars_of_each_symbol(self, make_feed: MakeFeed) -> None:
        wanted, more = (dict.fromkeys(_symbols(make_feed), count) for count in (DEPTH, 3 * DEPTH))
        shallow, deep = _by_symbol(make_feed().history(wanted)), _by_symbol(make_feed().history(more))
        for symbol, bars in deep.items():
            asked = min(DEPTH, len(bars))
            assert shallow[symbol][-asked:] == bars[-asked:]

    def test_ticks_follow_the_start_in_time_order(self, make_feed: MakeFeed) -> None:
        feed = make_feed()
        times = [ticks.ts for ticks in _some(feed)]
        assert times[0] > feed.start
        assert all(one < following for one, following in pairwise(times))

    def test_ticks_of_a_batch_are_in_the_order_they_happened_and_none_is_later_than_it(
        self, make_feed: MakeFeed
    ) -> None:
        for batch in _some(make_feed()):
            times = [tick.ts for tick in batch.ticks]
            assert times == sorted(times)
            assert times[-1] == batch.ts

    def test_all_bars_of_one_minute_come_in_one_batch_by_symbol(self, make_feed: MakeFeed) -> None:
        batches = [*make_feed().history(_depth(make_feed)), *(_bars(ticks) for ticks in _some(make_feed()))]
        assert any(len(batch) > 1 for batch in batches)
        for batch in batches:
            symbols = [bar.symbol for bar in batch]
            assert symbols == sorted(set(symbols))
            assert len({bar.ts for bar in batch}) <= 1

    def test_bars_end_on_whole_minutes(self, make_feed: MakeFeed) -> None:
        assert all(bar.ts % MINUTE == 0 for bar in _all_bars(make_feed))

    def test_every_number_of_a_bar_is_finite_and_consistent(self, make_feed: MakeFeed) -> None:
        for bar in _all_bars(make_feed):
            assert all(map(math.isfinite, (bar.open, bar.high, bar.low, bar.close, bar.volume)))
            assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
            assert bar.volume >= 0

    def test_no_minute_of_a_symbol_comes_twice_from_history_to_ticks(self, make_feed: MakeFeed) -> None:
        counts = Counter((bar.symbol, bar.ts) for bar in _all_bars(make_feed))
        assert set(counts.values()) == {1}

    def test_ticks_begin_after_the_start_although_history_was_not_read(self, make_feed: MakeFeed) -> None:
        read, unread = make_feed(), make_feed()
        list(read.history(_depth(make_feed)))
        assert list(islice(_some(read), 50)) == list(islice(_some(unread), 50))

    def test_ticks_begin_after_the_start_although_history_was_left_half_read(self, make_feed: MakeFeed) -> None:
        feed, unread = make_feed(), make_feed()
        next(iter(feed.history(_depth(make_feed))))
        assert list(islice(_some(feed), 50)) == list(islice(_some(unread), 50))

    def test_equal_feeds_give_equal_runs(self, make_feed: MakeFeed) -> None:
        assert list(_all_bars(make_feed)) == list(_all_bars(make_feed))

    def test_description_is_one_line(self, make_feed: MakeFeed) -> None:
        description = make_feed().describe()
        assert description
        assert description.isprintable()


def _some(feed: SimulatedFeed) -> Iterator[Ticks]:
    return islice(feed.ticks(), BATCHES)


def _bars(ticks: Ticks) -> list[Bar]:
    return [tick for tick in ticks.ticks if isinstance(tick, Bar)]


def _symbols(make_feed: MakeFeed) -> set[str]:
    return {bar.symbol for ticks in _some(make_feed()) for bar in _bars(ticks)}


def _depth(make_feed: MakeFeed) -> dict[str, int]:
    return dict.fromkeys(_symbols(make_feed), DEPTH)


def _all_bars(make_feed: MakeFeed) -> Iterator[Bar]:
    feed = make_feed()
    for batch in feed.history(_depth(make_feed)):
        yield from batch
    for ticks in _some(feed):
        yield from _bars(ticks)


def _by_symbol(batches: Iterable[Iterable[Bar]]) -> dict[str, list[Bar]]:
    found: dict[str, list[Bar]] = {}
    for batch in batches:
        for bar in batch:
            found.setdefault(bar.symbol, []).append(bar)
    return found
