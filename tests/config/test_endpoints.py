"""Addresses: Alpaca's own unless told otherwise, never unencrypted to another machine, never live by a variable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.access.loopback import is_loopback
from trader.config.endpoints import Endpoints, load_endpoints
from trader.errors import ConfigError

LOCAL = {
    "APCA_API_BASE_URL": "http://127.0.0.1:8080",
    "APCA_API_DATA_URL": "http://127.0.0.1:8080",
    "APCA_API_STREAM_URL": "ws://127.0.0.1:8080",
}


def refusal(env: dict[str, str], *, is_live: bool = False) -> str:
    with pytest.raises(ConfigError) as caught:
        load_endpoints(env, is_live=is_live)
    return str(caught.value)


def trading(url: str, *, is_live: bool = False) -> str:
    return load_endpoints({"APCA_API_BASE_URL": url}, is_live=is_live).trading


def test_paper_is_what_nothing_says() -> None:
    paper = load_endpoints({}, is_live=False)
    assert paper == Endpoints(
        "https://paper-api.alpaca.markets",
        "https://data.alpaca.markets",
        "wss://stream.data.alpaca.markets",
        is_live=False,
    )
    assert paper.trade_updates == "wss://paper-api.alpaca.markets/stream"
    assert paper.stock_stream("iex") == "wss://stream.data.alpaca.markets/v2/iex"
    assert paper.crypto_stream == "wss://stream.data.alpaca.markets/v1beta3/crypto/us"
    assert not paper.is_loopback


def test_live_is_what_the_flag_says() -> None:
    live = load_endpoints({}, is_live=True)
    assert live.trading == "https://api.alpaca.markets"
    assert live.trade_updates == "wss://api.alpaca.markets/stream"
    assert live.is_live


def test_a_local_exchange_takes_all_three_places() -> None:
    local = load_endpoints(LOCAL, is_live=False)
    assert local.trade_updates == "ws://127.0.0.1:8080/stream"
    assert local.stock_stream("sip") == "ws://127.0.0.1:8080/v2/sip"
    assert local.is_loopback
    assert not load_endpoints({"APCA_API_BASE_URL": LOCAL["APCA_API_BASE_URL"]}, is_live=False).is_loopback


@pytest.mark.parametrize(
    ("given_url", "kept"),
    [
        ("https://paper-api.alpaca.markets/", "https://paper-api.alpaca.markets"),
        ("https://paper-api.alpaca.markets/v2", "https://paper-api.alpaca.markets"),
        ("https://paper-api.alpaca.markets/v2/", "https://paper-api.alpaca.markets"),
        ("HTTPS://Paper-API.alpaca.markets.", "https://paper-api.alpaca.markets"),
        (" https://paper-api.alpaca.markets ", "https://paper-api.alpaca.markets"),
        ("", "https://paper-api.alpaca.markets"),
        ("http://localhost:9", "http://localhost:9"),
        ("http://[::1]:9/v2", "http://[::1]:9"),
        ("https://exchange.example:8443", "https://exchange.example:8443"),
    ],
)
def test_addresses_are_kept_as_scheme_host_and_port(given_url: str, kept: str) -> None:
    assert trading(given_url) == kept


@pytest.mark.parametrize(
    "url",
    [
        "https://api.alpaca.markets",
        "https://API.alpaca.markets.",
        "https://api.alpaca.markets:443/v2",
        "https://broker-api.alpaca.markets",
        "https://alpaca.markets",
    ],
)
def test_a_live_address_without_the_flag_is_refused(url: str) -> None:
    said = refusal({"APCA_API_BASE_URL": url})
    assert said.startswith("APCA_API_BASE_URL: points at https://")
    assert "no variable switches live trading on; unset it for paper trading, or add --live" in said
    assert trading(url, is_live=True)


@pytest.mark.parametrize("url", ["https://paper-api.alpaca.markets", "https://broker-api.sandbox.alpaca.markets"])
def test_a_paper_address_with_the_flag_is_refused(url: str) -> None:
    said = refusal({"APCA_API_BASE_URL": url}, is_live=True)
    assert "which is paper, but --live was given; unset it to trade real money, or leave out --live" in said
    assert trading(url)


@pytest.mark.parametrize("name", ["ALPACA_PAPER_TRADE", "ALPACA_IS_PAPER"])
def test_switches_of_other_programs_narrow_to_paper_and_never_widen(name: str) -> None:
    assert refusal({name: "True"}, is_live=True).startswith(f"{name}: says 'True', but --live was given")
    assert not load_endpoints({name: "false"}, is_live=False).is_live
    assert load_endpoints({name: "false"}, is_live=True).is_live


@pytest.mark.parametrize("host", ["exchange.example", "192.168.1.2:80", "10.0.0.1", "127.0.0.1.example", "2130706433"])
def test_keys_go_unencrypted_to_this_machine_only(host: str) -> None:
    said = refusal(
        {
            "APCA_API_BASE_URL": f"http://{host}",
            "APCA_API_DATA_URL": f"http://{host}",
            "APCA_API_STREAM_URL": f"ws://{host}",
        }
    ).splitlines()
    assert [line.partition(":")[0] for line in said] == [*LOCAL]
    assert said[0].startswith(f"APCA_API_BASE_URL: must begin with https://, got 'http://{host}': it would send your")
    assert said[2].startswith("APCA_API_STREAM_URL: must begin with wss://")


@pytest.mark.parametrize(
    "url", ["paper-api.alpaca.markets", "ftp://x", "https://", "http://[::1", "https://x:99999", "wss://x", "nonsense"]
)
def test_what_is_no_address_is_told_with_one_that_is(url: str) -> None:
    assert refusal({"APCA_API_BASE_URL": url}) == (
        f"APCA_API_BASE_URL: must be an address like https://paper-api.alpaca.markets, got {url!r}"
    )


def test_a_stream_takes_ws_and_the_others_http() -> None:
    said = refusal({"APCA_API_STREAM_URL": "https://stream.data.alpaca.markets"})
    assert "must be an address like wss://stream.data.alpaca.markets" in said


def test_a_path_is_refused_because_the_paths_are_known() -> None:
    said = refusal({"APCA_API_STREAM_URL": "wss://stream.data.alpaca.markets/v2/iex"})
    assert said.startswith("APCA_API_STREAM_URL: must end after the host and port, like wss://stream.data.alpaca")


@pytest.mark.parametrize("url", ["https://me:pa55word@example.com", "ftp://me:pa55word@example.com"])
def test_a_password_in_an_address_is_refused_and_not_shown(url: str) -> None:
    assert "pa55word" not in refusal({"APCA_API_BASE_URL": url})


def test_real_money_is_not_traded_on_another_servers_prices() -> None:
    env = {name: LOCAL[name] for name in ("APCA_API_DATA_URL", "APCA_API_STREAM_URL")}
    said = refusal(env, is_live=True).splitlines()
    assert len(said) == 2
    assert all("real money is not traded on another server's prices; unset it" in line for line in said)
    assert load_endpoints(env, is_live=False).stream == "ws://127.0.0.1:8080"
    assert load_endpoints(LOCAL, is_live=True).is_loopback


@given(st.text(max_size=60))
def test_any_text_gives_safe_addresses_or_a_refusal(url: str) -> None:
    try:
        endpoints = load_endpoints({"APCA_API_BASE_URL": url}, is_live=False)
    except ConfigError:
        return
    assert endpoints.trading.startswith("https://") or is_loopback(endpoints.trading)
    assert endpoints.trading != "https://api.alpaca.markets"
