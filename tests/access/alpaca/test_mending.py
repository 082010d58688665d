"""Every fault of a line, against the local exchange: the desk ends with each bar of the market, once, in order."""

from functools import partial
from typing import Any

import numpy as np

from tests.exchange.exchanges import exchange
from tests.waiting import until
from trader.access.alpaca.feed import AlpacaFeed, FeedSettings
from trader.access.alpaca.wire_data import Auth
from trader.exchange.fault_script import Known, script_of
from trader.exchange.lines import LineRules
from trader.exchange.local import LocalExchange
from trader.model.inputs import Backfilled, Held, Input, Released, Revised, Ticks
from trader.model.ticks import Bar
from trader.model.time import MINUTE, SECOND, parse_time

SYMBOLS = ("SPY", "QQQ", "BTC/USD")
START = parse_time("2026-01-05T14:50")
SPEED = 120.0
LINES = ("drop", "freeze", "mute", "occupy", "crowd")
BARS = ("bad_bar", "late_bar", "duplicate_bar", "corrected_bar")


class Desk:
    """Takes bars as the real one does: none that is older than its newest."""

    def __init__(self) -> None:
        self.bars: dict[str, dict[int, Bar]] = {symbol: {} for symbol in SYMBOLS}
        self.refused: list[Bar] = []
        self.held: set[str] = set()

    def take(self, message: Input) -> None:
        if isinstance(message, Ticks | Backfilled):
            every = message.ticks if isinstance(message, Ticks) else message.bars
            for one in every:
                if isinstance(one, Bar):
                    self._add(one)
        elif isinstance(message, Revised):
            for one in message.bars:
                self.bars[one.symbol][one.ts] = one
        elif isinstance(message, Held):
            self.held.add(message.cause)
        elif isinstance(message, Released):
            self.held.discard(message.cause)

    def _add(self, one: Bar) -> None:
        known = self.bars[one.symbol]
        if known and one.ts <= max(known):
            self.refused.append(one)
        else:
            known[one.ts] = one


def strike(venue: LocalExchange, chance: np.random.Generator) -> None:
    """Let one thing go wrong."""
    kind, socket = str(chance.choice(LINES + BARS)), str(chance.choice(["stock", "crypto"]))
    end = venue.clock.now() + round(chance.uniform(5, 120)) * SECOND
    if kind in BARS:
        fault: dict[str, Any] = {"at": "+0s", "kind": kind, "count": int(chance.integers(1, 4))}
        known = Known(SYMBOLS, list(venue.venue.accounts))
        venue.faults.add(script_of({"seed": 1, "faults": [fault]}, known))
    elif kind == "freeze":
        venue.lines[socket].freeze(end)
    elif kind == "mute":
        venue.lines[socket].mute(end)
    else:
        if kind == "occupy":
            venue.lines[socket].occupy(end)
        elif kind == "crowd":
            venue.lines[socket].refuse_handshakes(2)
        venue.lines[socket].drop()


async def test_whatever_goes_wrong_no_bar_is_missing_doubled_or_out_of_order() -> None:
    seed = 1
    chance, desk, failures = np.random.default_rng(seed), Desk(), list[Exception]()
    async with exchange(
        symbols=SYMBOLS, start=START, speed=SPEED, seed=seed, lines=LineRules(patience_s=0.05)
    ) as venue:
        settings = FeedSettings(
            auth=Auth(venue.key.id, venue.key.secret), stream_url=venue.stream_url, data_url=venue.base_url, pace=SPEED
        )
        now = venue.clock.now
        feed = AlpacaFeed(
            settings, {"one": SYMBOLS}, now=now, ring=lambda: None, fail=failures.append, draw=chance.random
        )
        await feed.start()
        async for bars in feed.history(dict.fromkeys(SYMBOLS, 15)):
            desk.take(Ticks(0, bars))
        feed.go_live()

        def is_over(ts: int) -> bool:
            for message in feed.take(now()):
                desk.take(message)
            return now() >= ts

        for _ in range(8):
            strike(venue, chance)
            await until(partial(is_over, now() + round(chance.uniform(20, 60)) * SECOND))
        calm = now() + 3 * MINUTE
        await until(lambda: is_over(calm) and not feed.gaps.open and not desk.held)
        last = (now() - 10 * SECOND) // MINUTE * MINUTE
        is_over(0)
        await feed.stop()
        for symbol, known in desk.bars.items():
            truth = venue.archive.bars(symbol, min(known) - MINUTE, last - MINUTE)
            sessions = [one for one in truth if feed.inlet.is_in_session(one)]
            assert [known.get(one.ts) for one in sessions] == sessions
    assert desk.refused == []
    assert failures == []
