"""A PostgreSQL cluster for a test: its own folder and port, gone when the test is."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.core.oxigraph_server import free_port

_SUPERUSER = "postgres"
_READY_WITHIN_S = 30.0


@contextmanager
def postgresql() -> Iterator[str]:
    """The address of an empty database; the test is skipped where PostgreSQL is not installed."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL's initdb and postgres are not installed")
    folder = Path(tempfile.mkdtemp(prefix="tinyfleet-postgresql-"))
    try:
        with _server(programs, folder, _unprivileged(folder)) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    """Debian keeps them apart by version, where no PATH leads."""
    found = shutil.which("initdb")
    if found and shutil.which("postgres"):
        return Path(found).parent
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    complete = [each for each in folders if (each / "initdb").exists()]
    return max(complete, key=lambda each: int(each.parent.name.split(".")[0]), default=None)


def _unprivileged(folder: Path) -> dict[str, Any]:
    """How to run its programs, which refuse to be root: as another user, whose the folder is."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@contextmanager
def _server(programs: Path, folder: Path, as_user: dict[str, Any]) -> Iterator[str]:
    cluster, port = folder / "cluster", free_port()
    initdb = [programs / "initdb", "--pgdata", cluster, "--username", _SUPERUSER]
    initdb += ["--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"]
    subprocess.run(initdb, check=True, cwd=folder, capture_output=True, timeout=120, **as_user)
    options = {"listen_addresses": "127.0.0.1", "port": port, "fsync": "off"}
    options["unix_socket_directories"] = folder
    command = [programs / "postgres", "-D", cluster]
    command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stderr=log, stdout=log, **as_user)
        try:
            url = f"postgresql://{_SUPERUSER}@127.0.0.1:{port}/postgres"
            _wait_until_it_answers(url, process, Path(log.name))
            yield url
        finally:
            # Its fast way to end: who is still connected is not waited for.
            process.send_signal(signal.SIGINT)
            process.wait(30)


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _READY_WITHIN_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)
        else:
            return
