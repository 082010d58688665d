"""One connection to trade updates: every message in every state, and that no update is lost."""

import json
from itertools import product
from typing import Any

import pytest

from trader.access.alpaca.protocol import ANSWER_WITHIN
from trader.access.alpaca.protocol_trading import TradingProtocol
from trader.access.alpaca.stream_events import (
    Authenticated,
    Malformed,
    ReconnectWanted,
    State,
    Stopped,
    Subscribed,
    Unexpected,
    Updated,
)
from trader.access.alpaca.wire_trading import Authenticate, Keys, Listen, StreamsData, decode_trading_request

KEYS = Keys("key", "hush")
NOW = 10**18


def frame(stream: str, **data: Any) -> str:
    return json.dumps({"stream": stream, "data": data})


MESSAGES = {
    "authorized": frame("authorization", status="authorized", action="authenticate", message="deprecated"),
    "unauthorized": frame("authorization", status="unauthorized", action="authenticate"),
    "listening": frame("listening", streams=["trade_updates"]),
    "listening to nothing": frame("listening", streams=[]),
    "update": frame("trade_updates", event="new", order={"id": "o", "client_order_id": "c", "symbol": "A"}),
    "no order": frame("trade_updates", event="new"),
    "other": frame("weather"),
    "noise": "{",
}
TABLE: dict[tuple[State, str], tuple[State, tuple[type[Any], ...]]] = {
    (State.AUTHENTICATING, "authorized"): (State.SUBSCRIBING, (Authenticated,)),
    (State.AUTHENTICATING, "unauthorized"): (State.REFUSED, (Stopped,)),
    (State.SUBSCRIBING, "unauthorized"): (State.CLOSED, (ReconnectWanted,)),
    (State.SUBSCRIBING, "listening"): (State.STREAMING, (Subscribed,)),
    (State.SUBSCRIBING, "listening to nothing"): (State.REFUSED, (Stopped,)),
    (State.STREAMING, "unauthorized"): (State.CLOSED, (ReconnectWanted,)),
    (State.STREAMING, "listening to nothing"): (State.CLOSED, (ReconnectWanted,)),
}
LIVE = (State.AUTHENTICATING, State.SUBSCRIBING, State.STREAMING)
for _state in LIVE:
    TABLE[_state, "update"] = (_state, (Updated,))
    TABLE[_state, "noise"] = (_state, (Malformed,))
for _state, _name in product((State.REFUSED, State.CLOSED), MESSAGES):
    TABLE[_state, _name] = (_state, ())


def sent(protocol: TradingProtocol) -> list[Any]:
    return [decode_trading_request(request) for request in protocol.bytes_to_send()]


def in_state(state: State) -> TradingProtocol:
    protocol = TradingProtocol(KEYS)
    protocol.begin(NOW)
    paths: dict[State, tuple[str, ...]] = {
        State.AUTHENTICATING: (),
        State.SUBSCRIBING: ("authorized",),
        State.STREAMING: ("authorized", "listening"),
        State.REFUSED: ("unauthorized",),
        State.CLOSED: ("authorized", "unauthorized"),
    }
    for name in paths[state]:
        protocol.receive(MESSAGES[name], NOW)
    sent(protocol)
    assert protocol.state is state
    return protocol


@pytest.mark.parametrize(("state", "name"), list(product((*LIVE, State.REFUSED, State.CLOSED), MESSAGES)))
def test_every_message_in_every_state_does_what_the_table_says(state: State, name: str) -> None:
    protocol = in_state(state)
    events = protocol.receive(MESSAGES[name].encode(), NOW)
    after, kinds = TABLE.get((state, name), (state, (Unexpected,)))
    assert (protocol.state, tuple(map(type, events))) == (after, kinds)
    assert (protocol.next_timer() is None) == (after in {State.STREAMING, State.REFUSED, State.CLOSED})


def test_connection_comes_to_listen() -> None:
    protocol = TradingProtocol(KEYS)
    assert sent(protocol) == []
    protocol.begin(NOW)
    assert sent(protocol) == [Authenticate(KEYS)]
    assert protocol.receive(MESSAGES["authorized"], NOW) == [Authenticated("deprecated")]
    assert sent(protocol) == [Listen(StreamsData(("trade_updates",)))]
    assert protocol.receive(MESSAGES["listening"], NOW) == [Subscribed()]


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (State.AUTHENTICATING, "no answer to the keys within 10 s"),
        (State.SUBSCRIBING, "no answer to listen within 10 s"),
    ],
)
def test_server_that_does_not_answer_is_left(state: State, text: str) -> None:
    protocol = in_state(state)
    assert protocol.on_timer(NOW + ANSWER_WITHIN - 1) == []
    assert protocol.next_timer() == NOW + ANSWER_WITHIN
    assert protocol.on_timer(NOW + ANSWER_WITHIN) == [ReconnectWanted(0, text)]
    assert protocol.state is State.CLOSED
    assert protocol.on_timer(NOW + ANSWER_WITHIN) == []


def test_refusal_says_what_the_server_said() -> None:
    said = frame("authorization", status="unauthorized", message="no such key")
    assert in_state(State.AUTHENTICATING).receive(said, NOW) == [Stopped(0, "no such key")]


def test_socket_that_goes_is_told_once() -> None:
    protocol = in_state(State.STREAMING)
    assert protocol.closed("1006") == [ReconnectWanted(0, "1006")]
    assert protocol.closed("1006") == []
    refused = in_state(State.REFUSED)
    assert (refused.closed("1000"), refused.state) == ([], State.REFUSED)
