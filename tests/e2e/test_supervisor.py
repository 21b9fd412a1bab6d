"""The supervisor with real processes: ready, restarted, reloaded, all gone at the end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.ports import Endpoint, PortTaken, check_free
from deploy.run_state import AlreadyRunning, exclusive
from deploy.supervisor import Condition, ProcessSpec, Supervisor

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
RELOADER = """
import signal, time
signal.signal(signal.SIGHUP, lambda *_: print('reloaded', flush=True))
print('up', flush=True)
while True: time.sleep(0.05)
"""


def spec(name: str, code: str, **more: object) -> ProcessSpec:
    return ProcessSpec(name, [sys.executable, "-c", code], ready_line="up", **more)  # type: ignore[arg-type]


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator:
    running: list[Supervisor] = []

    def start(*specs: ProcessSpec) -> Supervisor:
        supervisor = Supervisor(specs, tmp_path)
        running.append(supervisor)
        supervisor.start()
        return supervisor

    yield start
    for supervisor in running:
        supervisor.stop(grace_s=2.0)


def until(supervisor: Supervisor, condition, timeout_s: float = 20.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, supervisor.views()
        supervisor.step()
        time.sleep(0.02)


def test_all_become_ready_and_none_is_left(supervise) -> None:
    supervisor = supervise(spec("one", SLEEPER), spec("two", SLEEPER))
    assert supervisor.wait_until_ready(20.0)
    pids = [view.pid for view in supervisor.views()]
    supervisor.stop()
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert {view.condition for view in supervisor.views()} == {Condition.STOPPED}


def test_what_dies_is_started_again_after_a_pause(supervise) -> None:
    supervisor = supervise(spec("one", SLEEPER))
    assert supervisor.wait_until_ready(20.0)
    first = supervisor.views()[0].pid
    os.kill(first, signal.SIGKILL)
    until(supervisor, lambda: supervisor.views()[0].condition is Condition.WAITING)
    until(supervisor, lambda: supervisor.all_ready)
    assert supervisor.views()[0].pid != first
    assert supervisor.views()[0].restarts == 1


def test_what_a_process_needs_is_prepared_before_each_start(supervise, tmp_path: Path) -> None:
    needed = tmp_path / "needed"

    def prepare() -> None:
        needed.touch()

    script = f"import os; os.remove({str(needed)!r});" + SLEEPER
    supervisor = supervise(spec("one", script, before_start=prepare))
    assert supervisor.wait_until_ready(20.0)
    assert not needed.exists()
    os.kill(supervisor.views()[0].pid, signal.SIGKILL)
    until(supervisor, lambda: supervisor.views()[0].restarts == 1)
    until(supervisor, lambda: supervisor.all_ready)


def test_what_dies_again_and_again_waits_longer_each_time(tmp_path: Path) -> None:
    now = [0.0]
    supervisor = Supervisor([spec("one", "raise SystemExit(1)")], tmp_path, clock=lambda: now[0])
    supervisor.start()
    pauses = []
    for _ in range(3):
        until(supervisor, lambda: supervisor.views()[0].condition is Condition.WAITING)
        began = now[0]
        while supervisor.views()[0].condition is Condition.WAITING:
            now[0] += 0.25
            supervisor.step()
        pauses.append(now[0] - began)
    supervisor.stop()
    assert pauses == [0.5, 1.0, 2.0]


def test_a_changed_file_is_told_by_a_hang_up(supervise, tmp_path: Path) -> None:
    watched = tmp_path / "passwords"
    watched.write_text("one")
    supervisor = supervise(spec("one", RELOADER, reload_on=(watched,)))
    assert supervisor.wait_until_ready(20.0)
    os.utime(watched, (1, 1))
    until(supervisor, lambda: "reloaded" in (tmp_path / "one.log").read_text())
    until(supervisor, lambda: (tmp_path / "one.log").read_text().count("reloaded") == 2)


def test_what_ignores_the_request_to_end_is_killed(supervise) -> None:
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SLEEPER
    supervisor = supervise(spec("one", stubborn))
    assert supervisor.wait_until_ready(20.0)
    pid = supervisor.views()[0].pid
    supervisor.stop(grace_s=0.3)
    assert not psutil.pid_exists(pid)


def test_children_end_with_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    code = f"""
import sys, time
from pathlib import Path
from deploy.supervisor import ProcessSpec, Supervisor
one = ProcessSpec("one", [sys.executable, "-c", {SLEEPER!r}], ready_line="up")
s = Supervisor([one], Path({str(tmp_path)!r}))
s.start(); s.wait_until_ready(20); print(s.views()[0].pid, flush=True); time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    gone, _ = psutil.wait_procs([child], timeout=10)
    assert gone == [child]


def test_a_port_in_use_names_who_needs_it_and_how_to_move() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        endpoint = Endpoint("127.0.0.1", port, "TINYFLEET_WEB_PORT")
        with pytest.raises(PortTaken) as refused:
            check_free([("web", endpoint)])
    assert f"web needs 127.0.0.1:{port}" in str(refused.value)
    assert f"TINYFLEET_WEB_PORT={port + 1}" in str(refused.value)
    check_free([("web", endpoint)])


def test_two_on_one_folder_are_one_too_many(tmp_path: Path) -> None:
    with exclusive(tmp_path), pytest.raises(AlreadyRunning), exclusive(tmp_path):
        pass
    with exclusive(tmp_path):
        pass
