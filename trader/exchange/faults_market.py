"""Faults of the market and of what is told of it: bars, prints, halts, listings, splits."""

from math import nan
from typing import Annotated, Final, Literal

import msgspec
from msgspec.structs import asdict, replace

from trader.access.alpaca.wire_data import (
    BarMessage,
    CancelErrorMessage,
    CorrectionMessage,
    DataMessage,
    StatusMessage,
    TradeMessage,
    UpdatedBarMessage,
)
from trader.access.alpaca.wire_time import extension
from trader.exchange.data_messages import EXCHANGE, TAPE
from trader.exchange.fault_terms import Amount, Chance, Count, Fault, Miss, Moment, Span, Stage
from trader.exchange.faults_orders import in_use
from trader.exchange.tampering import Change, Sent
from trader.model.time import SECOND

Flaw = Literal["high_below_low", "zero_price", "negative_volume", "not_a_number"]

_DIGITS: Final = 6  # of a price that is made up
_HALF_A_MINUTE: Final = Span(30 * SECOND)  # when Alpaca sends a bar that a late print has changed
_FLAWS: Final[dict[Flaw, dict[str, float]]] = {
    "zero_price": {"open": 0.0, "low": 0.0},
    "negative_volume": {"volume": -1.0},
    "not_a_number": {"close": nan},
}
_OTHER_ID = 1 << 40  # added to a print's number: one that the market never used


class _OfBars(Fault, frozen=True):
    """The next bars of ``symbol``; empty is any that somebody subscribed to."""

    symbol: str = ""
    count: Count = 1

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Wait for them."""
        stage.tape.arm(
            Change(
                kind=BarMessage,
                endpoint="",
                symbol=self.symbol,
                count=self.count,
                apply=lambda message, ts: self._sent(_bar(message), ts),
                told=stage.told,
            )
        )
        return f"the next {self.count} bars of {self.symbol or 'any symbol'}"

    def _sent(self, bar: BarMessage, now: int) -> Sent:
        raise NotImplementedError


class BadBar(_OfBars, frozen=True, tag="bad_bar"):
    """Send bars that cannot be true in the place of the true ones, which only the history has then."""

    flaw: Flaw = "high_below_low"

    def _sent(self, bar: BarMessage, now: int) -> Sent:
        changes = _FLAWS.get(self.flaw) or {"high": bar.low * 0.9}
        return Sent([replace(bar, **changes)])


class LateBar(_OfBars, frozen=True, tag="late_bar"):
    """Send bars after ``delay``."""

    delay: Span = _HALF_A_MINUTE

    def _sent(self, bar: BarMessage, now: int) -> Sent:
        return Sent([], [(now + self.delay, bar)])


class DuplicateBar(_OfBars, frozen=True, tag="duplicate_bar"):
    """Send bars twice."""

    def _sent(self, bar: BarMessage, now: int) -> Sent:
        return Sent([bar, bar])


class CorrectedBar(_OfBars, frozen=True, tag="corrected_bar"):
    """Send bars with prices ``factor`` times the true ones, and the true ones as ``updatedBars`` after ``delay``."""

    factor: Annotated[float, msgspec.Meta(gt=0, le=100)] = 1.01
    delay: Span = _HALF_A_MINUTE

    def _sent(self, bar: BarMessage, now: int) -> Sent:
        names = ("open", "high", "low", "close", "vwap")
        wrong = {name: round(value * self.factor, _DIGITS) for name in names if (value := getattr(bar, name))}
        return Sent([replace(bar, **wrong)], [(now + self.delay, UpdatedBarMessage(**asdict(bar)))])


class TradeCorrection(Fault, frozen=True, tag="trade_correction"):
    """Send prints of a stock that are taken back after ``delay``.

    With ``action`` ``correct`` they have another price first; with ``cancel`` they come on top of the true ones.
    """

    symbol: str = ""
    count: Count = 1
    action: Literal["correct", "cancel"] = "correct"
    factor: Annotated[float, msgspec.Meta(gt=0, le=100)] = 1.02
    delay: Span = Span(5 * SECOND)

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Wait for them."""
        apply = self._corrected if self.action == "correct" else self._canceled
        change = Change(
            TradeMessage, "stock", self.symbol, self.count, lambda one, ts: apply(_trade(one), ts), stage.told
        )
        stage.tape.arm(change)
        return f"the next {self.count} trades of {self.symbol or 'any stock'}"

    def _corrected(self, trade: TradeMessage, now: int) -> Sent:
        due, number = now + self.delay, _number(trade)
        wrong = replace(trade, price=round(trade.price * self.factor, _DIGITS))
        correction = CorrectionMessage(
            trade.symbol,
            old_id=number,
            old_price=wrong.price,
            old_size=trade.size,
            new_id=number + _OTHER_ID,
            new_price=trade.price,
            new_size=trade.size,
            stamp=extension(due),
            exchange=EXCHANGE,
            tape=TAPE,
        )
        return Sent([wrong], [(due, correction)])

    def _canceled(self, trade: TradeMessage, now: int) -> Sent:
        due, number = now + self.delay, _number(trade) + _OTHER_ID
        false = replace(trade, id=number, price=round(trade.price * self.factor, _DIGITS))
        cancel = CancelErrorMessage(
            trade.symbol, number, false.price, false.size, extension(due), exchange=EXCHANGE, tape=TAPE
        )
        return Sent([trade, false], [(due, cancel)])


