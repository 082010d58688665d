"""Reading what clients write: query strings and JSON bodies, tolerant where Alpaca is, refusing in its words.

Amounts may be numbers or strings, with an exponent or without; ``True`` is true; fields that nobody knows are passed
over. Whatever cannot be read raises :class:`Declined` with the refusal to answer.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from trader.access.alpaca.wire_time import LAST, ns_of
from trader.access.sim.venue_orders import Refusal
from trader.access.sim.venue_rules import invalid
from trader.model.time import parse_time

Fields = Mapping[str, Any]

_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_AMOUNT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_MOST_DIGITS = 24  # a float has 17; of a quantity, a price and a percentage the venue's 80 digits hold the product
_SIZES = range(-_MOST_DIGITS, 15)  # powers of ten of the first digit
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


class Declined(Exception):
    """A request that cannot be read; ``refusal`` is the answer to it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def fields_of(body: bytes) -> Fields:
    """Read a JSON object; numbers come as int or Decimal, exactly as written. An empty body is an empty object."""
    try:
        fields = _decode(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise Declined(Refusal(400, 40010000, "request body format is invalid"))
    return fields


def amount(fields: Fields, name: str) -> Decimal | None:
    """Return a number of a body or a query, None where there is none."""
    given = fields.get(name)
    if given is None:
        return None
    text = str(given) if isinstance(given, int | Decimal | str) and not isinstance(given, bool) else ""
    value = Decimal(text) if _AMOUNT.fullmatch(text) else None
    if value is None or value.adjusted() not in _SIZES or len(value.as_tuple().digits) > _MOST_DIGITS:
        raise Declined(invalid(f"invalid {name}"))
    return value


def text(fields: Fields, name: str) -> str:
    """Return a text, empty where there is none."""
    given = fields.get(name)
    if given is None:
        return ""
    if not isinstance(given, str):
        raise Declined(invalid(f"invalid {name}"))
    return given


def part(fields: Fields, name: str) -> Fields | None:
    """Return an object within a body, None where there is none."""
    given = fields.get(name)
    if given is not None and not isinstance(given, dict):
        raise Declined(invalid(f"invalid {name}"))
    return given


def flag(fields: Fields, name: str, *, default: bool = False) -> bool:
    """Return a yes or no."""
    given = fields.get(name)
    if given is None or given == "":
        return default
    found = given if isinstance(given, bool) else _FLAGS.get(str(given).lower())
    if found is None:
        raise Declined(invalid(f"invalid {name}"))
    return found


def choice(query: Fields, name: str, allowed: tuple[str, ...]) -> str:
    """Return one of ``allowed``, the first where none is given."""
    given = text(query, name) or allowed[0]
    if given not in allowed:
        raise Declined(invalid(f"invalid {name}"))
    return given


def names(query: Fields, name: str) -> list[str]:
    """Return the parts of a list with commas."""
    return [one.strip() for one in text(query, name).split(",") if one.strip()]


def count(query: Fields, name: str, *, default: int, most: int) -> int:
    """Return a number of rows, from 1 to ``most``."""
    given = text(query, name)
    if not given:
        return default
    if not (given.isascii() and given.isdigit() and len(given) <= len(str(most)) and 1 <= int(given) <= most):
        raise Declined(invalid(f"invalid {name}: must be between 1 and {most}"))  # our words
    return int(given)


def moment(query: Fields, name: str) -> int | None:
    """Return a time (ns UTC), None where there is none; a day alone is its midnight UTC."""
    given = text(query, name).replace(" ", "+")  # a plus that nobody escaped
    if not given:
        return None
    try:
        return ns_of(given)
    except ValueError:
        pass
    try:
        ts = parse_time(given)
    except (ValueError, OverflowError):
        ts = -1
    if not 0 <= ts <= LAST:
        raise Declined(invalid(f"invalid {name}"))
    return ts
