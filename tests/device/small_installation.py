"""The part of an installation that devices meet, in one process for tests to talk to.

Mosquitto, signer, gateway and scheduler run under the supervisor of `manage.py up`, so a changed
password file reaches the broker as it does there. Lines of JSON on stdin are orders: the words of a
`manage.py` command, or what an operator does and sees in the admin: `accept DEVICE`, `revoke
DEVICE`, `device DEVICE`, `deployments DEVICE`, `release MODEL FILE ACCURACY...` and `arenas
VARIANT`. Each is answered by a line of JSON: what was printed, or the rows.
"""

from __future__ import annotations

import io
import json
import sys
import threading
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone

NEEDED = {"broker", "entrance", "signer", "gateway", "scheduler"}
READY_WITHIN_S = 60.0
STEP_S = 0.05


def prepare() -> None:
    """What an operator does before the first `up`."""
    from orchestrator.gateways.broker_files import write_acl_file, write_password_file

    call_command("migrate", verbosity=0)
    call_command("load_catalogue", stdout=io.StringIO())
    settings.BROKER_DIR.mkdir(parents=True, exist_ok=True)
    write_acl_file()
    write_password_file()


def follow(words: list[str]) -> Any:
    from orchestrator.models import Deployment
    from orchestrator.services.enrolment import accept_pending, revoke
    from registry.models import Device, Measurement

    if words[0] == "accept":
        accept_pending(Device.objects.get(device_id=words[1]), timezone.now())
        return None
    if words[0] == "revoke":
        revoke(Device.objects.get(device_id=words[1]))
        return None
    if words[0] == "device":
        rows = Device.objects.filter(device_id=words[1])
        return list(rows.values("status", "profile"))
    if words[0] == "deployments":
        rows = Deployment.objects.filter(device__device_id=words[1]).order_by("created_at")
        return list(rows.values("status", "result_code", "detail", "variant__name"))
    if words[0] == "release":
        return _release(words[1], words[2::2], words[3::2])
    if words[0] == "arenas":
        rows = Measurement.objects.filter(variant=words[1], metric="arena_bytes")
        return list(rows.values("value", "status", "source", "board__slug"))
    printed = io.StringIO()
    call_command(*words, stdout=printed)
    return printed.getvalue()


def _release(model: str, files: list[str], accuracies: list[str]) -> dict[str, int]:
    """A release with a variant a file, the better ones by their stated accuracy; name to key."""
    from registry.services.networks import open_release, register_variant

    release = open_release(model)
    rows = [
        register_variant(
            release, Path(file).stem, Path(file).read_bytes(), sensors=[], accuracy=float(accuracy)
        )
        for file, accuracy in zip(files, accuracies, strict=True)
    ]
    return {row.name: row.pk for row in rows}


def answer(line: str) -> None:
    try:
        said = {"said": follow(json.loads(line))}
    except CommandError as error:
        said = {"error": str(error)}
    print(json.dumps(said), flush=True)


def main() -> None:
    django.setup()
    prepare()
    from deploy.processes import installation
    from deploy.supervisor import Supervisor

    specs = [spec for spec in installation() if spec.name in NEEDED]
    supervisor = Supervisor(specs, Path(settings.VAR_DIR) / "logs")
    supervisor.start()
    try:
        if not supervisor.wait_until_ready(READY_WITHIN_S):
            sys.exit(f"not ready: {[(v.name, v.condition.value) for v in supervisor.views()]}")
        print(json.dumps({"said": "ready"}), flush=True)
        gone = threading.Event()
        threading.Thread(target=_answer_all, args=[gone], daemon=True).start()
        while not gone.wait(STEP_S):
            supervisor.step()
    finally:
        supervisor.stop()


def _answer_all(gone: threading.Event) -> None:
    try:
        for line in sys.stdin:
            answer(line)
    finally:
        gone.set()


if __name__ == "__main__":
    main()
