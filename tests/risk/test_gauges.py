"""All limits on exposure, read at once, against plain loops."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trader.model.events import FlagRaised
from trader.risk.bounds import Bound
from trader.risk.gauges import Gauges
from trader.risk.limits import AccountLimits, GroupLimits, Limits, SymbolLimits
from trader.risk.rules import Rules

SYMBOLS = ("SPY", "QQQ", "BTC/USD")
STRATEGIES = ("one", "two")
HELD = st.lists(st.integers(-50, 50).map(float), min_size=6, max_size=6)
UNFILLED = st.lists(st.integers(0, 20).map(float), min_size=6, max_size=6)


class Arrays:
    """:class:`trader.model.views.Exposures` of two strategies that trade the same three symbols."""

    version = booked = 0
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
OWNER = np.array([0, 0, 0, 1, 1, 1])


LEVELS = {"max_position": 0.1, "max_position_value": 3_000, "max_gross": 0.3, "max_net": 0.2, "max_leverage": 0.4}
LEVELS |= {"max_equity_multiple": 0.5, "max_budget": 10_000, "max_positions": 2, "max_class": 0.2}


def recount(seen: Arrays) -> dict[tuple[str, str], float]:
    """Return every measure by plain loops, as the words say it: a position's worst, their sum, net either way."""

    def worst(held: float, buys: float, sells: float, mark: float) -> tuple[float, float, float]:
        return max(held + buys, sells - held) * mark, (held + buys) * mark, (held - sells) * mark

    slots = [worst(*row) for row in zip(seen.held, seen.held_buys, seen.held_sells, [*seen.marks] * 2, strict=True)]
    symbols = [worst(*row) for row in zip(seen.net, seen.buys, seen.sells, seen.marks, strict=True)]
    nav = 31_000 + sum(net * mark for net, mark in zip(seen.net, seen.marks, strict=True))
    own = [
        cash + sum(held * mark for held, mark in zip(seen.held[first : first + 3], seen.marks, strict=True))
        for cash, first in ((10_000, 0), (20_000, 3))
    ]
    read: dict[tuple[str, str], float] = {}
    for scope, rows, equity in (
        ("account", symbols, nav), ("group both", slots, nav), ("group first", slots[:3], nav),
        ("strategy one", slots[:3], own[0]), ("strategy two", slots[3:], own[1]),
    ):  # fmt: skip
        gross = sum(row[0] for row in rows)
        net = max(sum(row[1] for row in rows), -sum(row[2] for row in rows))
        for rule in ("max_gross", "max_group_gross", "max_leverage", "max_equity_multiple"):
            read[scope, rule] = gross / equity
        read |= {(scope, "max_net"): net / equity, (scope, "max_budget"): gross}
        read |= {(scope, "max_positions"): sum(row[0] != 0 for row in rows)}
        read[scope, "max_position"] = max(row[0] for row in rows) / equity
    for symbol, row in zip(SYMBOLS, symbols, strict=True):
        read |= {(f"symbol {symbol}", "max_position"): row[0] / nav, (f"symbol {symbol}", "max_position_value"): row[0]}
    return read


@given(HELD, UNFILLED, UNFILLED, st.integers(-30, 30))
@settings(max_examples=60, deadline=None)
def test_every_measure_is_a_recount(held: list[float], buys: list[float], sells: list[float], external: int) -> None:
    seen = Arrays(held, buys, sells, external=external)
    gauges = Gauges(RULES, LIMITS, seen, OWNER)
    breaches, unknown = gauges.read({})
    said = {(breach.scope, breach.rule): float(breach.value.split()[0].lstrip("$")) for breach in breaches}
    true = recount(seen)
    limited = {(gauge.check.scope, gauge.check.rule) for gauge in gauges.all}
    assert not unknown
    assert limited <= true.keys()
    assert said == pytest.approx({key: true[key] for key in limited if true[key] > 1e-6}, rel=1e-5, abs=0.006)


