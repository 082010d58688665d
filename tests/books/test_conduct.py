"""Counters of conduct: what was sent, refused, won and lost, counted anew from all events, and after any restart."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.books.book import State
from trader.books.conduct import MESSAGES_KEPT, waits_for_a_person
from trader.books.ledger import Ledger
from trader.model.conduct import GIVEN_UP, LAST_LOOK, Override, StrategyTally
from trader.model.events import (
    BooksOpened,
    DayStarted,
    Event,
    OrderCreated,
    OrderDenied,
    OrderFilled,
    OrderMoved,
    OverrideGranted,
    OverrideProposed,
    OverrideUsed,
    SandboxOpened,
    StateSet,
)
from trader.model.orders import (
    TERMINAL,
    Approved,
    Denied,
    ExecutionReport,
    OrderIntent,
    OrderStatus,
    Reason,
    Side,
    TradingState,
)
from trader.model.time import MINUTE, SECOND

NAMES, SYMBOLS = ("one", "two"), ("SPY", "QQQ")


class Life:
    """A ledger, with every event that made it."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.events: list[Event] = []
        self.ts = MINUTE
        for name in NAMES:
            self.tell(SandboxOpened(0, name, Decimal(1_000_000)))

    def tell(self, event: Event) -> None:
        self.events.append(event)
        self.ledger.apply(event)

    def order(
        self, name: str = "one", symbol: str = "SPY", *, side: Side = Side.BUY, qty: int = 10, reduces: bool = False
    ) -> str:
        intent = OrderIntent(
            name, symbol, side, Decimal(qty), Decimal(100), reduces=reduces, reason=Reason.SIGNAL, ts=self.ts
        )
        order_id = f"o{self.ledger.orders_created}"
        self.tell(OrderCreated(self.ts, Approved(order_id, intent, Decimal(0) if reduces else Decimal(qty * 102))))
        return order_id

    def report(self, order_id: str, status: OrderStatus, *, qty: int = 0, price: str = "100") -> None:
        name = f"e{len(self.events)}" if qty else ""
        self.tell(
            self.ledger.read(self.ts, ExecutionReport(order_id, status, self.ts, name, Decimal(qty), Decimal(price)))
        )

    def trade(self, bought: str, sold: str) -> None:
        """Buy ten and sell them."""
        for side, price in ((Side.BUY, bought), (Side.SELL, sold)):
            order_id = self.order(side=side, reduces=side is Side.SELL)
            self.report(order_id, OrderStatus.FILLED, qty=10, price=price)

    def resume(self, name: str = "one") -> None:
        self.tell(StateSet(self.ts, name, TradingState.ACTIVE, "alice", ""))

    @property
    def one(self) -> StrategyTally:
        return self.ledger.conduct.strategies["one"]


# --- counted as it should be ----------------------------------------------------------------------------------------


def test_an_order_counts_before_any_answer() -> None:
    life = Life()
    life.order()
    counts, account = life.one.tally, life.ledger.conduct.account
    assert (counts.orders, counts.open_orders, counts.messages) == (1, 1, [MINUTE])
    assert counts == account
    assert life.ledger.conduct.symbols["SPY"].open_orders == 1


def test_a_refusal_counts_and_an_accepted_order_ends_the_row_of_them() -> None:
    life = Life()
    for _ in range(3):
        life.report(life.order(), OrderStatus.REJECTED)
    assert (life.one.tally.rejects, life.one.tally.rejects_in_row, life.one.tally.open_orders) == (3, 3, 0)
    life.report(life.order("two"), OrderStatus.OPEN)
    assert (life.one.tally.rejects_in_row, life.ledger.conduct.account.rejects_in_row) == (3, 0)
    life.report(life.order(), OrderStatus.FILLED, qty=10)
    assert (life.one.tally.rejects, life.one.tally.rejects_in_row) == (3, 0)


