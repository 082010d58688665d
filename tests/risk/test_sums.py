"""Sums that are kept and counted on are what adding everything up anew gives."""

from math import isnan, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.risk.asking import Book
from trader.risk.bounds import Bound
from trader.risk.limits import AccountLimits
from trader.risk.rings import MEASURED, By, limited, most_of
from trader.risk.sums import Positions, Sums, Totals, add

SYMBOLS = ("SPY", "QQQ", "BTC/USD")
MEMBERS = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
QTYS = st.integers(-30, 30).map(float)
UNFILLED = st.integers(0, 30).map(float)
ORDERS = st.lists(st.tuples(st.sampled_from(["one", "two"]), st.sampled_from(SYMBOLS), QTYS.filter(bool)), max_size=8)


def books(quantity: Any) -> Any:
    own = st.tuples(quantity, quantity, quantity).map(lambda qtys: dict(zip(SYMBOLS, qtys, strict=True)))
    return st.tuples(own, own).map(lambda owns: dict(zip(("one", "two"), owns, strict=True)))


def sums_of(book: Book) -> Sums:
    return Sums(book, MEMBERS, np.array([0, 3]))


def figures(sums: Sums) -> list[float]:
    rings = [sums.account, *(sums.slots.totals(str(rows), rows) for rows in ([0], [1], [0, 1]))]
    return [*sums.sets, sums.nav, *(getattr(ring, name) for ring in rings for name in Totals.__slots__)]


@settings(max_examples=100, deadline=None)
@given(books(QTYS), books(UNFILLED), books(UNFILLED), ORDERS)
def test_orders_that_are_counted_make_the_sums_that_a_new_look_finds(
    held: Any, buys: Any, sells: Any, orders: list[tuple[str, str, float]]
) -> None:
    marks = {"SPY": 100.0, "QQQ": 50.0, "BTC/USD": 20.0}
    sums = sums_of(Book(held, buys=buys, sells=sells, marks=marks))
    figures(sums)
    for strategy, symbol, signed in orders:
        number, mark = SYMBOLS.index(symbol), marks[symbol]
        change = sums.symbols.change(number, signed, mark)
        after = sums.account.after(change)
        sums.symbols.add(number, signed, change)
        add([sums.account], change)
        for row, members in enumerate(MEMBERS):
            sums.sets[row] += members[number] * (change[1] - change[0])
        place = number + 3 * (strategy == "two")
        own = sums.slots.positions.change(place, signed, mark)
        sums.slots.positions.add(place, signed, own)
        add([sums.slots.rows[int(strategy == "two")], sums.slots.totals("[0, 1]", [0, 1])], own)
        (buys if signed > 0 else sells)[strategy][symbol] += abs(signed)
        assert after == pytest.approx(sums.account.before((change[1], *change[1:])))
    anew = sums_of(Book(held, buys=buys, sells=sells, marks=marks))
    assert figures(sums) == pytest.approx(figures(anew))
    assert sums.symbols.values == pytest.approx(anew.symbols.values)


def test_the_worst_of_a_position_is_the_larger_of_what_it_may_rise_and_fall_to() -> None:
    found = Positions(np.array([10.0]), np.array([5.0]), np.array([30.0]), np.array([2.0]))
    assert found.values.tolist() == [40.0]
    assert found.change(0, 10.0, 2.0)[1] == 50.0
    assert found.change(0, -1.0, 2.0)[1] == 42.0


def test_a_group_that_is_asked_for_after_an_order_was_counted_has_it() -> None:
    sums = sums_of(Book({"one": dict.fromkeys(SYMBOLS, 1.0), "two": dict.fromkeys(SYMBOLS, 2.0)}))
    own = sums.slots.positions.change(0, 5.0, 100.0)
    add([sums.slots.rows[0]], own)
    assert sums.slots.totals("both", [0, 1]).gross == 1400.0
    assert sums.slots.totals("both", [0, 1]).number == 6


RULES = [rule for rule in MEASURED if rule != "max_group_gross"]  # which groups have instead of the next


@pytest.mark.parametrize("rule", RULES)
def test_an_order_fits_where_no_figure_is_beyond_its_lowest_level(rule: str) -> None:
    of, by = MEASURED[rule]
    rng, loose = np.random.default_rng(3), dict.fromkeys(RULES, Bound(1e12))
    for _ in range(300):
        gross, up, down, after, more, less = (1000.0 * rng.integers(1, 9, 6)).tolist()
        sums, change = Totals(gross, up, -down, 3), (500.0, after, more, -less, 1)
        equity, tightness = float(rng.choice([8000.0, 500.0, 0.0, -500.0, nan])), float(rng.choice([1.0, 2.0, 3.2]))
        part = float(rng.choice([0.5, 0.999, 1.0, 1.001, 2.0]))
        level = part * sums.after(change)[of] * (tightness if by in {By.EQUITY, By.DOLLARS} else 1.0)
        if by in {By.EQUITY, By.EQUITY_ALWAYS} and equity:
            level /= equity
        limits: dict[str, Any] = loose | {rule: Bound(soft=level)}
        most = most_of([*limited(AccountLimits(**limits), "account", "risk.account.{}")])
        assert sums.fits(change, most, equity=equity, tightness=tightness) == (part >= 1.0 and equity > 0.0)


@pytest.mark.parametrize("signed", [5.0, -5.0])
def test_without_a_mark_neither_position_nor_gross_nor_net_is_known(signed: float) -> None:
    sums = sums_of(Book({"one": dict.fromkeys(SYMBOLS, 1.0), "two": dict.fromkeys(SYMBOLS, 0.0)}))
    change = sums.symbols.change(0, signed, nan)
    position, gross, net, number = sums.account.after(change)
    assert isnan(position)
    assert isnan(gross)
    assert isnan(net)
    assert number == 3
    assert not sums.account.fits(change, most_of([]), equity=1.0, tightness=1.0)
