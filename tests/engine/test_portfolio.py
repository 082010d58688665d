"""The arrays of exposure: counted lazily, they are what a full recount of the books says, after any life."""

import math
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

import pytest

from tests.build import T0, bar, by_minute, spec
from tests.engine.lives import Guard, Rule, World, live
from tests.engine.test_lives import GUARDED
from trader.books.book import OrderRecord
from trader.director.chain import Director
from trader.engine.engine import Engine, Step
from trader.engine.portfolio_view import DirectorsView
from trader.model.inputs import Input, Opened, Ticks
from trader.model.orders import TERMINAL, OrderIntent, Ruling, Side
from trader.model.time import MINUTE, SECOND
from trader.model.views import PortfolioView

SEEDS = range(3000, 3030)


class LooksOnly(Director):
    """A Director that looks at all the portfolio, in the middle of a step, and lets everything pass."""

    def judge(self, intents: Sequence[OrderIntent], view: PortfolioView) -> list[Ruling]:
        assert not math.isnan(view.equity)
        return [Ruling(intent) for intent in intents]


class ArraysAreARecount:
    """Looks after some inputs only: what several of them did is counted at once, or in the middle of a step."""

    def look(self, world: World, message: Input, step: Step) -> None:
        if (world.seed + world.inputs) % (1 + world.seed % 7):
            return
        world.engine.desk.portfolio.sync()
        arrays, recount = _arrays(world.engine), _recount(world.engine)
        wrong = {name: (arrays[name], true) for name, true in recount.items() if not _is_same(arrays[name], true)}
        assert not wrong
        for symbol in world.engine.listings:  # a trace of a closed position would be one
            assert arrays[f"net {symbol}"] == recount[f"net {symbol}"]
        assert arrays.keys() == recount.keys()


def _is_same(counted: float, true: float) -> bool:
    return counted == pytest.approx(true, rel=1e-12, abs=1e-9, nan_ok=True)


def _arrays(engine: Engine) -> dict[str, float]:
    portfolio = engine.desk.portfolio
    known: dict[str, float] = {
        f"{what} {symbol}": float(values[number])
        for what, values in {
            "mark": portfolio.marks,
            "net": portfolio.net,
            "buys": portfolio.buys,
            "sells": portfolio.sells,
        }.items()
        for symbol, number in portfolio.index.items()
    }
    for name, part in portfolio.slots_of.items():
        for place in range(part.start, part.stop):
            symbol = portfolio.symbols[portfolio.symbol_of[place]]
            known[f"held {name} {symbol}"] = float(portfolio.held[place])
            known[f"buys {name} {symbol}"] = float(portfolio.held_buys[place])
            known[f"sells {name} {symbol}"] = float(portfolio.held_sells[place])
        known[f"cash {name}"] = float(portfolio.cash[portfolio.rank[name]])
        known[f"reserved {name}"] = float(portfolio.reserved[portfolio.rank[name]])
        known[f"equity {name}"] = portfolio.equity_of(name)
    known["unallocated"] = portfolio.unallocated
    return known


def _recount(engine: Engine) -> dict[str, float]:
    """Count everything from the books, one by one, exactly."""
    ledger = engine.desk.ledger
    net: dict[str, Decimal] = defaultdict(Decimal, ledger.account.external)
    for book in ledger.books.values():
        for symbol, position in book.positions.items():
            net[symbol] += position.qty
    unfilled: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for record in ledger.orders.values():
        intent = record.approved.intent
        if record.status not in TERMINAL:
            which = "buys" if intent.side is Side.BUY else "sells"
            unfilled[which, intent.symbol] += _left(record)
            unfilled[which, intent.strategy, intent.symbol] += _left(record)
    known = {"unallocated": float(ledger.account.cash)}
    for symbol, listing in engine.listings.items():
        known |= {f"mark {symbol}": listing.mark, f"net {symbol}": float(net[symbol])}
        known |= {f"{which} {symbol}": float(unfilled[which, symbol]) for which in ("buys", "sells")}
    for name, sandbox in engine.desk.sandboxes.items():
        book = ledger.books[name]
        known |= {f"cash {name}": float(book.cash), f"reserved {name}": float(book.reserved)}
        worth = float(book.cash)
        for symbol in sandbox.slots:
            held = book.positions[symbol].qty
            worth += float(held) * engine.listings[symbol].mark if held else 0.0
            known[f"held {name} {symbol}"] = float(held)
            known |= {f"{which} {name} {symbol}": float(unfilled[which, name, symbol]) for which in ("buys", "sells")}
        known[f"equity {name}"] = worth
    return known


def _left(record: OrderRecord) -> Decimal:
    return record.approved.intent.qty - record.filled


RULES: tuple[type[Rule], ...] = (ArraysAreARecount,)


class Marks(Director):
    """A Director that writes down at which mark the portfolio values what it is asked about."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[float, float]] = []

    def judge(self, intents: Sequence[OrderIntent], view: PortfolioView) -> list[Ruling]:
        assert isinstance(view, DirectorsView)
        arrays = view._portfolio  # noqa: SLF001 -- what the gate is about to read
        self.seen += [(float(arrays.marks[arrays.index[one.symbol]]), view.mark(one.symbol)) for one in intents]
        return [Ruling(intent) for intent in intents]


def test_two_minutes_that_close_in_one_step_are_each_valued_at_their_own_marks() -> None:
    director = Marks()
    specs = [spec(by_minute({1: 0.1}), name="one"), spec(by_minute({2: 0.1}), name="two")]
    engine = Engine(specs, book_id="t", grace=50 * SECOND, director=director)
    engine.handle(Opened(T0))
    engine.handle(Ticks(T0 + MINUTE + 30 * SECOND, [bar(minute=1, close=100.0), bar(minute=2, close=140.0)]))
    assert director.seen == [(100.0, 100.0), (140.0, 140.0)]


UNDER = {"unasked": Guard(), "asked in the middle of steps": Guard(director=LooksOnly()), "guarded": GUARDED}


@pytest.mark.parametrize("under", UNDER.values(), ids=UNDER)
def test_the_arrays_are_what_a_recount_says_after_any_input(under: Guard) -> None:
    for seed in SEEDS:
        life = live(seed, RULES, under=under)
        if life.broken is not None:
            raise life.broken
