"""One order of ours: its parts at the venue, and how much of it the desk has been told."""

from decimal import Decimal

import msgspec

from tests.access.alpaca.test_tracker import approved, message
from trader.access.alpaca.tracked import STATUSES, Tracked
from trader.model.orders import TERMINAL, Approved, OrderStatus
from trader.model.time import MINUTE


def tracked(qty: str = "10") -> Tracked:
    return Tracked(approved("t-1", qty=qty), 0)


def test_an_order_begins_as_sent_with_nothing_known_of_it() -> None:
    one = tracked()
    assert (one.status, one.venue_id, one.venue_end) == (OrderStatus.PENDING, "", None)
    assert one.room == Decimal(10)
    assert one.is_explained


def test_a_snapshot_tells_the_id_the_status_and_what_is_filled() -> None:
    one = tracked()
    assert one.see(message("filled", "10"))
    assert (one.venue_id, one.venue_end) == ("v-1", OrderStatus.FILLED)
    assert not one.is_explained


def test_the_last_execution_of_a_filled_order_ends_it() -> None:
    one = tracked()
    assert one.tell(Decimal(4), is_last=True) is OrderStatus.PARTIALLY_FILLED
    assert one.tell(Decimal(6), is_last=True) is OrderStatus.FILLED


def test_an_order_that_was_made_smaller_ends_with_the_last_execution_there_is() -> None:
    one = tracked()
    one.see(message("filled", "0"))
    assert one.tell(Decimal(1), is_last=False) is OrderStatus.PARTIALLY_FILLED
    assert one.tell(Decimal(1), is_last=True) is OrderStatus.FILLED


def test_successors_come_last_and_have_names_of_their_own() -> None:
    one = tracked()
    one.part("v-2")
    one.see(message("replaced", "0", replaced_by="v-2"))
    assert one.venue_id == "v-2"
    assert one.venue_end is None
    assert [part.venue_id for part in one.parts] == ["v-1", "v-2"]


def test_an_order_much_older_than_the_decision_is_another_one() -> None:
    one = Tracked(Approved("t-1", msgspec.structs.replace(approved().intent, ts=60 * MINUTE)), 60 * MINUTE)
    assert one.is_meant(message(qty=Decimal(10), created_at="1970-01-01T00:55:00Z"))
    assert not one.is_meant(message(qty=Decimal(10), created_at="1970-01-01T00:45:00Z"))
    assert one.is_meant(message(created_at="long ago"))


def test_every_end_alpaca_knows_is_one_of_ours() -> None:
    assert {status for status in STATUSES.values() if status in TERMINAL} == TERMINAL
