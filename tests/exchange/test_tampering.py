"""The stage between market and sockets: what passes, what is changed, what comes later."""

import pytest

from tests.exchange.faulty import START
from trader.access.alpaca.wire_data import BarMessage, DataMessage, TradeMessage
from trader.access.alpaca.wire_time import extension
from trader.exchange import tampering
from trader.exchange.tampering import Change, Sent, Tampering
from trader.model.time import SECOND

BAR = BarMessage("SPY", 1, 1, 1, 1, 1, extension(START))
COIN = BarMessage("BTC/USD", 1, 1, 1, 1, 1, extension(START))
TRADE = TradeMessage("SPY", 1, 1, extension(START), id=1)


class Tape(Tampering):
    """Keeps what it sends; ``clock`` is where its time stands."""

    def __init__(self) -> None:
        self.out: list[tuple[str, DataMessage]] = []
        self.frames = 0
        self.clock = START
        super().__init__(self._keep, now=lambda: self.clock, wants=lambda *_: True)

    def _keep(self, endpoint: str, messages: object) -> None:
        self.frames += 1
        self.out += [(endpoint, message) for message in messages]  # type: ignore[attr-defined]


def twice(*, symbol: str = "", endpoint: str = "", count: int = 1) -> Change:
    return Change(BarMessage, endpoint, symbol, count, lambda one, _: Sent([one, one]), lambda _: None)


def held_back(*delays: int) -> Change:
    def held(message: DataMessage, now: int) -> Sent:
        return Sent([], [(now + delay * SECOND, message) for delay in delays])

    return Change(BarMessage, "", "", 1, held, lambda _: None)


def test_messages_pass_in_one_frame_when_nothing_is_armed() -> None:
    tape = Tape()
    tape.publish("stock", [BAR, TRADE])
    assert tape.out == [("stock", BAR), ("stock", TRADE)]
    assert tape.frames == 1


def test_a_change_strikes_its_kind_its_symbol_and_its_endpoint_as_often_as_it_says() -> None:
    tape = Tape()
    tape.arm(twice(symbol="SPY", endpoint="stock", count=2))
    for _ in range(3):
        tape.publish("crypto", [COIN])
        tape.publish("stock", [TRADE, BAR])
    assert [message for _, message in tape.out].count(BAR) == 5
    assert [message for _, message in tape.out].count(COIN) == 3
    assert not tape.armed


def test_two_changes_strike_two_messages() -> None:
    tape = Tape()
    tape.arm(twice())
    tape.arm(twice())
    tape.publish("stock", [BAR])
    assert len(tape.out) == 2
    tape.publish("stock", [BAR])
    assert len(tape.out) == 4


def test_what_is_held_back_comes_in_the_order_of_its_times_and_no_empty_frame_before() -> None:
    tape = Tape()
    tape.arm(held_back(3))
    tape.arm(held_back(1, 2))
    tape.publish("stock", [BAR])
    tape.publish("crypto", [COIN])
    assert tape.frames == 0
    tape.clock += 2 * SECOND
    tape.tick()
    assert tape.out == [("crypto", COIN), ("crypto", COIN)]
    tape.clock += SECOND
    tape.tick()
    assert tape.out[2:] == [("stock", BAR)]


def test_too_much_held_back_goes_out_before_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tampering, "MOST_HELD", 2)
    tape = Tape()
    for delay in (5, 6, 7):
        tape.arm(held_back(delay))
        tape.publish("stock", [BAR])
    tape.tick()
    assert len(tape.out) == 1


def test_too_many_changes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tampering, "MOST_ARMED", 1)
    tape = Tape()
    tape.arm(twice())
    with pytest.raises(ValueError, match="wait already for messages that nobody subscribed to"):
        tape.arm(twice())
