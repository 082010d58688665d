"""The set-up behind scripts/trader: cheap when done, repaired when not, and clear when it cannot be.

A checkout of its own for each test, with a stand-in for uv that makes a virtual environment without a network.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

FAKE_UV = """#!/bin/sh
echo "$*" >>"$UV_CALLS"
for last; do :; done
case "$1 $2 $*" in
"venv --quiet "*) mkdir -p "$last/bin" && ln -s "$REAL_PYTHON" "$last/bin/python" ;;
"pip install "*--require-hashes*) exit "${UV_FAILS:-0}" ;;
"pip install "*--editable*)
	printf '#!/bin/sh\\necho "$PWD" "$#" "$@"\\n' >"$last/.venv/bin/trader" && chmod +x "$last/.venv/bin/trader" ;;
esac
"""

# All that is on PATH beside what a test adds: what the scripts call, and what the stand-in for uv does.
SYSTEM_TOOLS = ("cmp", "dirname", "readlink", "chmod", "ln", "mkdir")


class Checkout:
    """A copy of what the set-up needs, in a folder with a space in its name."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "my checkout"
        self.tools = folder / "tools"
        self.calls = folder / "calls"
        shutil.copytree(ROOT / "scripts", self.root / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", self.root)
        self.tools.mkdir()
        for name in SYSTEM_TOOLS:
            (self.tools / name).symlink_to(shutil.which(name) or f"/bin/{name}")
        self.calls.touch()
        self.add_tool("uv", FAKE_UV)

    def add_tool(self, name: str, text: str) -> Path:
        tool = self.tools / name
        tool.write_text(text)
        tool.chmod(0o755)
        return tool

    def environment(self) -> dict[str, str]:
        return {
            "PATH": str(self.tools),
            "HOME": str(self.root),
            "TRADER_PYTHON": sys.executable,
            "REAL_PYTHON": sys.executable,
            "UV_CALLS": str(self.calls),
        }

    def run(
        self, *words: str, program: Path | None = None, cwd: Path | None = None, **env: str
    ) -> tuple[int, str, str]:
        """Return the exit code, stdout and stderr of ``scripts/trader``."""
        command = [str(program or self.root / "scripts" / "trader"), *words]
        env = self.environment() | env
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def uv_calls(self) -> list[str]:
        """Return uv's command lines since the last time this was asked."""
        calls = self.calls.read_text().splitlines()
        self.calls.write_text("")
        return calls


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path.resolve())


def test_first_call_installs_from_the_lock_by_hash_and_builds_nothing_else(checkout: Checkout) -> None:
    assert checkout.run()[0] == 0
    packages, project = [call for call in checkout.uv_calls() if call.startswith("pip install")]
    assert "--require-hashes --only-binary :all: -r" in packages
    assert packages.endswith("scripts/locks/run.txt")
    assert "--no-index --no-deps --no-build-isolation --editable" in project


def test_second_call_sets_nothing_up(checkout: Checkout) -> None:
    checkout.run()
    checkout.uv_calls()
    code, _, err = checkout.run()
    assert (code, err, checkout.uv_calls()) == (0, "", [])


def test_arguments_and_folder_reach_the_program_as_they_are(checkout: Checkout, tmp_path: Path) -> None:
    code, out, _ = checkout.run("run", "a b", "*", cwd=tmp_path)
    assert (code, out) == (0, f"{tmp_path.resolve()} 3 run a b *\n")


def test_program_finds_its_checkout_through_a_relative_link(checkout: Checkout, tmp_path: Path) -> None:
    link = tmp_path / "bin" / "trader"
    link.parent.mkdir()
    link.symlink_to(Path("..") / checkout.root.name / "scripts" / "trader")
    assert checkout.run(program=link)[0] == 0


def test_setup_speaks_on_stderr_only(checkout: Checkout) -> None:
    _, out, err = checkout.run(cwd=checkout.root)
    assert out == f"{checkout.root} 0\n"
    assert all(line.startswith("trader: ") for line in err.splitlines())


def test_failed_download_is_told_and_started_over(checkout: Checkout) -> None:
    code, out, err = checkout.run(UV_FAILS="1")
    assert (code, out) == (1, "")
    assert "could not be installed" in err
    assert "Traceback" not in err
    code, _, err = checkout.run()
    assert (code, "unfinished" in err) == (0, True)


