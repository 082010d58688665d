"""The guard against the network, and the way to recorded data."""

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from tests.conftest import shared_folder

ELSEWHERE = ("192.0.2.1", 80)  # RFC 5737: reserved for documentation, never a real host


def test_connecting_elsewhere_fails_the_test() -> None:
    with socket.socket() as sock, pytest.raises(pytest.fail.Exception, match=r"'192\.0\.2\.1'.*loopback"):
        sock.connect(ELSEWHERE)


def test_connect_ex_elsewhere_fails_the_test() -> None:
    with socket.socket() as sock, pytest.raises(pytest.fail.Exception, match="loopback"):
        sock.connect_ex(ELSEWHERE)


def test_a_datagram_elsewhere_fails_the_test() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(pytest.fail.Exception, match="loopback"):
        sock.sendto(b"", ELSEWHERE)


def test_asking_for_a_foreign_name_fails_the_test() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"'host\.invalid'"):
        socket.getaddrinfo("host.invalid", 80)


def test_code_that_swallows_errors_does_not_swallow_the_guard() -> None:
    def stubborn() -> None:
        with contextlib.suppress(Exception):
            socket.create_connection(ELSEWHERE)

    with pytest.raises(pytest.fail.Exception):
        stubborn()


async def test_asyncio_is_guarded_too() -> None:
    with pytest.raises(pytest.fail.Exception):
        await asyncio.open_connection(*ELSEWHERE)


def test_loopback_is_open_by_number_and_by_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            with socket.create_connection((host, port), timeout=5) as client:
                assert client.getpeername()[1] == port


def test_unix_sockets_are_open(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)
        assert client.getpeername() == path


async def test_asyncio_runs_in_debug_mode() -> None:
    assert asyncio.get_running_loop().get_debug()


def test_shared_folder_is_the_one_that_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("TRADER_SHARED", str(tmp_path))
    assert shared_folder() == tmp_path


def test_shared_folder_without_data_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADER_SHARED", str(tmp_path))
    assert shared_folder() is None
