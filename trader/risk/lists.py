"""Who may open what: restricted symbols, allowed ones, and those a strategy is authorised for."""

from trader.risk.bounds import Breach
from trader.risk.checks import RESTART
from trader.risk.rules import Rules


def unlisted(rules: Rules, strategy: str, symbol: str) -> Breach | None:
    """Name the first list that keeps a strategy from opening a symbol."""
    if symbol in rules.restricted:
        hint = f"take {symbol} out of risk.restricted {RESTART}"
        return Breach("restricted", f"symbol {symbol}", "not to be opened", symbol, hint=hint)
    if rules.allowed and symbol not in rules.allowed:
        hint = f"add {symbol} to risk.allowed {RESTART}"
        return Breach("not_allowed", f"symbol {symbol}", ", ".join(rules.allowed), symbol, hint=hint)
    authorized = rules.authorized.get(strategy)
    if authorized is not None and symbol not in authorized:
        hint = f"add {symbol} to risk.authorized.{strategy} {RESTART}"
        return Breach("unauthorized", f"strategy {strategy}", ", ".join(authorized) or "none", symbol, hint=hint)
    return None