@given(HELD, st.sampled_from(["max_gross", "max_net", "max_positions", "max_budget"]), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_what_is_closed_brings_a_measure_within_its_limit_and_the_last_of_it_was_needed(
    held: list[float], rule: str, part: float
) -> None:
    scale = {"max_positions": 3, "max_budget": 10_000}.get(rule, 1)
    parts: dict[str, Any] = {rule: Bound(part * scale)}
    rules, none = Rules(account=AccountLimits(**parts)), {name: Limits(1) for name in STRATEGIES}  # type: ignore[arg-type]
    flag = FlagRaised(0, "account", rule, "hard", "force_reduce", "", "")
    gauges = Gauges(rules, none, Arrays(held, [0.0] * 6, [0.0] * 6), OWNER)
    chosen = gauges.surplus(flag, {}, np.zeros(6, dtype=bool))
    assert bool(chosen) == bool(gauges.read({})[0])
    left = [0.0 if slot in chosen else qty for slot, qty in enumerate(held)]
    kept = Arrays(left, [0.0] * 6, [0.0] * 6)
    for slot in chosen:  # what is sold becomes cash
        kept.cash[slot // 3] += held[slot] * kept.marks[slot % 3]
    assert not Gauges(rules, none, kept, OWNER).read({})[0]
    if chosen:
        last = chosen[-1]
        left[last] = held[last]
        kept.held[last], kept.net[last % 3] = held[last], kept.net[last % 3] + held[last]
        kept.cash[last // 3] -= held[last] * kept.marks[last % 3]
        assert Gauges(rules, none, kept, OWNER).read({})[0]


@given(HELD, UNFILLED, UNFILLED, st.floats(0.1, 3.0), st.lists(st.floats(-1, 1), min_size=3, max_size=3))
@settings(max_examples=150, deadline=None)
def test_within_the_leeway_of_prices_no_limit_is_crossed(
    held: list[float], buys: list[float], sells: list[float], scale: float, moves: list[float]
) -> None:
    seen = Arrays(held, buys, sells)
    parts: dict[str, Any] = {name: Bound(scale * level, scale * level / 2) for name, level in LEVELS.items()}
    account = AccountLimits(
        **parts, max_sector=Bound(scale / 3), min_equity=Bound(30_000 * scale), min_cash_buffer=Bound(scale / 2)
    )
    groups = {"both": GroupLimits(STRATEGIES, max_group_gross=Bound(scale / 2), max_position=Bound(scale / 9))}
    own = {name: Limits(1, max_gross=Bound(scale / 2), max_net=Bound(scale / 3)) for name in STRATEGIES}  # type: ignore[arg-type]
    gauges = Gauges(Rules(account=account, groups=groups), own, seen, OWNER)
    before = {(breach.scope, breach.rule, breach.level) for breach in gauges.read({})[0]}
    part = min(gauges.leeway({}), 0.99)
    seen.marks = seen.marks * (1.0 + np.array(moves) * max(0.0, part))
    assert {(breach.scope, breach.rule, breach.level) for breach in gauges.read({})[0]} == before


def test_what_has_no_mark_is_not_known_and_breaks_nothing() -> None:
    seen = Arrays([10.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0] * 6, [0.0] * 6)
    seen.marks[0] = np.nan
    breaches, unknown = Gauges(RULES, LIMITS, seen, OWNER).read({})
    assert not [breach for breach in breaches if breach.scope == "account" and breach.rule != "max_positions"]
    assert ("account", "max_gross") in unknown
    assert ("strategy two", "max_budget") not in unknown


def test_money_and_sectors_are_read_beside_positions() -> None:
    account = AccountLimits(max_sector=Bound(0.1), min_equity=Bound(1e9), min_cash_buffer=Bound(0.99))
    seen = Arrays([100.0, 100.0, 0.0, -10.0, 0.0, 0.0], [0.0] * 6, [0.0] * 6)
    rules = Rules(account=account, sectors={"broad": ("SPY", "QQQ")})
    breaches, _ = Gauges(rules, {name: Limits(1) for name in STRATEGIES}, seen, OWNER).read({})  # type: ignore[arg-type]
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
    gauges = Gauges(Rules(account=account), own, seen, OWNER)
    flag = FlagRaised(0, "strategy one", "weekly_loss", "hard", "tighten", "", "")
    assert gauges.read({})[0] == []
    assert [(breach.scope, breach.rule) for breach in gauges.read({"": flag})[0]] == [("strategy one", "max_gross")]
    of_all = FlagRaised(0, "account", "regime", "hard", "tighten", "", "4")
    assert [(breach.scope, breach.rule) for breach in gauges.read({"": of_all})[0]] == [
        ("account", "max_gross"), ("strategy one", "max_gross"), ("strategy two", "max_gross"),
    ]  # fmt: skip
