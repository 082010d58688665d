"""Opposite orders of one step meet inside the desk before any of them leaves: what crosses, what goes on. Pure.

Exits are served first, then orders as they were made; each pair crosses as much as both have left. What is left goes to
the venue, on one side only: two opposite market orders of one account are refused there.

- Whoever keeps a rest crosses in its own steps: the rest of a whole-share order is whole.
- A rest below the venue's minimum would never be sold: an exit crosses so much less that both it and the other side
  keep enough to be sent; an entry's is withdrawn.
- Where rests are left on both sides, the side of the first exit (else of the first order) goes; the other is withdrawn,
  and its sandboxes ask again when the way is free.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from trader.model.money import EXACT, ZERO, ceil_to, divide, floor_to
from trader.model.orders import Side

# So many of the venue's minimum orders are kept as a rest: the price may fall before the rest gets there.
_MINIMA_KEPT = Decimal(2)


class Offer(msgspec.Struct, frozen=True):
    """An approved order that has not left yet; ``step`` and ``minimum`` (dollars) are what the venue takes of it."""

    order_id: str
    side: Side
    qty: Decimal
    reduces: bool
    step: Decimal
    minimum: Decimal


class Cross(msgspec.Struct):
    """A quantity that a buyer takes from a seller, sandbox to sandbox."""

    buy_id: str
    sell_id: str
    qty: Decimal

    @property
    def execution_id(self) -> str:
        """Return the id that both sides book it under: orders of one step meet once."""
        return f"x:{self.buy_id}:{self.sell_id}"


class Netted(msgspec.Struct, frozen=True):
    """What crosses, what each order has left after it, and whose rest may not go to the venue."""

    crosses: tuple[Cross, ...]
    left: dict[str, Decimal]
    withdrawn: frozenset[str]


def net(offers: Sequence[Offer], price: Decimal, *, may_cross: bool = True) -> Netted:
    """Cross the orders of one symbol at ``price``; ``offers`` stand in the order in which they were made.

    Where they may not cross, because nobody trusts the price, one side goes and the other is withdrawn.
    """
    ranked = sorted(offers, key=lambda offer: not offer.reduces)
    left = {offer.order_id: offer.qty for offer in ranked}
    crosses = _pair(ranked, left) if may_cross else []
    for offer in ranked:
        if offer.reduces and not _is_sendable(offer, left[offer.order_id], price):
            step = max(other.step for other in ranked)  # so that what is given back can be sent by anyone
            least = ceil_to(divide(EXACT.multiply(offer.minimum, _MINIMA_KEPT), price), step)
            _take_back(offer, crosses, left, qty=least)
    resting = [offer for offer in ranked if left[offer.order_id]]
    withdrawn = {
        offer.order_id
        for offer in resting
        if offer.side is not resting[0].side
        or (not offer.reduces and not _is_sendable(offer, left[offer.order_id], price))
    }
    return Netted(tuple(cross for cross in crosses if cross.qty), left, frozenset(withdrawn))


def _pair(ranked: Sequence[Offer], left: dict[str, Decimal]) -> list[Cross]:
    """Let every buyer take from the sellers, front to front."""
    crosses: list[Cross] = []
    sellers = [offer for offer in ranked if offer.side is Side.SELL]
    for buyer in ranked:
        if buyer.side is Side.BUY:
            crosses += _fill(buyer, sellers, left)
            sellers = [seller for seller in sellers if left[seller.order_id]]
    return crosses


def _fill(buyer: Offer, sellers: Sequence[Offer], left: dict[str, Decimal]) -> Iterator[Cross]:
    for seller in sellers:
        if not left[buyer.order_id]:
            return
        if qty := _shared(buyer, seller, left):
            for order_id in (buyer.order_id, seller.order_id):
                left[order_id] = EXACT.subtract(left[order_id], qty)
            yield Cross(buyer.order_id, seller.order_id, qty)


def _shared(buyer: Offer, seller: Offer, left: dict[str, Decimal]) -> Decimal:
    """Return what two orders have in common, in steps of the one that keeps a rest."""
    bought, sold = left[buyer.order_id], left[seller.order_id]
    if bought == sold:
        return bought
    keeper = buyer if bought > sold else seller
    return floor_to(min(bought, sold), keeper.step)


def _is_sendable(offer: Offer, rest: Decimal, price: Decimal) -> bool:
    """Tell whether a rest is nothing, all there was, or large enough for the venue."""
    return rest in {ZERO, offer.qty} or EXACT.multiply(rest, price) >= offer.minimum


def _take_back(offer: Offer, crosses: Sequence[Cross], left: dict[str, Decimal], *, qty: Decimal) -> None:
    """Uncross so much of an exit's newest crosses that both sides of them keep enough to be sent."""
    for cross in reversed(crosses):
        if offer.order_id in {cross.buy_id, cross.sell_id}:
            back = min(qty, cross.qty)
            qty = EXACT.subtract(qty, back)
            cross.qty = EXACT.subtract(cross.qty, back)
            for order_id in (cross.buy_id, cross.sell_id):
                left[order_id] = EXACT.add(left[order_id], back)
