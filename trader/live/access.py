"""Where the account is, with which keys, and under which terms a run may use it."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from trader.config import StrategyConfig
from trader.config.credentials import Credentials
from trader.config.endpoints import Endpoints
from trader.live.guard import Terms


class Access(Struct, frozen=True):
    """What opens Alpaca to one run; ``speed`` is market time over real time, which only a local exchange offers."""

    credentials: Credentials
    endpoints: Endpoints
    strategies: Sequence[StrategyConfig]
    terms: Terms
    speed: float = 1.0
    yes_live: str | None = None
    ask: Callable[[str], str] | None = None  # shows a question to a person and returns the answer
