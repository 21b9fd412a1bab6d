"""`manage.py` for an installation that knows the task of small sizes, and workers that die or wait.

Run as `python -m tests.orchestrator.manage_sizes COMMAND`. In the environment, DIES_BEFORE is how a
statement begins and DIES_AT at which of them the process kills itself, as SIGKILL does. While there
is a file called `hold` in the state folder, the training of the widest network does not end.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

import django
import pytest
from django.conf import settings
from django.core.management import execute_from_command_line
from django.db.backends.signals import connection_created

TASK = "sizes"
HOLD = "hold"
_POLL_S = 0.02


class Death:
    """A wrapper of statements that lets all but the chosen one through."""

    def __init__(self, begins: str, at: int) -> None:
        self._begins = begins
        self._left = at

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self._left -= sql.startswith(self._begins)
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(sql, params, many, context)

    def await_on(self, sender: object, connection: Any, **rest: Any) -> None:
        """From now on what this connection executes counts."""
        connection.execute_wrappers.append(self)


def main() -> None:
    """Put the task into the catalogue and run one command; torch takes seconds, so only a worker
    loads it."""
    django.setup()
    from orchestrator.compression.search.catalogue import TASKS, TaskEntry

    place = "tests.orchestrator.compression_world:SizesTask"
    TASKS[TASK] = TaskEntry(TASK, "sizes, for tests", "made up", (), place)  # type: ignore[index]
    if "run_worker" in sys.argv:
        _hold_and_die()
    execute_from_command_line(sys.argv)


def _hold_and_die() -> None:
    from tests.orchestrator import compression_world as world

    world.use_task(pytest.MonkeyPatch())
    train = world.SizesBench.trained

    def held(bench: Any, choice: Any, seed: int, on_epoch: Any) -> Any:
        while choice["width"] == world.WIDEST and (settings.VAR_DIR / HOLD).exists():
            on_epoch(0.5)
            time.sleep(_POLL_S)
        return train(bench, choice, seed, on_epoch)

    world.SizesBench.trained = held  # type: ignore[method-assign]
    if begins := os.environ.get("DIES_BEFORE"):
        death = Death(begins, int(os.environ["DIES_AT"]))
        connection_created.connect(death.await_on, weak=False)


if __name__ == "__main__":
    main()
