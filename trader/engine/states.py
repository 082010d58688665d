"""What a strategy, or the whole desk, may do: set by operators and rules, and latched. Pure.

    active     everything
    paused     reduces only; what is on its way goes on
    halted     reduces only, and what would have opened something is canceled

The tighter of the desk's and the strategy's own state counts. Every word but ``resume`` can only make a state tighter;
``resume`` to the desk leaves each strategy in its own state. ``flatten`` is a pause that also ends every position.
"""

from collections.abc import Mapping
from typing import Final, Literal

from trader.model.orders import TradingState

Action = Literal["halt", "pause", "resume", "flatten"]

_TIGHTNESS: Final = {state: number for number, state in enumerate(TradingState)}
_ASKED: Final[Mapping[Action, TradingState]] = {
    "halt": TradingState.HALTED,
    "pause": TradingState.PAUSED,
    "flatten": TradingState.PAUSED,
}


def tightest(*states: TradingState) -> TradingState:
    """Return the state that allows the least."""
    return max(states, key=_TIGHTNESS.__getitem__)


def state_after(action: Action, state: TradingState) -> TradingState:
    """Return what an operator's word makes of a state."""
    return TradingState.ACTIVE if action == "resume" else tightest(state, _ASKED[action])
