"""One data connection: every message in every state, and the stories that the table does not tell."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.access.alpaca.messages import CODECS, trade
from trader.access.alpaca.protocol import ANSWER_WITHIN, REPEAT_AFTER, DataProtocol
from trader.access.alpaca.stream_events import (
    Authenticated,
    Data,
    Event,
    Malformed,
    Muted,
    Postponed,
    ReconnectWanted,
    State,
    Stopped,
    Subscribed,
    SubscriptionDiffers,
    SubscriptionRefused,
    Unexpected,
)
from trader.access.alpaca.subscriptions import CHUNK
from trader.access.alpaca.wire import JSON, MSGPACK, Codec, Unknown
from trader.access.alpaca.wire_data import (
    Auth,
    Channel,
    ErrorMessage,
    ServerMessage,
    Subscribe,
    SubscriptionMessage,
    SuccessMessage,
    Unsubscribe,
)
from trader.model.time import SECOND

KEYS = Auth("key", "hush")
MUTE = 60 * SECOND
CONNECTED, AUTHENTICATED = SuccessMessage("connected"), SuccessMessage("authenticated")
A, B, C = ((Channel.TRADES, symbol) for symbol in "ABC")


class Client:
    """A protocol with a hand on the clock and on the other end of the wire."""

    def __init__(self, *trades: str, codec: Codec = MSGPACK) -> None:
        self.now = 1000 * SECOND
        self.codec = codec
        self.protocol = DataProtocol(codec, KEYS, mute_after=MUTE)
        self.want(*trades)
        self.protocol.begin(self.now)

    def want(self, *trades: str) -> None:
        self.protocol.want({Channel.TRADES: trades}, self.now)

    def hear(self, *messages: ServerMessage) -> list[Event]:
        return self.protocol.receive(self.codec.encode(messages), self.now)

    def sent(self) -> list[Any]:
        return [self.codec.decode_request(frame) for frame in self.protocol.bytes_to_send()]

    def wait(self, ns: int = 0) -> list[Event]:
        """Let ``ns`` pass, or as long as the next timer takes, and call the timers that are due on the way."""
        until = self.now + ns if ns else self.protocol.next_timer()
        assert until is not None, "nothing is waited for"
        events: list[Event] = []
        while (due := self.protocol.next_timer()) is not None and due <= until:
            self.now = due
            events += self.protocol.on_timer(self.now)
        self.now = until
        return events

    @property
    def state(self) -> State:
        return self.protocol.state


def in_state(state: State) -> Client:
    """Bring a client that wants A there; what it sent on the way is taken."""
    client = Client("A")
    paths: dict[State, tuple[ServerMessage, ...]] = {
        State.CONNECTING: (),
        State.WELCOMED: (CONNECTED, ErrorMessage(406)),
        State.AUTHENTICATING: (CONNECTED,),
        State.SUBSCRIBING: (CONNECTED, AUTHENTICATED),
        State.STREAMING: (CONNECTED, AUTHENTICATED, SubscriptionMessage(trades=("A",))),
        State.REFUSED: (ErrorMessage(402),),
        State.CLOSED: (ErrorMessage(500),),
    }
    for message in paths[state]:
        client.hear(message)
    client.sent()
    assert client.state is state
    return client


MESSAGES: dict[str, ServerMessage] = {
    "connected": CONNECTED,
    "authenticated": AUTHENTICATED,
    "something": SuccessMessage("something"),
    "ack": SubscriptionMessage(trades=("A",)),
    "data": trade(symbol="A"),
}
MESSAGES |= {str(code): ErrorMessage(code, "text") for code in (*range(400, 412), 500, 999)}

# What each message does in each state: the state it leads to and the kinds of events; elsewhere it is Unexpected.
TABLE: dict[tuple[State, str], tuple[State, tuple[type[Any], ...]]] = {
    (State.CONNECTING, "connected"): (State.AUTHENTICATING, ()),
    (State.WELCOMED, "authenticated"): (State.SUBSCRIBING, (Authenticated,)),
    (State.AUTHENTICATING, "authenticated"): (State.SUBSCRIBING, (Authenticated,)),
    (State.AUTHENTICATING, "403"): (State.SUBSCRIBING, (Authenticated,)),
    (State.AUTHENTICATING, "406"): (State.WELCOMED, (Postponed,)),
    (State.SUBSCRIBING, "ack"): (State.STREAMING, (Subscribed,)),
    (State.STREAMING, "ack"): (State.STREAMING, ()),
    **{
        (State.SUBSCRIBING, code): (State.STREAMING, (SubscriptionRefused, Subscribed))
        for code in ("400", "405", "410")
    },
    **{(State.AUTHENTICATING, code): (State.REFUSED, (Stopped,)) for code in ("400", "405", "410")},
    **{
        (state, "406"): (State.CLOSED, (ReconnectWanted,))
        for state in (State.CONNECTING, State.SUBSCRIBING, State.STREAMING)
    },
}
for _state in (State.CONNECTING, State.WELCOMED, State.AUTHENTICATING, State.SUBSCRIBING, State.STREAMING):
    TABLE |= {(_state, code): (State.REFUSED, (Stopped,)) for code in ("402", "408", "409", "411")}
    TABLE |= {(_state, code): (State.CLOSED, (ReconnectWanted,)) for code in ("401", "404", "407", "500")}
    TABLE[_state, "data"] = (_state, (Data,))
for _state, _name in product((State.REFUSED, State.CLOSED), MESSAGES):
    TABLE[_state, _name] = (_state, ())


@pytest.mark.parametrize(("state", "name"), list(product(State, MESSAGES)))
def test_every_message_in_every_state_does_what_the_table_says(state: State, name: str) -> None:
    client = in_state(state)
    events = client.hear(MESSAGES[name])
    after, kinds = TABLE.get((state, name), (state, (Unexpected,)))
    assert (client.state, tuple(map(type, events))) == (after, kinds)
    if after in {State.REFUSED, State.CLOSED}:
        assert client.protocol.next_timer() is None
        assert client.sent() == []
    elif after is not State.STREAMING:
        assert client.protocol.next_timer() is not None  # every wait has an end


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_connection_comes_to_stream(codec: Codec) -> None:
    client = Client("A", "B", codec=codec)
    assert client.sent() == []
    assert client.hear(CONNECTED) == []
    assert client.sent() == [KEYS]
    assert client.hear(AUTHENTICATED) == [Authenticated()]
    assert client.sent() == [Subscribe(trades=("A", "B"))]
    ack = SubscriptionMessage(trades=("B", "A"), quotes=(), corrections=("A", "B"), cancel_errors=("A", "B"))
    assert client.hear(ack) == [Subscribed(frozenset({A, B}))]
    one = trade(codec, symbol="A")
    assert client.hear(one, one) == [Data([one, one])]


def test_nothing_wanted_is_streaming_at_once() -> None:
    client = Client()
    client.hear(CONNECTED)
    assert client.hear(AUTHENTICATED) == [Authenticated(), Subscribed(frozenset())]
    assert (client.state, client.protocol.next_timer()) == (State.STREAMING, None)


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (State.CONNECTING, "no welcome within 10 s"),
        (State.AUTHENTICATING, "no answer to the keys within 10 s"),
        (State.SUBSCRIBING, "no acknowledgement of a subscription within 10 s"),
    ],
)
def test_server_that_does_not_answer_is_left(state: State, text: str) -> None:
    client = in_state(state)
    assert client.wait(ANSWER_WITHIN - 1) == []
    assert client.wait() == [ReconnectWanted(0, text)]
    assert client.state is State.CLOSED


def test_keys_are_shown_again_on_the_same_socket_with_growing_waits() -> None:
    client = in_state(State.AUTHENTICATING)
    for attempt, pause in enumerate(REPEAT_AFTER, start=1):
        assert client.hear(ErrorMessage(406, "limit")) == [Postponed(client.now + pause, attempt, "limit")]
        before = client.now
        assert client.wait() == []
        assert (client.now - before, client.sent(), client.state) == (pause, [KEYS], State.AUTHENTICATING)
    assert list(REPEAT_AFTER) == sorted(REPEAT_AFTER)
    assert client.hear(ErrorMessage(406, "limit")) == [ReconnectWanted(406, "limit")]


def test_place_that_becomes_free_is_taken() -> None:
    client = in_state(State.WELCOMED)
    client.wait()
    assert client.hear(AUTHENTICATED) == [Authenticated()]
    assert client.sent() == [KEYS, Subscribe(trades=("A",))]


def test_refusal_says_why() -> None:
    assert in_state(State.AUTHENTICATING).hear(ErrorMessage(402, "auth failed")) == [Stopped(402, "auth failed")]
    assert in_state(State.STREAMING).hear(ErrorMessage(407, "slow client")) == [ReconnectWanted(407, "slow client")]


def test_limit_leaves_the_previous_set_in_force_and_tells_what_was_asked() -> None:
    client = in_state(State.STREAMING)
    client.want("A", "B", "C")
    assert client.sent() == [Subscribe(trades=("B", "C"))]
    limit = ErrorMessage(405, "symbol limit exceeded")
    refused = SubscriptionRefused(405, "symbol limit exceeded", frozenset({B, C}))
    assert client.hear(limit) == [refused, Subscribed(frozenset({A}))]
    assert client.sent() == []  # not asked again by itself
    client.want("A", "B")
    assert client.sent() == [Subscribe(trades=("B",))]


def test_change_at_run_time_drops_first_and_one_by_one() -> None:
    client = in_state(State.STREAMING)
    client.want("B")
    assert client.sent() == [Unsubscribe(trades=("A",))]
    client.want("B", "C")  # wanted while the first change is on its way
    assert client.sent() == []
    assert client.hear(SubscriptionMessage(trades=())) == []
    assert client.sent() == [Subscribe(trades=("B", "C"))]
    assert client.hear(SubscriptionMessage(trades=("B", "C"))) == [Subscribed(frozenset({B, C}))]


def test_change_taken_back_before_its_answer_is_undone_after_it() -> None:
    client = in_state(State.SUBSCRIBING)
    client.want()
    assert client.hear(SubscriptionMessage(trades=("A",))) == []
    assert client.sent() == [Unsubscribe(trades=("A",))]
    assert client.hear(SubscriptionMessage(trades=())) == [Subscribed(frozenset())]


def test_many_symbols_are_asked_for_in_chunks() -> None:
    symbols = [f"S{number:04}" for number in range(2 * CHUNK + 1)]
    client = Client(*symbols)
    client.hear(CONNECTED)
    client.hear(AUTHENTICATED)
    has: list[str] = []
    events: list[Event] = []
    for count in (CHUNK, CHUNK, 1):
        request = client.sent()[-1]
        assert len(request.trades) == count
        has += request.trades
        events += client.hear(SubscriptionMessage(trades=tuple(has)))
    assert has == symbols
    assert [type(event) for event in events] == [Subscribed]


def test_acknowledgement_that_leaves_out_or_adds_is_told_and_put_right_once() -> None:
    client = Client("A", "B")
    client.hear(CONNECTED)
    client.hear(AUTHENTICATED)
    client.sent()
    ack = SubscriptionMessage(trades=("A", "C"))
    assert client.hear(ack) == [SubscriptionDiffers(frozenset({B}), frozenset({C}))]
    assert client.sent() == [Unsubscribe(trades=("C",))]
    differs = SubscriptionDiffers(frozenset(), frozenset({C}))
    assert client.hear(ack) == [differs, Subscribed(frozenset({A, C}))]  # it will not go: told, and left
    assert client.sent() == []


def test_symbol_that_vanishes_unasked_is_told() -> None:
    client = in_state(State.STREAMING)
    assert client.hear(SubscriptionMessage(trades=())) == [SubscriptionDiffers(frozenset({A}), frozenset())]
    client.protocol.resubscribe(client.now)
    assert client.sent() == [Subscribe(trades=("A",))]


def test_resubscribing_asks_for_all_once_more() -> None:
    client = in_state(State.STREAMING)
    client.protocol.resubscribe(client.now)
    assert (client.state, client.sent()) == (State.SUBSCRIBING, [Subscribe(trades=("A",))])
    client.protocol.resubscribe(client.now)
    assert client.sent() == []  # one change at a time
    assert Subscribed(frozenset({A})) in client.hear(SubscriptionMessage(trades=("A",)))


@pytest.mark.parametrize("state", [State.SUBSCRIBING, State.STREAMING])
def test_resubscribing_while_a_change_is_on_its_way_loses_nothing(state: State) -> None:
    client = in_state(State.STREAMING)
    client.want("A", "B")
    if state is State.STREAMING:
        client.hear(SubscriptionMessage(trades=("A", "B")))
    client.protocol.resubscribe(client.now)
    events = client.hear(SubscriptionMessage(trades=("A", "B")))
    assert events == [Subscribed(frozenset({A, B}))]


def test_corrections_that_come_with_trades_are_no_difference_and_may_be_wanted() -> None:
    client = in_state(State.STREAMING)
    client.protocol.want({Channel.TRADES: ["A"], Channel.CORRECTIONS: ["A"]}, client.now)
    assert client.sent() == [Subscribe(corrections=("A",))]
    ack = SubscriptionMessage(trades=("A",), corrections=("A",), cancel_errors=("A",))
    assert client.hear(ack) == [Subscribed(frozenset({A, (Channel.CORRECTIONS, "A")}))]


def test_silence_is_told_only_while_traffic_is_expected() -> None:
    client = in_state(State.STREAMING)
    assert client.protocol.next_timer() is None
    client.protocol.expect_traffic(client.now, is_expected=True)
    began = client.now
    assert client.wait(MUTE - 1) == []
    assert client.wait() == [Muted(began)]
    assert client.wait() == [Muted(client.now - MUTE)]  # again after as long
    client.protocol.expect_traffic(client.now, is_expected=False)
    assert client.protocol.next_timer() is None


def test_data_end_the_silence_and_control_messages_do_not() -> None:
    client = in_state(State.STREAMING)
    client.protocol.expect_traffic(client.now, is_expected=True)
    client.wait(MUTE // 2)
    client.hear(trade(symbol="A"))
    heard = client.now
    client.wait(MUTE // 2)
    client.hear(SubscriptionMessage(trades=("A",)))
    client.protocol.expect_traffic(client.now, is_expected=True)  # said again: no new beginning
    assert client.wait() == [Muted(heard)]


def test_silence_before_and_without_a_subscription_is_no_mute() -> None:
    client = Client()
    client.protocol.expect_traffic(client.now, is_expected=True)
    client.hear(CONNECTED)
    client.hear(AUTHENTICATED)
    assert client.protocol.next_timer() is None


def test_timer_that_fires_early_does_nothing() -> None:
    client = in_state(State.STREAMING)
    client.protocol.expect_traffic(client.now, is_expected=True)
    assert client.protocol.on_timer(client.now) == []
    assert in_state(State.CONNECTING).protocol.on_timer(0) == []


def test_lost_frame_is_told_and_the_stream_goes_on() -> None:
    client = in_state(State.STREAMING)
    (malformed,) = client.protocol.receive(b"\xc1", client.now)
    assert isinstance(malformed, Malformed)
    assert malformed.error.frame == b"\xc1"
    assert client.hear(trade()) == [Data([trade()])]


def test_mixed_frame_gives_its_data_and_does_what_it_says() -> None:
    client = in_state(State.SUBSCRIBING)
    events = client.hear(trade(), SubscriptionMessage(trades=("A",)), trade())
    assert events == [Data([trade(), trade()]), Subscribed(frozenset({A}))]


def test_nothing_after_the_end_of_a_frame_is_acted_on() -> None:
    client = in_state(State.AUTHENTICATING)
    assert client.hear(ErrorMessage(402), AUTHENTICATED) == [Stopped(402, "")]
    assert client.sent() == []


def test_unknown_message_is_handed_on_among_the_data() -> None:
    client = Client("A", codec=JSON)
    (data,) = client.protocol.receive('[{"T":"n"}]', client.now)
    assert isinstance(data, Data)
    assert isinstance(data.messages[0], Unknown)


def test_socket_that_goes_is_told_once() -> None:
    client = in_state(State.STREAMING)
    assert client.protocol.closed("1006") == [ReconnectWanted(0, "1006")]
    assert client.protocol.closed("1006") == []
    refused = in_state(State.REFUSED)
    assert (refused.protocol.closed("1000"), refused.state) == ([], State.REFUSED)


def test_long_text_of_a_server_is_cut() -> None:
    (stopped,) = in_state(State.STREAMING).hear(ErrorMessage(402, "x" * 5000))
    assert isinstance(stopped, Stopped)
    assert len(stopped.text) == 200


def answers(client: Client, *, has: set[str], request: Any) -> ServerMessage:
    symbols = request.channels()[Channel.TRADES]
    has.difference_update(symbols)
    has.update(symbols if isinstance(request, Subscribe) else ())
    return SubscriptionMessage(trades=tuple(has))


@given(st.lists(st.tuples(st.sets(st.sampled_from("ABCDE")), st.booleans()), max_size=12))
def test_whatever_is_wanted_when_an_honest_server_ends_up_with_it(wishes: list[tuple[set[str], bool]]) -> None:
    client, has = in_state(State.STREAMING), {"A"}
    wanted, queue = {"A"}, list[Any]()
    for wanted, is_answered in wishes:
        client.want(*wanted)
        queue += client.sent()
        if is_answered and queue:
            client.hear(answers(client, has=has, request=queue.pop(0)))
            queue += client.sent()
    while queue:
        client.hear(answers(client, has=has, request=queue.pop(0)))
        queue += client.sent()
    assert (has, client.state) == (wanted, State.STREAMING)


@given(st.lists(st.sampled_from(sorted(MESSAGES)) | st.integers(0, 90), max_size=25))
def test_no_story_breaks_the_protocol(story: list[str | int]) -> None:
    client = Client("A", "B")
    client.protocol.expect_traffic(client.now, is_expected=True)
    for step in story:
        if isinstance(step, int):
            client.wait(step * SECOND + 1)
        else:
            client.hear(MESSAGES[step])
        waits = client.state not in {State.STREAMING, State.REFUSED, State.CLOSED}
        assert not waits or client.protocol.next_timer() is not None
