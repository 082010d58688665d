"""Faults on a stage: each at its time, on what fits, written down; what each kind does to venue and hubs."""

from collections.abc import Callable
from decimal import Decimal
from math import isnan
from typing import Any

import pytest

from tests.exchange.faulty import START, Theatre, kinds_of
from trader.access.alpaca.wire_data import (
    BarMessage,
    CancelErrorMessage,
    CorrectionMessage,
    StatusMessage,
    TradeMessage,
    UpdatedBarMessage,
)
from trader.access.alpaca.wire_time import extension
from trader.errors import ConfigError
from trader.exchange import faults
from trader.exchange.fault_script import Script
from trader.exchange.faults import PATIENCE
from trader.exchange.faults_connections import Drop
from trader.exchange.rest_faults import RestFault
from trader.exchange.tampering import MOST_ARMED
from trader.model.time import MINUTE, SECOND

POST = "POST /v2/orders"
HALF_A_MINUTE = START + 30 * SECOND
BAR = BarMessage("SPY", 100.0, 101.0, 99.0, 100.5, 500, extension(START), 4, 100.1)
TRADE = TradeMessage("SPY", 100.0, 5, extension(START), id=17)


def after(theatre: Theatre, seconds: float = 0) -> tuple[str, str]:
    """Let time pass and return how the first fault stands, with what it hit or why it did not."""
    first = theatre.later(seconds)[0]
    return first.state, first.on or first.why


# The schedule


def test_faults_happen_at_their_times_in_the_order_of_the_script() -> None:
    theatre = Theatre(
        {"kind": "drop", "at": "+2s"},
        {"kind": "mute", "at": "+1s", "for": "5s"},
        {"kind": "drop", "at": "+2s", "socket": "crypto"},
    )
    theatre.later(0.5)
    assert theatre.lines["stock"].calls == []
    theatre.later(0.5)
    assert theatre.lines["stock"].calls == [("mute", START + 6 * SECOND)]
    theatre.later(60)
    assert theatre.lines["stock"].calls[1:] == theatre.lines["crypto"].calls == [("drop",)]


def test_a_fault_without_a_target_waits_for_one_and_says_so() -> None:
    theatre = Theatre({"kind": "unsolicited_cancel"})
    assert after(theatre) == ("waiting", "no open order that fits")
    order = theatre.order("o1")
    assert after(theatre, 1) == ("fired", "order o1 of A")
    assert theatre.status(order) == "canceled"


def test_a_fault_that_never_finds_a_target_is_given_up() -> None:
    theatre = Theatre({"kind": "bust"})
    for _ in range(PATIENCE // MINUTE + 1):
        theatre.later(60)
    assert after(theatre) == ("given up", "no execution that fits")


def test_what_a_fault_chooses_follows_from_the_seed_alone() -> None:
    def chosen(seed: int) -> str:
        theatre = Theatre({"kind": "unsolicited_cancel"}, seed=seed)
        for number in range(20):
            theatre.order(f"o{number}")
        return after(theatre)[1]

    assert chosen(1) == chosen(1)
    assert len({chosen(seed) for seed in range(10)}) > 5


def test_the_newest_and_the_oldest_can_be_asked_for() -> None:
    for pick, expected in (("newest", "order o2 of B"), ("oldest", "order o0 of A")):
        theatre = Theatre({"kind": "unsolicited_cancel", "pick": pick})
        for number, account in enumerate("ABB"):
            theatre.later(0)
            theatre.now += SECOND
            theatre.schedule = theatre.scheduled({"kind": "unsolicited_cancel", "pick": pick, "at": "+1h"})
            theatre.order(f"o{number}", account)
        assert after(theatre, 3600) == ("fired", expected)


def test_an_account_and_a_symbol_can_be_asked_for() -> None:
    theatre = Theatre({"kind": "unsolicited_cancel", "account": "B", "symbol": "SPY"})
    theatre.order("a")
    theatre.order("b", "B", symbol="BTC/USD", time_in_force="gtc", limit_price=Decimal(900))
    assert after(theatre)[0] == "waiting"
    theatre.order("c", "B")
    assert after(theatre, 1) == ("fired", "order c of B")


def test_the_log_is_a_row_for_each_fault_that_can_be_sent_anywhere() -> None:
    theatre = Theatre({"kind": "drop", "at": "+1s"}, {"kind": "bust"})
    theatre.later(1)
    assert [planned.row() for planned in theatre.schedule.log] == [
        {
            "number": 0,
            "state": "fired",
            "due": "2026-01-05T14:30:01Z",
            "fired_at": "2026-01-05T14:30:01Z",
            "on": "stock",
            "why": "",
            "hits": [],
            "fault": {"kind": "drop", "socket": "stock", "at": "+1s"},
        },
        {
            "number": 1,
            "state": "waiting",
            "due": "2026-01-05T14:30:00Z",
            "fired_at": None,
            "on": "",
            "why": "no execution that fits",
            "hits": [],
            "fault": {"kind": "bust", "account": "", "symbol": "", "pick": "any", "at": "+0s"},
        },
    ]


def test_faults_beyond_all_measure_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "MOST_FAULTS", 3)
    theatre = Theatre({"kind": "drop"}, {"kind": "drop"})
    with pytest.raises(ConfigError, match="4 faults; an exchange has at most 3"):
        theatre.schedule.add(Script(0, (Drop(), Drop())))


