"""Three hundred simulated devices in an installation of their own, on SQLite or on PostgreSQL.

One device in twenty finds that nothing new fits its memory, and one in ten can be switched off: it
has a process of its own together with the others of its kind.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from sklearn.datasets import load_digits

from device_firmware_sim.fleet import TINY_BOARD, default_fleet
from tests.e2e.installation import wait_for
from tests.faults.small_installation import SmallInstallation
from tests.orchestrator.brokers import mosquitto_binary
from tests.seeds import drawn

DEVICES = 300
FLEET, FLEET_SEED = 326, 7
"""Of so many 300 have a camera, without which no network runs or crashes, and memory for one."""
PROCESSES = ("broker", "signer", "gateway", "scheduler", "web")
NAMES = [
    member.device_id
    for member in default_fleet(FLEET, FLEET_SEED)
    if member.build.sensor("camera") and member.build.board != TINY_BOARD
]
MUCH_TOO_LARGE = 1000
WITHIN_S = 400.0
DESCRIBED = "SELECT count(*) FROM registry_device WHERE profile_id IS NOT NULL"


def members() -> tuple[list[str], list[str], list[str]]:
    """Those that stay on, those that can be switched off, and those of the first whose installs
    are bad."""
    draw = drawn("rollout fleet")
    names = draw.sample(NAMES, DEVICES)
    off, on = names[: DEVICES // 10], names[DEVICES // 10 :]
    return on, off, on[: DEVICES // 20]


class RolloutFleet(SmallInstallation):
    """Started by `start`, ended by `stop`; in between it is asked and told over REST."""

    def __init__(self, var: Path, database: str) -> None:
        self.on, self.off, self.bad = members()
        self._database = database
        super().__init__(
            var,
            "mosquitto" if mosquitto_binary() else "amqtt",
            [*self.on, *self.off],
            PROCESSES,
            TINYFLEET_DATABASE=database,
            # Bad devices would convince their kind that the network is too large for all of it.
            TINYFLEET_ARENA_REPORTS_QUORUM=str(DEVICES),
        )
        self._running: dict[str, subprocess.Popen[str]] = {}

    def start(self, networks: Sequence[bytes]) -> None:
        """Every device is a member that has described itself; the last network crashes devices."""
        self.bring_up(networks)
        (self.var / "tokens.json").write_text(json.dumps(self.tokens))
        digits = load_digits()
        images = (digits.images / 16).astype(np.float32)
        np.savez(self.var / "digits.npz", images=images, labels=digits.target)
        self._crash_with = hashlib.sha256(networks[-1]).hexdigest()
        self.switch_on("on", self.on)
        self.switch_on("off", self.off)
        everybody = [(DEVICES,)]
        wait_for("every device to join", lambda: self.ask(DESCRIBED) == everybody, WITHIN_S)

    def stop(self) -> None:
        """End everything; fails where a process outlives its end."""
        for name in list(self._running):
            self.switch_off(name)
        self.take_down()

    def abandon(self) -> None:
        """End what may still run after a failure."""
        for process in self._running.values():
            process.kill()
            process.wait()
        super().abandon()

    def switch_on(self, name: str, devices: Sequence[str]) -> None:
        """Run these devices in a process of that name."""
        (self.var / f"{name}.json").write_text(json.dumps(devices))
        argv = [f"{self.var}/{name}.json", "--port", str(self.ports["MQTT"])]
        argv += ["--devices", str(FLEET), "--seed", str(FLEET_SEED)]
        argv += ["--state-dir", f"{self.var}/devices-{name}", "--trust", f"{self.var}/keys/trust"]
        argv += ["--tokens", f"{self.var}/tokens.json", "--stream", f"{self.var}/digits.npz"]
        argv += ["--enrol-password-file", f"{self.var}/keys/enrol-mqtt"]
        argv += ["--samples-per-second", "1", "--crash-with", self._crash_with]
        for device in set(self.bad).intersection(devices):
            argv += ["--arena-error", f"{device}={MUCH_TOO_LARGE}"]
        self._running[name] = self.run("tests.e2e.some_of_fleet", *argv)

    def switch_off(self, name: str) -> None:
        """They say goodbye and are gone."""
        process = self._running.pop(name)
        process.terminate()
        assert process.wait(60) == 0

    def ask(self, question: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the installation's database, read beside it."""
        if not self._database:
            return super().ask(question, *values)
        with psycopg.connect(self._database, connect_timeout=30) as connection:
            return connection.execute(question.replace("?", "%s"), values).fetchall()

    def roll_out(self, order: dict[str, Any]) -> int:
        """Order it and start it; its key."""
        with self.http() as http:
            made = http.post("/api/v1/rollouts/", json={"target": {"all": True}} | order)
            assert made.status_code == 201, made.text
            started = http.post(f"/api/v1/rollouts/{made.json()['id']}/start/")
            assert started.status_code == 200, started.text
            return int(made.json()["id"])

    def rollout(self, key: int) -> dict[str, Any]:
        """As REST shows it, with its waves and how many devices stand in each status."""
        with self.http() as http:
            shown: dict[str, Any] = http.get(f"/api/v1/rollouts/{key}/").json()
            return shown
