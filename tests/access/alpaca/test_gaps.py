"""The ledger of holes: each is told once open and once closed."""

from trader.access.alpaca.gaps import KEPT, GapLedger
from trader.model.time import MINUTE


def test_a_hole_is_open_until_it_is_closed_and_says_how() -> None:
    ledger = GapLedger()
    number = ledger.begin("stock stream", ("SPY",), since=MINUTE, why="the line broke", now=5)
    (gap,) = ledger.open
    assert (gap.number, gap.stream, gap.symbols, gap.since, gap.why, gap.opened_at) == (
        number, "stock stream", ("SPY",), MINUTE, "the line broke", 5,
    )  # fmt: skip
    closed = ledger.close(number, until=3 * MINUTE, bars=2, now=9)
    assert (closed.until, closed.bars, closed.closed_at, closed.how) == (3 * MINUTE, 2, 9, "fetched")
    assert (ledger.open, ledger.closed, ledger.bars, ledger.count) == ([], [closed], 2, 1)


def test_other_ends_are_told_apart() -> None:
    ledger = GapLedger()
    first, second, third = (ledger.begin("s", (), since=0, why="", now=0) for _ in range(3))
    assert ledger.close(first, until=1, bars=0, now=1).how == "nothing was missing"
    assert ledger.give_up(second, "REST is silent", now=1).how == "given up: REST is silent"
    assert ledger.absorb(third, now=1).how == "part of the next one"


def test_old_holes_are_only_counted() -> None:
    ledger = GapLedger()
    for _ in range(KEPT + 5):
        ledger.close(ledger.begin("s", (), since=0, why="", now=0), until=1, bars=1, now=1)
    assert len(ledger.closed) == KEPT
    assert (ledger.count, ledger.bars) == (KEPT + 5, KEPT + 5)
