"""What a strategy may say."""

from collections.abc import Sequence

import msgspec

from trader.model.orders import Urgency


class Target(msgspec.Struct, frozen=True, gc=False):
    """Hold this fraction of the sandbox's capital in ``symbol``: 1.0 long, 0.0 flat, −1.0 short.

    A target is a wish, not a trade: nothing is sent while the position already has its sign.
    """

    symbol: str
    fraction: float
    urgency: Urgency = Urgency.IMMEDIATE


Signals = Target | Sequence[Target] | None
