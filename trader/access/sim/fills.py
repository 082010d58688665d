"""How the simulated venue fills: slippage, and how much of an order is filled at once. Pure."""

from decimal import Decimal
from hashlib import blake2b
from typing import Literal

import msgspec

from trader.access import fees
from trader.model.instruments import Instrument
from trader.model.money import EXACT, ONE, ZERO, ceil_to, decimal_of, divide, floor_to
from trader.model.orders import Side

PARTIAL_CHANCE = 0.1  # Alpaca's paper venue splits about one order in ten (its documentation, "Paper trading")
_BPS = Decimal(10_000)

Fill = Literal["next_open", "next_quote", "signal_price"]


class VenueRules(msgspec.Struct, frozen=True):
    """How the simulated venue fills; ``latency_ns`` passes before an order reaches it.

    A limit further than ``price_away_frac`` of the last price from it is refused; None takes any.
    """

    fill: Fill = "next_open"
    slippage_bps: Decimal = ZERO
    has_fees: bool = True
    regulatory: fees.RegulatoryFees = fees.RegulatoryFees()
    latency_ns: int = 0
    has_partial_fills: bool = False
    price_away_frac: Decimal | None = None


def price_of(reference: Decimal, side: Side, *, rules: VenueRules, instrument: Instrument) -> Decimal:
    """Return the reference price, moved against the trader by the slippage and rounded against him."""
    if not rules.slippage_bps:
        return reference
    factor = EXACT.add(ONE, EXACT.multiply(divide(rules.slippage_bps, _BPS), side.sign))
    moved = EXACT.multiply(reference, factor)
    rounded = ceil_to if side is Side.BUY else floor_to
    return max(instrument.price_increment, rounded(moved, instrument.price_increment))


def fee_of(
    side: Side, qty: Decimal, *, price: Decimal, rules: VenueRules, instrument: Instrument
) -> tuple[Decimal, str]:
    """Return the fee of one execution and the asset it is taken in; nothing where the rules have no fees."""
    if not rules.has_fees:
        return ZERO, "USD"
    return fees.fee_of(side, qty, price=price, instrument=instrument, regulatory=rules.regulatory)


def first_part(order_id: str, qty: Decimal, *, instrument: Instrument) -> Decimal:
    """Return how much of an order fills first, drawn from its id, so that equal runs split the same orders."""
    draw = int.from_bytes(blake2b(order_id.encode(), digest_size=8).digest(), "big") / 2**64
    if draw >= PARTIAL_CHANCE:
        return qty
    step = (
        instrument.qty_increment if EXACT.remainder(qty, ONE) else ONE
    )  # an order of whole shares is split into whole shares
    part = floor_to(EXACT.multiply(qty, decimal_of(round(0.1 + 8 * draw, 3))), step)
    return part if ZERO < part < qty else qty
