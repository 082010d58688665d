"""What a simulated execution costs: slippage, fees, and how much of an order is filled at once. Pure.

Fees as Alpaca takes them. Stocks: no commission; regulatory fees on sells are configuration, zero unless set, because
the published figures come from third parties and a paper account charges none. Crypto: the taker's 25 bps, out of the
asset received: coins on a buy, dollars on a sell, rounded up at the ninth decimal.
Source: Alpaca documentation "Crypto fees", read 2026-11 (first tier); rounding from a recorded paper account, where a
buy of 0.000617391 left 0.000615847.
"""

from decimal import Decimal
from hashlib import blake2b
from typing import Literal

import msgspec

from trader.model.instruments import Instrument
from trader.model.money import EXACT, NANO, ONE, ZERO, ceil_to, decimal_of, divide, floor_to
from trader.model.orders import Side

CRYPTO_TAKER = Decimal("0.0025")
PARTIAL_CHANCE = 0.1  # Alpaca's paper venue splits about one order in ten (its documentation, "Paper trading")
_CENT = Decimal("0.01")
_MILLION = Decimal(1_000_000)
_BPS = Decimal(10_000)

Fill = Literal["next_open", "next_quote", "signal_price"]


class RegulatoryFees(msgspec.Struct, frozen=True):
    """Fees on stock sells: dollars per million dollars sold, and dollars per share up to a cap per execution."""

    sec_usd_per_million: Decimal = ZERO
    taf_usd_per_share: Decimal = ZERO
    taf_cap_usd: Decimal = ZERO


class VenueRules(msgspec.Struct, frozen=True):
    """How the simulated venue fills; ``latency_ns`` passes before an order reaches it."""

    fill: Fill = "next_open"
    slippage_bps: Decimal = ZERO
    has_fees: bool = True
    regulatory: RegulatoryFees = RegulatoryFees()
    latency_ns: int = 0
    has_partial_fills: bool = False


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
    """Return the fee of one execution and the asset it is taken in."""
    if not rules.has_fees:
        return ZERO, "USD"
    if instrument.asset_class == "crypto":
        received = qty if side is Side.BUY else EXACT.multiply(qty, price)
        return ceil_to(EXACT.multiply(received, CRYPTO_TAKER), NANO), instrument.base if side is Side.BUY else "USD"
    if side is Side.BUY:
        return ZERO, "USD"
    sold, regulatory = EXACT.multiply(qty, price), rules.regulatory
    sec = ceil_to(divide(EXACT.multiply(sold, regulatory.sec_usd_per_million), _MILLION), _CENT)
    taf = min(ceil_to(EXACT.multiply(qty, regulatory.taf_usd_per_share), _CENT), regulatory.taf_cap_usd)
    return EXACT.add(sec, taf), "USD"


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
