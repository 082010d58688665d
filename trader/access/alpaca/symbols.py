"""The two spellings of a crypto pair: ``BTC/USD`` in orders and market data, ``BTCUSD`` in positions and paths."""

from collections.abc import Iterable


class CryptoPairs:
    """The known pairs. A table, not a rule: ``AVAXUSDT`` does not say where to cut, and ``LUSD`` may be a share."""

    def __init__(self, pairs: Iterable[str]) -> None:
        """Know ``pairs``, each spelled with its slash.

        Raises:
            ValueError: two pairs have one compact form, so that it would not tell which is meant.
        """
        self._compact = {pair: pair.replace("/", "") for pair in pairs}
        self._slashed = {compact: pair for pair, compact in self._compact.items()}
        if len(self._slashed) < len(self._compact):
            doubled = sorted(pair for pair, compact in self._compact.items() if self._slashed[compact] != pair)
            raise ValueError(f"{', '.join(doubled)} cannot be told from another pair without the slash")

    def slashed(self, symbol: str) -> str:
        """Return the desk's spelling; a symbol that is no known pair stays as it is."""
        return self._slashed.get(symbol, symbol)

    def compact(self, symbol: str) -> str:
        """Return the spelling of positions and paths; a symbol that is no known pair stays as it is."""
        return self._compact.get(symbol, symbol)
