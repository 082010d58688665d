"""Executions taken back and corrected, splits: the books are as if it had always been so, and everything is told."""

from decimal import Decimal

from tests.access.sim.floor import DOLLARS, Floor, quoted
from trader.access.fees import RegulatoryFees
from trader.access.sim.accounts import Position
from trader.access.sim.venue_orders import Refusal, TradeUpdate
from trader.model.money import ZERO
from trader.model.time import SECOND


def executions(floor: Floor) -> list[str]:
    return list(floor.account.executions)


def bust(floor: Floor, execution_id: str) -> TradeUpdate | Refusal:
    answer = floor.venue.bust("a", execution_id, now=floor.now)
    floor.look()
    return answer


def correct(floor: Floor, execution_id: str, price: str | None = None, qty: str | None = None) -> TradeUpdate | Refusal:
    given = (Decimal(price) if price else None, Decimal(qty) if qty else None)
    answer = floor.venue.correct("a", execution_id, price=given[0], qty=given[1], now=floor.now)
    floor.look()
    return answer


def test_a_bust_takes_the_shares_and_gives_the_money_back() -> None:
    floor = quoted()
    order = floor.order()
    (execution,) = executions(floor)
    floor.now += SECOND
    update = bust(floor, execution)
    assert update == floor.told[-1]
    assert isinstance(update, TradeUpdate)
    assert (update.event, update.previous_execution_id, update.ts) == ("trade_bust", execution, floor.now)
    assert update.execution_id not in {"", execution}
    assert (update.qty, update.price, update.position_qty) == (Decimal(10), Decimal("100.01"), ZERO)
    assert (floor[order].status, floor[order].filled_qty, floor[order].filled_avg_price) == ("filled", ZERO, None)
    assert (floor.account.cash, floor.account.positions, executions(floor)) == (DOLLARS, {}, [])


def test_a_bust_is_a_row_that_names_the_execution_and_its_fee_comes_back_with_it() -> None:
    floor = quoted(has_fees=True, regulatory=RegulatoryFees(sec_usd_per_million=Decimal(20)))
    floor.order()
    floor.order(side="sell")
    sold = executions(floor)[1]
    bust(floor, sold)
    fill, fee = floor.account.activities[-2:]
    assert [(row.activity_type, row.execution_type, row.previous_id) for row in (fill, fee)] == [
        ("FILL", "trade_bust", sold), ("FEE", "trade_bust", sold),
    ]  # fmt: skip
    assert (fill.net_amount, fee.net_amount) == (Decimal("-999.9"), Decimal("0.02"))
    assert len({row.id for row in floor.account.activities}) == 5
    assert floor.account.positions["SPY"] == Position(Decimal(10), Decimal("1000.1"))


def test_a_bust_of_coins_takes_the_coins_that_were_left_after_the_fee() -> None:
    floor = quoted(has_fees=True)
    floor.order("BTC/USD", qty="0.000617391", time_in_force="gtc")
    floor.order("BTC/USD", qty="0.1", time_in_force="gtc")
    bust(floor, executions(floor)[0])
    assert floor.account.qty("BTC/USD") == Decimal("0.09975")


def test_an_average_entry_is_what_it_would_have_been() -> None:
    floor = quoted()
    floor.order(qty="10")
    floor.quote(109.99, 110.01)
    floor.order(qty="10")
    floor.order(side="sell", qty="10")
    bust(floor, executions(floor)[1])
    assert floor.account.positions == {}
    floor = quoted()
    floor.order(qty="10")
    floor.quote(109.99, 110.01)
    floor.order(qty="30")
    bust(floor, executions(floor)[0])
    assert floor.account.positions["SPY"].avg_entry_price == Decimal("110.01")


def test_a_bust_of_what_was_sold_since_leaves_a_short_position() -> None:
    floor = quoted()
    floor.order()
    bought = executions(floor)[0]
    floor.order(side="sell")
    bust(floor, bought)
    assert floor.account.positions["SPY"] == Position(Decimal(-10), Decimal("999.9"))
    floor.order(qty="10")
    assert floor.account.positions == {}


def test_a_correction_is_in_the_place_of_the_execution_it_corrects() -> None:
    floor = quoted()
    order = floor.order()
    (execution,) = executions(floor)
    update = correct(floor, execution, "99", "8")
    assert isinstance(update, TradeUpdate)
    assert (update.event, update.previous_execution_id) == ("trade_correct", execution)
    assert (update.qty, update.price, update.position_qty) == (Decimal(8), Decimal(99), Decimal(8))
    assert (floor[order].filled_qty, floor[order].filled_avg_price) == (Decimal(8), Decimal(99))
    assert floor.account.cash == DOLLARS - 792
    assert [row.execution_type for row in floor.account.activities] == ["fill", "trade_bust", "trade_correct"]
    assert {row.previous_id for row in floor.account.activities[1:]} == {execution}
    assert executions(floor) == [update.execution_id]
    again = correct(floor, update.execution_id, qty="10")
    assert isinstance(again, TradeUpdate)
    assert floor.account.positions["SPY"] == Position(Decimal(10), Decimal(990))
    bust(floor, again.execution_id)
    assert (floor.account.cash, floor.account.positions) == (DOLLARS, {})


