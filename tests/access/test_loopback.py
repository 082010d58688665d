"""What counts as this machine."""

import pytest

from trader.access.loopback import is_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.10:1", "[::1]:8080"])
def test_loopback_is_this_machine(host: str) -> None:
    assert is_loopback(f"http://{host}/v2")


@pytest.mark.parametrize("host", ["example.com", "10.0.0.1", "localhost.example", "127.1", "[fe80::1]", ""])
def test_anything_else_is_not_loopback(host: str) -> None:
    assert not is_loopback(f"https://{host}")
