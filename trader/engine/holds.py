"""What holds entries back: data that cannot be trusted now, an order stream that is not confirmed, a halt."""

from trader.model.events import EntriesHeld


class Holds:
    """The causes that hold, each for some symbols or for all."""

    def __init__(self) -> None:
        """Hold nothing."""
        self._by_cause: dict[str, EntriesHeld] = {}

    def hold(self, event: EntriesHeld) -> bool:
        """Hold under the event's cause; say whether that is news."""
        known = self._by_cause.get(event.cause)
        self._by_cause[event.cause] = event
        return known is None or (known.symbols, known.why) != (event.symbols, event.why)

    def release(self, cause: str) -> bool:
        """Hold no longer under ``cause``; say whether it did."""
        return self._by_cause.pop(cause, None) is not None

    def why(self, symbol: str) -> str:
        """Return why no entry may leave for ``symbol``, empty if one may."""
        if not self._by_cause:
            return ""
        holds = (hold for hold in self._by_cause.values() if not hold.symbols or symbol in hold.symbols)
        return next((f"{hold.cause}: {hold.why}" for hold in holds), "")