def test_what_cannot_be_armed_any_more_has_failed_and_the_rest_goes_on() -> None:
    one: dict[str, object] = {"kind": "late_bar"}
    theatre = Theatre(*[one] * (MOST_ARMED + 1), {"kind": "drop"})
    log = theatre.later(0)
    assert [planned.state for planned in log[-3:]] == ["fired", "failed", "fired"]
    assert "1000 changes of market data wait already" in log[-2].why


# Connections


@pytest.mark.parametrize(
    ("fault", "socket", "call"),
    [
        ({"kind": "drop"}, "stock", ("drop",)),
        ({"kind": "drop", "socket": "trading"}, "trading", ("drop",)),
        ({"kind": "half_open", "socket": "crypto"}, "crypto", ("freeze", HALF_A_MINUTE)),
        ({"kind": "half_open", "socket": "trading"}, "trading", ("freeze", HALF_A_MINUTE)),
        ({"kind": "mute", "for": "90s"}, "stock", ("mute", START + 90 * SECOND)),
        ({"kind": "connection_limit"}, "stock", ("occupy", HALF_A_MINUTE)),
        ({"kind": "too_many_requests", "count": 2}, "stock", ("refuse_handshakes", 2)),
    ],
)
def test_faults_of_sockets_reach_their_sessions(fault: dict[str, object], socket: str, call: tuple[Any, ...]) -> None:
    theatre = Theatre(fault)
    theatre.later(0)
    assert [(name, lines.calls) for name, lines in theatre.lines.items() if lines.calls] == [(socket, [call])]


@pytest.mark.parametrize(
    ("fault", "call"),
    [
        ({"kind": "duplicate_update", "count": 3}, ("duplicate", 3)),
        ({"kind": "reorder_updates"}, ("reorder", 1)),
        ({"kind": "missing_update", "count": 2}, ("lose", 2)),
    ],
)
def test_faults_of_updates_reach_the_hub(fault: dict[str, object], call: tuple[Any, ...]) -> None:
    theatre = Theatre(fault)
    theatre.later(0)
    assert (theatre.data.calls, theatre.trading.calls) == ([], [call])


