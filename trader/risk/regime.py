"""Limits that tighten when the market is wilder than it used to be, and never loosen because it is calm."""

from typing import Final

import msgspec

MAX_RATIO: Final = 4.0
RELAX_DAYS: Final = 5


class Regime(msgspec.Struct, frozen=True, gc=False):
    """Whether and how far limits tighten with volatility; the default does not.

    The market's ratio is that of ``symbol`` or, where that is empty, the median over the desk's symbols.
    """

    is_on: bool = False
    max_ratio: float = MAX_RATIO
    relax_days: int = RELAX_DAYS
    symbol: str = ""
