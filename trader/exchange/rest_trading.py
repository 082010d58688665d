"""The trading API's paths.

What the exchange does not deal in (watchlists, options, corporate actions) is answered as an account answers that has
none of it.
"""

from collections.abc import Mapping
from typing import Final

from starlette.routing import Route

from trader.access.sim.venue_orders import Refusal
from trader.exchange.rest_account import configure, list_activities, show_account, show_configuration
from trader.exchange.rest_desk import Answer, Handler, TradingDesk
from trader.exchange.rest_endpoint import ORDERS, Endpoint
from trader.exchange.rest_history import show_history
from trader.exchange.rest_market import list_assets, list_days, show_asset, show_clock, show_clocks
from trader.exchange.rest_orders import cancel, cancel_all, find, find_by_client_id, list_orders, place, replace
from trader.exchange.rest_positions import close_all_positions, close_position, list_positions, show_position


def trading_routes(desk: TradingDesk) -> list[Route]:
    """Return the routes of the trading API, in the order in which they are to be tried."""
    return [
        Route(pattern, Endpoint(desk, pattern, handlers), methods=list(handlers))
        for pattern, handlers in _PATHS.items()
    ]


def _always(answer: Answer | Refusal) -> Handler:
    return lambda _desk, _ask: answer


_EMPTY = _always(Answer(200, []))
_NO_CONTRACTS = _always(Answer(200, {"option_contracts": [], "next_page_token": None}))
_NOT_THERE = _always(Refusal(404, 40410000, "resource not found"))  # our words
_NO_WATCHLIST: Final[Mapping[str, Handler]] = dict.fromkeys(("GET", "PUT", "POST", "DELETE"), _NOT_THERE)

_PATHS: Final[Mapping[str, Mapping[str, Handler]]] = {
    ORDERS: {"POST": place, "GET": list_orders, "DELETE": cancel_all},
    "/v2/orders:by_client_order_id": {"GET": find_by_client_id},
    "/v2/orders/{order_id}": {"GET": find, "PATCH": replace, "DELETE": cancel},
    "/v2/positions": {"GET": list_positions, "DELETE": close_all_positions},
    "/v2/positions/{symbol}/exercise": {"POST": _NOT_THERE},
    "/v2/positions/{symbol}/do-not-exercise": {"POST": _NOT_THERE},
    "/v2/positions/{symbol:path}": {"GET": show_position, "DELETE": close_position},
    "/v2/account": {"GET": show_account},
    "/v2/account/configurations": {"GET": show_configuration, "PATCH": configure},
    "/v2/account/activities": {"GET": list_activities},
    "/v2/account/activities/{activity_type}": {"GET": list_activities},
    "/v2/account/portfolio/history": {"GET": show_history},
    "/v2/assets": {"GET": list_assets},
    "/v2/assets/{symbol:path}": {"GET": show_asset},
    "/v2/clock": {"GET": show_clock},
    "/v2/calendar": {"GET": list_days},
    "/v3/clock": {"GET": show_clocks},
    "/v2/watchlists": {"GET": _EMPTY, "POST": _NOT_THERE},
    "/v2/watchlists:by_name": _NO_WATCHLIST,
    "/v2/watchlists/{rest:path}": _NO_WATCHLIST,
    "/v2/corporate_actions/announcements": {"GET": _EMPTY},
    "/v2/corporate_actions/announcements/{id}": {"GET": _NOT_THERE},
    "/v2/options/contracts": {"GET": _NO_CONTRACTS},
    "/v2/options/contracts/{symbol}": {"GET": _NOT_THERE},
}
