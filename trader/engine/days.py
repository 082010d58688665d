"""When trading days end."""

from collections.abc import Sequence

from trader.engine.sandbox import Sandbox
from trader.model.time import NEW_YORK, midnight_after


class Days:
    """When each sandbox's trading day ends: New York midnight, or UTC midnight where all it trades is crypto."""

    def __init__(self, sandboxes: Sequence[Sandbox]) -> None:
        """Know no day yet."""
        crypto = [box for box in sandboxes if all(i.asset_class == "crypto" for i in box.spec.instruments)]
        others = [box for box in sandboxes if box not in crypto]
        self._groups = [(zone, group) for zone, group in ((NEW_YORK, others), (None, crypto)) if group]
        self._midnights = [0 for _ in self._groups]
        self.next_midnight = 0

    def resume(self) -> None:
        """Go on with the days that the books say have begun."""
        for number, (zone, group) in enumerate(self._groups):
            self._midnights[number] = min(midnight_after(box.book.day_ts, zone) for box in group)
        self.next_midnight = min(self._midnights)

    def begin(self, ts: int) -> list[list[Sandbox]]:
        """Return, by group, those whose day ended at or before ``ts``.

        A sandbox that is new in books of yesterday, or back in those of today, is in another day than its group.
        """
        ended = []
        for number, (zone, group) in enumerate(self._groups):
            if ts >= self._midnights[number]:
                ended.append([box for box in group if midnight_after(box.book.day_ts, zone) <= ts])
                self._midnights[number] = midnight_after(ts, zone)
        self.next_midnight = min(self._midnights)
        return ended
