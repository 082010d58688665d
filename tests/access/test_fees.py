"""What Alpaca takes of an execution."""

from decimal import Decimal

import pytest

from trader.access.fees import RegulatoryFees, fee_of
from trader.model.instruments import instrument_of
from trader.model.orders import Side

CASES = {
    "a crypto buy, in coins, rounded up as recorded": (
        Side.BUY,
        "0.000617391",
        "60000",
        "BTC/USD",
        "0.000001544",
        "BTC",
    ),
    "a crypto sell, in dollars": (Side.SELL, "0.5", "60000", "BTC/USD", "75", "USD"),
    "a stock buy": (Side.BUY, "10", "100", "SPY", "0", "USD"),
    "a stock sell without regulatory fees": (Side.SELL, "10", "100", "SPY", "0", "USD"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_fee_is_out_of_what_is_received(case: str) -> None:
    side, qty, price, symbol, fee, asset = CASES[case]
    got = fee_of(side, Decimal(qty), price=Decimal(price), instrument=instrument_of(symbol))
    assert got == (Decimal(fee), asset)


def test_regulatory_fees_of_a_sell_are_rounded_up_to_the_cent_and_capped() -> None:
    regulatory = RegulatoryFees(Decimal("20.60"), Decimal("0.000195"), Decimal("9.79"))
    spy = instrument_of("SPY")
    sold = fee_of(Side.SELL, Decimal(1000), price=Decimal(100), instrument=spy, regulatory=regulatory)
    assert sold == (Decimal("2.26"), "USD")
    sold = fee_of(Side.SELL, Decimal(10**6), price=Decimal(1), instrument=spy, regulatory=regulatory)
    assert sold == (Decimal("30.39"), "USD")
