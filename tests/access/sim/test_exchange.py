"""The simulated venue: when it fills, at what price, what it charges, and that chance plays no part."""

from decimal import Decimal

import pytest

from tests.build import T0, bar
from trader.access.fees import RegulatoryFees
from trader.access.sim.exchange import SimExchange
from trader.access.sim.fills import VenueRules, fee_of, first_part, price_of
from trader.model.instruments import instrument_of
from trader.model.orders import Approved, ExecutionReport, OrderIntent, OrderStatus, Reason, Side
from trader.model.ticks import Quote, Trade
from trader.model.time import SECOND

INSTRUMENTS = {symbol: instrument_of(symbol) for symbol in ("SPY", "QQQ", "BTC/USD")}


def approved(order_id: str = "o1", symbol: str = "SPY", side: Side = Side.BUY, qty: str = "10") -> Approved:
    intent = OrderIntent(
        "one", symbol, side, Decimal(qty), Decimal("100.5"), reduces=False, reason=Reason.SIGNAL, ts=T0
    )
    return Approved(order_id, intent, Decimal(1020))


def venue(**rules: object) -> SimExchange:
    return SimExchange(VenueRules(**{"has_fees": False, **rules}), INSTRUMENTS)  # type: ignore[arg-type]


def executions(exchange: SimExchange) -> list[ExecutionReport]:
    return [report for report in exchange.reports() if report.execution_id]


def test_an_order_is_open_at_once_and_fills_at_the_next_open() -> None:
    exchange = venue()
    exchange.submit(approved())
    assert [report.status for report in exchange.reports()] == [OrderStatus.OPEN]
    exchange.observe([bar(minute=1, open=101, close=105)])
    (fill,) = exchange.reports()
    assert (fill.status, fill.qty, fill.price, fill.ts) == (OrderStatus.FILLED, Decimal(10), Decimal("101.0"), T0)


def test_what_was_crossed_between_sandboxes_is_not_traded() -> None:
    exchange = venue()
    exchange.submit(approved(), Decimal(4))
    exchange.observe([bar(minute=1)])
    assert [(fill.qty, fill.status) for fill in executions(exchange)] == [(Decimal(6), OrderStatus.FILLED)]


def test_a_symbol_without_a_bar_keeps_waiting_over_the_night() -> None:
    exchange = venue()
    exchange.submit(approved())
    exchange.observe([bar("QQQ", minute=1)])
    assert not executions(exchange)
    exchange.observe([bar(minute=1000, open=99)])
    assert executions(exchange)[0].price == Decimal("99.0")


def test_latency_makes_an_order_miss_the_open_it_comes_too_late_for() -> None:
    exchange = venue(latency_ns=100_000_000)
    exchange.submit(approved())
    exchange.observe([bar(minute=1)])
    assert not executions(exchange)
    exchange.observe([bar(minute=2, open=102)])
    assert executions(exchange)[0].price == Decimal("102.0")


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, Decimal("100.2")), (Side.SELL, Decimal("100.1"))])
def test_next_quote_fills_at_the_far_side_of_the_first_quote_after_arrival(side: Side, price: Decimal) -> None:
    exchange = venue(fill="next_quote", latency_ns=SECOND)
    exchange.submit(approved(side=side))
    exchange.observe([Quote("SPY", T0, 1.0, 1.0, 2.0, 1.0), Trade("SPY", T0 + SECOND, 100.0, 1.0), bar(minute=1)])
    assert not executions(exchange)
    exchange.observe([Quote("SPY", T0 + SECOND, 100.1, 1.0, 100.2, 1.0)])
    assert executions(exchange)[0].price == price


def test_signal_price_fills_at_once_at_the_decision_price() -> None:
    exchange = venue(fill="signal_price")
    exchange.submit(approved())
    assert executions(exchange)[0].price == Decimal("100.5")


def test_a_cancelled_order_never_fills_and_a_gone_one_is_left_alone() -> None:
    exchange = venue()
    exchange.submit(approved())
    exchange.cancel("o1", T0)
    exchange.cancel("o1", T0)
    exchange.observe([bar()])
    assert [report.status for report in exchange.reports()] == [OrderStatus.OPEN, OrderStatus.CANCELED]


