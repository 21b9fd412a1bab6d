"""A web process with a store of its own, reached only over HTTP, as others' clients reach it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.core.oxigraph_server import free_port, oxigraph_server

ROOT = Path(__file__).resolve().parents[2]
USER, PASSWORD = "ada", "difference engine"
_MAKE_USER = f"""
from django.contrib.auth.models import User
from rest_framework.authtoken.models import Token
user = User.objects.create_user({USER!r}, password={PASSWORD!r}, is_staff=True)
print("token", Token.objects.create(user=user).key)
"""
_READY_WITHIN_S = 60.0


@dataclass
class WebInstallation:
    """One folder of state: its database, its graph, and web processes over both."""

    var: Path
    graph_url: str
    token: str = ""
    settings: dict[str, str] = field(default_factory=dict)

    def environment(self, **settings: str) -> dict[str, str]:
        """What a process of this installation runs with; nothing of the surroundings' settings."""
        ours = {name: value for name, value in os.environ.items() if "TINYFLEET" not in name}
        port = self.graph_url.rpartition(":")[2]
        return {
            **ours,
            "DJANGO_SETTINGS_MODULE": "deploy.settings",
            "TINYFLEET_VAR": str(self.var),
            "TINYFLEET_GRAPH_PORT": port,
            **self.settings,
            **settings,
        }

    def manage(self, *arguments: str) -> str:
        """Run `manage.py …` to its end; what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def serve(self, **settings: str) -> Iterator[str]:
        """The address of a web process with these settings, once it answers."""
        port = free_port()
        base = f"http://127.0.0.1:{port}"
        command = ["-m", "uvicorn", "deploy.asgi:application", "--lifespan", "off"]
        with (self.var / f"web-{port}.log").open("w+") as log:
            process = subprocess.Popen(
                [sys.executable, *command, "--port", str(port), "--no-access-log"],
                cwd=ROOT,
                env=self.environment(**settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                _wait_until_it_answers(base, process, Path(log.name))
                yield base
            finally:
                process.terminate()
                process.wait(30)


@contextmanager
def installation(var: Path, **settings: str) -> Iterator[WebInstallation]:
    """A migrated installation with these settings and one user, and its graph server running."""
    var.mkdir(parents=True, exist_ok=True)
    with oxigraph_server(var / "graph") as graph_url:
        made = WebInstallation(var, graph_url, settings=settings)
        made.manage("migrate", "--verbosity", "0")
        printed = made.manage("shell", "--verbosity", "0", "-c", _MAKE_USER)
        made.token = re.search(r"token (\w+)", printed)[1]
        yield made


def session_cookie(base: str) -> Mapping[str, str]:
    """Sign in to the admin as a person does; the cookie of the session."""
    with httpx.Client(base_url=base, timeout=30.0) as browser:
        page = browser.get("/admin/login/")
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
        form = {"username": USER, "password": PASSWORD, "csrfmiddlewaretoken": token}
        answer = browser.post("/admin/login/?next=/health", data=form)
        assert answer.status_code == 302, answer.text
        return {"Cookie": f"sessionid={browser.cookies['sessionid']}"}


def _wait_until_it_answers(base: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _READY_WITHIN_S
    while True:
        try:
            httpx.get(f"{base}/health", timeout=5.0)
        except httpx.TransportError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)
        else:
            return