@pytest.mark.parametrize("text", [f"{LAST_LOOK}the desk is halted", f"{GIVEN_UP}it did not arrive on its day"])
def test_what_ended_by_our_own_word_is_no_refusal_of_the_brokers(text: str) -> None:
    life = Life()
    order_id = life.order()
    life.tell(OrderMoved(life.ts, "one", "SPY", order_id, OrderStatus.REJECTED, text))
    assert (life.one.tally.rejects, life.one.tally.rejects_in_row, life.one.tally.open_orders) == (0, 0, 0)


def test_a_cancel_that_was_asked_for_counts_as_a_message() -> None:
    life = Life()
    order_id = life.order()
    life.ts += SECOND
    life.report(order_id, OrderStatus.PENDING_CANCEL)
    life.report(order_id, OrderStatus.CANCELED)
    assert life.one.tally.cancels == life.ledger.conduct.account.cancels == 1
    assert life.one.tally.messages == [MINUTE, MINUTE + SECOND]


def test_a_message_of_a_time_before_the_last_counts_as_of_then() -> None:
    life = Life()
    life.order()
    life.ts -= SECOND
    life.order("two")
    assert life.ledger.conduct.account.messages == [MINUTE, MINUTE]


def test_messages_of_more_than_a_minute_ago_are_forgotten_and_never_more_kept_than_a_limit_can_ask_for() -> None:
    life = Life()
    for _ in range(100):
        life.order()
    life.ts += 2 * MINUTE
    life.order()
    assert life.one.tally.messages == [life.ts]
    tally = life.one.tally
    tally.messages = [life.ts] * MESSAGES_KEPT
    life.order()
    assert len(tally.messages) == MESSAGES_KEPT


def test_a_new_day_begins_one_strategys_counters_and_takes_them_off_the_accounts() -> None:
    life = Life()
    life.report(life.order(), OrderStatus.REJECTED)
    life.order("two")
    life.tell(DayStarted(life.ts, "one", Decimal(1)))
    assert (life.one.tally.orders, life.one.tally.rejects, life.one.tally.rejects_in_row) == (0, 0, 1)
    assert (life.ledger.conduct.account.orders, life.ledger.conduct.account.rejects) == (1, 0)


def test_a_losing_trade_counts_when_nothing_is_held_any_more_and_a_gain_ends_the_streak() -> None:
    life = Life()
    order_id = life.order()
    life.report(order_id, OrderStatus.FILLED, qty=10)
    half = life.order(side=Side.SELL, qty=5, reduces=True)
    life.report(half, OrderStatus.FILLED, qty=5, price="90")
    assert (life.one.losses, life.one.slots["SPY"].left_at) == (0, 0)
    rest = life.order(side=Side.SELL, qty=5, reduces=True)
    life.report(rest, OrderStatus.FILLED, qty=5, price="105")
    assert (life.one.losses, life.one.lost_at, life.one.slots["SPY"].left_at) == (1, life.ts, life.ts)
    life.trade("100", "99")
    assert life.one.losses == 2
    life.trade("100", "101")
    assert life.one.losses == 0


def test_entries_soon_after_one_another_are_a_row_and_exits_belong_to_none() -> None:
    life = Life()
    life.trade("100", "100")
    life.ts += 5 * MINUTE
    life.trade("100", "100")
    assert life.one.slots["SPY"].entries == 2
    life.ts += 5 * MINUTE + 1
    life.order()
    assert life.one.slots["SPY"].entries == 1


def test_what_was_refused_for_its_repeats_stays_so_until_a_person_resumes_it() -> None:
    life = Life()
    intent = life.ledger.orders[life.order()].approved.intent
    life.tell(OrderDenied(life.ts, Denied(intent, "max_repeats", "1", "1")))
    life.tell(DayStarted(life.ts, "one", Decimal(1)))
    life.tell(StateSet(life.ts, "one", TradingState.HALTED, "a rule", ""))
    assert waits_for_a_person(life.ledger.conduct, "one")
    assert waits_for_a_person(life.ledger.conduct, "")
    assert not waits_for_a_person(life.ledger.conduct, "two")
    life.resume()
    assert not life.one.is_spent
    assert life.one.slots["SPY"].entries == 0
    assert not waits_for_a_person(life.ledger.conduct, "")


