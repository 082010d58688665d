"""The gate on trial: many random desks and orders, judged by the gate and by the oracle, which must not differ."""

import argparse
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import msgspec

from tests.risk.desks import MINUTE, ZERO, Desk, Order, Symbol
from tests.risk.oracle import Judgement, View, judge, reservation
from tests.risk.random_desks import Dice, desk_of, order_of
from tests.risk.real_gate import RealGate, decimal_of
from trader.model.orders import Approved, Denied
from trader.risk.bounds import Breach

ORDERS_A_DESK = 24
AT_THE_EDGE = 0.03  # of the orders are as large as the oracle lets pass, or one step larger
_CHUNK = 40  # desks


class Disagreement(AssertionError):
    """The gate says one thing and the oracle another; the message begins with the desk's seed."""


class Tally(msgspec.Struct):
    """How many orders were judged, how often what was said, and how often each rule was broken, by the oracle."""

    orders: int = 0
    said: Counter[str] = msgspec.field(default_factory=Counter)
    broken: Counter[str] = msgspec.field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        self.orders += other.orders
        self.said += other.said
        self.broken += other.broken


def try_desk(seed: int) -> Tally:
    """Judge some orders of one desk, one after the other; what is approved is on its way from then on.

    Raises:
        Disagreement: gate and oracle differ.
    """
    dice, tally = Dice(seed), Tally()
    desk = desk_of(dice)
    gate, view = RealGate(desk), None
    for number in range(ORDERS_A_DESK):
        if dice.chance(0.15):
            _move(desk, dice)
            gate.arrays.refill()
            view = None
        view = view or View(desk)
        order = order_of(desk, dice)
        if not order.reduces and dice.chance(AT_THE_EDGE):
            order = _at_the_edge(view, order, dice)
        judgement = judge(desk, order, view)
        reserved = reservation(order)
        verdict = gate.ask(order)
        warned = {(breach.rule, breach.scope) for breach in gate.warnings}
        if why := difference(judgement, verdict, warned, reserved):
            raise Disagreement(f"desk {seed}, order {number}: {why}\n{order}\n{judgement}\n{verdict}\n{gate.warnings}")
        if desk.symbols[order.symbol].mark is None:
            desk.now += 2 * MINUTE  # what is on its way without a price is nothing that older sums know of
        if isinstance(verdict, Approved) and not order.reduces:
            view = None
        tally.orders += 1
        tally.broken.update({rule for rule, _ in judgement.hard | judgement.soft})
        tally.said[_word(verdict, gate.warnings)] += 1
    return tally


def difference(
    judgement: Judgement, verdict: Approved | Denied, warned: set[tuple[str, str]], reserved: Fraction
) -> str:
    """Say in what an answer differs from a judgement; nothing where it does not."""
    if isinstance(verdict, Denied):
        if (verdict.rule, verdict.scope) not in judgement.hard | judgement.close:
            return f"refused by {verdict.rule} of {verdict.scope}"
        return "" if verdict.limit and verdict.value else "refused without figures"
    if judgement.hard:
        return f"approved, though it breaks {sorted(judgement.hard)}"
    if verdict.reserved != decimal_of(reserved):
        return f"{verdict.reserved} reserved, not {float(reserved)}"
    if not judgement.soft <= warned <= judgement.soft | judgement.close:
        return f"warned of {sorted(warned)}, not of {sorted(judgement.soft)}"
    return ""


def _word(verdict: Approved | Denied, warnings: list[Breach]) -> str:
    if isinstance(verdict, Denied):
        return verdict.rule
    return "soft " + warnings[0].rule if warnings else "reduction" if verdict.intent.reduces else "approved"


def _at_the_edge(view: View, order: Order, dice: Dice) -> Order:
    """Return the order as large as the oracle lets it pass, or one step larger: found by halving."""
    symbol = view.desk.symbols[order.symbol]
    step = Fraction(1, 64) if symbol.is_coin else symbol.step
    low, high = 0, 4096
    while high - low > 1:
        middle = (low + high) // 2
        if judge(view.desk, replace(order, qty=middle * step), view).hard - {("min_notional", "order")}:
            high = middle
        else:
            low = middle
    return replace(order, qty=(low + dice.number(0, 1)) * step)


def _move(desk: Desk, dice: Dice) -> None:
    """Let time pass, so much that no sum of before may be used any more, and the market move."""
    desk.now += 2 * MINUTE
    for symbol in desk.symbols.values():
        _trade(symbol, desk.now, dice)
    box = desk.sandboxes[dice.pick(list(desk.sandboxes))]
    for name in box.held:  # what was on its way is filled, or called off
        filled = box.buys[name] if dice.chance(0.5) and desk.symbols[name].mark else ZERO
        box.held[name] += filled
        box.cash -= filled * (desk.symbols[name].mark or ZERO)
        box.buys[name] = ZERO
    box.reserved = ZERO


def _trade(symbol: Symbol, now: int, dice: Dice) -> None:
    if symbol.mark is None or dice.chance(0.3):
        return
    symbol.before = symbol.mark
    symbol.mark = max(Fraction(1), symbol.mark + Fraction(dice.number(-8, 8), 4))
    symbol.marked_at = now
    if symbol.bid is not None:
        symbol.bid, symbol.ask, symbol.quoted_at = symbol.mark - Fraction(1, 64), symbol.mark + Fraction(1, 64), now


# --- many of them -----------------------------------------------------------------------------------------------------


def try_desks(first: int, count: int, *, jobs: int = 1) -> Iterator[Tally]:
    """Judge the orders of many desks, some at a time. Raises Disagreement."""
    chunks = [range(at, min(at + _CHUNK, first + count)) for at in range(first, first + count, _CHUNK)]
    if jobs == 1:
        yield from map(_try_all, chunks)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(_try_all, chunks)


def _try_all(seeds: range) -> Tally:
    tally = Tally()
    for seed in seeds:
        tally.add(try_desk(seed))
    return tally


def main() -> None:
    """Judge as many orders as are asked for, and say what was said."""
    parser = argparse.ArgumentParser(prog="python -m tests.risk.oracle", description=main.__doc__)
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first desk")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    began, total = time.monotonic(), Tally()
    for tally in try_desks(options.first, -(-options.orders // ORDERS_A_DESK), jobs=options.jobs):
        total.add(tally)
    took = time.monotonic() - began
    for word, count in total.said.most_common():
        print(f"{count:9} {word}")  # noqa: T201
    print(f"{total.orders} orders, no disagreement, {took:.0f} s, {total.orders / took:.0f} a second")  # noqa: T201
