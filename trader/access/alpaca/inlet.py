"""What the streams' readers put in, until the desk takes it as inputs: order kept, quotes conflated, bars joined. Pure.

Rules
- The reader's side only appends. All translation happens when the desk asks, so a slow desk makes the buffer grow and
  not the reader wait.
- When more waits than :data:`AT_ONCE` messages, of each symbol's quotes only the newest is kept and the others are
  counted. Trades, bars and everything rarer are never dropped.
- Outside the session nothing of a stock passes, neither bars nor the wide quotes of the night: a desk that trades the
  session must not leave a position because of them.
- A halt holds entries of its symbol until it is resumed; a bar of a minute that began after it is as good a proof,
  since the word of resuming may have been said while the line was down.
- A corrected or canceled trade matters only while it is the newest price of its symbol: the price is then told anew.

Source: Alpaca, "Real-time Stock Data" (status codes of the tapes; corrections), read 2026-11.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, Final

from trader.access.alpaca.joint import Joint
from trader.access.alpaca.ticks import bar_of, quote_of, reason_of, ticks_of, trade_of
from trader.access.alpaca.wire import Unknown
from trader.access.alpaca.wire_data import (
    BarMessage,
    CancelErrorMessage,
    ControlMessage,
    CorrectionMessage,
    DataMessage,
    QuoteMessage,
    StatusMessage,
    TradeMessage,
    UpdatedBarMessage,
)
from trader.access.alpaca.wire_time import ns_or
from trader.model.calendar import StockCalendar
from trader.model.inputs import Held, Input, Released, Revised, Ticks
from trader.model.ticks import Bar, Tick
from trader.model.time import MINUTE, utc

Messages = Sequence[DataMessage | ControlMessage | Unknown]

AT_ONCE: Final = 200  # messages: a busy frame or two pass whole; what is more has waited
COMPACTED_AT: Final = 50_000  # messages, some 15 MB: quotes are thinned out already while they wait

# Tapes A and B use digits, C and O letters; none means two things. Q lets quotes resume, trading not yet.
HALTS: Final = frozenset({"2", "H", "P"})
RESUMES: Final = frozenset({"3", "T"})


class Inlet:
    """One buffer for all streams of a desk."""

    def __init__(self, joint: Joint, calendar: StockCalendar, *, extended_hours: bool) -> None:
        """Begin empty and not live: until then only what makes bars is kept."""
        self.joint = joint
        self.counts: Counter[str] = Counter()  # refused messages by reason, conflated_quotes, outside_session, …
        self.lag = 0  # how old the newest trade, quote or bar was when the desk took it (ns)
        self.worst_lag = 0
        self.is_live = False
        self.on_waiting_bar: Callable[[Bar], None] = _ignore  # a live bar has to wait in the joint
        self.on_bad_bar: Callable[[str, int], None] = _ignore  # symbol and end of a bar that makes no sense
        self.on_skipped: Callable[[str, int, int], None] = _ignore  # symbol, first and last end not seen
        self.steady: set[str] = set()  # symbols that usually have a bar every minute
        self._calendar = calendar
        self._extended_hours = extended_hours
        self._symbols: frozenset[str] = frozenset()
        self._queue: list[Messages | Input | Callable[[int], list[Input]]] = []
        self._count = 0
        self._compact_at = COMPACTED_AT
        self._price: dict[str, Any] = {}  # each symbol's newest trade or quote, and the one before
        self._price_before: dict[str, Any] = {}
        self._halts: dict[str, int] = {}  # since when
        self._out: list[Input] = []
        self._ticks: list[Tick] = []
        self._handlers: dict[type, Callable[[list[Any], int], None]] = {
            BarMessage: self._on_bars,
            UpdatedBarMessage: self._on_bars,
            StatusMessage: self._on_statuses,
            CorrectionMessage: self._on_corrections,
            CancelErrorMessage: self._on_cancels,
            Unknown: self._on_unknown,
        }

    def want(self, symbols: Iterable[str]) -> None:
        """Let only these symbols through: what was just unsubscribed may still come."""
        wanted = frozenset(symbols)
        gone, self._symbols = self._symbols - wanted, wanted
        self.joint.forget(gone)
        for symbol in gone:
            self._price.pop(symbol, None)
            self._price_before.pop(symbol, None)

    @property
    def waiting(self) -> int:
        """Return how many messages wait."""
        return self._count

    def put(self, messages: Messages) -> None:
        """Take the data of one frame."""
        if not self.is_live:
            messages = [message for message in messages if type(message) not in _PRICES]
        self._queue.append(messages)
        self._count += len(messages)
        if self._count > self._compact_at:
            self._conflate()
            self._compact_at = max(COMPACTED_AT, 2 * self._count)

    def push(self, inputs: Iterable[Input]) -> None:
        """Take what is an input already; it keeps its place among the frames."""
        self._queue.extend(inputs)

    def call(self, step: Callable[[int], list[Input]]) -> None:
        """Let ``step`` be done in its turn, among the frames; it gets the time and returns inputs."""
        self._queue.append(step)

    def take(self, now: int) -> list[Input]:
        """Return all that waits as inputs, in the order in which it came."""
        if self._count > AT_ONCE:
            self._conflate()
        queue, self._queue, self._count = self._queue, [], 0
        passing = self._passing(now)
        for item in queue:
            if isinstance(item, list):
                self._translate(item, now, passing)
            else:
                self._flush(now)
                self._out += item(now) if callable(item) else [item]  # type: ignore[list-item]  # an input
        self._flush(now)
        out, self._out = self._out, []
        return out

    def _passing(self, now: int) -> frozenset[str]:
        """Return the symbols whose prices pass now."""
        if self._extended_hours or self._calendar.phase(now) == "core":
            return self._symbols
        return frozenset(symbol for symbol in self._symbols if "/" in symbol)

    def _translate(self, messages: Messages, now: int, passing: frozenset[str]) -> None:
        """Take one frame: its prices first, then what is rarer, each in order."""
        rest = self._on_prices(messages, passing)
        for kind, group in groupby(rest, type):
            if handler := self._handlers.get(kind):
                handler([*group], now)

    def _conflate(self) -> None:
        """Go back through all that waits and leave out each quote that has a newer one of its symbol."""
        seen = set[str]()
        before, self._count = self._count, 0
        for place in reversed(range(len(self._queue))):
            item = self._queue[place]
            if isinstance(item, list):
                kept = self._queue[place] = _without_older_quotes(item, seen)
                self._count += len(kept)
        self.counts["conflated_quotes"] += before - self._count

    def _flush(self, now: int) -> None:
        if self._ticks:
            self.lag = now - self._ticks[-1].ts
            self.worst_lag = max(self.worst_lag, self.lag)
            self._out.append(Ticks(now, self._ticks))
            self._ticks = []

    def _tell(self, message: Input, now: int) -> None:
        self._flush(now)
        self._out.append(message)

    def _on_prices(self, messages: Messages, passing: frozenset[str]) -> list[Any]:
        """Translate the trades and quotes of a frame; return what is neither."""
        price, before, add, rest = self._price, self._price_before, self._ticks.append, list[Any]()
        for message in messages:
            translate = _PRICES.get(type(message))
            if translate is None:
                rest.append(message)
            elif (symbol := message.symbol) not in passing:  # type: ignore[union-attr]  # prices have one
                if symbol in self._symbols:
                    self.counts["outside_session"] += 1
            else:
                try:
                    add(translate(message))
                except ValueError as error:
                    self.counts[reason_of(error)] += 1
                else:
                    before[symbol] = price.get(symbol)
                    price[symbol] = message
        return rest

    def _on_bars(self, messages: list[Any], now: int) -> None:
        revised: list[Bar] = []
        for message in messages:
            if message.symbol in self._symbols:
                try:
                    bar = bar_of(message)
                except ValueError as error:
                    self.counts[reason_of(error)] += 1
                    self.on_bad_bar(message.symbol, _end_of(message, now))
                else:
                    self._on_bar(bar, now, revised)
        if revised:
            self._tell(Revised(now, revised), now)

    def _on_bar(self, bar: Bar, now: int, revised: list[Bar]) -> None:
        symbol, joint = bar.symbol, self.joint
        if not self.is_in_session(bar):
            self.counts["outside_session"] += 1
            return
        if symbol in self._halts and bar.volume and bar.ts - MINUTE >= self._halts[symbol]:
            self._resume(symbol, now)
        if symbol not in joint.held and (gap := self.skipped(self._witness(symbol), [bar.ts])):
            self.on_skipped(symbol, *gap)
        if symbol in joint.held:
            self.on_waiting_bar(bar)
        joint.live(bar, now, ticks=self._ticks, revised=revised)

    def _witness(self, symbol: str) -> str:
        """Return which symbol's bars tell whether a minute was left out: of a thin one, the newest of the steady ones.

        A stream that left out the steady ones' minutes left out the thin one's too, whichever comes first after it.
        """
        if symbol in self.steady:
            return symbol
        is_coin = "/" in symbol
        return max(
            (other for other in self.steady if ("/" in other) == is_coin), key=self.joint.settled, default=symbol
        )

    def skipped(self, symbol: str, ends: Iterable[int]) -> tuple[int, int] | None:
        """Return the first and last end of minutes that are left out before bars with these ends, None if none is.

        Only symbols that trade every minute are judged, and only within one session.
        """
        before = self.joint.settled(symbol) if symbol in self.steady else 0
        if not before:
            return None
        for end in ends:
            before = self._since_opening(symbol, before, end)
            if end - before > MINUTE:
                return before + MINUTE, end - MINUTE
            before = max(before, end)
        return None

    def _since_opening(self, symbol: str, before: int, end: int) -> int:
        """Return ``before``, or the opening since then: no bar is owed for a night."""
        if "/" in symbol:
            return before
        is_same = self._calendar.session_close(before - 1, is_extended=self._extended_hours) >= end
        if is_same and (
            self._extended_hours or self._calendar.phase(before) == "core"
        ):  # not a look before the opening
            return before
        if self._extended_hours:
            return end - MINUTE  # the first bars of an early session come when they come
        day = utc(end - 1).date()
        return max([before, *(session.open for session in self._calendar.sessions(day, day))])

    def is_in_session(self, bar: Bar) -> bool:
        """Tell whether a bar is of a session that the desk trades; coins have no other."""
        is_always = self._extended_hours or "/" in bar.symbol
        return is_always or self._calendar.phase(bar.ts - MINUTE) == "core"

    def _on_statuses(self, messages: list[Any], now: int) -> None:
        for message in messages:
            if message.symbol not in self._symbols:
                continue
            if message.code in HALTS:
                why = f"trading is halted: {message.message or message.code} ({message.reason or message.reason_code})"
                self._halts[message.symbol] = ns_or(message.stamp, now)
                self._tell(Held(now, f"halt {message.symbol}", (message.symbol,), why), now)
            elif message.code in RESUMES and message.symbol in self._halts:
                self._resume(message.symbol, now)

    def _resume(self, symbol: str, now: int) -> None:
        del self._halts[symbol]
        self._tell(Released(now, f"halt {symbol}"), now)

    def _on_corrections(self, messages: list[Any], now: int) -> None:
        for message in messages:
            self.counts["corrected_trades"] += 1
            newest = self._newest_trade(message.symbol, message.old_id)
            if newest is not None:
                right = TradeMessage(
                    message.symbol, message.new_price, message.new_size, newest.stamp, message.new_id, newest.exchange
                )
                self._price[message.symbol] = right
                self._ticks += ticks_of((right,), self.counts)

    def _on_cancels(self, messages: list[Any], now: int) -> None:
        for message in messages:
            self.counts["canceled_trades"] += 1
            before = self._price_before.get(message.symbol)
            if before is not None and self._newest_trade(message.symbol, message.id) is not None:
                self._price[message.symbol], self._price_before[message.symbol] = before, None
                self._ticks += ticks_of((before,), self.counts)

    def _newest_trade(self, symbol: str, number: int) -> TradeMessage | None:
        newest = self._price.get(symbol)
        return newest if isinstance(newest, TradeMessage) and newest.id == number else None

    def _on_unknown(self, messages: list[Any], now: int) -> None:
        ticks_of(messages, self.counts)


_PRICES: dict[type, Callable[[Any], Tick]] = {TradeMessage: trade_of, QuoteMessage: quote_of}


def _without_older_quotes(messages: list[Any], seen: set[str]) -> list[Any]:
    """Return the messages but for quotes of symbols whose newer quotes were ``seen``; the newest are last."""
    kept: list[Any] = []
    for message in reversed(messages):
        is_quote = type(message) is QuoteMessage
        if is_quote and message.symbol in seen:
            continue
        if is_quote:
            seen.add(message.symbol)
        kept.append(message)
    kept.reverse()
    return kept


def _ignore(*_: object) -> None:
    return


def _end_of(message: BarMessage | UpdatedBarMessage, now: int) -> int:
    """Return the end of the minute that a bar is about; when even that makes no sense, the newest minute's."""
    newest = now // MINUTE * MINUTE
    return min(ns_or(message.stamp, now) // MINUTE * MINUTE + MINUTE, newest)
