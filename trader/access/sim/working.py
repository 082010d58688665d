"""An open order as the venue works it, and the group it stands or falls with. Pure."""

from collections.abc import Iterable
from decimal import Decimal

from trader.access.sim.venue_orders import ENDED, VenueAsset, VenueOrder
from trader.model.money import EXACT, ONE, ZERO, floor_to
from trader.model.orders import Side

# How far above the market a buy is valued, and above its stop a triggered buy may pay: 4 % below $50, 2.5 % from there.
# Source: Alpaca documentation "Orders at Alpaca" (collars of market and stop orders), read 2026-11.
COLLAR_BELOW, COLLAR_FROM, COLLAR_PRICE = Decimal("0.04"), Decimal("0.025"), Decimal(50)
_CENT = Decimal("0.01")


class Working:
    """An open order with what the venue knows about it beyond its snapshot.

    ``unit`` is the buying power one share claims, ``cost`` what was paid or received so far, ``executions`` how often
    it has filled, ``limit`` the worst price it may get now (None: any), ``is_live`` whether it has reached the market,
    ``is_elected`` whether its stop, if it has one, was reached, ``group`` the orders it stands or falls with.
    """

    __slots__ = (
        "account", "arrival", "asset", "cancel_at", "cost", "executions", "group", "is_elected", "is_live", "limit",
        "order", "sequence", "unit",
    )  # fmt: skip

    def __init__(self, account: str, order: VenueOrder, asset: VenueAsset, *, sequence: int, arrival: int) -> None:
        """Begin unfilled."""
        self.account = account
        self.order = order
        self.asset = asset
        self.sequence = sequence
        self.arrival = arrival
        self.unit = ZERO
        self.cost = ZERO
        self.executions = 0
        self.cancel_at: int | None = None
        self.is_live = False
        self.is_elected = order.type in {"market", "limit"}
        self.limit = order.limit_price
        self.group: Group | None = None

    @property
    def left(self) -> Decimal:
        """Return what is still to be filled; zero for an order in dollars, whose quantity its price will say."""
        return EXACT.subtract(self.order.qty, self.order.filled_qty) if self.order.qty is not None else ZERO

    @property
    def is_opening(self) -> bool:
        """Return whether it makes a position larger, which takes buying power; closing takes shares."""
        return self.order.position_intent.endswith("_to_open")

    @property
    def is_leg(self) -> bool:
        """Return whether it is an exit of a group."""
        return self.group is not None and self.group.entry is not self

    @property
    def is_in_reserve(self) -> bool:
        """Return whether it is a stop beside a limit order: shown as ``held`` until its stop is reached."""
        return self.is_leg and not self.is_elected and self.group is not None and len(self.group.open_legs()) > 1

    def is_with(self, other: "Working | None") -> bool:
        """Return whether the two are one order, or of one group."""
        return other is self or (self.group is not None and other is not None and other.group is self.group)

    def keeps(self, size: Decimal) -> Decimal:
        """Return how much of a position of ``size`` it keeps from other orders; legs share what they keep.

        An entry keeps what it has filled for its legs, and an order in dollars keeps all there is.
        """
        group = self.group
        if self.is_opening:
            return ZERO if group is None or group.is_released else self.order.filled_qty
        if group is not None and not (group.is_released and group.open_legs()[0] is self):
            return ZERO
        return size if self.order.qty is None else self.left

    @property
    def priority(self) -> tuple[bool, Decimal, int]:
        """Return the key of price-time priority: market orders, then the better price, then the earlier order."""
        if self.limit is None:
            return False, ZERO, self.sequence
        return True, self.limit.copy_negate() if self.order.side is Side.BUY else self.limit, self.sequence

    def elect(self) -> None:
        """Send a triggered stop to the market; a stock's buy stop pays no more than its collar."""
        self.is_elected = True
        if self.order.type == "stop" and self.order.side is Side.BUY and self.order.stop_price is not None:
            highest = collared(self.order.stop_price)
            self.limit = floor_to(highest, _CENT if highest >= ONE else self.asset.instrument.price_increment)


class Group:
    """Orders that stand or fall together: when ``entry`` has filled the ``legs`` are let go, and one of them ends all.

    Without an entry what it would open is there already (one cancels the other).
    """

    __slots__ = ("entry", "is_released", "legs")

    def __init__(self, entry: Working | None, legs: Iterable[Working]) -> None:
        """Join orders; the first leg speaks for all of them when shares are reserved."""
        self.entry = entry
        self.legs = list(legs)
        self.is_released = entry is None
        for member in (entry, *self.legs):
            if member is not None:
                member.group = self

    def open_legs(self) -> list[Working]:
        """Return the legs that have not ended."""
        return [leg for leg in self.legs if leg.order.status not in ENDED]

    def others(self, working: Working) -> list[Working]:
        """Return the open orders of the group beside this one."""
        members = self.legs if self.entry is None else [self.entry, *self.legs]
        return [member for member in members if member is not working and member.order.status not in ENDED]

    def swap(self, old: Working, new: Working) -> None:
        """Let a replacement take its place."""
        new.group = self
        if self.entry is old:
            self.entry = new
        else:
            self.legs[self.legs.index(old)] = new


def collared(price: Decimal) -> Decimal:
    """Return ``price`` with Alpaca's collar for buys on top."""
    share = COLLAR_BELOW if price < COLLAR_PRICE else COLLAR_FROM
    return EXACT.multiply(price, EXACT.add(ONE, share))
