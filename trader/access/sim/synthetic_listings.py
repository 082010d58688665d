"""What trades on the synthetic market: a plausible price, volatility and volume for any symbol.

Known symbols have levels of early 2026, rounded; any other draws its own from its name, so that it has the same ones in
every run and on every machine.
"""

from hashlib import blake2b
from math import exp, log, sqrt
from typing import NamedTuple

from trader.model.instruments import AssetClass, instrument_of

_TRADE_SHARES = 100.0  # an average print; volume over this is how many prints a minute has
_TRADE_USD = 500.0
_COIN_DIGITS = 6  # a coin's price step is the last of about so many digits

# price in dollars, beta to the stock market, own daily volatility in percent, million shares a day
_STOCKS: dict[str, tuple[float, float, float, float]] = {
    "SPY": (680, 1.0, 0.15, 75),
    "VOO": (625, 1.0, 0.15, 7),
    "IVV": (683, 1.0, 0.15, 6),
    "VTI": (336, 1.02, 0.15, 4),
    "DIA": (484, 0.85, 0.3, 4),
    "QQQ": (620, 1.25, 0.4, 55),
    "IWM": (250, 1.2, 0.6, 35),
    "MDY": (605, 1.1, 0.5, 0.8),
    "EFA": (97, 0.8, 0.4, 15),
    "EEM": (56, 0.85, 0.6, 30),
    "TLT": (88, -0.15, 0.8, 35),
    "IEF": (96, -0.08, 0.4, 8),
    "SHY": (83, -0.01, 0.1, 5),
    "AGG": (100, -0.04, 0.3, 8),
    "LQD": (111, 0.05, 0.4, 25),
    "HYG": (81, 0.3, 0.25, 40),
    "TIP": (110, -0.03, 0.35, 3),
    "GLD": (410, 0.05, 1.1, 12),
    "SLV": (68, 0.25, 2.0, 40),
    "USO": (72, 0.4, 1.9, 4),
    "XLB": (46, 1.0, 0.6, 12),
    "XLC": (117, 1.05, 0.6, 5),
    "XLE": (45, 0.8, 1.1, 30),
    "XLF": (54, 0.95, 0.6, 40),
    "XLI": (157, 1.05, 0.5, 9),
    "XLK": (145, 1.35, 0.6, 14),
    "XLP": (78, 0.45, 0.5, 14),
    "XLRE": (41, 0.8, 0.6, 6),
    "XLU": (43, 0.5, 0.8, 18),
    "XLV": (155, 0.6, 0.6, 10),
    "XLY": (120, 1.2, 0.7, 9),
    "SMH": (370, 1.7, 1.1, 8),
    "ARKK": (80, 1.8, 1.6, 10),
    "AAPL": (272, 1.15, 1.1, 48),
    "MSFT": (482, 1.05, 1.0, 22),
    "GOOGL": (313, 1.1, 1.3, 32),
    "GOOG": (314, 1.1, 1.3, 20),
    "AMZN": (231, 1.25, 1.4, 42),
    "META": (660, 1.25, 1.6, 14),
    "NVDA": (186, 1.8, 1.8, 170),
    "TSLA": (445, 1.8, 2.4, 80),
    "AMD": (215, 1.8, 2.2, 40),
    "NFLX": (94, 1.1, 1.6, 40),
    "JPM": (318, 1.0, 0.9, 9),
    "BAC": (55, 1.1, 1.0, 38),
    "XOM": (120, 0.6, 1.1, 16),
    "JNJ": (206, 0.35, 0.8, 8),
    "WMT": (112, 0.5, 1.0, 18),
    "KO": (70, 0.3, 0.8, 16),
    "DIS": (113, 1.0, 1.2, 9),
}

# dollars, beta to the crypto market, own daily volatility in percent, million dollars a day
_COINS: dict[str, tuple[float, float, float, float]] = {
    "BTC": (89_000, 1.0, 0.8, 900),
    "ETH": (3_050, 1.2, 1.4, 500),
    "SOL": (130, 1.4, 2.2, 200),
    "XRP": (1.95, 1.2, 2.4, 150),
    "DOGE": (0.13, 1.4, 2.6, 80),
    "LTC": (78, 1.1, 2.0, 20),
    "BCH": (600, 1.1, 2.2, 8),
    "LINK": (12.8, 1.3, 2.3, 8),
    "AVAX": (12.9, 1.4, 2.4, 5),
    "DOT": (1.85, 1.3, 2.4, 1.5),
    "UNI": (5.9, 1.3, 2.6, 1.2),
    "AAVE": (152, 1.3, 2.6, 1),
    "SHIB": (0.0000072, 1.4, 2.8, 2),
    "USDT": (1.0, 0.0, 0.02, 50),
    "USDC": (1.0, 0.0, 0.02, 50),
}
_QUOTE_USD = {"EUR": 1.17, "GBP": 1.34, "BTC": 89_000.0, "ETH": 3_050.0}  # what the second half of a pair is worth


class Listing(NamedTuple):
    """One symbol's character: volatilities are fractions a day, ``volume`` is shares or coins a day.

    ``beta`` is to the factor of its asset class, ``spread_bps`` the whole bid-ask spread, ``decimals`` those of its
    prices, ``trades`` the prints of an average minute: few of them leave minutes without a bar.
    """

    symbol: str
    asset_class: AssetClass
    price: float
    beta: float
    own_volatility: float
    volume: float
    spread_bps: float
    decimals: int
    trades: float


def known_symbols() -> tuple[str, ...]:
    """Name the stocks, then the pairs in dollars, that have levels of their own; any other symbol can be had too."""
    return (*_STOCKS, *(f"{base}/USD" for base in _COINS))


def listing_of(symbol: str) -> Listing:
    """Describe ``symbol``; one that is not known gets a price of $10 to $500 and a character from its name."""
    if instrument_of(symbol).asset_class == "crypto":
        return _coin(symbol)
    price, beta, own, millions = _STOCKS.get(symbol) or _unknown(symbol, least=0.03, most=20.0)
    volume = millions * 1e6
    spread = _spread_bps(volume * price)
    return Listing(symbol, "stock", price, beta, own / 100, volume, spread, 2, volume / 390 / _TRADE_SHARES)


def _coin(symbol: str) -> Listing:
    base, _, quote = symbol.partition("/")
    usd, beta, own, millions = _COINS.get(base) or _unknown(base, least=0.3, most=30.0)
    price = usd / _QUOTE_USD.get(quote, 1.0)
    decimals = min(max(_COIN_DIGITS - int(log(price) // log(10)), 2), 9)
    volume, trades = millions * 1e6 / usd, millions * 1e6 / 1440 / _TRADE_USD
    return Listing(symbol, "crypto", price, beta, own / 100, volume, _spread_bps(millions * 1e6 / 9), decimals, trades)


def _unknown(name: str, *, least: float, most: float) -> tuple[float, float, float, float]:
    digest = blake2b(name.encode(), digest_size=16).digest()
    draws = [int.from_bytes(digest[place : place + 4], "big") / 2**32 for place in (0, 4, 8, 12)]
    price = round(10 * exp(draws[0] * log(50)), 2)
    return price, 0.4 + 1.4 * draws[1], 1.0 + 2.0 * draws[2], least * exp(draws[3] * log(most / least))


def _spread_bps(usd_a_day: float) -> float:
    """Return a spread that falls with turnover: about 0.5 bps at $10bn a day, 15 at $10m."""
    return min(max(15 * sqrt(1e7 / usd_a_day), 0.5), 40.0)