class Halt(Fault, frozen=True, tag="halt"):
    """Stop matching in a symbol, and tell it as a trading status; with ``for`` it resumes by itself."""

    symbol: str = ""
    lasts: Span | None = msgspec.field(name="for", default=None)

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Halt it; without a name a symbol that some account holds or has orders of."""
        symbol = self.symbol or _used(stage, chance)
        if symbol is None:
            return Miss("no symbol is held or ordered yet; name one")
        stage.venue.set_halted(symbol, is_halted=True)
        _tell(stage, StatusMessage(symbol, "2", "Trading Halt", "M", "Volatility Trading Pause", extension(now), TAPE))
        if self.lasts is not None:
            stage.then(Resume(at=Moment(now + self.lasts), symbol=symbol))
        return symbol


class Resume(Fault, frozen=True, tag="resume"):
    """Let a symbol trade again."""

    symbol: str

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Resume it."""
        stage.venue.set_halted(self.symbol, is_halted=False)
        _tell(stage, StatusMessage(self.symbol, "3", "Trading Resumption", "", "", extension(now), TAPE))
        return self.symbol


class Asset(Fault, frozen=True, tag="asset"):
    """Change what the venue allows with a symbol; what is left out stays."""

    symbol: str
    tradable: bool | None = None
    shortable: bool | None = None
    fractionable: bool | None = None

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Change it."""
        asset = stage.venue.assets[self.symbol]
        flags = {
            name: value
            for name in ("tradable", "shortable", "fractionable")
            if (value := getattr(self, name)) is not None
        }
        stage.venue.set_asset(replace(asset, **{f"is_{name}": value for name, value in flags.items()}))
        return f"{self.symbol}: " + ", ".join(f"{name} {str(value).lower()}" for name, value in flags.items())


class Split(Fault, frozen=True, tag="split"):
    """Make ``ratio`` shares of one in every account, at a price that much lower."""

    symbol: str = ""
    ratio: Amount = Amount(2)

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Split it; without a name a stock that some account holds."""
        held = {symbol for account in stage.accounts() for symbol in account.positions if "/" not in symbol}
        symbol = self.symbol or chance.choose(sorted(held))
        if symbol is None:
            return Miss("no stock is held yet; name one")
        stage.venue.split(symbol, self.ratio, now=now)
        stage.split(symbol, self.ratio, now)
        stage.flush()
        return f"{symbol}, {self.ratio} for 1"


def _used(stage: Stage, chance: Chance) -> str | None:
    return chance.choose(sorted({symbol for account in stage.accounts() for symbol in in_use(account)}))


def _tell(stage: Stage, status: StatusMessage) -> None:
    """Tell a stock's status; the crypto feed has no such channel."""
    if "/" not in status.symbol:
        stage.tape.publish("stock", [status])


def _bar(message: DataMessage) -> BarMessage:
    assert isinstance(message, BarMessage)
    return message


def _trade(message: DataMessage) -> TradeMessage:
    assert isinstance(message, TradeMessage)
    return message


def _number(trade: TradeMessage) -> int:
    assert isinstance(trade.id, int), "the market numbers every print"
    return trade.id
