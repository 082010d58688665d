"""Kinds of settings: exact numbers, names, tickers; what each may be and what is said of another."""

import re
from collections.abc import Mapping
from decimal import Decimal
from math import nan
from numbers import Integral, Real
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict

from trader.config.findings import show
from trader.model.money import decimal_of

MAX_DECIMALS, MAX_DIGITS = 18, 30  # of any number: beyond lies no amount of money, only slow arithmetic
LONGEST_STOCK = 5  # letters of a US stock or ETF before the dot; six are a pair without its slash
_STOCK = re.compile(r"[A-Z][A-Z0-9]{0,5}(\.[A-Z]{1,3})?")
_PAIR = re.compile(r"[A-Z0-9]{2,10}/(USD|USDT|USDC)")
_PAIR_LIKE = re.compile(r"([A-Z0-9]{2,10}?)[-_/ ]?(USD|USDT|USDC|EUR|BTC)")


def _exact(value: object) -> object:
    """Make a Decimal of a number; text and true are none, even where Python would make one of them."""
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        raise ValueError(f"must be a number, got {show(value)}")  # noqa: TRY004 -- pydantic collects ValueErrors only
    if isinstance(value, Integral):
        number = Decimal(int(value))
    else:
        number = value if isinstance(value, Decimal) else decimal_of(float(value))
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and (exponent < -MAX_DECIMALS or number.adjusted() > MAX_DIGITS):  # text for NaN
        raise ValueError(f"must have at most {MAX_DIGITS} digits and {MAX_DECIMALS} decimals, got {show(value)}")
    return number


def floats(value: object) -> object:
    """Give strategies the floats they calculate with, where a file was read into Decimals."""
    if isinstance(value, Decimal):
        return nan if value.is_nan() else float(value)  # float() raises for a NaN that signals
    if isinstance(value, Mapping):
        return {key: floats(below) for key, below in value.items()}
    return [floats(below) for below in value] if isinstance(value, list) else value


def _ticker(symbol: str) -> str:
    """Return a symbol that can be one, or say what was probably meant."""
    if _PAIR.fullmatch(symbol) or (_STOCK.fullmatch(symbol) and not _is_pair_without_slash(symbol)):
        return symbol
    wanted = symbol.strip().upper()
    like = _PAIR_LIKE.fullmatch(wanted)
    if like and like[2] in {"EUR", "BTC"}:
        meant = f"; the books are kept in dollars, so trade {like[1] + '/USD'!r}"
    elif like and (len(wanted) > LONGEST_STOCK or not wanted.isalnum()):
        meant = f"; did you mean {f'{like[1]}/{like[2]}'!r}?"
    elif _STOCK.fullmatch(stock := re.sub("[-/ ]", ".", wanted)):
        meant = f"; did you mean {stock!r}?"
    else:
        meant = ""
    raise ValueError(
        f"must be a stock like 'SPY' or 'BRK.B', or a crypto pair like 'BTC/USD', got {show(symbol)}{meant}"
    )


def _is_pair_without_slash(symbol: str) -> bool:
    """Tell BTCUSD from a stock."""
    return len(symbol) > LONGEST_STOCK and _PAIR_LIKE.fullmatch(symbol) is not None


def once_each(tickers: tuple[str, ...]) -> tuple[str, ...]:
    """Return tickers of which none is there twice."""
    twice = sorted({ticker for ticker in tickers if tickers.count(ticker) > 1})
    if twice:
        raise ValueError(f"must name each ticker once, got {', '.join(twice)} more than once")
    return tickers


def _printable(name: str) -> str:
    if not name.isprintable() or name != name.strip():
        raise ValueError(f"must be printable and without spaces at its ends, got {show(name)}")
    return name


Text = Annotated[str, Strict()]
Flag = Annotated[bool, Strict()]
EXACT = BeforeValidator(_exact)  # last in an annotation, so that the bounds before it reach the JSON Schema
Name = Annotated[Text, Field(min_length=1, max_length=64), AfterValidator(_printable)]
Ticker = Annotated[Text, AfterValidator(_ticker)]


class Section(BaseModel):
    """A part of a settings file: frozen, and no key but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
