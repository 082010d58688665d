"""What every filter keeps, checked for free: name how to make one in a fixture and subclass :class:`FilterContract`.

::

    @pytest.fixture
    def make_filter() -> MakeFilter:
        return lambda: NightsFilter(hour=8)

    class TestNights(FilterContract):
        pass
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import nan

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from trader.director import Director, Filter, Link
from trader.director.modes import ExecutionMode, MarketView
from trader.errors import ModeError
from trader.model.orders import OrderIntent, Reason, Ruling, Urgency
from trader.model.time import HOUR
from trader.testing import START, GivenView, holding, opening

MakeFilter = Callable[[], Filter]

SYMBOLS = ("SPY", "QQQ", "BTC/USD")
STRATEGIES = ("one", "two")
DAYS = 60
few = settings(max_examples=12)  # a promise: every filter is tried in every way it has, so each is tried often


@st.composite
def openings(draw: st.DrawFn) -> list[OrderIntent]:
    """Draw up to six openings, at most one of each pair of strategy and symbol, as a step has them."""
    pairs = draw(st.lists(st.sampled_from([(a, b) for a in STRATEGIES for b in SYMBOLS]), max_size=6, unique=True))
    return [
        replace(
            opening(
                symbol,
                draw(st.integers(1, 100_000)) / 100 * (1 if symbol == "BTC/USD" else draw(st.sampled_from([1, -1]))),
                price=draw(st.integers(100, 100_000)) / 100,
                strategy=strategy,
            ),
            urgency=draw(st.sampled_from(Urgency)),
        )
        for strategy, symbol in pairs
    ]


@st.composite
def views(draw: st.DrawFn) -> GivenView:
    """Draw a portfolio, poor ones and such of which little is known included."""
    sizes = st.sampled_from([0.0, 0.01, 1.0])
    walks = {
        symbol: [100.0 + (byte % 16 - 8) * size for byte in draw(st.binary(max_size=DAYS))]
        for symbol, size in zip(SYMBOLS, draw(st.tuples(sizes, sizes, sizes)), strict=True)
    }
    held = draw(st.lists(st.sampled_from([(a, b) for a in STRATEGIES for b in SYMBOLS]), max_size=4, unique=True))
    prices = st.one_of(st.floats(0.01, 1e5), st.just(nan))
    holdings = [
        holding(symbol, draw(st.integers(-1000, 1000)) / 10, price=draw(prices), strategy=strategy)
        for strategy, symbol in held
    ]
    equity = draw(st.one_of(st.floats(-1e4, 1e7), st.just(nan)))
    stops = {name: draw(st.sampled_from([nan, 0.02])) for name in STRATEGIES}
    ts = START + draw(st.integers(0, 24 * 14)) * HOUR
    return GivenView(*holdings, equity=equity, ts=ts, days=walks, stops=stops)


class FilterContract:
    """The promises a filter makes to the desk; ``make_filter`` comes from the module that subclasses this."""

    @few
    @given(intents=openings(), view=views())
    def test_it_never_makes_an_intent_larger(
        self, make_filter: MakeFilter, intents: list[OrderIntent], view: GivenView
    ) -> None:
        for intent, ruling in zip(intents, judged(make_filter(), intents, view), strict=True):
            left = [intent.qty, *(trim.qty for trim in ruling.trims)]
            assert all(later < earlier for earlier, later in pairwise(left))
            if ruling.dropped is not None:
                assert ruling.dropped.qty == 0
            else:
                assert ruling.intent == replace(intent, qty=left[-1])
                assert left[-1] % view.instrument(intent.strategy, intent.symbol).qty_increment == 0

    @few
    @given(intents=openings(), view=views())
    def test_it_never_blocks_an_exit_unless_it_says_so(
        self, make_filter: MakeFilter, intents: list[OrderIntent], view: GivenView
    ) -> None:
        judge = make_filter()
        reason = Reason.STOP_LOSS if judge.judges_exits else Reason.SIGNAL  # what protects, no filter ever sees
        exits = [replace(intent, reduces=True, reason=reason) for intent in intents]
        assert judged(judge, exits, view) == [Ruling(intent) for intent in exits]

    @few
    @given(intents=openings(), view=views())
    def test_equal_desks_decide_equally_whatever_was_decided_before(
        self, make_filter: MakeFilter, intents: list[OrderIntent], view: GivenView
    ) -> None:
        judge = make_filter()
        judged(judge, intents[::-1], view)
        assert judged(judge, intents, view) == judged(make_filter(), intents, view)

    @few
    @given(intents=openings(), view=views())
    def test_what_is_equally_urgent_is_asked_for_in_the_order_it_came(
        self, make_filter: MakeFilter, intents: list[OrderIntent], view: GivenView
    ) -> None:
        rank = {urgency: number for number, urgency in enumerate(Urgency)}
        ranked = sorted(intents, key=lambda intent: rank[intent.urgency])
        found = dict(zip(map(key_of, ranked), judged(make_filter(), ranked, view), strict=True))
        assert judged(make_filter(), intents, view) == [found[key_of(intent)] for intent in intents]

    @few
    @given(intents=openings(), view=views())
    def test_it_does_not_fail(self, make_filter: MakeFilter, intents: list[OrderIntent], view: GivenView) -> None:
        for ruling in judged(make_filter(), intents, view):
            assert ruling.dropped is None or ruling.dropped.limit != "a filter that works", ruling.dropped.value

    @few
    @given(intents=openings(), view=views())
    def test_it_asks_for_the_portfolio_only_if_it_says_so(
        self, make_filter: MakeFilter, intents: list[OrderIntent], view: GivenView
    ) -> None:
        judge = make_filter()
        if judge.needs_portfolio:
            return
        apart = Director([Link("filter", judge)], mode=ExecutionMode.PARALLEL)
        assert apart.judge(intents, view) == judged(judge, intents, view)
        assert not asks_for_the_portfolio(judge, intents, view)


def judged(judge: Filter, intents: Sequence[OrderIntent], view: GivenView) -> list[Ruling]:
    return Director([Link("filter", judge)]).judge(intents, view)


def key_of(intent: OrderIntent) -> tuple[str, str]:
    return intent.strategy, intent.symbol


def asks_for_the_portfolio(judge: Filter, intents: Sequence[OrderIntent], view: GivenView) -> bool:
    try:
        for intent in intents:
            judge.apply(intent, MarketView(view))
    except ModeError:
        return True
    return False
