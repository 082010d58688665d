"""State is the fold of events: a fresh ledger fed all of a run's events knows what the desk's ledger knows."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build import Rehearsal, bar, by_minute, spec
from trader.access.sim.fills import VenueRules
from trader.books.ledger import Ledger


@settings(max_examples=40)
@given(
    wishes=st.dictionaries(st.integers(1, 40), st.sampled_from([-1.0, -0.3, 0.0, 0.4, 1.0]), min_size=5),
    closes=st.lists(st.integers(80, 120), min_size=40, max_size=40),
    has_partial_fills=st.booleans(),
)
def test_a_fold_of_all_events_reaches_the_same_books(
    wishes: dict[int, float], closes: list[int], *, has_partial_fills: bool
) -> None:
    wishes = {minute + 840: wish for minute, wish in wishes.items()}  # across midnight in New York
    desk = Rehearsal(
        spec(by_minute(wishes), "SPY", "QQQ", allow_short=True, stop_loss="0.1", max_daily_loss="900"),
        spec(by_minute(wishes), "BTC/USD", name="coins", take_profit="0.1", max_daily_trades=9),
        rules=VenueRules(has_partial_fills=has_partial_fills),
    )
    for minute, close in enumerate(closes, start=1):
        at = minute + 840
        desk.minute(bar("SPY", at, close=close), bar("QQQ", at, close=200 - close), bar("BTC/USD", at, close=close * 9))
    assert Ledger.fold(desk.events).digest() == desk.engine.desk.ledger.digest()
