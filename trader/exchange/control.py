"""The control port: faults while the exchange runs, and the truth to compare with. For tests and rehearsals.

- ``POST /_faults``: one fault, a list of them, or a whole script; each happens at its time, without one at once.
- ``GET /_faults``: every fault there was or will be, and what became of it.
- ``GET /_truth``: orders, executions, positions and cash of every account, and what was asked.

No keys protect it, for the exchange is on loopback alone, and no fault touches it.
"""

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trader.access.sim.venue import Venue
from trader.config.findings import Doubled
from trader.errors import ConfigError
from trader.exchange.fault_script import Known, script_of
from trader.exchange.faults import FaultSchedule
from trader.exchange.request_log import RequestLog
from trader.exchange.truth import truth_of

LARGEST_BODY: Final = 1_000_000  # bytes: ten thousand faults

_Do = Callable[[Request], Awaitable[object]]


class Control(msgspec.Struct, frozen=True):
    """What the control port shows and moves; ``now`` is the market's time."""

    faults: FaultSchedule
    venue: Venue
    log: RequestLog
    now: Callable[[], int]

    async def plan(self, request: Request) -> object:
        """Take faults, and let those happen whose time has come."""
        data = _data(await _body(request))
        script = script_of(data, Known(self.venue.assets, self.venue.accounts))
        planned = self.faults.add(script)
        self.faults.due(self.now())
        return [one.row() for one in planned]

    async def planned(self, request: Request) -> object:
        """Return every fault."""
        return [one.row() for one in self.faults.log]

    async def truth(self, request: Request) -> object:
        """Return everybody's books."""
        return truth_of(self.venue.accounts, self.log, now=self.now())


def control_routes(control: Control) -> list[Route]:
    """Return the routes of the control port."""
    return [
        Route("/_faults", _answering(control.plan), methods=["POST"]),
        Route("/_faults", _answering(control.planned), methods=["GET"]),
        Route("/_truth", _answering(control.truth), methods=["GET"]),
    ]


def _answering(do: _Do) -> Callable[[Request], Awaitable[Response]]:
    """Answer with JSON what a function returns; what is wrong with a request, with 400 and all of its problems."""

    async def answer(request: Request) -> Response:
        try:
            status, body = 200, await do(request)
        except ConfigError as error:
            found = [{"path": problem.path, "message": problem.message} for problem in error.problems]
            status, body = 400, {"problems": found}
        return Response(msgspec.json.encode(body), status, media_type="application/json")

    return answer


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise ConfigError(f"larger than {LARGEST_BODY // 1_000_000} MB; send the faults in parts")
    return bytes(body)


def _data(body: bytes) -> object:
    """Read a body as a settings file is read: numbers exactly, doubled keys noticed."""
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=Decimal, object_pairs_hook=Doubled.of)
    except RecursionError:
        raise ConfigError("nested too deeply") from None
    except ValueError as error:  # not JSON, not UTF-8, a number of thousands of digits
        raise ConfigError(f"not JSON: {error}") from None
