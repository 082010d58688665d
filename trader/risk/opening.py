"""An opening as the controls compare it: in floats, made once for all of them."""

from decimal import Decimal

import msgspec

from trader.model.orders import OrderIntent
from trader.model.views import Market, Question


class Opening(msgspec.Struct, frozen=True, gc=False):
    """What the gate is asked to open: ``reserved`` dollars would be set aside for it.

    ``signed`` is the quantity, negative for a sale, and ``price`` what it was decided at; ``number`` is that of its
    symbol in the exposures.
    """

    question: Question
    intent: OrderIntent
    market: Market
    number: int
    signed: float
    qty: float
    price: float
    reserved: float


def opening_of(question: Question, number: int, reserved: Decimal) -> Opening:
    """Look at a question as an opening of the symbol with this number."""
    intent = question.intent
    qty, price = float(intent.qty), float(intent.decision_price)
    return Opening(question, intent, question.market, number, qty * intent.side.sign, qty, price, float(reserved))
