"""What holds for every test: no network beyond this machine, repeatable chance, and where recorded data lie."""

import ipaddress
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import structlog
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# No deadlines: a shared machine stalls for reasons of its own. In CI the examples are the same on every run, so that a
# red build is about the change; at a desk they are new ones each time, and a failing one is kept in .hypothesis.
settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "desk")


def shared_folder() -> Path | None:
    """Return the folder that holds recorded market data under ``data/``, or None where there is none."""
    folder = Path(os.environ.get("TRADER_SHARED") or ROOT.parent / "shared")
    return folder if (folder / "data").is_dir() else None


@pytest.fixture(scope="session")
def shared() -> Path:
    """Give the folder that holds recorded market data under ``data/``, to a test marked ``recorded``."""
    folder = shared_folder()
    assert folder, "a test that uses recorded data carries @pytest.mark.recorded"
    return folder


@pytest.fixture(autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a place for state that is this test's alone, for the programs that it starts too."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """Leave logging as it was found: whoever only listens to lines configures it too."""
    was_configured = structlog.is_configured()
    yield
    if not was_configured:
        structlog.reset_defaults()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked ``recorded`` where there is no recorded data."""
    if shared_folder() is None:
        skip = pytest.mark.skip(reason="no recorded market data: set TRADER_SHARED to the folder that holds data/")
        for item in items:
            if item.get_closest_marker("recorded"):
                item.add_marker(skip)


def pytest_report_header() -> str:
    """Say at the top of every run whether the recorded tests can run."""
    return f"recorded market data: {shared_folder() or 'none (TRADER_SHARED is not set); those tests are skipped'}"


def _guard_network(event: str, args: tuple[object, ...]) -> None:
    """Fail the test that reaches beyond this machine, or asks for a name that needs a server to answer.

    An audit hook sees every socket of the process, whoever made it, and cannot be forgotten in a test.
    """
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        sock, address = args[0], args[1]
        assert isinstance(sock, socket.socket)
        if sock.family in {socket.AF_INET, socket.AF_INET6} and isinstance(address, tuple):
            _refuse_unless_local(event, address[0])
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        _refuse_unless_local(event, args[0])


def _refuse_unless_local(event: str, host: object) -> None:
    text = host.decode(errors="replace") if isinstance(host, bytes) else host
    if text in {None, "", "localhost"}:
        return
    try:
        is_local = ipaddress.ip_address(str(text)).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        _fail(f"{event} to {text!r}: tests reach loopback and UNIX sockets only; start a local server instead")


def _fail(message: str) -> NoReturn:
    pytest.fail(message)  # not an Exception: code under test that retries after errors must not swallow it


# Keys and addresses of whoever runs the tests are theirs: no test may meet an account.
for name in [name for name in os.environ if name.startswith(("APCA_", "ALPACA_")) or name == "CREDENTIALS_DIRECTORY"]:
    del os.environ[name]

sys.addaudithook(_guard_network)