def test_to_resume_the_whole_desk_begins_everyones_refusals_and_losses_anew() -> None:
    life = Life()
    life.trade("100", "99")
    life.report(life.order("two"), OrderStatus.REJECTED)
    assert waits_for_a_person(life.ledger.conduct, "")
    life.resume("")
    counts = life.ledger.conduct
    assert (life.one.losses, counts.account.rejects_in_row, counts.strategies["two"].tally.rejects_in_row) == (0, 0, 0)


def test_the_best_prices_are_of_this_period_and_the_one_before() -> None:
    life = Life()
    life.trade("100", "99")
    life.trade("98", "97")
    assert _prices(life)[1::2] == (Decimal(98), Decimal(99))
    life.ts += 5 * MINUTE
    life.trade("105", "106")
    assert _prices(life) == (98, 105, 99, 106)
    life.ts += 10 * MINUTE
    life.trade("110", "110")
    assert _prices(life) == (None, 110, None, 110)


def _prices(life: Life) -> tuple[object, ...]:
    tally = life.ledger.conduct.symbols["SPY"]
    return tally.lowest_before, tally.lowest, tally.highest_before, tally.highest


def test_what_sandboxes_trade_among_themselves_moves_no_price() -> None:
    life = Life()
    order_id = life.order()
    crossed = ExecutionReport(order_id, OrderStatus.FILLED, life.ts, "x:a:b", Decimal(10), Decimal(100))
    life.tell(life.ledger.read(life.ts, crossed))
    assert life.ledger.conduct.symbols["SPY"].lowest is None


def test_the_largest_entry_of_the_day_and_of_the_last_with_any_is_remembered() -> None:
    life = Life()
    for qty in (10, 20, 5):
        life.order(qty=qty)
    life.order(qty=1000, side=Side.SELL, reduces=True)
    assert (life.one.entries, life.one.largest, life.one.largest_before) == (3, Decimal(2040), Decimal(0))
    for _ in range(2):
        life.tell(DayStarted(life.ts, "one", Decimal(1)))
    assert (life.one.entries, life.one.largest, life.one.largest_before) == (3, Decimal(0), Decimal(2040))


def test_an_override_stands_until_it_is_used_and_expired_ones_go_with_the_next() -> None:
    life = Life()
    first = Override(1, "one", "SPY", Side.BUY, Decimal(10), "duplicate", "news", life.ts + 1, "alice")
    second = msgspec.structs.replace(first, number=2, until=life.ts + MINUTE)
    life.tell(OverrideProposed(life.ts, first))
    life.ts += 1
    life.tell(OverrideProposed(life.ts, second))
    assert life.ledger.conduct.overrides == {2: second}
    granted = msgspec.structs.replace(second, approved_by="bob")
    life.tell(OverrideGranted(life.ts, granted))
    assert life.ledger.conduct.overrides == {2: granted}
    life.tell(OverrideUsed(life.ts, 2, "o1", "duplicate", "60 s", "1 s"))
    assert life.ledger.conduct.overrides == {}
    assert life.ledger.conduct.overrides_made == 2


# --- whatever happens -----------------------------------------------------------------------------------------------

_HAPPENINGS = ("order", "exit", "open", "cancel", "end", "refuse", "fill", "day", "resume", "wait", "restart")
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(_HAPPENINGS),
        st.sampled_from(NAMES),
        st.sampled_from(SYMBOLS),
        st.integers(1, 120),
    ),
    max_size=60,
)


