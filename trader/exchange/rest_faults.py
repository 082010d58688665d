"""What goes wrong with requests on purpose: armed faults, each for the next few requests that it is meant for.

Whether the request itself is done makes the difference, and is what a client cannot see:

- ``status``: not done, answered with the fault's status;
- ``accepted``: done, answered with 504 all the same;
- ``lost``: done, and the connection cut without an answer;
- ``late``: done at once, answered ``delay_s`` real seconds later;
- ``overtaken``: done, answered when the order has ended, after ``delay_s`` at the latest: the stream tells first;
- ``garbage``: done, answered 200 with something that is no JSON.
"""

from typing import Final, Literal

import msgspec

FaultKind = Literal["status", "accepted", "lost", "late", "overtaken", "garbage"]

MOST_ARMED: Final = 1000  # a script arms a handful; more is a script that runs away
MOST_DELAY_S: Final = 600  # longer than any client waits
_STATUSES = range(400, 600)


class RestFault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault; ``match`` is the beginning of a method and path (``POST /v2/orders``), empty for any request."""

    kind: FaultKind
    match: str = ""
    count: int = 1
    delay_s: float = 1.0
    status: int = 503

    def __post_init__(self) -> None:
        if self.count < 1 or not 0 <= self.delay_s <= MOST_DELAY_S or self.status not in _STATUSES:
            given = f"count {self.count}, delay_s {self.delay_s}, status {self.status}"
            raise ValueError(f"{given}: allowed are 1 or more, 0 to {MOST_DELAY_S}, and 400 to 599")


class RestFaults:
    """The armed faults; the oldest that fits a request strikes it."""

    def __init__(self) -> None:
        """Begin with none."""
        self.armed: list[RestFault] = []

    def arm(self, fault: RestFault) -> None:
        """Let a fault wait for its requests.

        Raises:
            ValueError: too many wait already.
        """
        if len(self.armed) == MOST_ARMED:
            raise ValueError(f"{MOST_ARMED} faults are armed already; send the requests they wait for")
        self.armed.append(fault)

    def take(self, method: str, path: str) -> RestFault | None:
        """Return the fault that strikes this request, None for most."""
        for place, fault in enumerate(self.armed):
            if f"{method} {path}".startswith(fault.match):
                if fault.count == 1:
                    del self.armed[place]
                else:
                    self.armed[place] = msgspec.structs.replace(fault, count=fault.count - 1)
                return fault
        return None
