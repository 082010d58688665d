"""A look that goes by the last one sees what a full one would: on desks at random, the same events."""

from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.build import T0, bar, by_minute, spec
from tests.engine.rooms import Watched
from trader.model.events import ExternalFilled, PeakReached
from trader.model.inputs import Control, DailyBars
from trader.model.orders import Side
from trader.model.ticks import Bar, Quote
from trader.model.time import DAY, HOUR, MINUTE
from trader.risk.bounds import Bound
from trader.risk.escalation import Action, Escalation
from trader.risk.ladder import Ladder, Rungs
from trader.risk.limits import AccountLimits, GroupLimits, OrderLimits, SymbolLimits
from trader.risk.regime import Regime
from trader.risk.rules import Rules
from trader.risk.stress import Scenario
from trader.risk.value_at_risk import VarLimits

SYMBOLS = ("SPY", "QQQ", "BTC/USD", "ETH/USD")
NAMES = ("one", "two", "three")
MINUTES = 70


class Chance:
    """A desk, its limits and its market, all of one seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def is_so(self, of_one: float) -> bool:
        return bool(self.rng.random() < of_one)

    def bound(self, most: float, *, of_one: float = 0.4) -> Bound:
        if not self.is_so(of_one):
            return Bound()
        level = float(most * self.rng.choice([0.02, 0.2, 0.5, 0.9, 1.0, 1.5]) * self.rng.uniform(0.9, 1.1))
        return Bound(*((level * 1.2, level), (level, None), (None, level))[self.rng.integers(3)])

    def bounds(self, **most: float) -> dict[str, Any]:
        return {name: self.bound(value) for name, value in most.items()}

    def rules(self) -> Rules:
        account = self.bounds(
            max_position=0.3, max_position_value=10_000, max_gross=1, max_net=0.6, max_leverage=1.2,
            max_equity_multiple=1.5, max_sector=0.5, max_class=0.7, max_positions=5, max_budget=40_000,
            min_cash_buffer=0.5, min_equity=30_000,
        )  # fmt: skip
        group = self.bounds(max_group_gross=0.6, max_net=0.5, max_position=0.3, max_positions=4)
        kinds = ("max_gross", "max_net", "max_position", "daily_loss", "drawdown", "max_var", "min_cash_buffer")
        actions = {kind: {"hard": Action(str(self.rng.choice([*Action])))} for kind in kinds if self.is_so(0.3)}
        losses = {kind: self.bound(0.03, of_one=0.5) for kind in ("daily_loss", "weekly_loss", "drawdown")}
        tails = self.bounds(max_var=0.02, max_es=0.03, max_stress=0.2)
        fall = Scenario("fall", {"stocks": -0.2, "BTC/USD": -0.5})
        method: Any = str(self.rng.choice(["parametric"] * 4 + ["historical", "cornish-fisher"]))
        return Rules(
            account=AccountLimits(**account),
            groups={"both": GroupLimits(("one", "two"), **group)},
            symbols={"QQQ": SymbolLimits(max_position=self.bound(0.3))},
            sectors={"broad": ("SPY", "QQQ")},
            orders={"stock": OrderLimits(max_mark_age_s=self.bound(150))},
            ladder=Ladder({scope: Rungs(**losses) for scope in ("account", "group both", "strategy one")}),
            regime=Regime(is_on=self.is_so(0.3)),
            var=VarLimits(**tails, scenarios=(fall,), method=method),
            escalation=Escalation(actions),
        )

    def specs(self) -> list[Any]:
        specs = []
        for name in NAMES:
            wishes = {1: float(self.rng.choice([0.1, 0.3, 0.5, -0.2]))}
            wishes |= {int(self.rng.integers(2, MINUTES)): float(self.rng.choice([0.0, 0.2, 0.5, -0.3]))}
            tickers = [symbol for symbol in SYMBOLS if self.is_so(0.6)] or ["SPY"]
            own = self.bounds(max_gross=1, max_net=0.8, max_budget=10_000, max_positions=3)
            specs.append(spec(by_minute(wishes), *tickers, name=name, cash="15000", allow_short=True, **own))
        return specs

    def market(self) -> list[list[Any]]:
        """Return what each minute brings: bars of some symbols, quotes of some, over two days."""
        sigma, has_quotes, is_patchy = self.rng.choice([1e-4, 1e-3, 0.01]), self.is_so(0.3), self.is_so(0.4)
        prices, minute, batches = np.full(len(SYMBOLS), 100.0), 0, []
        for _ in range(MINUTES):
            minute += 1 if self.is_so(0.97) else int(self.rng.integers(2, 900))
            prices = prices * np.exp(self.rng.normal(0, sigma, len(SYMBOLS)) * (20 if self.is_so(0.02) else 1))
            there = {*SYMBOLS} if not is_patchy else {symbol for symbol in SYMBOLS if self.is_so(0.7)} | {"BTC/USD"}
            batch: list[Any] = [
                bar(symbol, minute, close=round(price, 2))
                for symbol, price in zip(SYMBOLS, prices.tolist(), strict=True)
                if symbol in there
            ]
            if has_quotes and self.is_so(0.2):
                one = batch[0]
                batch.append(Quote(one.symbol, one.ts, one.close * 0.99, 10.0, one.close * 1.01, 10.0))
            batches.append(batch)
        return batches

    def days(self) -> DailyBars:
        closes = 100 * np.exp(np.cumsum(self.rng.normal(0, 0.01, (300, len(SYMBOLS))), axis=0))
        midnight = T0 - T0 % DAY + 5 * HOUR
        rows = [(midnight - (299 - day) * DAY, row) for day, row in enumerate(closes.tolist())]
        return DailyBars(
            T0,
            [
                Bar(name, ts, p, p * 1.01, p * 0.99, p, 1e7)
                for ts, row in rows
                for name, p in zip(SYMBOLS, row, strict=True)
            ],
        )


def events_of(seed: int, *, is_full: bool) -> list[Any]:
    """Play one seed; ``is_full``: no look goes by the last one."""
    chance = Chance(seed)
    desk = Watched(chance.rules(), *chance.specs())
    room: Any = desk.engine.room
    if room is None:
        return []
    if is_full:
        look = room.look

        def full_look(ts: int) -> None:
            room._known = ()  # noqa: SLF001
            look(ts)

        room.look = full_look
    if chance.is_so(0.7):
        days = chance.days()
        desk.take(DailyBars(T0, [one for one in days.bars if one.symbol in desk.engine.listings]))
    for number, batch in enumerate(chance.market()):
        own = [tick for tick in batch if tick.symbol in desk.engine.listings]
        if own:
            desk.minute(*own)
        if chance.is_so(0.01):
            desk.take(Control(desk.engine.desk.now, "resume", "", "ann", "seen"))
        if number == MINUTES // 2 and chance.is_so(0.3):
            symbol = next(iter(desk.engine.listings))
            desk.engine.desk.emit(ExternalFilled(
                desk.engine.desk.now, symbol, Side.BUY, Decimal(10), Decimal(100), Decimal(0), "USD", "v", "x"
            ))  # fmt: skip
    return desk.events


@given(st.integers(0, 2**32))
@example(1435)  # an equity that is exactly as high as a peak has to be passed
@settings(max_examples=30, deadline=None)
def test_looks_that_go_by_the_last_one_tell_what_full_ones_tell(seed: int) -> None:
    assert events_of(seed, is_full=False) == events_of(seed, is_full=True)


def test_what_changed_little_is_not_looked_at_closer() -> None:
    rules = Rules(
        account=AccountLimits(max_gross=Bound(0.9), min_cash_buffer=Bound(0.1)),
        ladder=Ladder({"account": Rungs(daily_loss=Bound(0.5), drawdown=Bound(0.5))}),
        orders={"stock": OrderLimits(max_mark_age_s=Bound(600))},
    )
    desk = Watched(rules, spec(by_minute({1: 0.5}), cash="20400"))
    desk.closes(100, 100, 99)
    room: Any = desk.engine.room
    closer: list[int] = []
    room._gauge, room._weigh = closer.append, lambda ts, _: closer.append(ts)  # noqa: SLF001
    desk.closes(99.5, 98.5, 98.2, 99.8, start=4)
    assert closer == []
    desk.closes(101, start=8)  # a peak
    assert closer == [T0 + 8 * MINUTE]
    desk.closes(40, start=9)
    assert closer == [T0 + 8 * MINUTE, T0 + 9 * MINUTE]


def test_a_rise_to_a_peak_is_told_at_once_however_small() -> None:
    desk = Watched(
        Rules(ladder=Ladder({"account": Rungs(drawdown=Bound(0.5))})), spec(by_minute({1: 1.0}), cash="10200")
    )
    desk.closes(100, 100, 99, 100, 100.02)
    assert [event.equity for event in desk.of(PeakReached)] == [Decimal(10200), Decimal(10202)]
