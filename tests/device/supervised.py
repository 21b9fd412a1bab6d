"""Some of an installation's processes, supervised as by `manage.py up`, for tests to talk to."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from django.conf import settings

READY_WITHIN_S = 60.0
STEP_S = 0.05


def supervise(needed: Collection[str], greeting: str, answer: Callable[[Any, str], None]) -> None:
    """Run the processes until stdin ends; say the greeting once they are up, then answer lines.

    `answer` gets the supervisor and a line, in a thread of its own.
    """
    from deploy.processes import installation
    from deploy.supervisor import Supervisor

    specs = [spec for spec in installation() if spec.name in needed]
    supervisor = Supervisor(specs, Path(settings.VAR_DIR) / "logs")
    supervisor.start()
    try:
        if not supervisor.wait_until_ready(READY_WITHIN_S):
            sys.exit(f"not ready: {[(v.name, v.condition.value) for v in supervisor.views()]}")
        print(greeting, flush=True)
        gone = threading.Event()
        threading.Thread(target=_answer_all, args=[supervisor, answer, gone], daemon=True).start()
        while not gone.wait(STEP_S):
            supervisor.step()
    finally:
        supervisor.stop()


def _answer_all(supervisor: Any, answer: Callable[[Any, str], None], gone: threading.Event) -> None:
    try:
        for line in sys.stdin:
            answer(supervisor, line)
    finally:
        gone.set()