def lived(steps: Sequence[tuple[str, str, str, int]]) -> Life:
    """Do what is drawn, where the books allow it."""
    life = Life()
    for what, name, symbol, number in steps:
        going = [one for one, record in life.ledger.orders.items() if record.status not in TERMINAL]
        target = going[number % len(going)] if going else ""
        held = life.ledger.books[name].position(symbol).qty
        if what == "order":
            life.order(name, symbol, qty=number)
        elif what == "exit" and held > 0 and not going:
            life.order(name, symbol, side=Side.SELL, qty=int(held), reduces=True)
        elif what == "fill" and target:
            record = life.ledger.orders[target]
            left = int(record.approved.intent.qty - record.filled)
            part = max(1, min(left, number))
            status = OrderStatus.FILLED if part == left else OrderStatus.PARTIALLY_FILLED
            life.report(target, status, qty=part, price=str(60 + number))
        elif what in _SAID and target:
            life.report(target, _SAID[what])
        elif what == "day":
            life.tell(DayStarted(life.ts, name, Decimal(1)))
        elif what == "resume":
            life.resume(name if number % 2 else "")
        elif what == "restart":
            life.ledger = Ledger.fold([BooksOpened(life.ts, life.ledger.snapshot())])
        elif what == "wait":
            life.ts += number * SECOND
    return life


_SAID = {
    "open": OrderStatus.OPEN,
    "cancel": OrderStatus.PENDING_CANCEL,
    "end": OrderStatus.CANCELED,
    "refuse": OrderStatus.REJECTED,
}


@given(_STEPS)
def test_counters_are_what_all_events_add_up_to_whenever_the_process_restarted(
    steps: Sequence[tuple[str, str, str, int]],
) -> None:
    life = lived(steps)
    assert Ledger.fold(life.events).conduct == life.ledger.conduct
    assert Ledger.fold(life.events).digest() == life.ledger.digest()


@given(_STEPS)
def test_counters_are_what_a_recount_by_hand_gives(steps: Sequence[tuple[str, str, str, int]]) -> None:
    life = lived(steps)
    conduct = life.ledger.conduct
    going = [one.approved.intent for one in life.ledger.orders.values() if one.status not in TERMINAL]
    for name in NAMES:
        if name in conduct.strategies:
            tally = conduct.strategies[name].tally
            assert tally.open_orders == sum(intent.strategy == name for intent in going)
            assert (tally.orders, tally.cancels, tally.rejects) == _today(life.events, name)
    sums = [sum(part) for part in zip(*(_today(life.events, name) for name in NAMES), strict=True)]
    assert [conduct.account.orders, conduct.account.cancels, conduct.account.rejects] == sums
    assert conduct.account.open_orders == len(going)
    assert {name: one.open_orders for name, one in conduct.symbols.items() if one.open_orders} == {
        symbol: count for symbol in SYMBOLS if (count := sum(intent.symbol == symbol for intent in going))
    }


def _today(events: Sequence[Event], name: str) -> tuple[int, int, int]:
    orders = cancels = rejects = 0
    for event in events:
        if isinstance(event, DayStarted) and event.strategy == name:
            orders = cancels = rejects = 0
        elif isinstance(event, OrderCreated):
            orders += event.approved.intent.strategy == name
        elif isinstance(event, OrderMoved) and event.strategy == name:
            cancels += event.status is OrderStatus.PENDING_CANCEL
            rejects += event.status is OrderStatus.REJECTED
    return orders, cancels, rejects


def test_books_that_were_saved_before_conduct_was_counted_know_what_is_under_way() -> None:
    life = Life()
    done = life.order("two")
    life.report(done, OrderStatus.FILLED, qty=10)
    life.order()
    state = msgspec.msgpack.decode(life.ledger.snapshot(), type=State)
    old = msgspec.msgpack.encode(msgspec.structs.replace(state, conduct=None))
    restored = Ledger.fold([BooksOpened(life.ts, old)])
    assert restored.conduct.account.open_orders == restored.conduct.symbols["SPY"].open_orders == 1
    late = ExecutionReport(done, OrderStatus.FILLED, life.ts, "late", Decimal(0), Decimal(100))
    event = restored.read(life.ts, late)
    assert isinstance(event, OrderFilled)
    restored.apply(event)
