"""position-size and atr-position-size: how large one position may become."""

from decimal import Decimal

import pytest
from pydantic import ValidationError

from tests.director.test_filters_simple import swings
from trader.director.filters_sizing import AtrPositionSizeFilter, PositionSizeFilter
from trader.model.instruments import Instrument
from trader.model.orders import Ruling
from trader.testing import GivenView, holding, opening, ruled

LOTS = {"LOT": Instrument("LOT", "stock", Decimal(10), Decimal(1), Decimal(1))}
ONES = {"HO": Instrument("HO", "stock", Decimal(1), Decimal(1), Decimal(1))}


def left(ruling: Ruling) -> float:
    return 0.0 if ruling.dropped else float(ruling.intent.qty)


def test_a_fixed_size_bounds_an_order() -> None:
    assert left(ruled(PositionSizeFilter(size=12.5), opening("SPY", 100))) == 12.5
    assert left(ruled(PositionSizeFilter(size=12.5), opening("SPY", 10))) == 10


def test_fixed_dollars_bound_an_order_at_its_price() -> None:
    ruling = ruled(PositionSizeFilter(notional=1000.0), opening("SPY", 100, price=30.0))
    assert left(ruling) == 33.3333
    assert (ruling.trims[0].limit, ruling.trims[0].value) == ("$1,000.00 an order", "$3,000.00 asked for")


def test_27_in_lots_of_10_are_20() -> None:  # flt-round-lots
    assert left(ruled(PositionSizeFilter(size=27.0), opening("LOT", 90), GivenView(instruments=LOTS))) == 20


def test_equal_weight_is_equity_over_places_less_what_is_held() -> None:
    judge = PositionSizeFilter(mode="equal-weight", max_positions=4)
    assert left(ruled(judge, opening("SPY", 1000, price=100.0), GivenView(equity=100_000.0))) == 250
    held = GivenView(holding("SPY", 200), holding("SPY", 999, strategy="two"), equity=100_000.0)
    ruling = ruled(judge, opening("SPY", 1000, price=100.0), held)
    assert left(ruling) == 50
    assert (ruling.trims[0].limit, ruling.trims[0].value) == ("1/4 of $100,000.00", "1000 asked for, 200 held")
    assert left(ruled(judge, opening("SPY", 5), GivenView(holding("SPY", 251), equity=100_000.0))) == 0


def test_risk_parity_gives_half_the_dollars_to_what_moves_twice_as_much() -> None:  # flt-invvol
    days = {"QUIET": swings(0.10), "WILD": swings(0.20)}
    judge = PositionSizeFilter(mode="risk-parity", max_positions=2)
    view = GivenView(equity=1_000_000.0, days=days)
    quiet, wild = (left(ruled(judge, opening(symbol, 1e6, price=10.0), view)) for symbol in days)
    assert quiet / (quiet + wild) == pytest.approx(2 / 3, abs=1e-8)  # in steps of 0.0001 share
    assert wild / (quiet + wild) == pytest.approx(1 / 3, abs=1e-8)
    assert quiet == pytest.approx(1_000_000 * 0.20 / 2 / (0.10 * 10.0), abs=1e-3)


def test_risk_parity_shares_among_the_open_ones_and_this_one_where_nothing_else_is_said() -> None:
    judge = PositionSizeFilter(mode="risk-parity")
    days = {"SPY": swings(0.20)}
    alone = left(ruled(judge, opening("SPY", 1e6), GivenView(days=days)))
    third = left(ruled(judge, opening("SPY", 1e6), GivenView(holding("A", 1), holding("B", -1), days=days)))
    assert alone == pytest.approx(1000, abs=1e-3)
    assert third == pytest.approx(alone / 3, abs=1e-3)


