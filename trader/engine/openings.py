"""What a step would do: sized, gathered, shown to the Director together, handed back as far as its filters let pass."""

from collections.abc import Callable
from decimal import Decimal

from trader.director.chain import Director
from trader.engine.portfolio_view import DirectorsView
from trader.engine.sandbox import Slot
from trader.model.events import Event, IntentTrimmed
from trader.model.money import EXACT, NANO, ONE, ZERO, decimal_of, divide, floor_to
from trader.model.orders import OrderIntent, Reason, Ruling
from trader.risk.limits import RESERVE_FACTOR, reservation_of


class Openings:
    """Intents that the Director has not seen yet, in the order in which they were made."""

    def __init__(
        self, director: Director | None, view: Callable[[int], DirectorsView], emit: Callable[[Event], None]
    ) -> None:
        """Ask ``director`` with what ``view`` returns for a time; what it takes away is told to ``emit``."""
        self._director = director
        self._view = view
        self._emit = emit
        self._proposed: dict[Slot, OrderIntent] = {}

    def __bool__(self) -> bool:
        """Tell whether anything waits for the Director."""
        return bool(self._proposed)

    @property
    def is_directed(self) -> bool:
        """Tell whether there is a Director to ask; without one nothing is proposed."""
        return self._director is not None

    def is_seen(self, reason: Reason) -> bool:
        """Tell whether a filter wants to see exits for this reason; those that protect are never shown."""
        return reason is Reason.SIGNAL and self._director is not None and self._director.judges_exits

    def propose(self, slot: Slot, intent: OrderIntent) -> None:
        """Take an intent; what it would reserve is not free for the sandbox's next one."""
        self._proposed[slot] = intent
        slot.sandbox.proposed = EXACT.add(slot.sandbox.proposed, _reservation(intent))

    def recall(self, slot: Slot) -> None:
        """Forget what was proposed for a slot: its wish is looked at anew."""
        intent = self._proposed.pop(slot, None)
        if intent is not None:
            slot.sandbox.proposed = EXACT.subtract(slot.sandbox.proposed, _reservation(intent))

    def judged(self, ts: int) -> list[tuple[Slot, OrderIntent, bool]]:
        """Return what is left of each intent, and whether it may go on; nothing waits any more."""
        if self._director is None or not self._proposed:
            return []
        proposed, self._proposed = self._proposed, {}
        for slot in proposed:
            slot.sandbox.proposed = ZERO
        rulings = self._director.judge(list(proposed.values()), self._view(ts))
        for intent, ruling in zip(proposed.values(), rulings, strict=True):
            self._tell(intent, ruling)
        return [(slot, ruling.intent, ruling.dropped is None) for slot, ruling in zip(proposed, rulings, strict=True)]

    def _tell(self, intent: OrderIntent, ruling: Ruling) -> None:
        qty = intent.qty
        for trim in ruling.trims if ruling.dropped is None else (*ruling.trims, ruling.dropped):
            assert trim.qty < qty, f"filter {trim.filter} made {trim.qty} of {qty}"
            self._emit(IntentTrimmed(
                intent.ts, intent.strategy, intent.symbol, intent.side, floor_to(qty, NANO), floor_to(trim.qty, NANO),
                trim.filter, trim.limit, trim.value,
            ))  # fmt: skip
            qty = trim.qty
        assert ruling.dropped is not None or ruling.intent.qty == qty, f"{ruling.intent} is not what the filters left"


def size_of(slot: Slot, price: Decimal) -> Decimal:
    """Return min(fraction × equity, free cash less the reserve), less what is held, in quantity.

    Floored to the increment; a stock is sold short in whole shares, as the venue demands.
    """
    sandbox, instrument = slot.sandbox, slot.instrument
    fraction = min(decimal_of(abs(slot.target)), sandbox.spec.limits.max_position_size, ONE)
    wanted = EXACT.multiply(fraction, sandbox.equity())
    if slot.held:
        wanted = EXACT.subtract(wanted, EXACT.multiply(slot.position.qty.copy_abs(), price))
    free = EXACT.subtract(sandbox.book.free_cash, sandbox.proposed)
    value = min(wanted, divide(free, RESERVE_FACTOR))
    is_short = slot.target < 0 and instrument.asset_class == "stock"
    return max(ZERO, floor_to(divide(value, price), ONE if is_short else instrument.qty_increment))


def _reservation(intent: OrderIntent) -> Decimal:
    return ZERO if intent.reduces else reservation_of(intent)
