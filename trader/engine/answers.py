"""What a strategy answered, or how it failed: the boundary where other people's code meets the desk."""

import traceback

from trader.engine.sandbox import Slot
from trader.model.signals import Target

# A message of megabytes, a terminal's control codes, a recursion without end: none of them may fill or garble the log.
LONGEST_MESSAGE = 500
TRACEBACK_FRAMES = 20


class SignalError(ValueError):
    """A strategy answered with something that is no target of its own tickers."""


def wishes_of(slot: Slot, signals: object) -> list[tuple[Slot, Target]]:
    """Check a strategy's answer to a bar of ``slot``; targets for tickers that are not warm yet are left out.

    Raises:
        SignalError: what was said and what is allowed.
    """
    wishes = []
    for target in signals if isinstance(signals, list | tuple) else (signals,):
        if not isinstance(target, Target):
            raise SignalError(f"on_bar answered {target!r}; allowed: Target(symbol, fraction), a list of them, or None")
        aimed = slot.sandbox.slots.get(target.symbol)
        if aimed is None:
            tickers = ", ".join(slot.sandbox.slots)
            raise SignalError(f"target for unknown symbol {target.symbol!r}; this sandbox trades {tickers}")
        if not -1.0 <= target.fraction <= 1.0:
            raise SignalError(f"target fraction {target.fraction} for {target.symbol}; allowed: -1.0 to 1.0")
        if aimed.is_warm and slot.is_warm:
            wishes.append((aimed, target))
    return wishes


def failure_of(error: BaseException) -> tuple[str, str]:
    """Return one printable line that says what was raised, and the traceback's innermost frames."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - an error that cannot even say itself is named all the same
        message = "(its message cannot be read)"
    line = "".join(letter if letter.isprintable() else " " for letter in message[:LONGEST_MESSAGE])
    frames = "".join(traceback.format_tb(error.__traceback__, limit=-TRACEBACK_FRAMES))
    name = type(error).__name__
    text = f"{name}: {line}" + ("…" if len(message) > LONGEST_MESSAGE else "")
    return text, f"Traceback (most recent call last):\n{frames}{text}\n"