def test_risk_parity_is_capped() -> None:
    judge = PositionSizeFilter(mode="risk-parity", max_positions=1, cap=0.5)
    view = GivenView(equity=10_000.0, days={"SPY": swings(0.05)})
    ruling = ruled(judge, opening("SPY", 1000, price=100.0), view)
    assert left(ruling) == 50
    assert ruling.trims[0].limit == "0.5 of $10,000.00"


@pytest.mark.parametrize("closes", [[100.0] * 5, [100.0] * 21])
def test_without_a_volatility_there_is_no_risk_parity(closes: list[float]) -> None:
    ruling = ruled(PositionSizeFilter(mode="risk-parity"), opening("SPY", 10), GivenView(days={"SPY": closes}))
    assert ruling.dropped is not None
    assert ruling.dropped.value == "unknown: a volatility of 20 daily returns"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "mode 'fixed' needs size (shares or coins) or notional (dollars), one of the two"),
        ({"size": 1.0, "notional": 1.0}, "one of the two"),
        ({"mode": "equal-weight"}, "mode 'equal-weight' needs max_positions: among how many equity is shared"),
        ({"mode": "risk-parity", "size": 1.0}, "mode 'risk-parity' takes no size and no notional; leave them out"),
        ({"size": 0.0}, "greater than 0"),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        PositionSizeFilter(**given)  # type: ignore[arg-type]
    assert said in str(refused.value)


def test_a_turtles_unit() -> None:  # flt-turtle-unit: 1 % of a million over N = 0.0141 × $42,000
    view = GivenView(equity=1_000_000.0, days={"HO": [(1592.2, 1000.0, 1500.0)] * 21}, instruments=ONES)
    judge = AtrPositionSizeFilter(k=1.0)
    cut = judge.apply(opening("HO", 100), view)
    assert cut is not None
    assert cut.qty == pytest.approx(16.886, abs=0.01)
    assert left(ruled(judge, opening("HO", 100), view)) == 16


def test_a_fixed_amount_over_ranges() -> None:  # flt-tradestation-fixed
    view = GivenView(days={"HO": [(101.7, 100.0, 101.0)] * 21}, instruments=ONES)
    judge = AtrPositionSizeFilter(risk_usd=1000.0, k=3.0)
    assert left(ruled(judge, opening("HO", 900), view)) == 196


def test_a_range_spans_the_gap_from_the_day_before() -> None:
    days = [(100.0, 100.0, 100.0)] * 20 + [(121.0, 120.0, 120.0)]
    cut = AtrPositionSizeFilter(risk_usd=100.0, k=1.0, atr_n=2).apply(opening("SPY", 99), GivenView(days={"SPY": days}))
    assert cut is not None
    assert cut.qty == pytest.approx(100 / (21 / 2))


def test_most_dollars_of_a_position_and_what_is_held_bound_it_too() -> None:
    days = {"SPY": [(101.0, 100.0, 100.0)] * 21}
    judge = AtrPositionSizeFilter(max_notional=2000.0)
    ruling = ruled(judge, opening("SPY", 900, price=100.0), GivenView(holding("SPY", -5), days=days))
    assert left(ruling) == 15
    assert ruling.trims[0].limit == "$2,000.00 a position"
    large = ruled(AtrPositionSizeFilter(max_notional=1e9), opening("SPY", 900, price=100.0), GivenView(days=days))
    assert left(large) == 500


def test_without_ranges_there_is_no_size() -> None:
    ruling = ruled(AtrPositionSizeFilter(), opening("SPY", 1), GivenView(days={"SPY": [100.0] * 20}))
    assert ruling.dropped is not None
    assert ruling.dropped.value == "unknown: a range of 20 days"


def test_without_equity_there_is_no_size() -> None:
    view = GivenView(equity=float("nan"), days={"SPY": [(101.0, 100.0, 100.0)] * 21})
    ruling = ruled(AtrPositionSizeFilter(), opening("SPY", 1), view)
    assert ruling.dropped is not None
    assert ruling.dropped.value == "unknown: no mark, equity or history yet"
