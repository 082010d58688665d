"""Exceptions for one order, as they are asked for, agreed to and listed over the control socket.

Who asks is known by the socket, not by what is said: two people are two users of the machine.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final

import msgspec

from trader.live.control_messages import Declined
from trader.live.halt_file import one_line
from trader.model.conduct import Override
from trader.model.events import Event, OverrideGranted, OverrideProposed
from trader.model.inputs import OverrideAgreed, OverrideAsked
from trader.model.money import plain
from trader.model.orders import Side
from trader.model.time import SECOND, iso
from trader.risk.overrides import LONGEST, is_another, objection_to

MOST_STANDING: Final = 20  # the gate looks through them at every refusal
_MAX_DIGITS: Final = 30  # of a quantity; beyond lies no order, only slow arithmetic
_Name = Annotated[str, msgspec.Meta(max_length=100)]


class AskOverride(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ask that one order of at most ``qty`` may pass ``rule`` within ``for_s`` seconds, once another person agrees."""

    strategy: _Name
    symbol: _Name
    side: Side
    qty: _Name
    rule: _Name
    why: Annotated[str, msgspec.Meta(max_length=300)]
    for_s: float = LONGEST / SECOND / 4


class AgreeOverride(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Agree to what another person asked for."""

    number: int


class OverrideLine(msgspec.Struct, frozen=True):
    """One exception; ``approved_by`` is empty while nobody has agreed."""

    number: int
    strategy: str
    symbol: str
    side: str
    qty: str
    rule: str
    why: str
    until: str
    by: str
    approved_by: str


class OverrideLines(msgspec.Struct, frozen=True):
    """Those that wait for a second person or for their order, oldest first."""

    overrides: list[OverrideLine]


def asked_of(wanted: AskOverride, standing: Mapping[int, Override], *, by: str, now: int) -> OverrideAsked:
    """Return what is asked for as the desk takes it. Raises Declined."""
    if sum(now < one.until for one in standing.values()) >= MOST_STANDING:
        raise Declined(
            "too_many", f"{MOST_STANDING} exceptions stand: what is so common is no exception; change the limit"
        )
    try:
        qty = Decimal(wanted.qty)
    except InvalidOperation:
        qty = Decimal("NaN")
    if not qty.is_finite() or abs(qty.adjusted()) > _MAX_DIGITS:
        text = f"the quantity must be a number of at most {_MAX_DIGITS} digits, got {wanted.qty!r}"
        raise Declined("bad_override", text)
    until = now + round(min(wanted.for_s, 2 * LONGEST / SECOND) * SECOND)  # beyond the longest in any case
    asked = OverrideAsked(
        now, wanted.strategy, wanted.symbol, wanted.side, qty, wanted.rule, one_line(wanted.why), until, by
    )
    if objection := objection_to(_override_of(asked), now):
        raise Declined("bad_override", objection)
    return asked


def agreed_of(wanted: AgreeOverride, standing: Mapping[int, Override], *, by: str, now: int) -> OverrideAgreed:
    """Return a second person's word as the desk takes it. Raises Declined."""
    waiting = {number: one for number, one in standing.items() if not one.approved_by and now < one.until}
    if wanted.number not in waiting:
        there = f"waiting are {', '.join(map(str, waiting))}" if waiting else "none waits"
        raise Declined("unknown_override", f"no exception {wanted.number} waits for a second person; {there}")
    if not is_another(waiting[wanted.number].by, by):
        text = f"{by} asked for it, and another person must agree: the other of the desk's owner and root"
        raise Declined("same_person", text)
    return OverrideAgreed(now, wanted.number, by)


def lines_of(standing: Mapping[int, Override], now: int) -> OverrideLines:
    """Return the exceptions that have not expired, as they are shown."""
    return OverrideLines([_line_of(one) for one in standing.values() if now < one.until])


def line_in(events: Iterable[Event]) -> OverrideLine:
    """Return the exception that was asked for or agreed to. Raises Declined where none was."""
    made = [event.override for event in events if isinstance(event, OverrideProposed | OverrideGranted)]
    if not made:
        raise Declined("not_taken", "the desk took it and changed nothing; look again with trader override list")
    return _line_of(made[-1])


def _line_of(override: Override) -> OverrideLine:
    values = {name: getattr(override, name) for name in OverrideLine.__struct_fields__}
    return OverrideLine(**values | {"qty": plain(override.qty), "until": iso(override.until)})


def _override_of(asked: OverrideAsked) -> Override:
    values = [getattr(asked, name) for name in asked.__struct_fields__ if name != "ts"]
    return Override(0, *values)
