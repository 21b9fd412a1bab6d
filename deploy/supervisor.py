"""Keeps a set of processes running: starts, probes, restarts with back-off, stops all.

One thread, one visible loop. Children die with their supervisor even if that is killed: each asks
the kernel for a signal at its parent's death (Linux PR_SET_PDEATHSIG). That signal follows the
*thread* that forked, so every start happens in the supervisor's own thread.
"""

from __future__ import annotations

import ctypes
import math
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import structlog

from deploy.ports import Endpoint

log = structlog.get_logger(__name__)

_ROOT = Path(__file__).resolve().parent.parent  # where `python -m deploy.…` finds its modules
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)

BACK_OFF_START_S = 0.5
BACK_OFF_MAX_S = 30.0
STEADY_AFTER_S = 30.0
STOP_GRACE_S = 10.0
REMIND_AFTER_S = 1.0  # longer than a broker takes to read thousands of accounts


class Condition(StrEnum):
    """Where a process stands."""

    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting to restart"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """How to start one process and how to see that it is ready.

    Ready is `ready_line` in its log since the start, or the endpoint accepting a connection.
    `reload_on` names files whose change is told to the process by SIGHUP, twice. `before_start` is
    called before each start, and must not raise. `remark` is for whoever reads what runs.
    """

    name: str
    argv: Sequence[str]
    endpoint: Endpoint | None = None
    ready_line: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    reload_on: Sequence[Path] = ()
    before_start: Callable[[], None] | None = None
    url: str = ""
    remark: str = ""


@dataclass(slots=True)
class _Child:
    spec: ProcessSpec
    log_path: Path
    process: subprocess.Popen[bytes] | None = None
    condition: Condition = Condition.STOPPED
    started_at: float = 0.0
    restart_at: float = 0.0
    back_off_s: float = BACK_OFF_START_S
    restarts: int = 0
    log_offset: int = 0
    reload_stamp: tuple[float, ...] = ()
    remind_at: float = math.inf


@dataclass(frozen=True, slots=True)
class ProcessView:
    """What is told of one process."""

    name: str
    condition: Condition
    pid: int | None
    restarts: int
    address: str
    url: str


class Supervisor:
    """Runs the given processes until told to stop. `clock` is monotonic seconds."""

    def __init__(
        self,
        specs: Iterable[ProcessSpec],
        log_dir: Path,
        on_change: Callable[[list[ProcessView]], None] = lambda views: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        log_dir.mkdir(parents=True, exist_ok=True)
        self._children = [_Child(spec, log_dir / f"{spec.name}.log") for spec in specs]
        self._on_change = on_change
        self._clock = clock
        self._dirty = True

    def start(self) -> None:
        """Start every process; none is waited for."""
        for child in self._children:
            self._spawn(child)
        self._tell()

    def step(self) -> None:
        """Look at every process once: restart what died, note what became ready."""
        for child in self._children:
            self._look_at(child)
        self._tell()

    def views(self) -> list[ProcessView]:
        """The present state, in the order of the specs."""
        return [_view(child) for child in self._children]

    @property
    def all_ready(self) -> bool:
        """Whether every process is ready now."""
        return all(child.condition is Condition.READY for child in self._children)

    def wait_until_ready(self, timeout_s: float, poll_s: float = 0.1) -> bool:
        """Step until all are ready; False when the time is up."""
        until = self._clock() + timeout_s
        while self._clock() < until:
            self.step()
            if self.all_ready:
                return True
            time.sleep(poll_s)
        return False

    def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """End all: SIGTERM in reverse order, SIGKILL for what stays beyond the grace."""
        for child in reversed(self._children):
            _signal_group(child.process, signal.SIGTERM)
        until = self._clock() + grace_s
        for child in reversed(self._children):
            self._reap(child, max(0.0, until - self._clock()))
        self._dirty = True
        self._tell()

    def _spawn(self, child: _Child) -> None:
        if child.spec.before_start is not None:
            child.spec.before_start()
        child.log_offset = child.log_path.stat().st_size if child.log_path.exists() else 0
        with child.log_path.open("ab") as output:
            child.process = subprocess.Popen(
                list(child.spec.argv),
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **child.spec.environment},
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        child.started_at = self._clock()
        child.reload_stamp, child.remind_at = _modified(child.spec.reload_on), math.inf
        self._set(child, Condition.STARTING)

    def _look_at(self, child: _Child) -> None:
        if child.condition is Condition.WAITING:
            if self._clock() >= child.restart_at:
                self._spawn(child)
        elif child.process is not None and child.process.poll() is not None:
            self._plan_restart(child, child.process.returncode)
        elif child.condition is Condition.STARTING:
            if self._is_ready(child):
                self._set(child, Condition.READY)
        elif child.condition is Condition.READY:
            self._keep(child)

    def _plan_restart(self, child: _Child, status: int) -> None:
        _signal_group(child.process, signal.SIGKILL)  # what it forked and left behind
        delay_s = child.back_off_s
        log.warning("process_died", process=child.spec.name, status=status, restart_in_s=delay_s)
        child.restarts += 1
        child.restart_at = self._clock() + delay_s
        child.back_off_s = min(2 * delay_s, BACK_OFF_MAX_S)
        child.process = None
        self._set(child, Condition.WAITING)

    def _keep(self, child: _Child) -> None:
        if self._clock() - child.started_at > STEADY_AFTER_S:
            child.back_off_s = BACK_OFF_START_S
        self._tell_of_changes(child)

    def _tell_of_changes(self, child: _Child) -> None:
        """Twice of each: Mosquitto forgets a hang-up that comes while it reads after an earlier."""
        stamp, now = _modified(child.spec.reload_on), self._clock()
        has_changed = stamp != child.reload_stamp
        if (has_changed or now >= child.remind_at) and child.process is not None:
            child.reload_stamp = stamp
            child.remind_at = now + REMIND_AFTER_S if has_changed else math.inf
            child.process.send_signal(signal.SIGHUP)

    def _is_ready(self, child: _Child) -> bool:
        if child.spec.ready_line is not None:
            return _appears(child.spec.ready_line, child.log_path, child.log_offset)
        return child.spec.endpoint is None or child.spec.endpoint.accepts()

    def _reap(self, child: _Child, grace_s: float) -> None:
        if child.process is not None:
            try:
                child.process.wait(grace_s)
            except subprocess.TimeoutExpired:
                log.warning("process_killed", process=child.spec.name, after_s=grace_s)
            _signal_group(child.process, signal.SIGKILL)
            child.process.wait()
            child.process = None
        child.condition = Condition.STOPPED

    def _set(self, child: _Child, condition: Condition) -> None:
        child.condition = condition
        self._dirty = True

    def _tell(self) -> None:
        if self._dirty:
            self._dirty = False
            self._on_change(self.views())


def _view(child: _Child) -> ProcessView:
    return ProcessView(
        name=child.spec.name,
        condition=child.condition,
        pid=child.process.pid if child.process else None,
        restarts=child.restarts,
        address=str(child.spec.endpoint or ""),
        url=child.spec.url,
    )


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _signal_group(process: subprocess.Popen[bytes] | None, number: signal.Signals) -> None:
    if process is None:
        return
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        log.debug("process_group_gone", pid=process.pid)


def _modified(paths: Sequence[Path]) -> tuple[float, ...]:
    return tuple(path.stat().st_mtime if path.exists() else 0.0 for path in paths)


def _appears(line: str, path: Path, offset: int) -> bool:
    with path.open("rb") as file:
        file.seek(offset)
        return line.encode() in file.read()
