"""What was asked is counted, within bounds."""

import pytest

from trader.exchange import request_log
from trader.exchange.request_log import NO_ANSWER, Asked, RequestLog


def test_every_post_of_a_client_order_id_stands_with_its_answer() -> None:
    log = RequestLog()
    log.ordered("a", NO_ANSWER)
    log.ordered("b", 200)
    log.ordered("a", 422)
    assert log.by_client_id == {"a": Asked(2, [0, 422]), "b": Asked(1, [200])}


def test_requests_are_counted_by_route() -> None:
    log = RequestLog()
    for route in ("GET /v2/orders", "POST /v2/orders", "GET /v2/orders"):
        log.asked(route)
    assert log.totals == {"GET /v2/orders": 2, "POST /v2/orders": 1}


def test_the_oldest_client_order_ids_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_log, "MOST_CLIENT_IDS", 2)
    log = RequestLog()
    for name in "abc":
        log.ordered(name, 200)
    assert list(log.by_client_id) == ["b", "c"]


def test_a_client_that_repeats_itself_for_ever_fills_no_memory() -> None:
    log = RequestLog()
    for _ in range(request_log.MOST_STATUSES + 1):
        log.ordered("a", 422)
    assert log.by_client_id["a"].posts == request_log.MOST_STATUSES + 1
    assert len(log.by_client_id["a"].statuses) == request_log.MOST_STATUSES