def test_a_slow_socket_is_the_hub_s() -> None:
    theatre = Theatre({"kind": "slow", "delay": "1500ms"})
    theatre.later(0)
    assert theatre.data.calls == [("slow", "stock", HALF_A_MINUTE, SECOND * 3 // 2)]


# Requests


@pytest.mark.parametrize(
    ("fault", "armed"),
    [
        ({"kind": "rest_status", "status": 429}, RestFault(kind="status", match=POST, status=429)),
        ({"kind": "accepted_then_504"}, RestFault(kind="accepted", match=POST)),
        ({"kind": "answer_lost", "method": "DELETE"}, RestFault(kind="lost", match="DELETE /v2/orders")),
        ({"kind": "answer_late", "delay": "3s"}, RestFault(kind="late", match=POST, delay_s=3)),
        ({"kind": "garbage_answer", "method": ""}, RestFault(kind="garbage")),
        ({"kind": "fill_before_answer"}, RestFault(kind="overtaken", match=POST, delay_s=2)),
    ],
)
def test_faults_of_requests_wait_for_theirs(fault: dict[str, object], armed: RestFault) -> None:
    theatre = Theatre(fault)
    theatre.later(0)
    method, path = armed.match.split() if armed.match else ("GET", "/v2/account")
    assert theatre.rest.take("PATCH", "/v1/elsewhere") == (None if armed.match else armed)
    assert theatre.rest.take(method, path) == (armed if armed.match else None)


# Orders and executions


def test_an_order_that_was_taken_is_rejected_if_it_has_not_filled() -> None:
    theatre = Theatre({"kind": "reject_after_accept"})
    theatre.bought("filled")
    order = theatre.order("open")
    assert after(theatre) == ("fired", "order open of A")
    assert theatre.status(order) == "rejected"
    assert [update.event for update in theatre.told][-1] == "rejected"


def test_a_bust_takes_an_execution_back() -> None:
    theatre = Theatre({"kind": "bust"})
    theatre.bought("o1")
    state, on = after(theatre)
    assert (state, on.split()[0], on.split()[-1]) == ("fired", "execution", "A")
    assert theatre.books().cash == Decimal(100_000)
    assert theatre.books().positions == {}
    assert theatre.told[-1].event == "trade_bust"


def test_a_busted_execution_is_not_busted_again() -> None:
    theatre = Theatre({"kind": "bust"}, {"kind": "bust"})
    theatre.bought("o1")
    assert [planned.state for planned in theatre.later(0)] == ["fired", "waiting"]


def test_a_correction_makes_an_execution_worse_for_the_account() -> None:
    theatre = Theatre({"kind": "correct_execution", "worse": 0.02})
    theatre.bought("o1")
    assert after(theatre)[0] == "fired"
    assert theatre.told[-1].event == "trade_correct"
    assert theatre.told[-1].price == Decimal("102.05")  # bought at 100.05
    assert theatre.books().cash == Decimal("98979.5")


def test_a_manual_order_is_one_that_no_program_knows() -> None:
    theatre = Theatre({"kind": "manual_order", "account": "A", "symbol": "SPY", "qty": 3})
    state, on = after(theatre)
    (order,) = theatre.books().orders.values()
    assert (state, on) == ("fired", f"buy SPY for A: order {order.client_order_id}")
    assert order.status == "filled"
    assert theatre.books().qty("SPY") == 3


def test_a_manual_order_without_a_symbol_is_of_one_in_use() -> None:
    theatre = Theatre({"kind": "manual_order", "account": "A"})
    assert after(theatre) == ("waiting", "no symbol is held or ordered yet; name one")
    theatre.order("coin", symbol="BTC/USD", time_in_force="gtc", limit_price=Decimal(900))
    assert after(theatre, 1)[0] == "fired"
    assert theatre.books().qty("BTC/USD") * 1000 > 99  # a hundred dollars of it


def test_a_manual_order_that_the_venue_refuses_is_tried_again() -> None:
    theatre = Theatre({"kind": "manual_order", "account": "A", "symbol": "SPY", "side": "sell", "qty": 0.5})
    state, why = after(theatre)
    assert (state, why.split(":")[0]) == ("waiting", "refused")
    theatre.bought("o1")
    assert after(theatre, 1)[0] == "fired"


def test_money_moves_without_a_trade() -> None:
    theatre = Theatre({"kind": "money_moved", "account": "A", "type": "DIV", "symbol": "SPY", "amount": "3.25"})
    before = theatre.books().cash
    assert after(theatre) == ("fired", "3.25 dollars (DIV) of A")
    assert theatre.books().cash - before == Decimal("3.25")
    assert [row.activity_type for row in theatre.books().activities] == ["DIV"]
    theatre.books().check()


# The market


def test_a_halt_stops_matching_is_told_as_a_status_and_ends_by_itself() -> None:
    theatre = Theatre({"kind": "halt", "symbol": "SPY", "for": "60s"})
    assert after(theatre) == ("fired", "SPY")
    order = theatre.bought("waits")
    assert theatre.status(order) == "new"
    log = theatre.later(60)
    assert [(planned.state, planned.on) for planned in log] == [("fired", "SPY"), ("fired", "SPY")]
    theatre.quote("SPY", 100)
    assert theatre.status(order) == "filled"
    assert [message.code for _, message in theatre.sent if isinstance(message, StatusMessage)] == ["2", "3"]


def test_a_halt_without_a_symbol_is_of_one_in_use_and_a_coin_has_no_status() -> None:
    theatre = Theatre({"kind": "halt"})
    assert after(theatre)[0] == "waiting"
    theatre.order("coin", "B", symbol="BTC/USD", time_in_force="gtc", limit_price=Decimal(900))
    assert after(theatre, 1) == ("fired", "BTC/USD")
    assert theatre.sent == []


def test_what_the_venue_allows_with_a_symbol_can_be_changed() -> None:
    theatre = Theatre({"kind": "asset", "symbol": "SPY", "tradable": False, "shortable": True})
    assert after(theatre) == ("fired", "SPY: tradable false, shortable true")
    asset = theatre.venue.assets["SPY"]
    assert (asset.is_tradable, asset.is_shortable, asset.is_fractionable) == (False, True, True)


def test_a_split_doubles_the_shares_that_are_held_at_half_the_price() -> None:
    theatre = Theatre({"kind": "split"})
    assert after(theatre) == ("waiting", "no stock is held yet; name one")
    theatre.bought("o1")
    assert after(theatre, 1) == ("fired", "SPY, 2 for 1")
    assert theatre.books().qty("SPY") == 20
    assert theatre.books().equity == Decimal(100_000) - Decimal("0.5")  # what was paid above the middle


# Market data


def test_a_bar_that_cannot_be_true_goes_out_in_the_place_of_the_true_one() -> None:
    flaws: dict[str, Callable[[Any], bool]] = {
        "high_below_low": lambda bar: bar.high < bar.low,
        "zero_price": lambda bar: bar.open == bar.low == 0,
        "negative_volume": lambda bar: bar.volume < 0,
        "not_a_number": lambda bar: isnan(bar.close),
    }
    for flaw, is_wrong in flaws.items():
        theatre = Theatre({"kind": "bad_bar", "flaw": flaw})
        theatre.later(0)
        theatre.tape.publish("stock", [BAR])
        ((_, bar),) = theatre.sent
        assert is_wrong(bar), flaw
        assert theatre.schedule.log[0].hits == ["SPY"]


def test_a_late_bar_comes_after_its_delay() -> None:
    theatre = Theatre({"kind": "late_bar", "delay": "45s"})
    theatre.later(0)
    theatre.tape.publish("stock", [BAR])
    theatre.later(44)
    assert theatre.sent == []
    theatre.later(1)
    assert theatre.sent == [("stock", BAR)]


def test_a_duplicate_bar_comes_twice() -> None:
    theatre = Theatre({"kind": "duplicate_bar", "count": 2})
    theatre.later(0)
    for _ in range(3):
        theatre.tape.publish("stock", [BAR])
    assert theatre.sent == [("stock", BAR)] * 5


def test_a_corrected_bar_is_wrong_first_and_right_as_an_update() -> None:
    theatre = Theatre({"kind": "corrected_bar", "factor": 1.1})
    theatre.later(0)
    theatre.tape.publish("stock", [BAR])
    theatre.later(30)
    (_, wrong), (_, right) = theatre.sent
    assert isinstance(wrong, BarMessage)
    assert (wrong.open, wrong.high, wrong.low, wrong.close, wrong.volume) == (110.0, 111.1, 108.9, 110.55, 500)
    assert isinstance(right, UpdatedBarMessage)
    assert (right.stamp, right.close, right.vwap) == (BAR.stamp, BAR.close, BAR.vwap)


def test_a_print_with_a_wrong_price_is_corrected() -> None:
    theatre = Theatre({"kind": "trade_correction", "symbol": "SPY"})
    theatre.later(0)
    theatre.tape.publish("stock", [TRADE])
    theatre.later(5)
    (_, wrong), (_, correction) = theatre.sent
    assert isinstance(wrong, TradeMessage)
    assert isinstance(correction, CorrectionMessage)
    assert (wrong.price, correction.old_price, correction.new_price) == (102.0, 102.0, 100.0)
    assert (wrong.id, correction.old_id) == (17, 17)


def test_a_print_that_never_was_is_canceled() -> None:
    theatre = Theatre({"kind": "trade_correction", "action": "cancel"})
    theatre.later(0)
    theatre.tape.publish("stock", [TRADE])
    assert kinds_of(theatre.sent) == [("t", "SPY"), ("t", "SPY")]
    theatre.later(5)
    false, cancel = theatre.sent[1][1], theatre.sent[2][1]
    assert isinstance(false, TradeMessage)
    assert isinstance(cancel, CancelErrorMessage)
    assert (cancel.id, cancel.price) == (false.id, false.price)
    assert theatre.sent[0] == ("stock", TRADE)


def test_faults_of_bars_pass_over_what_nobody_wants_and_what_they_are_not_about() -> None:
    theatre = Theatre({"kind": "bad_bar", "symbol": "QQQ"}, {"kind": "duplicate_bar"})
    theatre.later(0)
    theatre.wanted = {"QQQ"}
    theatre.tape.publish("stock", [BAR, TRADE])
    assert theatre.sent == [("stock", BAR), ("stock", TRADE)]
    assert len(theatre.tape.armed) == 2
