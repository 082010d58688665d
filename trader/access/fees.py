"""What an execution costs at Alpaca; the simulated venue charges it and the desk expects it. Pure.

Stocks: no commission; regulatory fees on sells are configuration, zero unless set, because the published figures come
from third parties and a paper account charges none. Crypto: the taker's 25 bps, out of the asset received: coins on a
buy, dollars on a sell, rounded up at the ninth decimal.
Source: Alpaca documentation "Crypto fees", read 2026-11 (first tier); rounding from a recorded paper account, where a
buy of 0.000617391 left 0.000615847.
"""

from decimal import Decimal

import msgspec

from trader.model.instruments import Instrument
from trader.model.money import EXACT, NANO, ZERO, ceil_to, divide
from trader.model.orders import Side

CRYPTO_TAKER = Decimal("0.0025")
_CENT = Decimal("0.01")
_MILLION = Decimal(1_000_000)


class RegulatoryFees(msgspec.Struct, frozen=True):
    """Fees on stock sells: dollars per million dollars sold, and dollars per share up to a cap per execution."""

    sec_usd_per_million: Decimal = ZERO
    taf_usd_per_share: Decimal = ZERO
    taf_cap_usd: Decimal = ZERO


def fee_of(
    side: Side,
    qty: Decimal,
    *,
    price: Decimal,
    instrument: Instrument,
    regulatory: RegulatoryFees = RegulatoryFees(),  # noqa: B008 -- immutable
) -> tuple[Decimal, str]:
    """Return the fee of one execution and the asset it is taken in."""
    if instrument.asset_class == "crypto":
        received = qty if side is Side.BUY else EXACT.multiply(qty, price)
        return ceil_to(EXACT.multiply(received, CRYPTO_TAKER), NANO), instrument.base if side is Side.BUY else "USD"
    if side is Side.BUY:
        return ZERO, "USD"
    sold = EXACT.multiply(qty, price)
    sec = ceil_to(divide(EXACT.multiply(sold, regulatory.sec_usd_per_million), _MILLION), _CENT)
    taf = min(ceil_to(EXACT.multiply(qty, regulatory.taf_usd_per_share), _CENT), regulatory.taf_cap_usd)
    return EXACT.add(sec, taf), "USD"
