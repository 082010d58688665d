"""What the journal has acknowledged, while the process knows more than it."""

from trader.model.events import StateSet
from trader.model.orders import TradingState
from trader.storm.promises import Acknowledged
from trader.storm.timeline import Timeline

HALT, RESUME, AGAIN = (
    StateSet(ts, "", state, "ann", "")
    for ts, state in enumerate((TradingState.HALTED, TradingState.ACTIVE, TradingState.HALTED))
)


def test_a_halt_that_becomes_durable_when_the_desk_goes_on_already_closes_nothing() -> None:
    known = Acknowledged(Timeline())
    known.reopen(RESUME)
    found = []
    for event in (HALT, RESUME, AGAIN):
        known.commit([event])
        known.timeline.now += 1
        found.append([known.is_past(since, "one") for since in (known.closed, known.halted)])
    assert found == [[False, False], [False, False], [True, True]]
