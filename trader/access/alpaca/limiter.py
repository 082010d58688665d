"""Who may make a request next: 200 a minute for the whole account, in market time. Pure.

Rules
- No more than the limit within any 61 seconds, whenever the server's own minute begins; one second is for answers that
  are slower than others. *Why* not a bucket that refills: a full one lets nearly twice the limit into one minute.
- Cancels go before lookups, lookups before exits, exits before entries, entries before reads; first come, first served
  among equals. Nobody is overtaken from below.
- Each kind may use the minute up to a mark of its own, so that what is left beyond the marks of entries and reads is
  there for cancels and exits however much the others ask for.

Source: Alpaca, 200 requests a minute and account for trading, read 2026-11.
"""

from collections import deque
from enum import IntEnum
from typing import Final

from trader.model.time import SECOND

PER_MINUTE: Final = 200
WINDOW: Final = 61 * SECOND
PAUSE: Final = 5 * SECOND  # after the server said that it was one too many although we counted fewer


class Priority(IntEnum):
    """What a request is for; the smaller goes first."""

    CANCEL = 0
    LOOKUP = 1
    EXIT = 2
    ENTRY = 3
    READ = 4


# How far of the limit each kind may use. A quarter is out of reach of what only adds risk or curiosity.
_MARKS: Final = {
    Priority.CANCEL: 1.0, Priority.LOOKUP: 0.95, Priority.EXIT: 0.95, Priority.ENTRY: 0.75, Priority.READ: 0.5,
}  # fmt: skip


class Ticket:
    """One request that waits for its turn, or has had it."""

    __slots__ = ("is_granted", "is_withdrawn", "priority")

    def __init__(self, priority: Priority) -> None:
        """Wait."""
        self.priority = priority
        self.is_granted = False
        self.is_withdrawn = False


class Limiter:
    """The account's turns. A clock that is set back takes what is remembered with it."""

    def __init__(self, per_minute: int = PER_MINUTE) -> None:
        """Begin with nothing used."""
        self._marks = {priority: max(1, int(per_minute * share)) for priority, share in _MARKS.items()}
        self._waiting: dict[Priority, deque[Ticket]] = {priority: deque() for priority in Priority}
        self._granted: deque[int] = deque()  # when, of the last window: no longer than the limit
        self._paused_until = 0
        self._seen = 0  # the newest time

    def ask(self, priority: Priority) -> Ticket:
        """Queue up."""
        ticket = Ticket(priority)
        self._waiting[priority].append(ticket)
        return ticket

    def withdraw(self, ticket: Ticket) -> None:
        """Leave the queue; a turn that was granted stays used."""
        if not ticket.is_granted and not ticket.is_withdrawn:
            ticket.is_withdrawn = True
            self._waiting[ticket.priority].remove(ticket)

    def take(self, now: int) -> list[Ticket]:
        """Grant the turns that may be had at ``now``, in the order in which they are to be used."""
        self._forget(now)
        granted: list[Ticket] = []
        while now >= self._paused_until and (ticket := self._first()) is not None:
            if len(self._granted) >= self._marks[ticket.priority]:
                break
            self._waiting[ticket.priority].popleft()
            ticket.is_granted = True
            self._granted.append(now)
            granted.append(ticket)
        return granted

    def next_time(self) -> int | None:
        """Return when :meth:`take` will grant the next turn, None when nobody waits; call it after :meth:`take`."""
        first = self._first()
        if first is None:
            return None
        excess = len(self._granted) - self._marks[first.priority]
        return max(self._paused_until, self._granted[excess] + WINDOW if excess >= 0 else 0)

    def pause(self, now: int) -> None:
        """Grant nothing for a while: the server counts otherwise, or somebody else uses the account."""
        self._paused_until = max(self._paused_until, now + PAUSE)

    def _first(self) -> Ticket | None:
        return next((queue[0] for queue in self._waiting.values() if queue), None)

    def _forget(self, now: int) -> None:
        if (back := self._seen - now) > 0:
            self._granted = deque(then - back for then in self._granted)
            self._paused_until -= back
        self._seen = now
        while self._granted and self._granted[0] + WINDOW <= now:
            self._granted.popleft()
