"""The trading API's paths. Watchlists, options, corporate actions and charts of an account are not among them: 404."""

from collections.abc import Mapping
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trader.exchange.rest_account import configure, list_activities, show_account, show_configuration
from trader.exchange.rest_desk import Handler, TradingDesk
from trader.exchange.rest_endpoint import ORDERS, Endpoint
from trader.exchange.rest_market import list_assets, list_days, show_asset, show_clock
from trader.exchange.rest_orders import cancel, cancel_all, find, find_by_client_id, list_orders, place, replace
from trader.exchange.rest_positions import close_all_positions, close_position, list_positions, show_position


def trading_routes(desk: TradingDesk) -> list[Route]:
    """Return the routes of the trading API, in the order in which they are to be tried."""
    return [
        Route(pattern, Endpoint(desk, pattern, handlers), methods=list(handlers))
        for pattern, handlers in _PATHS.items()
    ]


def not_served(_: Request, error: Exception) -> Response:
    """Answer a path or a method that there is not as clients expect it: in JSON."""
    assert isinstance(error, HTTPException)
    body = {"code": error.status_code * 100_000 + 10_000, "message": "endpoint not found"}
    return Response(msgspec.json.encode(body), error.status_code, media_type="application/json")


_PATHS: Final[Mapping[str, Mapping[str, Handler]]] = {
    ORDERS: {"POST": place, "GET": list_orders, "DELETE": cancel_all},
    "/v2/orders:by_client_order_id": {"GET": find_by_client_id},
    "/v2/orders/{order_id}": {"GET": find, "PATCH": replace, "DELETE": cancel},
    "/v2/positions": {"GET": list_positions, "DELETE": close_all_positions},
    "/v2/positions/{symbol:path}": {"GET": show_position, "DELETE": close_position},
    "/v2/account": {"GET": show_account},
    "/v2/account/configurations": {"GET": show_configuration, "PATCH": configure},
    "/v2/account/activities": {"GET": list_activities},
    "/v2/account/activities/{activity_type}": {"GET": list_activities},
    "/v2/assets": {"GET": list_assets},
    "/v2/assets/{symbol:path}": {"GET": show_asset},
    "/v2/clock": {"GET": show_clock},
    "/v2/calendar": {"GET": list_days},
}
