"""The Director: every intent to open of one step, together, through the filters."""

from collections.abc import Sequence

from trader.model.orders import OrderIntent, Ruling
from trader.model.views import PortfolioView


class Director:
    """The filters of one desk, in the order in which they are asked."""

    def judge(self, intents: Sequence[OrderIntent], view: PortfolioView) -> list[Ruling]:
        """Return, for each intent in its place, what is left of it; never more than was asked for."""
        return [Ruling(intent) for intent in intents]
