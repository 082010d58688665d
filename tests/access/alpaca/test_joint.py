"""Live and fetched bars joined: whatever comes when, each bar reaches the desk once and time only runs forward."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.build import T0, bar
from trader.access.alpaca.joint import REMEMBERED, Joint
from trader.model.inputs import Backfilled, Input, Revised, Ticks
from trader.model.ticks import Bar, Tick
from trader.model.time import MINUTE

SPY = ("SPY",)


class Desk:
    """What is delivered, in order."""

    def __init__(self) -> None:
        self.joint = Joint()
        self.live_bars: list[Bar] = []
        self.revised: list[Bar] = []
        self.inputs: list[Input] = []

    def live(self, one: Bar, now: int = 0) -> None:
        ticks: list[Tick] = []
        revised: list[Bar] = []
        self.joint.live(one, now, ticks=ticks, revised=revised)
        self.inputs += [Ticks(now, ticks)] if ticks else []
        self.inputs += [Revised(now, revised)] if revised else []

    def fetched(self, *bars: Bar, asked_at: int = 1) -> int:
        inputs, missed = self.joint.fetched({"SPY": bars}, asked_at=asked_at, now=2)
        self.inputs += inputs
        return missed

    def release(self) -> None:
        self.inputs += self.joint.release(SPY, 3)

    def told(self) -> list[tuple[type, list[int]]]:
        return [(type(one), [minute(b) for b in bars_of(one)]) for one in self.inputs]


def bars_of(message: Any) -> list[Bar]:
    return list(message.ticks if isinstance(message, Ticks) else message.bars)


def minute(one: Bar) -> int:
    return (one.ts - T0) // MINUTE


def test_a_bar_comes_once_and_another_for_its_minute_is_a_revision() -> None:
    desk = Desk()
    for one in (bar(minute=1), bar(minute=1), bar(minute=1, close=101.0), bar(minute=1, close=101.0)):
        desk.live(one)
    assert desk.told() == [(Ticks, [1]), (Revised, [1])]
    assert desk.joint.counts == {"duplicate": 2, "revised": 1}


def test_a_late_bar_is_delivered_and_counted() -> None:
    desk = Desk()
    desk.live(bar(minute=2))
    desk.live(bar(minute=1))
    assert desk.told() == [(Ticks, [2]), (Ticks, [1])]
    assert desk.joint.counts == {"late": 1}
    assert minute(bar(minute=2)) * MINUTE + T0 == desk.joint.newest("SPY")


def test_held_bars_wait_for_the_missed_ones() -> None:
    desk = Desk()
    desk.joint.seed([bar(minute=1)])
    desk.joint.hold(SPY)
    desk.live(bar(minute=4))
    assert desk.inputs == []
    assert desk.joint.oldest_waiting(SPY) == bar(minute=4).ts
    assert desk.fetched(bar(minute=1), bar(minute=2), bar(minute=3)) == 2
    desk.release()
    assert desk.told() == [(Backfilled, [2, 3]), (Ticks, [4])]


def test_a_symbol_held_for_two_reasons_is_free_when_both_are_gone() -> None:
    desk = Desk()
    desk.joint.hold(SPY)
    desk.joint.hold(SPY)
    desk.live(bar())
    desk.release()
    assert desk.inputs == []
    assert "SPY" in desk.joint.held
    desk.release()
    assert desk.told() == [(Ticks, [1])]
    assert "SPY" not in desk.joint.held


def test_a_waiting_bar_older_than_a_missed_one_is_told_with_it() -> None:
    desk = Desk()
    desk.joint.hold(SPY)
    desk.live(bar(minute=2))
    assert desk.fetched(bar(minute=1), bar(minute=3)) == 3
    desk.release()
    assert desk.told() == [(Backfilled, [1, 2, 3])]


def test_the_newer_word_about_a_minute_wins() -> None:
    desk = Desk()
    desk.joint.seed([bar(minute=1)])
    desk.joint.hold(SPY)
    desk.live(bar(minute=2, close=5.0), now=0)  # before history was asked
    desk.live(bar(minute=3, close=6.0), now=9)  # after it
    desk.fetched(bar(minute=1, close=7.0), bar(minute=2, close=8.0), bar(minute=3, close=9.0), asked_at=5)
    desk.release()
    assert desk.told() == [(Revised, [1]), (Ticks, [2]), (Ticks, [3])]
    assert [one.close for message in desk.inputs for one in bars_of(message)] == [7.0, 8.0, 6.0]


def test_a_fetched_bar_that_is_older_than_what_was_decided_on_is_counted_as_lost() -> None:
    desk = Desk()
    desk.joint.seed([bar(minute=1), bar(minute=3)])
    assert desk.fetched(bar(minute=2)) == 0
    assert desk.inputs == []
    assert desk.joint.counts == {"lost": 1}


def test_a_revision_among_the_waiting_replaces_what_was_fetched() -> None:
    desk = Desk()
    desk.joint.hold(SPY)
    desk.fetched(bar(minute=1))
    desk.live(bar(minute=1, close=7.0), now=9)
    desk.release()
    assert desk.told() == [(Backfilled, [1]), (Revised, [1])]


def test_only_the_newest_bars_are_remembered_and_a_forgotten_symbol_begins_anew() -> None:
    desk = Desk()
    for number in range(REMEMBERED + 2):
        desk.live(bar(minute=number + 1))
    desk.fetched(bar(minute=1, close=7.0))  # too old to be judged
    assert desk.joint.counts == {}
    desk.joint.confirm(SPY, T0 + 90 * MINUTE)
    assert desk.joint.settled("SPY") == T0 + 90 * MINUTE
    desk.joint.forget(SPY)
    assert desk.joint.newest("SPY") == desk.joint.settled("SPY") == 0


@given(
    missing=st.sets(st.integers(1, 20)),
    live=st.lists(st.tuples(st.integers(1, 20), st.integers(0, 9))),
    asked_at=st.integers(0, 9),
)
def test_whatever_the_stream_brought_the_desk_has_every_bar_once_in_order(
    missing: set[int], live: list[tuple[int, int]], asked_at: int
) -> None:
    desk = Desk()
    desk.joint.hold(SPY)
    for number, now in live:
        desk.live(bar(minute=number), now)
    truth = sorted(missing | {number for number, _ in live})
    desk.fetched(*(bar(minute=number) for number in truth), asked_at=asked_at)
    desk.release()
    assert [number for _, minutes in desk.told() for number in minutes] == truth
