"""Who may open what: restricted symbols, allowed ones, and those a strategy is authorised for."""

from typing import Final

from trader.risk.bounds import Breach
from trader.risk.checks import RESTART
from trader.risk.rules import Rules

MOST_SHOWN: Final = 10  # symbols of a list in a denial


class Lists:
    """The lists of one desk, ready to be looked up in."""

    def __init__(self, rules: Rules) -> None:
        """Take them from ``rules``."""
        self._restricted = frozenset(rules.restricted)
        self._allowed = frozenset(rules.allowed)
        self._authorized = {name: frozenset(symbols) for name, symbols in rules.authorized.items()}

    def broken(self, strategy: str, symbol: str) -> Breach | None:
        """Name the first list that keeps a strategy from opening a symbol."""
        if symbol in self._restricted:
            hint = f"take {symbol} out of risk.restricted {RESTART}"
            return Breach("restricted", f"symbol {symbol}", "not to be opened", symbol, hint=hint)
        if self._allowed and symbol not in self._allowed:
            hint = f"add {symbol} to risk.allowed {RESTART}"
            return Breach("not_allowed", f"symbol {symbol}", _shown(self._allowed), symbol, hint=hint)
        authorized = self._authorized.get(strategy)
        if authorized is not None and symbol not in authorized:
            hint = f"add {symbol} to risk.authorized.{strategy} {RESTART}"
            return Breach("unauthorized", f"strategy {strategy}", _shown(authorized), symbol, hint=hint)
        return None


def _shown(symbols: frozenset[str]) -> str:
    names = sorted(symbols) or ["none"]
    more = len(names) - MOST_SHOWN
    return ", ".join(names[:MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")