def test_interrupted_update_is_never_taken_for_done(checkout: Checkout) -> None:
    checkout.run()
    lock = checkout.root / "scripts" / "locks" / "run.txt"
    before = lock.read_text()
    lock.write_text(f"{before}# changed\n")
    assert checkout.run(UV_FAILS="1")[0] == 1
    lock.write_text(before)  # back to the lock of the finished set-up, but .venv is somewhere between the two
    checkout.uv_calls()
    assert checkout.run()[0] == 0
    assert any(call.startswith("venv") for call in checkout.uv_calls())


@pytest.mark.parametrize("name", ["scripts/locks/run.txt", "pyproject.toml"])
def test_change_of_what_is_installed_is_installed_over_what_is_there(checkout: Checkout, name: str) -> None:
    checkout.run()
    plugin = checkout.root / ".venv" / "plugin"
    plugin.touch()
    path = checkout.root / name
    path.write_text(f"{path.read_text()}# changed\n")
    checkout.uv_calls()
    assert checkout.run()[0] == 0
    assert len(checkout.uv_calls()) == 3
    assert plugin.exists()


def test_moved_checkout_is_set_up_anew(checkout: Checkout) -> None:
    checkout.run()
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    code, _, err = checkout.run()
    assert (code, "setting up" in err) == (0, True)


def test_calls_at_once_set_up_once(checkout: Checkout) -> None:
    command = [checkout.root / "scripts" / "trader"]
    quiet = subprocess.DEVNULL
    started = [subprocess.Popen(command, env=checkout.environment(), stdout=quiet, stderr=quiet) for _ in range(4)]
    assert [process.wait() for process in started] == [0] * 4
    assert len([call for call in checkout.uv_calls() if call.startswith("venv")]) == 1


def test_old_python_is_refused_by_name_and_version(checkout: Checkout) -> None:
    old = checkout.add_tool(
        "python3.9", '#!/bin/sh\ncase "$2" in *exit*) exit 1 ;; *) echo "is Python 3.9.6" ;; esac\n'
    )
    code, _, err = checkout.run(TRADER_PYTHON=str(old))
    assert code == 1
    assert f"needs Python 3.11 or newer, but {old} is Python 3.9.6" in err
    assert "TRADER_PYTHON=" in err


def test_missing_python_is_told(checkout: Checkout) -> None:
    code, _, err = checkout.run(TRADER_PYTHON="/nowhere/python3")
    assert (code, "/nowhere/python3 does not run" in err) == (1, True)


def _without_ensurepip(checkout: Checkout, *, user: int) -> str:
    """Return a Python as Debian ships it, without ensurepip, that takes itself for one of this user's."""
    (checkout.tools / "uv").unlink()
    code = (
        "import os, runpy, sys; sys.modules['ensurepip'] = None; "
        f"os.geteuid = lambda: {user}; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    text = f'#!/bin/sh\ncase "$1" in -c) exec "$REAL_PYTHON" "$@" ;; *) exec "$REAL_PYTHON" -c "{code}" "$@" ;; esac\n'
    return str(checkout.add_tool("debian-python", text))


def test_python_without_ensurepip_is_told_where_there_is_no_apt(checkout: Checkout) -> None:
    code, _, err = checkout.run(TRADER_PYTHON=_without_ensurepip(checkout, user=0))
    assert (code, "no ensurepip; install it, or uv" in err) == (1, True)


def test_debian_user_is_shown_the_line_to_run(checkout: Checkout) -> None:
    checkout.add_tool("apt-get", "#!/bin/sh\nexit 1\n")
    code, _, err = checkout.run(TRADER_PYTHON=_without_ensurepip(checkout, user=1000))
    package = f"python3.{sys.version_info.minor}-venv"
    assert code == 1
    assert f"\n    sudo apt-get update && sudo apt-get install -y {package}\n" in err
    assert not (checkout.root / ".venv").exists()


def test_debian_root_gets_the_package_installed(checkout: Checkout) -> None:
    checkout.add_tool("apt-get", '#!/bin/sh\necho "apt-get $*" >>"$UV_CALLS"\n[ "$1" = update ]\n')
    code, _, err = checkout.run(TRADER_PYTHON=_without_ensurepip(checkout, user=0))
    package = f"python3.{sys.version_info.minor}-venv"
    assert checkout.uv_calls() == [
        "apt-get update -qq",
        f"apt-get install -y -qq --no-install-recommends {package}",
    ]
    assert code == 1  # this apt-get fails, and then the line to run by hand is shown
    assert f"    apt-get update && apt-get install -y {package}\n" in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_checkout_of_another_user_is_told(checkout: Checkout) -> None:
    (checkout.root / "scripts" / "setup.py").chmod(0o444)
    code, _, err = checkout.run()
    assert (code, "may not write" in err) == (1, True)
