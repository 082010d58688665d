"""A trading floor for tests of the venue: two stocks, a coin, New York sessions, and short ways to ask and look."""

from datetime import time
from decimal import Decimal
from typing import Any

from tests.build import T0
from trader.access.sim.accounts import Account, AccountRules
from trader.access.sim.fills import VenueRules
from trader.access.sim.venue import Venue
from trader.access.sim.venue_orders import (
    OrderRequest,
    Refusal,
    StopLoss,
    TakeProfit,
    TradeUpdate,
    VenueAsset,
    VenueOrder,
)
from trader.model.calendar import Phase
from trader.model.instruments import instrument_of
from trader.model.orders import Side
from trader.model.ticks import Quote, Tick, Trade
from trader.model.time import DAY, HOUR, MINUTE, NEW_YORK, SECOND, midnight_after, utc

DOLLARS = Decimal(100_000)
CLOSE = T0 + 390 * MINUTE  # T0 is Monday's opening, 9:30 in New York
NEXT_OPEN = T0 + DAY

ASSETS = {
    "SPY": VenueAsset(instrument_of("SPY")),
    "ODD": VenueAsset(instrument_of("ODD"), is_shortable=False, is_fractionable=False),
    "OLD": VenueAsset(instrument_of("OLD"), is_tradable=False),
    "BTC/USD": VenueAsset(instrument_of("BTC/USD"), min_order_size=Decimal("0.0002")),
}


class NewYork:
    """Weekdays without holidays; a day in ``early`` (its midnight in New York) closes at 13:00."""

    def __init__(self, *early: int) -> None:
        self.early = frozenset(early)

    def phase(self, now: int) -> Phase:
        local = utc(now).astimezone(NEW_YORK)
        if local.weekday() > 4 or not time(4) <= local.time() < time(20):
            return "closed"
        if local.time() < time(9, 30):
            return "pre"
        return "core" if now < self._midnight(now) + self._hours(now) else "post"

    def session_close(self, now: int, *, is_extended: bool) -> int:
        day = now
        while True:
            midnight = self._midnight(day)
            close = midnight + (20 * HOUR if is_extended else self._hours(day))
            if utc(day).astimezone(NEW_YORK).weekday() < 5 and now < close:
                return close
            day = midnight + 26 * HOUR

    def _midnight(self, now: int) -> int:
        return midnight_after(now, NEW_YORK) - DAY

    def _hours(self, now: int) -> int:
        return (13 if self._midnight(now) in self.early else 16) * HOUR


class Floor:
    """A venue with one account, asked and shown in few words; ``now`` is where its clock stands."""

    def __init__(self, *early: int, cash: Decimal = DOLLARS, has_sizes: bool = False, **rules: Any) -> None:
        account_rules = {key: rules.pop(key) for key in tuple(rules) if key in AccountRules.__struct_fields__}
        self.venue = Venue(
            ASSETS, sessions=NewYork(*early), rules=VenueRules(**{"has_fees": False, **rules}), has_sizes=has_sizes
        )
        self.account: Account = self.venue.open_account("a", cash, AccountRules(**account_rules))
        self.now = T0 + SECOND
        self.told: list[TradeUpdate] = []

    def ask(self, symbol: str = "SPY", side: str = "buy", **fields: Any) -> VenueOrder | Refusal:
        """Send an order: 10 shares to buy at the market for today, unless said otherwise; numbers are given as text."""
        if "notional" not in fields:
            fields.setdefault("qty", "10")
        answer = self.venue.submit("a", request_of(symbol, side, **fields), now=self.now)
        self.look()
        return answer

    def order(self, symbol: str = "SPY", side: str = "buy", **fields: Any) -> str:
        """Send an order that must be taken; return its id."""
        answer = self.ask(symbol, side, **fields)
        assert isinstance(answer, VenueOrder), answer
        return answer.id

    def refused(self, symbol: str = "SPY", side: str = "buy", **fields: Any) -> Refusal:
        """Send an order that must be refused; return how."""
        answer = self.ask(symbol, side, **fields)
        assert isinstance(answer, Refusal), answer
        return answer

    def cancel(self, order_id: str) -> VenueOrder | Refusal:
        """Ask for a cancel."""
        answer = self.venue.cancel("a", order_id, now=self.now)
        self.look()
        return answer

    def show(self, *ticks: Tick) -> None:
        """Let the market move; the clock goes to the newest tick."""
        self.now = max([self.now, *(tick.ts for tick in ticks)])
        self.venue.observe(ticks, now=self.now)
        self.look()

    def quote(self, bid: float, ask: float, symbol: str = "SPY", size: float = 100.0) -> None:
        """Show a quote one second on."""
        self.show(Quote(symbol, self.now + SECOND, bid, size, ask, size))

    def trade(self, price: float, symbol: str = "SPY") -> None:
        """Show a trade one second on."""
        self.show(Trade(symbol, self.now + SECOND, price, 100.0))

    def wait_until(self, ts: int) -> None:
        """Let time pass."""
        self.now = ts
        self.venue.advance(ts)
        self.look()

    def look(self) -> None:
        """Take what the venue says, and check its books."""
        self.told += self.venue.updates()
        self.venue.check()

    def events(self, order_id: str = "") -> list[str]:
        """Return the names of what was told, of one order or of all."""
        return [update.event for update in self.told if order_id in {"", update.order.id}]

    def fills(self) -> list[tuple[Decimal | None, Decimal | None]]:
        """Return quantity and price of every execution."""
        return [(update.qty, update.price) for update in self.told if update.execution_id]

    def __getitem__(self, order_id: str) -> VenueOrder:
        return self.account.orders[order_id]


def request_of(symbol: str, side: str, **fields: Any) -> OrderRequest:
    """Return a request; ``profit``, ``loss`` and ``loss_limit`` are the prices of its exits."""
    given: dict[str, Any] = {key: Decimal(value) if key in MONEY and value else value for key, value in fields.items()}
    profit, loss, loss_limit = (given.pop(name, None) for name in ("profit", "loss", "loss_limit"))
    return OrderRequest(
        symbol,
        Side(side),
        take_profit=TakeProfit(profit) if profit else None,
        stop_loss=StopLoss(loss, loss_limit) if loss else None,
        **given,
    )


MONEY = frozenset(
    {"qty", "notional", "limit_price", "stop_price", "trail_price", "trail_percent", "profit", "loss", "loss_limit"}
)


def quoted(**rules: Any) -> Floor:
    """Return a floor where SPY stands at 99.99 to 100.01 and BTC/USD at 60000 to 60010."""
    floor = Floor(**rules)
    floor.quote(99.99, 100.01)
    floor.quote(49.99, 50.01, "ODD")
    floor.quote(60000.0, 60010.0, "BTC/USD")
    return floor
