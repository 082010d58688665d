"""Where a desk's state lies."""

import socket
from pathlib import Path

import pytest

from trader.errors import ConfigError
from trader.live import state_folder
from trader.live.state_folder import default_folder, socket_address


def test_paper_and_live_have_a_folder_each() -> None:
    env = {"XDG_STATE_HOME": "/var/state"}
    assert default_folder(env, is_live=False) == Path("/var/state/trader/paper")
    assert default_folder(env, is_live=True) == Path("/var/state/trader/live")


@pytest.mark.parametrize("env", [{}, {"XDG_STATE_HOME": ""}, {"XDG_STATE_HOME": "relative"}])
def test_without_a_usable_setting_it_is_below_home(env: dict[str, str]) -> None:
    assert default_folder(env, is_live=False) == Path.home() / ".local/state/trader/paper"


@pytest.mark.parametrize("length", [10, 200])
def test_a_socket_is_bound_and_found_however_long_the_path_is(tmp_path: Path, length: int) -> None:
    path = tmp_path / ("x" * length) / "socket"
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        with socket_address(path) as address:
            listener.bind(address)
        listener.listen()
        with socket_address(path) as address:
            client.connect(address)
    assert path.is_socket()


def test_where_there_is_no_short_way_a_long_path_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_folder, "_OPEN_FILES", tmp_path / "none")
    with pytest.raises(ConfigError, match="too long for a socket"), socket_address(tmp_path / ("x" * 200) / "socket"):
        pass
