"""What can be traded: asset class, smallest steps, smallest order.

Source: Alpaca trading documentation as of 2026-11: fractional shares to 9 decimals are accepted, the desk sizes to
0.0001; crypto trades to 9 decimals; orders below $1 (stocks) or $10 (crypto) are refused.
"""

from decimal import Decimal
from typing import Literal

import msgspec

from trader.model.money import NANO

AssetClass = Literal["stock", "crypto"]

_FRACTION = Decimal("0.0001")
_WHOLE = Decimal(1)


class Instrument(msgspec.Struct, frozen=True):
    """One symbol with its increments; ``base`` is the asset a crypto buy receives, empty for a stock."""

    symbol: str
    asset_class: AssetClass
    qty_increment: Decimal
    price_increment: Decimal
    min_notional: Decimal
    base: str = ""


def instrument_of(symbol: str, *, fractionable: bool = True) -> Instrument:
    """Describe ``symbol``: a slash makes it crypto (``BTC/USD``), anything else is a US stock or ETF."""
    if "/" in symbol:
        return Instrument(symbol, "crypto", NANO, NANO, Decimal(10), base=symbol.partition("/")[0])
    return Instrument(symbol, "stock", _FRACTION if fractionable else _WHOLE, _FRACTION, Decimal(1))
