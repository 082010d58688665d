"""Every kind of fault by its name, and the kind that stands for many: some of them, drawn from a seed."""

from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo, fields

from trader.exchange import faults_connections as connections
from trader.exchange import faults_market as market
from trader.exchange import faults_orders as orders
from trader.exchange.fault_terms import Chance, Count, Fault, Moment, Span
from trader.model.time import SECOND

_CLASSES: Final[tuple[type[Fault], ...]] = (
    connections.Drop, connections.HalfOpen, connections.Mute, connections.Slow, connections.ConnectionLimit,
    connections.TooManyRequests, connections.RestStatus, connections.AcceptedThen504, connections.AnswerLost,
    connections.AnswerLate, connections.GarbageAnswer, connections.FillBeforeAnswer, connections.DuplicateUpdate,
    connections.ReorderUpdates, connections.MissingUpdate, orders.UnsolicitedCancel, orders.RejectAfterAccept,
    orders.Bust, orders.CorrectExecution, orders.ManualOrder, orders.MoneyMoved, market.BadBar, market.LateBar,
    market.DuplicateBar, market.CorrectedBar, market.TradeCorrection, market.Halt, market.Resume, market.Asset,
    market.Split,
)  # fmt: skip
KINDS: Final[dict[str, type[Fault]]] = {str(cls.__struct_config__.tag): cls for cls in _CLASSES}

# Those that need nothing said; a fault of random kind is one of these unless it says of which.
DRAWABLE: Final = tuple(kind for kind, cls in KINDS.items() if not any(field.required for field in fields(cls)))

_CHOSEN = frozenset({"socket", "flaw", "status", "action"})  # the others' first value is what is meant by a fault
_STEP = SECOND // 1000  # of drawn times, so that they are short to write
_MOST_DRAWN = 3  # of a count
_UNBOUNDED = Span(60 * SECOND)  # how long something lasts that by itself would never end


class Random(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="random"):
    """Some faults of some kinds, each at a time of its own; with the same seed the same ones."""

    count: Count
    between: tuple[Moment, Moment]
    kinds: tuple[str, ...] = DRAWABLE
    seed: int = 0

    def expanded(self, *seed: object) -> list[Fault]:
        """Return the faults, in the order of their times; ``seed`` is the script's."""
        drawn = [self._draw(Chance(*seed, self.seed, number)) for number in range(self.count)]
        return sorted(drawn, key=lambda fault: fault.at)

    def _draw(self, chance: Chance) -> Fault:
        first, last = self.between
        at = type(first)(first + chance.below(last - first) // _STEP * _STEP)
        kind = chance.choose(self.kinds)
        assert kind is not None, "it has kinds: it was read so"
        cls = KINDS[kind]
        return cls(at=at, **{field.name: _drawn(field, chance) for field in fields(cls) if field.name != "at"})


def _drawn(field: FieldInfo, chance: Chance) -> Any:  # noqa: ANN401 -- whatever the field holds
    """Return a value near the field's own: spans from half of it to four times, small counts."""
    kinds = get_args(field.type) if get_origin(field.type) in {Union, UnionType} else (field.type,)
    if Span in kinds:
        usual = field.default or _UNBOUNDED
        return Span(usual // 2 + chance.below(usual * 7 // 2) // SECOND * SECOND)
    if Count in kinds:
        return 1 + chance.below(_MOST_DRAWN)
    if get_origin(field.type) is Literal and field.name in _CHOSEN:
        return chance.choose(get_args(field.type))
    return field.default
