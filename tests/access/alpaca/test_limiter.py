"""Turns of an account's requests: never more than the limit, the important ones first, nobody forgotten."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from trader.access.alpaca.limiter import PAUSE, WINDOW, Limiter, Priority, Ticket
from trader.model.time import MINUTE, SECOND

CANCEL, LOOKUP, EXIT, ENTRY, READ = Priority


def asked(limiter: Limiter, priority: Priority, count: int) -> list[Ticket]:
    return [limiter.ask(priority) for _ in range(count)]


def test_two_hundred_requests_go_at_once_and_the_next_waits_for_the_first_to_be_a_minute_old() -> None:
    limiter = Limiter()
    asked(limiter, CANCEL, 201)
    assert len(limiter.take(5)) == 200
    assert limiter.next_time() == 5 + WINDOW
    assert limiter.take(4 + WINDOW) == []
    assert len(limiter.take(5 + WINDOW)) == 1
    assert limiter.next_time() is None


def test_a_cancel_goes_before_everything_that_came_earlier() -> None:
    limiter = Limiter()
    tickets = [limiter.ask(priority) for priority in (READ, ENTRY, EXIT, LOOKUP, CANCEL, CANCEL)]
    assert limiter.take(0) == [tickets[4], tickets[5], tickets[3], tickets[2], tickets[1], tickets[0]]


def test_entries_and_reads_leave_room_for_exits_and_cancels_however_many_they_are() -> None:
    limiter = Limiter()
    asked(limiter, READ, 500)
    assert len(limiter.take(0)) == 100
    asked(limiter, ENTRY, 500)
    assert len(limiter.take(SECOND)) == 50
    exits = asked(limiter, EXIT, 40)
    assert limiter.take(2 * SECOND) == exits
    cancels = asked(limiter, CANCEL, 10)
    assert limiter.take(3 * SECOND) == cancels
    assert limiter.next_time() == WINDOW, "an entry waits until the reads are forgotten"


def test_a_server_that_says_too_many_is_left_alone_for_a_while() -> None:
    limiter = Limiter()
    limiter.pause(10)
    ticket = limiter.ask(CANCEL)
    assert limiter.take(10) == []
    assert limiter.next_time() == 10 + PAUSE
    assert limiter.take(10 + PAUSE) == [ticket]


def test_who_leaves_the_queue_takes_no_turn() -> None:
    limiter = Limiter(per_minute=1)
    first, second = asked(limiter, CANCEL, 2)
    limiter.withdraw(first)
    limiter.withdraw(first)
    assert limiter.take(0) == [second]
    limiter.withdraw(second)
    assert limiter.next_time() is None


def test_a_clock_that_is_set_back_keeps_nobody_waiting_for_it() -> None:
    limiter = Limiter()
    asked(limiter, CANCEL, 200)
    assert len(limiter.take(60 * MINUTE)) == 200
    ticket = limiter.ask(EXIT)
    assert limiter.take(SECOND) == []
    assert limiter.next_time() == SECOND + WINDOW
    assert limiter.take(SECOND + WINDOW) == [ticket]


steps = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "wait", "withdraw", "pause"]),
        st.sampled_from(list(Priority)),
        st.integers(min_value=1, max_value=80),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(steps, st.integers(min_value=4, max_value=60))
def test_whatever_is_asked_the_limit_holds_the_order_is_fair_and_everyone_gets_his_turn(
    script: list[tuple[str, Priority, int]], per_minute: int
) -> None:
    limiter, now = Limiter(per_minute), 0
    queues: dict[Priority, list[Ticket]] = {priority: [] for priority in Priority}
    granted: list[tuple[int, Ticket]] = []

    def take() -> None:
        for ticket in limiter.take(now):
            assert not any(queues[higher] for higher in Priority if higher < ticket.priority)
            assert queues[ticket.priority].pop(0) is ticket
            granted.append((now, ticket))

    for what, priority, number in script:
        act(what, limiter, queues[priority], {"priority": priority, "number": number, "now": now})
        now += number * SECOND if what == "wait" else 0
        take()
    while (due := limiter.next_time()) is not None:
        assert due > now, "what may go now has gone"
        now = due
        before = len(granted)
        take()
        assert len(granted) > before, "a promised turn is granted"
    times = [at for at, _ in granted]
    assert all(late - early > MINUTE for early, late in zip(times, times[per_minute:], strict=False))


def act(what: str, limiter: Limiter, queue: list[Ticket], given: dict[str, Any]) -> None:
    if what == "ask":
        queue += asked(limiter, given["priority"], given["number"])
    elif what == "withdraw" and queue:
        limiter.withdraw(queue.pop(given["number"] % len(queue)))
    elif what == "pause":
        limiter.pause(given["now"])
