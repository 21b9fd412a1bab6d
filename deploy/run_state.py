"""What `up` tells other programs of itself: one small file under var/run."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deploy.supervisor import Condition, ProcessView
from registry.files import replace_whole


class AlreadyRunning(Exception):
    """Another `up` works on the same state folder."""


@contextmanager
def exclusive(run_dir: Path) -> Iterator[None]:
    """Hold the state folder for this process; the kernel lets go of it however the process ends."""
    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(
                f"another `up` runs on {run_dir.parent}; stop it, or set TINYFLEET_VAR to "
                "another folder"
            ) from error
        yield


def write_state(run_dir: Path, views: list[ProcessView]) -> None:
    """Publish the state of all processes; readers never see half of it."""
    ready = all(view.condition is Condition.READY for view in views)
    state = {"pid": os.getpid(), "ready": ready, "processes": [asdict(view) for view in views]}
    replace_whole(run_dir / "up.json", json.dumps(state).encode(), 0o644)


def read_state(run_dir: Path) -> dict[str, Any] | None:
    """The newest state, or None where no `up` has written one."""
    try:
        state: dict[str, Any] = json.loads((run_dir / "up.json").read_text())
    except FileNotFoundError:
        return None
    return state


def clear_state(run_dir: Path) -> None:
    """Forget an earlier run's state."""
    (run_dir / "up.json").unlink(missing_ok=True)
