"""A real MLflow server for tests, as `up` starts it: sqlite, one worker, no job execution."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

_START_S = 90
_POLL_S = 0.2


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class MlflowServer:
    """Its own process group, so that the workers of the server end with it."""

    def __init__(self, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        argv = [str(Path(sys.executable).with_name("mlflow")), "server", "--workers", "1"]
        argv += ["--host", "127.0.0.1", "--port", self.url.rsplit(":", 1)[1]]
        argv += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.sqlite3'}"]
        argv += ["--artifacts-destination", str(folder / "artifacts")]
        self._log = (folder / "mlflow.log").open("w")
        self._process = subprocess.Popen(
            argv,
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait_until_ready(self) -> MlflowServer:
        end = time.monotonic() + _START_S
        while time.monotonic() < end and self._process.poll() is None:
            try:
                if httpx.get(f"{self.url}/health").is_success:
                    return self
            except httpx.TransportError:
                time.sleep(_POLL_S)
        raise RuntimeError(f"MLflow did not start: {Path(self._log.name).read_text()[-2000:]}")

    def stop(self) -> None:
        os.killpg(self._process.pid, 15)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            self._process.wait()
        self._log.close()
