"""A PostgreSQL server of the machine's own binaries, for the length of a test session, on a UNIX socket."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest

SETTINGS = {"shared_buffers": "16MB", "max_connections": "20", "listen_addresses": ""}
READY = "database system is ready to accept connections"


class PostgresServer:
    """One server in a folder of its own."""

    def __init__(self) -> None:
        """Make its files; skip the test that wants it where that cannot be done."""
        self._programs = {name: shutil.which(name) for name in ("initdb", "postgres")}
        if missing := [name for name, path in self._programs.items() if path is None]:
            pytest.skip(f"PostgreSQL is not installed here: no {' and no '.join(missing)} on the path")
        # Names of sockets are short: not the test session's own folder, which may lie deep.
        self.folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
        self._user = _user()
        if self._user is not None:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        self._process: subprocess.Popen[str] | None = None
        self._said: list[str] = []
        self._has_answered = threading.Event()
        try:
            made = self._start("initdb", "-A", "trust", "-U", "trader", "-E", "UTF8", "--no-locale", "--no-sync")
        except PermissionError as error:
            shutil.rmtree(self.folder)
            pytest.skip(f"PostgreSQL does not run as root, and no other user can be had: {error}")
        said, _ = made.communicate()
        assert made.returncode == 0, said

    def url(self, schema: str = "public") -> str:
        """Return the address of the journal in ``schema``."""
        return f"postgresql://trader@/postgres?host={self.folder}&options=-csearch_path%3D{schema}"

    def start(self) -> None:
        """Run it and wait until it answers."""
        settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        self._process = self._start("postgres", "-k", str(self.folder), *settings)
        self._said.clear()
        self._has_answered.clear()
        self._listener = threading.Thread(target=self._listen, args=(self._process,))
        self._listener.start()
        self._has_answered.wait()
        assert READY in "".join(self._said), "".join(self._said)

    def crash(self) -> None:
        """End it as a power cut would end it, but for what the system still writes."""
        self._end(signal.SIGQUIT)

    def close(self) -> None:
        """End it and delete its files."""
        if self._process is not None:
            self._end(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    def execute(self, query: str, *, schema: str = "public") -> list[Any]:
        """Do something in it as somebody else would."""
        with psycopg.connect(self.url(schema), autocommit=True) as other:
            cursor = other.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    def _end(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait()
        self._listener.join()
        self._process = None

    def _listen(self, process: "subprocess.Popen[str]") -> None:
        """Read what it says to the end, so that it is never held up."""
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self._said.append(line)
                if READY in line:
                    self._has_answered.set()
        self._has_answered.set()

    def _start(self, name: str, *arguments: str) -> "subprocess.Popen[str]":
        as_user: dict[str, Any] = {}
        if self._user is not None:
            as_user = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        return subprocess.Popen(
            [str(self._programs[name]), "-D", str(self.folder / "data"), *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **as_user,
        )


def _user() -> pwd.struct_passwd | None:
    """Return whom the server is to run as: it refuses root. None: whoever we are."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("PostgreSQL does not run as root, and there is no user postgres or nobody")
