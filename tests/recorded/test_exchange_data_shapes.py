"""The local exchange's market-data answers against Alpaca's own description of them, and against recorded ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.build import T0
from tests.exchange.data_calls import NOW, call, desk
from tests.recorded.schemas import Document
from trader.exchange.rest_data import data_routes
from trader.model.time import MINUTE, iso

pytestmark = pytest.mark.recorded

# Documented, and not served: corporate auctions, and tables of codes that nobody trades by.
NOT_SERVED = {
    "/v2/stocks/auctions",
    "/v2/stocks/{symbol}/auctions",
    "/v2/stocks/meta/conditions/{ticktype}",
    "/v2/stocks/meta/exchanges",
}
SERVED = sorted(route.path for route in data_routes(desk()))
PAGED = [path for path in SERVED if path.endswith(("/bars", "/trades", "/quotes")) and "latest" not in path]
VALUES = {
    "timeframe": "5Min",
    "start": iso(T0 - MINUTE),
    "end": iso(NOW),
    "limit": "7",
    "sort": "desc",
    "adjustment": "split,spin-off",
    "asof": "2026-01-05",
    "feed": "iex",
    "currency": "USD",
}


@pytest.fixture(scope="module")
def fixtures(shared: Path) -> Path:
    return shared / "data" / "alpaca-fixtures"


@pytest.fixture(scope="module")
def document(fixtures: Path) -> Document:
    return Document(fixtures / "openapi" / "market-data-api.json")


def concrete(path: str) -> str:
    return path.replace("{loc}", "us").replace("{symbol}", "SPY")


def symbols(path: str) -> dict[str, str]:
    if "{symbol}" in path:
        return {}
    return {"symbols": "SPY,AAPL" if "/stocks/" in path else "BTC/USD,ETH/USD"}


def test_every_documented_path_of_stocks_and_coins_is_served(document: Document) -> None:
    documented = {path for path in document.paths if path.startswith(("/v2/stocks/", "/v1beta3/crypto/"))}
    assert documented - NOT_SERVED == set(SERVED)


@pytest.mark.parametrize("path", SERVED)
async def test_an_answer_fits_its_description(document: Document, path: str) -> None:
    needed = {"timeframe": "1Day"} if path in PAGED and path.endswith("/bars") else {}
    called = await call(desk(), concrete(path), **symbols(path), **needed)
    assert called.status == 200
    assert called.body
    assert list(document.flaws(called.body, document.answer(path))) == []


def test_what_does_not_fit_is_found(document: Document) -> None:
    bar = {"t": "2026-01-05T14:30:00Z", "o": 1, "h": 2.5, "l": "1", "c": None, "v": 1.5, "n": True, "x": 1}
    flaws = "\n".join(document.flaws({"bars": {"SPY": [bar]}}, document.answer("/v2/stocks/bars")))
    assert "'next_page_token' is missing" in flaws
    assert "'vw' is missing" in flaws
    assert "'x' is not documented" in flaws
    assert all(f"[0].{name}: " in flaws for name in "lcvn")
    assert not any(f"[0].{name}: " in flaws for name in "toh")


@pytest.mark.parametrize("path", SERVED)
async def test_every_documented_parameter_is_taken(document: Document, path: str) -> None:
    given = {name: VALUES[name] for name in document.parameters(path).keys() - {"symbols", "page_token"}}
    called = await call(desk(), concrete(path), **symbols(path), **given)
    assert called.status == 200, called.body
    assert list(document.flaws(called.body, document.answer(path))) == []
    token = called.body.get("next_page_token")
    assert (token is not None) == ("limit" in given)
    if token is not None:
        following = await call(desk(), concrete(path), **symbols(path), **given, page_token=token)
        assert following.status == 200


@pytest.mark.parametrize("path", PAGED)
async def test_an_empty_answer_fits_its_description_too(document: Document, path: str) -> None:
    needed = {"timeframe": "1Min"} if path.endswith("/bars") else {}
    called = await call(desk(), concrete(path), **symbols(path), **needed, start="2015-01-01", end="2015-01-02")
    assert called.status == 200
    assert called.body["next_page_token"] is None
    assert list(document.flaws(called.body, document.answer(path))) == []


CCXT, STOCK, CRYPTO = (
    "recorded/ccxt/",
    "sdk-tests/alpaca-py/tests_data_test_historical_stock_data__test_",
    "sdk-tests/alpaca-py/tests_data_test_historical_crypto_data__test_",
)
RECORDED = [
    (f"{CCXT}crypto_snapshots", "/v1beta3/crypto/us/snapshots", {}),
    (f"{CCXT}crypto_trades_and_bars", "/v1beta3/crypto/us/trades", {}),
    (f"{CCXT}crypto_trades_and_bars", "/v1beta3/crypto/us/bars", {"timeframe": "1Min"}),
    (f"{STOCK}get_bars_desc", "/v2/stocks/bars", {"timeframe": "1Day"}),
    (f"{STOCK}multisymbol_get_trades", "/v2/stocks/trades", {}),
    (f"{STOCK}multisymbol_quotes", "/v2/stocks/quotes", {}),
    (f"{STOCK}get_snapshot", "/v2/stocks/snapshots", {}),
    (f"{STOCK}multi_stock_latest_bar", "/v2/stocks/bars/latest", {}),
    (f"{CRYPTO}get_crypto_latest_quote", "/v1beta3/crypto/us/latest/quotes", {}),
]


@pytest.mark.parametrize(("file", "path", "needed"), RECORDED)
async def test_an_answer_has_the_keys_of_a_recorded_one(
    fixtures: Path, file: str, path: str, needed: dict[str, str]
) -> None:
    payloads = json.loads((fixtures / f"{file}.json").read_text())["payloads"]
    [recorded] = [one["body"] for one in payloads if path in one["url"]]
    called = await call(
        desk(), path, **symbols(path), **needed, **({"limit": "3"} if "next_page_token" in recorded else {})
    )
    assert skeleton(called.body) == skeleton(recorded)


def skeleton(value: Any) -> Any:
    """Return the keys of a body, with any symbol and any number of rows alike, and no difference between numbers."""
    if isinstance(value, list):
        return [skeleton(value[0])] if value else []
    if isinstance(value, dict):
        by_symbol = {name: inner for name, inner in value.items() if name.isupper()}
        named = {name: skeleton(inner) for name, inner in value.items() if not name.isupper()}
        return named | ({"SYMBOL": skeleton(next(iter(by_symbol.values())))} if by_symbol else {})
    return None if isinstance(value, str | None) else type(value) in {int, float}
