"""The trading API's paths."""

import pytest

from tests.exchange.desks import Floor


async def test_no_path_answers_without_keys() -> None:
    floor = Floor()
    for route in floor.app.routes:
        path = getattr(route, "path", "").replace(":path", "")
        for method in getattr(route, "methods", ()):
            answer = await floor.call(method, path.replace("{", "").replace("}", ""), key=None)
            assert answer.status == 401, (method, path)
    assert not floor.told


@pytest.mark.parametrize(("method", "path"), [("PUT", "/v2/orders"), ("POST", "/v2/account"), ("PATCH", "/v2/clock")])
async def test_a_method_that_a_path_does_not_know_is_405(method: str, path: str) -> None:
    assert (await Floor().call(method, path)).status == 405


async def test_what_the_exchange_does_not_deal_in_is_404() -> None:
    for path in ("watchlists", "corporate_actions/announcements", "options/contracts", "account/portfolio/history"):
        answer = await Floor().call("GET", f"/v2/{path}")
        assert (answer.status, answer.body["code"]) == (404, 40410000)