def test_an_open_order_goes_on_with_more_to_fill() -> None:
    floor = quoted(has_sizes=True)
    order = floor.order(qty="150")
    bust(floor, executions(floor)[0])
    assert (floor[order].status, floor[order].filled_qty) == ("new", ZERO)
    floor.quote(99.0, 99.5)
    floor.quote(99.0, 99.5)
    assert (floor[order].status, floor[order].filled_avg_price) == ("filled", Decimal("99.5"))
    ids = [update.execution_id for update in floor.told if update.execution_id]
    assert len(set(ids)) == len(ids) == 4


def test_an_order_whose_cancel_is_on_the_way_stays_so() -> None:
    floor = quoted(has_sizes=True, latency_ns=SECOND)
    order = floor.order(qty="150")
    floor.wait_until(floor.now + SECOND)
    floor.cancel(order)
    bust(floor, executions(floor)[0])
    assert floor[order].status == "pending_cancel"
    floor.wait_until(floor.now + SECOND)
    assert (floor[order].status, floor[order].filled_qty) == ("canceled", ZERO)


def test_a_correction_may_complete_an_open_order() -> None:
    floor = quoted(has_sizes=True)
    order = floor.order(qty="150")
    (loss,) = floor[floor.order("ODD", qty="150", order_class="oto", loss="45")].legs
    correct(floor, executions(floor)[0], qty="150")
    assert (floor[order].status, floor[order].filled_at) == ("filled", floor.now)
    correct(floor, executions(floor)[0], qty="150")
    assert floor[loss].status == "new"


def test_open_orders_that_the_position_does_not_cover_any_more_end() -> None:
    floor = quoted()
    floor.order(qty="10")
    floor.order(qty="5")
    first, second = (floor.order(side="sell", qty=qty, type="limit", limit_price="105") for qty in ("9", "6"))
    correct(floor, executions(floor)[1], qty="1")
    assert [floor[order].status for order in (first, second)] == ["new", "canceled"]
    bust(floor, executions(floor)[0])
    assert floor[first].status == "canceled"


def test_exits_whose_position_is_taken_back_end() -> None:
    floor = quoted()
    legs = floor[floor.order(order_class="bracket", profit="110", loss="90")].legs
    bust(floor, executions(floor)[0])
    assert {floor[leg].status for leg in legs} == {"canceled"}


def test_an_exit_that_did_not_fill_so_much_shares_what_is_left_again() -> None:
    floor = quoted(has_sizes=True)
    profit, loss = floor[floor.order(order_class="bracket", profit="110", loss="90")].legs
    floor.quote(110.5, 110.6, size=4)
    correct(floor, executions(floor)[-1], qty="3")
    assert (floor[profit].filled_qty, floor[loss].qty) == (Decimal(3), Decimal(7))
    told = len(floor.events(loss))
    correct(floor, executions(floor)[-1], price="111")
    assert (len(floor.events(loss)), floor[profit].filled_avg_price) == (told, Decimal(111))


def test_what_cannot_be_taken_back_or_corrected_is_refused() -> None:
    floor = quoted()
    floor.order()
    (execution,) = executions(floor)
    answers = [correct(floor, execution, qty=qty) for qty in ("0", "11")]
    answers += [correct(floor, execution, price="-1"), bust(floor, "none")]
    assert [answer.status for answer in answers if isinstance(answer, Refusal)] == [422, 422, 422, 404]
    floor.venue.split("SPY", Decimal(2), now=floor.now)
    answer = bust(floor, execution)
    assert isinstance(answer, Refusal)
    assert answer.message == "execution was before a split"


def test_a_split_scales_positions_and_prices_and_ends_open_orders() -> None:
    floor = quoted()
    floor.venue.open_account("b", DOLLARS)
    floor.order(qty="7.5")
    order = floor.order(type="limit", limit_price="95")
    before = floor.account.equity
    floor.venue.split("SPY", Decimal(4), now=floor.now)
    floor.look()
    assert floor[order].status == "canceled"
    position = floor.account.positions["SPY"]
    assert (position.qty, position.avg_entry_price) == (Decimal(30), Decimal("25.0025"))
    assert floor.account.equity == before
    row = floor.account.activities[-1]
    assert (row.activity_type, row.qty, row.old_qty, row.new_qty) == (
        "SPLIT", Decimal("22.5"), Decimal("7.5"), Decimal(30),
    )  # fmt: skip
    assert floor.venue.accounts["b"].activities == []
    floor.order(side="sell", qty="30")
    assert floor.fills()[-1] == (Decimal(30), Decimal("24.9975"))


def test_a_reverse_split_of_a_short_keeps_its_sign() -> None:
    floor = quoted()
    floor.order(side="sell")
    floor.venue.split("SPY", Decimal("0.1"), now=floor.now)
    assert floor.account.positions["SPY"] == Position(Decimal(-1), Decimal("999.9"))
    assert floor.venue.markets["SPY"].ask == Decimal("1000.1")


def test_two_splits_of_one_moment_are_two_rows() -> None:
    floor = quoted()
    floor.order()
    floor.venue.split("SPY", Decimal(2), now=floor.now)
    floor.venue.split("SPY", Decimal(2), now=floor.now)
    floor.look()
    first, second = floor.account.activities[-2:]
    assert first.id != second.id
    assert [first.new_qty, second.new_qty] == [20, 40]
