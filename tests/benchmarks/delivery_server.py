"""The server's side of the delivery benchmark: an installation with thousands of devices.

Broker, signer and scheduler run under the supervisor of `manage.py up` from the start; the gateway
when it is asked for. A line on stdin names what is to be done, a public method of `Server`; its
answer is a line of JSON. The settings are an installation's of its own (`installation`).
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
import psutil
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

if TYPE_CHECKING:
    from deploy.supervisor import Supervisor

READY_WITHIN_S = 120.0
STEP_S = 0.02
SECRET = "the same for all, which spares the benchmark"
PIECE = 500


def fill(devices: int) -> None:
    """Accepted devices that share a profile, and with it all that a network needs."""
    from orchestrator.models import DeviceCredential
    from orchestrator.protocol.enrolment import make_verifier
    from registry.models import Device, DeviceStatus

    kind = _profile()
    rows = [
        Device(device_id=f"light-{number:05d}", status=DeviceStatus.ACCEPTED, profile=kind)
        for number in range(devices)
    ]
    rows[-1].profile = None  # nothing fits it: it only looks on
    Device.objects.bulk_create(rows, batch_size=PIECE)
    verifier, now = make_verifier(SECRET, bytes(12)), timezone.now()
    credentials = (DeviceCredential(device=d, verifier=verifier, enrolled_at=now) for d in rows)
    DeviceCredential.objects.bulk_create(credentials, batch_size=PIECE)


def _profile() -> Any:
    from registry.models import BoardType, FirmwareBuild, Runtime
    from registry.services.profiles import profile_for

    board = BoardType.objects.create(
        slug="bench", name="bench", vendor="bench", mcu="m4", core="cortex-m4f", source="-"
    )
    runtime = Runtime.objects.create(name="tflite-micro", version="2024", kernels="reference")
    firmware = FirmwareBuild.objects.create(
        board=board,
        name="light",
        version="1",
        capacity_digest="light",
        runtime=runtime,
        slot_bytes=128 * 1024,
        arena_budget_bytes=64 * 1024,
        operators={"FULLY_CONNECTED": 12},
        dtypes=["int8", "int32"],
    )
    return profile_for(board, firmware, [])


def network(seed: int) -> dict[str, Any]:
    """A new release with one network of about 100 kB."""
    from registry.services.networks import open_release, register_variant
    from tests.orchestrator.small_networks import small_network

    data = small_network(inputs=990, outputs=100, seed=seed)
    variant = register_variant(open_release("bench"), "dense", data, sensors=[], accuracy=0.9)
    with variant.delivered.file.open("rb") as file:
        return {"sha256": variant.artifact_id, "data": file.read().hex()}


class Server:
    """The processes, and what can be asked of them."""

    def __init__(self, devices: int) -> None:
        call_command("migrate", verbosity=0)
        fill(devices)
        self._write_broker_files()
        self._running: list[Supervisor] = []
        self._networks = 0
        for name in ("broker", "signer", "scheduler"):
            self._start(name)

    def stop(self) -> None:
        for supervisor in reversed(self._running):
            supervisor.stop()

    def network(self) -> dict[str, Any]:
        """A network that no device has yet, in a release of its own."""
        self._networks += 1
        return network(self._networks)

    def roll_out(self) -> dict[str, float]:
        """Seconds until the scheduler has started the wave."""
        from orchestrator.models import WaveStatus
        from orchestrator.services import rollouts
        from registry.models import Release

        began = time.perf_counter()
        release = Release.objects.latest("number")
        rollout = rollouts.create_rollout("bench", release=release, target={"all": True})
        rollouts.start_rollout(rollout)
        while rollout.waves.exclude(status=WaveStatus.RUNNING).exists():
            time.sleep(STEP_S)  # the scheduler's turn
        return {"planned_s": time.perf_counter() - began}

    def sign(self) -> dict[str, float]:
        """Seconds until every manifest is signed and kept, and how many there are."""
        from orchestrator.gateways.signing import SigningClient
        from orchestrator.services.signing import Signing

        signing = Signing(SigningClient(settings.SIGNER_SOCKET, settings.NETWORK_TIMEOUT_S))
        began, before = time.perf_counter(), time.process_time()
        signed = 0
        while some := signing.sign_waiting(timezone.now()):
            signed += some
        used_s = time.process_time() - before
        return {"signed": signed, "signed_s": time.perf_counter() - began, "cpu_s": used_s}

    def gateway(self) -> None:
        """Start it; it publishes what stands in the database, signed."""
        self._start("gateway")

    def no_gateway(self) -> None:
        """End it."""
        self._running.pop().stop()

    def statuses(self) -> dict[str, int]:
        """How many deployments of the newest rollout stand in each status."""
        from orchestrator.models import Deployment, Rollout

        newest = Deployment.objects.filter(wave__rollout=Rollout.objects.latest("pk"))
        return Counter(newest.values_list("status", flat=True))

    def retained(self) -> int:
        """What the gateway may have left in the broker, as a later one would read it."""
        from orchestrator.gateways.retained_journal import RetainedJournal

        return len(RetainedJournal(settings.BROKER_DIR / "retained").names)

    def cpu(self) -> dict[str, float]:
        """Processor seconds of each process so far."""
        spent = {}
        for view in (view for supervisor in self._running for view in supervisor.views()):
            times = psutil.Process(view.pid).cpu_times()
            spent[view.name] = times.user + times.system
        return spent

    def _start(self, name: str) -> None:
        from deploy.processes import installation
        from deploy.supervisor import Supervisor

        spec = next(spec for spec in installation() if spec.name == name)
        self._running.append(Supervisor([spec], Path(settings.VAR_DIR) / "logs"))
        self._running[-1].start()
        assert self._running[-1].wait_until_ready(READY_WITHIN_S, STEP_S), f"{name} is not ready"

    @staticmethod
    def _write_broker_files() -> None:
        from orchestrator.gateways.broker_files import write_acl_file, write_password_file

        settings.BROKER_DIR.mkdir(parents=True, exist_ok=True)
        write_acl_file()
        write_password_file()


def main() -> None:
    django.setup()
    from orchestrator.gateways.broker_files import gateway_password

    server = Server(devices=int(sys.argv[1]))
    trust = [path.read_text() for path in (settings.KEYS_DIR / "trust").glob("*.pem")]
    ready = {"secret": SECRET, "gateway_secret": gateway_password(), "trust": trust}
    try:
        print(json.dumps(ready), flush=True)
        for line in sys.stdin:
            print(json.dumps(getattr(server, line.strip())()), flush=True)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
