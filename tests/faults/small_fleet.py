"""A whole installation and a handful of simulated devices behind a link, and their rollouts.

With Mosquitto the devices come over TLS, with client certificates.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from device_firmware_sim.boot import BootRecord, load_boot_record
from device_firmware_sim.flash import Flash
from device_firmware_sim.fleet import default_fleet
from tests.e2e.installation import free_ports, wait_for
from tests.faults.link import Link
from tests.faults.small_installation import SmallInstallation
from tests.faults.tls_ends import TlsEnds

DEVICES, FLEET_SEED = 3, 7
MEMBERS = {member.device_id: member for member in default_fleet(DEVICES, FLEET_SEED)}
JOINED_WITHIN_S = 60.0
MEMBERS_DESCRIBED = "SELECT count(*) FROM registry_device WHERE profile_id IS NOT NULL"


class SmallFleet:
    """Started by `start`, ended by `stop`; in between its rollouts are sent and watched."""

    def __init__(self, var: Path, broker: str, bytes_per_s: float | None = None) -> None:
        over_tls = broker == "mosquitto"
        mqtts_port, self._enrol_port = free_ports(2)
        settings = {
            "TINYFLEET_BIND": "127.0.0.1",
            "TINYFLEET_MQTTS_PORT": str(mqtts_port),
            "TINYFLEET_ENROL_PORT": str(self._enrol_port),
        }
        members = list(MEMBERS)
        self.installation = SmallInstallation(var, broker, members, **settings if over_tls else {})
        self._ends = TlsEnds(var, mqtts_port) if over_tls else None
        plain_port = self._ends.broker_port if self._ends else self.installation.ports["MQTT"]
        self.link = Link(plain_port, bytes_per_s)
        self._var = var
        self._simulator: subprocess.Popen[str] | None = None
        self._next_variant = 0

    def start(self, networks: Sequence[bytes]) -> None:
        """Everything is up, and every device is a member that has described itself."""
        self.installation.bring_up(networks)
        (self._var / "tokens.json").write_text(json.dumps(self.installation.tokens))
        argv = [*self._way_to_the_broker(), "--devices", str(DEVICES)]
        argv += ["--seed", str(FLEET_SEED), "--state-dir", f"{self._var}/devices"]
        argv += ["--trust", f"{self._var}/keys/trust", "--tokens", f"{self._var}/tokens.json"]
        argv += ["--enrol-password-file", f"{self._var}/keys/enrol-mqtt"]
        self._simulator = self.installation.run("device_firmware_sim", *argv)
        described = [(DEVICES,)]
        wait_for(
            "every device to join",
            lambda: self.installation.ask(MEMBERS_DESCRIBED) == described,
            JOINED_WITHIN_S,
        )

    def stop(self) -> None:
        """End everything; fails where a process outlives its end."""
        if self._simulator is not None:
            self._simulator.terminate()
            self._simulator.wait(30)
        self._cut()
        self.installation.take_down()

    def abandon(self) -> None:
        """End what may still run after a failure."""
        if self._simulator is not None and self._simulator.poll() is None:
            self._simulator.kill()
            self._simulator.wait()
        self._cut()
        self.installation.abandon()

    def _way_to_the_broker(self) -> list[str]:
        if self._ends is None:
            return ["--port", str(self.link.port)]
        self._ends.start(self.link.port)
        ports = ["--port", str(self._ends.board_port), "--enrol-port", str(self._enrol_port)]
        return [*ports, "--tls-ca", f"{self._var}/keys/authority.pem"]

    def _cut(self) -> None:
        self.link.close()
        if self._ends is not None:
            self._ends.stop()
            self._ends = None

    def send(self, soak_s: int = 0) -> int:
        """Start a rollout of the variant that does not run now; its key."""
        variants = self.installation.variants
        variant = variants[self._next_variant]
        self._next_variant = (self._next_variant + 1) % len(variants)
        order = {
            "name": f"to variant {variant}",
            "variant": variant,
            "target": {"devices": sorted(MEMBERS)},
            "soak_s": soak_s,
        }
        self.installation.wait_until_ready("web")
        with self.installation.http() as http:
            made = http.post("/api/v1/rollouts/", json=order)
            assert made.status_code == 201, made.text
            rollout: int = made.json()["id"]
            assert http.post(f"/api/v1/rollouts/{rollout}/start/").status_code == 200
        return rollout

    def boot_record(self, device: str) -> BootRecord:
        """What the device itself remembers, read from its flash."""
        build = MEMBERS[device].build
        folder = self._var / "devices" / device
        return load_boot_record(Flash(folder, build.slot_bytes, build.record_bytes).boot)
