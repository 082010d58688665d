"""All limits read at once are what the gate reads one by one."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trader.model.events import FlagRaised
from trader.risk.bounds import Bound
from trader.risk.gauges import Gauges, Layout
from trader.risk.limits import AccountLimits, GroupLimits, Limits, SymbolLimits
from trader.risk.rings import By, Rings
from trader.risk.rules import Rules

SYMBOLS = ("SPY", "QQQ", "BTC/USD")
STRATEGIES = ("one", "two")
HELD = st.lists(st.integers(-50, 50).map(float), min_size=6, max_size=6)
UNFILLED = st.lists(st.integers(0, 20).map(float), min_size=6, max_size=6)


class Arrays:
    """:class:`trader.model.views.Exposures` of two strategies that trade the same three symbols."""

    symbols: tuple[str, ...] = SYMBOLS
    strategies: tuple[str, ...] = STRATEGIES
    index: Mapping[str, int] = {symbol: number for number, symbol in enumerate(SYMBOLS)}
    rank: Mapping[str, int] = {"one": 0, "two": 1}
    symbol_of = np.array([0, 1, 2, 0, 1, 2])
    slots_of: Mapping[str, slice] = {"one": slice(0, 3), "two": slice(3, 6)}

    def __init__(self, held: list[float], buys: list[float], sells: list[float], *, external: float = 0.0) -> None:
        self.marks = np.array([100.0, 50.0, 20.0])
        self.held, self.held_buys, self.held_sells = np.array(held), np.array(buys), np.array(sells)
        self.net, self.buys, self.sells = (
            each.reshape(2, 3).sum(axis=0) for each in (self.held, self.held_buys, self.held_sells)
        )
        self.net[0] += external
        self.cash, self.reserved = np.array([10_000.0, 20_000.0]), np.array([500.0, 0.0])
        self.unallocated = 1_000.0

    def sync(self) -> None:
        """Do nothing: these arrays never change."""


TIGHT = Bound(1e-6)  # of everything: each measure is read out of what is said of it
ALL: dict[str, Any] = {f"max_{name}": TIGHT for name in ("position", "position_value", "gross", "net", "leverage")}
ALL |= {f"max_{name}": TIGHT for name in ("equity_multiple", "budget", "positions")}
RULES = Rules(
    account=AccountLimits(**ALL),
    groups={"both": GroupLimits(STRATEGIES, TIGHT, TIGHT, TIGHT, TIGHT), "first": GroupLimits(("one",), TIGHT)},
    symbols={"QQQ": SymbolLimits(TIGHT)},
)
LIMITS = {"one": Limits(1, max_gross=TIGHT, max_net=TIGHT, max_positions=TIGHT), "two": Limits(1, max_budget=TIGHT)}  # type: ignore[arg-type]
LAYOUT = Layout(np.array([0, 0, 0, 1, 1, 1]), np.array([[1.0, 1.0], [1.0, 0.0]]))
UNGROUPED = Layout(LAYOUT.owner, np.zeros((0, 2)))


def by_the_gate(seen: Any) -> dict[tuple[str, str], float]:
    """Return every measure as the gate takes it, walk by walk."""
    rings, read = Rings(RULES, LIMITS, seen), dict[tuple[str, str], float]()
    nav = float(seen.cash.sum()) + seen.unallocated + float(seen.net @ seen.marks)
    worth = {"one": 0, "two": 3}
    for strategy, first in worth.items():
        own = float(seen.cash[first // 3] + seen.held[first : first + 3] @ seen.marks)
        for walk in (walk for symbol in SYMBOLS for walk in rings.walks(strategy, symbol)):
            measures = walk.ring.summed().before(walk.place)
            equity = own if walk.ring.scope.startswith("strategy") else nav
            for check, of, by in walk.limits:
                value = measures[of] / (equity if by in {By.EQUITY, By.EQUITY_ALWAYS} else 1.0)
                key = check.scope, check.rule
                read[key] = max(read.get(key, 0.0), value)
    return read


@given(HELD, UNFILLED, UNFILLED, st.integers(-30, 30))
@settings(max_examples=60, deadline=None)
def test_every_measure_is_the_gates(held: list[float], buys: list[float], sells: list[float], external: int) -> None:
    seen = Arrays(held, buys, sells, external=external)
    breaches, unknown = Gauges(RULES, LIMITS, seen, LAYOUT).read({})
    said = {(breach.scope, breach.rule): float(breach.value.split()[0].lstrip("$")) for breach in breaches}
    expected = {key: value for key, value in by_the_gate(seen).items() if value > 1e-6}
    assert not unknown
    assert said.keys() == expected.keys()
    assert said == pytest.approx(expected, rel=1e-5, abs=0.006)  # as they are shown


def test_what_has_no_mark_is_not_known_and_breaks_nothing() -> None:
    seen = Arrays([10.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0] * 6, [0.0] * 6)
    seen.marks[0] = np.nan
    breaches, unknown = Gauges(RULES, LIMITS, seen, LAYOUT).read({})
    assert not [breach for breach in breaches if breach.scope == "account" and breach.rule != "max_positions"]
    assert ("account", "max_gross") in unknown
    assert ("strategy two", "max_budget") not in unknown


def test_money_and_sectors_are_read_beside_positions() -> None:
    account = AccountLimits(max_sector=Bound(0.1), min_equity=Bound(1e9), min_cash_buffer=Bound(0.99))
    seen = Arrays([100.0, 100.0, 0.0, -10.0, 0.0, 0.0], [0.0] * 6, [0.0] * 6)
    rules = Rules(account=account, sectors={"broad": ("SPY", "QQQ")})
    breaches, _ = Gauges(rules, {name: Limits(1) for name in STRATEGIES}, seen, UNGROUPED).read({})  # type: ignore[arg-type]
    nav = 31_000 + 90 * 100 + 100 * 50
    assert {breach.rule: breach.value for breach in breaches} == {
        "max_sector": f"{14_000 / nav:.6g} of equity",
        "min_equity": f"${nav:.2f}",
        "min_cash_buffer": f"{30_500 / nav:.6g} of equity",
    }


def test_a_flag_tightens_limits_of_its_scope_but_never_money_nor_the_brokers_own() -> None:
    seen = Arrays([10.0, 0.0, 0.0, 10.0, 0.0, 0.0], [0.0] * 6, [0.0] * 6)  # 2,000 dollars of 33,000
    half = Bound(0.1)
    account = AccountLimits(max_gross=half, max_equity_multiple=half, min_cash_buffer=Bound(0.9))
    own = {"one": Limits(1, max_gross=Bound(0.15)), "two": Limits(1, max_gross=half)}  # type: ignore[arg-type]
    gauges = Gauges(Rules(account=account), own, seen, UNGROUPED)
    flag = FlagRaised(0, "strategy one", "weekly_loss", "hard", "tighten", "", "")
    assert gauges.read({})[0] == []
    assert [(breach.scope, breach.rule) for breach in gauges.read({"": flag})[0]] == [("strategy one", "max_gross")]
    of_all = FlagRaised(0, "account", "regime", "hard", "tighten", "", "4")
    assert [(breach.scope, breach.rule) for breach in gauges.read({"": of_all})[0]] == [
        ("account", "max_gross"), ("strategy one", "max_gross"), ("strategy two", "max_gross"),
    ]  # fmt: skip
