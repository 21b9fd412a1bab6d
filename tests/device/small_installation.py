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
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.device.supervised import supervise

NEEDED = {"broker", "entrance", "signer", "gateway", "scheduler"}


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
    supervise(NEEDED, json.dumps({"said": "ready"}), lambda _, line: answer(line))


if __name__ == "__main__":
    main()
