"""One execution: the rows it leaves in the ledger, and its fee."""

from decimal import Decimal

from tests.access.sim.floor import quoted
from trader.access.fees import RegulatoryFees
from trader.model.money import ZERO


def test_a_coin_pays_its_fee_out_of_itself_at_once_and_the_order_shows_it_gross() -> None:
    floor = quoted(has_fees=True)
    order = floor.order("BTC/USD", qty="0.000617391", time_in_force="gtc")
    assert floor[order].filled_qty == Decimal("0.000617391")
    assert floor.told[-1].position_qty == floor.account.qty("BTC/USD") == Decimal("0.000615847")
    fill, fee = floor.account.activities
    assert (fee.activity_type, fee.qty, fee.net_amount) == ("CFEE", Decimal("-0.000001544"), ZERO)
    assert floor.account.positions["BTC/USD"].avg_entry_price == 60010
    assert fill.net_amount == -Decimal("0.000617391") * 60010


def test_selling_a_coin_pays_its_fee_in_dollars() -> None:
    floor = quoted(has_fees=True)
    floor.order("BTC/USD", qty="0.1", time_in_force="gtc")
    floor.order("BTC/USD", "sell", qty="0.05", time_in_force="gtc")
    fee = floor.account.activities[-1]
    assert (fee.activity_type, fee.qty, fee.net_amount) == ("CFEE", ZERO, Decimal("-7.5"))


def test_regulatory_fees_are_a_row_of_their_own() -> None:
    floor = quoted(has_fees=True, regulatory=RegulatoryFees(sec_usd_per_million=Decimal(20)))
    floor.order()
    floor.order(side="sell")
    kinds = [row.activity_type for row in floor.account.activities]
    assert kinds == ["FILL", "FILL", "FEE"]
    assert floor.account.activities[-1].net_amount == Decimal("-0.02")


def test_the_ledger_counts_what_is_filled_and_what_is_left() -> None:
    floor = quoted(has_sizes=True)
    floor.order(qty="150")
    floor.quote(99.0, 99.5)
    rows = floor.account.activities
    assert [row.order_status for row in rows] == ["partially_filled", "filled"]
    assert [[row.qty, row.cum_qty, row.leaves_qty] for row in rows] == [[100, 100, 50], [50, 150, 0]]
    assert [row.id[:17] for row in rows] == ["20260105143004000", "20260105143005000"]
    order = floor.told[-1].order
    assert order.filled_avg_price == Decimal("99.84")
    assert len({row.id for row in rows}) == 2