def test_about_one_order_in_ten_is_split_and_equal_ids_split_alike() -> None:
    spy = INSTRUMENTS["SPY"]
    parts = [first_part(f"o{number}", Decimal(10), instrument=spy) for number in range(2000)]
    assert parts == [first_part(f"o{number}", Decimal(10), instrument=spy) for number in range(2000)]
    split = [part for part in parts if part != 10]
    assert 140 < len(split) < 260
    assert all(0 < part < 10 and part % Decimal("0.0001") == 0 for part in split)


def test_a_split_order_fills_the_rest_at_the_next_bar() -> None:
    exchange = venue(has_partial_fills=True)
    ids = [
        number for number in range(200) if first_part(f"o{number}", Decimal(10), instrument=INSTRUMENTS["SPY"]) != 10
    ]
    exchange.submit(approved(f"o{ids[0]}"))
    exchange.observe([bar(minute=1)])
    exchange.observe([bar(minute=2)])
    first, second = executions(exchange)
    assert (first.status, second.status) == (OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED)
    assert first.qty + second.qty == 10
    assert first.execution_id != second.execution_id


def test_slippage_moves_the_price_against_the_trader_and_rounds_against_him() -> None:
    rules = VenueRules(slippage_bps=Decimal(5))
    assert price_of(Decimal("33.3333"), Side.BUY, rules=rules, instrument=INSTRUMENTS["SPY"]) == Decimal("33.3500")
    assert price_of(Decimal("33.3333"), Side.SELL, rules=rules, instrument=INSTRUMENTS["SPY"]) == Decimal("33.3166")


def test_a_price_never_slips_to_nothing() -> None:
    rules = VenueRules(slippage_bps=Decimal(9999))
    assert price_of(Decimal("0.0001"), Side.SELL, rules=rules, instrument=INSTRUMENTS["SPY"]) == Decimal("0.0001")


FEES = {
    "a crypto buy, in coins, rounded up as recorded": (
        Side.BUY,
        "0.000617391",
        "60000",
        "BTC/USD",
        ("0.000001544", "BTC"),
    ),
    "a crypto sell, in dollars": (Side.SELL, "0.5", "60000", "BTC/USD", ("75", "USD")),
    "a stock buy": (Side.BUY, "10", "100", "SPY", ("0", "USD")),
    "a stock sell without regulatory fees": (Side.SELL, "10", "100", "SPY", ("0", "USD")),
}


@pytest.mark.parametrize("case", FEES)
def test_fees(case: str) -> None:
    side, qty, price, symbol, (fee, asset) = FEES[case]
    got = fee_of(side, Decimal(qty), price=Decimal(price), rules=VenueRules(), instrument=instrument_of(symbol))
    assert got == (Decimal(fee), asset)


def test_regulatory_fees_are_taken_on_sells_rounded_up_to_the_cent_and_capped() -> None:
    regulatory = RegulatoryFees(Decimal("20.60"), Decimal("0.000195"), Decimal("9.79"))
    rules = VenueRules(regulatory=regulatory)
    spy = INSTRUMENTS["SPY"]
    assert fee_of(Side.SELL, Decimal(1000), price=Decimal(100), rules=rules, instrument=spy) == (
        Decimal("2.06") + Decimal("0.20"),
        "USD",
    )
    assert fee_of(Side.SELL, Decimal(10**6), price=Decimal(1), rules=rules, instrument=spy) == (
        Decimal("20.60") + Decimal("9.79"),
        "USD",
    )


def test_without_fees_nothing_is_charged() -> None:
    got = fee_of(
        Side.BUY, Decimal(1), price=Decimal(60000), rules=VenueRules(has_fees=False), instrument=INSTRUMENTS["BTC/USD"]
    )
    assert got == (Decimal(0), "USD")


def test_two_orders_of_one_symbol_fill_in_the_order_they_came() -> None:
    exchange = venue()
    exchange.submit(approved("o1"))
    exchange.submit(approved("o2", side=Side.SELL))
    exchange.observe([bar(minute=1)])
    assert [fill.order_id for fill in executions(exchange)] == ["o1", "o2"]
    assert executions(exchange) == []
