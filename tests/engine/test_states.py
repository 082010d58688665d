"""States: every word makes them tighter, resume alone makes them active."""

import pytest

from trader.engine.states import Action, state_after, tightest
from trader.model.orders import TradingState

ACTIVE, PAUSED, HALTED = TradingState.ACTIVE, TradingState.PAUSED, TradingState.HALTED


def test_the_tightest_state_counts() -> None:
    assert tightest(ACTIVE, HALTED, PAUSED) is HALTED
    assert tightest(ACTIVE, PAUSED) is PAUSED
    assert tightest(ACTIVE) is ACTIVE


@pytest.mark.parametrize(
    ("action", "state", "after"),
    [
        ("halt", ACTIVE, HALTED), ("halt", PAUSED, HALTED), ("pause", ACTIVE, PAUSED), ("pause", HALTED, HALTED),
        ("flatten", ACTIVE, PAUSED), ("flatten", HALTED, HALTED),
        ("resume", HALTED, ACTIVE), ("resume", PAUSED, ACTIVE),
    ],
)  # fmt: skip
def test_a_word_can_only_make_a_state_tighter_save_resume(
    action: Action, state: TradingState, after: TradingState
) -> None:
    assert state_after(action, state) is after
