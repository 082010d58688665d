"""The truth: everybody's books, as whoever compares his own wants them."""

from decimal import Decimal
from typing import Any

from tests.exchange.faulty import Theatre
from trader.access.sim.fills import VenueRules
from trader.access.sim.venue import Venue
from trader.exchange.request_log import RequestLog
from trader.exchange.truth import truth_of
from trader.model.calendar import StockCalendar
from trader.model.money import EXACT


def truth(theatre: Theatre, log: RequestLog | None = None) -> Any:
    return truth_of(theatre.venue.accounts, log or RequestLog(), now=theatre.now)


class WithFees(Theatre):
    def __init__(self) -> None:
        super().__init__()
        assets = self.venue.assets
        self.venue = Venue(assets, sessions=StockCalendar(), rules=VenueRules(fill="next_quote", has_fees=True))
        for name in "AB":
            self.venue.open_account(name, Decimal(100_000))
        self.quote("SPY", 100)
        self.quote("BTC/USD", 1000)


def test_an_account_is_told_in_full_and_in_strings() -> None:
    theatre = Theatre()
    theatre.bought("o1")
    theatre.order("o2")
    books = truth(theatre)["accounts"]["A"]
    assert (books["opening_cash"], books["cash"], books["equity"]) == ("100000", "98999.5", "99999.5")
    assert books["positions"] == {"SPY": {"qty": "10", "cost": "1000.5"}}
    assert [(order["client_order_id"], order["status"]) for order in books["orders"]] == [
        ("o1", "filled"),
        ("o2", "new"),
    ]
    (execution,) = books["executions"]
    assert execution == {
        "execution_id": execution["execution_id"],
        "previous_execution_id": None,
        "stands": True,
        "order_id": books["orders"][0]["id"],
        "client_order_id": "o1",
        "symbol": "SPY",
        "side": "buy",
        "qty": "10",
        "price": "100.05",
        "fee": "0",
        "fee_asset": "USD",
        "ts": "2026-01-05T14:30:00Z",
    }


def test_a_fee_is_told_in_the_asset_it_was_taken_in() -> None:
    theatre = WithFees()
    coins: dict[str, Any] = {"symbol": "BTC/USD", "type": "market", "limit_price": None, "time_in_force": "gtc"}
    theatre.order("buy", qty=Decimal(1), **coins)
    theatre.order("sell", qty=Decimal("0.5"), side="sell", **coins)
    bought, sold = truth(theatre)["accounts"]["A"]["executions"]
    assert (bought["fee"], bought["fee_asset"]) == ("0.0025", "BTC")
    assert sold["fee_asset"] == "USD"
    assert Decimal(sold["fee"]) == EXACT.multiply(Decimal("0.5") * Decimal(sold["price"]), Decimal("0.0025"))


def test_an_execution_that_was_taken_back_does_not_stand_and_has_no_fee() -> None:
    theatre = WithFees()
    theatre.order("o1", symbol="BTC/USD", type="market", limit_price=None, time_in_force="gtc")
    (done,) = theatre.books().executions
    theatre.venue.bust("A", done, now=theatre.now)
    books = truth(theatre)["accounts"]["A"]
    (execution,) = books["executions"]
    assert (execution["stands"], execution["fee"], books["cash"], books["positions"]) == (False, "0", "100000", {})


def test_a_correction_is_an_execution_that_names_the_one_before() -> None:
    theatre = Theatre()
    theatre.bought("o1")
    (done,) = theatre.books().executions
    theatre.venue.correct("A", done, price=Decimal(101), now=theatre.now)
    first, second = truth(theatre)["accounts"]["A"]["executions"]
    assert (first["execution_id"], first["stands"]) == (done, False)
    assert (second["previous_execution_id"], second["stands"], second["price"]) == (done, True, "101")


def test_requests_are_told_by_client_order_id_and_in_total() -> None:
    log = RequestLog()
    log.asked("POST /v2/orders")
    log.ordered("o1", 504)
    log.ordered("o1", 422)
    told = truth(Theatre(), log)
    assert told["now"] == "2026-01-05T14:30:00Z"
    assert told["requests"] == {
        "totals": {"POST /v2/orders": 1},
        "by_client_id": {"o1": {"posts": 2, "statuses": [504, 422]}},
    }
